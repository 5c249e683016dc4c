"""Opening of video files with PyAV, and checks for truncated MP4 files."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Union

from ..errors import MediaError
from ..files import when_free
from ..frozen import frozen
from ..messages import Message

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

Source = Union[str, "os.PathLike[str]", BinaryIO]

# Playlists can name other files and URLs, so only containers with the video itself are opened: files with the boxes of
# an MP4, files with one of these signatures, and streams.
_BOXES = frozenset({b"ftyp", b"moov", b"moof", b"mdat"})
_BEGINNINGS = {b"\x1aE\xdf\xa3": "matroska", b"RIFF": "avi", b"GIF8": "gif"}
# Their tracks may be found late, and PyAV before 18 crashes on options for unexpected tracks.
_STREAMS = "mpegts,mpeg,flv,ogg,asf"
_PROTOCOL = "file"

MAX_PIXELS = 8192 * 4352
"""Pixels of a frame: 8K. A frame is in memory several times while it is decoded."""

_HEADER = 8
_LONG_HEADER = 16


@contextlib.contextmanager
def open_video(source: Source, *, format: str | None = None) -> Iterator[InputContainer]:  # noqa: A002 - PyAV's word
    """Open a video file, or a seekable binary file object from its start.

    Raises:
        MediaError: there is no such file, or it cannot be read, when it is opened or later inside the block.
    """
    import av

    name = display_name(source)
    try:
        container_format = _container_of(source, name=name)
        # An absolute path, as FFmpeg would take the beginning of some names for a protocol.
        file = str(Path(source).absolute()) if isinstance(source, (str, os.PathLike)) else source
        only = {"format_whitelist": container_format, "protocol_whitelist": _PROTOCOL}
        limits = {"max_pixels": str(MAX_PIXELS)} if container_format != _STREAMS else {}
        # PyAV 19 is lenient by default.
        lenient: dict[str, Any] = {} if int(av.__version__.partition(".")[0]) >= 19 else {"metadata_errors": "replace"}
        with av.open(file, format=format, options=limits, container_options=only, **lenient) as container:
            yield container
    except FileNotFoundError as error:
        raise MediaError(Message("There is no file {path}.", path=source)) from error
    except (av.error.FFmpegError, OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise MediaError(Message("{name} cannot be read as a video ({reason}).", name=name, reason=reason)) from error


def display_name(source: Source) -> str:
    """Return the name of a source in messages."""
    return Path(source).name if isinstance(source, (str, os.PathLike)) else Message("The video")


def first_video_stream(container: InputContainer, *, name: str) -> VideoStream:
    """Return the first video track that is not an audio file's cover image.

    Raises:
        MediaError: there is no such track.
    """
    from av.stream import Disposition

    for stream in container.streams.video:
        if not stream.disposition & Disposition.attached_pic:
            # FFmpeg reports 0x0 for frames over the limit.
            if not 0 < stream.width * stream.height <= MAX_PIXELS:
                raise MediaError(
                    Message("{name} has frames of an unsupported size; at most 8K is supported.", name=name)
                )
            stream.codec_context.options = {"max_pixels": str(MAX_PIXELS)}
            return stream
    raise MediaError(Message("{name} has no video track.", name=name))


def check_mp4(path: Path) -> int:
    """Check that a file is an MP4 or MOV with its index, and return its size in bytes.

    Only the headers of the top-level boxes are read. `open_video` checks whether the data is complete.

    Raises:
        MediaError: it is not.
    """
    try:
        with when_free(lambda: path.open("rb")) as file:
            found = scan_boxes(file)
    except FileNotFoundError as error:
        raise MediaError(Message("There is no file {path}.", path=path)) from error
    except (OSError, ValueError) as error:
        raise MediaError(
            Message("{path} cannot be read ({reason}).", path=path, reason=getattr(error, "strerror", None) or error)
        ) from error
    if found.size == 0:
        raise MediaError(Message("{name} is empty.", name=path.name))
    if found.types[:1] != [b"ftyp"]:
        raise MediaError(Message("{name} is not an MP4 or MOV video.", name=path.name))
    if b"moov" not in found.types:
        raise MediaError(Message("{name} is truncated: its index is missing.", name=path.name))
    return found.size


def _container_of(source: Source, *, name: str) -> str:
    """Return FFmpeg's names of the containers that a video may have, by its signature. Rejects a truncated MP4.

    FFmpeg plays a truncated video as if it were complete.
    """
    if isinstance(source, (str, os.PathLike)):
        path = Path(source)
        with when_free(lambda: path.open("rb")) as file:
            return _container_of(file, name=name)
    found = scan_boxes(source)
    if found.size == 0:
        raise MediaError(Message("{name} is empty.", name=name))
    if found.missing_bytes > 0 and found.types[0] == b"ftyp":
        raise MediaError(
            Message("{name} is truncated: {count} bytes are missing at its end.", name=name, count=found.missing_bytes)
        )
    source.seek(0)
    beginning = source.read(4)
    source.seek(0)
    return _BEGINNINGS.get(beginning) or ("mov" if _BOXES.intersection(found.types) else _STREAMS)


@frozen
class Box:
    """One box. `end` is its end by its header."""

    type: bytes
    start: int
    end: int


@frozen
class TopLevelBoxes:
    """The top-level boxes of a file of `size` bytes, up to the first invalid one."""

    boxes: tuple[Box, ...]
    size: int

    @property
    def types(self) -> list[bytes]:
        """The types of the boxes, in order."""
        return [box.type for box in self.boxes]

    @property
    def missing_bytes(self) -> int:
        """The number of bytes missing at the end of the last box."""
        return max((box.end for box in self.boxes), default=0) - self.size


def scan_boxes(file: BinaryIO) -> TopLevelBoxes:
    """Read the headers of a file's top-level boxes, and nothing else."""
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
