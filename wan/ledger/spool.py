"""Records that could not be written, kept as files until the ledger is back."""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from .record import Record

logger = logging.getLogger("dashscope_wan")

_guard = threading.Lock()


def keep(folder: Path, record: Record) -> None:
    """Keep a record as a file of the folder; an earlier version of it is replaced."""
    path = folder / f"{record.id}.json"
    with _guard:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            new = path.with_suffix(".new")
            new.write_text(json.dumps(asdict(record)), encoding="utf-8")
            os.replace(new, path)  # noqa: PTH105 - over a file that is there, on Windows too
        except OSError as error:
            logger.debug("%s cannot be kept: %s", path, error)


def flush(folder: Path, save: Callable[[Record], None]) -> None:
    """Write all records of the folder by `save`, and forget them.

    Raises:
        LedgerUnavailable: raised by `save`. What is not written stays.
    """
    for path in sorted(folder.glob("*.json")):
        with _guard:
            try:
                save(Record(**json.loads(path.read_text(encoding="utf-8"))))
                path.unlink(missing_ok=True)
            except (OSError, ValueError, TypeError) as error:
                logger.warning("The unwritten record %s cannot be read: %s", path, error)
