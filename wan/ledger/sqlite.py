"""The ledger in an SQLite file. A damaged file is set aside, and a new one takes over what can be read of it."""

from __future__ import annotations

import contextlib
import logging
import re
import time
from collections.abc import Iterator
from functools import cached_property, partial
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from ..files import when_free
from .errors import describe_file
from .run_lock import RunLock
from .schema import VERSIONS, migrate

if TYPE_CHECKING:
    import sqlite3

    from sqlalchemy import Connection, Engine
    from sqlalchemy.exc import DBAPIError

logger = logging.getLogger("dashscope_wan")

FILE_NAME = "ledger.sqlite3"
BUSY_SECONDS = 5.0
"""Seconds to wait for another process's transaction. Transactions take milliseconds."""

LOCK_SECONDS = 5.0
"""Seconds to wait for another process that recovers the same file."""

LOST = "lost"
"""The fact with the path of a damaged ledger whose records could not all be read."""

REPORTED = "lost reported by"
"""The fact with the run that has reported the loss."""

NOTE_REPORTED = (
    "INSERT INTO facts (name, value) VALUES (:name, :run) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
)


class SqliteStore:
    """A file `name` in the folder `home`."""

    is_shared = False
    """Whether several machines share the ledger."""

    tables = ""
    """What a new database has beside the tables of the schema: a script."""

    def __init__(self, home: Path, name: str = FILE_NAME) -> None:
        self._path = home / name
        self._locks_folder = home / "running"
        self._connection: Connection | None = None

    @contextlib.contextmanager
    def begin(self, *, exclusive: bool) -> Iterator[Connection]:
        """Begin a transaction on the one connection, as SQLite has one writer; else each statement is one by itself."""
        self._connection = self._connection or self._engine.connect()
        with self._connection.begin():
            if exclusive:
                self._connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield self._connection

    @cached_property
    def _engine(self) -> Engine:
        from sqlalchemy import create_engine
        from sqlalchemy.pool import NullPool

        return create_engine("sqlite://", creator=self._connect, poolclass=NullPool, hide_parameters=True)

    def close(self) -> None:
        """Close the file, until the next transaction."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _connect(self) -> sqlite3.Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        return connect(self._path)

    def version(self, connection: Connection) -> int:
        """Return the version of the schema, 0 for a new file."""
        return int(connection.exec_driver_sql("PRAGMA user_version").scalar_one())

    def set_version(self, connection: Connection, version: int) -> None:
        """Write the version of the schema down."""
        connection.exec_driver_sql(f"PRAGMA user_version = {version}")

    def run_lock(self, *, scale: float) -> RunLock:  # noqa: ARG002 - the operating system holds it
        """Return the lock of a new run."""
        return RunLock(self._locks_folder)

    def listen(self) -> None:
        """Return nothing: one machine's processes need no queue."""

    def repair(self, error: DBAPIError) -> bool:
        """Replace a damaged file by a new one with the rows that can be read. Return whether the file was damaged."""
        import sqlite3

        if not isinstance(error.orig, Exception) or not is_damage(error.orig):
            return False
        try:
            quarantine(self._path)
        except sqlite3.Error as failure:
            raise OSError(str(failure)) from failure
        return True

    def describe(self, error: Exception) -> tuple[str, str]:
        """Return what happened and what to do about it."""
        return describe_file(error, self._path)


def uri_of(path: PurePath, mode: str) -> str:
    """Return SQLite's URI of an absolute path. In Windows' paths of shares the host is a part of SQLite's path."""
    return f"{re.sub('^file://(?=[^/])', 'file:////', path.as_uri())}?mode={mode}"


def connect(path: Path, mode: str = "rwc") -> sqlite3.Connection:
    """Open an SQLite file in a mode of its URIs."""
    import sqlite3

    uri = uri_of(path.absolute(), mode)
    database = sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        if mode == "rwc":
            # A file with a newer schema is not touched.
            if database.execute("PRAGMA user_version").fetchone()[0] <= len(VERSIONS):
                database.execute("PRAGMA journal_mode = WAL")
            # A record must be on disk before its request is sent, even if the power fails.
            database.execute("PRAGMA synchronous = FULL")
    except BaseException:
        database.close()
        raise
    return database


def create_file(path: Path) -> sqlite3.Connection:
    """Create a new ledger file, and return its connection."""
    store = SqliteStore(path.parent)
    migrate(store)
    store.close()
    return connect(path)


def is_damage(error: Exception) -> bool:
    """Tell whether an error means that the file is damaged, not just unavailable."""
    import sqlite3

    # SQLITE_CORRUPT and SQLITE_NOTADB come as the base class itself; a foreign database lacks our tables.
    return type(error) is sqlite3.DatabaseError or (
        isinstance(error, sqlite3.Error) and ("malformed" in str(error) or "no such" in str(error))
    )


def quarantine(path: Path) -> None:
    """Rename a damaged ledger and copy its readable rows to a new one, with a note if some rows are lost.

    Of several processes that find the file damaged, one does this.

    Raises:
        sqlite3.Error, OSError: this is not possible.
    """
    from filelock import FileLock

    with FileLock(path.with_name(path.name + ".lock"), timeout=LOCK_SECONDS):
        if _is_intact(path):
            return
        away = path.with_name(f"{path.name}.damaged-{time.time_ns()}")
        for suffix in ("-wal", "-shm", ""):
            if (file := path.with_name(path.name + suffix)).exists():
                when_free(partial(file.rename, away.with_name(away.name + suffix)))
        database = create_file(path)
        try:
            whole = [_take_over(table, away, database) for table in ("facts", "requests")]
            if not all(whole):
                database.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (LOST, str(away)))
                # An earlier loss that was reported is not this one.
                database.execute("DELETE FROM facts WHERE name = ?", (REPORTED,))
        finally:
            database.close()
        logger.warning(
            "The ledger %s was damaged and is kept as %s; %s.",
            path,
            away.name,
            "a new ledger has all its records" if all(whole) else "a new ledger has the records that could be read",
        )


def unreported_loss(connection: Connection, *, run_id: str) -> str:
    """Return the path of a damaged ledger whose lost records no other run has reported; "" if there is none."""
    named = {"lost": LOST, "reported": REPORTED}
    found = connection.exec_driver_sql("SELECT name, value FROM facts WHERE name IN (:lost, :reported)", named)
    facts = {row.name: str(row.value) for row in found}
    if facts.get(REPORTED, run_id) == run_id:
        return facts.get(LOST, "")
    connection.exec_driver_sql("DELETE FROM facts WHERE name IN (:lost, :reported)", named)
    return ""


def _is_intact(path: Path) -> bool:
    """Tell whether a ledger is intact: another process may have replaced the damaged one already."""
    import sqlite3

    try:
        database = connect(path)
        try:
            found: str = database.execute("PRAGMA quick_check(1)").fetchone()[0]
            database.execute("SELECT id FROM requests LIMIT 1")
        finally:
            database.close()
    except sqlite3.Error as error:
        if is_damage(error):
            return False
        raise
    return found == "ok"


def _take_over(table: str, source: Path, database: sqlite3.Connection) -> bool:
    """Copy the readable rows of a damaged ledger's table, newest first. Return whether all rows were readable."""
    import sqlite3

    try:
        old = connect(source, "ro")
        try:
            old.row_factory = sqlite3.Row
            for row in old.execute(f"SELECT rowid AS rowid, * FROM {table} ORDER BY rowid DESC"):  # noqa: S608 - our own names
                names, marks = ", ".join(row.keys()), ", ".join("?" for _ in row)
                statement = f"INSERT OR IGNORE INTO {table} ({names}) VALUES ({marks})"  # noqa: S608 - our own names
                database.execute(statement, tuple(row))
        finally:
            old.close()
    except sqlite3.Error as error:
        logger.debug("the rest of %s cannot be read: %s", table, error)
        return False
    return True
