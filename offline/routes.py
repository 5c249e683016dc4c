"""The calls of the protocol: which request is which, and what a caller may send with it."""

from __future__ import annotations

import re
import threading
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from ..wan.catalog.models import MODELS
from ..wan.catalog.regions import API_PATH
from .faults import Fault, On
from .storage import MAX_FILE_MB

BODY_LIMIT = 6_291_456
"""Bytes of a JSON body, as measured at the service's gateway (dashscope.md section 8)."""

_FORM_ROOM = 64 * 1024
UPLOAD_LIMIT = MAX_FILE_MB * 1024 * 1024 + _FORM_ROOM
_MAX_REQUESTS = 500
_MAX_LOG_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True)
class _Route:
    on: On
    method: str
    path: re.Pattern[str]
    limit: int = _FORM_ROOM


_API = re.escape(API_PATH)
_CREATES = "|".join(sorted({re.escape(model.request_format.path) for model in MODELS.values()}))
_ROUTES = (
    # The vendor's asynchronous client ends every URL with a slash.
    _Route("create", "POST", re.compile(f"{_API}(?:{_CREATES})/?"), BODY_LIMIT),
    _Route("cancel", "POST", re.compile(_API + r"/tasks/(?P<name>[^/]+)/cancel/?")),
    _Route("query", "GET", re.compile(_API + r"/tasks/(?P<name>[^/]+)/?")),
    _Route("list", "GET", re.compile(_API + "/tasks/?")),
    _Route("models", "GET", re.compile(_API + "/models/?")),
    _Route("policy", "GET", re.compile(_API + "/uploads/?")),
    _Route("upload", "POST", re.compile("/upload/?"), UPLOAD_LIMIT),
    _Route("download", "GET", re.compile(r"/files/(?P<name>[^/]+)\.mp4")),
)


@dataclass(frozen=True)
class Request:
    """One request that belongs to the protocol. Header names are in lower case.

    `name` is the task id of the path, where there is one. `limit` is the largest body in bytes. `fault` is what is
    to go wrong with this call.
    """

    on: On
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    name: str
    limit: int
    body: bytes = b""
    fault: Fault | None = None


def parse_request(method: str, target: str, *, headers: Iterable[tuple[str, str]]) -> Request | None:
    """Recognise a request by its method and target, or return None where the protocol has no such call.

    HEAD is GET: only the body of the response is not sent.
    """
    parts = urlsplit(target)
    path = unquote(parts.path)
    for route in _ROUTES:
        found = route.path.fullmatch(path)
        if found and route.method == ("GET" if method == "HEAD" else method):
            return Request(
                on=route.on,
                path=path,
                query=dict(parse_qsl(parts.query, keep_blank_values=True)),
                headers={name.lower(): value for name, value in headers},
                name=found.groupdict().get("name", ""),
                limit=route.limit,
            )
    return None


@dataclass(frozen=True)
class RecordedRequest:
    """A request as it came in, for tests.

    `body` is the parsed JSON, or None where it was none or was not read; `size` is the body's length in bytes; `at` is
    the server's clock. `on` is None where the protocol has no such call.
    """

    on: On | None
    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Any
    size: int
    at: float


class RequestLog:
    """The latest requests: at most 500 of them and 64 MiB of bodies."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: deque[RecordedRequest] = deque(maxlen=_MAX_REQUESTS)

    def add(self, received: RecordedRequest) -> None:
        """Keep a request, and forget the oldest where there are too many."""
        with self._lock:
            self._kept.append(received)
            while len(self._kept) > 1 and sum(_weight(one) for one in self._kept) > _MAX_LOG_BYTES:
                self._kept.popleft()

    def all(self) -> list[RecordedRequest]:
        """Return the requests that are kept, oldest first."""
        with self._lock:
            return list(self._kept)


def _weight(received: RecordedRequest) -> int:
    return 0 if received.body is None else received.size
