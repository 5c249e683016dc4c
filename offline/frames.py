"""The moving image of an offline video: a slow move over the first frame, into the last one where there is one."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import av
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont, ImageOps

from .scene import DRAWN_SIZE

_ZOOM = 0.12
_PAN = 0.04
_FADE_FROM = 0.5
_SHADE = 128
_BLACK, _WHITE, _GREY = 16, 235, 128

YuvFrame = npt.NDArray[np.uint8]
"""A frame in yuv420p, [H * 3 / 2, W]."""

Planes = Sequence[Image.Image]
"""A frame as greyscale images: brightness, and two of colour at half the size."""


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


class _Mark(NamedTuple):
    """A text on a shade: where it stands, and masks of its letters, of its shade and, half size, of both."""

    corner: tuple[int, int]
    letters: Image.Image
    shade: Image.Image
    half: Image.Image


def _mark(text: str, *, size: tuple[int, int], bottom_right: bool) -> _Mark:
    width, height = size
    font = ImageFont.load_default(max(12, min(size) // 20))
    left, top, right, bottom = font.getbbox(text)
    pad = max(4, min(size) // 80)
    wide = min(_even(right - left + 2 * pad), width)
    high = min(_even(bottom - top + 2 * pad), height)
    letters = Image.new("L", (wide, high))
    ImageDraw.Draw(letters).text((pad - left, pad - top), text, fill=255, font=font)
    margin = pad - pad % 2
    x = max(0, width - wide - margin) if bottom_right else margin
    y = max(0, height - high - margin) if bottom_right else margin
    x, y = min(x, width - wide), min(y, height - high)
    half = letters.point(lambda ink: _SHADE + ink * (255 - _SHADE) // 255).reduce(2)
    return _Mark((x - x % 2, y - y % 2), letters, Image.new("L", letters.size, _SHADE), half)


def _even(value: float) -> int:
    return math.ceil(value / 2) * 2


class Overlays:
    """What is written on every frame of `size`, its width and height in pixels: top left, and bottom right or empty."""

    def __init__(self, size: tuple[int, int], *, text: str, watermark: str) -> None:
        self._marks = [_mark(text, size=size, bottom_right=False)]
        if watermark:
            self._marks.append(_mark(watermark, size=size, bottom_right=True))

    def on(self, planes: Planes) -> YuvFrame:
        """Return a marked copy of a frame."""
        luma, *colours = (plane.copy() for plane in planes)
        for mark in self._marks:
            luma.paste(_BLACK, mark.corner, mark.shade)
            luma.paste(_WHITE, mark.corner, mark.letters)
            for plane in colours:
                plane.paste(_GREY, (mark.corner[0] // 2, mark.corner[1] // 2), mark.half)
        quarter = (luma.height // 4, luma.width)
        return np.concatenate([np.asarray(luma), *(np.asarray(plane).reshape(quarter) for plane in colours)])


def to_yuv_frame(image: Image.Image, *, size: tuple[int, int], whole: bool) -> Planes:
    """Return an image as a frame of `size`.

    `whole` shows all of it, a little out of shape where the shape differs; otherwise what is too much is cut off.
    """
    fit = image.resize if whole else partial(ImageOps.fit, image)
    rgb = np.asarray(fit(size, Image.Resampling.LANCZOS))
    return split_planes(av.VideoFrame.from_ndarray(rgb, format="rgb24"), size=size)


def tinted(planes: Planes, *, colour: tuple[int, int]) -> Planes:
    """Return a frame of which two thirds of the colour are another, given as its two values, 0..255."""
    luma, *chroma = planes
    return [
        luma,
        *(plane.point([(v + 2 * value) // 3 for v in range(256)]) for plane, value in zip(chroma, colour, strict=True)),
    ]


class KenBurns:
    """The move over a first frame, and into the frame `ending` where there is one."""

    def __init__(self, first: Planes, *, ending: Planes | None = None) -> None:
        self._first = first
        self._ending = ending

    def at(self, progress: float) -> Planes:
        """Return the frame at `progress` 0..1. At 0 it shows the whole first frame, at 1 the ending."""
        box = _window(progress)
        seen = [_cut(plane, box) for plane in self._first]
        if self._ending is not None and progress > _FADE_FROM:
            share = _ease((progress - _FADE_FROM) / (1 - _FADE_FROM))
            seen = [Image.blend(plane, end, share) for plane, end in zip(seen, self._ending, strict=True)]
        return seen


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


def split_planes(frame: av.VideoFrame, *, size: tuple[int, int]) -> Planes:
    """Scale a decoded frame to `size`, its width and height in pixels, and return its planes."""
    width, height = size
    whole = frame.reformat(width=width, height=height, format="yuv420p").to_ndarray()
    quarter, half = height // 4, (height // 2, width // 2)
    colours = (whole[height : height + quarter], whole[height + quarter :])
    return [Image.fromarray(whole[:height]), *(Image.fromarray(plane.reshape(half)) for plane in colours)]
