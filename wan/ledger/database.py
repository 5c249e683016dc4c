"""The ledger's database, through SQLAlchemy Core: one engine for each process, and its transactions."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from .errors import LedgerUnavailable
from .sqlite import SqliteStore

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine, TextClause

T = TypeVar("T")


@cache
def sql(statement: str) -> TextClause:
    """Return a statement with its values as `:name`."""
    from sqlalchemy import text

    return text(statement)


class Database:
    """The database of a ledger, shared by all runs and threads of the process.

    Each run calls `open` first and `close` last. `store` is the engine that keeps the rows.
    """

    def __init__(self, store: SqliteStore) -> None:
        self.store = store
        self._guard = threading.Lock()
        self._users = 0
        self._engine: Engine | None = None

    def open(self) -> Database:
        """Count one more run. The database is connected on first use."""
        with self._guard:
            self._users += 1
        return self

    def close(self) -> None:
        """Count one run less. After the last run the connections are closed."""
        with self._guard:
            self._users -= 1
            unused = self._users <= 0
        if unused:
            self._disconnect()

    def write(self, statement: str, *rows: Mapping[str, Any]) -> None:
        """Run a statement with the values of each row, in a transaction of its own. Raises as `transaction` does."""
        self.transaction(lambda connection: connection.execute(sql(statement), rows))

    def transaction(self, work: Callable[[Connection], T]) -> T:
        """Return the result of `work`, which reads and writes while no other transaction does. Blocks.

        A damaged file is quarantined, and `work` runs on a new one with the rows that could be read.

        Raises:
            LedgerUnavailable: the ledger cannot be used.
        """
        from sqlalchemy.exc import DBAPIError, SQLAlchemyError

        try:
            try:
                return self._transact(work)
            except DBAPIError as error:
                self._disconnect()
                if not self.store.repair(error.orig):
                    raise
                return self._transact(work)
        except (SQLAlchemyError, OSError, NotImplementedError) as error:
            self._disconnect()
            message, do = self.store.describe(getattr(error, "orig", None) or error)
            raise LedgerUnavailable(message, hint=f"Nothing was sent. {do}") from error

    def _transact(self, work: Callable[[Connection], T]) -> T:
        with self._connected().begin() as connection:
            self.store.lock(connection)
            return work(connection)

    def _connected(self) -> Engine:
        with self._guard:
            if self._engine is None:
                engine = self.store.create_engine()
                with engine.begin() as connection:
                    self.store.lock(connection)
                    self.store.prepare(connection)
                self._engine = engine
            return self._engine

    def _disconnect(self) -> None:
        with self._guard:
            engine, self._engine = self._engine, None
        if engine is not None:
            engine.dispose()


_databases: dict[Path, Database] = {}
_databases_guard = threading.Lock()


def database_for(home: Path) -> Database:
    """Return the database of a folder, the same one for the whole process, for one more run."""
    with _databases_guard:
        return _databases.setdefault(home.absolute(), Database(SqliteStore(home))).open()
