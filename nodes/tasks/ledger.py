"""The ledger: every request is written down before it is sent, so that a paid task is never lost and never paid twice.

One SQLite file that several ComfyUI processes may share. A record's `owner` is the run that drives it. Where the ledger
cannot be used, nothing is sent; what was sent before is brought to its end all the same.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from .entry import FINGERPRINT_VERSION, Entry, Role, State
from .lives import Life, lives
from .rhythm import HISTORY
from .store import Rows, memory_lost, store_of


class Ledger:
    """The ledger as one run uses it: close it when the run ends. Nothing is opened before it is needed.

    All but `hold` and `close` block, so call them from threads, and raise `LedgerUnavailable` where the file cannot be
    used.
    """

    def __init__(self, home: Path) -> None:
        self._store = store_of(home)
        self._lives = home / "running"
        self._life = Life(self._lives)
        self._counting = threading.Lock()
        self._holders = 1
        self._store.enter()

    @property
    def owner(self) -> str:
        """The name of this run."""
        return self._life.owner

    def salt(self) -> str:
        """Return what this ledger's hashes of keys are salted with."""
        return self._store.transaction(lambda rows: rows.salt())

    def claim(
        self,
        wanted: Entry,
        *,
        following: str = "",
        earlier: Callable[[str], Iterable[str]] = lambda _: (),
        free: bool = False,
    ) -> tuple[Entry, Role]:
        """Find the request in the ledger, or write it down, and say what to do about it.

        A wanted entry that has a task id means that task, whatever it was made for. `following` is the record that this
        run has been waiting for: when it fails, the failure is this run's too. `earlier` returns the fingerprints that
        earlier versions of the pack gave the request under an account. `free` requests are made anew when their video
        is gone.
        """
        self._life.begin()

        def decide(rows: Rows) -> tuple[Entry, Role, str]:
            found = _find(rows, wanted, earlier)
            entry, role = self._decide(wanted, found, following=following, free=free)
            # Whoever pays next is told what may be paid twice, once.
            if role is Role.SEND and not free and not wanted.task_id and (lost := rows.take_lost()):
                return entry, role, lost
            if role in (Role.SEND, Role.RESUME):
                entry.owner = self.owner
                rows.upsert(entry)
            return entry, role, ""

        entry, role, lost = self._store.transaction(decide)
        if lost:
            raise memory_lost(lost)
        return entry, role

    def _decide(self, wanted: Entry, found: Entry | None, *, following: str, free: bool) -> tuple[Entry, Role]:
        if found is None:
            return wanted, Role.SEND
        if found.state == State.FAILED.value and found.id == following:
            return found, Role.FAILED
        if found.state in (State.SAVED.value, State.EXPIRED.value) and found.film_is_there:
            return found, Role.REUSE
        if not wanted.task_id and (found.is_unbilled or (free and found.is_over)):
            return wanted, Role.SEND
        if found.state == State.SAVED.value:
            # It is fetched once more, by one run.
            found.state, found.owner = State.SUBMITTED.value, ""
        if not found.is_over and lives(self._lives, found.owner):
            return found, Role.FOLLOW
        # Of a run that is dead: it may have got as far as the film.
        return found, Role.REUSE if found.film_is_there else Role.RESUME

    def save(self, entry: Entry) -> None:
        """Write an entry down."""
        self._store.transaction(lambda rows: rows.upsert(entry))

    def by_task(self, task_id: str) -> Entry | None:
        """Return the request that a task was created for, where this ledger knows it."""
        found = self._store.transaction(lambda rows: rows.find(task_id=task_id))
        return found[0] if found else None

    def rendering_times(self, like: Entry) -> list[float]:
        """Return the seconds that the latest tasks of the same kind were rendered; none for a task of unknown kind."""
        if not like.model:
            return []
        kind = {"model": like.model, "resolution": like.resolution, "duration": like.duration, "region": like.region}
        # Some of them failed.
        found = self._store.transaction(lambda rows: rows.find(newest=2 * HISTORY, **kind))
        return [entry.rendered for entry in found if entry.rendered > 0][:HISTORY]

    def unknown_tasks(self, task_ids: Iterable[str]) -> list[str]:
        """Return those tasks that no request of this ledger has."""
        return self._store.transaction(lambda rows: [one for one in task_ids if not _is_known(rows, one)])

    def answered_tasks(self, *, account: str, since: float) -> dict[str, float]:
        """Return the tasks that the service created for this ledger's requests under an account, and said so.

        Each with when its call left, by the service's clock: not before `since`.
        """
        found = self._store.transaction(lambda rows: rows.find(account=account))
        return {row.task_id: row.service_sent_at for row in found if row.request_id and row.service_sent_at >= since}

    def adopt(self, entry: Entry, task_id: str, *, rival: Callable[[Entry], bool]) -> bool:
        """Give an entry the task that proved to be its own; it is then SUBMITTED.

        Returns False, and changes nothing, where another request has the task, or where one that `rival` names still
        lacks its own: then either may be the task's.
        """

        def give(rows: Rows) -> bool:
            lacking = rows.find(region=entry.region, model=entry.model, task_id="")
            if any(one.id != entry.id and one.is_open and rival(one) for one in lacking) or _is_known(rows, task_id):
                return False
            adopted = replace(entry, state=State.SUBMITTED.value, task_id=task_id, error="")
            rows.upsert(adopted)
            return True

        if given := self._store.transaction(give):
            entry.state, entry.task_id, entry.error = State.SUBMITTED.value, task_id, ""
        return given

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
        self._life.end()
        self._store.leave()


def open_ledger(home: Path) -> Ledger:
    """Open the ledger in a folder, making it where there is none."""
    return Ledger(home)


def _find(rows: Rows, wanted: Entry, earlier: Callable[[str], Iterable[str]]) -> Entry | None:
    """Return the record of a request, or of the task that is wanted: the newest that may have cost something."""
    if wanted.task_id:
        found = rows.find(task_id=wanted.task_id, newest=1)
        return found[0] if found else None
    found = rows.find(fingerprint=wanted.fingerprint)
    # Earlier versions named a request by its account too: whichever account it was, it is paid.
    for account in rows.accounts(unlike=FINGERPRINT_VERSION):
        for fingerprint in earlier(account):
            found += rows.find(fingerprint=fingerprint)
    # One that cost nothing hides none that is paid.
    return next((one for one in found if not one.is_unbilled), found[0] if found else None)


def _is_known(rows: Rows, task_id: str) -> bool:
    """Tell whether a task belongs to a request. One that was only fetched by its id may be any request's."""
    return any(entry.model for entry in rows.find(task_id=task_id))
