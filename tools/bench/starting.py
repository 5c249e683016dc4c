"""Loading the pack, and a ledger with very many rows."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from cli.loading import ROOT
from cli.pack import load_pack

from .parts import measured
from .report import Line
from .timing import milliseconds, seconds

HEAVY = ("av", "sqlite3", "torch", "filelock", "http.server", "statistics")
"""What must not come with the pack; torch is ComfyUI's, and loaded by it."""

_IMPORT = """
import gc, json, sys, time
sys.path.insert(0, {root!r})
import {before}
from cli.loading import ROOT
from cli.pack import load_pack
gc.collect()  # Torch's many objects are otherwise looked through while this or the next import happens to run.
before, start = set(sys.modules), time.process_time()
load_pack(ROOT)
taken, new = time.process_time() - start, set(sys.modules) - before
brought = [name for name in new if name in sys.argv[1:] or ".offline" in name]
print(json.dumps({{"seconds": taken, "brought": sorted(brought)}}))
"""

ROWS, QUICK_ROWS = 100_000, 10_000
LOOKUPS = 200
KIND = {"region": "beijing", "model": "wan2.6-i2v", "resolution": "1080P", "duration": 5}


def lines(*, quick: bool) -> Iterator[Line]:
    """Measure."""
    _imported("json")  # Compiles what was edited since.
    found = [_imported("torch, numpy, PIL.Image, requests") for _ in range(3 if quick else 9)]
    taken = min(one["seconds"] for one in found)  # More of it is what shares the caches.
    label = (taken * 1000, "ms", milliseconds(taken))
    yield Line("import", "processor time beyond torch, numpy, PIL, requests", *label, most=60)
    brought = _imported("json")["brought"]
    yield Line("import", "heavy modules that come with it", len(brought), "", ", ".join(brought) or "none", most=0)
    rows = QUICK_ROWS if quick else ROWS
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        _fill(home, rows)
        yield from _ledger_lines(home, rows)


def _imported(before: str) -> Any:
    """The seconds that loading the pack takes after other modules, and which heavy modules it brings."""
    command = [sys.executable, "-c", _IMPORT.format(before=before, root=str(ROOT)), *HEAVY]
    env = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=env)  # noqa: S603 - ours
    return json.loads(done.stdout)


def _fill(home: Path, rows: int) -> None:
    """Make a ledger with that many saved videos of the last month, as large as they are."""
    pack = load_pack(ROOT)
    entry, receipt = pack.module("wan.ledger.record"), json.dumps({"prompt": "a cat looks up " * 40, "warnings": []})
    common = {"account": "a" * 24, "state": "saved", "rendered": 61.0, "bytes": 5_000_000, "receipt": receipt, **KIND}
    now = time.time()

    def saved(number: int) -> Any:
        path, at = f"/out/{number}.mp4", now - number
        return entry.Record(f"{number:064x}", task_id=f"task-{number}", path=path, created_at=at, **common)

    ledger = pack.module("wan.ledger.ledger").Ledger(home)
    ledger.save(*map(saved, range(rows)))
    ledger.close()


def _ledger_lines(home: Path, rows: int) -> Iterator[Line]:
    title = f"a ledger of {rows} rows"
    found = [measured("ledger", home=str(home), rows=rows) for _ in range(3)]
    for name, label, most in (
        ("open", "opening and the first lookup", 20),
        ("task", "lookup of a task", 2),
        ("kind", "lookup of how long a kind takes", 2),
        ("claim", "claiming a request", 2),
        ("close", "closing", None),
    ):
        value = statistics.median(one[name] for one in found) * 1000
        yield Line("ledger", f"{title}: {label}", value, "ms", most=most)


def use_ledger(*, home: str, rows: int) -> dict[str, float]:
    """Part: the seconds that the ledger takes to open, to look up (the median of many) and to close."""
    pack = load_pack(ROOT)
    module, entry = pack.module("wan.ledger.ledger"), pack.module("wan.ledger.record")
    # Loaded with the first ledger of a process, whatever its size; in ComfyUI they are there already.
    import sqlite3  # noqa: F401

    import sqlalchemy.dialects.sqlite  # noqa: F401

    start = time.perf_counter()
    ledger = module.Ledger(Path(home))
    ledger.by_task("task-7")
    taken = {"open": time.perf_counter() - start}
    like = entry.Record("", **KIND)
    places = [number * 7919 % rows for number in range(LOOKUPS)]
    works: dict[str, list[Callable[[], Any]]] = {
        "task": [partial(ledger.by_task, f"task-{at}") for at in places],
        "kind": [partial(ledger.recent_durations, like)] * LOOKUPS,
        "claim": [partial(ledger.claim, entry.Record(f"{at:064x}", account="a" * 24)) for at in places],
    }
    for name, calls in works.items():
        taken[name] = statistics.median(seconds(call) for call in calls)
    taken["close"] = seconds(ledger.close)
    return taken
