"""Small files and tensors that claim to be huge: refused, before anything is reserved for them."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import av
import media
import numpy as np
import pytest
from wanpack.wan.errors import MediaError
from wanpack.wan.media import container
from wanpack.wan.media.last_frame import last_frame

BOMBS = Path(__file__).with_name("bombs.py")
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="memory is measured as Unix does it")


def load():
    spec = importlib.util.spec_from_file_location("bombs", BOMBS)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def bombs():
    return load()


@pytest.fixture(scope="module")
def report(bombs, tmp_path_factory):
    """What came of every file, opened by a process of its own."""
    folder = tmp_path_factory.mktemp("bombs")
    for name, make in bombs.VIDEOS.items():
        (folder / name).write_bytes(make())
    command = [sys.executable, str(BOMBS), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)  # noqa: S603 - our own
    return json.loads(done.stdout)


def test_every_video_of_absurd_size_is_refused_in_every_way(bombs, report):
    assert set(report["opened"]) == set(bombs.VIDEOS)
    for name, endings in report["opened"].items():
        assert "opened" not in endings, name
        assert len(endings) == 4
        assert all(len(ending) < 300 for ending in endings)


def test_the_reason_is_reported(report):
    reported = {name: endings[0] for name, endings in report["opened"].items()}
    for name in ("12000x12000.mov", "65535x65535.mp4", "20000x20000.gif"):
        assert "8K" in reported[name]


def test_none_of_it_takes_memory(report):
    assert report["peak"] < 500
    assert report["peak"] - report["before"] < 250


@pytest.mark.parametrize(
    "name",
    [
        *("png 100000", "png 8000 without rows", "playlist", "image 100000", "a million images", "sound of a year"),
        *("sound of a million channels", "sound of a terahertz", "sound of no rate"),
    ],
)
def test_images_and_audios_of_absurd_sizes_are_refused(name, report):
    assert report["checked"][name] not in ("passed", [])


def test_a_video_with_minutes_of_plain_audio_is_opened(tmp_path):
    path = tmp_path / "camera.mov"
    with av.open(str(path), "w", format="mov") as video:
        image = video.add_stream("mjpeg", rate=1)
        image.width = image.height = 64
        image.pix_fmt = "yuvj420p"
        plain = video.add_stream("pcm_s16le", rate=48000, layout="stereo")
        for second in range(120):
            frame = av.VideoFrame.from_ndarray(media.plain(0, size=(64, 64)), format="rgb24").reformat(
                format="yuvj420p"
            )
            frame.pts = second
            video.mux(image.encode(frame))
            audio = av.AudioFrame.from_ndarray(np.zeros((1, 96_000), np.int16), format="s16", layout="stereo")
            audio.sample_rate, audio.pts = 48_000, second * 48_000
            video.mux(plain.encode(audio))
        video.mux(image.encode())
        video.mux(plain.encode())
    assert last_frame(path).shape == (64, 64, 3)


def test_images_that_grow_inside_of_a_video_are_refused(tmp_path, monkeypatch):
    # The container says 64x64, what is coded in it is larger.
    path = tmp_path / "video.mov"
    coded = media.encoded(media.plain(0, size=(512, 512)), "JPEG")
    with av.open(str(path), "w", format="mov") as video:
        stream = video.add_stream("mjpeg", rate=30)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuvj420p"
        small = av.VideoFrame.from_ndarray(media.plain(0, size=(64, 64)), format="rgb24").reformat(format="yuvj420p")
        video.mux(stream.encode(small))
        packet = av.Packet(coded)
        packet.stream, packet.pts, packet.dts, packet.is_keyframe = stream, 1, 1, True
        video.mux(packet)
    assert last_frame(path).shape == (512, 512, 3)
    monkeypatch.setattr(container, "MAX_PIXELS", 256 * 256)
    with pytest.raises(MediaError):
        last_frame(path)
