"""Every workflow runs offline from the command line, and makes what it promises."""

from __future__ import annotations

import base64
import io
import re
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice

import av
import numpy as np
import pytest
from PIL import Image

FPS = 30
PIXELS = {"480P": 832 * 480, "720P": 1280 * 720}
SHAPE = 451 / 300
"""Of the photograph that stands for example.png."""


@dataclass(frozen=True)
class Promise:
    """The films that a workflow makes: how many, of how many seconds, of which tier, with sound or without."""

    films: int
    seconds: int
    tier: str
    sound: bool


PROMISED = {
    "first_frame": Promise(1, 5, "480P", sound=False),
    "multi_shot": Promise(1, 10, "720P", sound=True),
    "auto_dubbing": Promise(1, 10, "480P", sound=True),
    "audio_file": Promise(1, 10, "480P", sound=True),
    "silent": Promise(1, 5, "480P", sound=False),
    "video_effect": Promise(1, 5, "720P", sound=False),
    "negative_prompt": Promise(1, 5, "480P", sound=False),
    "chain_clips": Promise(2, 2, "720P", sound=True),
    "batch": Promise(3, 5, "480P", sound=False),
    "image_to_frames": Promise(1, 3, "480P", sound=False),
}


def pictures(film, *, at_most):
    """The first decoded pictures of a film, uint8 [H,W,3] each."""
    with av.open(str(film)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in islice(container.decode(video=0), at_most)]


def likeness(one, other):
    """Peak signal to noise ratio of two pictures of 8 bits, in dB."""
    error = np.mean((one.astype(float) - other.astype(float)) ** 2)
    return 10 * np.log10(255**2 / max(error, 1e-9))


def sounds(film):
    """The seconds of each sound track, decoded to its end."""
    with av.open(str(film)) as container:
        return [
            sum(frame.samples / frame.sample_rate for frame in container.decode(stream))
            for stream in container.streams.audio
        ]


def test_every_workflow_has_a_promise(name):
    assert name in PROMISED


def test_it_runs_to_its_end_and_prints_its_films_alone(name, ran):
    assert (ran.status, len(ran.films)) == (0, PROMISED[name].films), ran.err
    assert all(film.is_file() for film in ran.films)
    saved = {path for path in ran.folder.rglob("*") if path.is_file() and ".wan" not in path.parts}
    assert saved == set(ran.films)


def test_each_film_is_asked_for_once(name, ran):
    assert len(ran.creates) == len(ran.tasks) == PROMISED[name].films
    assert {task.state for task in ran.tasks} == {"SUCCEEDED"}


def test_its_films_are_as_long_as_they_promise(name, ran):
    for film in ran.films:
        with av.open(str(film)) as container:
            video = container.streams.video[0]
            assert (video.codec_context.name, video.average_rate) == ("h264", Fraction(FPS))
            assert sum(1 for _ in container.decode(video)) == PROMISED[name].seconds * FPS


def test_its_films_have_their_tiers_pixels_in_the_pictures_shape(name, ran):
    for film in ran.films:
        with av.open(str(film)) as container:
            width, height = container.streams.video[0].width, container.streams.video[0].height
        assert width * height == pytest.approx(PIXELS[PROMISED[name].tier], rel=0.06)
        assert width / height == pytest.approx(SHAPE, rel=0.03)


def test_its_films_have_sound_where_they_promise_it_and_nowhere_else(name, ran):
    for film in ran.films:
        told = [PROMISED[name].seconds] if PROMISED[name].sound else []
        assert sounds(film) == pytest.approx(told, abs=0.1)


def test_a_sound_that_cannot_be_fetched_offline_is_replaced_by_a_tone_and_that_is_said(runner):
    for name in ("multi_shot", "audio_file"):
        assert "audio_url could not be fetched offline: replaced by a tone" in runner(name).err


def test_a_run_without_such_a_sound_says_nothing_of_the_kind(runner):
    assert "replaced" not in runner("auto_dubbing").err


def test_a_batch_has_a_film_for_each_seed(runner):
    seeds = [create.body["parameters"]["seed"] for create in runner("batch").creates]
    assert sorted(seeds) == [0, 1, 2]


def test_the_second_clip_of_a_chain_begins_where_the_first_ends(runner):
    ran = runner("chain_clips")
    second = next(call for call in ran.creates if call.body["input"]["prompt"] == "猫停下来，抬头看向镜头")
    encoded = second.body["input"]["img_url"].partition(",")[2]
    with Image.open(io.BytesIO(base64.b64decode(encoded))) as sent:
        begin = np.asarray(sent.convert("RGB"))
    film = next(film for film in ran.films if film.name.startswith("chain_1"))
    whole = pictures(film, at_most=1000)
    assert likeness(begin, whole[-1]) > 35
    # Nor is it any other frame: the picture moves.
    assert likeness(begin, whole[0]) < 30


def test_the_last_clip_of_a_chain_is_the_last_line(runner):
    assert [film.name for film in runner("chain_clips").films] == ["chain_1_00001_.mp4", "chain_2_00001_.mp4"]


def test_the_frames_downstream_are_the_films_first_eight(runner):
    ran = runner("image_to_frames")
    shown = re.findall(r"PreviewImage: (\S+\.png)", ran.err)
    assert len(shown) == 8
    wanted = pictures(ran.films[0], at_most=8)
    for path, frame in zip(shown, wanted, strict=True):
        with Image.open(path) as picture:
            assert np.array_equal(np.asarray(picture), frame)
