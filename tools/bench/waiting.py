"""How long after its end a task is noticed, and with how many queries, beside the service's own SDK."""

from __future__ import annotations

import asyncio
import bisect
import math
import random
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from cli.loading import ROOT
from cli.pack import load_pack

from .clock import Clock, pack_is_calling, run
from .mock_server import point_to
from .orders import KINDS, Kind, make, order
from .parts import measured
from .report import Line

SHORTEST, LONGEST = 20.0, 300.0
COUNT, QUICK_COUNT = 200, 40
MEDIAN_LATE, MOST_LATE = 1.0, 2.0
CROWD = 80
"""With so many tasks near their ends, all together would like to ask more often than the service allows."""

IMAGE = torch.full((1, 240, 240, 3), 0.5)


@dataclass(frozen=True)
class Draw:
    """Some tasks: their kinds and how many seconds each takes. Without a `memory` each meets an empty ledger."""

    title: str
    tasks: Sequence[tuple[Kind, float]]
    memory: bool = True


@dataclass
class Lengths:
    """The mock server's timing: each task takes the next of the given seconds, and none is queued."""

    seconds: Iterator[float]
    given: dict[str, float] = field(default_factory=dict)

    def queue_seconds(self) -> float:
        """No queue."""
        return 0.0

    def run_seconds(self, _resolution: str, _duration: int, *, task_id: str) -> float:
        """The task's own seconds."""
        if task_id not in self.given:
            self.given[task_id] = next(self.seconds)
        return self.given[task_id]


def lines(*, quick: bool) -> Iterator[Line]:
    """Measure."""
    count = QUICK_COUNT if quick else COUNT
    for number, draw in enumerate(draws(count)):
        # In a process of its own: its time is ahead of everybody else's in the end.
        late, queries = measured("waiting", number=number, count=count)
        yield from _draw_lines(draw, late, queries)
    yield _sdk_line(quick=quick)
    most, late = measured("crowd")
    label = (f"{most} queries", f"end to return {late:.2f} s in the median")
    yield Line("waiting", f"{CROWD} tasks at once: most queries in any second", most, "", *label, most=20)


def _draw_lines(draw: Draw, late: Sequence[float], queries: int) -> Iterator[Line]:
    theirs = [sdk_looks(seconds) for _, seconds in draw.tasks]
    total, their_late = sum(looks for looks, _ in theirs), [seconds for _, seconds in theirs]
    for name, percent, most in (("median", 50, MEDIAN_LATE), ("95th percentile", 95, MOST_LATE)):
        value = _percentile(late, percent)
        label = (f"{value:.2f} s", f"{_percentile(their_late, percent):.2f} s")
        yield Line("waiting", f"{draw.title}: end to return, {name}", value, "s", *label, most=most)
    label = (f"{queries} queries", f"{total} queries")
    yield Line("waiting", f"{draw.title}: queries", queries / total, "of the SDK's", *label, most=3)


def draws(count: int) -> list[Draw]:
    """Tasks whose kinds take between 25 and 240 s, each task some percent more or less, always the same draw.

    And tasks that nothing is known of but the service's word of 1 to 5 minutes.
    """
    chance = random.Random(7)  # noqa: S311 - a draw, no secret
    # One in 25 is the first of its kind.
    kinds = KINDS[: max(1, count // 25)]
    found = []
    for title, spread in (("kinds that vary by 10 %", 0.1), ("kinds that vary by 30 %", 0.3)):
        usual = {kind: math.log(chance.uniform(25, 240)) for kind in kinds}
        tasks: list[tuple[Kind, float]] = []
        while len(tasks) < count:
            kind = chance.choice(kinds)
            seconds = math.exp(chance.gauss(usual[kind], spread))
            if SHORTEST <= seconds <= LONGEST:
                tasks.append((kind, seconds))
        found.append(Draw(title, tasks))
    first = [(KINDS[5], chance.uniform(60, LONGEST)) for _ in range(count)]
    return [*found, Draw("all the first of their kind", first, memory=False)]


def waited_for(*, number: int, count: int) -> tuple[list[float], int]:
    """Part: the pack makes the videos of a draw, one after another. How late each came back, and all queries."""
    draw, pack, clock = draws(count)[number], load_pack(ROOT), Clock()
    timing = Lengths(iter([seconds for _, seconds in draw.tasks]))
    late, queries = [], 0
    with (
        tempfile.TemporaryDirectory() as folder,
        pack.module("offline.server").OfflineServer(
            region="beijing", timing=timing, clock=clock.epoch, enforce_rates=False
        ) as server,
    ):
        for seed, (kind, _) in enumerate(draw.tasks):
            home = point_to(Path(folder) / f"{0 if draw.memory else seed}", server.base_url, server.key)
            wanted = order(kind, IMAGE, home=home, seed=seed, monotonic=clock.read)
            run(make(wanted), clock, busy=lambda: pack_is_calling() or not server.wait_idle(0))
            task = server.tasks[-1]
            late.append(clock.epoch() - task.ended)
            queries += _queries(server, task.id)
    return late, queries


def crowd(*, count: int = CROWD) -> tuple[int, float]:
    """Part: very many tasks at once in one process. The most queries in any second, and the median lateness."""
    pack, clock = load_pack(ROOT), Clock()
    chance = random.Random(8)  # noqa: S311 - a draw, no secret
    timing = Lengths(iter([chance.uniform(25, 35) for _ in range(count)]))
    back: list[float] = []
    with (
        tempfile.TemporaryDirectory() as folder,
        pack.module("offline.server").OfflineServer(
            region="beijing", timing=timing, clock=clock.epoch, enforce_rates=False, running_limit=count
        ) as server,
    ):
        home = point_to(Path(folder), server.base_url, server.key)

        async def one(seed: int) -> None:
            (video,) = await make(order(KINDS[0], IMAGE, home=home, seed=seed, monotonic=clock.read))
            ended = {task.id: task.ended for task in server.tasks}[video.task_id]
            back.append(clock.epoch() - ended)

        async def everybody() -> None:
            await asyncio.gather(*(one(seed) for seed in range(count)))

        run(everybody(), clock, busy=lambda: pack_is_calling() or not server.wait_idle(0))
        times = sorted(call.at for call in server.received if call.on == "query")
    return max(bisect.bisect_left(times, at + 1) - first for first, at in enumerate(times)), statistics.median(back)


def sdk_looks(seconds: float) -> tuple[int, float]:
    """How often the SDK asks for a task that takes so long, and how late it notices the end (`BaseAsyncApi.wait`)."""
    at, pause, looks = 0.0, 1.0, 0
    while True:
        looks += 1
        if pause < 5 and looks % 3 == 0:
            pause = min(pause * 2, 5.0)
        if at >= seconds:
            return looks, at - seconds
        at += pause


def _sdk_line(*, quick: bool) -> Line:
    """The same from the SDK itself, for some tasks: the count above must be its own."""
    lengths = [seconds for _, seconds in draws(QUICK_COUNT)[1].tasks][: 5 if quick else 20]
    found = measured("sdk", lengths=lengths)
    right = sum(own == sdk_looks(seconds)[0] for own, seconds in zip(found, lengths, strict=True))
    return Line("waiting", "the SDK makes the queries counted here", right / len(lengths), "of the tasks", least=1)


def _percentile(values: Sequence[float], percent: int) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


def _queries(server: Any, task_id: str) -> int:
    return sum(call.on == "query" and task_id in call.path for call in server.received)
