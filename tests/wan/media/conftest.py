"""Videos whose frames say their numbers."""

from __future__ import annotations

import struct

import media
import numpy as np
import pytest

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


@pytest.fixture
def make_video(tmp_path):
    """Make videos in one folder. `frames` are images, or a number of numbered ones; the rest is `media.video`'s."""

    def make(name="video.mp4", *, frames=10, audio=False, container="mp4", gop=12, b_frames=2, **more):
        images = [numbered_frame(number) for number in range(frames)] if isinstance(frames, int) else frames
        if more.get("codec", "libx264") == "libx264":
            more["options"] = {"bf": str(b_frames), "g": str(gop), "crf": "10", "preset": "veryfast"}
        if audio:
            more["sound"] = media.tone(382, len(images) / 30, rate=48000, loudness=0.3)
        more = {"gop_size": gop, "bit_rate": 4_000_000, **more}
        return media.video(tmp_path / name, images, container=container, **more)

    return make


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
