"""The videos: what a player and a probe see."""

from __future__ import annotations

import io
import itertools

import av
import media
import numpy as np
import pytest
from PIL import Image
from videos import colour, frames, heard, level, levels, near
from wanpack.offline.clip import check_clip, clip_frames
from wanpack.offline.frames import Overlays, to_yuv_frame
from wanpack.offline.render import RATE, audio_track, render
from wanpack.offline.scene import DRAWN_SIZE, Interrupted, Scene, frame_size, nearest_ratio
from wanpack.wan.catalog.media import ClipLimits
from wanpack.wan.errors import MediaError

LIMITS = ClipLimits((2, 10))
TIERS = {"480P": 832 * 480, "720P": 1280 * 720, "1080P": 1920 * 1080}


@pytest.fixture(scope="module")
def photo():
    """An image with detail everywhere, 320x240: smooth waves of colour."""
    y, x = np.mgrid[0:240, 0:320]
    waves = [128 + 100 * np.sin(x / 30 + k) * np.cos(y / 25 - k) for k in range(3)]
    return media.encoded(np.stack(waves, -1).astype(np.uint8))


def make_video(tmp_path, **facts):
    path = tmp_path / "a.mp4"
    render(Scene(**{"image": None, "resolution": "480P", "duration": 2, "has_audio": False, **facts}), path)
    return path


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


@pytest.mark.parametrize(
    ("ratio", "resolution", "expected"),
    [
        ("16:9", "480P", (832, 480)),  # measured, newer-models.md section 2.6
        ("9:16", "480P", (480, 832)),
        ("16:9", "1080P", (1920, 1080)),
        ("1:1", "720P", (960, 960)),
        ("21:9", "720P", (1456, 624)),
        ("3:4", "720P", (816, 1104)),
        ("adaptive", "720P", (816, 1104)),
    ],
)
def test_sizes_by_a_named_ratio_whatever_the_image(ratio, resolution, expected):
    assert frame_size(750, 1000, resolution=resolution, ratio=ratio) == expected


def test_the_nearest_ratio_is_that_of_the_shape():
    sizes = {(640, 480): "4:3", (100, 101): "1:1", (10, 100): "9:16", (100, 10): "21:9", (16, 10): "16:9"}
    assert {size: nearest_ratio(*size) for size in sizes} == sizes


@pytest.mark.parametrize(("has_audio", "fps"), [(True, 30), (False, 24)])
def test_a_video_is_h264_of_exact_length(full_size, tmp_path, photo, has_audio, fps):
    path = make_video(tmp_path, image=photo, duration=2, has_audio=has_audio, fps=fps)
    with av.open(str(path)) as container:
        video = container.streams.video[0]
        assert (video.codec_context.name, video.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert (video.average_rate, video.frames, video.start_time) == (fps, 2 * fps, 0)
        assert (video.width, video.height) == frame_size(320, 240, resolution="480P")
        assert video.duration * video.time_base == 2
        assert container.duration == 2 * av.time_base
        assert [stream.codec_context.name for stream in container.streams.audio] == ["aac"] * has_audio
        assert len([None for _ in container.decode(video=0)]) == 2 * fps


def test_a_video_can_be_played_while_it_loads(tmp_path):
    data = make_video(tmp_path).read_bytes()
    assert 0 < data.index(b"moov") < data.index(b"mdat")


def test_the_first_frame_is_the_whole_image(tmp_path, photo):
    first = frames(make_video(tmp_path, image=photo))[0].astype(int)
    high, wide, _ = first.shape
    whole = np.asarray(Image.open(io.BytesIO(photo)).resize((wide, high)), int)
    away = np.abs(first - whole)[high // 8 :]  # below the mark
    assert away.mean() < 4
    corners = (slice(-20, None), slice(0, 20)), (slice(-20, None), slice(-20, None))
    assert all(np.abs(first[at] - whole[at]).mean() < 8 for at in corners)


def test_the_image_moves_slowly(tmp_path, photo):
    shown = [frame.astype(int) for frame in frames(make_video(tmp_path, image=photo))]
    assert np.abs(shown[-1] - shown[0]).mean() > 8
    assert all(np.abs(b - a).mean() < 4 for a, b in itertools.pairwise(shown))


def image_of(*colours, size=(400, 300)):
    return media.image_file(*size, colours=colours)


RED, GREEN, BLUE = (200, 40, 40), (40, 180, 40), (40, 40, 200)


@pytest.mark.parametrize("seconds", [2, 3])
def test_a_video_fades_into_its_last_frame(tmp_path, seconds):
    shown = frames(make_video(tmp_path, image=image_of(RED), ending=image_of(BLUE), duration=seconds))
    assert near(colour(shown[0], 0.5, 0.5), RED)
    assert near(colour(shown[-1], 0.5, 0.5), BLUE)
    reds = [colour(frame, 0.5, 0.5)[0] for frame in shown]
    assert all(later <= before + 2 for before, later in itertools.pairwise(reds))
    assert any(60 < red < 180 for red in reds)


def test_the_very_last_frame_is_the_whole_last_image(full_size, tmp_path, photo):
    last = frames(make_video(tmp_path, image=image_of(GREEN, size=(320, 240)), ending=photo))[-1].astype(int)
    high, wide, _ = last.shape
    whole = np.asarray(Image.open(io.BytesIO(photo)).resize((wide, high)), int)
    assert np.abs(last - whole)[high // 8 :].mean() < 5


def test_a_last_frame_of_another_shape_is_cut_to_the_first(tmp_path):
    wide = image_of(RED, GREEN, BLUE, size=(1200, 300))
    shown = frames(make_video(tmp_path, image=image_of(RED), ending=wide))
    assert shown[-1].shape == shown[0].shape
    assert [near(colour(shown[-1], x, 0.5), GREEN) for x in (0.1, 0.5, 0.9)] == [True] * 3


def test_a_named_ratio_cuts_the_image_and_keeps_its_shape(full_size, tmp_path):
    wide = image_of(RED, GREEN, BLUE, size=(1200, 400))
    first = frames(make_video(tmp_path, image=wide, ratio="9:16"))[0]
    assert first.shape[:2] == (832, 480)
    assert near(colour(first, 0.1, 0.5), GREEN)
    assert near(colour(first, 0.9, 0.5), GREEN)


@pytest.fixture
def clip(tmp_path, kit):
    """A clip of grey frames, 40 at first and one brighter with each frame: 2 s at 20 frames a second."""

    def make(seconds=2, **facts):
        path = tmp_path / "clip.mp4"
        path.write_bytes(kit.clip(seconds, **facts))
        return check_clip(path, limits=LIMITS)

    return make


def test_a_video_begins_with_the_clips_own_frames(tmp_path, clip):
    shown = levels(make_video(tmp_path, clip=clip(), duration=4, has_audio=True))
    assert len(shown) == 4 * 30
    # Frame k of 30 a second shows what the clip shows at that time: its frame k * 20 / 30.
    played = [40 + k * 20 // 30 for k in range(2 * 30)]
    assert shown[:60] == pytest.approx(played, abs=1.5)
    assert shown[60:] == pytest.approx([79] * 60, abs=1.5)


@pytest.mark.parametrize(("clip_fps", "fps"), [(24, 30), (60, 30), (30, 24), (25, 24)])
def test_a_clip_of_another_rate_keeps_its_time(clip, clip_fps, fps):
    video_ = clip(2, fps=clip_fps)
    planes = list(clip_frames(video_, size=(320, 240), fps=fps))
    assert len(planes) == 2 * fps
    shown = [float(np.asarray(luma).mean()) - 40 for luma, _, _ in planes]
    assert shown == pytest.approx([k * clip_fps / fps - 0.5 for k in range(2 * fps)], abs=1.6)


def test_a_video_goes_from_the_clip_to_the_last_frame(tmp_path, clip):
    path = make_video(tmp_path, clip=clip(), ending=image_of(BLUE), duration=3)
    assert levels(path)[59] == pytest.approx(79, abs=1.5)
    assert near(colour(frames(path)[-1], 0.5, 0.5), BLUE)


@pytest.mark.parametrize(("seconds", "fps"), [(2.95, 20), (2.99, 100)])
def test_a_clip_that_is_nearly_the_whole_video_still_ends_with_the_last_frame(tmp_path, clip, seconds, fps):
    path = make_video(tmp_path, clip=clip(seconds, fps=fps), ending=image_of(BLUE), duration=3)
    shown = frames(path)
    assert len(shown) == 90
    assert near(colour(shown[-1], 0.5, 0.5), BLUE)


def test_a_video_has_the_clips_shape(full_size, tmp_path, clip):
    assert frames(make_video(tmp_path, clip=clip(size=(240, 480), fps=5), duration=3))[0].shape == (880, 432, 3)


def test_a_clip_that_was_recorded_upright_is_shown_upright(tmp_path, kit):
    """A phone's video lies in the file and says by how much it is to be turned."""
    source, turned = tmp_path / "lying.mp4", tmp_path / "turned.mp4"
    with av.open(str(source), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 480, 240, "yuv420p"
        drawn = Image.new("RGB", (480, 240), RED)
        drawn.paste(BLUE, (240, 0, 480, 240))
        for _ in range(25):
            container.mux(stream.encode(av.VideoFrame.from_image(drawn)))
        container.mux(stream.encode(None))
    data = bytearray(source.read_bytes())
    matrix = data.index(b"tkhd") + 4 + 40
    # A quarter turn: x' = -y, y' = x, in numbers of 16.16 bits (and 2.30 in the last column).
    turn = (0, 1 << 16, 0, -(1 << 16), 0, 0, 240 << 16, 0, 1 << 30)
    data[matrix : matrix + 36] = b"".join(value.to_bytes(4, "big", signed=True) for value in turn)
    turned.write_bytes(data)
    clip = check_clip(turned, limits=LIMITS)
    assert clip.size == (240, 480)
    first = frames(make_video(tmp_path, clip=clip, duration=3))[0]
    assert first.shape[0] > first.shape[1]
    from wanpack.wan.media.last_frame import last_frame

    upright = last_frame(turned)
    assert near(colour(first, 0.5, 0.75), [value * 255 for value in upright[-100:-50, 100:150].mean((0, 1))])
    assert near(colour(first, 0.5, 0.2), [value * 255 for value in upright[50:100, 100:150].mean((0, 1))])
    assert not near(colour(first, 0.5, 0.75), colour(first, 0.5, 0.2))


def test_a_damaged_clip_gives_no_video(tmp_path, clip):
    good = clip()
    good.path.write_bytes(good.path.read_bytes()[:-500])
    with pytest.raises(MediaError):
        make_video(tmp_path, clip=good, duration=3)


@pytest.fixture
def served(api, kit, tmp_path):
    """Order a video of these files, and return where its video was saved."""

    def make(model, files, **parameters):
        media = {kind: api.upload(name, data, model=model) for kind, (name, data) in files.items()}
        body = kit.body(model, media=media, parameters=parameters)
        reply = api.ended(body, headers={"X-DashScope-OssResourceResolve": "enable"})
        path = tmp_path / "served.mp4"
        path.write_bytes(api.session.get(reply["output"]["video_url"], timeout=10).content)
        return path

    return make


def test_a_served_video_begins_with_its_clip_and_ends_with_its_last_frame(served, kit):
    files = {"first_clip": ("a.mp4", kit.clip(2)), "last_frame": ("b.png", image_of(BLUE))}
    path = served("wan2.7-i2v", files, duration=3)
    assert levels(path)[:60] == pytest.approx([40 + k * 20 // 30 for k in range(60)], abs=1.5)
    assert near(colour(frames(path)[-1], 0.5, 0.5), BLUE)


@pytest.mark.parametrize("model", ["wan2.7-i2v", "wan3.0-video", "wan2.2-kf2v-flash"])
def test_a_served_video_goes_from_its_first_to_its_last_frame(served, model):
    files = {"first_frame": ("a.png", image_of(RED)), "last_frame": ("b.png", image_of(BLUE))}
    shown = frames(served(model, files))
    assert near(colour(shown[0], 0.5, 0.5), RED)
    assert near(colour(shown[-1], 0.5, 0.5), BLUE)


@pytest.mark.parametrize(
    ("model", "parameters", "size", "fps", "loud"),
    [
        ("wan3.0-video", {"ratio": "9:16"}, (480, 832), 30, True),
        ("wan3.0-video", {"audio": False}, (720, 544), 30, False),
        ("happyhorse-1.1-i2v", {}, (720, 544), 24, True),
        ("wan2.7-i2v", {}, (1104, 816), 30, True),
    ],
)
def test_a_served_video_has_the_models_form(served, model, parameters, size, fps, loud):
    with av.open(str(served(model, {"first_frame": ("a.png", image_of(RED))}, **parameters))) as container:
        video = container.streams.video[0]
        assert ((video.width, video.height), video.average_rate) == (tuple(side // 64 * 16 for side in size), fps)
        assert bool(container.streams.audio) is loud


def grey(width=832, height=624):
    return to_yuv_frame(Image.new("RGB", (width, height), (128, 128, 128)), size=(width, height), whole=True)


def marked(text="", watermark="", size=(832, 624)):
    """Where a grey frame is not grey any more: rows and columns, in 0..1."""
    width, height = size
    whole = Overlays(size, text=text, watermark=watermark).on(grey(*size))
    rows, columns = np.nonzero(np.abs(whole[:height].astype(int) - 126) > 20)
    return rows / height, columns / width


def test_the_mark_is_top_left_and_grows_with_the_templates_name():
    rows, columns = marked("OFFLINE")
    assert rows.max() < 0.1
    assert columns.max() < 0.3
    assert marked("OFFLINE flying")[1].max() > columns.max()


def test_the_watermark_is_bottom_right():
    rows, columns = marked("", "AI generated")
    low = rows > 0.5
    assert rows[low].min() > 0.9
    assert columns[low].min() > 0.7


@pytest.mark.parametrize(("model", "text"), [("happyhorse-1.1-i2v", "Happy Horse"), ("wan2.7-i2v", "AI generated")])
def test_each_family_has_its_watermark(api, kit, monkeypatch, model, text):
    ordered = []
    monkeypatch.setattr(api.server.state.worker, "enqueue", lambda scene, **_: ordered.append(scene))
    for watermark in (True, False, None):
        api.submit(kit.body(model, parameters={"watermark": watermark}))
    by_default = text if model.startswith("happyhorse") else ""
    assert [scene.watermark for scene in ordered] == [text, "", by_default]


def test_a_narrow_video_can_be_marked():
    size = frame_size(240, 8000, resolution="480P")
    whole = Overlays(size, text="OFFLINE crystalrose", watermark="AI generated").on(grey(*size))
    assert whole.shape == (size[1] * 3 // 2, size[0])


def test_without_an_image_one_is_drawn(full_size, tmp_path):
    first = frames(make_video(tmp_path))[0]
    assert first.shape[:2] == frame_size(*DRAWN_SIZE, resolution="480P")[::-1]
    assert first.std() > 20


def test_without_an_audio_there_is_a_soft_tone(tmp_path):
    samples = heard(make_video(tmp_path, has_audio=True))
    assert 0.02 < level(samples) < 0.1
    assert np.abs(samples).max() < 0.15


def test_a_longer_audio_is_cut():
    track = audio_track(media.wav(media.tone(seconds=4)), seconds=2)
    assert track.shape == (2, 2 * RATE)
    assert level(track[:, -RATE // 10 :]) == pytest.approx(0.5 / 2**0.5, rel=0.05)


def test_a_shorter_audio_ends_in_silence(tmp_path):
    track = audio_track(media.wav(media.tone(seconds=1)), seconds=3)
    assert level(track[:, : int(0.9 * RATE)]) == pytest.approx(0.5 / 2**0.5, rel=0.05)
    assert level(track[:, int(1.1 * RATE) :]) == 0
    samples = heard(make_video(tmp_path, duration=3, has_audio=True, audio=media.wav(media.tone(seconds=1))))
    assert level(samples[:, : int(0.9 * RATE)]) > 0.3
    assert level(samples[:, int(1.1 * RATE) :]) < 0.001


def test_rendering_stops_when_nobody_wants_it(tmp_path):
    asked = iter([True] * 10)
    scene = Scene(None, "480P", 2, has_audio=False)
    with pytest.raises(Interrupted):
        render(scene, tmp_path / "a.mp4", wanted=lambda: next(asked, False))


def test_equal_scenes_have_equal_names(photo, clip):
    facts = {"image": photo, "resolution": "480P", "duration": 2, "has_audio": True}
    others = [
        {**facts, "image": None},
        {**facts, "resolution": "720P"},
        {**facts, "duration": 3},
        {**facts, "has_audio": False},
        {**facts, "audio": b"x"},
        {**facts, "template": "hug"},
        {**facts, "watermark": "AI generated"},
        {**facts, "ending": photo},
        {**facts, "ratio": "1:1"},
        {**facts, "fps": 24},
        {**facts, "prompt": "a cat"},
        {**facts, "pictures": (photo,)},
        {**facts, "pictures": (None,)},
        {**facts, "edited": True},
        {**facts, "clip_sound": True},
        {**facts, "size": (832, 480)},
    ]
    names = [Scene(**one).name for one in [facts, *others]]
    names += [Scene(**facts, clip=clip(begin=begin)).name for begin in (40, 41)]
    assert Scene(**facts).name == Scene(**facts).name
    assert len(set(names)) == 19
    assert Scene(**facts, clip=clip(begin=40)).name == names[-2]
