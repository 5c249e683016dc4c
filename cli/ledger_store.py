"""A ledger as the commands of `dev.py ledger` see it: its rows, on SQLite or PostgreSQL."""

from __future__ import annotations

import platform
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .errors import StandaloneError
from .messages import Message

Modules = Callable[[str], Any]
"""Imports a module of the pack's engine, such as "ledger.schema"."""

Row = dict[str, Any]

BATCH = 500
"""Rows that are read or written at a time."""


class LedgerStore:
    """A ledger by its name: a URL of PostgreSQL, or the folder or file of an SQLite ledger.

    `opened` connects it. Every method raises `StandaloneError` if the ledger cannot be used.
    """

    def __init__(self, modules: Modules, name: str) -> None:
        self.modules = modules
        self.version = 0
        self._columns: tuple[str, ...] = modules("ledger.record").COLUMNS
        if "://" in name:
            self._store = _server(modules, name)
            self._file = Path()
            self.name = self._store.place
        else:
            self._file = _file(name, default=modules("ledger.database").FILE_NAME)
            self._store = modules("ledger.database").SqliteStore(self._file.parent, self._file.name)
            self.name = str(self._file)
        self.is_shared: bool = self._store.is_shared

    @contextmanager
    def opened(self) -> Iterator[LedgerStore]:
        """Learn the version of the ledger, 0 if there is none. Nothing is changed."""
        try:
            if self.is_shared or self._file.exists():
                with self.transaction() as connection:
                    self.version = self._store.version(connection)
                    self._refuse_other(connection)
            yield self
        finally:
            self._store.close()

    def _refuse_other(self, connection: Any) -> None:
        """Raise an error for a ledger of a later version of the pack, and for a file of another program."""
        schema = self.modules("ledger.schema")
        if self.version > len(schema.VERSIONS):
            raise self.modules("ledger.errors").NewerVersion("it was created by a newer version of the pack")
        if self.is_shared:
            return
        tables = set(connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'table'").scalars())
        if (tables or self.version) and not tables >= {"facts", "requests"}:
            raise StandaloneError(Message("{path} is no ledger.\nGive the folder or the file of one.", path=self._file))

    def require(self) -> None:
        """Raise an error if there is no ledger."""
        if self.version == 0:
            raise StandaloneError(
                Message("There is no ledger in {ledger}.\nGive its folder, its file or its URL.", ledger=self.name)
            )

    def migrate(self) -> None:
        """Make the ledger, or bring it to the pack's version."""
        with self._described():
            self.modules("ledger.database").migrate(self._store)
        self.version = len(self.modules("ledger.schema").VERSIONS)

    @contextmanager
    def transaction(self) -> Iterator[Any]:
        """Return a connection in an exclusive transaction."""
        with self._described(), self._store.begin(exclusive=True) as connection:
            yield connection

    @contextmanager
    def _described(self) -> Iterator[None]:
        """Raise an error of the database as one that says what to do."""
        from sqlalchemy.exc import SQLAlchemyError

        try:
            yield
        except (SQLAlchemyError, OSError, NotImplementedError) as error:
            cause = getattr(error, "orig", None) or error
            message, do = self._store.describe(cause)
            if not self.is_shared and self.modules("ledger.recovery").is_damage(cause):
                do = Message("It is damaged. Run any graph: the pack then makes a new ledger of what can be read.")
            messages = self.modules("messages")
            raise StandaloneError(messages.redacted(messages.lines(message, do))) from error

    def execute(self, statement: str, **values: Any) -> list[Any]:
        """Return the rows of a statement with its values as `:name`; a collection of values is `IN :name`."""
        with self.transaction() as connection:
            return list(connection.execute(with_lists(statement, values), values))

    def batches(self) -> Iterator[list[Row]]:
        """Return all requests in their order, some at a time. A ledger of an earlier version lacks no column."""
        module = self.modules("ledger.record")
        defaults = vars(module.Record("", reserved_at=module.NO_PRICE))
        statement = "SELECT rowid AS number, requests.* FROM requests WHERE rowid > :after ORDER BY rowid LIMIT :batch"
        after = -1
        while found := [row._mapping for row in self.execute(statement, after=after, batch=BATCH)]:
            yield [{name: row.get(name, defaults[name]) for name in self._columns} for row in found]
            after = found[-1]["number"]

    def facts(self) -> dict[str, str]:
        """Return the facts of the ledger, such as the salt of its account ids."""
        return {row.name: row.value for row in self.execute("SELECT name, value FROM facts")}

    def count_states(self) -> list[tuple[str, int]]:
        """Return how many records are in each state, most first."""
        statement = "SELECT state, count(*) AS number FROM requests GROUP BY state ORDER BY 2 DESC, 1"
        return [(row.state, row.number) for row in self.execute(statement)]

    def engine_name(self) -> str:
        """Return the database with its version."""
        if self.is_shared:
            return f"PostgreSQL {self.execute('SHOW server_version')[0][0]}"
        return f"SQLite {self.execute('SELECT sqlite_version()')[0][0]}"

    def runs_alive(self) -> list[str]:
        """Return the host of each run that has a task under way, "" for this machine."""
        if self.is_shared:
            postgres = self.modules("ledger.postgres")
            started = "EXTRACT(EPOCH FROM pg_postmaster_start_time())"
            statement = f"SELECT host FROM runs WHERE GREATEST(until, {started} + :seconds) > {postgres.NOW}"  # noqa: S608 - our own names
            return [row.host for row in self.execute(statement, seconds=postgres.LEASE_SECONDS)]
        folder = self._file.parent / "running"
        lock = self.modules("ledger.run_lock").RunLock(folder)
        return ["" for path in folder.glob("*.lock") if lock.is_alive(path.stem)]

    def may_have_video(self, row: Row) -> bool:
        """Tell whether a record's video is at its place, or on another machine, where it may be."""
        record = self.modules("ledger.record").Record(**row)
        is_elsewhere = self.is_shared and record.host not in ("", platform.node())
        return bool(record.path) and (is_elsewhere or record.has_video_file)

    def remove(self, ids: Sequence[str], *, states: Collection[str]) -> int:
        """Remove the records with these ids that are in one of the states. Return how many there were."""
        if not ids:
            return 0
        values = {"ids": list(ids), "states": list(states)}
        statement = "DELETE FROM requests WHERE id IN :ids AND state IN :states"
        with self.transaction() as connection:
            return int(connection.execute(with_lists(statement, values), values).rowcount)


def with_lists(statement: str, values: dict[str, Any]) -> Any:
    """Return a statement of SQLAlchemy, in which a list is a value for IN."""
    from sqlalchemy import bindparam, text

    lists: list[Any] = [bindparam(name, expanding=True) for name, value in values.items() if isinstance(value, list)]
    return text(statement).bindparams(*lists)


def _server(modules: Modules, url: str) -> Any:
    if not url.startswith(("postgresql://", "postgres://", "postgresql+psycopg://")):
        raise StandaloneError(
            Message(
                "A ledger's URL begins with postgresql://.\nWrite postgresql://user:password@host/database, or the "
                "folder or file of an SQLite ledger."
            )
        )
    return modules("ledger.postgres").PostgresStore(modules("redaction").Secret(url))


def _file(name: str, *, default: str) -> Path:
    """Return the file of a ledger. What there is not is a folder, unless it has a suffix."""
    try:
        path = Path(name).expanduser().absolute()
    except RuntimeError as error:
        raise StandaloneError(Message("There is no such user's folder: {path}", path=name)) from error
    is_folder = path.is_dir() if path.exists() else not path.suffix
    return path / default if is_folder else path
