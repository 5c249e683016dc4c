"""A picture of 8 bits packed for sending: as JPEG, or exactly as PNG where it was drawn."""

from __future__ import annotations

import io
import math
import struct
import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..errors import MediaError

JPEG = "image/jpeg"
PNG = "image/png"

# 95 at 4:4:4 keeps a photographic 1080p frame at 46 dB and more.
QUALITIES = (95, 92, 90, 85, 80, 75)
# What is left of the bytes of quality 95 at the least: where that is too much, the quality need not be tried.
LEAST_SHARES = (1.0, 0.6, 0.5, 0.4, 0.33, 0.3)
SCALED_QUALITY = 90

FEW_COLOURS = 256
FLAT_SHARE = 0.6
STRIPS = 4
STRIP_ROWS = 16
# The sample's PNG over its JPEG: below the first PNG is taken without a second look, above the second JPEG is.
SURELY_DRAWN, NOT_DRAWN = 0.67, 1.5
SAMPLE_LEVEL = 2
PNG_LEVEL = 6
_SIGNATURE = b"\x89PNG\r\n\x1a\n"

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Packed:
    """A picture's file. `size` is (width, height) in pixels, `quality` is JPEG's, None for PNG."""

    data: bytes
    mime: str
    size: tuple[int, int]
    quality: int | None


def pack(pixels: Pixels, *, room: int, least: int) -> Packed:
    """Pack RGB [H,W,3] into at most `room` bytes.

    What is over `room` is first compressed more, then scaled down; its shorter side keeps `least` pixels.

    Raises:
        MediaError: no form of it fits.
    """
    height, width = pixels.shape[:2]
    likeness = _likeness_to_a_drawing(pixels)
    exact = _png(pixels, level=PNG_LEVEL) if likeness < NOT_DRAWN else None
    if exact and len(exact) > room:
        exact = None
    if exact and likeness < SURELY_DRAWN:
        return Packed(exact, PNG, (width, height), None)
    picture = Image.fromarray(pixels)
    del pixels
    found = _fitting_jpeg(picture, room=room)
    # Exact and small enough beats any JPEG that had to be compressed more for want of room.
    if exact and not (found and found[1] == QUALITIES[0] and len(found[0]) <= len(exact)):
        return Packed(exact, PNG, (width, height), None)
    if found:
        return Packed(found[0], JPEG, (width, height), found[1])
    return _shrunk_jpeg(picture, room=room, least=least)


def _likeness_to_a_drawing(pixels: Pixels) -> float:
    """Return the bytes of a picture's PNG over those of its JPEG, judged from parts of it; infinite for a photograph.

    What is drawn has few colours, or neighbours that are exactly equal. So have smooth photographs; a few of the rows
    in both forms then tell.
    """
    height, width = pixels.shape[:2]
    grid = pixels[:: max(1, height // 64), :: max(1, width // 64)].reshape(-1, 3).astype(np.uint32)
    colours = np.unique(grid @ np.array([1 << 16, 1 << 8, 1], np.uint32))
    rows = pixels[:: max(1, height // 16)]
    equal = (rows[:, 1:] == rows[:, :-1]).all(axis=-1).mean()
    if len(colours) > FEW_COLOURS and equal < FLAT_SHARE:
        return math.inf
    strips = np.concatenate([pixels[height * part // STRIPS :][:STRIP_ROWS] for part in range(STRIPS)])
    return len(_png(strips, level=SAMPLE_LEVEL)) / len(_jpeg(Image.fromarray(strips), QUALITIES[0]))


def _png(pixels: Pixels, *, level: int) -> bytes:
    """Write a PNG whose rows are all taken as they are, or all as differences to the row above.

    Pillow chooses anew for every row, which takes longer than the compression and packs drawings no better.
    """
    height, width = pixels.shape[:2]
    flat = pixels.reshape(height, width * 3)
    rows = np.zeros((height, 1 + width * 3), np.uint8)
    rows[:, 1:] = flat
    middle = slice(height // 2, height // 2 + STRIP_ROWS)
    plain = len(zlib.compress(rows[middle].data, 1))
    rows[1:, 0] = 2
    np.subtract(flat[1:], flat[:-1], out=rows[1:, 1:])
    if plain < len(zlib.compress(rows[middle].data, 1)):
        rows[:, 0], rows[:, 1:] = 0, flat
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(rows.data, level)), (b"IEND", b""))
    return _SIGNATURE + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(data, zlib.crc32(kind)))


def _jpeg(picture: Image.Image, quality: int) -> bytes:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality, subsampling=0)
    return file.getvalue()


def _fitting_jpeg(picture: Image.Image, *, room: int) -> tuple[bytes, int] | None:
    """Return the best (JPEG, quality) of at most `room` bytes, or None."""
    full = 0
    for quality, share in zip(QUALITIES, LEAST_SHARES, strict=True):
        if full * share > room:
            continue
        data = _jpeg(picture, quality)
        if len(data) <= room:
            return data, quality
        full = full or len(data)
    return None


def _shrunk_jpeg(picture: Image.Image, *, room: int, least: int) -> Packed:
    """Scale down until the JPEG has at most `room` bytes; the shorter side keeps `least` pixels."""
    smallest = min(1.0, least / min(picture.size))
    factor, data = 1.0, _jpeg(picture, SCALED_QUALITY)
    while factor > smallest:
        # Bytes shrink a little slower than pixels do, so the root alone would come out slightly too large.
        factor *= 0.97 * min(1.0, math.sqrt(max(room, 1) / len(data)))
        factor = max(factor, smallest)
        small = scaled(picture, (round(picture.width * factor), round(picture.height * factor)))
        data = _jpeg(small, SCALED_QUALITY)
        if len(data) <= room:
            return Packed(data, JPEG, small.size, SCALED_QUALITY)
    small = scaled(picture, (round(picture.width * factor), round(picture.height * factor)))
    found = _fitting_jpeg(small, room=room)
    if found is None:
        raise MediaError(f"image: not even a JPEG of {small.width}x{small.height} is small enough to be sent")
    return Packed(found[0], JPEG, small.size, found[1])


def scaled(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Return the picture in another size."""
    return picture if picture.size == size else picture.resize(size, Image.Resampling.LANCZOS)
