"""Videos of words, of references, edited and extended: what a player and a probe see."""

from __future__ import annotations

import itertools

import media
import numpy as np
import pytest
from videos import colour, frames, heard, level, levels, near
from wanpack.offline.clip import check_clip
from wanpack.offline.render import RATE, render
from wanpack.offline.scene import DRAWN_SIZE, Scene, frame_size
from wanpack.wan.catalog.media import ClipLimits

LIMITS = ClipLimits((1, 60))
RED, GREEN, BLUE = (200, 40, 40), (40, 180, 40), (40, 40, 200)
WORDS = "A paper lantern drifts along a quiet canal at dusk."


def make_video(tmp_path, **facts):
    path = tmp_path / "a.mp4"
    render(Scene(**{"image": None, "resolution": "480P", "duration": 2, "has_audio": False, **facts}), path)
    return path


def test_words_are_seen_from_the_first_frame_to_the_last(full_size, tmp_path):
    shown = frames(make_video(tmp_path, prompt=WORDS, ratio="16:9"))
    assert shown[0].shape[:2] == (480, 832)
    assert all((frame[60:-60, 80:-80].min(axis=2) > 200).mean() > 0.01 for frame in (shown[0], shown[-1]))
    others = frames(make_video(tmp_path, prompt=WORDS[::-1], ratio="16:9"))
    assert np.abs(others[0].astype(int) - shown[0]).mean() > 10


@pytest.mark.parametrize(
    ("model", "parameters", "size"),
    [
        ("wan2.6-t2v", {"size": "1088*832"}, (1088, 832)),
        ("wan2.6-t2v", {"size": "1248*1632"}, (1248, 1632)),
        ("wan2.2-t2v-plus", {"size": "624*624"}, (624, 624)),
        ("wan2.7-t2v", {"resolution": "720P", "ratio": "4:3"}, (1104, 832)),
        ("wan2.7-t2v", {"resolution": "720P", "ratio": "3:4"}, (832, 1104)),
        ("wan2.7-t2v", {"resolution": "1080P", "ratio": "4:3"}, (1648, 1248)),
        ("wan2.7-t2v", {"resolution": "1080P", "ratio": "3:4"}, (1248, 1648)),
        ("wan2.7-t2v", {"resolution": "1080P", "ratio": "1:1"}, (1440, 1440)),
        ("wan2.7-t2v", {"resolution": "720P", "ratio": "1:1"}, (960, 960)),
        ("wan2.7-t2v", {"resolution": "1080P", "ratio": "9:16"}, (1080, 1920)),
        ("wan2.7-t2v", {}, (1280, 720)),
        ("wan2.7-r2v", {"ratio": "4:3"}, (1104, 832)),
        ("wan2.7-videoedit", {"ratio": "4:3"}, (1104, 832)),
        ("wan2.6-r2v", {"size": "832*1088"}, (832, 1088)),
        ("happyhorse-1.1-t2v", {"ratio": "9:21"}, (400, 960)),
        ("happyhorse-1.1-r2v", {"ratio": "5:4"}, (704, 560)),
    ],
)
def test_the_sizes_that_the_pages_print_by_tier_and_ratio(undrawn, kit, model, parameters, size):
    assert undrawn.ended(kit.body(model, parameters=parameters))["output"]["task_status"] == "SUCCEEDED"
    [scene] = undrawn.scenes
    assert frame_size(*DRAWN_SIZE, resolution=scene.resolution, ratio=scene.ratio, named=scene.size) == size


@pytest.mark.parametrize(("ratio", "size"), [("adaptive", (832, 480)), ("3:4", (544, 720))])
def test_words_have_the_shape_of_the_ratio(undrawn, kit, ratio, size):
    undrawn.ended(kit.body("wan3.0-video", job="text_to_video", parameters={"ratio": ratio}))
    scene = undrawn.scenes[0]
    assert frame_size(*DRAWN_SIZE, resolution=scene.resolution, ratio=scene.ratio, named=scene.size) == size


def test_references_are_what_a_video_moves_over(tmp_path):
    pictures = (media.image_file(colours=(RED,)), media.image_file(colours=(BLUE,)))
    first = frames(make_video(tmp_path, prompt=WORDS, pictures=pictures, ratio="16:9"))[0]
    assert near(colour(first, 0.25, 0.5), RED)
    assert near(colour(first, 0.75, 0.5), BLUE)


def test_a_first_frame_goes_before_references(tmp_path):
    first = frames(
        make_video(tmp_path, image=media.image_file(colours=(GREEN,)), pictures=(media.image_file(colours=(RED,)),))
    )[0]
    assert near(colour(first, 0.5, 0.5), GREEN)


@pytest.fixture
def clip(tmp_path, kit):
    """A clip of grey frames, 40 at first and one brighter with each frame: 2 s at 20 frames a second."""
    path = tmp_path / "clip.mp4"
    path.write_bytes(kit.clip(2))
    return check_clip(path, limits=LIMITS)


@pytest.fixture
def sounding_clip(tmp_path):
    """A clip of plain colour with a loud tone of 880 Hz."""

    def make(seconds, *, size=(320, 240), fps=24, sound=True):
        drawn = itertools.repeat(media.plain((90, 90, 90), size=size), round(seconds * fps))
        tone = media.tone(880, seconds, rate=RATE) if sound else None
        path = media.video(tmp_path / "sounding.mp4", drawn, fps=fps, sound=tone)
        return check_clip(path, limits=LIMITS)

    return make


def test_an_edited_clip_is_tinted_and_sounds_as_it_did(tmp_path, sounding_clip):
    clip = sounding_clip(2.5)
    path = make_video(tmp_path, clip=clip, clip_sound=True, edited=True, prompt="snow", duration=2.5, has_audio=True)
    shown = frames(path)
    assert len(shown) == 75
    for frame in (shown[0], shown[-1]):
        assert np.ptp(colour(frame, 0.5, 0.5)) > 40
    assert media.pitch(heard(path)[0, RATE // 2 : 2 * RATE], RATE) == pytest.approx(880, abs=2)
    other = frames(make_video(tmp_path, clip=clip, edited=True, prompt="rain", duration=2.5))
    assert not near(colour(other[0], 0.5, 0.5), colour(shown[0], 0.5, 0.5))


def test_an_edited_clip_without_sound_stays_silent(tmp_path, sounding_clip):
    clip = sounding_clip(2, sound=False)
    path = make_video(tmp_path, clip=clip, clip_sound=True, edited=True, prompt="snow", duration=2, has_audio=True)
    assert level(heard(path)) < 0.001


def test_an_edit_can_be_cut_short(tmp_path, clip):
    shown = levels(make_video(tmp_path, clip=clip, edited=True, prompt="snow", duration=1))
    assert shown == pytest.approx([40 + k * 20 // 30 for k in range(30)], abs=2)


def test_an_extended_clip_goes_on_from_its_last_frame(tmp_path, sounding_clip, clip):
    shown = levels(make_video(tmp_path, clip=clip, clip_sound=True, prompt="on", duration=4, has_audio=True))
    assert len(shown) == 120
    assert shown[:60] == pytest.approx([40 + k * 20 // 30 for k in range(60)], abs=1.5)
    assert shown[60:] == pytest.approx([79] * 60, abs=1.5)
    path = make_video(tmp_path, clip=sounding_clip(2), clip_sound=True, prompt="on", duration=4, has_audio=True)
    assert media.pitch(heard(path)[0, RATE // 2 : RATE * 3 // 2], RATE) == pytest.approx(880, abs=2)
    assert level(heard(path)[:, RATE * 5 // 2 :]) < 0.001


@pytest.mark.parametrize(
    ("model", "job", "parameters", "loud"),
    [
        ("wan3.0-video", "text_to_video", {}, True),
        ("wan3.0-video", "text_to_video", {"audio": False}, False),
        ("wan2.5-t2v-preview", "text_to_video", {"audio": False}, True),
        ("wan2.2-t2v-plus", "text_to_video", {}, False),
        ("wan2.6-r2v", "reference_to_video", {"audio": False}, True),
        ("wan2.6-r2v-flash", "reference_to_video", {"audio": False}, False),
        ("wan2.6-r2v-flash", "reference_to_video", {}, True),
        ("wan3.0-video", "video_edit", {"audio": False}, False),
        ("wan2.7-videoedit", "video_edit", {}, True),
    ],
)
def test_a_video_has_sound_exactly_where_the_row_has_it(undrawn, kit, model, job, parameters, loud):
    undrawn.ended(kit.body(model, job=job, parameters=parameters))
    assert undrawn.scenes[0].has_audio is loud


def test_what_each_job_shows(undrawn, kit):
    """Of a clip that is a reference the first frame, of one that is edited or extended all frames."""
    own = {"video_edit": "wan3.0-video", "video_extension": "wan3.0-video", "reference_to_video": "wan3.0-video"}
    for job, model in own.items():
        url = undrawn.upload("a.mp4", kit.clip(3), model=model)
        body = kit.body(model, job=job, media={"reference_video": url}, parameters={"duration": 4})
        undrawn.ended(body, headers={"X-DashScope-OssResourceResolve": "enable"})
    edit, extension, reference = undrawn.scenes
    assert (edit.clip.seconds, edit.edited, edit.clip_sound) == (3, True, True)
    assert (extension.clip.seconds, extension.edited, extension.clip_sound) == (3, False, True)
    assert (reference.clip, len(reference.pictures)) == (None, 1)
