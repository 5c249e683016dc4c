"""The ledger's database, through SQLAlchemy Core: one engine for each process, and its transactions."""

from __future__ import annotations

import contextlib
import hashlib
import math
import re
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from functools import cached_property
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, TypeVar

from ..redaction import Secret
from .errors import LedgerUnavailable, NewerVersion, describe_file, unavailable
from .recovery import is_damage, quarantine
from .run_lock import RunLock
from .schema import VERSIONS

if TYPE_CHECKING:
    import sqlite3

    from sqlalchemy import Connection, Engine
    from sqlalchemy.exc import DBAPIError

    from .postgres import PostgresStore, RunLease

T = TypeVar("T")

FILE_NAME = "ledger.sqlite3"
BUSY_SECONDS = 5.0
"""Seconds to wait for another process's transaction. Transactions take milliseconds."""

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
            result = connection.exec_driver_sql(statement, dict(values))
            return result.first() if result.returns_rows else None

        return self.transaction(run, exclusive=False)

    def read_facts(self) -> tuple[str, bool]:
        """Return the salt of the account ids (no plain hashes of keys), and whether there are older fingerprints."""
        # Exclusive: a file that another program has locked is noticed here, once for all videos of a batch.
        return self.transaction(_read_facts, exclusive=not self.store.is_shared)

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
        try:
            with self._connection.begin():
                if exclusive:
                    self._connection.exec_driver_sql("BEGIN IMMEDIATE")
                yield self._connection
        except BaseException:
            # SQLAlchemy does not roll back what could not be committed.
            self.close()
            raise

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
        """One machine's processes need no queue."""

    def repair(self, error: DBAPIError) -> bool:
        """Replace a damaged file by a new one with the rows that can be read. Return whether the file was damaged."""
        import sqlite3

        if not isinstance(error.orig, Exception) or not is_damage(error.orig):
            return False
        try:
            quarantine(self._path, connect=connect, create=create_file)
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
    store = SqliteStore(path.parent, path.name)
    migrate(store)
    store.close()
    return connect(path)


def migrate(store: SqliteStore | PostgresStore) -> None:
    """Bring a database to the current version of the schema.

    Raises:
        NewerVersion: it was created by a newer version of the pack. Nothing is changed.
    """
    # A server's session that looked before it has the lock would not see the tables that another one makes meanwhile.
    if not store.is_shared:
        with store.begin(exclusive=False) as connection:
            if store.version(connection) == len(VERSIONS):
                return
    with store.begin(exclusive=True) as connection:
        version = store.version(connection)
        if version > len(VERSIONS):
            raise NewerVersion("it was created by a newer version of the pack")
        for script in (*VERSIONS[version:], "" if version else store.tables):
            for statement in filter(str.strip, script.split(";")):
                connection.exec_driver_sql(statement)
        if version < len(VERSIONS):
            store.set_version(connection, len(VERSIONS))


def _read_facts(connection: Connection) -> tuple[str, bool]:
    salt, has_older = connection.exec_driver_sql(_FACTS).one()
    if salt is None:
        statement = "INSERT INTO facts (name, value) VALUES ('salt', :salt) ON CONFLICT (name) DO NOTHING"
        connection.exec_driver_sql(statement, {"salt": secrets.token_hex(16)})
        salt, has_older = connection.exec_driver_sql(_FACTS).one()
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
