"""`python dev.py bench`: the table of the bench, and the same as JSON."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from . import downloading, first_frame, fleet, last_frame, parallel, sdk, soak, starting, waiting
from .mock_server import bare_environment, serve
from .parts import Part, run_part
from .report import Line, machine, summary, table, write_json

BENCHES: Mapping[str, Callable[..., Iterator[Line]]] = {
    "first_frame": first_frame.lines,
    "waiting": waiting.lines,
    "parallel": parallel.lines,
    "downloading": downloading.lines,
    "last_frame": last_frame.lines,
    "starting": starting.lines,
    "soak": soak.lines,
    "fleet": fleet.lines,
}
PARTS: Mapping[str, Part] = {
    "frame-memory": first_frame.frame_memory,
    "mock-server": serve,
    "waiting": waiting.waited_for,
    "crowd": waiting.crowd,
    "sdk": sdk.looks_of_the_sdk,
    "download": downloading.download,
    "last-frame": last_frame.last_frame,
    "ledger": starting.use_ledger,
    "soak": soak.soak,
    "fleet-service": fleet.serve,
    "fleet-workers": fleet.work,
}


def main(arguments: Sequence[str]) -> int:
    """Measure, print the table and write the JSON. Returns 1 where a target is missed."""
    options = _parse(arguments)
    if sys.platform != "linux":
        print("The bench reads memory and open files from /proc, which only Linux has.", file=sys.stderr)
        return 2
    bare_environment()
    if options.part:
        return run_part(PARTS, *options.part)
    lines: list[Line] = []
    for name in options.only or BENCHES:
        started = time.monotonic()
        print(f"{name} ...", end=" ", file=sys.stderr, flush=True)
        lines += BENCHES[name](quick=options.quick)
        print(f"{time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)
    print(table(lines))
    label = machine()
    print(f"{label['date']}, {label['cores']} cores, {label['platform']}, Python {label['python']}")
    print(summary(lines))
    write_json(lines, options.json)
    return int(any(line.verdict == "MISSED" for line in lines))


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="dev.py bench", description="How fast the pack is, beside what its peers do.")
    parser.add_argument("--quick", action="store_true", help="a short draw of everything")
    parser.add_argument("--json", type=Path, default=Path("bench.json"), metavar="FILE", help="default: %(default)s")
    parser.add_argument("--only", nargs="+", choices=list(BENCHES), metavar="NAME", help=f"of {', '.join(BENCHES)}")
    parser.add_argument("--part", nargs=2, help=argparse.SUPPRESS)
    return parser.parse_args(arguments)
