"""The videos: what a player and a probe see."""

from __future__ import annotations

import io
import itertools

import av
import numpy as np
import pytest
from PIL import Image
from wanpack.nodes.offline.picture import DRAWN_SIZE, Scenery, frame_size
from wanpack.nodes.offline.render import FPS, render
from wanpack.nodes.offline.scene import Scene, StoppedError
from wanpack.nodes.offline.sound import RATE, sound_track

TIERS = {"480P": 832 * 480, "720P": 1280 * 720, "1080P": 1920 * 1080}


@pytest.fixture(scope="module")
def photo():
    """A picture with detail everywhere, 320x240: smooth waves of colour."""
    y, x = np.mgrid[0:240, 0:320]
    waves = [128 + 100 * np.sin(x / 30 + k) * np.cos(y / 25 - k) for k in range(3)]
    out = io.BytesIO()
    Image.fromarray(np.stack(waves, -1).astype(np.uint8)).save(out, "PNG")
    return out.getvalue()


def film(tmp_path, **facts):
    path = tmp_path / "a.mp4"
    render(Scene(**{"picture": None, "resolution": "480P", "duration": 2, "has_sound": False, **facts}), path)
    return path


def frames(path):
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def heard(path):
    with av.open(str(path)) as container:
        return np.concatenate([frame.to_ndarray() for frame in container.decode(audio=0)], axis=1)


def level(samples):
    return float(np.sqrt(np.mean(np.square(samples))))


@pytest.mark.parametrize(
    ("size", "resolution", "expected"),
    [
        ((750, 1000), "720P", (816, 1104)),  # the service's own example, dashscope.md section 8
        ((1280, 720), "720P", (1280, 720)),
        ((1000, 1000), "720P", (960, 960)),
        ((1920, 1080), "1080P", (1920, 1072)),
        ((1920, 1080), "480P", (832, 464)),
    ],
)
def test_sizes(size, resolution, expected):
    assert frame_size(*size, resolution=resolution) == expected


def test_any_aspect_gives_about_the_tiers_pixels_in_sides_of_sixteens():
    sides = (240, 333, 1000, 8000)
    for width, height, (resolution, pixels) in itertools.product(sides, sides, TIERS.items()):
        wide, high = frame_size(width, height, resolution=resolution)
        assert wide % 16 == high % 16 == 0
        assert 0.8 * pixels <= wide * high <= pixels
        assert wide / high == pytest.approx(width / height, rel=0.2)


@pytest.mark.parametrize("has_sound", [True, False])
def test_a_video_is_h264_at_30_fps_of_exact_length(tmp_path, photo, has_sound):
    path = film(tmp_path, picture=photo, duration=3, has_sound=has_sound)
    with av.open(str(path)) as container:
        video = container.streams.video[0]
        assert (video.codec_context.name, video.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert (video.average_rate, video.frames, video.start_time) == (FPS, 90, 0)
        assert (video.width, video.height) == frame_size(320, 240, resolution="480P")
        assert video.duration * video.time_base == 3
        assert container.duration == 3 * av.time_base
        assert [stream.codec_context.name for stream in container.streams.audio] == ["aac"] * has_sound
        assert len([None for _ in container.decode(video=0)]) == 90


def test_a_video_can_be_played_while_it_loads(tmp_path):
    data = film(tmp_path).read_bytes()
    assert 0 < data.index(b"moov") < data.index(b"mdat")


def test_the_first_frame_is_the_whole_picture(tmp_path, photo):
    first = frames(film(tmp_path, picture=photo))[0].astype(int)
    high, wide, _ = first.shape
    whole = np.asarray(Image.open(io.BytesIO(photo)).resize((wide, high)), int)
    away = np.abs(first - whole)[high // 8 :]  # below the mark
    assert away.mean() < 4
    corners = (slice(-20, None), slice(0, 20)), (slice(-20, None), slice(-20, None))
    assert all(np.abs(first[at] - whole[at]).mean() < 8 for at in corners)


def test_the_picture_moves_slowly(tmp_path, photo):
    shown = [frame.astype(int) for frame in frames(film(tmp_path, picture=photo))]
    assert np.abs(shown[-1] - shown[0]).mean() > 8
    assert all(np.abs(b - a).mean() < 4 for a, b in itertools.pairwise(shown))


def grey(width=832, height=624):
    return Image.new("RGB", (width, height), (128, 128, 128))


def marked(scenery):
    """Where the first frame is not grey any more: rows and columns, in 0..1."""
    width, height = scenery.size
    rows, columns = np.nonzero(np.abs(scenery.at(0)[:height].astype(int) - 126) > 20)
    return rows / height, columns / width


def test_the_mark_is_top_left_and_grows_with_the_templates_name():
    plain = Scenery(grey(), size=(832, 624), mark="OFFLINE", watermark="")
    named = Scenery(grey(), size=(832, 624), mark="OFFLINE flying", watermark="")
    rows, columns = marked(plain)
    assert rows.max() < 0.1
    assert columns.max() < 0.3
    assert marked(named)[1].max() > columns.max()


def test_the_watermark_is_bottom_right():
    rows, columns = marked(Scenery(grey(), size=(832, 624), mark="", watermark="AI generated"))
    low = rows > 0.5
    assert rows[low].min() > 0.9
    assert columns[low].min() > 0.7


def test_a_narrow_video_can_be_marked():
    size = frame_size(240, 8000, resolution="480P")
    scenery = Scenery(grey(*size), size=size, mark="OFFLINE crystalrose", watermark="AI generated")
    assert scenery.at(1).shape == (size[1] * 3 // 2, size[0])


def test_without_a_picture_one_is_drawn(tmp_path):
    first = frames(film(tmp_path))[0]
    assert first.shape[:2] == frame_size(*DRAWN_SIZE, resolution="480P")[::-1]
    assert first.std() > 20


def wav(left, rate=22050):
    """A mono sound file of the given samples."""
    out = io.BytesIO()
    with av.open(out, "w", format="wav") as container:
        stream = container.add_stream("pcm_s16le", rate=rate, layout="mono")
        frame = av.AudioFrame.from_ndarray((left * 32767).astype(np.int16)[None, :], format="s16", layout="mono")
        frame.sample_rate = rate
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return out.getvalue()


def tone(seconds, hertz=440.0, rate=22050):
    return 0.5 * np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate)


def test_without_a_sound_there_is_a_soft_tone(tmp_path):
    samples = heard(film(tmp_path, has_sound=True))
    assert 0.02 < level(samples) < 0.1
    assert np.abs(samples).max() < 0.15


def test_a_longer_sound_is_cut():
    track = sound_track(wav(tone(4)), seconds=2)
    assert track.shape == (2, 2 * RATE)
    assert level(track[:, -RATE // 10 :]) == pytest.approx(0.5 / 2**0.5, rel=0.05)


def test_a_shorter_sound_ends_in_silence(tmp_path):
    track = sound_track(wav(tone(1)), seconds=3)
    assert level(track[:, : int(0.9 * RATE)]) == pytest.approx(0.5 / 2**0.5, rel=0.05)
    assert level(track[:, int(1.1 * RATE) :]) == 0
    samples = heard(film(tmp_path, duration=3, has_sound=True, sound=wav(tone(1))))
    assert level(samples[:, : int(0.9 * RATE)]) > 0.3
    assert level(samples[:, int(1.1 * RATE) :]) < 0.001


def test_rendering_stops_when_nobody_wants_it(tmp_path):
    asked = iter([True] * 10)
    scene = Scene(None, "480P", 2, has_sound=False)
    with pytest.raises(StoppedError):
        render(scene, tmp_path / "a.mp4", wanted=lambda: next(asked, False))


def test_equal_scenes_have_equal_names(photo):
    facts = {"picture": photo, "resolution": "480P", "duration": 2, "has_sound": True}
    others = [
        {**facts, "picture": None},
        {**facts, "resolution": "720P"},
        {**facts, "duration": 3},
        {**facts, "has_sound": False},
        {**facts, "sound": b"x"},
        {**facts, "template": "hug"},
        {**facts, "watermark": True},
    ]
    assert Scene(**facts).name == Scene(**facts).name
    assert len({Scene(**one).name for one in [facts, *others]}) == 8
