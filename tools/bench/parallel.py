"""A batch and a graph keep all running that can, other nodes go on, and the event loop is never held up."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import torch

from cli.folders import IMAGES, Folders
from cli.graph import run_graph
from cli.loading import ROOT
from cli.pack import load_pack

from .mock_server import apart, point_to
from .orders import FIVE_AT_ONCE, make, order
from .pictures import photograph
from .report import Line

SPEED = 4.0
"""How much faster time passes: what the pack itself does then counts four times."""

TASK_SECONDS, QUEUED_SECONDS = 60.0, 0.1
BATCH, LIMIT, NODES = 10, 5, 8
BEAT = 0.005
_RENDERING = {"queued": QUEUED_SECONDS, "rendering": TASK_SECONDS * 5 / 2}


@dataclass
class Heartbeat:
    """A coroutine that wants to run every few milliseconds. Seconds.

    `gaps` are what it had to wait beyond that, without the time in which the machine had no core for this thread;
    `coreless` are those times.
    """

    gaps: list[float] = field(default_factory=list)
    coreless: list[float] = field(default_factory=list)

    async def beat(self) -> None:
        """Beat until cancelled."""
        while True:
            before, waited = time.perf_counter(), _waited_for_a_core()
            await asyncio.sleep(BEAT)
            self.coreless.append(_waited_for_a_core() - waited)
            self.gaps.append(time.perf_counter() - before - BEAT - self.coreless[-1])


def _waited_for_a_core() -> float:
    """The seconds that this thread was ready to run and did not."""
    return int(Path("/proc/thread-self/schedstat").read_text(encoding="ascii").split()[1]) / 1e9


def lines(*, quick: bool) -> Iterator[Line]:
    """Measure."""
    del quick
    with tempfile.TemporaryDirectory() as folder, _hurry():
        for title, limit, rounds, work in (
            (f"a batch of {BATCH}, {LIMIT} at once", LIMIT, 2, _batch),
            (f"{NODES} nodes in one graph", NODES, 1, _graph),
        ):
            home = Path(folder) / str(limit)
            with apart(speed=SPEED, timing=_RENDERING, running_limit=limit) as service:
                point_to(home, service["base_url"], service["key"])
                # The mock server draws its video, and the ledger learns how long that kind takes.
                asyncio.run(make(order(FIVE_AT_ONCE, _image(), home=home, seed=10_000, scale=1 / SPEED)))
                yield from _work_lines(title, rounds, asyncio.run(_watched(work, home)))


def _work_lines(title: str, rounds: int, found: tuple[float, Heartbeat, bool | None]) -> Iterator[Line]:
    passed, heart, others = found
    ideal = rounds * (TASK_SECONDS + QUEUED_SECONDS)
    label = (f"{passed:.1f} s", f"ideal {ideal:.1f} s")
    yield Line("parallel", f"{title}: over the ideal", passed / ideal, "", *label, most=1.15)
    if others is None:
        longest = max(heart.gaps) * 1000
        label = (f"{longest:.0f} ms", f"{max(heart.coreless) * 1000:.0f} ms for want of a core")
        yield Line("parallel", f"{title}: longest gap in the event loop", longest, "ms", *label, most=50)
    else:
        yield Line("parallel", f"{title}: other nodes ran meanwhile", float(others), "", least=1)


async def _watched(work: Any, home: Path) -> tuple[float, Heartbeat, bool | None]:
    """Run something with a heartbeat beside it."""
    heart = Heartbeat()
    beating = asyncio.ensure_future(heart.beat())
    begun = time.perf_counter()
    others = await work(home)
    passed = (time.perf_counter() - begun) * SPEED
    beating.cancel()
    return passed, heart, others


async def _batch(home: Path) -> bool | None:
    videos = await make(order(FIVE_AT_ONCE, _image().expand(BATCH, -1, -1, -1), home=home, scale=1 / SPEED))
    if len({video.path for video in videos}) != BATCH:
        raise RuntimeError("the batch is not whole")
    return None


async def _graph(home: Path) -> bool:
    """Run the main node several times beside other nodes. Returns whether the others were done before."""
    image = {"class_type": "LoadImage", "inputs": {"image": str(IMAGES / "astronaut.png")}}
    shown = {"class_type": "PreviewImage", "inputs": {"images": ["picture", 0]}}
    prompt: dict[str, Any] = {"picture": image, "shown": shown}
    for number in range(NODES):
        inputs = {"image": ["picture", 0], "prompt": "a cat", "shot_type": "single", "prompt_extend": True}
        inputs |= asdict(FIVE_AT_ONCE)
        prompt[f"video{number}"] = {"class_type": "DashScopeWanImageToVideo", "inputs": {**inputs, "seed": number}}
    finished: list[str] = []

    def note(node: str, state: str) -> None:
        if state == "finished":
            finished.append(node)

    await run_graph(prompt, classes=_classes(home), on_node=note)
    return finished.index("shown") < min(finished.index(f"video{number}") for number in range(NODES))


def _classes(home: Path) -> dict[str, Any]:
    pack = load_pack(ROOT)
    host = pack.module("nodes.host")
    folders = Folders(inputs=(IMAGES,), output=home / "output", temp=home / "temp")
    for folder in (folders.output, folders.temp):
        folder.mkdir(parents=True, exist_ok=True)
    host.configure(output_folder=folders.output, input_folders=folders.inputs, temp_folder=folders.temp, home=home)
    from cli.core_nodes import core_nodes

    return {**core_nodes(folders, video_from_file=host.video_from_file), **pack.classes}


@cache
def _image() -> torch.Tensor:
    return torch.from_numpy(photograph("astronaut.png", (1920, 1080))[None]).float() / 255


@contextmanager
def _hurry() -> Iterator[None]:
    """Let the pack's time pass as fast as the mock server's."""
    pack = load_pack(ROOT)
    host = pack.module("nodes.host")
    before = host.configure(clock=pack.module("wan.tasks.retry").Clock(1 / SPEED))
    try:
        yield
    finally:
        host.configure(clock=before.clock)
