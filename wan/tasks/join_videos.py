"""Joining of videos into one file in the output folder."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ..errors import UnusableVideo
from ..media.container import Source
from ..media.join import Joined, join_videos
from ..messages import Message
from .context import run_in_thread
from .interrupt import run_interruptible
from .output import discard, folder_problems, resolve_output
from .progress import RunMonitor


class _Stopped(Exception):
    """The user pressed Stop."""


@dataclass(frozen=True)
class JoinRequest:
    """Videos to join in their order, and where to save them. `names` are the inputs of the videos.

    With `drop_repeated`, the last frame of each video but the last is left out. `metadata` is written into the file.
    """

    sources: Sequence[Source]
    names: Sequence[str]
    filename_prefix: str
    output_folder: Path
    drop_repeated: bool = False
    metadata: Mapping[str, str] | None = None


async def join_and_save(request: JoinRequest, *, monitor: RunMonitor) -> tuple[Path, Joined]:
    """Join videos, and return the saved file and what it is.

    Raises:
        UnusableVideo: there are no videos, or they cannot be saved under that name.
        MediaError: a video cannot be read, or the file cannot be written.
    """
    stopped = threading.Event()
    try:
        path, joined = await run_interruptible(monitor, _in_thread(request, monitor, stopped))
    finally:
        stopped.set()
    how = Message("copied") if joined.is_copied else Message("encoded")
    monitor.report(
        1.0, partial(Message, "saved {name}, {seconds:.1f} s, {how}", name=path.name, seconds=joined.seconds, how=how)
    )
    return path, joined


async def _in_thread(request: JoinRequest, monitor: RunMonitor, stopped: threading.Event) -> tuple[Path, Joined]:
    return await run_in_thread(_join, request, monitor, stopped)


def _join(request: JoinRequest, monitor: RunMonitor, stopped: threading.Event) -> tuple[Path, Joined]:
    output, problems = resolve_output(request.filename_prefix, output_folder=request.output_folder)
    if not request.sources:
        problems = [Message("video_1: connect at least one video, or name a file in video_paths"), *problems]
    if problems := problems or folder_problems(output):
        raise UnusableVideo(problems)
    partial_path = output.partial_path(secrets.token_hex(8))

    def report(fraction: float) -> None:
        if stopped.is_set():
            raise _Stopped
        monitor.report(fraction, partial(Message, "joining {count} videos", count=len(request.sources)))
        monitor.raise_if_interrupted()

    try:
        report(0.0)
        joined = join_videos(
            request.sources,
            partial_path,
            names=request.names,
            drop_repeated=request.drop_repeated,
            metadata=request.metadata,
            on_progress=report,
        )
        return output.commit(partial_path, on_name=lambda _path: None), joined
    finally:
        discard(partial_path)
