"""Copies the records of a ledger to another one, of either engine. What was copied before is not copied again."""

from __future__ import annotations

import platform
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .errors import StandaloneError
from .ledger_store import LedgerStore, Row, with_lists
from .messages import Message, sentences

PROGRESS = ("submitting", "uncertain", "submitted", "succeeded", "canceled", "failed", "expired", "saved")
"""The states in the order in which a request passes through them."""

PASSING = {"owner", "part", "host", "folder", "digest"}
"""Columns that do not tell which of two records is newer."""

_SET = (
    "INSERT INTO facts (name, value) VALUES (:name, :value) ON CONFLICT (name) DO UPDATE SET value = "
    "CASE WHEN :replace = 1 THEN excluded.value ELSE facts.value END"
)


@dataclass
class Copied:
    """What a copy did. `lost` is where a ledger is kept whose records were lost, "" if none were.

    `is_other_salt` is whether the ledgers name accounts differently. `refused` has a line for each record.
    """

    lost: str
    is_other_salt: bool
    copied: int = 0
    same: int = 0
    refused: list[str] = field(default_factory=list)


def copy_ledger(source: LedgerStore, target: LedgerStore) -> Copied:
    """Copy all records and facts that the target lacks, or has in an earlier state.

    Raises:
        StandaloneError: a ledger cannot be used, or runs of the source have tasks under way.
    """
    with source.opened(), target.opened():
        source.require()
        if runs := source.runs_alive():
            raise StandaloneError(
                sentences(
                    Message("1 run has tasks under way in {ledger}.", ledger=source.name)
                    if len(runs) == 1
                    else Message("{count} runs have tasks under way in {ledger}.", count=len(runs), ledger=source.name),
                    Message(
                        "Their requests could be paid for twice.\nStop ComfyUI on all machines that use it, wait a "
                        "minute if one was killed, then run again."
                    ),
                )
            )
        target.migrate()
        done = _copy_facts(source, target)
        for rows in source.batches():
            if target.is_shared and not source.is_shared:
                rows = [_with_place(row, source) for row in rows]  # noqa: PLW2901 - each is the same record
            _copy_rows([_storable(row) for row in rows], target, done=done)
        return done


def _copy_facts(source: LedgerStore, target: LedgerStore) -> Copied:
    """Copy the facts that the target lacks. Without records it takes over the salt, so that account ids agree."""
    facts = source.facts()
    with target.transaction() as connection:
        is_empty = not connection.execute(with_lists("SELECT id FROM requests LIMIT 1", {})).all()
        for name, value in facts.items():
            # Its own version stays the target's.
            if name != "version":
                values = {"name": name, "value": value, "replace": int(is_empty and name == "salt")}
                connection.execute(with_lists(_SET, {}), values)
    is_other = "salt" in facts and target.facts()["salt"] != facts["salt"]
    return Copied(facts.get(source.modules("ledger.recovery").LOST, ""), is_other)


def _with_place(row: Row, source: LedgerStore) -> Row:
    """Return a row with where its video is, which only several machines need to know."""
    module = source.modules("ledger.record")
    record = module.Record(**row)
    if not record.path:
        return row
    digest = record.digest or (module.digest(Path(record.path)) if record.has_video_file else "")
    return {**row, "host": record.host or platform.node(), "digest": digest}


def _storable(row: Row) -> Row:
    """Return a row without the characters that PostgreSQL refuses."""
    return {name: value.replace("\0", "") if isinstance(value, str) else value for name, value in row.items()}


def _copy_rows(rows: list[Row], target: LedgerStore, *, done: Copied) -> None:
    """Copy rows in their order, in one transaction."""
    values = {"ids": [row["id"] for row in rows]}
    with target.transaction() as connection:
        found = connection.execute(with_lists("SELECT * FROM requests WHERE id IN :ids", values), values)
        there = {row["id"]: row for row in found.mappings()}
        new = []
        for row in rows:
            if row["id"] not in there or is_newer(row, there[row["id"]]):
                new.append(row)
            elif any(row[name] != there[row["id"]][name] for name in row.keys() - PASSING):
                done.refused.append(_refusal(row, there[row["id"]]))
            else:
                done.same += 1
        if new:
            connection.execute(with_lists(target.modules("ledger.ledger").UPSERT, {}), new)
    done.copied += len(new)


def is_newer(row: Row, there: Any) -> bool:
    """Tell whether a record is newer than the one that is there: further, or as far and later.

    One with a task is never replaced by one that has another task, or none.
    """
    return there["task_id"] in ("", row["task_id"]) and _age(row) > _age(there)


def _age(row: Any) -> tuple[float, ...]:
    times = (row["finished_at"], row["submitted_at"], row["sent_at"], row["created_at"])
    return (PROGRESS.index(row["state"]), *times)


def _refusal(row: Row, there: Any) -> str:
    def told(one: Any) -> str:
        return Message("{state}, task {task}", state=one["state"], task=one["task_id"] or Message("unknown"))

    return Message("{record}: {source}; there: {target}", record=row["id"], source=told(row), target=told(there))
