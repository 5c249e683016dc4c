"""A finished video's link: which URLs are allowed, what is asked, and what the responses mean."""

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
    """The link leads to no video, or no longer to one. Trying the same link again is of no use."""


class DownloadInterrupted(DownloadFailed):
    """The network or the server let go. What came so far is kept, and the same call again goes on from there."""


@dataclass(frozen=True)
class Chunk:
    """Bytes of the file from offset `at` on. `total` is the whole file's size, None where the server does not say."""

    at: int
    data: bytes
    total: int | None


def validate_url(url: str) -> None:
    """Refuse a URL that no video is fetched from. Which host it is, is looked at when it is connected to.

    Raises:
        DownloadFailed: it is not http or https, or has no host.
    """
    try:
        parts = urlsplit(url)
        scheme, host = parts.scheme, parts.hostname
    except ValueError:
        scheme, host = "", None
    if scheme not in ("", "http", "https"):
        raise DownloadFailed(f"A video is fetched over http or https only; the address begins with '{scheme[:20]}:'.")
    if not scheme or not host:
        raise DownloadFailed("The video's address is not valid.")


def iter_chunks(url: str, have: int, *, own: Origin | None, stall_seconds: float) -> Generator[Chunk, None, None]:
    """Ask for a file from byte `have` on and yield what comes, first an empty piece that says where it begins.

    `own` is the one host and port of this machine or its network that may be asked.
    """
    limit = Deadline(GRACE_SECONDS + 2 * stall_seconds)
    failure: DownloadFailed
    try:
        with limit, untrusted_session(own) as session:
            link = _Link(session, limit=limit, stall_seconds=stall_seconds)
            yield from _iter_response(link, url, have, limit=limit)
    except BlockedHost as error:
        failure = DownloadFailed(f"The video is not fetched: {error.message}")
    except DownloadFailed as error:
        failure = error.with_traceback(None)
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
        failure = _failure(error, url, limit=limit)
    else:
        return
    # Raised here and not above: what requests raises holds the whole request, the signature in its URL included,
    # and the frames below hold the response.
    raise failure


def _iter_response(link: _Link, url: str, have: int, *, limit: Deadline) -> Generator[Chunk, None, None]:
    with contextlib.ExitStack() as closing:
        response = closing.enter_context(link.get(url, have))
        at, total = have, _size_if_continued(response, have)
        if response.status_code in (206, 416) and total is None:
            # What is here is not the beginning of what is there.
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
                limit.start()
                since = 0
            yield Chunk(at, data, total)
            at += len(data)


class _Link:
    """How a video is asked for: no credentials, few redirects, no compression (it would change the lengths)."""

    def __init__(self, session: requests.Session, *, limit: Deadline, stall_seconds: float) -> None:
        self._session = session
        self._limit = limit
        self._timeout = (CONNECT_SECONDS, stall_seconds)

    def get(self, url: str, have: int) -> requests.Response:
        """Ask for `url` from byte `have` on and return the first answer that is no redirect, its body unread."""
        headers = {"Range": f"bytes={have}-"} if have else {}
        for _ in range(MAX_REDIRECTS + 1):
            validate_url(url)
            # What went before, to another host perhaps, says nothing of this request.
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
        raise DownloadFailed(f"The video's address was redirected more than {MAX_REDIRECTS} times.")


def _target(url: str, location: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError:
        return ""


def _without_credentials(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Take the place of every other source of credentials, `.netrc` and the URL among them."""
    request.headers.pop("Authorization", None)
    return request


def _size_if_continued(response: requests.Response, have: int) -> int | None:
    """Return the whole file's size if this response goes on at byte `have`, or says that nothing is left to come."""
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
        raise DownloadFailed(f"{host} sent the video compressed, which was not asked for.")
    if status in (403, 404, 410):
        raise UrlExpired(f"{host} no longer hands out the video (HTTP {status}).")
    if status in (408, 425, 429) or status >= 500:
        raise DownloadInterrupted(f"{host} cannot send the video now (HTTP {status}).")
    raise DownloadFailed(f"{host} answered HTTP {status} instead of sending the video.")


def _stalled(url: str) -> DownloadInterrupted:
    return DownloadInterrupted(f"{origin_of(url)[0]} sent too little for too long.")


def _failure(error: Exception, url: str, *, limit: Deadline) -> DownloadFailed:
    """Say what happened on the way, without the exception itself: it quotes the request."""
    if limit.over:
        return _stalled(url)
    cause = cause_of(error, url, limit=limit)
    kind = DownloadFailed if cause.permanent else DownloadInterrupted
    return kind(cause.message, hint=cause.hint)
