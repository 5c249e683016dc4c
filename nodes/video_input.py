"""The video input of a node: a VIDEO, or a path in ComfyUI's folders."""

from __future__ import annotations

import logging
from io import BufferedIOBase, BytesIO
from os import PathLike
from pathlib import Path, PurePath
from typing import Any

from ..wan.errors import InvalidRequest
from ..wan.messages import Message
from ..wan.redaction import truncate_redacted
from . import host

logger = logging.getLogger("dashscope_wan")


def readable_file(path: str, *, name: str = "video_path") -> Path:
    """Return a file from the input, output or temp folder. `name` is the input that has its path.

    Paths outside of these folders are never accessed, not even to check for existence: on Windows, accessing a path on
    another machine sends that machine the user's credentials.

    Raises:
        InvalidRequest: the file is outside of these folders, or does not exist.
    """
    shown = (
        repr(truncate_redacted(path, 200)) if isinstance(path, str) else Message("a {type}", type=type(path).__name__)
    )
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


def is_lexically_inside(path: PurePath, folder: PurePath) -> bool:
    """Tell whether a path is inside a folder, by its text alone."""
    return ".." not in path.parts and path.is_relative_to(folder)


def resolve_video(video: Any, path: str, *, cut: bool = False, path_name: str = "video_path") -> Any:
    """Return the file of a VIDEO or of a path: a path, or a binary file object.

    With `cut`, a trimmed VIDEO is reduced to its part of the file. `path_name` is the input that has the path.

    Raises:
        InvalidRequest: none or both are set, the path is not allowed, or the VIDEO cannot be encoded.
    """
    if (video is None) == (not path):
        either = Message("video: use either video or video_path")
        raise InvalidRequest([Message("video: use either video or video_path, not both") if path else either])
    if video is None:
        return readable_file(path, name=path_name)
    try:
        if cut and any(_window(video)):
            trimmed = BytesIO()
            video.save_to(trimmed, format="mp4", codec="h264")
            return trimmed
        return video_source(video)
    except InvalidRequest:
        raise
    except Exception as error:  # other packs' VIDEOs, ComfyUI's encoder and FFmpeg raise errors of any type
        reason = truncate_redacted(f"{type(error).__name__}: {error}", 200)
        raise InvalidRequest([Message("video: it cannot be encoded as a file ({reason})", reason=reason)]) from error


def video_source(video: Any) -> Any:
    """Return the source of a VIDEO: a path, or a binary file object.

    Raises:
        InvalidRequest: the value is not a VIDEO.
    """
    source = video.get_stream_source() if hasattr(video, "get_stream_source") else None
    if not isinstance(source, (str, PathLike, BufferedIOBase)):
        raise InvalidRequest([Message("video: must be a ComfyUI VIDEO, not {type}", type=type(video).__name__)])
    return source


def trim_end(video: Any) -> float | None:
    """Return the second of its file at which a trimmed VIDEO ends; None if it ends with the file."""
    start, seconds = _window(video)
    return start + seconds if seconds else None


def _window(video: Any) -> tuple[float, float]:
    """Return a VIDEO's start in its file and its length, in seconds; 0 for those of the file."""
    window = getattr(video, "get_active_trim_window", None)
    return window() if window else (0.0, 0.0)
