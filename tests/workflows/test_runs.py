"""Every workflow runs offline from the command line, and makes what it promises."""

from __future__ import annotations

import base64
import io
import re
import shutil
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice

import av
import numpy as np
import pytest
from PIL import Image
from small_videos import QUARTER

PIXELS = {"480P": 832 * 480, "720P": 1280 * 720}
SHAPE = 1.0
"""Of the photograph that stands for example.png."""


@dataclass(frozen=True)
class Promise:
    """The videos that a workflow makes.

    The seconds of each, their tier, with audio or without, their shape and pace, and the frames of the film that they
    are joined to, which comes after them.
    """

    seconds: tuple[int, ...]
    tier: str
    audio: bool
    shape: float = SHAPE
    fps: int = 30
    joined: int = 0

    @property
    def frames(self):
        """The frames of each saved file."""
        return [seconds * self.fps for seconds in self.seconds] + ([self.joined] if self.joined else [])


PROMISED = {
    "first_frame": Promise((5,), "480P", audio=False),
    "multi_shot": Promise((10,), "720P", audio=True),
    "auto_dubbing": Promise((10,), "480P", audio=True),
    "audio_file": Promise((10,), "480P", audio=True),
    "silent": Promise((5,), "480P", audio=False),
    "video_effect": Promise((5,), "720P", audio=False),
    "negative_prompt": Promise((5,), "480P", audio=False),
    "chain_clips": Promise((2, 2), "720P", audio=True),
    "batch": Promise((5, 5, 5), "480P", audio=False),
    "image_to_frames": Promise((3,), "480P", audio=False),
    "first_last_frame": Promise((3,), "720P", audio=True),
    "continue_video": Promise((2, 5), "720P", audio=True),
    "wan3_long": Promise((15,), "480P", audio=True, shape=16 / 9),
    "happyhorse": Promise((5,), "480P", audio=True, fps=24),
    "text_to_video": Promise((5,), "480P", audio=True, shape=832 / 480),
    "reference_to_video": Promise((5,), "720P", audio=True, shape=16 / 9),
    "edit_video": Promise((2, 2), "720P", audio=True),
    "long_film": Promise((2, 2, 2), "720P", audio=True, joined=3 * 60 - 2),
}


def images(video, *, at_most):
    """The first decoded images of a video, uint8 [H,W,3] each."""
    with av.open(str(video)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in islice(container.decode(video=0), at_most)]


def likeness(one, other):
    """Peak signal to noise ratio of two images of 8 bits, in dB."""
    error = np.mean((one.astype(float) - other.astype(float)) ** 2)
    return 10 * np.log10(255**2 / max(error, 1e-9))


def image_in(address):
    """The image that a data URI holds, uint8 [H,W,3]."""
    with Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2]))) as sent:
        return np.asarray(sent.convert("RGB"))


def resized(image, other):
    """An image in the size of another one."""
    return np.asarray(Image.fromarray(image).resize(other.shape[1::-1], Image.Resampling.LANCZOS))


def audios(video):
    """The seconds of each audio track, decoded to its end."""
    with av.open(str(video)) as container:
        return [
            sum(frame.samples / frame.sample_rate for frame in container.decode(stream))
            for stream in container.streams.audio
        ]


def test_every_workflow_has_a_promise(name):
    assert name in PROMISED


def test_it_runs_to_its_end_and_prints_its_videos_alone(name, ran):
    assert (ran.status, len(ran.videos)) == (0, len(PROMISED[name].frames)), ran.err
    assert all(video.is_file() for video in ran.videos)
    saved = {path for path in ran.folder.rglob("*") if path.is_file() and ".wan" not in path.parts}
    assert saved == set(ran.videos)


def test_each_video_is_asked_for_once(name, ran):
    assert len(ran.creates) == len(ran.tasks) == len(PROMISED[name].seconds)
    assert {task.state for task in ran.tasks} == {"SUCCEEDED"}


def test_its_videos_are_as_long_as_they_promise(name, ran):
    promise = PROMISED[name]
    for path, frames in zip(ran.videos, promise.frames, strict=True):
        with av.open(str(path)) as container:
            video = container.streams.video[0]
            assert (video.codec_context.name, video.average_rate) == ("h264", Fraction(promise.fps))
            assert sum(1 for _ in container.decode(video)) == frames


def test_its_videos_have_their_tiers_pixels_in_the_promised_shape(name, ran):
    for video in ran.videos:
        with av.open(str(video)) as container:
            width, height = container.streams.video[0].width, container.streams.video[0].height
        assert width * height * ran.scale**2 == pytest.approx(PIXELS[PROMISED[name].tier], rel=0.06)
        assert width / height == pytest.approx(PROMISED[name].shape, rel=0.03)


def test_its_videos_have_audio_where_they_promise_it_and_nowhere_else(name, ran):
    promise = PROMISED[name]
    for video, frames in zip(ran.videos, promise.frames, strict=True):
        reported = [frames / promise.fps] if promise.audio else []
        assert audios(video) == pytest.approx(reported, abs=0.1)


def test_an_audio_that_cannot_be_fetched_offline_is_replaced_by_a_tone_and_that_is_said(runner):
    for name in ("multi_shot", "audio_file"):
        assert "audio_url could not be fetched offline: replaced by a tone" in runner(name).err


def test_a_run_without_such_an_audio_says_nothing_of_the_kind(runner):
    assert "replaced" not in runner("auto_dubbing").err


def test_a_batch_has_a_video_for_each_seed(runner):
    seeds = [create.body["parameters"]["seed"] for create in runner("batch").creates]
    assert sorted(seeds) == [0, 1, 2]


def test_the_second_clip_of_a_chain_begins_where_the_first_ends(runner):
    ran = runner("chain_clips")
    second = next(call for call in ran.creates if call.body["input"]["prompt"].startswith("She lowers her hand"))
    begin = image_in(second.body["input"]["img_url"])
    video = next(video for video in ran.videos if video.name.startswith("chain_1"))
    whole = images(video, at_most=1000)
    assert likeness(begin, whole[-1]) > 35
    # Nor is it any other frame: the image moves.
    assert likeness(begin, whole[0]) < 30


def test_the_last_clip_of_a_chain_is_the_last_line(runner):
    assert [video.name for video in runner("chain_clips").videos] == ["chain_1_00001_.mp4", "chain_2_00001_.mp4"]


def test_the_video_between_two_frames_begins_with_the_one_and_ends_with_the_other(runner):
    ran = runner("first_last_frame")
    [create] = ran.creates
    first, last = (image_in(item["url"]) for item in create.body["input"]["media"])
    # The same picture by night: as large, darker, and bluer.
    assert first.shape == last.shape
    assert last.mean() < first.mean() / 3
    red, _, blue = last.reshape(-1, 3).mean(axis=0)
    assert blue > 1.5 * red
    whole = images(ran.videos[0], at_most=1000)
    for seen, like, unlike in ((whole[0], first, last), (whole[-1], last, first)):
        assert likeness(seen, resized(like, seen)) > 25
        assert likeness(seen, resized(unlike, seen)) < 20


def test_a_continued_video_begins_with_its_clip_and_goes_on(runner):
    ran = runner("continue_video")
    clip, whole = (images(video, at_most=1000) for video in ran.videos)
    for place in (0, 30, 59):
        assert likeness(whole[place], clip[place]) > 30
    assert likeness(whole[-1], clip[-1]) < 30


def test_a_clip_that_another_node_has_made_is_uploaded(runner):
    [first, second] = runner("continue_video").creates
    [item] = second.body["input"]["media"]
    assert item["type"] == "first_clip"
    assert re.fullmatch(r"oss://\S+\.mp4", item["url"])
    resolve = "x-dashscope-ossresourceresolve"
    assert (second.headers[resolve], first.headers.get(resolve)) == ("enable", None)


@pytest.mark.parametrize("way", ["video", "video_path"])
def test_a_video_of_ones_own_is_continued_by_its_file(runner, read_flow, tmp_path, way):
    own = runner("continue_video").videos[0]
    shutil.copyfile(own, tmp_path / "own.mp4")
    node = read_flow("continue_video").api["4"]
    node["inputs"] |= {"video_path": "own.mp4", "duration": 3}
    del node["inputs"]["video"], node["inputs"]["connection"]
    graph = {"4": node}
    if way == "video":
        node["inputs"] |= {"video_path": "", "video": ["1", 0]}
        graph["1"] = {"class_type": "LoadVideo", "inputs": {"file": "own.mp4"}}
    ran = runner.graph(graph, tmp_path / f"own_{way}.json")
    assert (ran.status, len(ran.videos), len(ran.creates)) == (0, 1, 1), ran.err
    first, begin = (images(video, at_most=1)[0] for video in (own, ran.videos[0]))
    assert likeness(begin, first) > 30


def test_a_clip_that_is_as_long_as_the_video_is_refused_before_anything_is_sent(runner, read_flow, tmp_path):
    shutil.copyfile(runner("continue_video").videos[0], tmp_path / "own.mp4")
    node = read_flow("continue_video").api["4"]
    node["inputs"] |= {"video_path": "own.mp4", "duration": 2}
    del node["inputs"]["video"], node["inputs"]["connection"]
    ran = runner.graph({"4": node}, tmp_path / "too_short.json")
    assert (ran.status, ran.videos, ran.creates) == (1, [], [])
    assert "duration: 2 s is the length of the complete video and must exceed the clip's 2.0 s" in ran.err


def test_a_long_videos_shape_is_the_chosen_one_and_not_the_images(runner):
    [create] = runner("wan3_long").creates
    assert create.body["parameters"]["ratio"] == "16:9"
    with av.open(str(runner("wan3_long").videos[0])) as container:
        video = container.streams.video[0]
        assert (video.width * QUARTER, video.height * QUARTER) == (832, 480)


def test_happyhorse_is_sent_only_what_it_knows(runner):
    [create] = runner("happyhorse").creates
    assert set(create.body["input"]) == {"prompt", "media"}
    assert set(create.body["parameters"]) == {"resolution", "duration", "seed", "watermark"}
    assert create.body["parameters"]["watermark"] is False


def test_the_frames_downstream_are_the_videos_first_eight(runner):
    ran = runner("image_to_frames")
    shown = re.findall(r"PreviewImage: (\S+\.png)", ran.err)
    assert len(shown) == 8
    wanted = images(ran.videos[0], at_most=8)
    for path, frame in zip(shown, wanted, strict=True):
        with Image.open(path) as image:
            assert np.array_equal(np.asarray(image), frame)
