"""What the mock server consists of behind its HTTP side."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from aiohttp import web

from .responses import HttpError, error_response
from .storage import Storage
from .tasks import TaskStore
from .worker import RenderWorker

On = Literal["create", "query", "list", "models", "cancel", "policy", "upload", "download"]
"""The eight calls of the protocol."""

_MINUTE = 60.0
_MAX_REQUESTS = 500
_MAX_LOG_BYTES = 64 * 1024 * 1024


@dataclass
class ServerState:
    """What the calls work on. `base_url` is the server's `http://host:port`."""

    base_url: str
    key: str
    region: str
    clock: Callable[[], float]
    rates: RateEnforcer
    request_log: RequestLog
    tasks: TaskStore
    storage: Storage
    worker: RenderWorker


STATE = web.AppKey("state", ServerState)


class RateEnforcer:
    """Counts the latest calls by the server's clock. Safe to use from several threads."""

    def __init__(self, clock: Callable[[], float], *, enforced: bool) -> None:
        self.enforced = enforced
        self._clock = clock
        self._lock = threading.Lock()
        self._times: dict[str, deque[float]] = {}

    def check(self, what: str, *, per_second: float) -> None:
        """Count a call of the kind `what`. Raises HttpError, 429, where there were too many before it.

        What is less than one a second is a number of calls a minute, and is counted over a minute.
        """
        if not self.enforced:
            return
        window = 1.0 if per_second >= 1 else _MINUTE
        now = self._clock()
        with self._lock:
            times = self._times.setdefault(what, deque())
            while times and times[0] <= now - window:
                times.popleft()
            if len(times) >= max(1, round(per_second * window)):
                message = "Requests rate limit exceeded, please try again later."
                raise HttpError(error_response(429, code="Throttling.RateQuota", message=message))
            times.append(now)


@dataclass(frozen=True)
class RecordedRequest:
    """A request as it came in.

    `body` is the parsed JSON, or None where it was none or was not read; `size` is the body's length in bytes; `at` is
    the server's clock. `on` is None where the protocol has no such call. Header names are in lower case.
    """

    on: str | None
    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Any
    size: int
    at: float


class RequestLog:
    """The latest requests: at most 500 of them and 64 MiB of bodies. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: deque[RecordedRequest] = deque(maxlen=_MAX_REQUESTS)

    def add(self, received: RecordedRequest) -> None:
        """Keep a request, and forget the oldest where there are too many."""
        with self._lock:
            self._kept.append(received)
            while len(self._kept) > 1 and sum(one.size for one in self._kept if one.body is not None) > _MAX_LOG_BYTES:
                self._kept.popleft()

    def all(self) -> list[RecordedRequest]:
        """Return the requests that are kept, oldest first."""
        with self._lock:
            return list(self._kept)
