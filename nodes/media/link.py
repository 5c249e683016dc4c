"""A finished video's link: which addresses are allowed, what is asked, and what the answers mean."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

import requests

from ..errors import DownloadFailed

CHUNK_BYTES = 256 * 1024
MAX_REDIRECTS = 5
CONNECT_SECONDS = 10.0


class LinkExpired(DownloadFailed):
    """The link leads to no video, or no longer to one. Trying the same link again is of no use."""


class DownloadInterrupted(DownloadFailed):
    """The network or the server let go. What came so far is kept, and the same call again goes on from there."""


@dataclass(frozen=True)
class Piece:
    """Bytes of the file from offset `at` on. `total` is the whole file's size, None where the server does not say."""

    at: int
    data: bytes
    total: int | None


def check_address(url: str) -> None:
    """Refuse an address that no video is fetched from.

    Raises:
        DownloadFailed: it is not http or https, or has no host.
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError as error:
        raise DownloadFailed("The video's address is not valid.") from error
    if parts.scheme not in ("http", "https"):
        raise DownloadFailed(f"A video is fetched over http or https only; the address begins with '{parts.scheme}:'.")
    if not host:
        raise DownloadFailed("The video's address names no host.")


def pieces(
    url: str, have: int, *, session: requests.Session | None, stall_seconds: float
) -> Generator[Piece, None, None]:
    """Ask for a file from byte `have` on and yield what comes, first an empty piece that says where it begins."""
    with contextlib.ExitStack() as closing, _network_errors(url):
        link = _Link(session or closing.enter_context(requests.Session()), stall_seconds=stall_seconds)
        response = closing.enter_context(link.get(url, have))
        at, total = have, _size_if_continued(response, have)
        if response.status_code in (206, 416) and total is None:
            # What is here is not the beginning of what is there.
            response = closing.enter_context(link.get(url, 0))
        if total is None:
            _check_status(response)
            at, total = 0, _number(response.headers.get("Content-Length"))
        yield Piece(at, b"", total)
        if at == total:
            return
        for data in response.iter_content(CHUNK_BYTES):
            yield Piece(at, data, total)
            at += len(data)


class _Link:
    """How a video is asked for: no credentials, few redirects, no compression (it would change the lengths)."""

    def __init__(self, session: requests.Session, *, stall_seconds: float) -> None:
        self._session = session
        self._timeout = (CONNECT_SECONDS, stall_seconds)

    def get(self, url: str, have: int) -> requests.Response:
        """Ask for `url` from byte `have` on and return the first answer that is no redirect, its body unread."""
        headers = {"Accept-Encoding": "identity"}
        if have:
            headers["Range"] = f"bytes={have}-"
        for _ in range(MAX_REDIRECTS + 1):
            check_address(url)
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
            url = urljoin(url, response.headers["Location"])
        raise DownloadFailed(f"The video's address was redirected more than {MAX_REDIRECTS} times.")


def _without_credentials(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Take the place of every other source of credentials, `.netrc` and the address among them."""
    request.headers.pop("Authorization", None)
    return request


def _size_if_continued(response: requests.Response, have: int) -> int | None:
    """Return the whole file's size if this answer goes on at byte `have`, or says that nothing is left to come."""
    told = response.headers.get("Content-Range", "")
    if response.status_code == 206:
        found = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", told)
        return int(found[2]) if found and int(found[1]) == have else None
    if response.status_code == 416:
        found = re.fullmatch(r"bytes \*/(\d+)", told)
        return have if found and int(found[1]) == have else None
    return None


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isdecimal() else None


def _check_status(response: requests.Response) -> None:
    status, host = response.status_code, urlsplit(response.url).hostname
    if status == 200:
        return
    if status in (403, 404, 410):
        raise LinkExpired(f"{host} no longer hands out the video (HTTP {status}).")
    if status in (408, 425, 429) or status >= 500:
        raise DownloadInterrupted(f"{host} cannot send the video now (HTTP {status}).")
    raise DownloadFailed(f"{host} answered HTTP {status} instead of sending the video.")


@contextlib.contextmanager
def _network_errors(url: str) -> Iterator[None]:
    try:
        yield
    except ValueError as error:  # requests' and urllib3's own errors about addresses are ValueErrors
        raise DownloadFailed("The video's address is not valid.") from error
    except requests.RequestException as error:
        host = urlsplit(url).hostname
        raise DownloadInterrupted(f"The connection to {host} broke off ({type(error).__name__}).") from error
