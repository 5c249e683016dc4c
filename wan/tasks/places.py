"""The places among the tasks that an account may run at once, in a ledger that several machines share."""

from __future__ import annotations

import contextlib
import logging
import math
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..ledger.errors import LedgerUnavailable
from .context import RunContext
from .progress import Progress
from .retry import NOW, ahead_text

if TYPE_CHECKING:
    from sqlalchemy import Connection

logger = logging.getLogger("dashscope_wan")

LOOK_SECONDS = 30.0
"""Seconds without progress after which a run looks whether its turn has come, times its place in the queue."""

FULL_SECONDS = 120.0
"""Seconds for which a queue in which somebody waited is expected to be full: the next run queues before it looks."""

_LOOK = (
    "SELECT EXISTS (SELECT 1 FROM requests WHERE fingerprint = :fingerprint) AS known, "  # noqa: S608 - our own names
    "(SELECT count(*) FROM requests JOIN runs ON runs.id = requests.owner "
    "WHERE requests.model = :model AND requests.region = :region AND requests.state IN ('submitting', 'submitted') "
    f"AND runs.until > {NOW}) AS running, "
    "(SELECT count(*) FROM waiting JOIN pg_stat_activity USING (pid) "
    "WHERE name = :name AND (ticket < :ticket OR :ticket = 0)) AS waiting"
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


@dataclass(eq=False, repr=False)
class Queue:
    """The places of a run in the queues of its account. They are given up when the run ends."""

    context: RunContext
    _listener: Listener | None = None
    _connecting: threading.Lock = field(default_factory=threading.Lock)
    _places: list[Place] = field(default_factory=list)

    def place(self, model: str, limit: int) -> Place:
        """Return a place among the tasks of a model, of which the account may run so many at once."""
        if not self._places:
            self.context.on_release.append(self.close)
        self._places.append(Place(self, limit, model, self.context.region.id))
        return self._places[-1]

    def listener(self) -> Listener:
        """Return what hears that a turn has come, connected. Blocking."""
        with self._connecting:
            if self._listener is None or self._listener.is_lost:
                self._listener = Listener(self.context.ledger.listen())
            return self._listener

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


@dataclass(eq=False, repr=False)
class Place:
    """A place for one task among the `limit` tasks of a model that the account may run at once in a region."""

    queue: Queue
    limit: int
    model: str
    region: str
    _ticket: int = 0
    _ahead: int = 0
    _heard: int = 0
    _is_taken: bool = False
    _is_queued: bool = False
    _listener: Listener | None = None

    @property
    def name(self) -> str:
        """The name of its queue."""
        return f"{self.region}/{self.model}"

    def must_wait(self, fingerprint: str) -> bool:
        """Tell whether a request is new, and other tasks come first. Blocking. Who was told has its turn."""
        if self._ticket and not self._is_queued:
            return False
        context = self.queue.context
        full, now = context.ledger.full_queues, context.clock.now()
        if not self._ticket and now - full.get(self.name, -math.inf) < FULL_SECONDS:
            return True
        known, *others = context.ledger.execute(_LOOK, **self._looked(fingerprint))
        self._ahead = sum(others)
        full[self.name] = now if self._ahead >= self.limit else -math.inf
        return not known and self._ahead >= self.limit

    def admit(self, connection: Connection) -> bool:
        """Tell whether the task may run now. For the transaction that claims the request."""
        _, *others = connection.exec_driver_sql(_LOOK, self._looked()).one()
        self._ahead = sum(others)
        self._is_taken = self._ahead < self.limit
        if self._ticket:
            # Who had to wait will find the queue full again.
            self.queue.context.ledger.full_queues[self.name] = self.queue.context.clock.now()
        if self._is_taken and self._is_queued:
            connection.exec_driver_sql(_UNQUEUE, self._looked())
        return self._is_taken

    def _looked(self, fingerprint: str = "") -> dict[str, Any]:
        values = {"model": self.model, "region": self.region, "name": self.name}
        return {**values, "ticket": self._ticket, "fingerprint": fingerprint}

    async def wait(self, report: Progress) -> None:
        """Queue, or wait until the turn may have come. Who has queued looks once more: a place may just have been left.

        Raises:
            LedgerUnavailable: the ledger cannot be reached.
        """
        if not self._is_queued or self._listener is None or self._listener.is_lost:
            await self.queue.context.to_thread(self._queue)
            return
        clock, passed, since = self.queue.context.clock, -1, 0.0
        while self._is_queued and not self._listener.is_lost:
            if passed != (passed := self._passed()):
                since = clock.now()
            left = max(1, self._ahead - passed)
            if clock.now() - since > LOOK_SECONDS * max(1, left - self.limit + 1):
                return
            report(0.05, ahead_text(left))
            await clock.sleep(min(1.0, 0.1 / clock.scale))
            self._is_queued = f"{self.name} {self._ticket}" not in self._listener.heard[self._heard :]

    def _queue(self) -> None:
        self._listener = self.queue.listener()
        self._heard = len(self._listener.heard)
        values = {"name": self.name, "pid": self._listener.pid}
        if self._ticket:
            self.queue.context.ledger.execute(_QUEUE_AGAIN, ticket=self._ticket, **values)
        else:
            (self._ticket,) = self.queue.context.ledger.execute(_QUEUE, **values)
        self._is_queued = True

    def leave_soon(self, *, counts: bool = False) -> None:
        """Give the place or the turn to the next task, while nobody waits for that. `counts`: an earlier task runs."""
        self._leave(self.queue.context.to_thread)
        self._is_taken = counts

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
                self.queue.context.ledger.execute(_UNQUEUE, ticket=ticket)
            self.queue.context.ledger.execute(_WAKE, name=self.name)

    def _passed(self) -> int:
        """Return how many tasks before this one have begun since."""
        prefix = f"{self.name} "
        heard = self._listener.heard[self._heard :] if self._listener else []
        return sum(one.startswith(prefix) and int(one.rpartition(" ")[2]) < self._ticket for one in heard)
