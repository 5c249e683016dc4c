"""The ledger's database, through SQLAlchemy Core: one engine for each process, and its transactions."""

from __future__ import annotations

import contextlib
import hashlib
import math
import re
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ..redaction import Secret
from .errors import LedgerUnavailable, unavailable
from .run_lock import RunLock
from .schema import migrate
from .sqlite import SqliteStore

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from .postgres import PostgresStore, RunLease

T = TypeVar("T")

DOWN_SECONDS = 5.0
"""Seconds for which nobody waits again for a server that did not answer, but who is about to send a request."""
_UP: tuple[float, str, str] = (-math.inf, "", "")

_FACTS = (
    "SELECT (SELECT value FROM facts WHERE name = 'salt') AS salt, "
    "EXISTS (SELECT 1 FROM requests WHERE substr(fingerprint, 1, 2) <> '2:') AS has_older"
)


class Database:
    """The database of a ledger, shared by all runs and threads of the process.

    Each run calls `open` first and `close` last. `store` is the engine that keeps the rows. `durations` are the latest
    rendering times by kind, and when they were read. `full_queues` are when runs had to wait, by the queue's name.
    """

    def __init__(self, store: SqliteStore | PostgresStore) -> None:
        self.store = store
        self._guard = threading.Lock()
        # A file has one connection, for which threads wait here.
        self._turn: AbstractContextManager[object] = contextlib.nullcontext() if store.is_shared else threading.Lock()
        self._users = 0
        self.durations: dict[tuple[str, str, int, str], tuple[float, list[float]]] = {}
        self.full_queues: dict[str, float] = {}
        self._is_current = False
        self._down = _UP

    def open(self) -> Database:
        """Count one more run. The database is connected on first use."""
        with self._guard:
            self._users += 1
        return self

    def close(self) -> None:
        """Count one run less. After the last run a file is closed; a server stays connected."""
        with self._turn:
            with self._guard:
                self._users -= 1
            if self._users <= 0 and not self.store.is_shared:
                self._give_up()

    def execute(self, statement: str, values: Mapping[str, Any]) -> Any:
        """Run a statement with its values as `:name`, and return the first row of its result, None if it has none.

        Raises as `transaction` does.
        """

        def run(connection: Connection) -> Any:
            result = execute(connection, statement, values)
            return result.first() if result.returns_rows else None

        return self.transaction(run, exclusive=False)

    def read_facts(self) -> tuple[str, bool]:
        """Return the salt of the account ids, which the first run draws, and whether there are older fingerprints.

        Salted, the ids are no plain hashes of keys.
        """
        return self.transaction(_read_facts, exclusive=False)

    def listen(self) -> Any:
        """Return a connection of its driver that hears notifications; only of a store that is shared.

        Raises:
            LedgerUnavailable: the database cannot be reached.
        """
        try:
            return self.store.listen()
        except Exception as error:
            message, do = self.store.describe(error)
            raise unavailable(message, do) from error

    def transaction(self, work: Callable[[Connection], T], *, exclusive: bool = True) -> T:
        """Return the result of `work`. Blocks.

        If it is `exclusive`, no other transaction takes place meanwhile; otherwise each statement is one by itself. A
        damaged file is quarantined, and `work` runs on a new one with the rows that could be read. If the connection to
        a server was lost, `work` runs once more: it must not matter whether its first run was committed.

        Raises:
            LedgerUnavailable: the ledger cannot be used.
        """
        from sqlalchemy.exc import DBAPIError, SQLAlchemyError

        since, message, do = self._down
        if not exclusive and time.monotonic() - since < DOWN_SECONDS:
            raise LedgerUnavailable(message, hint=do)
        with self._turn:
            try:
                try:
                    return self._transact(work, exclusive=exclusive)
                except DBAPIError as error:
                    self._give_up()
                    if not self.store.repair(error):
                        raise
                    return self._transact(work, exclusive=exclusive)
            except (SQLAlchemyError, OSError, NotImplementedError) as error:
                self._give_up()
                message, do = self.store.describe(getattr(error, "orig", None) or error)
                failure = unavailable(message, do)
                if self.store.is_shared:
                    self._down = (time.monotonic(), message, failure.hint)
                raise failure from error

    def _transact(self, work: Callable[[Connection], T], *, exclusive: bool) -> T:
        if not self._is_current:
            migrate(self.store)
        self._is_current = True
        with self.store.begin(exclusive=exclusive) as connection:
            result = work(connection)
        self._down = _UP
        return result

    def _give_up(self) -> None:
        """Begin anew next time. On a server other threads go on, and lost connections are replaced one by one."""
        self._is_current = False
        if not self.store.is_shared:
            self.store.close()


def execute(connection: Connection, statement: str, values: Mapping[str, Any] | None = None) -> Any:
    """Run a statement with its values as `:name`, past SQLAlchemy's compiler, which takes as long as SQLite does."""
    return connection.exec_driver_sql(_in_style(statement, connection.dialect.paramstyle), dict(values or {}))


@cache
def _in_style(statement: str, paramstyle: str) -> str:
    """Return a statement with its values in the form of a driver. SQLite's takes them as they are."""
    if paramstyle != "pyformat":
        return statement
    return re.sub(r"(?<!:):([a-z_]+)", r"%(\1)s", statement.replace("%", "%%"))


def _read_facts(connection: Connection) -> tuple[str, bool]:
    salt, has_older = execute(connection, _FACTS).one()
    if salt is None:
        statement = "INSERT INTO facts (name, value) VALUES ('salt', :salt) ON CONFLICT (name) DO NOTHING"
        execute(connection, statement, {"salt": secrets.token_hex(16)})
        salt, has_older = execute(connection, _FACTS).one()
    return str(salt), bool(has_older)


_databases: dict[str, Database] = {}
_databases_guard = threading.Lock()


def database_for(home: Path, url: Secret | None = None, *, scale: float = 1.0) -> tuple[Database, RunLock | RunLease]:
    """Return the process's one database at a URL, or of a folder's file, and the lock of one more run.

    `scale` is the real seconds of one second of waiting.

    Raises:
        LedgerUnavailable: the URL cannot be used.
    """
    # Not a name that a traceback would show.
    name = hashlib.sha256(url.reveal().encode()).hexdigest() if url else str(home.absolute())
    with _databases_guard:
        if name not in _databases and url:
            from .postgres import PostgresStore

            _databases[name] = Database(PostgresStore(url))
        elif name not in _databases:
            _databases[name] = Database(SqliteStore(home))
        database = _databases[name].open()
    return database, database.store.run_lock(scale=scale)
