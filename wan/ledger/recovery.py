"""Recovery: a damaged ledger is set aside, and a new one takes over what can be read of it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ..files import when_free

if TYPE_CHECKING:
    import sqlite3

    from sqlalchemy import Connection

logger = logging.getLogger("dashscope_wan")

REPORTED = "lost reported by"
"""The fact with the run that has reported the loss."""

NOTE_REPORTED = (
    "INSERT INTO facts (name, value) VALUES (:name, :run) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
)

LOCK_SECONDS = 5.0
"""Seconds to wait for another process that recovers the same file."""

_SUFFIXES = ("-wal", "-shm", "")

LOST = "lost"
"""The fact with the path of a damaged ledger whose records could not all be read."""


def is_damage(error: Exception) -> bool:
    """Tell whether an error means that the file is damaged, not just unavailable."""
    import sqlite3

    # SQLITE_CORRUPT and SQLITE_NOTADB come as the base class itself; a foreign database lacks our tables.
    return type(error) is sqlite3.DatabaseError or (
        isinstance(error, sqlite3.Error) and ("malformed" in str(error) or "no such" in str(error))
    )


def quarantine(
    path: Path, *, connect: Callable[[Path, str], sqlite3.Connection], create: Callable[[Path], sqlite3.Connection]
) -> None:
    """Replace a damaged ledger, which is renamed, by a new one with its readable rows, and a note if some are lost.

    Of several processes that find the file damaged, one does this. `connect` opens a file as it is, in a mode of
    SQLite's URIs; `create` makes the new ledger.

    Raises:
        sqlite3.Error, OSError: this is not possible.
    """
    from filelock import FileLock

    with FileLock(path.with_name(path.name + ".lock"), timeout=LOCK_SECONDS):
        if _is_intact(path, connect):
            return
        away, new = path.with_name(f"{path.name}.damaged-{time.time_ns()}"), path.with_name(f"{path.name}.new")
        for suffix in _SUFFIXES:
            new.with_name(new.name + suffix).unlink(missing_ok=True)
        # The new ledger takes the place of the damaged one when it is complete.
        database = create(new)
        try:
            database.execute("BEGIN")
            whole = [_take_over(table, partial(connect, path, "ro"), database) for table in ("facts", "requests")]
            if not all(whole):
                database.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (LOST, str(away)))
                # An earlier loss that was reported is not this one.
                database.execute("DELETE FROM facts WHERE name = ?", (REPORTED,))
            database.execute("COMMIT")
        finally:
            database.close()
        for suffix in _SUFFIXES:
            if (file := path.with_name(path.name + suffix)).exists():
                when_free(partial(file.rename, away.with_name(away.name + suffix)))
        when_free(partial(new.rename, path))
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


def _is_intact(path: Path, connect: Callable[[Path, str], sqlite3.Connection]) -> bool:
    """Tell whether a ledger is intact: another process may have replaced the damaged one already."""
    import sqlite3

    try:
        database = connect(path, "rwc")
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


def _take_over(table: str, open_source: Callable[[], sqlite3.Connection], database: sqlite3.Connection) -> bool:
    """Copy the readable rows of a damaged ledger's table, newest first. Return whether all rows were readable."""
    import sqlite3

    try:
        old = open_source()
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
