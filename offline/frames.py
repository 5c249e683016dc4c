"""The moving image of an offline video: a slow move over the first frame, into the last one where there is one."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import av
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont, ImageOps

from .scene import DRAWN_SIZE

Weights = npt.NDArray[np.float64]

_ZOOM = 0.12
_PAN = 0.04
_FADE_FROM = 0.5
_SHADE = 0.5
_BLACK, _WHITE, _GREY = 16, 235, 128

Plane = npt.NDArray[np.uint8]
Planes = Sequence[Plane]
"""Brightness [H,W], and two of colour [H/2,W/2]."""


def decode(data: bytes | None) -> Image.Image:
    """Return the RGB image of encoded bytes, or a drawn one where there are none."""
    if data is None:
        return _placeholder_image()
    with Image.open(io.BytesIO(data)) as image:
        return ImageOps.exif_transpose(image).convert("RGB")


def _placeholder_image() -> Image.Image:
    """Draw a neutral landscape: what stands for an image that cannot be fetched."""
    width, height = DRAWN_SIZE
    sky = Image.linear_gradient("L").resize(DRAWN_SIZE)
    image = Image.merge(
        "RGB", (sky.point(lambda v: 90 + v // 3), sky.point(lambda v: 120 + v // 3), sky.point(lambda v: 160 + v // 4))
    )
    draw = ImageDraw.Draw(image)
    draw.ellipse((900, 110, 1040, 250), fill=(236, 226, 190))
    draw.polygon(((0, 560), (330, 300), (640, 560)), fill=(96, 110, 124))
    draw.polygon(((420, 560), (800, 240), (width, 560)), fill=(80, 95, 110))
    draw.rectangle((0, 560, width, height), fill=(104, 124, 98))
    return image


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


class Overlays:
    """What is written on every frame of `size`, its width and height in pixels: top left, and bottom right or empty."""

    def __init__(self, size: tuple[int, int], *, text: str, watermark: str) -> None:
        self._marks = [_mark(text, size=size, bottom_right=False)]
        if watermark:
            self._marks.append(_mark(watermark, size=size, bottom_right=True))

    def on(self, planes: Planes) -> Plane:
        """Return a marked copy of a frame as yuv420p, uint8 [H * 3 / 2, W]."""
        whole = join_planes(planes)
        height, width = planes[0].shape
        luma, blue, red = split_planes(whole, size=(width, height))
        for mark in self._marks:
            mark.on_luma(luma)
            mark.on_chroma(blue)
            mark.on_chroma(red)
        return whole


def to_yuv_frame(image: Image.Image, *, size: tuple[int, int], whole: bool) -> Planes:
    """Return an image as a frame of `size`.

    `whole` shows all of it, a little out of shape where the shape differs; otherwise what is too much is cut off.
    """
    fit = image.resize if whole else partial(ImageOps.fit, image)
    rgb = np.asarray(fit(size, Image.Resampling.LANCZOS))
    return split_planes(
        av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(format="yuv420p").to_ndarray(), size=size
    )


class KenBurns:
    """The move over a first frame, and into the frame `ending` where there is one."""

    def __init__(self, first: Planes, *, ending: Planes | None = None) -> None:
        self._first = [Image.fromarray(np.ascontiguousarray(plane)) for plane in first]
        self._ending = [Image.fromarray(plane) for plane in ending] if ending is not None else None

    def at(self, progress: float) -> Planes:
        """Return the frame at `progress` 0..1. At 0 it shows the whole first frame, at 1 the ending."""
        box = _window(progress)
        seen = [_cut(plane, box) for plane in self._first]
        if self._ending is not None and progress > _FADE_FROM:
            share = _ease((progress - _FADE_FROM) / (1 - _FADE_FROM))
            seen = [Image.blend(plane, end, share) for plane, end in zip(seen, self._ending, strict=True)]
        return [np.asarray(plane) for plane in seen]


def _ease(progress: float) -> float:
    return progress * progress * (3 - 2 * progress)


def _window(progress: float) -> tuple[float, float, float, float]:
    """Return the part of the image that is seen, as left, top, right, bottom in 0..1: a zoom in with a slow pan."""
    eased = _ease(progress)
    side = 1 - _ZOOM * eased
    left = (1 - side) / 2 + _PAN * eased
    top = (1 - side) / 2 - _PAN * eased / 2
    return left, top, left + side, top + side


def _cut(plane: Image.Image, box: Sequence[float]) -> Image.Image:
    width, height = plane.size
    left, top, right, bottom = box
    seen = (left * width, top * height, right * width, bottom * height)
    return plane.resize(plane.size, Image.Resampling.BILINEAR, box=seen)


def split_planes(whole: npt.NDArray[Any], *, size: tuple[int, int]) -> Planes:
    """Split a yuv420p frame, uint8 [H * 3 / 2, W], into its planes. `size` is its width and height in pixels."""
    width, height = size
    quarter = height // 4
    half = (height // 2, width // 2)
    return [whole[:height], whole[height : height + quarter].reshape(half), whole[height + quarter :].reshape(half)]


def join_planes(planes: Planes) -> Plane:
    """Join planes to a yuv420p frame, uint8 [H * 3 / 2, W]."""
    luma, *colours = planes
    height, width = luma.shape
    return np.concatenate([luma, *(plane.reshape(height // 4, width) for plane in colours)])
