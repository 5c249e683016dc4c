"""The ledger: every request is written down before it is sent, so that a paid task is never lost and never paid twice.

One SQLite file that several ComfyUI processes may share. A record's `run_id` is the run that drives it. Where the
ledger cannot be used, nothing is sent; what was sent before is brought to its end all the same.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from pathlib import Path

from .database import Rows, database_for, memory_lost
from .record import FINGERPRINT_VERSION, Claim, Record, State
from .run_lock import RunLock, is_alive

HISTORY = 20
"""How many tasks of the same kind tell how long the next one takes."""


class Ledger:
    """The ledger as one run uses it: close it when the run ends. Nothing is opened before it is needed.

    All but `hold` and `close` block, so call them from threads, and raise `LedgerUnavailable` where the file cannot be
    used.
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
        """The name of this run."""
        return self._run_lock.run_id

    def salt(self) -> str:
        """Return what this ledger's hashes of keys are salted with."""
        return self._database.transaction(lambda rows: rows.salt())

    def claim(
        self,
        draft: Record,
        *,
        following: str = "",
        earlier: Callable[[str], Iterable[str]] = lambda _: (),
        free: bool = False,
    ) -> tuple[Record, Claim]:
        """Find the request in the ledger, or write it down, and say what to do about it.

        A wanted record that has a task id means that task, whatever it was made for. `following` is the record that
        this run has been waiting for: when it fails, the failure is this run's too. `earlier` returns the fingerprints
        that earlier versions of the pack gave the request under an account. `free` requests are made anew when their
        video is gone.
        """
        self._run_lock.acquire()

        def decide(rows: Rows) -> tuple[Record, Claim, str]:
            found = _find(rows, draft, earlier)
            record, role = self._decide(draft, found, following=following, free=free)
            # Whoever pays next is reported what may be paid twice, once.
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
        # Of a run that is dead: it may have got as far as the video.
        return found, Claim.REUSE if found.has_video_file else Claim.RESUME

    def save(self, record: Record) -> None:
        """Write a record down."""
        self._database.transaction(lambda rows: rows.upsert(record))

    def by_task(self, task_id: str) -> Record | None:
        """Return the request that a task was created for, where this ledger knows it."""
        found = self._database.transaction(lambda rows: rows.find(task_id=task_id))
        return found[0] if found else None

    def recent_durations(self, like: Record) -> list[float]:
        """Return the seconds that the latest tasks of the same kind were rendered; none for a task of unknown kind."""
        if not like.model:
            return []
        kind = {"model": like.model, "resolution": like.resolution, "duration": like.duration, "region": like.region}
        # Some of them failed.
        records = self._database.transaction(lambda rows: rows.find(newest=2 * HISTORY, **kind))
        return [record.rendered for record in records if record.rendered > 0][:HISTORY]

    def unknown_tasks(self, task_ids: Iterable[str]) -> list[str]:
        """Return those tasks that no request of this ledger has."""
        return self._database.transaction(lambda rows: [one for one in task_ids if not _is_known(rows, one)])

    def acknowledged_tasks(self, *, account: str, since: float) -> dict[str, float]:
        """Return the tasks that the service created for this ledger's requests under an account, and said so.

        Each with when its call left, by the service's clock: not before `since`.
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
        """Keep the run alive for one more user, who must `close` the ledger too."""
        with self._counting:
            self._holders += 1

    def close(self) -> None:
        """End the run in the eyes of other runs, when its last user is done."""
        with self._counting:
            self._holders -= 1
            if self._holders:
                return
        self._run_lock.release()
        self._database.close()


def _find(rows: Rows, draft: Record, earlier: Callable[[str], Iterable[str]]) -> Record | None:
    """Return the record of a request, or of the task that is wanted: the newest that may have cost something."""
    if draft.task_id:
        found = rows.find(task_id=draft.task_id, newest=1)
        return found[0] if found else None
    found = rows.find(fingerprint=draft.fingerprint)
    # Earlier versions named a request by its account too: whichever account it was, it is paid.
    for account in rows.accounts(unlike=FINGERPRINT_VERSION):
        for fingerprint in earlier(account):
            found += rows.find(fingerprint=fingerprint)
    # One that cost nothing hides none that is paid.
    return next((one for one in found if not one.is_unbilled), found[0] if found else None)


def _is_known(rows: Rows, task_id: str) -> bool:
    """Tell whether a task belongs to a request. One that was only fetched by its id may be any request's."""
    return any(record.model for record in rows.find(task_id=task_id))
