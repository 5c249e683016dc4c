"""The ledger's database: an SQLite file, its schema and migrations, and its exclusive transactions."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import WanError
from .recovery import is_damage, quarantine

if TYPE_CHECKING:
    import sqlite3

T = TypeVar("T")

FILE_NAME = "ledger.sqlite3"
BUSY_SECONDS = 5.0
"""Seconds to wait for another process's transaction. Transactions take milliseconds."""

_VERSIONS = (
    """
    CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
    CREATE TABLE requests (
        id TEXT PRIMARY KEY,
        fingerprint TEXT NOT NULL,
        account TEXT NOT NULL,
        region TEXT NOT NULL,
        model TEXT NOT NULL,
        resolution TEXT NOT NULL,
        duration INTEGER NOT NULL,
        state TEXT NOT NULL,
        owner TEXT NOT NULL,
        task_id TEXT NOT NULL,
        request_id TEXT NOT NULL,
        created_at REAL NOT NULL,
        sent_at REAL NOT NULL,
        submitted_at REAL NOT NULL,
        finished_at REAL NOT NULL,
        part TEXT NOT NULL,
        path TEXT NOT NULL,
        bytes INTEGER NOT NULL,
        error TEXT NOT NULL,
        receipt TEXT NOT NULL
    );
    CREATE INDEX requests_by_fingerprint ON requests (fingerprint);
    CREATE INDEX requests_by_task ON requests (task_id);
    CREATE INDEX requests_by_age ON requests (created_at);
    """,
    """
    ALTER TABLE requests ADD COLUMN rendered REAL NOT NULL DEFAULT 0;
    CREATE INDEX requests_by_kind ON requests (model, resolution, duration, region);
    """,
    """
    ALTER TABLE requests ADD COLUMN service_sent_at REAL NOT NULL DEFAULT 0;
    """,
    """
    ALTER TABLE requests ADD COLUMN subject TEXT NOT NULL DEFAULT '';
    """,
    """
    CREATE INDEX requests_by_account ON requests (account) WHERE substr(fingerprint, 1, 2) <> '2:';
    """,
)
"""One migration script for each version of the schema. Append only."""


class LedgerUnavailable(WanError):
    """The ledger cannot be read or written: a full disk, a lock, a damaged file. No request may be sent then."""


class Database:
    """A ledger file, shared by all runs and threads of the process. Each run calls `open` first and `close` last."""

    def __init__(self, home: Path) -> None:
        self._path = home / FILE_NAME
        self._guard = threading.RLock()
        self._counting = threading.Lock()
        self._users = 0
        self._database: sqlite3.Connection | None = None

    def open(self) -> Database:
        """Count one more run. The file is opened on first use."""
        with self._counting:
            self._users += 1
        return self

    def close(self) -> None:
        """Count one run less. After the last run the file is closed, here or by the thread that is using it."""
        with self._counting:
            self._users -= 1
        if self._guard.acquire(blocking=False):
            try:
                self._disconnect_if_unused()
            finally:
                self._guard.release()

    def write(self, statement: str, rows: Sequence[Sequence[Any]]) -> None:
        """Run a statement with the values of each row, in a transaction of its own. Raises as `transaction` does."""
        self.transaction(lambda database: database.executemany(statement, rows))

    def transaction(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Return the result of `work`, which reads and writes in one transaction. Blocks.

        A damaged file is quarantined, and `work` runs on a new one with the rows that could be read.

        Raises:
            LedgerUnavailable: the ledger cannot be used.
        """
        import sqlite3

        with self._guard:
            try:
                try:
                    return self._transact(work)
                except sqlite3.Error as error:
                    if not is_damage(error):
                        raise
                    self._disconnect()
                quarantine(self._path, connect=connect, create=open_database)
                return self._transact(work)
            except (sqlite3.Error, OSError, NotImplementedError) as error:
                self._disconnect()
                raise _unavailable(self._path, error) from error
            finally:
                self._disconnect_if_unused()

    def _transact(self, work: Callable[[sqlite3.Connection], T]) -> T:
        if self._database is None:
            self._database = open_database(self._path)
        database = self._database
        database.execute("BEGIN IMMEDIATE")
        try:
            result = work(database)
            database.execute("COMMIT")
        except BaseException:
            if database.in_transaction:
                database.execute("ROLLBACK")
            raise
        return result

    def _disconnect_if_unused(self) -> None:
        with self._counting:
            unused = self._users <= 0
        if unused:
            self._disconnect()

    def _disconnect(self) -> None:
        database, self._database = self._database, None
        if database is not None:
            database.close()


def _unavailable(path: Path, error: Exception) -> LedgerUnavailable:
    said = str(error).lower()
    if "locked" in said or "timeout" in type(error).__name__.lower():
        do = "Another program has it open: close that program, then run again."
    elif "full" in said or "no space" in said:
        do = f"Free some space in {path.parent}, then run again."
    elif "newer version" in said:
        do = "Update the pack, then run again."
    else:
        do = (
            f"Make {path.parent} writable, or set DASHSCOPE_WAN_HOME to a folder on a local disk that is, then run "
            "again."
        )
    return LedgerUnavailable(f"The ledger {path} cannot be used ({error}).", hint=f"Nothing was sent. {do}")


def open_database(path: Path) -> sqlite3.Connection:
    """Open the ledger's file, creating it if there is none, and migrate it to the current schema.

    Raises:
        sqlite3.Error, OSError: it cannot be opened, or was created by a newer version of the pack.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    database = connect(path)
    try:
        # First, so that a file with a newer schema is not touched.
        _migrate(database)
        database.execute("PRAGMA journal_mode = WAL")
        # A record must be on disk before its request is sent, even if the power fails.
        database.execute("PRAGMA synchronous = FULL")
    except BaseException:
        database.close()
        raise
    return database


def connect(path: Path, mode: str = "rwc") -> sqlite3.Connection:
    """Open an SQLite file in a mode of its URIs."""
    import sqlite3

    database = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        timeout=BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
    )
    database.row_factory = sqlite3.Row
    return database


def _migrate(database: sqlite3.Connection) -> None:
    import sqlite3

    if database.execute("PRAGMA user_version").fetchone()[0] == len(_VERSIONS):
        return
    database.execute("BEGIN IMMEDIATE")
    version = database.execute("PRAGMA user_version").fetchone()[0]
    if version > len(_VERSIONS):
        database.execute("ROLLBACK")
        raise sqlite3.OperationalError("it was created by a newer version of the pack")
    for script in _VERSIONS[version:]:
        for statement in filter(str.strip, script.split(";")):
            database.execute(statement)
    database.execute(f"PRAGMA user_version = {len(_VERSIONS)}")
    database.execute("COMMIT")


_databases: dict[Path, Database] = {}
_databases_guard = threading.Lock()


def database_for(home: Path) -> Database:
    """Return the database of a folder, the same one for the whole process, for one more run."""
    with _databases_guard:
        return _databases.setdefault(home.absolute(), Database(home)).open()
