"""Images to measure with: the shipped photographs with the fine texture of a large one, and drawn ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from cli.folders import IMAGES

Pixels = NDArray[np.uint8]
SIZES = {"1080p": (1920, 1080), "4K": (3840, 2160)}
TEXTURE = 1.0
"""Levels of texture: a 1080p photograph then has 9 to 10 bits a pixel as PNG, as camera images do."""

GRAIN = 4.0
"""Levels of texture that make it a grainy one."""


def photograph(name: str, size: tuple[int, int], *, texture: float = TEXTURE) -> Pixels:
    """A shipped photograph cut to the shape, scaled up, with texture of every fineness laid over it."""
    width, height = size
    with Image.open(IMAGES / name) as opened:
        image = opened.convert("RGB")
    keep = min(image.width / width, image.height / height)
    left, top = (image.width - keep * width) / 2, (image.height - keep * height) / 2
    box = (left, top, left + keep * width, top + keep * height)
    large = np.asarray(image.resize(size, Image.Resampling.LANCZOS, box=box), np.float32)
    chance = np.random.default_rng(1)
    fine = np.zeros((height, width), np.float32)
    for cell, strength in ((1, 0.5), (2, 0.8), (4, 1.0), (8, 1.2)):
        coarse = chance.standard_normal((height // cell + 1, width // cell + 1)).astype(np.float32)
        fine += strength * np.asarray(Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC))
    colour = chance.standard_normal(large.shape).astype(np.float32) / 2
    rounded: Pixels = np.clip(large + texture * (fine[..., None] + colour) + 0.5, 0, 255).astype(np.uint8)
    return rounded


def graphics(size: tuple[int, int]) -> Pixels:
    """Flat shapes."""
    width, height = size
    image = Image.new("RGB", size, "white")
    draw, chance = ImageDraw.Draw(image), np.random.default_rng(2)
    for number in range(60):
        x, y, side = (int(chance.integers(0, most)) for most in (width, height, height // 3))
        colour = (int(chance.integers(256)), int(chance.integers(256)), int(chance.integers(256)))
        shape = draw.rectangle if number % 2 else draw.ellipse
        shape((x, y, x + side, y + side), fill=colour)
    return np.asarray(image)


def text(size: tuple[int, int]) -> Pixels:
    """A page of text."""
    image = Image.new("RGB", size, (250, 250, 245))
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(size=size[1] // 54)
    for top in range(8, size[1], size[1] // 45):
        draw.text((10, top), "The quick brown fox jumps over the lazy dog. " * 6, fill=(20, 20, 60), font=font)
    return np.asarray(image)


def noise(size: tuple[int, int]) -> Pixels:
    """Every level equally likely in every place."""
    return np.random.default_rng(3).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)


def grainy(size: tuple[int, int]) -> Pixels:
    """A photograph with strong grain."""
    return photograph("astronaut.png", size, texture=GRAIN)


NATURAL: Mapping[str, Callable[[tuple[int, int]], Pixels]] = {
    "cat": lambda size: photograph("chelsea.png", size),
    "astronaut": lambda size: photograph("astronaut.png", size),
}
SYNTHETIC: Mapping[str, Callable[[tuple[int, int]], Pixels]] = {"flat graphics": graphics, "text": text}
NOISY: Mapping[str, Callable[[tuple[int, int]], Pixels]] = {"grainy photo": grainy, "noise": noise}
