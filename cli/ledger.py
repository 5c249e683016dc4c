"""`python dev.py ledger check|copy|prune`: looks at a ledger, copies it to another database, removes old records.

It runs with the Python that starts it, ComfyUI's for example, which has the pack's requirements. It sets nothing up.
"""

from __future__ import annotations

import argparse
import os
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from .engine import add_home, answered
from .key import home_folder
from .ledger_copy import Copied, copy_ledger
from .ledger_store import LedgerStore, Modules
from .loading import ROOT, load_engine
from .messages import Message, shown, tell

MIN_DAYS = 2
"""The task list of the service covers a day: younger records tell whose its tasks are."""

MONTH_SECONDS = 31 * 86400.0
"""For so long a paid record counts against a limit of a month."""

PRUNABLE = ("saved", "failed", "canceled", "expired")
LEDGER_HELP = Message("a PostgreSQL URL, or the folder or file of an SQLite ledger")


class _Parser(argparse.ArgumentParser):
    """Shows no password of a URL in its errors."""

    def error(self, message: str) -> NoReturn:
        super().error(masked(message))


def main(arguments: Sequence[str], *, root: Path = ROOT) -> int:
    """Do what the command line says. Returns the exit status. `root` is the pack's folder as it was called."""
    options = _parse(arguments)
    more = Message("Run the same command again to go on.") if options.command == "copy" else ""
    return answered(lambda: _run(options, root=root), root=root, more=more)


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = _Parser(
        prog="dev.py ledger", description=shown(Message("Looks after the ledger, the record of all paid requests."))
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="check|copy|prune")
    check_parser = commands.add_parser(
        "check", help=shown(Message("tell whether the ledger can be used, and what is in it"))
    )
    copy_parser = commands.add_parser("copy", help=shown(Message("copy the records of a ledger to another one")))
    prune_parser = commands.add_parser("prune", help=shown(Message("remove old records without further use")))
    copy_parser.add_argument(
        "source", metavar="FROM", help=shown(Message("{ledger}; stop its ComfyUIs first", ledger=LEDGER_HELP))
    )
    copy_parser.add_argument("target", metavar="TO", help=shown(Message("the same; it is made where there is none")))
    for one in (check_parser, prune_parser):
        one.add_argument(
            "ledger",
            nargs="?",
            metavar="LEDGER",
            help=shown(Message("{ledger} (default: the one in use)", ledger=LEDGER_HELP)),
        )
        add_home(one)
    prune_parser.add_argument(
        "--older-than",
        type=_days,
        required=True,
        metavar="DAYS",
        help=shown(Message("at least {least}", least=MIN_DAYS)),
        dest="days",
    )
    return parser.parse_args(arguments)


def _days(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < MIN_DAYS:
        raise argparse.ArgumentTypeError(
            shown(
                Message(
                    "must be a whole number from {least} on: younger records tell whose the tasks in DashScope's list "
                    "are",
                    least=MIN_DAYS,
                )
            )
        )
    return int(text)


def _run(options: argparse.Namespace, *, root: Path) -> int:
    modules = load_engine(root)
    if options.command == "copy":
        source, target = LedgerStore(modules, options.source), LedgerStore(modules, options.target)
        return _say_copied(copy_ledger(source, target), source=masked(options.source), target=masked(options.target))
    home = home_folder(options.home, root=root, environment=os.environ)
    os.environ["DASHSCOPE_WAN_HOME"] = str(home)
    name = options.ledger or _in_use(modules, home)
    kept = list((home / "unwritten").glob("*.json"))
    if kept or options.command == "check":
        tell(
            Message("records that the next run writes: {count} in {folder}", count=len(kept), folder=home / "unwritten")
        )
    with LedgerStore(modules, name).opened() as ledger:
        return check(ledger) if options.command == "check" else prune(ledger, days=options.days)


def _in_use(modules: Modules, home: Path) -> str:
    """Return the URL or folder of the ledger that the pack uses."""
    url = modules("api.settings").read_settings(home).ledger_url
    return str(url.reveal()) if url else str(home)


def check(ledger: LedgerStore) -> int:
    """Print the state of a ledger. Nothing is changed."""
    if ledger.version == 0:
        tell(
            Message(
                "There is no ledger yet in {ledger}, which can be used: the first run makes it.", ledger=ledger.name
            )
        )
    else:
        tell(Message("The ledger {ledger} can be used.", ledger=ledger.name))
        known = len(ledger.modules("ledger.schema").VERSIONS)
        later = "" if ledger.version == known else Message("; the next run makes it {version}", version=known)
        tell(
            Message(
                "engine: {engine}, schema version {version}{note}",
                engine=ledger.engine_name(),
                version=ledger.version,
                note=later,
            )
        )
        states = ledger.count_states()
        counts = Message(" ({counts})", counts=", ".join(f"{number} {state}" for state, number in states))
        total = sum(number for _, number in states)
        tell(Message("records: {count}{note}", count=total, note=counts if states else ""))
        runs = ledger.runs_alive()
        hosts = ", ".join(sorted(set(filter(None, runs))))
        where = Message(" on {hosts}", hosts=hosts) if hosts else ""
        tell(Message("runs with tasks: {count}{note}", count=len(runs), note=where))
    return 0


def prune(ledger: LedgerStore, *, days: int) -> int:
    """Remove the records that are older than some days and have no further use."""
    ledger.require()
    before = time.time() - days * 86400
    removed, kept, paid = 0, 0, 0
    for rows in ledger.batches():
        aged = [row for row in rows if row["state"] in PRUNABLE and _latest(row) < before]
        old = [row for row in aged if not _counts(row)]
        paid += len(aged) - len(old)
        unused = [row["id"] for row in old if not ledger.may_have_video(row)]
        removed += ledger.remove(unused, states=PRUNABLE)
        kept += len(old) - len(unused)
    tell(
        Message(
            "Removed from {ledger}: {records} older than {days} days. These requests are charged anew.",
            ledger=ledger.name,
            records=_records(removed),
            days=days,
        )
    )
    if kept:
        tell(
            Message("{records} of that age stay, as the video is there or on another machine.", records=_records(kept))
        )
    if paid:
        tell(
            Message("{records} of that age stay for 31 days, as they count in what was spent.", records=_records(paid))
        )
    return 0


def _counts(row: dict[str, Any]) -> bool:
    """Tell whether a record may count in what was spent this month. Where the price is unknown its receipt has it."""
    is_paid = row["reserved_at"] != 0 and row["state"] not in ("failed", "canceled")
    return is_paid and _latest(row) > time.time() - MONTH_SECONDS


def _latest(row: dict[str, float]) -> float:
    return max(row["created_at"], row["sent_at"], row["submitted_at"], row["finished_at"])


def _say_copied(done: Copied, *, source: str, target: str) -> int:
    tell(
        Message(
            "Copied from {source} to {target}: {records}; {same} were there already.",
            source=source,
            target=target,
            records=_records(done.copied),
            same=done.same,
        )
    )
    if done.lost:
        tell(
            Message(
                "Some records of {source} were lost when it was damaged. What was saved of it: {path}",
                source=source,
                path=done.lost,
            )
        )
    if done.is_other_salt:
        tell(
            Message(
                "The ledgers have different ids of accounts. The copied records keep theirs and are found all the same."
            )
        )
    if done.refused:
        tell(Message("Not copied, as the record in {target} is newer or has another task:", target=target))
        for refusal in done.refused:
            tell(f"  {shown(refusal)}")
    return 1 if done.refused else 0


def _records(number: int) -> str:
    return Message("1 record") if number == 1 else Message("{count} records", count=number)


def masked(text: str) -> str:
    """Return a text with the passwords of its URLs as ***; a text with several URLs loses what is between them."""
    text = re.sub(r"(://[^:@/\s]*:).*@", r"\1***@", text, flags=re.DOTALL)
    return re.sub(r"(password=)[^&\s]*", r"\1***", text, flags=re.IGNORECASE)
