"""The ledger: every request is written down before it is sent, so that a paid task is never lost and never paid twice.

One SQLite file that several ComfyUI processes may share. A row's `owner` is the run that drives it. A ledger that
cannot be read or written never stops a generation.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable
from pathlib import Path

from .clocks import Span
from .entry import Entry, Role, State
from .lives import Life, lives
from .rhythm import HISTORY
from .store import store_of


class Ledger:
    """The ledger as one run uses it: close it when the run ends. Nothing is opened before it is needed.

    All but `hold` and `close` block; call them from threads.
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

    def account_of(self, *parts: str) -> str:
        """Return what stands for an account in the ledger: a salted hash, never the key itself."""
        return hashlib.sha256("\0".join((self._store.salt(), *parts)).encode()).hexdigest()[:24]

    def claim(self, wanted: Entry, *, following: str = "") -> tuple[Entry, Role]:
        """Find the request in the ledger, or write it down, and say what to do about it.

        A wanted entry that has a task id means that task, whatever it was made for. `following` is the row that this
        run has been waiting for: when it fails, the failure is this run's too.
        """
        self._life.begin()
        key = "task_id" if wanted.task_id else "fingerprint"
        with self._store.transaction():
            found = self._store.find(**{key: getattr(wanted, key)})
            entry, role = self._decide(wanted, found[0] if found else None, following=following)
            if role in (Role.SEND, Role.RESUME):
                entry.owner = self.owner
                self._store.put(entry)
        return entry, role

    def _decide(self, wanted: Entry, found: Entry | None, *, following: str) -> tuple[Entry, Role]:
        if found is None:
            return wanted, Role.SEND
        if found.state == State.FAILED.value and found.id == following:
            return found, Role.FAILED
        if found.state == State.SAVED.value:
            if found.film_is_there:
                return found, Role.REUSE
            # It is fetched once more, by one run.
            found.state, found.owner = State.SUBMITTED.value, ""
        if found.is_over and not wanted.task_id:
            return wanted, Role.SEND
        if not found.is_over and lives(self._lives, found.owner):
            return found, Role.FOLLOW
        # Of a run that is dead: it may have got as far as the film.
        return found, Role.REUSE if found.film_is_there else Role.RESUME

    def save(self, entry: Entry) -> None:
        """Write an entry down."""
        with self._store.transaction():
            self._store.put(entry)

    def by_task(self, task_id: str) -> Entry | None:
        """Return the request that a task was created for, where this ledger knows it."""
        with self._store.transaction():
            found = self._store.find(task_id=task_id)
        return found[0] if found else None

    def rendering_times(self, like: Entry) -> list[float]:
        """Return the seconds that the latest tasks of the same kind were rendered; none for a task of unknown kind."""
        if not like.model:
            return []
        kind = {"model": like.model, "resolution": like.resolution, "duration": like.duration, "region": like.region}
        with self._store.transaction():
            # Some of them failed.
            found = self._store.find(newest=2 * HISTORY, **kind)
        return [entry.rendered for entry in found if entry.rendered > 0][:HISTORY]

    def strangers(self, task_ids: Iterable[str]) -> list[str]:
        """Return those tasks that no request of this ledger knows."""
        with self._store.transaction():
            return [task_id for task_id in task_ids if not self._is_known(task_id)]

    def adopt(self, entry: Entry, task_id: str, *, created: float, span: Span) -> bool:
        """Give an entry the task that its call created, where that is certain; it is then SUBMITTED.

        It is, where no other request knows the task, and none lacks the task of a call in that span.
        """
        with self._store.transaction():
            lacking = self._store.find(account=entry.account, region=entry.region, model=entry.model, task_id="")
            rivals = [one for one in lacking if one.id != entry.id and one.is_open and span.may_hold(one)]
            if rivals or self._is_known(task_id):
                return False
            entry.state, entry.task_id, entry.error = State.SUBMITTED.value, task_id, ""
            entry.submitted_at = created - span.ahead if created else entry.sent_at
            self._store.put(entry)
        return True

    def ahead_before(self, entry: Entry) -> float | None:
        """Return by how many seconds the service's clock was ahead when the last request before this one was sent.

        None where no earlier request knows it.
        """
        with self._store.transaction():
            found = self._store.find(region=entry.region)
        ids = [one.id for one in found]
        earlier = found[ids.index(entry.id) + 1 :] if entry.id in ids else []
        known = (one for one in earlier if one.service_sent_at and 0 < one.sent_at <= entry.sent_at)
        return next((one.service_sent_at - one.sent_at for one in known), None)

    def _is_known(self, task_id: str) -> bool:
        """Tell whether a task belongs to a request. One that was only fetched by its id may be any request's."""
        return any(entry.model for entry in self._store.find(task_id=task_id))

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
