"""A finished video streamed from its link into a file, going on where an earlier try left off."""

from __future__ import annotations

import contextlib
import errno
import queue
import threading
from collections.abc import Callable, Generator, Iterator
from io import FileIO
from pathlib import Path

from ..errors import DownloadFailed
from .hosts import Origin
from .link import Chunk, DownloadInterrupted, UrlExpired, iter_chunks, validate_url

__all__ = [
    "Cancelled",
    "DiskFull",
    "DownloadInterrupted",
    "UrlExpired",
    "VideoTooLarge",
    "download",
    "validate_url",
]

CHUNKS_AHEAD = 4
MAX_BYTES = 2 * 1024**3
STALL_SECONDS = 30.0
STOP_POLL_INTERVAL = 0.1

OnProgress = Callable[[int, int | None], None]


class VideoTooLarge(DownloadFailed):
    """The file is larger than anything that is expected. Nothing of it is kept."""


class DiskFull(DownloadFailed):
    """There is no room for the file. What came so far is kept."""


class Cancelled(Exception):
    """`cancel_event` was set. What came so far is kept. Not a WanError: nothing failed, it is what was asked for."""


def download(  # noqa: PLR0913 - limits with good defaults, each by name
    url: str,
    part: Path,
    *,
    on_progress: OnProgress,
    stop: threading.Event,
    own: Origin | None = None,
    max_bytes: int = MAX_BYTES,
    stall_seconds: float = STALL_SECONDS,
) -> int:
    """Stream `url` into the file `part` and return its size in bytes. One try: the caller decides about another.

    What `part` already holds is taken as the beginning of the file and not asked for again. No Authorization header is
    ever sent: not the session's, nor one from the URL or from `.netrc`.

    Args:
        url: http or https. Up to five redirects are followed, each checked like `url`. Only public hosts are asked:
            neither this machine nor one of its own network.
        part: its folder must exist.
        on_progress: called with (bytes so far, bytes in all or None), in the calling thread.
        stop: once set, this ends within a fraction of a second, also while the server is silent.
        own: the one host and port that may be asked although it is near: a server on this very machine.
        max_bytes: most bytes of the file.
        stall_seconds: how long the server may be silent; for a quarter of a megabyte it may take twice as long.

    Raises:
        Stopped: `cancel_event` was set.
        UrlExpired: the server refuses the link, or does not know it (HTTP 403, 404, 410).
        VideoTooLarge: the file is, or says it is, larger than `max_bytes`.
        DownloadInterrupted: worth another try.
        DiskFull: there is no room.
        DownloadFailed: anything else, such as a URL that is not allowed.
    """
    with _disk_errors(part):
        file = part.open("ab", buffering=0)
    with (
        file,
        _read_ahead(iter_chunks(url, file.tell(), own=own, stall_seconds=stall_seconds), cancel_event=stop) as chunks,
    ):
        return _receive(chunks, file, part=part, on_progress=on_progress, max_bytes=max_bytes)


def _receive(chunks: Iterator[Chunk], file: FileIO, *, part: Path, on_progress: OnProgress, max_bytes: int) -> int:
    """Write what arrives and return the file's size, which is what the server said it would be."""
    size, total = 0, None
    for chunk in chunks:
        size, total = chunk.at + len(chunk.data), chunk.total
        if max(size, total or 0) > max_bytes:
            file.truncate(0)  # What came of it is of no use to anybody.
            raise VideoTooLarge(f"The video is over {max_bytes / 2**20:.0f} MB, the most that is fetched.")
        with _disk_errors(part):
            _append(file, chunk)
        on_progress(size, total)
    if total is not None and size != total:
        raise DownloadInterrupted(f"The download broke off after {size} of {total} bytes.")
    return size


def _append(file: FileIO, chunk: Chunk) -> None:
    """Write a piece to the end of a file opened for appending; what is there beyond its beginning is dropped."""
    if file.tell() != chunk.at:
        file.truncate(chunk.at)
        file.seek(chunk.at)
    rest = memoryview(chunk.data)
    while rest:
        rest = rest[file.write(rest) :]


@contextlib.contextmanager
def _disk_errors(part: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)):
            raise DiskFull(f"The disk is full: {part.parent}", hint="Make room, then run again.") from error
        raise DownloadFailed(f"The video cannot be written to {part}: {error.strerror or error}") from error


@contextlib.contextmanager
def _read_ahead(source: Generator[Chunk, None, None], *, cancel_event: threading.Event) -> Iterator[Iterator[Chunk]]:
    """Iterate over a blocking generator that runs in a thread of its own, so that it can be left at any moment.

    Nothing interrupts a read from a silent server. The thread that was left drops what it may still get, and ends at
    the latest when its read times out.
    """
    ready: queue.Queue[Chunk | BaseException | None] = queue.Queue(CHUNKS_AHEAD)
    left = threading.Event()

    def put(item: Chunk | BaseException | None) -> None:
        while not left.is_set():
            with contextlib.suppress(queue.Full):
                ready.put(item, timeout=STOP_POLL_INTERVAL)
                return

    def run() -> None:
        try:
            with contextlib.closing(source):
                for piece in source:
                    put(piece)
                    if left.is_set():
                        return
            put(None)
        except BaseException as error:  # noqa: BLE001 - whatever it is, it belongs to the one who waits
            put(error)

    threading.Thread(target=run, name="wan-download", daemon=True).start()
    try:
        yield _iter_queue(ready, cancel_event=cancel_event)
    finally:
        left.set()


def _iter_queue(ready: queue.Queue[Chunk | BaseException | None], *, cancel_event: threading.Event) -> Iterator[Chunk]:
    """Yield what the other thread puts in, until it puts None."""
    while not cancel_event.is_set():
        try:
            item = ready.get(timeout=STOP_POLL_INTERVAL)
        except queue.Empty:
            continue
        if item is None:
            return
        if isinstance(item, BaseException):
            raise item
        yield item
    # What has come is kept.
    for _ in range(CHUNKS_AHEAD):
        with contextlib.suppress(queue.Empty):
            if isinstance(item := ready.get_nowait(), Chunk):
                yield item
    raise Cancelled
