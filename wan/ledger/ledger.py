"""The ledger: every request is recorded before it is sent, so that a paid task is neither lost nor paid for twice.

It is an SQLite file that several ComfyUI processes may share. A record's `owner` is the run that processes it. If the
ledger cannot be used, no request is sent; requests sent before are still completed.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..redaction import Secret
from .database import database_for, sql
from .errors import RecordsLost
from .record import COLUMNS, Claim, Record, State
from .recovery import LOST, REPORTED

if TYPE_CHECKING:
    from sqlalchemy import Connection

HISTORY = 20
"""Number of tasks of the same kind that the estimate of the next duration is based on."""

_NAMES = ", ".join(COLUMNS)
UPSERT = (
    f"INSERT INTO requests ({_NAMES}) VALUES ({', '.join(f':{name}' for name in COLUMNS)}) "  # noqa: S608 - our own names
    f"ON CONFLICT (id) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in COLUMNS)}"
)
_SET_FACT = (
    "INSERT INTO facts (name, value) VALUES (:name, :value) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
)
# Word for word the condition of the index, which is empty in a ledger without such records.
OLDER_ACCOUNTS = "SELECT DISTINCT account FROM requests WHERE substr(fingerprint, 1, 2) <> '2:'"
"""The accounts of the records whose fingerprints are in an older format."""


class Ledger:
    """A run's view of the ledger. Close it when the run ends. Its file is opened on first use.

    All methods block, so call them from threads, and raise `LedgerUnavailable` if the file cannot be used. `identity`
    is what the ledger's id of the account is a hash of. `account` is that id, "" before `open`.
    """

    def __init__(self, home: Path, *, identity: Secret | None = None) -> None:
        self.account = ""
        self._identity = identity
        self._database = database_for(home)
        self._run_lock = self._database.store.run_lock()
        self._is_closed = False

    @property
    def run_id(self) -> str:
        """The id of this run."""
        return self._run_lock.run_id

    def open(self) -> None:
        """Open the file, and learn the `account`."""
        if self._identity:
            self.account = self._database.transaction(partial(_account, identity=self._identity))

    def claim(
        self,
        draft: Record,
        *,
        following: str = "",
        earlier: Callable[[str], Iterable[str]] = lambda _: (),
        free: bool = False,
    ) -> tuple[Record, Claim]:
        """Find the request's record in the ledger, or insert it, and return it with the claim on it.

        A draft with a task id stands for that task, whatever request created it. `following` is the record that this
        run has been waiting for: if it fails, this run fails too. `earlier` returns the request's fingerprints in
        older formats for an account. A `free` request is submitted again if its video is missing.

        Raises:
            RecordsLost: the ledger was damaged, and no run has reported the loss yet. Nothing may be sent.
        """
        self._run_lock.acquire()

        def decide(connection: Connection) -> tuple[Record, Claim, str]:
            found = _find_claimed(connection, draft, earlier)
            record, role = self._decide(draft, found, following=following, free=free)
            if role is Claim.NEW and not free and not draft.task_id and (lost := self._lost(connection)):
                return record, role, lost
            if role in (Claim.NEW, Claim.RESUME):
                record.owner = self.run_id
                _upsert(connection, record)
            return record, role, ""

        record, role, lost = self._database.transaction(decide)
        if lost:
            raise RecordsLost.at(lost)
        return record, role

    def _decide(self, draft: Record, found: Record | None, *, following: str, free: bool) -> tuple[Record, Claim]:
        if found is None:
            return draft, Claim.NEW
        if found.state == State.FAILED.value and found.id == following:
            return found, Claim.FAILED
        if found.state in (State.SAVED.value, State.EXPIRED.value) and found.has_video_file:
            return found, Claim.REUSE
        if not draft.task_id and (found.is_unbilled or (free and found.is_terminal)):
            return draft, Claim.NEW
        if not found.is_terminal and self._run_lock.is_alive(found.owner):
            return found, Claim.WAIT
        # The record of a dead run, which may have saved the video.
        return found, Claim.REUSE if found.has_video_file else Claim.RESUME

    def _lost(self, connection: Connection) -> str:
        """Return the path of a damaged ledger whose lost records no other run has reported; "" if there is none."""
        named = {"lost": LOST, "reported": REPORTED}
        found = connection.execute(sql("SELECT name, value FROM facts WHERE name IN (:lost, :reported)"), named)
        facts = {row.name: str(row.value) for row in found}
        if facts.get(REPORTED, self.run_id) == self.run_id:
            return facts.get(LOST, "")
        connection.execute(sql("DELETE FROM facts WHERE name IN (:lost, :reported)"), named)
        return ""

    def note_loss_reported(self) -> None:
        """Record that this run has reported lost records: the next run may pay again."""
        self._database.write(_SET_FACT, {"name": REPORTED, "value": self.run_id})

    def save(self, *records: Record) -> None:
        """Insert or update records, in one transaction."""
        self._database.write(UPSERT, *map(_row, records))

    def by_task(self, task_id: str) -> Record | None:
        """Return the record of a task, None if this ledger does not know it."""
        found = self.find(task_id=task_id)
        return found[0] if found else None

    def recent_durations(self, like: Record) -> list[float]:
        """Return the rendering times of the latest tasks of the same kind, in seconds; none for an unknown kind."""
        if not like.model:
            return []
        values = {"model": like.model, "resolution": like.resolution, "duration": like.duration, "region": like.region}
        statement = sql(
            "SELECT rendered FROM requests WHERE model = :model AND resolution = :resolution AND duration = :duration "
            f"AND region = :region AND rendered > 0 ORDER BY rowid DESC LIMIT {HISTORY}"  # noqa: S608 - a number
        )
        return self._database.transaction(lambda connection: list(connection.execute(statement, values).scalars()))

    def unknown_tasks(self, task_ids: Iterable[str]) -> list[str]:
        """Return the tasks that belong to no request of this ledger."""
        return self._database.transaction(
            lambda connection: [one for one in task_ids if not _is_known(connection, one)]
        )

    def acknowledged_tasks(self, *, account: str, since: float) -> dict[str, float]:
        """Return the tasks that the service confirmed for this ledger's requests under an account.

        Each has the send time of its request by the service's clock, which is not before `since`.
        """
        found = self.find(account=account)
        return {row.task_id: row.service_sent_at for row in found if row.request_id and row.service_sent_at >= since}

    def adopt(self, record: Record, *, rival: Callable[[Record], bool]) -> bool:
        """Write down a record with the task that proved to be its own.

        Returns False, and writes nothing, where another request has the task, or where one that `rival` names still
        lacks its own: then either may be the task's.
        """

        def give(connection: Connection) -> bool:
            lacking = _find(connection, region=record.region, model=record.model, task_id="")
            disputed = any(one.id != record.id and one.is_outcome_unknown and rival(one) for one in lacking)
            if disputed or _is_known(connection, record.task_id):
                return False
            _upsert(connection, record)
            return True

        return self._database.transaction(give)

    def close(self) -> None:
        """Release the run: other runs may take its records. Calling it again does nothing."""
        if not self._is_closed:
            self._is_closed = True
            self._run_lock.release()
            self._database.close()

    def find(self, **values: Any) -> list[Record]:
        """Return the records with these values, newest first; with `newest`, at most so many."""
        return self._database.transaction(lambda connection: _find(connection, **values))


def _find(connection: Connection, *, newest: int = 0, **values: object) -> list[Record]:
    """Return the records with these values, newest first, at most `newest` of them if it is given."""
    where = " AND ".join(f"{name} = :{name}" for name in values)
    limit = f" LIMIT {newest}" if newest else ""
    statement = f"SELECT {_NAMES} FROM requests WHERE {where} ORDER BY rowid DESC{limit}"  # noqa: S608 - our own names
    return [Record(**row) for row in connection.execute(sql(statement), values).mappings()]


def _find_claimed(connection: Connection, draft: Record, earlier: Callable[[str], Iterable[str]]) -> Record | None:
    """Return the record of a draft's task or request: the newest that may have been charged."""
    if draft.task_id:
        found = _find(connection, task_id=draft.task_id, newest=1)
        return found[0] if found else None
    found = _find(connection, fingerprint=draft.fingerprint)
    # Earlier versions named a request by its account too: whichever account it was, it is paid.
    for account in connection.execute(sql(OLDER_ACCOUNTS)).scalars().all():
        for fingerprint in earlier(account):
            found += _find(connection, fingerprint=fingerprint)
    # One that cost nothing hides none that is paid.
    return next((one for one in found if not one.is_unbilled), found[0] if found else None)


def _is_known(connection: Connection, task_id: str) -> bool:
    """Tell whether a task belongs to a request. A task that was fetched by its id may belong to any request."""
    return any(record.model for record in _find(connection, task_id=task_id))


def _upsert(connection: Connection, record: Record) -> None:
    connection.execute(sql(UPSERT), _row(record))


def _row(record: Record) -> dict[str, Any]:
    """Return the values of a record's row. A new record gets its id. What an engine refuses is escaped or goes."""
    record.id = record.id or secrets.token_hex(8)
    values = {name: getattr(record, name) for name in COLUMNS}
    return {name: _storable(value) if isinstance(value, str) else value for name, value in values.items()}


def _storable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "")


def _account(connection: Connection, identity: Secret) -> str:
    """Return the ledger's id of an account: a salted hash, never the key itself."""
    find = "SELECT value FROM facts WHERE name = 'salt'"
    salt = connection.execute(sql(find)).scalar()
    if salt is None:
        salt = secrets.token_hex(16)
        connection.execute(sql(_SET_FACT), {"name": "salt", "value": salt})
    return hashlib.sha256(f"{salt}\0{identity.reveal()}".encode()).hexdigest()[:24]
