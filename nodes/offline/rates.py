"""Rate limits: how many calls of a kind are answered within a second."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from .answers import RefusedError, refusal


class Rates:
    """Counts calls in the last second of the server's clock. Safe to use from several threads."""

    def __init__(self, clock: Callable[[], float], *, enforced: bool) -> None:
        self._clock = clock
        self._enforced = enforced
        self._lock = threading.Lock()
        self._times: dict[str, deque[float]] = {}

    def check(self, what: str, *, limit: int) -> None:
        """Count a call of the kind `what`. Raises RefusedError, 429, where there were `limit` in the last second."""
        if not self._enforced:
            return
        now = self._clock()
        with self._lock:
            times = self._times.setdefault(what, deque())
            while times and times[0] <= now - 1:
                times.popleft()
            if len(times) >= limit:
                message = "Requests rate limit exceeded, please try again later."
                raise RefusedError(refusal(429, code="Throttling.RateQuota", message=message))
            times.append(now)
