"""Film files as PyAV opens them, and whether an MP4 is whole."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Union

from ..errors import MediaError

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

Source = Union[str, "os.PathLike[str]", BinaryIO]

# Playlists and the like can name other files and addresses, so only what holds the film itself is opened.
_ONLY_FILMS = {
    "format_whitelist": "mov,matroska,avi,mpegts,mpeg,flv,gif,ogg,asf",
    "protocol_whitelist": "file",
}
_BOX_HEADER = 8
_LONG_HEADER = 16


@contextlib.contextmanager
def open_film(source: Source, *, format: str | None = None) -> Iterator[InputContainer]:  # noqa: A002 - PyAV's word
    """Open a video file, or a seekable binary file object from its start.

    Raises:
        MediaError: there is no such file, or it cannot be read, when it is opened or later inside the block.
    """
    import av

    name = name_of(source)
    try:
        _check_not_cut(source, name=name)
        file = os.fspath(source) if isinstance(source, (str, os.PathLike)) else source
        with av.open(file, format=format, container_options=dict(_ONLY_FILMS), metadata_errors="replace") as container:
            yield container
    except FileNotFoundError as error:
        raise MediaError(f"There is no file {source}.") from error
    except (av.error.FFmpegError, OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise MediaError(f"{name} cannot be read as a video ({reason}).") from error


def name_of(source: Source) -> str:
    """Return what messages call a source."""
    return Path(source).name if isinstance(source, (str, os.PathLike)) else "The video"


def film_stream(container: InputContainer, *, name: str) -> VideoStream:
    """Return the first video track that is a film, not a sound's cover picture.

    Raises:
        MediaError: there is none.
    """
    from av.stream import Disposition

    for stream in container.streams.video:
        if not stream.disposition & Disposition.attached_pic:
            return stream
    raise MediaError(f"{name} has no video track.")


def check_mp4(path: Path) -> int:
    """Check that a file is an MP4 or MOV and has its index; return its size in bytes.

    Only the headers of the outermost boxes are read. Whether the data is whole, `open_film` looks.

    Raises:
        MediaError: it is not.
    """
    try:
        with path.open("rb") as file:
            boxes, size = _boxes(file)
    except FileNotFoundError as error:
        raise MediaError(f"There is no file {path}.") from error
    except (OSError, ValueError) as error:
        raise MediaError(f"{path} cannot be read ({getattr(error, 'strerror', None) or error}).") from error
    if size == 0:
        raise MediaError(f"{path.name} is empty.")
    if next(iter(boxes), None) != b"ftyp":
        raise MediaError(f"{path.name} is not an MP4 or MOV video, whatever its name says.")
    if b"moov" not in boxes:
        raise MediaError(f"{path.name} is cut short: its index is missing.")
    return size


def _check_not_cut(source: Source, *, name: str) -> None:
    """Refuse an MP4 that lacks its end. FFmpeg plays what is there, as if it were the whole film."""
    if isinstance(source, (str, os.PathLike)):
        with Path(source).open("rb") as file:
            boxes, size = _boxes(file)
    else:
        boxes, size = _boxes(source)
        source.seek(0)
    if size == 0:
        raise MediaError(f"{name} is empty.")
    missing = max(boxes.values(), default=0) - size
    if missing > 0 and next(iter(boxes)) == b"ftyp":
        raise MediaError(f"{name} is cut short: {missing} bytes are missing at its end.")


def _boxes(file: BinaryIO) -> tuple[dict[bytes, int], int]:
    """Return where the outermost boxes end, the last of each type, and the file's size.

    What is no box ends the list.
    """
    file.seek(0, os.SEEK_END)
    at, size, ends = 0, file.tell(), {}
    while at + _BOX_HEADER <= size:
        file.seek(at)
        header = file.read(_LONG_HEADER)
        length, kind = int.from_bytes(header[:4], "big"), header[4:8]
        if length == 0:
            length = size - at
        elif length == 1:
            length = int.from_bytes(header[8:], "big")
        if length < _BOX_HEADER or not kind.isalnum():
            break
        at += length
        ends[kind] = at
    return ends, size
