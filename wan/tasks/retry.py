"""Waiting: the clock of a run, backoff, retry budgets, and the account's limits of submissions and queries.

A shared ledger holds the limits over all machines.
"""

from __future__ import annotations

import asyncio
import logging
import math
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ..api.errors import NetworkError, ServiceError, UnexpectedResponse
from ..errors import WanError
from ..frozen import frozen
from ..ledger.errors import LedgerUnavailable
from ..ledger.ledger import Ledger
from ..messages import Message, Text, sentences
from .progress import Progress

logger = logging.getLogger("dashscope_wan")

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

LANE_SECONDS = (10.0, 45.0)
"""The least and most seconds for which a task reserves one of the account's queries a second. Many must be free."""

SPARE_LANES = 8
"""Lanes that no task reserves for long, so that another one's query need not wait."""

MAX_TURNS = 3
"""Turns that a create request takes. One that a busy machine uses late would come together with the next one's."""

NOTICE_SECONDS = 2.0
"""Seconds of waiting for a turn from which on the node says so."""

NOW = "CAST(EXTRACT(EPOCH FROM clock_timestamp()) AS DOUBLE PRECISION)"
_SPACING = "CAST(:spacing AS DOUBLE PRECISION)"
_TURN = (
    f"INSERT INTO turns AS turn VALUES (:name, {NOW} + {_SPACING}) ON CONFLICT (name) DO UPDATE "  # noqa: S608 - our own names
    f"SET next_at = GREATEST(turn.next_at, {NOW}) + {_SPACING} RETURNING next_at - {_SPACING} - {NOW}"
)
_LANE = (
    "WITH free AS (SELECT count(*) AS lanes FROM turns "  # noqa: S608 - our own names
    f"WHERE name LIKE 'query %' AND next_at <= {NOW}), lane AS (SELECT name, GREATEST(next_at, {NOW}) AS at "
    "FROM turns WHERE name LIKE 'query %' ORDER BY next_at LIMIT 1 FOR UPDATE SKIP LOCKED) "
    "UPDATE turns SET next_at = at + CAST(CASE WHEN lanes > :spare THEN :long ELSE :short END AS DOUBLE PRECISION) "
    f"FROM lane, free WHERE turns.name = lane.name RETURNING at - {NOW}, next_at - at"
)


@frozen
class Clock:
    """The clock of a run. Every sleep and timeout is measured by it.

    `scale` is the real seconds of one second of waiting: 1.0 is real time. `monotonic` returns the time in seconds; if
    it is not the machine's own, the event loop must use it too.
    """

    scale: float = 1.0
    monotonic: Callable[[], float] = time.monotonic

    def now(self) -> float:
        """Return the seconds of waiting since some moment in the past."""
        return self.monotonic() / self.scale

    async def sleep(self, seconds: float) -> None:
        """Wait for some seconds."""
        await asyncio.sleep(seconds * self.scale)

    async def sleep_with_countdown(self, seconds: float, on_tick: Callable[[float], None]) -> None:
        """Wait, reporting once a second how many seconds are left."""
        until = self.now() + seconds
        while (left := until - self.now()) > 0:
            on_tick(left)
            await self.sleep(min(1.0, left))


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

    async def wait_or_raise(self, error: WanError, report: Callable[[Text], None]) -> None:
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
            lambda left: report(retrying(error, left)),
        )


class RateLimiter:
    """Gives callers their turns, in order. All runs of a process share one, as the limits are per main account."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._next_slot: dict[tuple[str, ...], float] = {}

    async def acquire(self, *key: str, per_second: float, clock: Clock) -> None:
        """Wait for the caller's turn: callers with the same key pass in order, at most `per_second` a second."""
        with self._lock:
            moment = clock.monotonic()
            at = max(moment, self._next_slot.get(key, 0.0))
            self._next_slot[key] = at + SPACING / per_second * clock.scale
        if at > moment:
            await asyncio.sleep(at - moment)


RATE_LIMITER = RateLimiter()


@dataclass(eq=False, repr=False)
class AccountLimits:
    """The limits of one run's account. `to_thread` runs a blocking call in a thread of the run."""

    ledger: Ledger
    clock: Clock
    to_thread: Callable[..., Any]
    _lanes: dict[str, float] = field(default_factory=dict)
    queries_are_scarce: bool = False

    async def wait_to_submit(self, name: str, *, per_second: float, report: Progress) -> None:
        """Wait for the turn of a create request for a model of that name in the region.

        Raises:
            LedgerUnavailable: the shared ledger cannot be reached.
        """
        await RATE_LIMITER.acquire("submit", self.ledger.account, name, per_second=per_second, clock=self.clock)
        if not self.ledger.is_shared:
            return
        spacing, seconds = SPACING / per_second, 0.0
        values = {"name": f"submit {name}", "spacing": spacing * self.clock.scale}

        def show(left: float) -> None:
            if seconds > NOTICE_SECONDS:
                report(0.05, ahead_text(math.ceil(left / spacing)))

        for _ in range(MAX_TURNS):
            (delay,) = await self.to_thread(self.ledger.execute, _TURN, **values)
            seconds = delay / self.clock.scale
            due = self.clock.now() + seconds
            await self.clock.sleep_with_countdown(seconds, show)
            # Later than the spaces of a second it would come together with those of the next turns.
            if self.clock.now() < due + (SPACING - 1.0) * max(1.0, 1.0 / per_second):
                return

    async def wait_to_query(self, task_id: str = "", *, seconds: float = 0.0) -> None:
        """Wait for the turn of a query of a task that may take some seconds more, or of another query, "".

        In a shared ledger each query takes place in a lane, of which each has one query a second. A task keeps its lane
        for some queries where many are free, so that not each of them asks for its turn.
        """
        await RATE_LIMITER.acquire("query", per_second=QUERIES_PER_SECOND, clock=self.clock)
        now, scale, lane = self.clock.now(), self.clock.scale, None
        if not self.ledger.is_shared or now < self._lanes.get(task_id, -math.inf):
            return
        least, most = LANE_SECONDS if task_id else (SPACING, SPACING)
        long, short = min(max(seconds, least), most) * scale, SPACING * scale
        try:
            # Others may be about to take each of them.
            while lane is None:
                lane = await self.to_thread(self.ledger.execute, _LANE, spare=SPARE_LANES, long=long, short=short)
        except LedgerUnavailable as error:
            # The task is paid for: its video is brought home without the other machines' knowledge.
            logger.debug("no lane: %s", error.message)
            lane = (0.0, long)
        self.queries_are_scarce = (delay := max(0.0, lane[0] / scale)) > 0
        # The last query is a second before the next one's turn.
        self._lanes[task_id] = now + delay + lane[1] / scale - SPACING
        await self.clock.sleep(delay)


def ahead_text(tasks: int) -> str:
    """Return the status text of a task that waits for its turn."""
    if tasks == 1:
        return Message("waiting; 1 task of this account is ahead")
    return Message("waiting; {count} tasks of this account are ahead", count=tasks)


def retrying(error: WanError, seconds: float) -> str:
    """Return the status text of a call that is tried again in some seconds."""
    return sentences(error.message, Message("Retrying in {seconds:.0f} s", seconds=seconds))
