"""An MP4's outermost boxes: which there are, whether the last is whole, and how many frames their tables claim.

FFmpeg reserves some 30 bytes for each frame that a table claims to have. A file of one kilobyte can claim 80 million.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from ..errors import MediaError

MOST_FRAMES = 4_000_000
"""Frames and pieces of sound in all tracks: 18 hours at 60 pictures a second, and some 130 MB."""

MOST_INDEX_BYTES = 64 * 1024**2
_HEADER = 8
_LONG_HEADER = 16
_DATA = b"mdat"

# FFmpeg reserves nothing for more than 2 GB hold, and where such a name is part of a text, its letters make more.
_NEVER_RESERVED = 1 << 29
# Plain samples of sound lie together in chunks, and FFmpeg keeps at least so many of them as one.
_PLAIN_TOGETHER = 1000
_COMPRESSED = re.compile(rb"cmov.{4}dcom", re.DOTALL)
_TABLE = re.compile(rb"stsz|stz2|trun|stsc|stco|co64")
_COUNT_AT = {b"stsz": 8, b"stz2": 8, b"trun": 4, b"stsc": 4, b"stco": 4, b"co64": 4}
"""How many bytes behind its name a table says how many it has."""


@dataclass(frozen=True)
class Box:
    """One box. `end` is where it says that it ends."""

    kind: bytes
    start: int
    end: int


@dataclass(frozen=True)
class Outline:
    """The outermost boxes of a file of `size` bytes, up to the first that is none."""

    boxes: tuple[Box, ...]
    size: int

    @property
    def kinds(self) -> list[bytes]:
        """What there is, in order."""
        return [box.kind for box in self.boxes]

    @property
    def missing(self) -> int:
        """How many bytes the last box lacks."""
        return max((box.end for box in self.boxes), default=0) - self.size


def outline(file: BinaryIO) -> Outline:
    """Read the headers of a file's outermost boxes, and nothing else."""
    file.seek(0, os.SEEK_END)
    at, size, boxes = 0, file.tell(), []
    while at + _HEADER <= size:
        file.seek(at)
        header = file.read(_LONG_HEADER)
        length, kind = int.from_bytes(header[:4], "big"), header[4:8]
        if length == 0:
            length = size - at
        elif length == 1:
            length = int.from_bytes(header[8:], "big")
        if length < _HEADER or not kind.isalnum():
            break
        boxes.append(Box(kind, at, at + length))
        at += length
    return Outline(tuple(boxes), size)


def check_claims(file: BinaryIO, found: Outline, *, name: str, plain_sound: bool) -> None:
    """Refuse a film whose tables claim more frames than any film has. Tables are found by their names, wherever.

    `plain_sound` tells that uncompressed sound is possible: it has a sample for every few bytes of the file.

    Raises:
        MediaError: they do, or there is far too much beside the film's data.
    """
    end = min(max((box.end for box in found.boxes), default=0), found.size)
    spans = [(box.start, min(box.end, found.size)) for box in found.boxes if box.kind != _DATA]
    spans.append((end, found.size))
    if sum(stop - start for start, stop in spans) > MOST_INDEX_BYTES:
        raise MediaError(f"{name} has an index that is larger than that of any film.")
    claims = _Claims(found.size, plain_sound=plain_sound)
    for start, stop in spans:
        file.seek(start)
        claims.add(file.read(stop - start))
    if claims.compressed:
        raise MediaError(f"{name} has a compressed index, which is not opened.")
    if claims.frames > MOST_FRAMES:
        raise MediaError(f"{name} claims to have {claims.frames} frames, more than any film.")


class _Claims:
    """What the tables of a file of `size` bytes claim."""

    def __init__(self, size: int, *, plain_sound: bool) -> None:
        self.compressed = False
        self._size = size
        self._plain_sound = plain_sound
        self._listed = self._chunks = self._in_a_chunk = 0

    @property
    def frames(self) -> int:
        """For how many frames and pieces of sound there would be an entry."""
        return self._listed + self._chunks * self._in_a_chunk // _PLAIN_TOGETHER

    def add(self, data: bytes) -> None:
        """Add the tables in some bytes."""
        self.compressed |= bool(_COMPRESSED.search(data))
        for match in _TABLE.finditer(data):
            kind, begin = match[0], match.end()
            if data[max(0, match.start() - 4) : match.start()] == b"\0\0\0\1":
                begin += 8  # A box of 64 bits has its length behind its name.
            at = begin + _COUNT_AT[kind]
            count = _number(data, at)
            if count >= _NEVER_RESERVED:
                continue
            if kind == b"stsz" and self._is_plain(_number(data, begin + 4), count):
                count //= _PLAIN_TOGETHER
            if kind in (b"stsz", b"stz2", b"trun"):
                self._listed += count
            elif kind == b"stsc" and at + 4 + 12 * count <= len(data):
                self._in_a_chunk = max(self._in_a_chunk, _largest(data[at + 4 : at + 4 + 12 * count]))
            elif kind != b"stsc" and at + 4 + 4 * count <= len(data):
                self._chunks += count

    def _is_plain(self, bytes_each: int, count: int) -> bool:
        return self._plain_sound and 0 < bytes_each <= 64 and 2 * count <= self._size


def _number(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 4], "big")


def _largest(entries: bytes) -> int:
    """Return the most samples that a chunk has, of entries of three numbers: first chunk, samples in each, form."""
    return int(np.frombuffer(entries, ">u4")[1::3].max(initial=0))
