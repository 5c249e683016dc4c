"""A video clip on its way to the service: its file, and whether the service takes it."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import MediaError
from .container import Source, display_name, first_video_stream, open_video
from .video import seconds_of

_MOV_BRAND = b"qt  "


@dataclass(frozen=True)
class Clip:
    """An MP4 or MOV file: its bytes, the ending of its name and its MIME type, pixels as stored, and seconds."""

    data: bytes = field(repr=False)
    suffix: str
    mime: str
    width: int
    height: int
    seconds: float


@dataclass(frozen=True)
class ClipLimits:
    """What a clip may be: seconds and pixels of a side, least and most; longer side by shorter; bytes of the file."""

    seconds: tuple[float, float]
    sides: tuple[int, int]
    ratio: float
    bytes: int


def read_clip(source: Source, *, limits: ClipLimits) -> Clip:
    """Read a clip from a file, or from a binary file object.

    Raises:
        MediaError: it is no MP4 or MOV, cannot be read, or is over the limit of bytes.
    """
    data = _read(source, most=limits.bytes)
    if data[4:8] != b"ftyp":
        raise MediaError(f"{display_name(source)} is not an MP4 or MOV video, which the service wants.")
    mov = data[8:12] == _MOV_BRAND
    with open_video(source, format="mov") as container:
        stream = first_video_stream(container, name=display_name(source))
        size, seconds = (stream.width, stream.height), seconds_of(container, stream)
    return Clip(data, ".mov" if mov else ".mp4", "video/quicktime" if mov else "video/mp4", *size, seconds)


def validate_clip(clip: Clip, *, limits: ClipLimits) -> list[str]:
    """Find what stands against a clip, one sentence per problem; empty when there is none."""
    problems = []
    least, most = limits.seconds
    if not least <= round(clip.seconds, 2) <= most:
        wrong = "short" if clip.seconds < least else "long"
        problems.append(f"video: {clip.seconds:.2f} s is too {wrong}; the service takes {least:g} to {most:g} s")
    small, large = sorted((clip.width, clip.height))
    if small < limits.sides[0] or large > limits.sides[1]:
        problems.append(
            f"video: {clip.width}x{clip.height} is not possible; each side must have {limits.sides[0]} to "
            f"{limits.sides[1]} px"
        )
    if large > limits.ratio * small:
        problems.append(
            f"video: {clip.width}x{clip.height} is too narrow; the longer side may be at most {limits.ratio:g} times "
            "the shorter"
        )
    return problems


def _read(source: Source, *, most: int) -> bytes:
    name = display_name(source)
    try:
        with contextlib.ExitStack() as closing:
            if isinstance(source, (str, os.PathLike)):
                source = closing.enter_context(Path(source).open("rb"))
            source.seek(0)
            data = source.read(most + 1)
    except OSError as error:
        raise MediaError(f"{name} cannot be read ({error.strerror or error}).") from error
    if len(data) > most:
        raise MediaError(f"{name} is over {most / 2**20:.0f} MB, the most that the service takes.")
    return data
