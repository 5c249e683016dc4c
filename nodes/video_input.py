"""The video that a graph gives to a node: a VIDEO, or a path in ComfyUI's folders."""

from __future__ import annotations

import logging
from io import BufferedIOBase, BytesIO
from os import PathLike
from pathlib import Path, PurePath
from typing import Any

from ..wan.errors import InvalidRequest
from ..wan.redaction import truncate_redacted
from . import host

logger = logging.getLogger("dashscope_wan")


def readable_file(path: str) -> Path:
    """Return a file that a graph names, when it is in the input, output or temp folder.

    Nothing is looked at outside of these folders, not even to find out whether it is there: on Windows, a mere look at
    a path on another machine sends that machine the user's credentials.

    Raises:
        InvalidRequest: it is elsewhere, or not there.
    """
    shown = repr(truncate_redacted(path, 200)) if isinstance(path, str) else f"a {type(path).__name__}"
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
    raise InvalidRequest([f"video_path: {shown} is not a file in ComfyUI's input, output or temp folder"])


def is_lexically_inside(path: PurePath, folder: PurePath) -> bool:
    """Tell whether a path leads into a folder, going by its text alone."""
    return ".." not in path.parts and path.is_relative_to(folder)


def resolve_video(video: Any, path: str, *, cut: bool = False) -> Any:
    """Return the video that a graph gives as a VIDEO or as a path: a path, or a binary file object.

    `cut` asks for no more than the part of its file that the VIDEO is.

    Raises:
        InvalidRequest: none or both are given, the path leads elsewhere, or the VIDEO cannot be written out.
    """
    if (video is None) == (not path):
        raise InvalidRequest(["video: give either video or video_path" + (", not both" if path else "")])
    if video is None:
        return readable_file(path)
    try:
        if cut and any(_window(video)):
            trimmed = BytesIO()
            video.save_to(trimmed, format="mp4", codec="h264")
            return trimmed
        return video_source(video)
    except InvalidRequest:
        raise
    except Exception as error:  # another pack's VIDEO, ComfyUI's encoder and FFmpeg have errors of their own
        reason = truncate_redacted(f"{type(error).__name__}: {error}", 200)
        raise InvalidRequest([f"video: it cannot be written out as a file ({reason})"]) from error


def video_source(video: Any) -> Any:
    """Return what a VIDEO is read from: a path, or a binary file object.

    Raises:
        InvalidRequest: it is no VIDEO.
    """
    source = video.get_stream_source() if hasattr(video, "get_stream_source") else None
    if not isinstance(source, (str, PathLike, BufferedIOBase)):
        raise InvalidRequest([f"video: a ComfyUI VIDEO is needed, not {type(video).__name__}"])
    return source


def trim_end(video: Any) -> float | None:
    """Return the second at which a VIDEO ends that is only a part of its file; None for one that goes to the end."""
    start, seconds = _window(video)
    return start + seconds if seconds else None


def _window(video: Any) -> tuple[float, float]:
    """Return where in its file a VIDEO begins and how long it is, in seconds; 0 for the file's own."""
    window = getattr(video, "get_active_trim_window", None)
    return window() if window else (0.0, 0.0)
