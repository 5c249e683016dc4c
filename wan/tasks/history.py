"""The history: the ledger's records as lists of tasks, and what they cost, for people to look at."""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ..api.limits import read_limits
from ..api.settings import LIMIT_NAMES, Settings
from ..catalog.regions import TASK_TTL
from ..ledger.database import FILE_NAME, database_for
from ..ledger.ledger import IsAlive
from ..ledger.record import COLUMNS, NO_PRICE, Record, State, digest
from ..ledger.spend import Payment, add_up, day_start, last_days, payments, receipt_cost
from ..redaction import Secret

if TYPE_CHECKING:
    from sqlalchemy import Connection

T = TypeVar("T")

SPENDING_DAYS = 30
"""Days that `spending` tells of, today included."""

MAX_ROWS = 2000
"""Rows of one page of `list_tasks`."""


def task_row(record: Record, *, output_folder: Path | None = None) -> dict[str, Any]:
    """Return what a list of tasks shows of a record, as JSON values. Times are epoch seconds, `duration` is in seconds.

    `cost` is {amount, currency, billed}, `billed` telling whether that is what was billed or the estimate; None if the
    task cost nothing here. `file` names the video inside the `output_folder`, if it is there.
    """
    receipt = _receipt(record)
    is_here = _is_here(record)
    is_known = bool(record.task_id) and not record.is_terminal
    is_kept = time.time() - (record.submitted_at or record.created_at) < TASK_TTL
    return {
        "id": record.id,
        "task_id": record.task_id,
        "state": record.state,
        **{name: getattr(record, name) for name in ("region", "model", "resolution", "duration")},
        "prompt": record.prompt or str(receipt.get("prompt") or receipt.get("template") or "").partition("\n")[0][:200],
        "created_at": record.created_at,
        "finished_at": record.finished_at,
        "cost": _cost(record),
        "error": record.error_text,
        "host": record.host,
        "file": _file(record, output_folder) if is_here and output_folder else None,
        "is_here": is_here,
        "can_fetch": is_known and is_kept and not is_here,
        "can_cancel": is_known and record.state == State.SUBMITTED.value,
    }


def _receipt(record: Record) -> Mapping[str, Any]:
    try:
        receipt = json.loads(record.receipt or "{}")
    except ValueError:
        return {}
    return receipt if isinstance(receipt, Mapping) else {}


def _is_here(record: Record) -> bool:
    """Tell whether a record's video is on this machine, or in a folder that it shares with the record's."""
    if not record.has_video_file:
        return False
    path = Path(record.path)
    return record.host in ("", platform.node()) or (record.digest != "" and record.digest == digest(path))


def _cost(record: Record) -> dict[str, Any] | None:
    if record.is_unbilled:
        return None
    if record.currency and (record.estimate or record.billed is not None):
        amount = record.estimate if record.billed is None else record.billed
        return {"amount": amount, "currency": record.currency, "billed": record.billed is not None}
    return receipt_cost(record.receipt) if record.reserved_at == NO_PRICE else None


def _file(record: Record, output_folder: Path) -> dict[str, str] | None:
    path, folder = Path(record.path).resolve(), output_folder.resolve()
    if not path.is_relative_to(folder):
        return None
    inside = path.relative_to(folder)
    subfolder = inside.parent.as_posix() if inside.parent.name else ""
    return {"filename": inside.name, "subfolder": subfolder, "type": "output"}


def list_tasks(  # noqa: PLR0913 - what to choose by, all by name
    home: Path,
    *,
    url: Secret | None = None,
    before: int = 0,
    limit: int = 100,
    states: Sequence[str] = (),
    models: Sequence[str] = (),
    output_folder: Path | None = None,
) -> dict[str, Any]:
    """Return a page of the ledger's tasks as {tasks, next, total}, the newest first. Blocking.

    `tasks` are at most `limit` rows of `task_row`, of the `states` and `models` if they are given. `next` is the
    `before` of the next page, 0 after the last one. `total` counts the tasks of all pages.

    Raises:
        LedgerUnavailable: the ledger cannot be read.
    """
    limit = max(1, min(limit, MAX_ROWS))
    chosen = {"state": list(states), "model": list(models)}
    lists = {name: values for name, values in chosen.items() if values}
    where = " AND ".join([*(f"{name} IN :{name}" for name in lists), "rowid < :before"])

    def work(connection: Connection, _is_alive: IsAlive) -> dict[str, Any]:
        from sqlalchemy import bindparam, text

        expanded: list[Any] = [bindparam(name, expanding=True) for name in lists]
        columns = f"rowid AS number, {', '.join(COLUMNS)}"
        rows = text(f"SELECT {columns} FROM requests WHERE {where} ORDER BY rowid DESC LIMIT :most")  # noqa: S608 - our own
        count = text(f"SELECT count(*) FROM requests WHERE {where}")  # noqa: S608 - our own names
        values = {**lists, "before": before if before > 0 else _NO_BOUND}
        found = connection.execute(rows.bindparams(*expanded), {**values, "most": limit + 1}).mappings().all()
        total = connection.execute(count.bindparams(*expanded), {**values, "before": _NO_BOUND}).scalar_one()
        page = found[:limit]
        records = [Record(**{name: row[name] for name in COLUMNS}) for row in page]
        return {
            "tasks": [task_row(record, output_folder=output_folder) for record in records],
            "next": page[-1]["number"] if len(found) > limit else 0,
            "total": total,
        }

    return read_ledger(home, url, work, otherwise={"tasks": [], "next": 0, "total": 0})


_NO_BOUND = 2**62


def find_task(home: Path, task_id: str, *, url: Secret | None = None) -> Record | None:
    """Return the newest record of a task, None if the ledger does not know it. Blocking.

    Raises:
        LedgerUnavailable: the ledger cannot be read.
    """

    def work(connection: Connection, _is_alive: IsAlive) -> Record | None:
        statement = f"SELECT {', '.join(COLUMNS)} FROM requests WHERE task_id = :task ORDER BY rowid DESC LIMIT 1"  # noqa: S608 - our own
        found = connection.exec_driver_sql(statement, {"task": task_id}).first()
        return Record(*found) if found and task_id else None

    return read_ledger(home, url, work, otherwise=None)


def spending(home: Path, *, url: Secret | None = None, settings: Settings) -> dict[str, Any]:
    """Return what was spent or reserved, as amounts by currency. Blocking.

    `today` and `month` are sums, `limits` the owner's by "run", "day" and "month". `days` has a row {day, CNY, ...} for
    each of the last 30 days, the earliest first; `models` has rows {model, CNY, ...} for the same days, the model of
    what a running batch has reserved being "". `problems` are those of the limits' settings.

    Raises:
        LedgerUnavailable: the ledger cannot be read.
    """
    today = datetime.now().astimezone().date()
    starts = {day: day_start(day) for day in last_days(today, days=SPENDING_DAYS)}
    month, since = day_start(today.replace(day=1)), min(starts.values())
    bounds = sorted({month, *starts.values()})

    def work(connection: Connection, is_alive: IsAlive) -> list[Payment]:
        return list(payments(connection, bounds, is_alive=is_alive))

    found: list[Payment] = read_ledger(home, url, work, otherwise=[])
    limits, problems = read_limits(settings.limit_texts)
    recent = [one for one in found if one.since >= since]
    return {
        "today": add_up(found, since=starts[today]),
        "month": add_up(found, since=month),
        "limits": {name.removeprefix("limit_per_"): limits.get(name, {}) for name in LIMIT_NAMES},
        "days": [
            {"day": day.isoformat(), **add_up([one for one in found if one.since == start])}
            for day, start in starts.items()
        ],
        "models": [
            {"model": model, **add_up([one for one in recent if one.model == model])}
            for model in sorted({one.model for one in recent})
        ],
        "problems": problems,
    }


def read_ledger(
    home: Path, url: Secret | None, work: Callable[[Connection, Callable[[str], bool]], T], *, otherwise: T
) -> T:
    """Return the result of `work`, or `otherwise` if there is no ledger yet.

    `work` gets a connection, and what tells whether a run is alive.

    Raises:
        LedgerUnavailable: the ledger cannot be read.
    """
    if url is None and not (home / FILE_NAME).exists():
        return otherwise
    database, lock = database_for(home, url)
    try:
        return database.transaction(
            lambda connection: work(connection, lambda run: lock.is_alive(run, connection)), exclusive=False
        )
    finally:
        database.close()
