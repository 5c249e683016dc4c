"""The clock of a run, and the limits of its account: submissions, queries and running tasks.

A shared ledger holds the limits over all machines.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..frozen import frozen
from ..ledger.errors import LedgerUnavailable
from ..ledger.ledger import Ledger, sql
from .progress import Progress

if TYPE_CHECKING:
    from sqlalchemy import Connection

logger = logging.getLogger("dashscope_wan")

QUERIES_PER_SECOND = 20
"""The service's query limit per main account. All its keys share it, so one limit serves the process."""

SPACING = 1.1
"""Factor by which requests are spaced wider than the rate requires, as a request may leave late."""

LANE_SECONDS = (10.0, 45.0)
"""The least and most seconds for which a task reserves one of the account's queries a second. Many must be free."""

SPARE_LANES = 8
"""Lanes that no task reserves for long, so that another one's query need not wait."""

LOOK_SECONDS = 30.0
"""Seconds without progress after which a run looks whether its turn has come, times its place in the queue."""

NOTICE_SECONDS = 2.0
"""Seconds of waiting for a turn from which on the node says so."""

_NOW = "CAST(EXTRACT(EPOCH FROM clock_timestamp()) AS DOUBLE PRECISION)"
_SPACING = "CAST(:spacing AS DOUBLE PRECISION)"
_TURN = (
    f"INSERT INTO turns AS turn VALUES (:name, {_NOW} + {_SPACING}) ON CONFLICT (name) DO UPDATE "  # noqa: S608 - our own names
    f"SET next_at = GREATEST(turn.next_at, {_NOW}) + {_SPACING} RETURNING next_at - {_SPACING} - {_NOW}"
)
_LANE = (
    "WITH free AS (SELECT count(*) AS lanes FROM turns "  # noqa: S608 - our own names
    f"WHERE name LIKE 'query %' AND next_at <= {_NOW}), lane AS (SELECT name, GREATEST(next_at, {_NOW}) AS at "
    "FROM turns WHERE name LIKE 'query %' ORDER BY next_at LIMIT 1 FOR UPDATE SKIP LOCKED) "
    "UPDATE turns SET next_at = at + CAST(CASE WHEN lanes > :spare THEN :long ELSE :short END AS DOUBLE PRECISION) "
    f"FROM lane, free WHERE turns.name = lane.name RETURNING at - {_NOW}, next_at - at"
)
_LOOK = (
    "SELECT EXISTS (SELECT 1 FROM requests WHERE fingerprint = :fingerprint) AS known, "  # noqa: S608 - our own names
    "(SELECT count(*) FROM requests JOIN runs ON runs.id = requests.owner "
    "WHERE requests.model = :model AND requests.region = :region AND requests.state IN ('submitting', 'submitted') "
    f"AND runs.until > {_NOW}) AS running, "
    "(SELECT count(*) FROM waiting WHERE name = :name AND (ticket < :ticket OR :ticket = 0)) AS waiting"
)
_QUEUE = (
    "WITH gone AS (DELETE FROM waiting WHERE pid NOT IN (SELECT pid FROM pg_stat_activity)) "
    "INSERT INTO waiting (name, pid) VALUES (:name, :pid) RETURNING ticket"
)
_QUEUE_AGAIN = (
    "INSERT INTO waiting (ticket, name, pid) VALUES (:ticket, :name, :pid) "
    "ON CONFLICT (ticket) DO UPDATE SET pid = excluded.pid RETURNING ticket"
)
_UNQUEUE = "DELETE FROM waiting WHERE ticket = :ticket"
_WAKE = (
    "WITH woken AS (DELETE FROM waiting WHERE ticket = (SELECT ticket FROM waiting JOIN pg_stat_activity USING (pid) "
    "WHERE waiting.name = :name ORDER BY ticket LIMIT 1 FOR UPDATE OF waiting SKIP LOCKED) RETURNING ticket) "
    "SELECT pg_notify('dashscope_wan', :name || ' ' || CAST(ticket AS TEXT)) FROM woken"
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


@dataclass
class AccountLimits:
    """The limits of one run's account. `to_thread` runs a blocking call in a thread of the run."""

    ledger: Ledger
    clock: Clock
    to_thread: Callable[..., Any]
    _lanes: dict[str, float] = field(default_factory=dict)
    queries_are_scarce: bool = False
    _listener: Listener | None = None
    _places: list[Place] = field(default_factory=list)

    async def wait_to_submit(self, name: str, *, per_second: float, report: Progress) -> None:
        """Wait for the turn of a create request for a model of that name in the region.

        Raises:
            LedgerUnavailable: the shared ledger cannot be reached.
        """
        await RATE_LIMITER.acquire("submit", self.ledger.account, name, per_second=per_second, clock=self.clock)
        if not self.ledger.is_shared:
            return
        spacing = SPACING / per_second
        values = {"name": f"submit {name}", "spacing": spacing * self.clock.scale}
        (delay,) = await self.to_thread(self.ledger.execute, _TURN, **values)
        seconds = delay / self.clock.scale

        def show(left: float) -> None:
            if seconds > NOTICE_SECONDS:
                report(0.05, ahead_text(math.ceil(left / spacing)))

        await self.clock.sleep_with_countdown(seconds, show)

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

    def listener(self) -> Listener:
        """Return what hears that a turn has come, connected. Blocking."""
        if self._listener is None or self._listener.is_lost:
            self._listener = Listener(self.ledger.listen())
        return self._listener

    def place(self) -> Place:
        """Return a place among the tasks that the account may run at once."""
        self._places.append(Place(self))
        return self._places[-1]

    def close(self) -> None:
        """Give up all places, after the run's lease. Blocking."""
        if self._listener is not None:
            self._listener.stop()
        for place in self._places:
            place.leave()


class Listener:
    """Hears the notifications of the database in a thread. `pid` is the backend whose end means that nobody waits."""

    def __init__(self, connection: Any) -> None:
        self.pid: int = connection.info.backend_pid
        self.heard: list[str] = []
        self.is_lost = False
        self._connection = connection
        self._stopped = threading.Event()
        threading.Thread(target=self._run, name="wan-queue", daemon=True).start()

    def stop(self) -> None:
        """End within a second."""
        self._stopped.set()

    def _run(self) -> None:
        try:
            while not self._stopped.is_set():
                self.heard += [one.payload for one in self._connection.notifies(timeout=1.0, stop_after=1)]
        except Exception as error:  # noqa: BLE001 - of the driver: the run connects anew
            logger.debug("the queue is not heard any more: %s", error)
        finally:
            self.is_lost = True
            with contextlib.suppress(Exception):
                self._connection.close()


@dataclass
class Place:
    """A place among the tasks that the account may run at once. It is free until there is a `limit`."""

    _limits: AccountLimits
    _values: dict[str, Any] = field(default_factory=dict)
    _limit: int = 0
    _ticket: int = 0
    _ahead: int = 0
    _heard: int = 0
    _is_taken: bool = False
    _is_queued: bool = False
    _listener: Listener | None = None

    def limit(self, tasks: int, *, model: str, region: str) -> None:
        """Let the account run that many tasks of a model in a region at once."""
        self._limit, self._values = tasks, {"model": model, "region": region, "name": f"{region}/{model}"}

    def must_wait(self, fingerprint: str) -> bool:
        """Tell whether a request is new, and other tasks come first. Blocking. Who was told has its turn."""
        was_told = self._ticket and not self._is_queued
        if was_told or not self._limits.ledger.is_shared or not self._limit:
            return False
        known, *others = self._limits.ledger.execute(_LOOK, **self._looked(fingerprint))
        self._ahead = sum(others)
        return not known and self._ahead >= self._limit

    def admit(self, connection: Connection) -> bool:
        """Tell whether the task may run now. For the transaction that claims the request."""
        if not self._limits.ledger.is_shared or not self._limit:
            return True
        _, *others = connection.execute(sql(_LOOK), self._looked()).one()
        self._ahead = sum(others)
        self._is_taken = self._ahead < self._limit
        if self._is_taken and self._is_queued:
            connection.execute(sql(_UNQUEUE), self._looked())
        return self._is_taken

    def _looked(self, fingerprint: str = "") -> dict[str, Any]:
        return {**self._values, "ticket": self._ticket, "fingerprint": fingerprint}

    async def wait(self, report: Progress) -> None:
        """Queue, or wait until the turn may have come. Who has queued looks once more: a place may just have been left.

        Raises:
            LedgerUnavailable: the ledger cannot be reached.
        """
        if not self._is_queued or self._listener is None or self._listener.is_lost:
            await self._limits.to_thread(self._queue)
            return
        clock, passed, since = self._limits.clock, -1, 0.0
        while self._is_queued and not self._listener.is_lost:
            if passed != (passed := self._passed()):
                since = clock.now()
            left = max(1, self._ahead - passed)
            if clock.now() - since > LOOK_SECONDS * max(1, left - self._limit + 1):
                return
            report(0.05, ahead_text(left))
            await clock.sleep(min(1.0, 0.1 / clock.scale))
            self._is_queued = f"{self._values['name']} {self._ticket}" not in self._listener.heard[self._heard :]

    def _queue(self) -> None:
        self._listener = self._limits.listener()
        self._heard = len(self._listener.heard)
        values = {"name": self._values["name"], "pid": self._listener.pid}
        if self._ticket:
            self._limits.ledger.execute(_QUEUE_AGAIN, ticket=self._ticket, **values)
        else:
            (self._ticket,) = self._limits.ledger.execute(_QUEUE, **values)
        self._is_queued = True

    def leave_soon(self, *, counts: bool = False) -> None:
        """Give the place or the turn to the next task, while nobody waits for that. `counts`: an earlier task runs."""
        self._leave(self._limits.to_thread)
        self._is_taken = counts and self._limit > 0 and self._limits.ledger.is_shared

    def leave(self) -> None:
        """Give the place or the turn to the next task in the queue. Blocking; calling it again does nothing."""
        self._leave(lambda wake, ticket: wake(ticket))

    def _leave(self, run: Callable[..., Any]) -> None:
        if self._is_taken or self._ticket:
            ticket = self._ticket if self._is_queued else 0
            self._is_taken, self._is_queued, self._ticket = False, False, 0
            run(self._wake, ticket)

    def _wake(self, ticket: int) -> None:
        with contextlib.suppress(LedgerUnavailable):
            if ticket:
                self._limits.ledger.execute(_UNQUEUE, ticket=ticket)
            self._limits.ledger.execute(_WAKE, name=self._values["name"])

    def _passed(self) -> int:
        """Return how many tasks before this one have begun since."""
        prefix = f"{self._values['name']} "
        heard = self._listener.heard[self._heard :] if self._listener else []
        return sum(one.startswith(prefix) and int(one.rpartition(" ")[2]) < self._ticket for one in heard)


def ahead_text(tasks: int) -> str:
    """Return the status text of a task that waits for its turn."""
    return f"waiting; {tasks} {'task' if tasks == 1 else 'tasks'} of this account {'is' if tasks == 1 else 'are'} ahead"
