"""Requests for a finished video: allowed URLs, ranges, redirects and errors."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Generator
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

import requests
import urllib3

from ..errors import DownloadFailed
from .cause import cause_of
from .hosts import BlockedHost, Origin, origin_of
from .http import Deadline, Stage, is_compressed, iter_body, untrusted_session

CHUNK_BYTES = 256 * 1024
MAX_REDIRECTS = 5
CONNECT_SECONDS = 10.0
GRACE_SECONDS = 1.0


class UrlExpired(DownloadFailed):
    """The URL has expired or is unknown. A retry with the same URL is useless."""


class DownloadInterrupted(DownloadFailed):
    """The connection broke. The partial download is kept, and a retry resumes it."""


@dataclass(frozen=True)
class Chunk:
    """Bytes of the file from offset `at` on. `total` is the file's size, None if unknown."""

    at: int
    data: bytes
    total: int | None


def validate_url(url: str) -> None:
    """Reject a URL that cannot be a video's. Its host is checked on connecting.

    Raises:
        DownloadFailed: the URL is not http or https, or has no host.
    """
    try:
        parts = urlsplit(url)
        scheme, host = parts.scheme, parts.hostname
    except ValueError:
        scheme, host = "", None
    if scheme not in ("", "http", "https"):
        raise DownloadFailed(f"The video's URL must be http or https; it begins with '{scheme[:20]}:'.")
    if not scheme or not host:
        raise DownloadFailed("The video's URL is invalid.")


def iter_chunks(url: str, have: int, *, own: Origin | None, stall_seconds: float) -> Generator[Chunk, None, None]:
    """Request a file from byte `have` on and yield its chunks, the first one empty with the offset.

    `own` is the only local host and port that may be contacted.
    """
    limit = Deadline(GRACE_SECONDS + 2 * stall_seconds)
    failure: DownloadFailed
    try:
        with limit, untrusted_session(own) as session:
            link = _Link(session, limit=limit, stall_seconds=stall_seconds)
            yield from _iter_response(link, url, have, limit=limit)
    except BlockedHost as error:
        failure = DownloadFailed(f"The video is not downloaded: {error.message}")
    except DownloadFailed as error:
        failure = error.with_traceback(None)
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
        failure = _failure(error, url, limit=limit)
    else:
        return
    # Raised outside the except block: the caught exception holds the request with the URL's signature, and its frames
    # hold the response.
    raise failure


def _iter_response(link: _Link, url: str, have: int, *, limit: Deadline) -> Generator[Chunk, None, None]:
    with contextlib.ExitStack() as closing:
        response = closing.enter_context(link.get(url, have))
        at, total = have, _size_if_continued(response, have)
        if response.status_code in (206, 416) and total is None:
            # The partial download does not belong to this file.
            response = closing.enter_context(link.get(url, 0))
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
                limit.extend()
                since = 0
            yield Chunk(at, data, total)
            at += len(data)
        if limit.over:
            raise _stalled(url)


class _Link:
    """Requests a video without credentials or compression, following few redirects."""

    def __init__(self, session: requests.Session, *, limit: Deadline, stall_seconds: float) -> None:
        self._session = session
        self._limit = limit
        self._timeout = (CONNECT_SECONDS, stall_seconds)

    def get(self, url: str, have: int) -> requests.Response:
        """Request `url` from byte `have` on and return the first response that is no redirect, with an unread body."""
        headers = {"Range": f"bytes={have}-"} if have else {}
        for _ in range(MAX_REDIRECTS + 1):
            validate_url(url)
            # Reset after a redirect, possibly from another host.
            self._limit.sent, self._limit.stage = False, Stage.NOTHING
            response = self._session.get(
                url,
                headers=headers,
                stream=True,
                allow_redirects=False,
                timeout=self._timeout,
                auth=_without_credentials,
            )
            if not response.is_redirect:
                return response
            response.close()
            url = _target(url, response.headers["Location"])
        raise DownloadFailed(f"The video's URL was redirected more than {MAX_REDIRECTS} times.")


def _target(url: str, location: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError:
        return ""


def _without_credentials(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Replace every other source of credentials, such as `.netrc` and the URL."""
    request.headers.pop("Authorization", None)
    return request


def _size_if_continued(response: requests.Response, have: int) -> int | None:
    """Return the file's size if this response continues at byte `have`, or says that the file is complete."""
    reported = response.headers.get("Content-Range", "")
    if response.status_code == 206:
        found = re.fullmatch(r"bytes (\d{1,18})-\d{1,18}/(\d{1,18})", reported)
        return int(found[2]) if found and int(found[1]) == have else None
    if response.status_code == 416:
        found = re.fullmatch(r"bytes \*/(\d{1,18})", reported)
        return have if found and int(found[1]) == have else None
    return None


def _number(text: str | None) -> int | None:
    return int(text) if text and re.fullmatch(r"\d{1,18}", text, re.ASCII) else None


def _check_status(response: requests.Response) -> None:
    status, host = response.status_code, origin_of(response.url)[0]
    if status == 200 and not is_compressed(response):
        return
    if status == 200:
        raise DownloadFailed(f"{host} sent the video compressed, which was not requested.")
    if status in (403, 404, 410):
        raise UrlExpired(f"{host} no longer provides the video (HTTP {status}).")
    if status in (408, 425, 429) or status >= 500:
        raise DownloadInterrupted(f"{host} cannot send the video now (HTTP {status}).")
    raise DownloadFailed(f"{host} returned HTTP {status} instead of the video.")


def _stalled(url: str) -> DownloadInterrupted:
    return DownloadInterrupted(f"{origin_of(url)[0]} sent the video too slowly.")


def _failure(error: Exception, url: str, *, limit: Deadline) -> DownloadFailed:
    """Return the error of a failed request, without the exception itself, which quotes the request."""
    if limit.over:
        return _stalled(url)
    cause = cause_of(error, url, limit=limit)
    kind = DownloadFailed if cause.permanent else DownloadInterrupted
    return kind(cause.message, hint=cause.hint)
