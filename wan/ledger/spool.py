"""Records that could not be written, kept as files until the ledger is back."""

from __future__ import annotations

import contextlib
import json
import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from pathlib import Path

from ..files import when_free
from .record import NO_PRICE, Record

logger = logging.getLogger("dashscope_wan")

_guard = threading.Lock()


def keep(folder: Path, record: Record, *, run: str) -> None:
    """Keep a record of a run as a file of the folder; an earlier version of it is replaced."""
    path = _path(folder, record)
    with _guard:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            new = path.with_suffix(".new")
            new.write_text(json.dumps({**asdict(record), "run": run}), encoding="utf-8")
            when_free(lambda: new.replace(path))
        except OSError as error:
            logger.debug("%s cannot be kept: %s", path, error)


@contextlib.contextmanager
def superseding(folder: Path, records: Iterable[Record]) -> Iterator[None]:
    """Forget what is kept of records, as a later version of them is written inside the `with` block."""
    paths = [path for record in records if (path := _path(folder, record)).exists()]
    if not paths:
        yield
        return
    # Until the later version is written, nobody writes the one that is kept.
    with _guard:
        yield
        for path in paths:
            _forget(path)


def flush(folder: Path, save: Callable[..., None]) -> None:
    """Write all records of the folder by `save`, which gets the `run` of each too, and forget them.

    Raises:
        LedgerUnavailable: raised by `save`. What is not written stays.
    """
    for path in sorted(folder.glob("*.json")):
        with _guard:
            try:
                values = json.loads(path.read_text(encoding="utf-8"))
                values.setdefault("reserved_at", NO_PRICE)
                save(run=values.pop("run"), record=Record(**values))
                _forget(path)
            except (OSError, ValueError, TypeError, LookupError, AttributeError) as error:
                logger.warning("The unwritten record %s cannot be read: %s", path, error)


def _forget(path: Path) -> None:
    when_free(lambda: path.unlink(missing_ok=True))


def _path(folder: Path, record: Record) -> Path:
    return folder / f"{record.id}.json"
