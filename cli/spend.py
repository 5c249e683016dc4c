"""`python dev.py spend`: what was spent or reserved today, this month and in the last 30 days."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .engine import add_home, amounts, answered, money, opened_engine, say_error, table
from .loading import ROOT
from .messages import Message, enumeration, shown, tell

_GROUPS = {"day": "days", "model": "models"}


def main(arguments: Sequence[str], *, root: Path = ROOT) -> int:
    """Print the sums. Returns the exit status. `root` is the pack's folder as it was called."""
    parser = argparse.ArgumentParser(
        prog="dev.py spend",
        description=shown(Message("Tells what was spent, or is reserved for tasks that may still be charged.")),
    )
    parser.add_argument("--by", choices=_GROUPS, help=shown(Message("the last 30 days by day, or by model")))
    parser.add_argument("--json", action="store_true", help=shown(Message("as JSON")))
    add_home(parser)
    options = parser.parse_args(arguments)
    return answered(lambda: _run(options, root=root), root=root)


def _run(options: argparse.Namespace, *, root: Path) -> int:
    modules, settings = opened_engine(options.home, root=root)
    found = modules("tasks.history").spending(settings.home, url=settings.ledger_url, settings=settings)
    rows = found[_GROUPS[options.by]] if options.by else None
    if options.json:
        print(json.dumps(found if rows is None else rows, ensure_ascii=False, indent=2))
    elif rows is None:
        print(table(_summary(found)))
    elif rows:
        print(table([(row[options.by] or Message("reserved by batches"), amounts(row)) for row in rows]))
    else:
        tell(Message("Nothing was spent in the last 30 days."))
    for problem in found["problems"]:
        say_error(problem)
    return 1 if found["problems"] else 0


def _summary(found: dict[str, Any]) -> list[tuple[str, str]]:
    limits = found["limits"]
    rows: list[tuple[str, str]] = [
        (Message("today"), _against(found["today"], limits["day"])),
        (Message("this month"), _against(found["month"], limits["month"])),
    ]
    if limits["run"]:
        rows.append((Message("limit of one run"), amounts(limits["run"])))
    return rows


def _against(spent: dict[str, float], limit: dict[str, float]) -> str:
    """Return what was spent by currency, with the limits."""
    found: list[str] = []
    for currency in sorted({*spent, *limit}):
        amount = money(spent.get(currency, 0.0), currency)
        if currency in limit:
            amount = Message("{amount} of {most:.2f}", amount=amount, most=limit[currency])
        found.append(amount)
    return enumeration(found) or Message("nothing")
