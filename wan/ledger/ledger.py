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
from .database import LedgerUnavailable, database_for
from .record import COLUMNS, Claim, Record, State
from .recovery import LOST, REPORTED
from .run_lock import RunLock, is_alive

if TYPE_CHECKING:
    import sqlite3

HISTORY = 20
"""Number of tasks of the same kind that the estimate of the next duration is based on."""

_NAMES = ", ".join(COLUMNS)
_UPSERT = (
    f"INSERT INTO requests ({_NAMES}) VALUES ({', '.join('?' for _ in COLUMNS)}) "  # noqa: S608 - our own names
    f"ON CONFLICT (id) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in COLUMNS)}"
)
# Word for word the condition of the index, which is empty in a ledger without such records.
OLDER_ACCOUNTS = "SELECT DISTINCT account FROM requests WHERE substr(fingerprint, 1, 2) <> '2:'"
"""The accounts of the records whose fingerprints are in an older format."""


class RecordsLost(LedgerUnavailable):
    """Records of a damaged ledger were lost: their requests would be charged again without notice."""

    @classmethod
    def at(cls, away: str) -> RecordsLost:
        """Return the error for a damaged ledger that was renamed."""
        return cls(
            f"The ledger was damaged and is kept as {away}. Some of its records could not be read.",
            hint="Nothing was sent. Run again to continue with a new ledger. Requests whose records were lost are then "
            "submitted and charged again: for a video of the last 24 hours use Wan Fetch Task with its task id "
            "instead.",
        )


class Ledger:
    """A run's view of the ledger. Close it when the run ends. Its file is opened on first use.

    All methods block, so call them from threads, and raise `LedgerUnavailable` if the file cannot be used. `identity`
    is what the ledger's id of the account is a hash of. `account` is that id, "" before `open`.
    """

    def __init__(self, home: Path, *, identity: Secret | None = None) -> None:
        self.account = ""
        self._identity = identity
        self._locks_folder = home / "running"
        self._run_lock = RunLock(self._locks_folder)
        self._database = database_for(home)
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

        def decide(database: sqlite3.Connection) -> tuple[Record, Claim, str]:
            found = _find_claimed(database, draft, earlier)
            record, role = self._decide(draft, found, following=following, free=free)
            if role is Claim.NEW and not free and not draft.task_id and (lost := self._lost(database)):
                return record, role, lost
            if role in (Claim.NEW, Claim.RESUME):
                record.owner = self.run_id
                _upsert(database, record)
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
        if not found.is_terminal and is_alive(self._locks_folder, found.owner):
            return found, Claim.WAIT
        # The record of a dead run, which may have saved the video.
        return found, Claim.REUSE if found.has_video_file else Claim.RESUME

    def _lost(self, database: sqlite3.Connection) -> str:
        """Return the path of a damaged ledger whose lost records no other run has reported; "" if there is none."""
        facts = dict(
            database.execute("SELECT name, value FROM facts WHERE name IN (?, ?)", (LOST, REPORTED)).fetchall()
        )
        if facts.get(REPORTED, self.run_id) == self.run_id:
            return str(facts.get(LOST, ""))
        database.execute("DELETE FROM facts WHERE name IN (?, ?)", (LOST, REPORTED))
        return ""

    def note_loss_reported(self) -> None:
        """Record that this run has reported lost records: the next run may pay again."""
        self._database.write("INSERT OR REPLACE INTO facts VALUES (?, ?)", [(REPORTED, self.run_id)])

    def save(self, *records: Record) -> None:
        """Insert or update records, in one transaction."""
        self._database.write(_UPSERT, [_row(record) for record in records])

    def by_task(self, task_id: str) -> Record | None:
        """Return the record of a task, None if this ledger does not know it."""
        found = self.find(task_id=task_id)
        return found[0] if found else None

    def recent_durations(self, like: Record) -> list[float]:
        """Return the rendering times of the latest tasks of the same kind, in seconds; none for an unknown kind."""
        if not like.model:
            return []
        kind = {"model": like.model, "resolution": like.resolution, "duration": like.duration, "region": like.region}
        # Some of them failed.
        records = self.find(newest=2 * HISTORY, **kind)
        return [record.rendered for record in records if record.rendered > 0][:HISTORY]

    def unknown_tasks(self, task_ids: Iterable[str]) -> list[str]:
        """Return the tasks that belong to no request of this ledger."""
        return self._database.transaction(lambda database: [one for one in task_ids if not _is_known(database, one)])

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

        def give(database: sqlite3.Connection) -> bool:
            lacking = _find(database, region=record.region, model=record.model, task_id="")
            disputed = any(one.id != record.id and one.is_outcome_unknown and rival(one) for one in lacking)
            if disputed or _is_known(database, record.task_id):
                return False
            _upsert(database, record)
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
        return self._database.transaction(lambda database: _find(database, **values))


def _find(database: sqlite3.Connection, *, newest: int = -1, **values: object) -> list[Record]:
    """Return the records with these values, newest first, at most `newest` of them."""
    where = " AND ".join(f"{name} = ?" for name in values)
    statement = f"SELECT {_NAMES} FROM requests WHERE {where} ORDER BY rowid DESC LIMIT ?"  # noqa: S608 - our own names
    return [Record(**dict(row)) for row in database.execute(statement, (*values.values(), newest))]


def _find_claimed(
    database: sqlite3.Connection, draft: Record, earlier: Callable[[str], Iterable[str]]
) -> Record | None:
    """Return the record of a draft's task or request: the newest that may have been charged."""
    if draft.task_id:
        found = _find(database, task_id=draft.task_id, newest=1)
        return found[0] if found else None
    found = _find(database, fingerprint=draft.fingerprint)
    # Earlier versions named a request by its account too: whichever account it was, it is paid.
    for (account,) in database.execute(OLDER_ACCOUNTS).fetchall():
        for fingerprint in earlier(account):
            found += _find(database, fingerprint=fingerprint)
    # One that cost nothing hides none that is paid.
    return next((one for one in found if not one.is_unbilled), found[0] if found else None)


def _is_known(database: sqlite3.Connection, task_id: str) -> bool:
    """Tell whether a task belongs to a request. A task that was fetched by its id may belong to any request."""
    return any(record.model for record in _find(database, task_id=task_id))


def _upsert(database: sqlite3.Connection, record: Record) -> None:
    database.execute(_UPSERT, _row(record))


def _row(record: Record) -> list[Any]:
    """Return the values of a record's row. A new record gets its id. A lone surrogate, which SQLite refuses, goes."""
    record.id = record.id or secrets.token_hex(8)
    values = [getattr(record, name) for name in COLUMNS]
    return [one.encode("utf-8", "backslashreplace").decode() if isinstance(one, str) else one for one in values]


def _account(database: sqlite3.Connection, identity: Secret) -> str:
    """Return the ledger's id of an account: a salted hash, never the key itself."""
    database.execute("INSERT OR IGNORE INTO facts VALUES ('salt', ?)", (secrets.token_hex(16),))
    salt = str(database.execute("SELECT value FROM facts WHERE name = 'salt'").fetchone()[0])
    return hashlib.sha256(f"{salt}\0{identity.reveal()}".encode()).hexdigest()[:24]
