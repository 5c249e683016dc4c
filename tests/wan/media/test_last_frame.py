import io
import struct
from fractions import Fraction

import av
import numpy as np
import pytest
from wanpack.wan.errors import MediaError
from wanpack.wan.media.last_frame import last_frame

RED = (200, 60, 30)
MATRICES = {1: (0.2126, 0.0722), 5: (0.299, 0.114), 9: (0.2627, 0.0593)}


def red_video(path, *, matrix, full, codec="libx264", container="mp4"):
    """Make a video of one colour, in a tagged matrix and range."""
    kr, kb = MATRICES[matrix]
    r, g, b = (level / 255 for level in RED)
    y = kr * r + (1 - kr - kb) * g + kb * b
    u, v = (b - y) / 2 / (1 - kb), (r - y) / 2 / (1 - kr)
    levels = (y * 255, u * 255 + 128, v * 255 + 128) if full else (16 + 219 * y, 128 + 224 * u, 128 + 224 * v)
    planes = [np.full((rows, 96), round(level), np.uint8) for rows, level in zip((64, 16, 16), levels, strict=True)]
    with av.open(str(path), "w", format=container) as video:
        stream = video.add_stream(codec, rate=30, options={"crf": "1"})
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        frame = av.VideoFrame.from_ndarray(np.concatenate(planes), format="yuv420p")
        stream.codec_context.colorspace = frame.colorspace = matrix
        stream.codec_context.color_range = frame.color_range = 2 if full else 1
        video.mux(stream.encode(frame))
        video.mux(stream.encode())


@pytest.mark.parametrize("audio", [False, True])
@pytest.mark.parametrize("gop", [1, 12, 250])
@pytest.mark.parametrize("b_frames", [0, 2, 3])
@pytest.mark.parametrize("frames", [1, 2, 13, 24, 41])
def test_it_is_the_frame_that_is_shown_last(make_video, read_number, frames, b_frames, gop, audio):
    path = make_video(frames=frames, b_frames=b_frames, gop=gop, audio=audio)
    assert read_number(last_frame(path)) == frames - 1


@pytest.mark.parametrize("gop", [1, 3, 250])
def test_uneven_times_do_not_matter(make_video, read_number, gop):
    times = [0, 10, 500, 900, 4000, 4001, 4700, 9000, 9001, 20000]
    assert read_number(last_frame(make_video(frames=10, times=times, gop=gop))) == 9


@pytest.mark.parametrize(
    ("container", "options"),
    [
        ("mov", {}),
        ("mp4", {"movflags": "frag_keyframe+empty_moov"}),
        ("matroska", {}),
        ("mpegts", {}),
        ("mpegts", {"gop": 250}),
        ("avi", {"codec": "mpeg4"}),
        ("webm", {"codec": "libvpx-vp9"}),
        ("flv", {}),
        ("mpeg", {}),
        ("asf", {"codec": "wmv2"}),
    ],
)
def test_other_containers_are_read_to_their_end(make_video, read_number, container, options):
    assert read_number(last_frame(make_video("video.bin", frames=41, container=container, **options))) == 40


def test_it_is_one_image_of_floats_from_0_to_1(make_video):
    image = last_frame(make_video())
    assert (image.shape, image.dtype, image.flags.c_contiguous) == ((64, 128, 3), np.float32, True)
    assert 0 <= image.min() < 0.1 < 0.9 < image.max() <= 1


def test_a_name_as_text_is_read(make_video, read_number):
    assert read_number(last_frame(str(make_video(frames=20)))) == 19


def test_a_file_object_is_read_from_its_start_wherever_it_stands(make_video, read_number):
    file = io.BytesIO(make_video(frames=20, audio=True).read_bytes())
    file.seek(77)
    assert read_number(last_frame(file)) == 19


def test_only_the_end_of_the_video_is_decoded(make_video, read_number):
    path = make_video(frames=48, gop=12, b_frames=0)
    with av.open(str(path)) as video:
        (last_key,) = [packet.pos for packet in video.demux(video=0) if packet.is_keyframe][-1:]
    data = bytearray(path.read_bytes())
    start = data.index(b"mdat") + 4
    data[start:last_key] = bytes(last_key - start)
    path.write_bytes(data)
    assert read_number(last_frame(path)) == 47


@pytest.mark.parametrize("gop", [12, 250])
@pytest.mark.parametrize("frames", [62, 241])
@pytest.mark.parametrize(
    ("container", "codec"),
    [
        *(("mpegts", codec) for codec in ("mpeg4", "mpeg2video", "libx264")),
        *(("mpeg", codec) for codec in ("mpeg4", "mpeg2video", "libx264")),
        *(("avi", codec) for codec in ("mpeg4", "libx264")),
    ],
)
def test_a_search_that_misses_the_last_key_frame_is_made_up_for(make_video, read_number, container, codec, frames, gop):
    image = last_frame(make_video("video.bin", frames=frames, container=container, codec=codec, gop=gop))
    assert read_number(image) == frames - 1
    assert image[40:60] * 255 == pytest.approx(100, abs=6)


@pytest.mark.parametrize(
    ("matrix", "seen"),
    [
        ((1, 0, 0, 1), lambda stored: stored),
        ((0, 1, -1, 0), lambda stored: np.rot90(stored, k=-1)),
        ((-1, 0, 0, -1), lambda stored: np.rot90(stored, k=2)),
        ((0, -1, 1, 0), lambda stored: np.rot90(stored, k=1)),
        ((-1, 0, 0, 1), lambda stored: stored[:, ::-1]),
        ((1, 0, 0, -1), lambda stored: stored[::-1]),
        ((0, 1, 1, 0), lambda stored: stored.swapaxes(0, 1)),
        ((0, -1, -1, 0), lambda stored: np.rot90(stored.swapaxes(0, 1), k=2)),
        ((0.98, 0.17, -0.17, 0.98), lambda stored: stored),
    ],
)
def test_it_is_turned_and_mirrored_as_the_file_asks(make_video, rotate, matrix, seen):
    corner = np.zeros((64, 128, 3), np.uint8)
    corner[:20, :50] = 255
    corner[:20, 100:] = (200, 0, 0)
    path = make_video(frames=[corner] * 3)
    stored = last_frame(path)
    rotate(path, matrix)
    assert np.array_equal(last_frame(path), seen(stored))


@pytest.mark.parametrize(
    ("aspect", "size"),
    [("1:1", (128, 64)), ("4:3", (171, 64)), ("16:15", (137, 64)), ("2:3", (128, 96)), ("9:16", (128, 114))],
)
@pytest.mark.parametrize("container", ["mp4", "matroska", "mpegts"])
def test_pixels_that_are_not_square_become_so(make_video, read_number, container, aspect, size):
    path = make_video("video.bin", container=container, sample_aspect_ratio=Fraction(aspect.replace(":", "/")))
    image = last_frame(path)
    assert image.shape == (size[1], size[0], 3)
    assert read_number(image) == 9


def test_they_become_so_before_the_image_is_turned(make_video, rotate):
    path = make_video(sample_aspect_ratio=Fraction(3, 2))
    rotate(path)
    assert last_frame(path).shape == (192, 64, 3)


def test_pixels_that_would_make_a_huge_image_are_reported(make_video):
    path = make_video(sample_aspect_ratio=Fraction(2, 1))
    data = path.read_bytes()
    at = data.index(b"pasp") + 4
    path.write_bytes(data[:at] + struct.pack(">II", 9000, 1) + data[at + 8 :])
    with pytest.raises(MediaError, match=r"video\.mp4 has a display size of 1152000x64 pixels; at most 8K"):
        last_frame(path)


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("matrix", MATRICES)
def test_colours_follow_the_videos_own_matrix_and_range(tmp_path, matrix, full):
    red_video(tmp_path / "video.mp4", matrix=matrix, full=full)
    assert last_frame(tmp_path / "video.mp4")[32, 48] * 255 == pytest.approx(RED, abs=1.5)


@pytest.mark.parametrize("full", [False, True])
def test_a_range_that_the_pixel_format_does_not_tell_is_followed(tmp_path, full):
    red_video(tmp_path / "video.webm", matrix=5, full=full, codec="libvpx-vp9", container="webm")
    assert last_frame(tmp_path / "video.webm")[32, 48] * 255 == pytest.approx(RED, abs=2)


def test_colour_is_not_shared_by_blocks_of_pixels(make_video):
    ramp = np.linspace(0, 255, 128).astype(np.uint8)
    frame = np.stack(np.broadcast_arrays(ramp, ramp[::-1], np.zeros((64, 1), np.uint8)), axis=-1)
    red = last_frame(make_video(frames=[frame] * 3))[32, 16:112, 0]
    assert (np.diff(red) > 0).mean() > 0.9


@pytest.mark.parametrize("size", [(97, 66), (786, 1172)])
def test_sizes_that_are_no_multiple_of_16_are_read_whole(make_video, size):
    width, height = size
    frame = np.zeros((height, width, 3), np.uint8)
    frame[-8:, -8:] = 255
    image = last_frame(make_video(frames=[frame] * 2, pix_fmt="yuv444p"))
    assert image.shape == (height, width, 3)
    assert image[-4:, -4:].min() > 0.9


def test_a_missing_file_is_reported(tmp_path):
    with pytest.raises(MediaError, match="no file"):
        last_frame(tmp_path / "none.mp4")


@pytest.mark.parametrize("empty", [io.BytesIO(), "video.mp4"])
def test_an_empty_file_is_reported(tmp_path, empty, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "video.mp4").touch()
    with pytest.raises(MediaError, match="empty"):
        last_frame(empty)


@pytest.mark.parametrize("text", ["hello " * 50, "[Script Info]\nTitle: x\n[Events]\n", "{}"])
def test_a_text_is_no_video_whatever_its_name(tmp_path, text):
    (tmp_path / "video.mp4").write_text(text)
    with pytest.raises(MediaError, match=r"video\.mp4 cannot be read as a video"):
        last_frame(tmp_path / "video.mp4")


def test_a_playlist_that_names_another_file_is_refused(make_video):
    other = make_video("other.mp4")
    playlist = other.with_name("video.mp4")
    playlist.write_text("ffconcat version 1.0\nfile other.mp4\n")
    with pytest.raises(MediaError, match="cannot be read as a video"):
        last_frame(playlist)


@pytest.mark.parametrize("address", ["http://127.0.0.1:9/video.mp4", "concat:video.mp4", "video.mp4\0"])
def test_an_address_is_no_file(address):
    with pytest.raises(MediaError):
        last_frame(address)


def test_a_video_that_is_cut_short_is_refused_rather_than_ended_early(make_video):
    path = make_video(frames=40, movflags="faststart")
    data = path.read_bytes()
    for source in (path, io.BytesIO(data[:-500])):
        path.write_bytes(data[:-500])
        with pytest.raises(MediaError, match="truncated: 500 bytes"):
            last_frame(source)


def test_a_video_without_frames_is_reported(make_video):
    path = make_video(frames=3)
    data = bytearray(path.read_bytes())
    start = data.index(b"mdat") + 4
    end = start - 8 + int.from_bytes(data[start - 8 : start - 4], "big")
    data[start:end] = bytes(end - start)
    path.write_bytes(data)
    with pytest.raises(MediaError):
        last_frame(path)


@pytest.mark.parametrize(("until", "number"), [(0.5, 14), (1.0, 29), (1.01, 30), (99.0, 59)])
@pytest.mark.parametrize("gop", [1, 12, 250])
def test_a_part_of_a_video_ends_where_it_is_cut_off(make_video, read_number, until, number, gop):
    path = make_video(frames=60, gop=gop, b_frames=2)
    assert read_number(last_frame(path, until=until)) == number
