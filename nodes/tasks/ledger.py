"""The ledger: every request is written down before it is sent, so that a paid task is never lost and never paid twice.

One SQLite file that several ComfyUI processes may share. A row's `owner` is the run that drives it; each run holds a
file lock for as long as it lives, which the operating system gives back even when the process is killed. A ledger that
cannot be read or written never stops a generation: it is set aside, with a warning, and the run goes on without it.
"""

from __future__ import annotations

import enum
import hashlib
import logging
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

from .schema import FILE_NAME, open_database, set_aside

if TYPE_CHECKING:
    import sqlite3

    from filelock import FileLock

logger = logging.getLogger("dashscope_wan")

TASK_LIFE_SECONDS = 24 * 3600
"""How long the service keeps a task and its video."""


class State(str, enum.Enum):
    """Where a request is. UNCERTAIN: it was sent, and whether a task was created is not known."""

    SUBMITTING = "submitting"
    SUBMITTED = "submitted"
    SUCCEEDED = "succeeded"
    SAVED = "saved"
    FAILED = "failed"
    CANCELED = "canceled"
    EXPIRED = "expired"
    UNCERTAIN = "uncertain"


class Role(enum.Enum):
    """What a run is to do about a request: send it, go on with it, wait for the run that has it, or take the film."""

    SEND = "send"
    RESUME = "resume"
    FOLLOW = "follow"
    REUSE = "reuse"
    FAILED = "failed"


@dataclass
class Entry:
    """One request. Times are epoch seconds, 0 where the step is still to come; `duration` is in seconds.

    `sent_at` is set just before the create call leaves. `part` is the half-downloaded file, `path` the saved one.
    """

    fingerprint: str
    account: str = ""
    region: str = ""
    model: str = ""
    resolution: str = ""
    duration: int = 0
    state: str = State.SUBMITTING.value
    owner: str = ""
    task_id: str = ""
    request_id: str = ""
    created_at: float = 0.0
    sent_at: float = 0.0
    submitted_at: float = 0.0
    finished_at: float = 0.0
    part: str = ""
    path: str = ""
    bytes: int = 0
    error: str = ""
    receipt: str = ""
    id: int = 0

    @property
    def film_is_there(self) -> bool:
        """Whether the film was saved and is still there, whole."""
        try:
            return self.state == State.SAVED.value and Path(self.path).stat().st_size == self.bytes
        except OSError:
            return False

    @property
    def is_gone(self) -> bool:
        """Whether the film was saved, is no longer there, and is too old to be fetched again."""
        old = time.time() - self.submitted_at > TASK_LIFE_SECONDS
        return self.state == State.SAVED.value and old and not self.film_is_there


_COLUMNS = [field.name for field in fields(Entry) if field.name != "id"]
_OPEN = (State.SUBMITTING.value, State.UNCERTAIN.value)
_OVER = (State.FAILED.value, State.CANCELED.value, State.EXPIRED.value)


class Ledger:
    """The ledger as one run uses it. Open it with `open_ledger`, close it when the run ends.

    May be used from several threads.
    """

    def __init__(self, home: Path, database: sqlite3.Connection | None) -> None:
        self._home = home
        self._database = database
        self._guard = threading.RLock()
        self._holders = 1
        self._lives = home / "running"
        self.owner = secrets.token_hex(8)
        self._life = self._begin_life()
        self._salt = self._read_salt()

    def account_of(self, *parts: str) -> str:
        """Return what stands for an account in the ledger: a salted hash, never the key itself."""
        return hashlib.sha256("\0".join((self._salt, *parts)).encode()).hexdigest()[:24]

    def claim(self, wanted: Entry, *, following: int = 0) -> tuple[Entry, Role]:
        """Find the request in the ledger, or write it down, and say what to do about it.

        `following` is the row that this run has been waiting for: when it fails, the failure is this run's too.
        """
        entry, role = wanted, Role.SEND
        with self._writing("look a request up") as database:
            if database is None:
                return wanted, Role.SEND
            found = self._latest(database, wanted.fingerprint)
            entry, role = self._decide(wanted, found, following=following)
            if role in (Role.SEND, Role.RESUME):
                entry.owner = self.owner
                self._put(database, entry)
        return entry, role

    def save(self, entry: Entry) -> None:
        """Write an entry down. A failure is a warning, never an error: the run goes on."""
        with self._writing("write a request down") as database:
            if database is not None:
                self._put(database, entry)

    def by_task(self, task_id: str) -> Entry | None:
        """Return the request that a task was created for, where this ledger knows it."""
        with self._writing("look a task up") as database:
            if database is None:
                return None
            row = database.execute("SELECT * FROM requests WHERE task_id = ? ORDER BY id DESC", (task_id,)).fetchone()
            return Entry(**dict(row)) if row else None
        return None

    def knows_task(self, task_id: str) -> bool:
        """Tell whether a task belongs to a request of this ledger."""
        return self.by_task(task_id) is not None

    def rivals(self, entry: Entry, *, start: float, end: float) -> int:
        """Count the other requests for the same model whose call left in a span of time and has no task yet."""
        with self._writing("look for rivals") as database:
            if database is None:
                return 0
            found = database.execute(
                "SELECT COUNT(*) FROM requests WHERE id != ? AND account = ? AND region = ? AND model = ? "
                "AND state IN (?, ?) AND task_id = '' AND sent_at BETWEEN ? AND ?",
                (entry.id, entry.account, entry.region, entry.model, *_OPEN, start, end),
            )
            return int(found.fetchone()[0])
        return 0

    def hold(self) -> None:
        """Keep the ledger open for one more user, who must `close` it too."""
        with self._guard:
            self._holders += 1

    def close(self) -> None:
        """Close the ledger when its last user is done; this ends the run in the eyes of other runs."""
        with self._guard:
            self._holders -= 1
            if self._holders > 0:
                return
            if self._database is not None:
                self._database.close()
                self._database = None
            if self._life is not None:
                self._life.release()
                _remove(self._lives / f"{self.owner}.lock")
                self._life = None

    def _decide(self, wanted: Entry, found: Entry | None, *, following: int) -> tuple[Entry, Role]:
        if found is None or (found.state in _OVER and found.id != following) or found.is_gone:
            return wanted, Role.SEND
        if found.state in _OVER:
            return found, Role.FAILED
        if found.film_is_there:
            return found, Role.REUSE
        if found.owner == self.owner or self._lives_still(found.owner):
            return found, Role.FOLLOW
        return found, Role.RESUME

    @staticmethod
    def _latest(database: sqlite3.Connection, fingerprint: str) -> Entry | None:
        row = database.execute(
            "SELECT * FROM requests WHERE fingerprint = ? ORDER BY id DESC LIMIT 1", (fingerprint,)
        ).fetchone()
        return Entry(**dict(row)) if row else None

    @staticmethod
    def _put(database: sqlite3.Connection, entry: Entry) -> None:
        values = [value for name, value in asdict(entry).items() if name != "id"]
        if entry.id:
            assignments = ", ".join(f"{name} = ?" for name in _COLUMNS)
            database.execute(f"UPDATE requests SET {assignments} WHERE id = ?", [*values, entry.id])  # noqa: S608 - column names are our own
            return
        marks = ", ".join("?" for _ in _COLUMNS)
        statement = f"INSERT INTO requests ({', '.join(_COLUMNS)}) VALUES ({marks})"  # noqa: S608 - column names are our own
        entry.id = database.execute(statement, values).lastrowid or 0

    @contextmanager
    def _writing(self, purpose: str) -> Iterator[sqlite3.Connection | None]:
        """One transaction that shuts other processes out. What goes wrong in it is told once and then lived without."""
        import sqlite3

        with self._guard:
            if self._database is None:
                yield None
                return
            try:
                self._database.execute("BEGIN IMMEDIATE")
                yield self._database
                self._database.execute("COMMIT")
            except sqlite3.Error as error:
                self._give_up(purpose, error)
            except BaseException:
                self._database.execute("ROLLBACK")
                raise

    def _give_up(self, purpose: str, error: sqlite3.Error) -> None:
        logger.warning(
            "The ledger could not %s (%s). This run goes on without it: do not run the same graph twice at once, and "
            "keep the task id.",
            purpose,
            error,
        )
        database, self._database = self._database, None
        if database is not None:
            database.close()
        if "malformed" in str(error) or "not a database" in str(error):
            set_aside(self._home / FILE_NAME)

    def _read_salt(self) -> str:
        fresh = secrets.token_hex(16)
        with self._writing("read its salt") as database:
            if database is None:
                return fresh
            database.execute("INSERT OR IGNORE INTO facts (name, value) VALUES ('salt', ?)", (fresh,))
            row = database.execute("SELECT value FROM facts WHERE name = 'salt'").fetchone()
            return str(row["value"])
        return fresh

    def _begin_life(self) -> FileLock | None:
        """Take the file lock that shows other runs that this one lives."""
        from filelock import FileLock

        if self._database is None:
            return None
        try:
            self._lives.mkdir(exist_ok=True)
            lock = FileLock(self._lives / f"{self.owner}.lock", thread_local=False)
            lock.acquire(timeout=0)
        except (OSError, TimeoutError) as error:
            self._database.close()
            self._database = None
            logger.warning("The ledger in %s cannot be used (%s). This run goes on without it.", self._home, error)
            return None
        return lock

    def _lives_still(self, owner: str) -> bool:
        """Tell whether another run lives: whether its file lock is held."""
        from filelock import FileLock, Timeout

        path = self._lives / f"{owner}.lock"
        if not path.exists():
            return False
        lock = FileLock(path, thread_local=False)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return True
        lock.release()
        _remove(path)
        return False


def open_ledger(home: Path) -> Ledger:
    """Open the ledger in a folder, making it where there is none."""
    return Ledger(home, open_database(home))


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        logger.debug("%s stays: %s", path, error)
