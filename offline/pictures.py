"""Pictures that the mock server draws: of a prompt's words, and of references side by side."""

from __future__ import annotations

import colorsys
import hashlib
import io
import math
import re
from collections.abc import Iterator, Sequence
from functools import cache

from PIL import Image, ImageDraw, ImageFont, ImageOps

_MARGIN = 0.15
"""The part of each side that is left free: the move over the picture must not leave the words."""

_MOST_CHARACTERS = 240
_SMALLEST, _LARGEST = 1 / 40, 1 / 8
"""Heights of the letters, of the picture's shorter side."""

_LINE = 1.35
_FONTS = (
    "NotoSansCJK-Regular.ttc",
    "NotoSansSC-Regular.otf",
    "SourceHanSansSC-Regular.otf",
    "wqy-microhei.ttc",
    "wqy-zenhei.ttc",
    "DroidSansFallbackFull.ttf",
    "msyh.ttc",
    "simhei.ttf",
    "PingFang.ttc",
    "Hiragino Sans GB.ttc",
    "STHeiti Light.ttc",
    "DejaVuSans.ttf",
    "arial.ttf",
)
"""Fonts of Linux, Windows and macOS: those that have Chinese characters come first."""

_PLAIN = re.compile("[\u0000-\u024f\u2000-\u206f]*")
"""What Pillow's own font has letters for."""

_CHINESE = "\u2e80"
"""From this character on, lines may end after each."""

_GAP = 0.01
_COARSE = (16, 9)
_DARK = (20, 20, 28)
_LARGEST_COPY = 1280

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def picture_of_words(text: str, *, size: tuple[int, int]) -> Image.Image:
    """Draw a text, or its beginning, over colours that depend on its words. `size` is the width and height in pixels.

    Chinese needs one of the machine's fonts; without one, its characters are boxes.
    """
    words = " ".join(_readable(text).split())
    image = _background(text, size=size)
    lines, font = _set(words, size=size)
    draw = ImageDraw.Draw(image)
    height = math.ceil(_points(font) * _LINE)
    top = (size[1] - height * len(lines)) / 2
    for number, line in enumerate(lines):
        left = (size[0] - draw.textlength(line, font=font)) / 2
        at = (left, top + number * height)
        draw.text(at, line, fill="white", font=font, stroke_width=max(1, height // 20), stroke_fill=_DARK)
    return image


def _readable(text: str) -> str:
    """Return a text that can be drawn, at most a few lines of it."""
    kept = text[:_MOST_CHARACTERS] + ("..." if len(text) > _MOST_CHARACTERS else "")
    # Line ends, and what is no character, such as half of a pair.
    return "".join(letter if letter.isprintable() else " " for letter in kept)


def _background(text: str, *, size: tuple[int, int]) -> Image.Image:
    """Draw a soft sky of two colours with a few discs, all of which follow from the text."""
    numbers = hashlib.sha256(text.encode("utf-8", "replace")).digest()
    first, second = (_colour(numbers[index], light=light) for index, light in ((0, 0.62), (1, 0.3)))
    image = Image.composite(
        Image.new("RGB", size, second), Image.new("RGB", size, first), Image.linear_gradient("L").resize(size)
    )
    draw = ImageDraw.Draw(image)
    width, height = size
    for index in range(2, 14, 3):
        radius = min(size) * (0.06 + numbers[index + 2] / 255 * 0.12)
        x, y = width * numbers[index] / 255, height * numbers[index + 1] / 255
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=_colour(numbers[index], light=0.5))
    return image


def _colour(number: int, *, light: float) -> tuple[int, int, int]:
    red, green, blue = colorsys.hls_to_rgb(number / 256, light, 0.45)
    return round(red * 255), round(green * 255), round(blue * 255)


def tint_of(text: str) -> tuple[int, int]:
    """Return two values of colour, 0..255 around 128, that follow from a text's words."""
    angle = hashlib.sha256(text.encode("utf-8", "replace")).digest()[0] / 256 * 2 * math.pi
    return round(128 + 56 * math.cos(angle)), round(128 + 56 * math.sin(angle))


def _set(words: str, *, size: tuple[int, int]) -> tuple[list[str], Font]:
    """Return a text's lines and their font, as large as the picture has room for."""
    width, height = (side * (1 - 2 * _MARGIN) for side in size)
    smallest = max(8, round(min(size) * _SMALLEST))
    points = max(smallest, round(min(size) * _LARGEST))
    while True:
        font = _font(points, everywhere=not _PLAIN.fullmatch(words))
        lines = list(_lines(words, font=font, width=width))
        if points <= smallest or len(lines) * points * _LINE <= height:
            return lines[: max(1, int(size[1] / (points * _LINE)))], font
        points = max(smallest, round(points * 0.85))


def _lines(words: str, *, font: Font, width: float) -> Iterator[str]:
    """Cut a text into lines of at most `width` pixels: between words, and inside those that have no blanks."""
    line = ""
    for piece in _pieces(words):
        if line and font.getlength(line + piece.rstrip()) > width:
            yield line.strip()
            line = ""
        while len(piece) > 1 and font.getlength(piece.rstrip()) > width:
            kept = max(1, int(len(piece) * width / font.getlength(piece)))
            yield piece[:kept]
            piece = piece[kept:]  # noqa: PLW2901 - the rest of a word that is wider than a line
        line += piece
    yield line.strip()


def _pieces(words: str) -> Iterator[str]:
    piece = ""
    for letter in words:
        piece += letter
        if letter == " " or letter >= _CHINESE:
            yield piece
            piece = ""
    if piece:
        yield piece


def _points(font: Font) -> float:
    return font.size if isinstance(font, ImageFont.FreeTypeFont) else 11


def _font(points: int, *, everywhere: bool) -> Font:
    """Return Pillow's own font, or for letters from `everywhere` one of the machine's, where it has any."""
    path = _font_of_many_letters() if everywhere else None
    if path is None:
        return ImageFont.load_default(points)
    return ImageFont.truetype(path, points, layout_engine=ImageFont.Layout.BASIC)


@cache
def _font_of_many_letters() -> str | None:
    for name in _FONTS:
        try:
            return str(ImageFont.truetype(name).path)
        except OSError:
            continue
    return None


def side_by_side(images: Sequence[Image.Image], *, size: tuple[int, int]) -> Image.Image:
    """Put images beside each other, each whole, in rows on a picture of `size`, its width and height in pixels.

    What they leave free is dark, in the colours of the first.
    """
    width, height = size
    columns = min(len(images), max(1, round(math.sqrt(len(images) * width / height))))
    rows = math.ceil(len(images) / columns)
    wide, high = width // columns, height // rows
    gap = round(min(wide, high) * _GAP) if len(images) > 1 else 0
    soft = ImageOps.fit(images[0], _COARSE).resize(size, Image.Resampling.BICUBIC)
    whole = soft.point([level // 3 for level in range(256)] * 3)
    for number, image in enumerate(images):
        shown = ImageOps.contain(image, (max(1, wide - 2 * gap), max(1, high - 2 * gap)))
        left = wide * (number % columns) + (wide - shown.width) // 2
        top = high * (number // columns) + (high - shown.height) // 2
        whole.paste(shown, (left, top))
    return whole


def small_copy(data: bytes) -> bytes:
    """Return an encoded image, upright and at most 1280 pixels wide and high."""
    with Image.open(io.BytesIO(data)) as opened:
        image = ImageOps.exif_transpose(opened).convert("RGB")
    return jpeg(image)


def jpeg(image: Image.Image) -> bytes:
    """Encode an image, made smaller where it is larger than a picture beside others has to be."""
    image.thumbnail((_LARGEST_COPY, _LARGEST_COPY))
    out = io.BytesIO()
    image.save(out, "JPEG", quality=92)
    return out.getvalue()
