"""Downloading a finished video into a file, resuming an earlier partial download."""

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
    """The file is larger than any expected video. None of it is kept."""


class DiskFull(DownloadFailed):
    """The disk is full. The partial download is kept."""


class Cancelled(Exception):
    """The `stop` event was set. The partial download is kept. Not a WanError, as nothing failed."""


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
    """Download `url` into the file `part` and return its size in bytes. One try: retries are the caller's.

    An existing `part` is taken as the beginning of the file and resumed. No Authorization header is ever sent: neither
    the session's, nor one from the URL or from `.netrc`.

    Args:
        url: http or https. Up to five redirects are followed, each checked like `url`. Only public hosts are
            contacted, neither this machine nor its network.
        part: its folder must exist.
        on_progress: called with (bytes so far, total bytes or None), in the calling thread.
        stop: once set, the download ends within a fraction of a second, even while the server is silent.
        own: the only local host and port that may be contacted, for a server on this machine.
        max_bytes: maximum size of the file.
        stall_seconds: how long the server may be silent; a quarter of a megabyte may take twice as long.

    Raises:
        Cancelled: `stop` was set.
        UrlExpired: the server rejects the URL, or does not know it (HTTP 403, 404, 410).
        VideoTooLarge: the file, or its announced size, is larger than `max_bytes`.
        DownloadInterrupted: a transient failure; a retry resumes the download.
        DiskFull: the disk is full.
        DownloadFailed: any other failure, such as a URL that is not allowed.
    """
    with _disk_errors(part):
        file = part.open("ab", buffering=0)
    with (
        file,
        _read_ahead(iter_chunks(url, file.tell(), own=own, stall_seconds=stall_seconds), cancel_event=stop) as chunks,
    ):
        return _receive(chunks, file, part=part, on_progress=on_progress, max_bytes=max_bytes)


def _receive(chunks: Iterator[Chunk], file: FileIO, *, part: Path, on_progress: OnProgress, max_bytes: int) -> int:
    """Write the chunks and return the file's size, which must equal the announced one."""
    size, total = 0, None
    for chunk in chunks:
        size, total = chunk.at + len(chunk.data), chunk.total
        if max(size, total or 0) > max_bytes:
            file.truncate(0)
            raise VideoTooLarge(f"The video is larger than {max_bytes / 2**20:.0f} MB, the download limit.")
        with _disk_errors(part):
            _append(file, chunk)
        on_progress(size, total)
    if total is not None and size != total:
        raise DownloadInterrupted(f"The download was interrupted after {size} of {total} bytes.")
    return size


def _append(file: FileIO, chunk: Chunk) -> None:
    """Write a chunk at its offset into a file opened for appending, dropping any bytes beyond that offset."""
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
            raise DiskFull(f"No space left in {part.parent}.", hint="Free some space and run again.") from error
        raise DownloadFailed(f"The video cannot be written to {part}: {error.strerror or error}") from error


@contextlib.contextmanager
def _read_ahead(source: Generator[Chunk, None, None], *, cancel_event: threading.Event) -> Iterator[Iterator[Chunk]]:
    """Iterate over a blocking generator in a thread, so that the caller can leave at any moment.

    A read from a silent server cannot be interrupted. After the caller has left, the thread drops further chunks and
    ends when its read times out at the latest.
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
        except BaseException as error:  # noqa: BLE001 - passed on to the waiting thread
            put(error)

    threading.Thread(target=run, name="wan-download", daemon=True).start()
    try:
        yield _iter_queue(ready, cancel_event=cancel_event)
    finally:
        left.set()


def _iter_queue(ready: queue.Queue[Chunk | BaseException | None], *, cancel_event: threading.Event) -> Iterator[Chunk]:
    """Yield the chunks of the other thread until it puts None."""
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
    # The chunks received so far are kept.
    for _ in range(CHUNKS_AHEAD):
        with contextlib.suppress(queue.Empty):
            if isinstance(item := ready.get_nowait(), Chunk):
                yield item
    raise Cancelled
