"""A finished video streamed from its URL into a file, going on where an earlier try left off."""

from __future__ import annotations

import contextlib
import errno
import queue
import re
import threading
from collections.abc import Callable, Generator, Iterator
from functools import partial
from io import FileIO
from pathlib import Path
from urllib.parse import urljoin

import requests
import urllib3

from ..errors import DownloadFailed
from ..files import how_to_free, when_free
from ..frozen import frozen
from ..messages import Message
from .cause import cause_of
from .hosts import BlockedHost, Origin, origin_of, validate_url
from .http import Deadline, Stage, is_compressed, iter_body, untrusted_session

CHUNK_BYTES, CHUNKS_AHEAD = 256 * 1024, 4
MAX_BYTES, MAX_REDIRECTS = 2 * 1024**3, 5
CONNECT_SECONDS, STALL_SECONDS, GRACE_SECONDS = 10.0, 30.0, 1.0
STOP_POLL_INTERVAL = 0.1

OnProgress = Callable[[int, int | None], None]


class UrlExpired(DownloadFailed):
    """The URL leads to no video, or no longer to one. Trying the same URL again is of no use."""


class DownloadInterrupted(DownloadFailed):
    """The connection broke. The partial download is kept, and a retry resumes it."""


class VideoTooLarge(DownloadFailed):
    """The file is larger than any expected video. None of it is kept."""


class DiskFull(DownloadFailed):
    """The disk is full. The partial download is kept."""


class Cancelled(Exception):
    """`stop` was set. What came so far is kept. Not a WanError: nothing failed, it is what was asked for."""


@frozen
class Chunk:
    """Bytes of the file from offset `at` on. `total` is the file's size, None if unknown."""

    at: int
    data: bytes
    total: int | None


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
        Cancelled: `stop` was set.
        UrlExpired: the server refuses the URL, or does not know it (HTTP 403, 404, 410).
        VideoTooLarge: the file is, or says it is, larger than `max_bytes`.
        DownloadInterrupted: worth another try.
        DiskFull: there is no room.
        DownloadFailed: anything else, such as a URL that is not allowed.
    """
    with _disk_errors(part):
        try:
            file = part.open("ab", buffering=0)
        except PermissionError:
            file = when_free(lambda: part.open("ab", buffering=0))
    source = iter_chunks(url, file.tell(), own=own, stall_seconds=stall_seconds)
    with file, _read_ahead(source, stop=stop) as chunks:
        return _receive(chunks, file, part=part, on_progress=on_progress, max_bytes=max_bytes)


def iter_chunks(url: str, have: int, *, own: Origin | None, stall_seconds: float) -> Generator[Chunk, None, None]:
    """Request a file from byte `have` on and yield its chunks, the first one empty with the offset.

    `own` is the only local host and port that may be contacted.
    """
    limit = Deadline(GRACE_SECONDS + 2 * stall_seconds)
    failure: DownloadFailed
    try:
        with limit, untrusted_session(own) as session:
            get = partial(_get, session, url, limit=limit, timeout=(CONNECT_SECONDS, stall_seconds))
            yield from _iter_response(get, have, limit=limit)
    except BlockedHost as error:
        failure = DownloadFailed(Message("The video is not downloaded: {reason}", reason=error.message))
    except DownloadFailed as error:
        failure = error.with_traceback(None)
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
        failure = _failure(error, url, limit=limit)
    else:
        return
    # Raised outside the except block: the caught exception holds the request with the URL's signature, and its frames
    # hold the response.
    raise failure


def _iter_response(
    get: Callable[[int], requests.Response], have: int, *, limit: Deadline
) -> Generator[Chunk, None, None]:
    with contextlib.ExitStack() as closing:
        response = closing.enter_context(get(have))
        at, total = have, _size_if_continued(response, have)
        if response.status_code in (206, 416) and total is None:
            # The partial download does not belong to this file.
            response = closing.enter_context(get(0))
        if total is None:
            _check_status(response)
            at, total = 0, _number(response.headers.get("Content-Length"))
        yield Chunk(at, b"", total)
        if at == total:
            return
        since = 0
        for data in iter_body(response, size=CHUNK_BYTES):
            since += len(data)
            if since >= CHUNK_BYTES:
                limit.start()
                since = 0
            yield Chunk(at, data, total)
            at += len(data)


def _get(
    session: requests.Session, url: str, have: int, *, limit: Deadline, timeout: tuple[float, float]
) -> requests.Response:
    """Ask for `url` from byte `have` on and return the first response that is no redirect, its body unread."""
    headers = {"Range": f"bytes={have}-"} if have else {}
    for _ in range(MAX_REDIRECTS + 1):
        validate_url(url)
        # Reset after a redirect, possibly from another host.
        limit.sent, limit.stage = False, Stage.NOTHING
        response = session.get(
            url, headers=headers, stream=True, allow_redirects=False, timeout=timeout, auth=_without_credentials
        )
        if not response.is_redirect:
            return response
        response.close()
        try:
            url = urljoin(url, response.headers["Location"])
        except ValueError:
            url = ""
    raise DownloadFailed(Message("The video's URL was redirected more than {count} times.", count=MAX_REDIRECTS))


def _without_credentials(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Replace every other source of credentials, such as `.netrc` and the URL."""
    request.headers.pop("Authorization", None)
    return request


def _size_if_continued(response: requests.Response, have: int) -> int | None:
    """Return the file's size if this response continues at byte `have`, or says that the file is complete."""
    pattern = {206: r"bytes (\d{1,18})-\d{1,18}/(\d{1,18})", 416: r"bytes \*/((\d{1,18}))"}.get(response.status_code)
    found = re.fullmatch(pattern, response.headers.get("Content-Range", "")) if pattern else None
    return int(found[2]) if found and int(found[1]) == have else None


def _number(text: str | None) -> int | None:
    return int(text) if text and re.fullmatch(r"\d{1,18}", text, re.ASCII) else None


def _check_status(response: requests.Response) -> None:
    status, host = response.status_code, origin_of(response.url)[0]
    if status == 200:
        if is_compressed(response):
            raise DownloadFailed(Message("{host} sent the video compressed, which was not requested.", host=host))
        return
    if status in (403, 404, 410):
        raise UrlExpired(Message("{host} no longer provides the video (HTTP {status}).", host=host, status=status))
    if status in (408, 425, 429) or status >= 500:
        raise DownloadInterrupted(
            Message("{host} cannot send the video now (HTTP {status}).", host=host, status=status)
        )
    raise DownloadFailed(Message("{host} returned HTTP {status} instead of the video.", host=host, status=status))


def _failure(error: Exception, url: str, *, limit: Deadline) -> DownloadFailed:
    """Return the error of a failed request, without the exception itself, which quotes the request."""
    if limit.over:
        return DownloadInterrupted(Message("{host} sent the video too slowly.", host=origin_of(url)[0]))
    cause = cause_of(error, url, limit=limit)
    kind = DownloadFailed if cause.permanent else DownloadInterrupted
    return kind(cause.message, hint=cause.hint)


@contextlib.contextmanager
def _read_ahead(source: Generator[Chunk, None, None], *, stop: threading.Event) -> Iterator[Iterator[Chunk]]:
    """Iterate over a blocking generator that runs in a thread of its own, so that it can be left at any moment.

    The thread that was left drops what it may still get, and ends at the latest when its read times out.
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
        yield _iter_queue(ready, stop=stop)
    finally:
        left.set()


def _iter_queue(ready: queue.Queue[Chunk | BaseException | None], *, stop: threading.Event) -> Iterator[Chunk]:
    """Yield the chunks of the other thread until it puts None."""
    while not stop.is_set():
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


def _receive(chunks: Iterator[Chunk], file: FileIO, *, part: Path, on_progress: OnProgress, max_bytes: int) -> int:
    """Write the chunks and return the file's size, which must equal the announced one."""
    size, total = 0, None
    for chunk in chunks:
        size, total = chunk.at + len(chunk.data), chunk.total
        if max(size, total or 0) > max_bytes:
            file.truncate(0)  # What came of it is of no use to anybody.
            raise VideoTooLarge(
                Message("The video is larger than {most:.0f} MB, the download limit.", most=max_bytes / 2**20)
            )
        with _disk_errors(part):
            append_chunk(file, chunk)
        on_progress(size, total)
    if total is not None and size != total:
        raise DownloadInterrupted(
            Message("The download was interrupted after {size} of {total} bytes.", size=size, total=total)
        )
    return size


def append_chunk(file: FileIO, chunk: Chunk) -> None:
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
            told = Message("No space left in {folder}.", folder=part.parent)
            raise DiskFull(told, hint=Message("Free some space and run again.")) from error
        reason = error.strerror or error
        told = Message("The video cannot be written to {path}: {reason}", path=part, reason=reason)
        raise DownloadFailed(told, hint=how_to_free(error, part)) from error
