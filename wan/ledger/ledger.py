"""The ledger: every request is recorded before it is sent, so that a paid task is neither lost nor paid for twice.

It is an SQLite file that several ComfyUI processes may share, or a PostgreSQL database for several machines. A record's
`owner` is the run that processes it. If the ledger cannot be used, no request is sent; requests sent before are still
completed.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import math
import platform
import secrets
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..redaction import Secret
from .database import database_for
from .errors import LedgerUnavailable, RecordsLost, TakenOver
from .record import COLUMNS, Claim, ClaimRules, Record, State
from .recovery import NOTE_REPORTED, REPORTED, unreported_loss
from .run_lock import RENEWAL_SECONDS, Renewal
from .schema import OLDER_ACCOUNTS
from .spool import flush, keep, superseding

if TYPE_CHECKING:
    from sqlalchemy import Connection

logger = logging.getLogger("dashscope_wan")

IsAlive = Callable[[str], bool]
Reserve = Callable[["Connection", Record, IsAlive], Callable[[], None] | None]
"""Checks whether a draft's price may be spent, and returns what writes that down."""

HISTORY = 20
"""Number of tasks of the same kind that the estimate of the next duration is based on."""

DURATIONS_SECONDS = 60.0
"""Seconds for which a run asks a shared ledger no second time what that estimate is based on."""

_NAMES = ", ".join(COLUMNS)
UPSERT = (
    f"INSERT INTO requests ({_NAMES}) VALUES ({', '.join(f':{name}' for name in COLUMNS)}) "  # noqa: S608 - our own names
    f"ON CONFLICT (id) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in COLUMNS)}"
)
# A record that another run has taken over only gets what that run lacks: a task, and what became of it.
_SAVE = (
    f"{UPSERT} WHERE requests.owner = :run OR (excluded.task_id <> '' AND requests.task_id IN ('', excluded.task_id) "
    "AND (requests.state <> 'saved' OR requests.path = excluded.path))"
)


class Ledger:
    """A run's view of the ledger. Close it when the run ends. The database is connected on first use.

    All methods block, so call them from threads, and raise `LedgerUnavailable` if the ledger cannot be used. It is the
    database at `url`, or a file in the folder `home`. `identity` is what the ledger's id of the account is a hash of.
    `account` is that id, "" before `open`. `scale` is the real seconds of one second of waiting.
    """

    def __init__(
        self, home: Path, *, url: Secret | None = None, identity: Secret | None = None, scale: float = 1.0
    ) -> None:
        self.account = ""
        self._identity = identity
        self._has_older = True
        self._database, self._run_lock = database_for(home, url, scale=scale)
        self.is_shared, self.full_queues = self._database.store.is_shared, self._database.full_queues
        self.run_id = self._run_lock.run_id
        self._unwritten = home / ("unwritten" if self.is_shared else "unwritten-file")
        self._renewal = Renewal(self._renew, RENEWAL_SECONDS * scale)
        self._is_closed = False

    def open(self) -> None:
        """Connect, learn the `account`, and write the records that could not be written before."""
        if self._identity:
            salt, self._has_older = self._database.read_facts()
            self.account = hashlib.sha256(f"{salt}\0{self._identity.reveal()}".encode()).hexdigest()[:24]
        if self._unwritten.is_dir():
            flush(self._unwritten, self._write)

    def execute(self, statement: str, **values: Any) -> Any:
        """Run a statement with its values as `:name`, and return the first row of its result, None if it has none."""
        return self._database.execute(statement, values)

    def listen(self) -> Any:
        """Return a connection of the driver to a shared ledger that hears its notifications."""
        return self._database.listen()

    def claim(  # noqa: PLR0913 - all by name
        self,
        draft: Record,
        *,
        following: str = "",
        earlier: Callable[[str], Iterable[str]] = lambda _: (),
        free: bool = False,
        repay: bool = False,
        admit: Callable[[Connection], bool] | None = None,
        reserve: Reserve | None = None,
    ) -> tuple[Record, Claim]:
        """Find the request's record in the ledger, or insert it, and return it with the claim on it.

        A draft with a task id stands for that task, whatever request created it. `following` is the record that this
        run has been waiting for: if it fails, this run fails too. `earlier` returns the request's fingerprints in
        older formats for an account. A `free` request, and one that its owner will `repay`, is submitted again if its
        video is missing. `admit` tells whether a new task may be submitted now: if not, nothing is inserted, and the
        claim is QUEUE. `reserve` reserves the price of what is sent next, or raises an error.

        Raises:
            RecordsLost: the ledger was damaged, and no run has reported the loss yet. Nothing may be sent.
        """
        draft.host, draft.id = platform.node(), draft.id or secrets.token_hex(8)
        tried: set[str] = set()

        def work(connection: Connection) -> tuple[Record, Claim, str]:
            is_alive = partial(self._run_lock.is_alive, connection=connection)
            record, role = draft, Claim.NEW
            if found := self._find_all(connection, draft, earlier):
                rules = ClaimRules(is_alive, self.is_shared, following, free or repay)
                record, role = rules.decide(draft, rules.choose(found, draft))
            if role is Claim.WAIT and record.id in tried and record.owner == self.run_id:
                # Taken over, when the connection was lost before the database could say so.
                role = Claim.RESUME
            may_be_lost = role is Claim.NEW and not (free or draft.task_id or self.is_shared)
            if may_be_lost and (lost := unreported_loss(connection, run_id=self.run_id)):
                return record, role, lost
            is_paid = role in (Claim.NEW, Claim.RESUME) and not (draft.task_id or record.task_id or record.sent_at)
            is_reserved = record is not draft and record.owner == self.run_id and record.reserved_at > 0
            settle = reserve(connection, draft, is_alive) if reserve and is_paid and not is_reserved else None
            if role is Claim.NEW and admit and not admit(connection):
                return record, Claim.QUEUE, ""
            if role in (Claim.NEW, Claim.RESUME):
                tried.add(record.id)
                if is_paid:
                    _set_price(record, draft)
                if settle:
                    settle()
                record.owner, record.host, record.folder = self.run_id, draft.host, draft.folder
                connection.exec_driver_sql(self._run_lock.hold() + UPSERT, _row(record))
            return record, role, ""

        record, role, lost = self._database.transaction(work)
        if lost:
            raise RecordsLost.at(lost)
        if self.is_shared and role in (Claim.NEW, Claim.RESUME):
            self._renewal.start()
        return record, role

    def reserve(self, work: Callable[[Connection, IsAlive], object]) -> None:
        """Do `work`, which gets what tells whether a run is alive, in a transaction in which this run becomes so."""

        def hold(connection: Connection) -> None:
            self._run_lock.acquire(connection)
            work(connection, partial(self._run_lock.is_alive, connection=connection))

        self._database.transaction(hold)
        if self.is_shared:
            self._renewal.start()

    def _find_all(self, connection: Connection, draft: Record, earlier: Callable[[str], Iterable[str]]) -> list[Record]:
        """Return the records of a draft's task or request, newest first. No run changes them meanwhile.

        Else one that saves its video and ends between this and `is_alive` would count as dead without a video.
        """
        find = partial(_find, connection, lock=self.is_shared)
        if draft.task_id:
            return find(task_id=draft.task_id)
        found = find(fingerprint=draft.fingerprint)
        # Earlier versions named a request by its account too: whichever account it was, it is paid.
        older = connection.exec_driver_sql(OLDER_ACCOUNTS).scalars().all() if self._has_older else ()
        for account in older:
            for fingerprint in earlier(account):
                found += find(fingerprint=fingerprint)
        return found

    def note_loss_reported(self) -> None:
        """Record that this run has reported lost records: the next run may pay again."""
        self.execute(NOTE_REPORTED, name=REPORTED, run=self.run_id)

    def save(self, *records: Record) -> None:
        """Insert or update records. One that another run has taken over keeps the task that it has there."""
        with superseding(self._unwritten, records) if self._unwritten.is_dir() else contextlib.nullcontext():
            for record in records:
                self._write(record, run=self.run_id)

    def _write(self, record: Record, *, run: str) -> None:
        row = {**_row(record), "run": run}
        if not self.is_shared:
            self._database.execute(_SAVE, row)
        elif not self._database.execute(f"{_SAVE} RETURNING id", row) and record.state == State.SAVED.value:
            # Another machine has saved the video too, or another video.
            self._database.execute(UPSERT, _row(record.as_copy(is_paid=not self.by_task(record.task_id))))

    def save_before_sending(self, record: Record) -> None:
        """Update a record whose request is sent next.

        Raises:
            TakenOver: the run was taken for dead, and another one has the record.
        """
        if not self.is_shared:
            self.save(record)
            return
        with superseding(self._unwritten, [record]):
            row = self.execute(f"{UPSERT} WHERE requests.owner = excluded.owner RETURNING id", **_row(record))
        if row is None:
            raise TakenOver

    def keep(self, record: Record) -> None:
        """Keep a record that cannot be written, until the ledger is back."""
        keep(self._unwritten, record, run=self.run_id)

    def _renew(self) -> bool:
        """Renew the run's lease, and write what could not be written before. Return whether it was possible."""
        try:
            # A renewal that waits for a connection may outlive its run.
            self._database.transaction(lambda one: self._is_closed or self._run_lock.acquire(one), exclusive=False)
            flush(self._unwritten, self._write)
        except LedgerUnavailable as error:
            logger.debug("the lease is not renewed: %s", error.message)
            return False
        return True

    def by_task(self, task_id: str) -> Record | None:
        """Return the record of a task, None if this ledger does not know it."""
        found = self.find(task_id=task_id)
        return found[0] if found else None

    def recent_durations(self, like: Record) -> list[float]:
        """Return the rendering times of the latest tasks of the same kind, in seconds; none for an unknown kind."""
        if not like.model:
            return []
        kind, now = (like.model, like.resolution, like.duration, like.region), time.monotonic()
        since, found = self._database.durations.get(kind, (-math.inf, []))
        if not self.is_shared or now - since > DURATIONS_SECONDS:
            found = self._database.transaction(partial(_durations, like=like), exclusive=False)
            self._database.durations[kind] = (now, found)
        return found

    def unknown_tasks(self, task_ids: Iterable[str]) -> list[str]:
        """Return the tasks that belong to no request of this ledger."""
        return self._database.transaction(
            lambda connection: [one for one in task_ids if not _is_known(connection, one)]
        )

    def adopt(self, record: Record, *, rival: Callable[[Record], bool]) -> bool:
        """Write down a record with the task that proved to be its own.

        Returns False, and writes nothing, where another request has the task, or where one that `rival` names still
        lacks its own: then either may be the task's.
        """

        def give(connection: Connection) -> bool:
            lacking = _find(connection, region=record.region, model=record.model, task_id="")
            disputed = any(one.id != record.id and one.is_outcome_unknown and rival(one) for one in lacking)
            if disputed or _is_known(connection, record.task_id, but=record.id):
                return False
            connection.exec_driver_sql(UPSERT, _row(record))
            return True

        return self._database.transaction(give)

    def close(self) -> None:
        """Release the run: other runs may take its records. Calling it again does nothing."""
        if not self._is_closed:
            self._is_closed = True
            self._renewal.stop()
            with contextlib.suppress(LedgerUnavailable):
                self._run_lock.release(partial(self._database.transaction, exclusive=False))
            self._database.close()

    def find(self, **values: Any) -> list[Record]:
        """Return the records with these values, newest first; with `newest`, at most so many."""
        return self._database.transaction(lambda connection: _find(connection, **values), exclusive=False)


def _durations(connection: Connection, like: Record) -> list[float]:
    statement = (
        "SELECT rendered FROM requests WHERE model = :model AND resolution = :resolution AND duration = :duration "
        "AND region = :region AND rendered > 0 ORDER BY rowid DESC LIMIT :newest"
    )
    return list(connection.exec_driver_sql(statement, {**vars(like), "newest": HISTORY}).scalars())


def _find(connection: Connection, *, newest: int = 0, lock: bool = False, **values: object) -> list[Record]:
    """Return the records with these values, newest first, at most `newest` of them if it is given."""
    where = " AND ".join(f"{name} = :{name}" for name in values)
    end = (f" LIMIT {newest}" if newest else "") + (" FOR UPDATE" if lock else "")
    statement = f"SELECT {_NAMES} FROM requests WHERE {where} ORDER BY rowid DESC{end}"  # noqa: S608 - our own names
    return [Record(*row) for row in connection.exec_driver_sql(statement, values)]


def _is_known(connection: Connection, task_id: str, *, but: str = "") -> bool:
    """Tell whether a task belongs to a request. A task that was fetched by its id may belong to any request."""
    return any(record.model and record.id != but for record in _find(connection, task_id=task_id))


def _set_price(record: Record, draft: Record) -> None:
    record.reserved_at = time.time() if draft.currency else 0.0
    record.estimate, record.currency, record.price_date = draft.estimate, draft.currency, draft.price_date


def _row(record: Record) -> dict[str, Any]:
    """Return the values of a record's row. A new record gets its id. What an engine refuses is escaped or goes."""
    record.id = record.id or secrets.token_hex(8)
    values = {name: getattr(record, name) for name in COLUMNS}
    return {name: _storable(value) if isinstance(value, str) else value for name, value in values.items()}


def _storable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "")
