"""The ledger as an SQLite file, the default: for the processes of one machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from .recovery import is_damage, quarantine
from .run_lock import RunLock
from .schema import VERSIONS, NewerVersion, migrate

if TYPE_CHECKING:
    import sqlite3

    from sqlalchemy import Connection, Engine

FILE_NAME = "ledger.sqlite3"
BUSY_SECONDS = 5.0
"""Seconds to wait for another process's transaction. Transactions take milliseconds."""


class SqliteStore:
    """A file in the folder `home`."""

    is_shared = False
    """Whether several machines share the ledger."""

    def __init__(self, home: Path) -> None:
        self._path = home / FILE_NAME
        self._locks_folder = home / "running"

    def create_engine(self) -> Engine:
        """Return an engine with one connection, as SQLite has one writer. The file is opened by `connect`."""
        from sqlalchemy import create_engine, event
        from sqlalchemy.pool import QueuePool

        engine = create_engine(
            "sqlite://",
            creator=self._connect,
            poolclass=QueuePool,
            pool_size=1,
            max_overflow=0,
            hide_parameters=True,
        )
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
        return engine

    def _connect(self) -> sqlite3.Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        return connect(self._path)

    def prepare(self, connection: Connection) -> None:
        """Create the tables of a new file, or migrate those of an old one, in a transaction.

        Raises:
            NewerVersion: the file was created by a newer version of the pack. It is not touched.
        """
        save = connection.exec_driver_sql
        version = save("PRAGMA user_version").scalar_one()
        migrate(connection, version, lambda new: save(f"PRAGMA user_version = {new}"))

    def lock(self, connection: Connection) -> None:
        """Make the transaction the only one: it already is."""

    def run_lock(self) -> RunLock:
        """Return the lock of a new run."""
        return RunLock(self._locks_folder)

    def repair(self, error: BaseException | None) -> bool:
        """Replace a damaged file by a new one with the rows that can be read. Return whether the file was damaged."""
        if not isinstance(error, Exception) or not is_damage(error):
            return False
        quarantine(self._path, connect=connect, create=create_file)
        return True

    def describe(self, error: Exception) -> tuple[str, str]:
        """Return what happened and what to do about it."""
        said = str(error).lower()
        if "locked" in said or "timeout" in type(error).__name__.lower():
            do = "Another program has it open: close that program, then run again."
        elif "full" in said or "no space" in said:
            do = f"Free some space in {self._path.parent}, then run again."
        elif isinstance(error, NewerVersion):
            do = "Update the pack, then run again."
        else:
            do = (
                f"Make {self._path.parent} writable, or set DASHSCOPE_WAN_HOME to a folder on a local disk that is, "
                "then run again."
            )
        return f"The ledger {self._path} cannot be used ({error}).", do


def connect(path: Path, mode: str = "rwc") -> sqlite3.Connection:
    """Open an SQLite file in a mode of its URIs."""
    import sqlite3

    uri = f"{path.absolute().as_uri()}?mode={mode}"
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
    engine = store.create_engine()
    with engine.begin() as connection:
        store.prepare(connection)
    engine.dispose()
    return connect(path)
