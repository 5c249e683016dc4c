"""A batch and a graph keep all running that can, other nodes go on, and the event loop is never held up."""

from __future__ import annotations

import asyncio
import json
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import torch

from ..folders import PICTURES, Folders
from ..graph import run_graph
from ..pack import ROOT, load_pack
from .orders import FIVE_AT_ONCE, make, order
from .parts import command
from .pictures import photograph
from .report import Line
from .stand_in import apart, point_to

SPEED = 10.0
"""How much faster time passes: what the pack itself does then counts ten times."""

TASK_SECONDS, QUEUED_SECONDS = 60.0, 0.1
BATCH, LIMIT, NODES = 10, 5, 8
BEAT = 0.005
_RENDERING = {"queued": QUEUED_SECONDS, "rendering": TASK_SECONDS * 5 / 2}


@dataclass
class Heartbeat:
    """A coroutine that wants to run every few milliseconds; `gaps` are the seconds it had to wait beyond that."""

    gaps: list[float] = field(default_factory=list)

    async def beat(self) -> None:
        """Beat until cancelled."""
        while True:
            before = time.perf_counter()
            await asyncio.sleep(BEAT)
            self.gaps.append(time.perf_counter() - before - BEAT)


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
                # The stand-in draws its film, and the ledger learns how long that kind takes.
                asyncio.run(make(order(FIVE_AT_ONCE, _picture(), home=home, seed=10_000)))
                yield from _work_lines(title, rounds, asyncio.run(_watched(work, home)))


def _work_lines(title: str, rounds: int, found: tuple[float, list[float], list[float], bool | None]) -> Iterator[Line]:
    passed, gaps, control, others = found
    ideal = rounds * (TASK_SECONDS + QUEUED_SECONDS)
    told = (f"{passed:.1f} s", f"ideal {ideal:.1f} s")
    yield Line("parallel", f"{title}: over the ideal", passed / ideal, "", *told, most=1.15)
    if others is None:
        told = (f"{max(gaps) * 1000:.0f} ms", f"idle loop {max(control) * 1000:.0f} ms")
        yield Line("parallel", f"{title}: longest gap in the event loop", max(gaps) * 1000, "ms", *told, most=50)
    else:
        yield Line("parallel", f"{title}: other nodes ran meanwhile", float(others), "", least=1)


async def _watched(work: Any, home: Path) -> tuple[float, list[float], list[float], bool | None]:
    """Run something with a heartbeat beside it, and one in an idle process: the machine's own gaps."""
    heart = Heartbeat()
    with _control() as control:
        beating = asyncio.ensure_future(heart.beat())
        begun = time.perf_counter()
        others = await work(home)
        passed = (time.perf_counter() - begun) * SPEED
        beating.cancel()
    return passed, heart.gaps, control, others


async def _batch(home: Path) -> bool | None:
    films = await make(order(FIVE_AT_ONCE, _picture().expand(BATCH, -1, -1, -1), home=home))
    if len({film.path for film in films}) != BATCH:
        raise RuntimeError("the batch is not whole")
    return None


async def _graph(home: Path) -> bool:
    """Run the main node several times beside other nodes. Returns whether the others were done before."""
    picture = {"class_type": "LoadImage", "inputs": {"image": str(PICTURES / "astronaut.png")}}
    shown = {"class_type": "PreviewImage", "inputs": {"images": ["picture", 0]}}
    prompt: dict[str, Any] = {"picture": picture, "shown": shown}
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
    folders = Folders(inputs=(PICTURES,), output=home / "output", temp=home / "temp")
    for folder in (folders.output, folders.temp):
        folder.mkdir(parents=True, exist_ok=True)
    host.configure(output_folder=folders.output, input_folders=folders.inputs, temp_folder=folders.temp, home=home)
    from ..core_nodes import core_nodes

    return {**core_nodes(folders, video_from_file=host.video_from_file), **pack.classes}


@cache
def _picture() -> torch.Tensor:
    return torch.from_numpy(photograph("astronaut.png", (1920, 1080))[None]).float() / 255


@contextmanager
def _hurry() -> Iterator[None]:
    """Let the pack's time pass as fast as the stand-in's."""
    tempo = load_pack(ROOT).module("nodes.tasks.pauses").TEMPO
    tempo.scale = 1 / SPEED
    try:
        yield
    finally:
        tempo.scale = 1.0


@contextmanager
def _control() -> Iterator[list[float]]:
    """A heartbeat in a process that does nothing else. Its gaps are there at the end."""
    gaps: list[float] = []
    with subprocess.Popen(command("heartbeat"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:  # noqa: S603 - ours
        if child.stdin is None or child.stdout is None:
            raise RuntimeError("a pipe was asked for")
        child.stdout.readline()
        yield gaps
        gaps += json.loads(child.communicate()[0].splitlines()[-1])


def idle_heartbeat() -> list[float]:
    """Part: beat until the standard input ends."""
    import sys

    async def beat() -> list[float]:
        heart = Heartbeat()
        beating = asyncio.ensure_future(heart.beat())
        print("beating", flush=True)
        await asyncio.to_thread(sys.stdin.read)
        beating.cancel()
        return heart.gaps

    return asyncio.run(beat())
