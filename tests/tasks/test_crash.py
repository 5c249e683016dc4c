"""Killed at any moment and run again: the video comes home, paid once, and nothing is left lying about."""

from __future__ import annotations

import os
import random
import threading
import time
import traceback
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from wanpack.nodes.media.video import probe
from wanpack.nodes.offline.faults import Slow
from wanpack.nodes.offline.tasks import Timing

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the driver forks")

SCALE = 0.005
PACES = {"create": 0.08, "query": 0.01, "list": 0.01, "policy": 0.05, "upload": 0.05, "download": 0.08}
"""Seconds that each call takes, so that kills fall into every phase."""


class Draws:
    """One user who is unlucky many times: a stand-in, a ledger and an output folder of their own."""

    def __init__(self, bench: Any, driver: Any, *, name: str, seed: int) -> None:
        self.bench = bench
        self.driver = driver
        self.home = bench.live_home(name)
        self.output = bench.folder / f"output-{name}"
        self.chance = random.Random(seed)  # noqa: S311 - chance, not secrecy
        self.seconds = {False: 0.0, True: 0.0}
        self.counts: Counter[str] = Counter()
        self.faults: list[str] = []

    def order(self, prompt: str, *, sound: bool) -> dict[str, Any]:
        return {
            "home": str(self.home),
            "output": str(self.output),
            "prompt": prompt,
            "seed": 1,
            "images": 1,
            "scale": SCALE,
            "sound": sound,
            "graph": True,
            "result": str(self.bench.folder / f"{prompt}.json"),
        }

    def measure(self) -> None:
        """How long a run takes that nobody kills; the first one also has its film rendered."""
        for sound in (False, True):
            taken = []
            for again in range(3):
                began = time.monotonic()
                made = self.driver.run(self.order(f"whole-{sound}-{again}", sound=sound))
                assert made is not None and "paths" in made, made
                taken.append(time.monotonic() - began)
            self.seconds[sound] = min(taken)

    def draw(self, number: int) -> None:
        """Kill a run once or twice, run it again, and count."""
        sound = number % 4 == 3
        order = self.order(f"cat-{number}", sound=sound)
        for _ in range(self.chance.choice((1, 1, 1, 2))):
            moment = self.chance.uniform(0.0, self.seconds[sound])
            made = self.driver.run(order, kill_after=moment)
            self.counts["killed" if made is None else "done before"] += 1
        self.counts["requests"] += 1
        made = self.driver.run(order)
        for _ in range(2):
            if made is None:
                # No error is told: the forked process died in native code, which is one more crash to come back from.
                self.counts["died by itself"] += 1
                made = self.driver.run(order)
        self.judge(f"cat-{number} (killed after {moment:.3f} s)", order, made)

    def judge(self, name: str, order: dict[str, Any], made: dict[str, Any] | None) -> None:
        tasks = self.bench.tasks(order["prompt"])
        films = sorted(self.output.glob(f"film-{order['prompt']}_*.mp4"))
        strays = sorted(path for path in self.output.rglob(f"film-{order['prompt']}_*") if path not in films)
        if made is None or "paths" not in made or not Path(made["paths"][0]).exists():
            self.counts["lost"] += 1
            self.faults.append(f"{name}: lost: {made}")
            return
        assert probe(made["paths"][0]).frames in (60, 90)
        self.counts["saved"] += 1
        receipt = made["receipts"][0]
        self.counts["resumed or reused"] += bool(receipt["resumed"] or receipt["reused"])
        for kind, wrong in (("paid twice", len(tasks) > 1), ("strays", strays), ("saved twice", len(films) > 1)):
            if wrong:
                self.counts[kind] += 1
                self.faults.append(f"{name}: {kind}: {strays or films or tasks}")


def test_killed_at_any_moment(make_bench, new_driver, soak, say_at_end, bare_environment):
    kills = 200 if soak else 20
    seed = random.randrange(10**6)  # noqa: S311 - chance, not secrecy
    users = []
    for name in ("one", "two"):
        bench = make_bench(timing=Timing(queued=0.05, rendering=0.1), running_limit=100)
        for on, seconds in PACES.items():
            bench.server.faults.add(on=on, fault=Slow(seconds), times=10**6)
        users.append((name, bench))
    for variable in ("DASHSCOPE_BASE_URL", "DASHSCOPE_API_KEY"):
        bare_environment.delenv(variable)
    draws = [Draws(bench, new_driver(), name=name, seed=seed + len(name)) for name, bench in users]

    def play(one: Draws) -> None:
        try:
            one.measure()
            while one.counts["killed"] < kills // len(draws):
                one.draw(one.counts["requests"])
        except Exception:  # noqa: BLE001 - it belongs into the report, not into the thread
            one.faults.append(traceback.format_exc())

    workers = [threading.Thread(target=play, args=(one,)) for one in draws]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    counts = sum((one.counts for one in draws), Counter())
    told = ", ".join(f"{count} {kind}" for kind, count in counts.items())
    say_at_end(f"Crash (seed {seed}): {told}")
    assert [fault for one in draws for fault in one.faults] == []
    assert counts["killed"] >= kills
    assert counts["saved"] == counts["requests"]
