"""Retries: backoff and retry budgets."""

from __future__ import annotations

import random
from collections.abc import Callable

from ..api.errors import NetworkError, ServiceError, UnexpectedResponse
from ..errors import WanError
from .limits import Clock

MAX_INTERVAL = 30.0
MAX_RETRY_AFTER = 120.0
OUTAGE_TIMEOUT = 15 * 60.0
"""Seconds that the service may be unreachable while a task is polled."""

UNKNOWN_THROTTLE_TIMEOUT = 2 * 60.0
"""Seconds to retry a 429 with an unknown error code: it may concern the account."""


def backoff(tries: int, *, retry_after: float | None = None) -> float:
    """Return the delay in seconds after a number of failed tries: exponential, capped, with jitter.

    `retry_after` is the service's Retry-After in seconds, honoured up to two minutes.
    """
    if retry_after is not None:
        return min(max(retry_after, 0.0), MAX_RETRY_AFTER)
    longest: float = min(2.0 ** min(tries - 1, 10), MAX_INTERVAL)
    return longest * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, not cryptography


class RetryBudget:
    """The retries of transient errors in a row, for at most `seconds` in all. A success resets the budget."""

    def __init__(self, clock: Clock, seconds: float = OUTAGE_TIMEOUT) -> None:
        self._clock = clock
        self._seconds = seconds
        self._tries = 0
        self._since = 0.0

    def reset(self) -> None:
        """Forget the failed tries."""
        self._tries = 0

    async def wait_or_raise(self, error: WanError, report: Callable[[str], None]) -> None:
        """Wait before the next try.

        Raises:
            WanError: the error itself, if it is permanent or the budget is used up.
        """
        self._since = self._since if self._tries else self._clock.now()
        self._tries += 1
        is_transient = (isinstance(error, NetworkError) and not error.permanent) or isinstance(
            error, UnexpectedResponse
        )
        is_transient = is_transient or (isinstance(error, ServiceError) and error.retry)
        unknown = isinstance(error, ServiceError) and not error.known and error.http_status == 429
        limit = min(self._seconds, UNKNOWN_THROTTLE_TIMEOUT) if unknown else self._seconds
        if not is_transient or self._clock.now() - self._since > limit:
            raise error
        retry_after = error.retry_after if isinstance(error, ServiceError) else None
        await self._clock.sleep_with_countdown(
            backoff(self._tries, retry_after=retry_after),
            lambda left: report(f"{error.message} Retrying in {left:.0f} s"),
        )
