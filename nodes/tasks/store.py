"""The ledger's rows as this process holds them: in the file, and in memory what the file cannot take."""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import astuple, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .entry import COLUMNS, Entry
from .pauses import TEMPO
from .schema import BUSY_SECONDS, FILE_NAME, is_damage, keep_copy, mend, open_database, warn

if TYPE_CHECKING:
    import sqlite3

logger = logging.getLogger("dashscope_wan")

KEPT_IN_MEMORY = 1000
KEPT_SECONDS = 30 * 24 * 3600
_NAMES = ", ".join(COLUMNS)
_PUT = (
    f"INSERT INTO requests ({_NAMES}) VALUES ({', '.join('?' for _ in COLUMNS)}) "  # noqa: S608 - our own names
    f"ON CONFLICT (id) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in COLUMNS)}"
)

_BEGIN = "BEGIN IMMEDIATE"
_THERE = "SELECT 1 FROM requests WHERE id = ?"


class Store:
    """One ledger file. All runs and threads of the process share it; `enter` and `leave` bracket a run's use.

    Nothing here fails: what cannot be read counts as not there, what cannot be written stays in memory, for the other
    runs of this process, and is written as soon as that is possible.
    """

    def __init__(self, home: Path) -> None:
        self._home = home
        self._guard = threading.RLock()
        self._counting = threading.Lock()
        self._users = 0
        self._database: sqlite3.Connection | None = None
        self._fresh = True
        self._uncopied = False
        self._given_up = False
        self._mended = False
        self._in_trouble = False
        self._kept: dict[str, Entry] = {}
        self._unwritten: set[str] = set()
        self._in_flight: set[str] = set()
        self._salt = ""

    def enter(self) -> None:
        """Count one more run. The file is opened when it is first needed."""
        with self._counting:
            self._users += 1
            self._given_up = self._in_trouble = self._mended = False

    def leave(self) -> None:
        """Count one run less. The file is closed after the last one: here, or by the thread that is using it now."""
        with self._counting:
            self._users -= 1
        if self._guard.acquire(blocking=False):
            try:
                self._close_if_unused()
            finally:
                self._guard.release()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Shut other threads out, and other processes where the file can be written."""
        with self._guard:
            self._begin()
            try:
                yield
            finally:
                self._commit()
                self._close_if_unused()

    def find(self, *, newest: int = -1, **values: object) -> list[Entry]:
        """Return the rows that have these values, newest first. `newest` limits how many of the file's rows."""
        mine = [self._kept[key] for key in reversed(self._kept) if key in self._unwritten]
        found = [replace(entry) for entry in mine if all(getattr(entry, k) == v for k, v in values.items())]
        where = " AND ".join(f"{name} = ?" for name in values)
        statement = f"SELECT {_NAMES} FROM requests WHERE {where} ORDER BY rowid DESC LIMIT ?"  # noqa: S608 - our names
        rows = self._execute(statement, *values.values(), newest)
        return found + [Entry(**dict(row)) for row in rows if row["id"] not in self._unwritten]

    def put(self, entry: Entry) -> None:
        """Write a row, new or changed."""
        entry.id = entry.id or secrets.token_hex(8)
        self._kept.pop(entry.id, None)
        self._kept[entry.id] = replace(entry)
        self._unwritten.add(entry.id)
        self._write(entry.id)
        for key in list(self._kept)[:-KEPT_IN_MEMORY]:
            if key not in self._unwritten:
                del self._kept[key]

    def salt(self) -> str:
        """Return what this ledger's hashes of keys are salted with."""
        with self.transaction():
            self._salt = self._salt or secrets.token_hex(16)
            if self._writing:
                self._execute("INSERT OR IGNORE INTO facts (name, value) VALUES ('salt', ?)", self._salt)
            rows = self._execute("SELECT value FROM facts WHERE name = 'salt'")
            self._salt = str(rows[0]["value"]) if rows else self._salt
        return self._salt

    @property
    def _writing(self) -> bool:
        return self._database is not None and self._database.in_transaction

    def _begin(self) -> None:
        if self._database is None and not self._given_up:
            self._database = open_database(self._home)
            self._given_up = self._database is None
            self._fresh = True
        seconds = BUSY_SECONDS if not self._in_trouble else BUSY_SECONDS / 25
        self._execute(f"PRAGMA busy_timeout = {int(seconds * TEMPO.scale * 1000)}")
        self._execute(_BEGIN)
        if self._fresh and self._writing:
            self._fresh = False
            self._execute("DELETE FROM requests WHERE created_at < ?", time.time() - KEPT_SECONDS)
            # What this process knows and the file does not: it was damaged, and begun anew.
            self._unwritten |= {key for key in self._kept if not self._execute(_THERE, key)}
        for key in [key for key in self._kept if key in self._unwritten]:
            self._write(key)

    def _write(self, key: str) -> None:
        if self._writing:
            self._in_flight.add(key)
            self._execute(_PUT, *astuple(self._kept[key]))

    def _commit(self) -> None:
        if self._writing:
            self._execute("COMMIT")
            self._uncopied = self._uncopied or bool(self._in_flight)
            self._in_trouble = self._in_trouble and not self._in_flight
            self._unwritten -= self._in_flight
            self._in_flight.clear()

    def _execute(self, statement: str, *values: object) -> list[Any]:
        """Run a statement and return its rows; none where it fails, which also ends the transaction.

        Where the file is damaged it is mended, and the statement is run once more.
        """
        import sqlite3

        if self._database is None:
            return []
        try:
            return self._database.execute(statement, [_storable(value) for value in values]).fetchall()
        except sqlite3.Error as error:
            if not self._fail(error):
                return []
        if statement != _BEGIN:
            self._begin()
        return self._execute(statement, *values)

    def _fail(self, error: sqlite3.Error) -> bool:
        """Go on in memory, and mend the file where it is damaged. Tell whether it was mended."""
        import sqlite3

        self._in_flight.clear()
        if not self._in_trouble:
            warn(error, home=self._home)
        self._in_trouble = True
        if self._database is not None and self._database.in_transaction:
            try:
                self._database.execute("ROLLBACK")
            except sqlite3.Error:
                self._close()
        return is_damage(error) and self._mend()

    def _mend(self) -> bool:
        import sqlite3

        self._close()
        self._fresh = True
        # Once, for a disk that damages it again and again.
        self._given_up = self._mended
        if not self._mended:
            self._mended = True
            try:
                self._database = mend(self._home / FILE_NAME)
            except (sqlite3.Error, OSError, NotImplementedError) as error:
                self._given_up = True
                warn(error, home=self._home)
        return self._database is not None

    def _close_if_unused(self) -> None:
        with self._counting:
            unused = self._users <= 0
        if unused and self._database is not None and self._uncopied:
            self._uncopied = not keep_copy(self._database, self._home / FILE_NAME)
        if unused:
            self._close()

    def _close(self) -> None:
        database, self._database = self._database, None
        if database is not None:
            database.close()


def _storable(value: object) -> object:
    """Return a value as SQLite takes it: a text from the service may hold half a character."""
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value


_stores: dict[Path, Store] = {}
_stores_guard = threading.Lock()


def store_of(home: Path) -> Store:
    """Return the store of a folder, the same one for all of this process."""
    with _stores_guard:
        return _stores.setdefault(home.absolute(), Store(home))
