import json
import stat
from fractions import Fraction

import av
import numpy as np
import pytest
from platforms import not_on_windows
from wanpack.wan.errors import MediaError
from wanpack.wan.media.last_frame import last_frame
from wanpack.wan.media.video import VideoInfo, probe, read_metadata, write_metadata


def packets(path):
    """Every packet of a video: stream, times in seconds, and bytes, in the order of each stream."""
    with av.open(str(path)) as video:
        found = [
            (packet.stream_index, packet.dts * packet.time_base, packet.pts * packet.time_base, bytes(packet))
            for packet in video.demux()
            if packet.dts is not None
        ]
    return sorted(found, key=lambda packet: packet[:2])


def frame_times(path):
    with av.open(str(path)) as video:
        return [(frame.pts * frame.time_base, frame.to_ndarray().tobytes()) for frame in video.decode(video=0)]


def box_order(path):
    data, at, kinds = path.read_bytes(), 0, []
    while at < len(data):
        kinds.append(data[at + 4 : at + 8])
        at += int.from_bytes(data[at : at + 4], "big")
    return kinds


def without_payload(path):
    """Overwrite every coded frame with zeros; the index stays."""
    data = bytearray(path.read_bytes())
    start = data.index(b"mdat") + 4
    end = start - 8 + int.from_bytes(data[start - 8 : start - 4], "big")
    data[start:end] = bytes(end - start)
    path.write_bytes(data)


def test_probe_tells_what_the_video_holds(make_video):
    path = make_video(frames=45, audio=True)
    assert probe(path) == VideoInfo(
        width=128, height=64, fps=30.0, duration=1.5, frames=45, has_audio=True, bytes=path.stat().st_size
    )


def test_probe_tells_a_silent_video(make_video):
    assert not probe(make_video()).has_audio


def test_probe_takes_a_name_as_text_and_without_mp4(make_video):
    assert probe(str(make_video("video.mp4.part"))).frames == 10


def test_probe_reads_mov(make_video):
    assert probe(make_video("video.mov", container="mov")).frames == 10


def test_probe_counts_the_frames_of_a_fragmented_video(make_video):
    facts = probe(make_video(frames=31, audio=True, movflags="frag_keyframe+empty_moov"))
    assert (facts.frames, facts.fps, facts.has_audio) == (31, 30.0, True)


def test_probe_decodes_nothing(make_video):
    path = make_video(frames=20)
    without_payload(path)
    assert probe(path).frames == 20


def test_a_missing_file_is_reported(tmp_path):
    with pytest.raises(MediaError, match="no file"):
        probe(tmp_path / "none.mp4")


def test_an_empty_file_is_reported(tmp_path):
    (tmp_path / "video.mp4").touch()
    with pytest.raises(MediaError, match=r"video\.mp4 is empty"):
        probe(tmp_path / "video.mp4")


@pytest.mark.parametrize("text", ['{"code":"AccessDenied"}', "<?xml version='1.0'?>", "x", "ffconcat version 1.0"])
def test_a_text_is_no_video_whatever_its_name(tmp_path, text):
    (tmp_path / "video.mp4").write_text(text)
    with pytest.raises(MediaError, match="not an MP4 or MOV"):
        probe(tmp_path / "video.mp4")


def test_another_container_is_reported(make_video):
    with pytest.raises(MediaError, match="not an MP4 or MOV"):
        probe(make_video(container="matroska"))


def test_a_video_without_its_index_is_cut_short(make_video):
    path = make_video()
    data = path.read_bytes()
    path.write_bytes(data[: data.index(b"moov") - 4])
    with pytest.raises(MediaError, match="truncated: its index is missing"):
        probe(path)


@pytest.mark.parametrize("movflags", ["faststart", "frag_keyframe+empty_moov"])
def test_a_video_without_its_last_byte_is_cut_short(make_video, movflags):
    path = make_video(audio=True, movflags=movflags)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(MediaError, match="truncated: 1 bytes are missing"):
        probe(path)


def test_a_video_with_only_audio_has_no_video_track(tmp_path):
    path = tmp_path / "video.mp4"
    with av.open(str(path), "w") as video:
        stream = video.add_stream("aac", rate=48000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 48000
        video.mux(stream.encode(frame))
        video.mux(stream.encode())
    with pytest.raises(MediaError, match="no video track"):
        probe(path)


def test_a_folder_is_reported(tmp_path):
    with pytest.raises(MediaError, match="cannot be read"):
        probe(tmp_path)


def test_metadata_is_read_back(make_video):
    path = make_video()
    texts = {"prompt": json.dumps({"1": {"class_type": "X"}}), "workflow": "\u4e07\u76f8 " * 50_000}
    write_metadata(path, texts)
    assert texts.items() <= read_metadata(path).items()


def test_metadata_is_found_where_comfyui_looks(make_video):
    path = make_video()
    write_metadata(path, {"workflow": "{}"})
    with av.open(str(path)) as video:
        assert video.metadata["workflow"] == "{}"


def test_metadata_that_was_there_is_kept(make_video):
    path = make_video(metadata={"title": "A cat"})
    write_metadata(path, {"prompt": "{}"})
    assert read_metadata(path)["title"] == "A cat"


VIDEOS = [
    {"frames": 31, "audio": True},
    {"frames": 30, "b_frames": 0},
    {"frames": 30, "b_frames": 3, "gop": 250, "audio": True, "movflags": "faststart"},
    {"frames": 30, "movflags": "frag_keyframe+empty_moov"},
    {"frames": 6, "times": [0, 10, 500, 900, 4000, 4001]},
    {"frames": 1},
]


@pytest.mark.parametrize("options", VIDEOS, ids=str)
def test_embedding_changes_no_bit_and_no_time_of_the_streams(make_video, options):
    path = make_video(**options)
    before = packets(path), frame_times(path)
    write_metadata(path, {"prompt": "{}"})
    assert (packets(path), frame_times(path)) == before


@pytest.mark.parametrize(
    "text",
    ["trunk is\nlong", "a tree trunk, an elephant's trunk", "moov mdat stsz stz2 trun stsc stco co64", "cmov....dcom"],
)
def test_a_text_may_have_the_names_of_boxes_in_it(make_video, text):
    path = make_video(metadata={"comment": text})
    write_metadata(path, {"prompt": json.dumps({"text": [text] * 50})})
    assert (probe(path).frames, last_frame(path).shape) == (10, (64, 128, 3))
    assert read_metadata(path)["comment"] == text


@pytest.mark.parametrize("kind", [b"free", b"mdat", b"uuid", b"junk"])
def test_a_large_box_behind_the_video_is_no_part_of_it(make_video, kind):
    path = make_video()
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(size)
        file.write((65 * 2**20).to_bytes(4, "big") + kind)
        file.truncate(size + 65 * 2**20)
    assert (probe(path).frames, last_frame(path).shape) == (10, (64, 128, 3))
    write_metadata(path, {"prompt": "{}"})
    assert probe(path).frames == 10


def test_embedding_puts_the_index_first(make_video):
    path = make_video()
    assert box_order(path).index(b"moov") > box_order(path).index(b"mdat")
    write_metadata(path, {"prompt": "{}"})
    assert box_order(path).index(b"moov") < box_order(path).index(b"mdat")


def test_embedding_keeps_the_rotation(make_video, rotate):
    path = make_video()
    rotate(path)
    write_metadata(path, {"prompt": "{}"})
    with av.open(str(path)) as video:
        assert next(video.decode(video=0)).rotation == -90


@pytest.mark.parametrize(
    ("codec", "tag"),
    [("libx265", "hvc1"), ("libx265", "hev1"), ("libx264", "avc1"), ("libx264", "avc3"), ("libvpx-vp9", "vp09")],
)
def test_embedding_keeps_the_name_of_the_codec_and_the_shape_of_the_pixels(make_video, codec, tag):
    path = make_video(codec=codec, codec_tag=tag, sample_aspect_ratio=Fraction(4, 3))
    write_metadata(path, {"prompt": "{}"})
    with av.open(str(path)) as video:
        [stream] = video.streams.video
        assert (stream.codec_context.codec_tag, stream.sample_aspect_ratio) == (tag, Fraction(4, 3))


@pytest.mark.parametrize("matrix", [(-1, 0, 0, 1), (0, -1, -1, 0)])
def test_embedding_keeps_a_reflection(make_video, rotate, matrix):
    path = make_video()
    rotate(path, matrix)
    before = last_frame(path)
    write_metadata(path, {"prompt": "{}"})
    assert np.array_equal(last_frame(path), before)


@not_on_windows("a file has no such modes")
def test_embedding_keeps_who_may_read_the_file(make_video):
    path = make_video()
    path.chmod(0o640)
    write_metadata(path, {"prompt": "{}"})
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_embedding_leaves_no_other_file(make_video):
    path = make_video("video.mp4.part")
    write_metadata(path, {"prompt": "{}"})
    assert list(path.parent.iterdir()) == [path]


def test_a_video_that_cannot_be_written_as_mp4_stays_what_it_was(make_video):
    path = make_video("video.mov", container="mov", codec="qtrle", pix_fmt="rgb24")
    path.with_name("video.mov.tagging").write_bytes(b"of a try that was killed")
    before = path.read_bytes()
    with pytest.raises(MediaError, match="cannot be rewritten"):
        write_metadata(path, {"prompt": "{}"})
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_metadata_of_what_is_no_video_is_refused(tmp_path):
    (tmp_path / "video.mp4").write_text("hello")
    with pytest.raises(MediaError):
        write_metadata(tmp_path / "video.mp4", {"prompt": "{}"})
    assert (tmp_path / "video.mp4").read_text() == "hello"
