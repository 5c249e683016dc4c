"""Retries: backoff, retry budgets and the rate limiter."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from ..api.errors import NetworkError, ServiceError, UnexpectedResponse
from ..errors import WanError

MAX_INTERVAL = 30.0
MAX_RETRY_AFTER = 120.0
OUTAGE_TIMEOUT = 15 * 60.0
"""Seconds that the service may be unreachable while a task is polled."""

UNKNOWN_THROTTLE_TIMEOUT = 2 * 60.0
"""Seconds to retry a 429 with an unknown error code: it may concern the account."""

QUERIES_PER_SECOND = 20
"""The service's query limit per main account. All its keys share it, so one limit serves the process."""

SPACING = 1.1
"""Factor by which requests are spaced wider than the rate requires, as a request may leave late."""

_lock = threading.Lock()
_next_slot: dict[tuple[str, ...], float] = {}


@dataclass
class Tempo:
    """The real seconds of one second of waiting: 1.0 is real time. Every sleep and timeout is scaled by it.

    `clock` returns the time in seconds; if it is not the machine's own, the event loop must use it too.
    """

    scale: float = 1.0
    clock: Callable[[], float] = time.monotonic


TEMPO = Tempo()


def now() -> float:
    """Return the seconds of waiting since some moment in the past."""
    return TEMPO.clock() / TEMPO.scale


def backoff(tries: int, *, retry_after: float | None = None) -> float:
    """Return the delay in seconds after a number of failed tries: exponential, capped, with jitter.

    `retry_after` is the service's Retry-After in seconds, honoured up to two minutes.
    """
    if retry_after is not None:
        return min(max(retry_after, 0.0), MAX_RETRY_AFTER)
    longest: float = min(2.0 ** min(tries - 1, 10), MAX_INTERVAL)
    return longest * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, not cryptography


async def sleep_with_countdown(seconds: float, on_tick: Callable[[float], None]) -> None:
    """Sleep, calling `on_tick` once a second with the seconds left."""
    until = now() + seconds
    while (left := until - now()) > 0:
        on_tick(left)
        await asyncio.sleep(min(1.0, left) * TEMPO.scale)


class RetryBudget:
    """The retries of transient errors in a row, for at most `seconds` in all. A success resets the budget."""

    def __init__(self, seconds: float = OUTAGE_TIMEOUT) -> None:
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
        self._since = self._since if self._tries else now()
        self._tries += 1
        is_transient = (isinstance(error, NetworkError) and not error.permanent) or isinstance(
            error, UnexpectedResponse
        )
        is_transient = is_transient or (isinstance(error, ServiceError) and error.retry)
        unknown = isinstance(error, ServiceError) and not error.known and error.http_status == 429
        if not is_transient or now() - self._since > (
            min(self._seconds, UNKNOWN_THROTTLE_TIMEOUT) if unknown else self._seconds
        ):
            raise error
        retry_after = error.retry_after if isinstance(error, ServiceError) else None
        await sleep_with_countdown(
            backoff(self._tries, retry_after=retry_after),
            lambda left: report(f"{error.message} Retrying in {left:.0f} s"),
        )


def _reserve(key: tuple[str, ...], per_second: float) -> float:
    """Reserve the next free slot and return the seconds of real time until then."""
    with _lock:
        moment = TEMPO.clock()
        at = max(moment, _next_slot.get(key, 0.0))
        _next_slot[key] = at + SPACING / per_second * TEMPO.scale
        return at - moment


async def acquire_rate_limit(*key: str, per_second: float) -> None:
    """Wait for the caller's turn: callers with the same key pass in order, at most `per_second` a second."""
    seconds = _reserve(key, per_second)
    if seconds > 0:
        await asyncio.sleep(seconds)
