"""The ledger's database: rows are read and written in exclusive transactions."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from dataclasses import astuple
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import WanError
from .record import COLUMNS, Record
from .schema import FILE_NAME, LOST, is_damage, open_database, quarantine

if TYPE_CHECKING:
    import sqlite3

T = TypeVar("T")

_NAMES = ", ".join(COLUMNS)
_UPSERT = (
    f"INSERT INTO requests ({_NAMES}) VALUES ({', '.join('?' for _ in COLUMNS)}) "  # noqa: S608 - our own names
    f"ON CONFLICT (id) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in COLUMNS)}"
)


class LedgerUnavailable(WanError):
    """The ledger cannot be read or written: a full disk, a lock, a damaged file. No request may be sent then."""


class Rows:
    """The rows of the ledger within one transaction."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def find(self, *, newest: int = -1, **values: object) -> list[Record]:
        """Return the records with these values, newest first, at most `newest` of them."""
        where = " AND ".join(f"{name} = ?" for name in values)
        statement = f"SELECT {_NAMES} FROM requests WHERE {where} ORDER BY rowid DESC LIMIT ?"  # noqa: S608 - our own names
        return [Record(**dict(row)) for row in self._database.execute(statement, (*values.values(), newest))]

    def older_accounts(self) -> list[str]:
        """Return the accounts of the records whose fingerprints are in an older format."""
        # Word for word the condition of the index, which is empty in a ledger without such records.
        statement = "SELECT DISTINCT account FROM requests WHERE substr(fingerprint, 1, 2) <> '2:'"
        return [row[0] for row in self._database.execute(statement)]

    def upsert(self, record: Record) -> None:
        """Insert or update a record. A new record gets its id."""
        record.id = record.id or secrets.token_hex(8)
        self._database.execute(_UPSERT, [_storable(value) for value in astuple(record)])

    def take_lost(self) -> str:
        """Return and clear the path of a damaged ledger whose records were lost; "" if there is none."""
        row = self._database.execute("SELECT value FROM facts WHERE name = ?", (LOST,)).fetchone()
        self._database.execute("DELETE FROM facts WHERE name = ?", (LOST,))
        return str(row[0]) if row else ""

    def salt(self) -> str:
        """Return the salt of this ledger's key hashes."""
        self._database.execute("INSERT OR IGNORE INTO facts VALUES ('salt', ?)", (secrets.token_hex(16),))
        return str(self._database.execute("SELECT value FROM facts WHERE name = 'salt'").fetchone()[0])


class Database:
    """A ledger file, shared by all runs and threads of the process. A run calls `open` first and `close` last."""

    def __init__(self, home: Path) -> None:
        self._path = home / FILE_NAME
        self._guard = threading.RLock()
        self._counting = threading.Lock()
        self._users = 0
        self._database: sqlite3.Connection | None = None

    def open(self) -> None:
        """Count one more run. The file is opened on first use."""
        with self._counting:
            self._users += 1

    def close(self) -> None:
        """Count one run less. After the last run the file is closed, here or by the thread that is using it."""
        with self._counting:
            self._users -= 1
        if self._guard.acquire(blocking=False):
            try:
                self._disconnect_if_unused()
            finally:
                self._guard.release()

    def transaction(self, work: Callable[[Rows], T]) -> T:
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
                quarantine(self._path)
                return self._transact(work)
            except (sqlite3.Error, OSError, NotImplementedError) as error:
                self._disconnect()
                raise _unavailable(self._path, error) from error
            finally:
                self._disconnect_if_unused()

    def _transact(self, work: Callable[[Rows], T]) -> T:
        if self._database is None:
            self._database = open_database(self._path)
        database = self._database
        database.execute("BEGIN IMMEDIATE")
        try:
            result = work(Rows(database))
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


def memory_lost(away: str) -> LedgerUnavailable:
    """Return the error for lost records: their requests would be charged again without notice."""
    return LedgerUnavailable(
        f"The ledger was damaged and is kept as {away}. Some of its records could not be read.",
        hint="Nothing was sent. Run again to continue with a new ledger. Requests whose records were lost are then "
        "submitted and charged again: for a video of the last 24 hours use Wan Fetch Task with its task id instead.",
    )


def _storable(value: object) -> Any:
    """Return a value that SQLite accepts: a text from the service may contain a lone surrogate."""
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value


_databases: dict[Path, Database] = {}
_databases_guard = threading.Lock()


def database_for(home: Path) -> Database:
    """Return the database of a folder, the same one for the whole process."""
    with _databases_guard:
        return _databases.setdefault(home.absolute(), Database(home))
