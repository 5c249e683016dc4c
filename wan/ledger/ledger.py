"""The ledger: every request is recorded before it is sent, so that a paid task is neither lost nor paid for twice.

It is an SQLite file that several ComfyUI processes may share. A record's `owner` is the run that processes it. If the
ledger cannot be used, no request is sent; requests sent before are still completed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from pathlib import Path

from .database import Rows, database_for, memory_lost
from .record import Claim, Record, State
from .run_lock import RunLock, is_alive

HISTORY = 20
"""Number of tasks of the same kind that the estimate of the next duration is based on."""


class Ledger:
    """A run's view of the ledger. Close it when the run ends. Its file is opened on first use.

    All methods except `hold` and `close` block, so call them from threads, and raise `LedgerUnavailable` if the file
    cannot be used.
    """

    def __init__(self, home: Path) -> None:
        self._database = database_for(home)
        self._locks_folder = home / "running"
        self._run_lock = RunLock(self._locks_folder)
        self._counting = threading.Lock()
        self._holders = 1
        self._database.open()

    @property
    def run_id(self) -> str:
        """The id of this run."""
        return self._run_lock.run_id

    def salt(self) -> str:
        """Return the salt of this ledger's key hashes."""
        return self._database.transaction(lambda rows: rows.salt())

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
        """
        self._run_lock.acquire()

        def decide(rows: Rows) -> tuple[Record, Claim, str]:
            found = _find(rows, draft, earlier)
            record, role = self._decide(draft, found, following=following, free=free)
            # Before the next paid request, the loss of records is reported once.
            if role is Claim.NEW and not free and not draft.task_id and (lost := rows.take_lost()):
                return record, role, lost
            if role in (Claim.NEW, Claim.RESUME):
                record.owner = self.run_id
                rows.upsert(record)
            return record, role, ""

        record, role, lost = self._database.transaction(decide)
        if lost:
            raise memory_lost(lost)
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

    def save(self, record: Record) -> None:
        """Insert or update a record."""
        self._database.transaction(lambda rows: rows.upsert(record))

    def by_task(self, task_id: str) -> Record | None:
        """Return the record of a task, None if this ledger does not know it."""
        found = self._database.transaction(lambda rows: rows.find(task_id=task_id))
        return found[0] if found else None

    def recent_durations(self, like: Record) -> list[float]:
        """Return the rendering times of the latest tasks of the same kind, in seconds; none for an unknown kind."""
        if not like.model:
            return []
        kind = {"model": like.model, "resolution": like.resolution, "duration": like.duration, "region": like.region}
        # Some of them failed.
        records = self._database.transaction(lambda rows: rows.find(newest=2 * HISTORY, **kind))
        return [record.rendered for record in records if record.rendered > 0][:HISTORY]

    def unknown_tasks(self, task_ids: Iterable[str]) -> list[str]:
        """Return the tasks that belong to no request of this ledger."""
        return self._database.transaction(lambda rows: [one for one in task_ids if not _is_known(rows, one)])

    def acknowledged_tasks(self, *, account: str, since: float) -> dict[str, float]:
        """Return the tasks that the service confirmed for this ledger's requests under an account.

        Each has the send time of its request by the service's clock, which is not before `since`.
        """
        found = self._database.transaction(lambda rows: rows.find(account=account))
        return {row.task_id: row.service_sent_at for row in found if row.request_id and row.service_sent_at >= since}

    def adopt(self, record: Record, *, rival: Callable[[Record], bool]) -> bool:
        """Write down a record with the task that proved to be its own.

        Returns False, and writes nothing, where another request has the task, or where one that `rival` names still
        lacks its own: then either may be the task's.
        """

        def give(rows: Rows) -> bool:
            lacking = rows.find(region=record.region, model=record.model, task_id="")
            disputed = any(one.id != record.id and one.is_outcome_unknown and rival(one) for one in lacking)
            if disputed or _is_known(rows, record.task_id):
                return False
            rows.upsert(record)
            return True

        return self._database.transaction(give)

    def hold(self) -> None:
        """Keep the run alive for one more holder, which must also `close` the ledger."""
        with self._counting:
            self._holders += 1

    def close(self) -> None:
        """Release the run, after which other runs may take its records, when its last holder closes."""
        with self._counting:
            self._holders -= 1
            if self._holders:
                return
        self._run_lock.release()
        self._database.close()


def _find(rows: Rows, draft: Record, earlier: Callable[[str], Iterable[str]]) -> Record | None:
    """Return the record of a draft's task or request: the newest that may have been charged."""
    if draft.task_id:
        found = rows.find(task_id=draft.task_id, newest=1)
        return found[0] if found else None
    found = rows.find(fingerprint=draft.fingerprint)
    # Earlier versions named a request by its account too: whichever account it was, it is paid.
    for account in rows.older_accounts():
        for fingerprint in earlier(account):
            found += rows.find(fingerprint=fingerprint)
    # One that cost nothing hides none that is paid.
    return next((one for one in found if not one.is_unbilled), found[0] if found else None)


def _is_known(rows: Rows, task_id: str) -> bool:
    """Tell whether a task belongs to a request. A task that was fetched by its id may belong to any request."""
    return any(record.model for record in rows.find(task_id=task_id))
