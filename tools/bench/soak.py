"""Very many tasks through one process leave nothing behind."""

from __future__ import annotations

import asyncio
import gc
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from .mock_server import apart, point_to
from .orders import QUICK_KIND, make, order
from .parts import held_bytes, measured
from .report import Line
from .timing import milliseconds

TASKS, QUICK_TASKS = 500, 100


def lines(*, quick: bool) -> Iterator[Line]:
    """Measure."""
    count = QUICK_TASKS if quick else TASKS
    with apart(timing={"scale": 0.0}) as service, tempfile.TemporaryDirectory() as folder:
        home = point_to(Path(folder), service["base_url"], service["key"])
        found = measured("soak", home=str(home), count=count)
    part = count // 5
    second, last = (statistics.median(found["held"][at : at + part]) for at in (part, count - part))
    label = (f"{last / 1e6:.1f} MB", f"second fifth {second / 1e6:.1f} MB")
    yield Line("soak", f"{count} tasks: memory, last fifth over the second", last / second, "", *label, most=1.05)
    for name in ("threads", "sockets and files"):
        yield Line("soak", f"{count} tasks: {name} left behind", found[name], "", most=0)
    taken = statistics.median(found["seconds"])
    yield Line("soak", "the pack's own work for a task, all in all", taken * 1000, "ms", milliseconds(taken))


def soak(*, home: str, count: int) -> dict[str, Any]:
    """Part: many tasks one after another; the memory after each, and what is left in the end."""
    image = torch.rand((1, 480, 832, 3))
    held, taken = [], []
    before = (0, 0)
    for number in range(count):
        begun = time.perf_counter()
        videos = asyncio.run(make(order(QUICK_KIND, image, home=Path(home), seed=number, scale=0.001)))
        taken.append(time.perf_counter() - begun)
        videos[0].path.unlink()
        gc.collect()
        held.append(held_bytes())
        if number == 10:
            before = _left()
    after = _left()
    return {
        "held": held,
        "seconds": taken,
        "threads": after[0] - before[0],
        "sockets and files": after[1] - before[1],
    }


def _left() -> tuple[int, int]:
    """How many threads and open files there are, once those have gone that are on their way out."""
    until = time.monotonic() + 5
    while any(thread.name.startswith("wan-") for thread in threading.enumerate()) and time.monotonic() < until:
        time.sleep(0.05)
    return threading.active_count(), len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - a count
