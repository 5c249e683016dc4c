"""Encoding of 8-bit images: as JPEG, or losslessly as PNG for line art."""

from __future__ import annotations

import io
import math
import struct
import zlib
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from ..errors import MediaError
from ..messages import Message

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]
from ..frozen import frozen

JPEG = "image/jpeg"
PNG = "image/png"

# 95 at 4:4:4 keeps a photographic 1080p frame at 46 dB and more.
QUALITIES = (95, 92, 90, 85, 80, 75)
# The minimum size at each quality, relative to quality 95: if that is too large, the quality is skipped.
MIN_SHARES = (1.0, 0.6, 0.5, 0.4, 0.33, 0.3)
SCALED_QUALITY = 90

FEW_COLOURS = 256
FLAT_SHARE = 0.6
STRIPS = 4
STRIP_ROWS = 16
# The ratio of PNG to JPEG size in the sample: below the first PNG is certain, above the second JPEG.
SURELY_LINE_ART, NOT_LINE_ART = 0.67, 1.5
SAMPLE_LEVEL = 2
PNG_LEVEL = 6
_SIGNATURE = b"\x89PNG\r\n\x1a\n"


@frozen
class EncodedImage:
    """An image file. `size` is (width, height) in pixels, `quality` is the JPEG quality, None for PNG."""

    data: bytes
    mime: str
    size: tuple[int, int]
    quality: int | None


def encode_image(pixels: Pixels, *, max_bytes: int, min_side: int) -> EncodedImage:
    """Encode RGB [H,W,3] in at most `max_bytes` bytes.

    A result over `max_bytes` is first compressed further, then scaled down to at least `min_side` pixels.

    Raises:
        MediaError: no encoding fits.
    """
    height, width = pixels.shape[:2]
    likeness = _png_to_jpeg_ratio(pixels)
    exact = _png(pixels, level=PNG_LEVEL) if likeness < NOT_LINE_ART else None
    if exact and len(exact) > max_bytes:
        exact = None
    if exact and likeness < SURELY_LINE_ART:
        return EncodedImage(exact, PNG, (width, height), None)
    image = Image.fromarray(pixels)
    del pixels
    found = _fitting_jpeg(image, max_bytes=max_bytes)
    # A lossless image that fits is better than a JPEG that had to be compressed further.
    if exact and not (found and found[1] == QUALITIES[0] and len(found[0]) <= len(exact)):
        return EncodedImage(exact, PNG, (width, height), None)
    if found:
        return EncodedImage(found[0], JPEG, (width, height), found[1])
    return _shrunk_jpeg(image, max_bytes=max_bytes, min_side=min_side)


def _png_to_jpeg_ratio(pixels: Pixels) -> float:
    """Return the ratio of PNG to JPEG size, estimated from samples of the image; infinite for a photograph.

    Line art has few colours, or equal neighbouring pixels. Smooth photographs have them too, so a few rows are encoded
    both ways.
    """
    height, width = pixels.shape[:2]
    grid = pixels[:: max(1, height // 64), :: max(1, width // 64)].reshape(-1, 3).astype(np.uint32)
    colours = np.sort(grid @ np.array([1 << 16, 1 << 8, 1], np.uint32))
    rows = pixels[:: max(1, height // 16)]
    same = rows[:, 1:] == rows[:, :-1]
    equal = (same[..., 0] & same[..., 1] & same[..., 2]).mean()
    if 1 + np.count_nonzero(np.diff(colours)) > FEW_COLOURS and equal < FLAT_SHARE:
        return math.inf
    strips = np.concatenate([pixels[height * part // STRIPS :][:STRIP_ROWS] for part in range(STRIPS)])
    return len(_png(strips, level=SAMPLE_LEVEL)) / len(_jpeg(Image.fromarray(strips), QUALITIES[0]))


def _png(pixels: Pixels, *, level: int) -> bytes:
    """Encode a PNG with the filter None for all rows, or Up for all rows.

    Pillow chooses a filter for every row, which takes longer than the compression and is no smaller for line art.
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


def _jpeg(image: Image.Image, quality: int) -> bytes:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality, subsampling=0)
    return file.getvalue()


def _fitting_jpeg(image: Image.Image, *, max_bytes: int) -> tuple[bytes, int] | None:
    """Return the best (JPEG, quality) of at most `max_bytes` bytes, or None."""
    full = 0
    for quality, share in zip(QUALITIES, MIN_SHARES, strict=True):
        if full * share > max_bytes:
            continue
        data = _jpeg(image, quality)
        if len(data) <= max_bytes:
            return data, quality
        full = full or len(data)
    return None


def _shrunk_jpeg(image: Image.Image, *, max_bytes: int, min_side: int) -> EncodedImage:
    """Scale down until the JPEG has at most `max_bytes` bytes; the shorter side keeps `min_side` pixels."""
    smallest = min(1.0, min_side / min(image.size))
    factor, data = 1.0, _jpeg(image, SCALED_QUALITY)
    while factor > smallest:
        # Bytes shrink slightly slower than pixels, so the root alone would be slightly too large.
        factor *= 0.97 * min(1.0, math.sqrt(max(max_bytes, 1) / len(data)))
        factor = max(factor, smallest)
        small = resize(image, (round(image.width * factor), round(image.height * factor)))
        data = _jpeg(small, SCALED_QUALITY)
        if len(data) <= max_bytes:
            return EncodedImage(data, JPEG, small.size, SCALED_QUALITY)
    small = resize(image, (round(image.width * factor), round(image.height * factor)))
    found = _fitting_jpeg(small, max_bytes=max_bytes)
    if found is None:
        raise MediaError(
            Message(
                "image: even a JPEG of {width}x{height} is too large to be sent", width=small.width, height=small.height
            )
        )
    return EncodedImage(found[0], JPEG, small.size, found[1])


def resize(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Return the image in another size."""
    return image if image.size == size else image.resize(size, Image.Resampling.LANCZOS)
