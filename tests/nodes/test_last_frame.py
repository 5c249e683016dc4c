"""Last Frame: the exact last image of a video, from a VIDEO or from a path that a graph may name."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import av
import media
import numpy as np
import pytest
import torch
from av.video.frame import PictureType
from platforms import needs_symlinks
from wanpack.wan.errors import InvalidRequest, MediaError
from wanpack.wan.media.last_frame import to_image

ROOT = Path(__file__).resolve().parents[2]
WIDTH, HEIGHT = 160, 96
CRF = "12"
MOST_MEGABYTES = 250


@pytest.fixture
def video(tmp_path):
    """Make an H.264 video in the output folder and return its path. `times` are milliseconds."""

    def make(name="video.mp4", *, frames, b_frames=2, gop=250, times=(), audio=False):
        return media.video(
            tmp_path / "output" / name,
            [media.bar(number, size=(WIDTH, HEIGHT)) for number in range(frames)],
            options={"bf": str(b_frames), "g": str(gop), "crf": CRF, "preset": "veryfast"},
            times=times,
            sound=np.zeros(frames * 1600) if audio else None,
        )

    return make


def decoded(path):
    """All images of a video in the order they are shown, decoded from its start, as float [H,W,3]."""
    with av.open(str(path)) as container:
        return [to_image(frame) for frame in sorted(container.decode(video=0), key=lambda frame: frame.pts)]


def has_b_frames(path):
    with av.open(str(path)) as container:
        return any(frame.pict_type == PictureType.B for frame in container.decode(video=0))


def is_last(image, path):
    """Whether an IMAGE is a video's last image, bit for bit."""
    assert (image.shape, image.dtype) == ((1, HEIGHT, WIDTH, 3), torch.float32)
    return np.array_equal(image[0].numpy(), decoded(path)[-1])


# Exactly the last one


@pytest.mark.parametrize("by", ["video", "video_path"])
@pytest.mark.parametrize("audio", [False, True])
@pytest.mark.parametrize("frames", [1, 2, 25, 41])
def test_it_is_the_last_image_of_a_full_decode(standalone_host, nodes, video, frames, audio, by):
    path = video(frames=frames, b_frames=3, audio=audio)
    assert has_b_frames(path) == (frames > 2)
    given = {"video": standalone_host.video_from_file(path)} if by == "video" else {"video_path": str(path)}
    assert is_last(nodes.last_frame(**given), path)


def test_it_is_no_other_image(standalone_host, nodes, video):
    path = video(frames=25, b_frames=3)
    image = nodes.last_frame(video_path=str(path))[0].numpy()
    others = decoded(path)[:-1]
    assert len(others) == 24
    assert all(np.abs(image - other).max() > 0.2 for other in others)


@pytest.mark.parametrize("gop", [5, 250])
def test_uneven_times_do_not_matter(standalone_host, nodes, video, gop):
    times = [0, 8, 700, 705, 1500, 4000, 4001, 4002, 9000]
    path = video(frames=9, times=times, gop=gop)
    assert is_last(nodes.last_frame(video_path=str(path)), path)


def test_the_video_of_a_wan_node_ends_in_its_last_image(live_server, nodes, quick):
    made = nodes.image_to_video()
    images = decoded(made.path)
    assert len(images) == 90
    for given in ({"video": made.video}, {"video_path": str(made.path)}):
        assert np.array_equal(nodes.last_frame(**given)[0].numpy(), images[-1])


def test_a_video_in_memory_is_read(standalone_host, nodes, video):
    path = video(frames=25)

    class InMemory:
        def get_stream_source(self):
            return io.BytesIO(path.read_bytes())

    assert is_last(nodes.last_frame(video=InMemory()), path)


def test_what_another_packs_video_raises_is_told(standalone_host, nodes, video):
    class Broken:
        get_stream_source = staticmethod(lambda: str(video("clip.mp4", frames=2)))

        def get_active_trim_window(self):
            raise ValueError("no length")

    with pytest.raises(InvalidRequest) as caught:
        nodes.last_frame(video=Broken())
    assert list(caught.value.problems) == ["video: it cannot be encoded as a file (ValueError: no length)"]


# Which of the two


def test_a_path_inside_a_folder_is_found(standalone_host, nodes, video):
    path = video("wan/clip.mp4", frames=2)
    assert is_last(nodes.last_frame(video_path=" wan/clip.mp4\n"), path)
    # As Windows copies it.
    assert is_last(nodes.last_frame(video_path=f'"{path}"'), path)


@pytest.mark.parametrize(
    ("given", "reported"),
    [
        ({}, "video: use either video or video_path"),
        ({"video_path": "  "}, "video: use either video or video_path"),
        ({"video": object(), "video_path": "a.mp4"}, "video: use either video or video_path, not both"),
    ],
)
def test_one_of_the_two_is_needed(standalone_host, nodes, given, reported):
    with pytest.raises(InvalidRequest) as caught:
        nodes.last_frame(**given)
    assert list(caught.value.problems) == [reported]
    # It is about no payment: this node sends nothing.
    assert str(caught.value) == reported


# What a graph may not name


@pytest.fixture
def outside(standalone_host, video, tmp_path):
    """A real video in a folder that graphs have no business in."""
    path = video(frames=2)
    target = tmp_path / "private" / "video.mp4"
    target.parent.mkdir()
    path.replace(target)
    return target


def refused_path(nodes, path):
    with pytest.raises(InvalidRequest) as caught:
        nodes.last_frame(video_path=path)
    [fault] = caught.value.problems
    return fault


def test_an_absolute_path_to_elsewhere_is_refused(nodes, outside):
    assert "is not a file in ComfyUI's input, output or temp folder" in refused_path(nodes, str(outside))


@pytest.mark.parametrize("path", ["../private/video.mp4", "wan/../../private/video.mp4", "./../private/video.mp4"])
def test_a_path_that_climbs_out_is_refused(nodes, outside, tmp_path, path):
    (tmp_path / "output" / "wan").mkdir()
    assert "is not a file in ComfyUI's input, output or temp folder" in refused_path(nodes, path)


@needs_symlinks
@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_link_to_elsewhere_is_refused(nodes, outside, tmp_path, kind):
    link = tmp_path / "output" / "link"
    try:
        link.symlink_to(outside if kind == "file" else outside.parent)
    except OSError:
        pytest.skip("links cannot be created here")
    path = "link" if kind == "file" else "link/video.mp4"
    assert (tmp_path / "output" / path).is_file()
    assert "is not a file" in refused_path(nodes, path)


@pytest.mark.parametrize("path", ["file:///etc/passwd", "http://127.0.0.1/video.mp4", "concat:a.mp4|b.mp4", "a\0.mp4"])
def test_an_address_is_no_path(standalone_host, nodes, path):
    assert "is not a file" in refused_path(nodes, path)


# What is no video


@pytest.fixture
def damaged(video, tmp_path):
    """A file in the output folder that is named like a video and is none."""
    path = tmp_path / "output" / "video.mp4"

    def text():
        path.write_text("hello\n" * 100)

    def empty():
        path.write_bytes(b"")

    def frameless():
        video(frames=3)
        data = bytearray(path.read_bytes())
        at = data.index(b"stsz") + 12  # behind version and the size that all samples share: their number
        data[at : at + 4] = bytes(4)
        path.write_bytes(data)

    def soundtrack():
        with av.open(str(path), "w") as container:
            stream = container.add_stream("aac", rate=48000, layout="mono")
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 4800), np.float32), "fltp", layout="mono")
            frame.sample_rate = 48000
            container.mux(stream.encode(frame))
            container.mux(stream.encode())

    def cut():
        video(frames=40)
        path.write_bytes(path.read_bytes()[:-400])

    kinds = {"text": text, "empty": empty, "without frames": frameless, "sound only": soundtrack, "cut short": cut}

    def make(kind):
        path.parent.mkdir(exist_ok=True)
        kinds[kind]()
        return path

    return make


@pytest.mark.parametrize("by", ["video", "video_path"])
@pytest.mark.parametrize(
    ("kind", "reported"),
    [
        ("text", "video.mp4 cannot be read as a video"),
        ("empty", "video.mp4 is empty."),
        ("without frames", "video.mp4 has no frames that can be decoded."),
        ("sound only", "video.mp4 has no video track."),
        ("cut short", "video.mp4 is truncated: "),
    ],
)
def test_what_is_no_whole_video_is_reported(standalone_host, nodes, damaged, kind, reported, by):
    path = damaged(kind)
    given = {"video": standalone_host.video_from_file(path)} if by == "video" else {"video_path": "video.mp4"}
    with pytest.raises(MediaError) as caught:
        nodes.last_frame(**given)
    assert str(caught.value).startswith(reported)


def test_a_missing_file_is_reported(standalone_host, nodes):
    assert refused_path(nodes, "gone.mp4") == (
        "video_path: 'gone.mp4' is not a file in ComfyUI's input, output or temp folder; enter its whole path, or what "
        "follows the folder, such as wan/video.mp4"
    )


# Memory

MEASURE = """
import asyncio, json, re, sys
from pathlib import Path

def peak():
    # The most megabytes of main memory that this process has had.
    status = Path("/proc/self/status")
    if status.exists():  # getrusage begins with the peak of the process that started this one
        return int(re.search(r"VmHWM:\\s+(\\d+) kB", status.read_text())[1]) / 1024
    import resource
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 * 1024 if sys.platform == "darwin" else 1024)

sys.path.insert(0, sys.argv[1])
import importlib.util
spec = importlib.util.spec_from_file_location(
    "wanpack", sys.argv[1] + "/__init__.py", submodule_search_locations=[sys.argv[1]])
pack = sys.modules["wanpack"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(pack)
import av, torch  # what ComfyUI has loaded anyway is not this node's
from wanpack.nodes import host
folder = Path(sys.argv[2])
host.configure(output_folder=folder, input_folders=(folder,), temp_folder=folder, home=folder)
node = pack.NODE_CLASS_MAPPINGS["DashScopeWanLastFrame"]()
before = peak()
[image] = asyncio.run(node.extract(video_path=sys.argv[3]))
print(json.dumps([list(image.shape), peak() - before]))
"""


@pytest.fixture(scope="module")
def long_video(tmp_path_factory):
    """A video of 15 s of 1080p, 105 images with B-frames and a key frame only at its start: the dearest to search."""
    path = tmp_path_factory.mktemp("long") / "long.mp4"
    options = {"preset": "ultrafast", "bf": "3", "g": "900", "sc_threshold": "0", "crf": "30"}

    def frames():
        planes = np.full((1080 * 3 // 2, 1920), 128, np.uint8)
        for number in range(105):
            planes[:1080] = 60
            planes[:1080, number * 4 : number * 4 + 64] = 220
            yield av.VideoFrame.from_ndarray(planes, format="yuv420p")

    return media.video(path, frames(), fps=7, options=options)


@pytest.mark.slow
def test_a_video_of_15_seconds_of_1080p_needs_little_memory(long_video):
    pytest.importorskip("resource")
    command = [sys.executable, "-c", MEASURE, str(ROOT), str(long_video.parent), long_video.name]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)  # noqa: S603 - our own
    assert done.returncode == 0, done.stderr
    shape, megabytes = json.loads(done.stdout)
    assert shape == [1, 1080, 1920, 3]
    # The image itself is of 24 MB: less than that was not measured.
    assert 24 < megabytes < MOST_MEGABYTES
