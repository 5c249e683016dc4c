"""The moving picture of an offline video: a slow move over the first frame, with plain marks on it.

Frames are made in yuv420p from the start, plane by plane: that costs half of RGB frames and their conversion.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass

import av
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont, ImageOps

Plane = npt.NDArray[np.uint8]
Weights = npt.NDArray[np.float64]

TIER_PIXELS = {"480P": 832 * 480, "720P": 1280 * 720, "1080P": 1920 * 1080}
DRAWN_SIZE = (1280, 720)
_SIDE_STEP = 16
_ZOOM = 0.12
_PAN = 0.04
_SHADE = 0.5
_BLACK, _WHITE, _GREY = 16, 235, 128


def frame_size(width: int, height: int, *, resolution: str) -> tuple[int, int]:
    """Return the video's width and height in pixels for a picture's: its aspect, about the tier's pixel count.

    Both sides are cut down to multiples of 16: the service's own example makes 816x1104 of 750x1000 at 720P
    (dashscope.md section 8).
    """
    pixels = TIER_PIXELS[resolution]
    wide = math.isqrt(pixels * width // height)
    high = math.isqrt(pixels * height // width)
    return max(_SIDE_STEP, wide - wide % _SIDE_STEP), max(_SIDE_STEP, high - high % _SIDE_STEP)


def decode(data: bytes | None) -> Image.Image:
    """Return the RGB picture of encoded bytes, or a drawn one where there are none."""
    if data is None:
        return _drawn()
    with Image.open(io.BytesIO(data)) as picture:
        return ImageOps.exif_transpose(picture).convert("RGB")


def _drawn() -> Image.Image:
    """Draw a neutral landscape: what stands for a picture that cannot be fetched."""
    width, height = DRAWN_SIZE
    sky = Image.linear_gradient("L").resize(DRAWN_SIZE)
    picture = Image.merge(
        "RGB", (sky.point(lambda v: 90 + v // 3), sky.point(lambda v: 120 + v // 3), sky.point(lambda v: 160 + v // 4))
    )
    draw = ImageDraw.Draw(picture)
    draw.ellipse((900, 110, 1040, 250), fill=(236, 226, 190))
    draw.polygon(((0, 560), (330, 300), (640, 560)), fill=(96, 110, 124))
    draw.polygon(((420, 560), (800, 240), (width, 560)), fill=(80, 95, 110))
    draw.rectangle((0, 560, width, height), fill=(104, 124, 98))
    return picture


@dataclass(frozen=True)
class _Mark:
    """A text on a shade: what of each pixel stays and what is added, for luma and (half size) chroma."""

    x: int
    y: int
    keep: Weights
    add: Weights
    keep_chroma: Weights

    def on_luma(self, plane: Plane) -> None:
        """Put the mark on a plane of brightness, in place."""
        high, wide = self.keep.shape
        window = plane[self.y : self.y + high, self.x : self.x + wide]
        window[:] = (window * self.keep + self.add).round()

    def on_chroma(self, plane: Plane) -> None:
        """Put the mark on a plane of colour, in place."""
        high, wide = self.keep_chroma.shape
        window = plane[self.y // 2 : self.y // 2 + high, self.x // 2 : self.x // 2 + wide]
        window[:] = (_GREY + (window.astype(np.float64) - _GREY) * self.keep_chroma).round()


def _mark(text: str, *, size: tuple[int, int], bottom_right: bool) -> _Mark:
    width, height = size
    font = ImageFont.load_default(max(12, min(size) // 20))
    left, top, right, bottom = font.getbbox(text)
    pad = max(4, min(size) // 80)
    wide = min(_even(right - left + 2 * pad), width)
    high = min(_even(bottom - top + 2 * pad), height)
    letters = Image.new("L", (wide, high))
    ImageDraw.Draw(letters).text((pad - left, pad - top), text, fill=255, font=font)
    ink = np.asarray(letters, np.float64) / 255
    keep = (1 - _SHADE) * (1 - ink)
    half = keep.reshape(high // 2, 2, wide // 2, 2).mean((1, 3))
    margin = pad - pad % 2
    x = max(0, width - wide - margin) if bottom_right else margin
    y = max(0, height - high - margin) if bottom_right else margin
    x, y = min(x, width - wide), min(y, height - high)
    add = _SHADE * (1 - ink) * _BLACK + ink * _WHITE
    return _Mark(x - x % 2, y - y % 2, keep=keep, add=add, keep_chroma=half)


def _even(value: float) -> int:
    return math.ceil(value / 2) * 2


class Scenery:
    """The first frame, and the move over it. `size` is the video's width and height in pixels."""

    def __init__(self, picture: Image.Image, *, size: tuple[int, int], mark: str, watermark: str) -> None:
        self.size = size
        width, height = size
        whole = picture.resize(size, Image.Resampling.LANCZOS)
        planes = av.VideoFrame.from_ndarray(np.asarray(whole), format="rgb24").reformat(format="yuv420p").to_ndarray()
        quarter = height // 4
        half = (height // 2, width // 2)
        self._planes = [
            Image.fromarray(planes[:height]),
            Image.fromarray(planes[height : height + quarter].reshape(half)),
            Image.fromarray(planes[height + quarter :].reshape(half)),
        ]
        self._marks = [_mark(mark, size=size, bottom_right=False)]
        if watermark:
            self._marks.append(_mark(watermark, size=size, bottom_right=True))

    def at(self, progress: float) -> Plane:
        """Return the frame at `progress` 0..1 as yuv420p, uint8 [H * 3 / 2, W]. At 0 it shows the whole picture."""
        width, height = self.size
        box = _window(progress)
        luma, blue, red = (_cut(plane, box) for plane in self._planes)
        for mark in self._marks:
            mark.on_luma(luma)
            mark.on_chroma(blue)
            mark.on_chroma(red)
        return np.concatenate([luma, blue.reshape(height // 4, width), red.reshape(height // 4, width)])


def _window(progress: float) -> tuple[float, float, float, float]:
    """Return the part of the picture that is seen, as left, top, right, bottom in 0..1: a zoom in with a slow pan."""
    eased = progress * progress * (3 - 2 * progress)
    side = 1 - _ZOOM * eased
    left = (1 - side) / 2 + _PAN * eased
    top = (1 - side) / 2 - _PAN * eased / 2
    return left, top, left + side, top + side


def _cut(plane: Image.Image, box: Sequence[float]) -> Plane:
    width, height = plane.size
    left, top, right, bottom = box
    seen = (left * width, top * height, right * width, bottom * height)
    return np.array(plane.resize(plane.size, Image.Resampling.BILINEAR, box=seen))
