"""`dev.py run`, killed at any moment and run again: the video comes home, paid once, and nothing is left behind."""

from __future__ import annotations

import random
import threading
import time
import traceback
from collections import Counter
from typing import Any

import pytest
from mock_faults import Slow
from wanpack.offline.tasks import Timing
from wanpack.wan.media.video import probe

SCALE = 0.005
LEASE = 1.5
"""Real seconds after which a run that was killed is taken over, where its lock is a lease."""

PACES = {"create": 0.08, "query": 0.01, "list": 0.01, "policy": 0.05, "upload": 0.05, "download": 0.08}
"""Seconds that each call takes, so that kills fall into every phase."""

KINDS = ("plain", "wan2.7", "text", "sound", "reference", "continue", "edit", "kf2v")
"""What is asked for in turn."""


class Draws:
    """One user who is unlucky many times: a mock server, a ledger and an output folder of their own."""

    def __init__(self, bench: Any, driver: Any, *, new_graph: Any, name: str, seed: int) -> None:
        self.bench = bench
        self.driver = driver
        self.new_graph = new_graph
        self.home = bench.live_home(name)
        self.output = bench.folder / f"output-{name}"
        self.folder = bench.folder / f"graphs-{name}"
        self.chance = random.Random(seed)  # noqa: S311 - chance, not secrecy
        self.seconds: dict[str, float] = {}
        self.counts: Counter[str] = Counter()
        self.faults: list[str] = []

    def graph(self, prompt: str, kind: str) -> Any:
        return self.new_graph(self.folder, prompt, kind=kind)

    def start(self, graph: Any) -> Any:
        return self.driver.start(graph, home=self.home, output=self.output, scale=SCALE, lease=LEASE)

    def measure(self, kind: str) -> float:
        """Return how many seconds a run takes that nobody kills, once its video is rendered."""
        taken = []
        for again in range(2):
            run = self.start(self.graph(f"whole-{kind}-{again}", kind))
            began = time.monotonic()
            ended = run.wait()
            assert ended is not None
            assert ended.status == 0, ended
            taken.append(time.monotonic() - began)
        return min(taken)

    def draw(self, number: int) -> None:
        """Kill a run once or twice, run it again, and count."""
        kind = KINDS[number % len(KINDS)]
        if kind not in self.seconds:
            self.seconds[kind] = self.measure(kind)
        graph = self.graph(f"cat-{number}", kind)
        for _ in range(self.chance.choice((1, 1, 1, 2))):
            moment = self.chance.uniform(0.0, self.seconds[kind])
            run = self.start(graph)
            ended = run.wait(moment)
            if ended is None:
                run.kill()
                ended = run.wait()
            self.counts["killed" if ended.status == -9 else "done before"] += 1
        self.counts["requests"] += 1
        ended = self.start(graph).wait()
        for _ in range(2):
            if ended is not None and ended.status < 0:
                # The process died in native code, which is one more crash to come back from.
                self.counts[f"died by itself (signal {-ended.status})"] += 1
                print(ended.err)  # noqa: T201 - where it did, for the test's report
                ended = self.start(graph).wait()
        self.judge(f"cat-{number} (killed after {moment:.3f} s)", graph, ended)

    def judge(self, name: str, graph: Any, ended: Any) -> None:
        tasks = self.bench.tasks(graph.prompt)
        videos = sorted(self.output.glob(f"video-{graph.prompt}_*.mp4"))
        strays = sorted(path for path in self.output.rglob(f"video-{graph.prompt}_*") if path not in videos)
        if ended is None or ended.videos != videos[:1] or not videos:
            self.counts["lost"] += 1
            self.faults.append(f"{name}: lost: {ended}")
            return
        (receipt,) = ended.receipts
        assert round(probe(videos[0]).duration, 2) == receipt["duration"]
        self.counts["saved"] += 1
        self.counts["resumed or reused"] += bool(receipt["resumed"] or receipt["reused"])
        for kind, wrong in (("paid twice", len(tasks) > 1), ("strays", strays), ("saved twice", len(videos) > 1)):
            if wrong:
                self.counts[kind] += 1
                self.faults.append(f"{name}: {kind}: {strays or videos or tasks}")


@pytest.mark.slow
@pytest.mark.engines
def test_killed_at_any_moment(make_bench, driver, new_graph, soak, say_at_end, bare_environment, engine):
    kills = 200 if soak else len(KINDS) if engine == "sqlite" else len(KINDS) // 2
    seed = random.randrange(10**6)  # noqa: S311 - chance, not secrecy
    draws = []
    for name in ("one", "two") if soak else ("one",):
        bench = make_bench(timing=Timing(queued=0.05, rendering=0.1), running_limit=100)
        for on, seconds in PACES.items():
            bench.server.faults.add(on=on, fault=Slow(seconds), times=10**6)
        draws.append(Draws(bench, driver, new_graph=new_graph, name=name, seed=seed + len(name)))
    for variable in ("DASHSCOPE_BASE_URL", "DASHSCOPE_API_KEY"):
        bare_environment.delenv(variable)

    def play(one: Draws) -> None:
        try:
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
    reported = ", ".join(f"{count} {kind}" for kind, count in counts.items())
    say_at_end(f"Crash, {engine} (seed {seed}): {reported}")
    assert [fault for one in draws for fault in one.faults] == []
    assert counts["killed"] >= kills
    assert counts["saved"] == counts["requests"]
