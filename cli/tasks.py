"""`python dev.py tasks`: the tasks of the ledger, the newest first."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from .engine import add_home, answered, money, opened_engine, output_folder, table
from .loading import ROOT
from .messages import Message, shown, tell

NEWEST = 30
"""Tasks that are shown without --all."""

_PAGE = 500
_HEADINGS = ("WHEN", "STATE", "MODEL", "SIZE", "S", "PRICE", "TASK", "FILE OR PROMPT")


def main(arguments: Sequence[str], *, root: Path = ROOT) -> int:
    """Print the tasks. Returns the exit status. `root` is the pack's folder as it was called."""
    parser = argparse.ArgumentParser(prog="dev.py tasks", description=shown(Message("Lists the tasks of the ledger.")))
    parser.add_argument(
        "--all", action="store_true", help=shown(Message("all tasks (default: the newest {count})", count=NEWEST))
    )
    parser.add_argument("--json", action="store_true", help=shown(Message("as a JSON list")))
    add_home(parser)
    options = parser.parse_args(arguments)
    return answered(lambda: _run(options, root=root), root=root)


def _run(options: argparse.Namespace, *, root: Path) -> int:
    modules, settings = opened_engine(options.home, root=root)
    list_tasks = modules("tasks.history").list_tasks
    where = {"url": settings.ledger_url, "output_folder": output_folder(root)}
    rows: list[dict[str, Any]] = []
    total, before = 0, 0
    while True:
        page = list_tasks(settings.home, before=before, limit=_PAGE if options.all else NEWEST, **where)
        rows, total, before = [*rows, *page["tasks"]], page["total"], page["next"]
        if not before or not options.all:
            break
    if options.json:
        print(json.dumps(rows, ensure_ascii=False, indent=2))
    elif rows:
        print(table([_HEADINGS, *map(_line, rows)]))
        if len(rows) < total:
            tell(Message("{count} of {total} tasks; --all lists all of them.", count=len(rows), total=total))
    else:
        tell(Message("There is no task in the ledger of {folder}.", folder=settings.home))
    return 0


def _line(row: dict[str, Any]) -> Sequence[str]:
    cost, file = row["cost"], row["file"]
    when = datetime.fromtimestamp(row["created_at"]).astimezone()
    price = money(cost["amount"], cost["currency"]) if cost else "-"
    if cost and not cost["billed"]:
        price = Message("about {price}", price=price)
    return (
        f"{when:%Y-%m-%d %H:%M}",
        row["state"],
        row["model"] or "-",
        row["resolution"] or "-",
        str(row["duration"] or "-"),
        price,
        row["task_id"] or "-",
        "/".join(filter(None, (file["subfolder"], file["filename"]))) if file else row["prompt"],
    )
