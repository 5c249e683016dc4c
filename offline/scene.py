"""What a video is to be made of. Light to import: what renders it is loaded with the first create call."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass, field
from pathlib import Path

from ..wan.catalog.models import ADAPTIVE, RATIOS
from ..wan.catalog.spec import IMAGE_TO_VIDEO, Model

DRAWN_SIZE = (1280, 720)
"""Pixels of the image that stands for one which could not be fetched."""

TIER_SIZES = {"480P": (832, 480), "720P": (1280, 720), "1080P": (1920, 1080)}
_SIZES_2_7 = {
    ("720P", "4:3"): (1104, 832),
    ("720P", "3:4"): (832, 1104),
    ("1080P", "4:3"): (1648, 1248),
    ("1080P", "3:4"): (1248, 1648),
}
"""The pixels of wan2.7's named ratios where the tier's number of pixels gives others (other-jobs.md section 1.3)."""

_SIDE_STEP = 16
_PIECE = 1024 * 1024


@dataclass(frozen=True)
class CheckedClip:
    """A video that a video begins with: its file, its width and height as it is shown, its length in seconds."""

    path: Path
    size: tuple[int, int]
    seconds: float


@dataclass(frozen=True)
class ResolvedMedia:
    """The files of a task, each None where there is none or it could not be fetched offline.

    `image` is the first frame, `ending` the last, both encoded as `audio` is. `pictures` are encoded too: what is seen
    of the references, None for each that could not be fetched. `size` are the pixels of what the video begins with,
    None where it begins with nothing. `clips` are the seconds of all clips that are references or edited, `references`
    counts these and the pictures.
    """

    image: bytes | None = None
    audio: bytes | None = None
    ending: bytes | None = None
    clip: CheckedClip | None = None
    size: tuple[int, int] | None = None
    pictures: tuple[bytes | None, ...] = ()
    clips: tuple[float, ...] = ()
    references: int = 0
    notes: list[str] = field(default_factory=list)


class Interrupted(Exception):
    """The rendering was given up, because nobody wants the video any more."""


@dataclass(frozen=True)
class Scene:
    """What to make a video of.

    `image`, `audio` and `ending`, the image that it ends with, are encoded files, as `pictures` are, which are shown
    side by side where there is no image. Without image, pictures and clip there is a picture of the prompt's words,
    and without a prompt a drawn image. No audio means a tone. `duration` is in seconds, the clip's included. The
    frames of an `edited` clip are tinted; with `clip_sound` its sound is heard. `watermark` is a text or empty. `size`
    are the video's pixels, where they do not follow from the tier and the shape.
    """

    image: bytes | None
    resolution: str
    duration: float
    has_audio: bool
    audio: bytes | None = None
    template: str = ""
    watermark: str = ""
    ending: bytes | None = None
    clip: CheckedClip | None = None
    ratio: str = ADAPTIVE
    fps: int = 30
    prompt: str = ""
    pictures: tuple[bytes | None, ...] = ()
    clip_sound: bool = False
    edited: bool = False
    size: tuple[int, int] | None = None

    @property
    def name(self) -> str:
        """A name that two scenes share where their videos are equal."""
        facts = [self.resolution, self.duration, self.has_audio, self.template, self.watermark, self.ratio, self.fps]
        facts += [self.prompt, self.clip_sound, self.edited, self.size]
        files = [
            hashlib.sha256(data).hexdigest() if data is not None else ""
            for data in (self.image, self.audio, self.ending, *self.pictures)
        ]
        clip = _hash_of(self.clip.path) if self.clip else ""
        return hashlib.sha256(json.dumps([*facts, *files, clip]).encode()).hexdigest()[:32]


def named_size(model: Model, *, size: str, resolution: str, ratio: str) -> tuple[int, int] | None:
    """Return the pixels that a model makes of a `size` "W*H" or of a named ratio, None where no page prints them."""
    if size:
        wide, _, high = size.partition("*")
        return int(wide), int(high)
    if model.family == "wan2.7" and model.job != IMAGE_TO_VIDEO:
        return _SIZES_2_7.get((resolution, ratio))
    return None


def frame_size(
    width: int, height: int, *, resolution: str, ratio: str = ADAPTIVE, named: tuple[int, int] | None = None
) -> tuple[int, int]:
    """Return a video's width and height in pixels, for what it begins with, in pixels, or for a named ratio.

    What a page prints is `named`. Otherwise it has that aspect and about the tier's pixel count, and both sides are cut
    down to multiples of 16: the service's own example makes 816x1104 of 750x1000 at 720P (dashscope.md section 8).
    Named 16:9 and 9:16 are the tier's own size: 480P gives 832x480 and 480x832 (newer-models.md section 2.6).
    """
    wide, high = TIER_SIZES[resolution]
    if named:
        return named
    if ratio == "16:9":
        return wide, high
    if ratio == "9:16":
        return high, wide
    if ratio != ADAPTIVE:
        width, height = _sides(ratio)
    pixels = wide * high
    return _cut_down(math.isqrt(pixels * width // height)), _cut_down(math.isqrt(pixels * height // width))


def nearest_ratio(width: int, height: int) -> str:
    """Return the named ratio whose shape is nearest to a size's."""
    shape = math.log(width / height)
    return min(
        (ratio for ratio in RATIOS if ratio != ADAPTIVE),
        key=lambda ratio: abs(math.log(_sides(ratio)[0] / _sides(ratio)[1]) - shape),
    )


def _sides(ratio: str) -> tuple[int, int]:
    wide, _, high = ratio.partition(":")
    return int(wide), int(high)


def _cut_down(side: int) -> int:
    return max(_SIDE_STEP, side - side % _SIDE_STEP)


def _hash_of(path: Path) -> str:
    whole = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            whole.update(piece)
    return whole.hexdigest()
