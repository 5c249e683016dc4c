"""An MP4's outermost boxes: which there are, and whether the last is whole."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import BinaryIO

_HEADER = 8
_LONG_HEADER = 16


@dataclass(frozen=True)
class Box:
    """One box. `end` is where it says that it ends."""

    type: bytes
    start: int
    end: int


@dataclass(frozen=True)
class TopLevelBoxes:
    """The outermost boxes of a file of `size` bytes, up to the first that is none."""

    boxes: tuple[Box, ...]
    size: int

    @property
    def types(self) -> list[bytes]:
        """What there is, in order."""
        return [box.type for box in self.boxes]

    @property
    def missing_bytes(self) -> int:
        """How many bytes the last box lacks."""
        return max((box.end for box in self.boxes), default=0) - self.size


def scan_boxes(file: BinaryIO) -> TopLevelBoxes:
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
    return TopLevelBoxes(tuple(boxes), size)
