"""The ledger's file: its tables, their versions, and what to do when it is damaged."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3

logger = logging.getLogger("dashscope_wan")

FILE_NAME = "ledger.sqlite3"
KEPT_SECONDS = 30 * 24 * 3600
BUSY_SECONDS = 5.0

_VERSIONS = (
    """
    CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
    CREATE TABLE requests (
        id INTEGER PRIMARY KEY,
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
)
"""One script for each version of the schema: it makes that version from the one before. Append only."""


def open_database(home: Path) -> sqlite3.Connection | None:
    """Open the ledger's file, bring it to the newest version and drop rows that are too old.

    A damaged file is set aside and a new one made. Returns None, with a warning, where there is no way to keep one.
    """
    import sqlite3

    path = home / FILE_NAME
    for attempt in (1, 2):
        try:
            home.mkdir(parents=True, exist_ok=True)
            return _open(path)
        except sqlite3.DatabaseError as error:
            damaged = not isinstance(error, sqlite3.OperationalError) or "malformed" in str(error)
            if damaged and attempt == 1 and set_aside(path):
                continue
            _warn(path, error)
        except OSError as error:
            _warn(path, error)
        return None
    return None


def set_aside(path: Path) -> bool:
    """Rename a damaged ledger out of the way. Returns False where that is not possible."""
    away = path.with_name(f"{path.name}.damaged-{time.time_ns()}")
    try:
        for suffix in ("-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        path.rename(away)
    except OSError as error:
        logger.warning("The damaged ledger %s could not be set aside: %s", path, error)
        return False
    logger.warning("The ledger %s is damaged and was set aside as %s; a new one is begun.", path, away.name)
    return True


def _open(path: Path) -> sqlite3.Connection:
    import sqlite3

    database = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        database.row_factory = sqlite3.Row
        database.execute("PRAGMA journal_mode = WAL")
        # A row must be on the disk before its request leaves: also when the power goes.
        database.execute("PRAGMA synchronous = FULL")
        _migrate(database)
        database.execute("DELETE FROM requests WHERE created_at < ?", (time.time() - KEPT_SECONDS,))
    except BaseException:
        database.close()
        raise
    return database


def _migrate(database: sqlite3.Connection) -> None:
    import sqlite3

    if database.execute("PRAGMA user_version").fetchone()[0] == len(_VERSIONS):
        return
    database.execute("BEGIN IMMEDIATE")
    version = database.execute("PRAGMA user_version").fetchone()[0]
    if version > len(_VERSIONS):
        database.execute("ROLLBACK")
        raise sqlite3.OperationalError("it was made by a newer version of the pack")
    for script in _VERSIONS[version:]:
        for statement in filter(str.strip, script.split(";")):
            database.execute(statement)
    database.execute(f"PRAGMA user_version = {len(_VERSIONS)}")
    database.execute("COMMIT")


def _warn(path: Path, error: Exception) -> None:
    logger.warning(
        "The ledger %s cannot be used (%s). This run goes on without it: do not run the same graph twice at once, and "
        "keep the task id.",
        path,
        error,
    )
