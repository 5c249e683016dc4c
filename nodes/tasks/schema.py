"""The ledger's file: its tables, their versions, and what to do when it is damaged or cannot be written."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING

from .pauses import TEMPO

if TYPE_CHECKING:
    import sqlite3

logger = logging.getLogger("dashscope_wan")

FILE_NAME = "ledger.sqlite3"
BUSY_SECONDS = 5.0

COPIED_ALWAYS, COPY_RATE = 4_000_000, 100_000
"""Up to how many bytes the ledger is copied after every run, and how many bytes a second a larger one may cost."""

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
)
"""One script for each version of the schema: it makes that version from the one before. Append only."""


def open_database(home: Path) -> sqlite3.Connection | None:
    """Open the ledger's file and bring it to the newest version.

    A damaged file is set aside and a new one made, with what can be read of the old one and of its copy. One that
    cannot be written is opened to be read. Returns None, with a warning, where not even that is possible.
    """
    import sqlite3

    path = home / FILE_NAME
    try:
        home.mkdir(parents=True, exist_ok=True)
        try:
            return _open(path)
        except sqlite3.Error as error:
            if not is_damage(error):
                raise
        return mend(path)
    except (sqlite3.Error, OSError, NotImplementedError) as error:
        database = _open_to_read(path)
        if database is None:
            warn(error, home=home)
        return database


def is_damage(error: sqlite3.Error) -> bool:
    """Tell whether an error means that the file is damaged, and not only out of reach for now."""
    import sqlite3

    # SQLITE_CORRUPT and SQLITE_NOTADB come as the base class itself; a foreign database lacks our tables.
    return type(error) is sqlite3.DatabaseError or "malformed" in str(error) or "no such" in str(error)


def warn(error: Exception, *, home: Path) -> None:
    """Say that the ledger cannot be kept as it should."""
    logger.warning(
        "The ledger in %s cannot be used as it should (%s). What it would hold is kept in memory: until it is mended, "
        "do not run the same graph in two ComfyUIs at once, and note the ids of tasks before you close this one.",
        home,
        error,
    )


def mend(path: Path) -> sqlite3.Connection:
    """Set a damaged ledger aside and begin a new one, once for all processes that found it damaged.

    Raises:
        sqlite3.Error, OSError: that is not possible.
    """
    from filelock import FileLock

    with FileLock(path.with_name(path.name + ".lock"), timeout=BUSY_SECONDS):
        if _is_sound(path):
            return _open(path)
        away = path.with_name(f"{path.name}.damaged-{time.time_ns()}")
        for suffix in ("-wal", "-shm", ""):
            if (file := path.with_name(path.name + suffix)).exists():
                file.rename(away.with_name(away.name + suffix))
        logger.warning("The ledger %s was damaged and is set aside as %s; a new one is begun.", path, away.name)
        database = _open(path)
        for source in (away, _copy_of(path)):
            _rescue(source, database)
        return database


def keep_copy(database: sqlite3.Connection, path: Path) -> bool:
    """Copy the ledger beside itself: what it held can then be taken over when it is damaged.

    A large one is not copied after every run. Returns False where the copy that is there is good enough for now.
    """
    import sqlite3

    if _copied_lately(path):
        return False
    fresh = path.with_name(f"{path.name}.{time.time_ns()}.copy")
    try:
        target = sqlite3.connect(fresh)
        try:
            database.backup(target)
        finally:
            target.close()
        fresh.replace(_copy_of(path))
    except (sqlite3.Error, OSError) as error:
        logger.debug("no copy of the ledger: %s", error)
        fresh.unlink(missing_ok=True)
    return True


def _copied_lately(path: Path) -> bool:
    """Tell whether copying again would write more than `COPY_RATE` bytes a second for the sake of few new rows."""
    try:
        size, copied = path.stat().st_size, _copy_of(path).stat().st_mtime
    except OSError:
        return False
    return size > COPIED_ALWAYS and 0 <= time.time() - copied < size / COPY_RATE


def _copy_of(path: Path) -> Path:
    return path.with_name(path.name + ".copy")


def _connect(path: Path, mode: str = "rwc") -> sqlite3.Connection:
    import sqlite3

    database = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        timeout=BUSY_SECONDS * TEMPO.scale,
        isolation_level=None,
        check_same_thread=False,
    )
    database.row_factory = sqlite3.Row
    return database


def _open(path: Path) -> sqlite3.Connection:
    database = _connect(path)
    try:
        # First of all: a newer version's file is not touched.
        _migrate(database)
        database.execute("PRAGMA journal_mode = WAL")
        # A row must be on the disk before its request leaves: also when the power goes.
        database.execute("PRAGMA synchronous = FULL")
    except BaseException:
        database.close()
        raise
    return database


def _open_to_read(path: Path) -> sqlite3.Connection | None:
    """Open a ledger that cannot be written, so that what it knows is not paid again."""
    import sqlite3

    # A file in a folder that cannot be written has no place for SQLite's own files: only "immutable" does without.
    for mode in ("ro", "ro&immutable=1"):
        try:
            database = _connect(path, mode)
        except sqlite3.Error as error:
            logger.debug("not to be opened as %s: %s", mode, error)
            continue
        try:
            database.execute("SELECT id FROM requests LIMIT 1")
            if database.execute("PRAGMA user_version").fetchone()[0] == len(_VERSIONS):
                return database
        except sqlite3.Error as error:
            logger.debug("not to be read as %s: %s", mode, error)
        database.close()
    return None


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


def _is_sound(path: Path) -> bool:
    """Tell whether a ledger is whole: another process may have mended it already."""
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


def _rescue(source: Path, database: sqlite3.Connection) -> None:
    """Take over what can be read of a damaged ledger or of a copy, the newest rows first."""
    import sqlite3

    for table in ("facts", "requests"):
        try:
            old = _connect(source, "ro")
            try:
                for row in old.execute(f"SELECT rowid AS rowid, * FROM {table} ORDER BY rowid DESC"):  # noqa: S608 - our own names
                    names, marks = ", ".join(row.keys()), ", ".join("?" for _ in row)
                    statement = f"INSERT OR IGNORE INTO {table} ({names}) VALUES ({marks})"  # noqa: S608 - our names
                    database.execute(statement, tuple(row))
            finally:
                old.close()
        except sqlite3.Error as error:
            logger.debug("no more of %s can be read: %s", table, error)
