"""What the mock server consists of behind its HTTP side."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from .responses import HttpError, error_response
from .storage import Storage
from .tasks import TaskStore
from .worker import RenderWorker

_MINUTE = 60.0


@dataclass(frozen=True)
class ServerState:
    """The parts that the calls work on. `base_url` is the server's `http://host:port`."""

    base_url: str
    key: str
    region: str
    clock: Callable[[], float]
    rates: RateLimiter
    tasks: TaskStore
    storage: Storage
    worker: RenderWorker


class RateLimiter:
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
