"""Real videos and images, made on the spot, and a server that hands out a video in good and bad ways."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

BITS = 8
VIDEO_SIZE = (128, 64)


def numbered_frame(number):
    """A frame [H,W,3] that says its number: black and white fields in its upper half, below one grey."""
    width, height = VIDEO_SIZE
    frame = np.full((height, width, 3), 100, np.uint8)
    for bit in range(BITS):
        left = bit * width // BITS
        frame[: height // 2, left : left + width // BITS] = 255 if number >> bit & 1 else 0
    return frame


def number_in(image):
    """The number that a decoded frame, float [H,W,3], says."""
    _, width = image.shape[:2]
    fields = image[8, width // BITS // 2 :: width // BITS, 0]
    return sum(1 << bit for bit, level in enumerate(fields) if level > 0.5)


class VideoMaker:
    """Makes videos in one folder. `frames` are images, or a number of numbered ones."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, name="video.mp4", *, frames=10, times=None, audio=False, container="mp4", **options):
        """Make a video and return its path. `times` are milliseconds; what is left over goes to the encoder."""
        path = self.folder / name
        images = [numbered_frame(number) for number in range(frames)] if isinstance(frames, int) else frames
        movflags = {"movflags": options.pop("movflags")} if "movflags" in options else {}
        with av.open(str(path), "w", format=container, container_options=movflags) as video:
            video.metadata.update(options.pop("metadata", {}))
            stream = self._stream(video, images, **options)
            if times:
                stream.codec_context.time_base = Fraction(1, 1000)
            tone = video.add_stream("aac", rate=48000, layout="stereo") if audio else None
            for index, image in enumerate(images):
                frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format=stream.pix_fmt)
                frame.pts, frame.time_base = (times[index], Fraction(1, 1000)) if times else (index, Fraction(1, 30))
                video.mux(stream.encode(frame))
            video.mux(stream.encode())
            if tone:
                self._add_tone(video, tone, seconds=len(images) / 30)
        return path

    @staticmethod
    def _stream(video, images, *, codec="libx264", gop=12, b_frames=2, pix_fmt="yuv420p", **settings):
        stream = video.add_stream(codec, rate=30)
        for name, value in {"gop_size": gop, "bit_rate": 4_000_000, **settings}.items():
            setattr(stream.codec_context, name, value)
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt = pix_fmt
        if codec == "libx264":
            stream.options = {"bf": str(b_frames), "g": str(gop), "crf": "10", "preset": "veryfast"}
        return stream

    @staticmethod
    def _add_tone(video, stream, *, seconds):
        wave = np.sin(np.arange(int(seconds * 48000)) / 20).astype(np.float32) * 0.3
        for start in range(0, len(wave), 1024):
            frame = av.AudioFrame.from_ndarray(
                np.stack([wave[start : start + 1024]] * 2), format="fltp", layout="stereo"
            )
            frame.sample_rate, frame.pts = 48000, start
            video.mux(stream.encode(frame))
        video.mux(stream.encode())


@pytest.fixture
def make_video(tmp_path):
    return VideoMaker(tmp_path)


@pytest.fixture
def read_number():
    return number_in


@pytest.fixture
def rotate():
    """Make a video ask for a quarter turn clockwise, or for what another matrix a, b, c, d says."""

    def turn(path, matrix=(0, 1, -1, 0)):
        data = bytearray(path.read_bytes())
        at = data.index(b"tkhd") + 4 + 40  # version 0: times, ids, layer and volume come first
        a, b, c, d = (round(part * 65536) for part in matrix)
        data[at : at + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
        path.write_bytes(data)

    return turn


@pytest.fixture(scope="session")
def photo():
    """Make an image [H,W,3] of 8 bits that has detail of every size, as photographs have."""

    def make(width, height):
        random = np.random.default_rng(7)
        total = np.zeros((height, width, 3), np.float32)
        for cells in (3, 8, 20, 60, 180, max(width, height) // 2):
            shape = (max(2, cells * height // max(width, height)), max(2, cells * width // max(width, height)), 3)
            layer = Image.fromarray(random.integers(0, 256, shape, dtype=np.uint8))
            total += np.asarray(layer.resize((width, height), Image.Resampling.BICUBIC), np.float32) / cells**0.75
        total -= total.min()
        return (total / total.max() * 255).astype(np.uint8)

    return make
