"""The ledger's file: its schema, migrations, and the quarantine of damaged files."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3

logger = logging.getLogger("dashscope_wan")

FILE_NAME = "ledger.sqlite3"
LOST = "lost"
"""The fact with the path of a damaged ledger whose records could not all be read."""
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


def open_database(path: Path) -> sqlite3.Connection:
    """Open the ledger's file, creating it if there is none, and migrate it to the current schema.

    Raises:
        sqlite3.Error, OSError: it cannot be opened, or was created by a newer version of the pack.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    database = _connect(path)
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

    with FileLock(path.with_name(path.name + ".lock"), timeout=BUSY_SECONDS):
        if _is_intact(path):
            return
        away = path.with_name(f"{path.name}.damaged-{time.time_ns()}")
        for suffix in ("-wal", "-shm", ""):
            if (file := path.with_name(path.name + suffix)).exists():
                file.rename(away.with_name(away.name + suffix))
        database = open_database(path)
        try:
            whole = [_take_over(table, away, database) for table in ("facts", "requests")]
            if not all(whole):
                database.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (LOST, str(away)))
        finally:
            database.close()
        logger.warning(
            "The ledger %s was damaged and is kept as %s; %s.",
            path,
            away.name,
            "a new ledger has all its records" if all(whole) else "a new ledger has the records that could be read",
        )


def _connect(path: Path, mode: str = "rwc") -> sqlite3.Connection:
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


def _is_intact(path: Path) -> bool:
    """Tell whether a ledger is intact: another process may have replaced the damaged one already."""
    import sqlite3

    try:
        database = _connect(path)
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
        old = _connect(source, "ro")
        try:
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
