"""A ComfyUI picture as the data URI that goes into a request as the first frame."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..errors import MediaError
from .tensors import as_array, is_finite, is_float_tensor

JPEG = "image/jpeg"
PNG = "image/png"

# 95 at 4:4:4 keeps a photographic 1080p frame at 48 dB and more.
QUALITIES = (95, 92, 90, 85, 80, 75)
SCALED_QUALITY = 90
# Quality 75 takes about a third of the bytes of quality 95; where far more is to be saved, only fewer pixels help.
HOPELESS = 5

# Floats of a picture that are converted together: what a processor's cache holds.
BAND_NUMBERS = 1 << 18
PNG_LEVEL = 2
FEW_COLOURS = 256
FLAT_SHARE = 0.6
STRIPS = 4
STRIP_ROWS = 16
DRAWN_MARGIN = 1.5

NOT_NUMBERS = "pixels that are NaN or infinite; look at the node that made it"

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class FirstFrame:
    """A picture ready to be sent.

    `width` and `height` are pixels as sent, `quality` is JPEG's (None for PNG, which is exact), and `scaled` says
    whether the picture was larger before.
    """

    data_uri: str = field(repr=False)
    mime: str
    width: int
    height: int
    quality: int | None
    scaled: bool


def image_faults(images: Any, *, sides: tuple[int, int]) -> list[str]:
    """Find what stands against a batch of pictures as first frames.

    Args:
        images: a ComfyUI IMAGE, float [B,H,W,C] with C of 1, 3 or 4.
        sides: least and most pixels of a side. A side over the most is no fault, as it is scaled down.

    Returns:
        One sentence per fault, empty when there is none.
    """
    return _form_faults(images) or [*_shape_faults(images.shape[1:], sides=sides), *_number_faults(images)]


def frame_size(image: Any, *, sides: tuple[int, int]) -> tuple[int, int]:
    """Return the (width, height) in pixels that a picture [H,W,C] has once no side is over the most of `sides`."""
    height, width = image.shape[:2]
    factor = min(1.0, sides[1] / max(width, height, 1))
    return round(width * factor), round(height * factor)


def encode_first_frame(image: Any, *, max_chars: int, sides: tuple[int, int]) -> FirstFrame:
    """Encode one picture as a data URI: JPEG 4:4:4, or PNG for graphics that PNG packs smaller.

    Values are clipped to 0..1 and rounded to 8 bits. An alpha channel is flattened over white. A side over the most of
    `sides` is scaled down; what is still over `max_chars` is first compressed more, then scaled down further.

    Args:
        image: one picture of an IMAGE, float [H,W,C] with C of 1, 3 or 4.
        max_chars: most characters of the whole data URI.
        sides: least and most pixels of a side.

    Raises:
        MediaError: `image_faults` finds a fault, or no form of the picture fits into `max_chars`.
    """
    _check_shape(image, sides=sides)
    original = (image.shape[1], image.shape[0])
    pixels = _to_rgb8(image)
    drawn = _looks_drawn(pixels)
    picture = Image.fromarray(pixels)
    del pixels
    picture = _scaled(picture, frame_size(image, sides=sides))
    found = _fitting_jpeg(picture, room=_room(max_chars, JPEG))
    if drawn:
        exact = _png(picture)
        # Exact and small enough beats any JPEG that had to be compressed more for want of room.
        best = found is not None and found[1] == QUALITIES[0] and len(found[0]) <= len(exact)
        if len(exact) <= _room(max_chars, PNG) and not best:
            return _frame(exact, PNG, size=picture.size, quality=None, original=original)
    if found:
        return _frame(found[0], JPEG, size=picture.size, quality=found[1], original=original)
    data, quality, size = _shrunk_jpeg(picture, room=_room(max_chars, JPEG), least=sides[0])
    return _frame(data, JPEG, size=size, quality=quality, original=original)


def _kind(value: Any) -> str:
    dtype = getattr(value, "dtype", None)
    return f"numbers of type {dtype}" if dtype is not None else type(value).__name__


def _form_faults(images: Any) -> list[str]:
    """Find why this is no batch of pictures at all."""
    if not is_float_tensor(images):
        return [f"image: a ComfyUI IMAGE (floats from 0 to 1) is needed, not {_kind(images)}"]
    if len(images.shape) != 4:
        return [f"image: a batch has 4 dimensions (batch, height, width, channels), not {len(images.shape)}"]
    if len(images) == 0:
        return ["image: the batch is empty"]
    return []


def _shape_faults(shape: Sequence[int], *, sides: tuple[int, int]) -> list[str]:
    height, width, channels = shape
    faults = []
    if channels not in (1, 3, 4):
        faults.append(f"image: {channels} channels; it must have 1 (grey), 3 (RGB) or 4 (RGBA)")
    factor = min(1.0, sides[1] / max(width, height, 1))
    small = (round(width * factor), round(height * factor))
    if min(small) < sides[0]:
        size = f"{width}x{height}"
        if factor < 1.0:
            size += f" (scaled down to {small[0]}x{small[1]}, as no side may be over {sides[1]} px)"
        faults.append(f"image: {size} is too small; each side must be at least {sides[0]} px")
    return faults


def _check_shape(image: Any, *, sides: tuple[int, int]) -> None:
    batch = image[None] if hasattr(image, "shape") else image
    faults = _form_faults(batch) or _shape_faults(batch.shape[1:], sides=sides)
    if faults:
        raise MediaError("; ".join(faults))


def _number_faults(images: Any) -> list[str]:
    if 0 in images.shape:
        return []
    count = len(images)
    bad = [index + 1 for index in range(count) if not is_finite(as_array(images[index]))]
    if not bad:
        return []
    which = f"picture {', '.join(map(str, bad))} of {count} has" if count > 1 else "it has"
    return [f"image: {which} {NOT_NUMBERS}"]


def _to_rgb8(image: Any) -> Pixels:
    """Turn a picture [H,W,C] into 8-bit RGB [H,W,3], band by band, so that no second picture of floats is needed."""
    height, width, channels = image.shape
    pixels = np.empty((height, width, 3), np.uint8)
    rows = max(1, BAND_NUMBERS // (width * channels))
    scratch = np.empty((rows, width, channels), np.float32)
    for top in range(0, height, rows):
        band = as_array(image[top : top + rows])
        levels = scratch[: len(band)]
        np.multiply(band, 255, out=levels, dtype=np.float32)
        if not is_finite(levels):
            raise MediaError(f"image: it has {NOT_NUMBERS}")
        np.clip(levels, 0, 255, out=levels)
        if channels == 4:
            levels = _over_white(levels)
        np.add(levels, 0.5, out=levels)
        np.copyto(pixels[top : top + rows], levels, casting="unsafe")
    return pixels


def _over_white(rgba: NDArray[np.float32]) -> NDArray[np.float32]:
    """Flatten RGBA levels 0..255 [h,W,4] over white, the paper that a transparent picture is usually seen on."""
    white = np.float32(255)
    flat: NDArray[np.float32] = rgba[..., :3] - white
    flat *= rgba[..., 3:] / white
    flat += white
    return flat


def _looks_drawn(pixels: Pixels) -> bool:
    """Whether PNG is likely to pack a picture better than JPEG does, judged from parts of it.

    What is drawn has few colours, or neighbours that are exactly equal. So have smooth photographs; a few of the rows
    as PNG and as JPEG then tell.
    """
    height, width = pixels.shape[:2]
    grid = pixels[:: max(1, height // 64), :: max(1, width // 64)].reshape(-1, 3).astype(np.uint32)
    colours = np.unique(grid @ np.array([1 << 16, 1 << 8, 1], np.uint32))
    rows = pixels[:: max(1, height // 16)]
    equal = (rows[:, 1:] == rows[:, :-1]).all(axis=-1).mean()
    if len(colours) > FEW_COLOURS and equal < FLAT_SHARE:
        return False
    strips = [pixels[height * part // STRIPS :][:STRIP_ROWS] for part in range(STRIPS)]
    sample = Image.fromarray(np.concatenate(strips))
    return len(_png(sample)) < DRAWN_MARGIN * len(_jpeg(sample, QUALITIES[0]))


def _scaled(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    return picture if picture.size == size else picture.resize(size, Image.Resampling.LANCZOS)


def _jpeg(picture: Image.Image, quality: int) -> bytes:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality, subsampling=0)
    return file.getvalue()


def _png(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, "PNG", compress_level=PNG_LEVEL)
    return file.getvalue()


def _fitting_jpeg(picture: Image.Image, *, room: int) -> tuple[bytes, int] | None:
    """Return the best (JPEG, quality) of at most `room` bytes, or None."""
    for quality in QUALITIES:
        data = _jpeg(picture, quality)
        if len(data) <= room:
            return data, quality
        if len(data) > HOPELESS * room:
            return None
    return None


def _shrunk_jpeg(picture: Image.Image, *, room: int, least: int) -> tuple[bytes, int, tuple[int, int]]:
    """Scale down until the JPEG has at most `room` bytes; its shorter side keeps `least` pixels.

    Returns:
        The JPEG, its quality and its (width, height).
    """
    smallest = min(1.0, least / min(picture.size))
    factor, data = 1.0, _jpeg(picture, SCALED_QUALITY)
    while factor > smallest:
        # Bytes shrink a little slower than pixels do, so the root alone would come out slightly too large.
        factor *= 0.97 * min(1.0, math.sqrt(max(room, 1) / len(data)))
        factor = max(factor, smallest)
        small = _scaled(picture, (round(picture.width * factor), round(picture.height * factor)))
        data = _jpeg(small, SCALED_QUALITY)
        if len(data) <= room:
            return data, SCALED_QUALITY, small.size
    small = _scaled(picture, (round(picture.width * factor), round(picture.height * factor)))
    found = _fitting_jpeg(small, room=room)
    if found is None:
        raise MediaError(f"image: not even a JPEG of {small.width}x{small.height} is small enough to be sent")
    return found[0], found[1], small.size


def _room(max_chars: int, mime: str) -> int:
    """Return how many bytes fit into a data URI of `max_chars` characters."""
    return (max_chars - len(_head(mime))) // 4 * 3


def _head(mime: str) -> str:
    return f"data:{mime};base64,"


def _frame(
    data: bytes, mime: str, *, size: tuple[int, int], quality: int | None, original: tuple[int, int]
) -> FirstFrame:
    return FirstFrame(
        data_uri=_head(mime) + str(base64.b64encode(data), "ascii"),
        mime=mime,
        width=size[0],
        height=size[1],
        quality=quality,
        scaled=size != original,
    )
