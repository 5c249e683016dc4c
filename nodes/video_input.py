"""The video input of a node: a VIDEO, or a path in ComfyUI's folders."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Iterator
from io import BufferedIOBase, BytesIO
from os import PathLike
from pathlib import Path, PurePath
from typing import Any

from ..wan.errors import InvalidRequest
from ..wan.messages import Message
from ..wan.redaction import truncate_redacted
from . import host

logger = logging.getLogger("dashscope_wan")

_READING = threading.Lock()
"""Nodes that run at once may read the same VIDEO, whose file in memory has one position."""


def readable_file(path: str, *, name: str = "video_path") -> Path:
    """Return a file from the input, output or temp folder. `name` is the input's.

    Paths outside of these folders are never accessed, not even to check for existence: on Windows, accessing a path on
    another machine sends that machine the user's credentials. Windows copies a path in quotes.

    Raises:
        InvalidRequest: the file is outside of these folders, or does not exist.
    """
    shown = (
        repr(truncate_redacted(path, 200)) if isinstance(path, str) else Message("a {type}", type=type(path).__name__)
    )
    if isinstance(path, str) and len(path) > 1 and path[0] == path[-1] == '"':
        path = path[1:-1]
    try:
        named = host.readable_folders()
        folders = [folder.resolve() for folder in named]
        for folder in [*named, *folders] if isinstance(path, str) else []:
            candidate = folder / path
            if not any(is_lexically_inside(candidate, one) for one in (*named, *folders)):
                continue
            found = candidate.resolve()
            if any(found.is_relative_to(one) for one in folders) and found.is_file():
                return found
    except (OSError, ValueError, RuntimeError):
        logger.debug("not a path: %s", shown)
    raise InvalidRequest(
        [
            Message(
                "{input}: {path} is not a file in ComfyUI's input, output or temp folder; enter its whole path, or "
                "what follows the folder, such as wan/video.mp4",
                input=name,
                path=shown,
            )
        ]
    )


class ReadsFiles:
    """A node that reads files by their paths: one that was replaced since the last run is read again."""

    PATHS = "video_path"
    """The input with the paths, one per line."""

    @classmethod
    def IS_CHANGED(cls, **inputs: Any) -> list[tuple[int, int]]:  # noqa: N802 - ComfyUI's name
        """Return the times and sizes of the files; ComfyUI takes the node's last outputs as long as they are equal."""
        given = inputs.get(cls.PATHS)
        texts = [one for one in (given if isinstance(given, list) else [given]) if isinstance(one, str)]
        found = []
        for line in "\n".join(texts).splitlines():
            with contextlib.suppress(InvalidRequest, OSError):
                status = readable_file(line.strip()).stat()
                found.append((status.st_mtime_ns, status.st_size))
        return found


def is_lexically_inside(path: PurePath, folder: PurePath) -> bool:
    """Tell whether a path is inside a folder, by its text alone."""
    return ".." not in path.parts and path.is_relative_to(folder)


def resolve_video(
    video: Any, path: str, *, cut: bool = False, name: str = "video", path_name: str = "video_path"
) -> Any:
    """Return the file of a VIDEO or of a path: a path, or a binary file object.

    With `cut`, a trimmed VIDEO is reduced to its part of the file. `name` and `path_name` are the inputs'. A file in
    memory is the caller's own. Blocking.

    Raises:
        InvalidRequest: none or both are set, the path is not allowed, or the VIDEO cannot be encoded.
    """
    if (video is None) == (not path):
        either = Message("video: use either video or video_path")
        raise InvalidRequest([Message("video: use either video or video_path, not both") if path else either])
    if video is None:
        return readable_file(path, name=path_name)
    with _told(name):
        with _READING:
            source = video_source(video, name=name)
        with _READING if isinstance(source, BytesIO) else contextlib.nullcontext():
            if cut and any(_window(video)):
                trimmed = BytesIO()
                video.save_to(trimmed, format="mp4", codec="h264")
                return trimmed
            return BytesIO(source.getvalue()) if isinstance(source, BytesIO) else source


def resolve_whole_video(video: Any, path: str) -> tuple[Any, float | None]:
    """Return what `resolve_video` does, and the second at which a trimmed VIDEO ends in it, None if with the file."""
    source = resolve_video(video, path)
    with _told("video"), _READING:
        start, seconds = _window(video)
    return source, start + seconds if seconds else None


@contextlib.contextmanager
def _told(name: str) -> Iterator[None]:
    """Make an InvalidRequest of what other packs' VIDEOs, ComfyUI's encoder and FFmpeg raise: errors of any type."""
    try:
        yield
    except InvalidRequest:
        raise
    except Exception as error:
        reason = truncate_redacted(f"{type(error).__name__}: {error}", 200)
        told = Message("{input}: it cannot be encoded as a file ({reason})", input=name, reason=reason)
        raise InvalidRequest([told]) from error


def video_source(video: Any, *, name: str = "video") -> Any:
    """Return the source of a VIDEO: a path, or a binary file object. `name` is the input's.

    Raises:
        InvalidRequest: the value is not a VIDEO.
    """
    source = video.get_stream_source() if hasattr(video, "get_stream_source") else None
    if not isinstance(source, (str, PathLike, BufferedIOBase)):
        raise InvalidRequest(
            [Message("{input}: must be a ComfyUI VIDEO, not {type}", input=name, type=type(video).__name__)]
        )
    return source


def _window(video: Any) -> tuple[float, float]:
    """Return a VIDEO's start in its file and its length, in seconds; 0 for those of the file."""
    window = getattr(video, "get_active_trim_window", None)
    return window() if window else (0.0, 0.0)
