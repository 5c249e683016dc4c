"""Several machines with one database: a request is paid once, and each machine has its video."""

from __future__ import annotations

import asyncio
import platform
import threading
import time
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from mock_faults import Gate, Slow, UnknownStatus
from mock_server import ALWAYS
from small_videos import small_videos
from wanpack.offline.tasks import Timing
from wanpack.wan.api.errors import TaskUnknown

pytestmark = pytest.mark.slow

SCALE = 0.02


@pytest.fixture(scope="module", autouse=True)
def videos_are_smaller():
    with small_videos():
        yield


@dataclass
class Machine:
    """A machine with a home, an output folder and a host name of its own."""

    bench: Any
    name: str

    @property
    def output(self) -> Path:
        return self.bench.folder / f"output-{self.name}"

    @property
    def home(self) -> Path:
        return self.bench.folder / f"home-{self.name}"

    @property
    def videos(self) -> list[Path]:
        return sorted(self.output.rglob("*.mp4"))

    def run(self, *, output: Path | None = None, **batch: Any) -> Any:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(platform, "node", lambda: self.name)
            made = self.bench.batch(home=self.home, **batch)
            return self.bench.run(replace(made, output_folder=output or self.output))

    def start(self, driver: Any, graph: Any, **more: Any) -> Any:
        """Start a process on it that can be killed."""
        where = {"home": self.home, "output": self.output, "scale": SCALE}
        return driver.start(graph, **where, name=f"{graph.prompt}-{self.name}", host=self.name, **more)


@pytest.fixture
def fleet(bare_environment, new_database):
    """Let all runs have one database."""
    bare_environment.setenv("DASHSCOPE_WAN_LEDGER_URL", new_database())


@pytest.fixture
def desks(bench, fleet):
    return Machine(bench, "desk-1"), Machine(bench, "desk-2")


class TestOneAfterTheOther:
    def test_the_second_machine_downloads_the_video_of_the_first(self, desks):
        one, two = desks
        first, second = one.run(), two.run()
        assert one.bench.created == 1
        assert (first.task_id, first.receipt["resumed"]) == (second.task_id, False)
        assert second.receipt["resumed"] is True
        assert one.videos == [first.path]
        assert two.videos == [second.path]
        assert first.path.read_bytes() == second.path.read_bytes()
        for desk, video in ((one, first), (two, second)):
            again = desk.run()
            assert (again.path, again.receipt["reused"]) == (video.path, True)

    def test_in_an_output_folder_that_both_have_the_file_is_reused(self, desks):
        one, two = desks
        first = one.run(output=one.output)
        second = two.run(output=one.output)
        assert (second.path, second.receipt["reused"]) == (first.path, True)
        assert one.bench.calls["download"] == 1

    def test_another_file_under_the_same_path_is_not_its_video(self, desks):
        """Each machine's output folder has the same path, and a file of that name and size."""
        one, two = desks
        first = one.run(output=one.output)
        first.path.write_bytes(bytes(first.path.stat().st_size))
        second = two.run(output=one.output)
        assert second.receipt["reused"] is False
        assert second.task_id == first.task_id
        assert second.path != first.path

    def test_a_video_that_only_another_machine_has_is_named(self, desks, bare_environment):
        one, two = desks
        first = one.run()
        one.bench.server.faults.add(on="query", fault=UnknownStatus(), times=ALWAYS)
        for _ in range(2):
            with pytest.raises(TaskUnknown, match="saved on desk-1 as") as caught:
                two.run()
            for words in (str(first.path), "change the seed", "repay_missing = true", "DASHSCOPE_WAN_REPAY_MISSING"):
                assert words in str(caught.value)
        assert one.run().receipt["reused"] is True
        assert one.bench.created == 1

    def test_it_is_paid_anew_where_the_owner_wants_that(self, desks, bare_environment):
        one, two = desks
        first = one.run()
        asyncio.run(one.bench.clock.sleep(25 * 3600.0))
        bare_environment.setenv("DASHSCOPE_WAN_REPAY_MISSING", "true")
        second = two.run()
        assert second.task_id != first.task_id
        assert one.bench.calls["create"] == 2
        assert [desk.run().receipt["reused"] for desk in desks] == [True, True]
        assert [desk.run().task_id for desk in desks] == [first.task_id, second.task_id]


class TestAtOnce:
    def test_six_workers_with_the_same_request_make_one_task(self, make_bench, fleet, driver, new_graph):
        bench = make_bench(timing=Timing(queued=0.05, rendering=0.2))
        bench.server.faults.add(on="create", fault=Slow(0.1), times=ALWAYS)
        workers = [Machine(bench, f"worker-{number}") for number in range(6)]
        graph = new_graph(bench.folder / "graphs", "a cat")
        made = [run.wait() for run in [worker.start(driver, graph) for worker in workers]]
        assert [one.status for one in made] == [0] * 6, [one.err for one in made]
        assert bench.created == 1
        for worker, one in zip(workers, made, strict=True):
            assert worker.videos == one.videos
            assert len(one.videos) == 1
        assert strays(bench) == []

    def test_workers_that_are_killed_are_taken_over(self, make_bench, fleet, driver, new_graph):
        """24 requests of six workers; a third of these ends between a create request and the video."""
        bench = make_bench(timing=Timing(queued=0.05, rendering=0.2), running_limit=100)
        opened = threading.Event()
        bench.server.faults.add(on="download", fault=Gate(opened), times=ALWAYS)
        workers = [Machine(bench, f"worker-{number}") for number in range(6)]
        prompts = [tuple(f"cat-{number}-{part}" for part in "abcd") for number in range(6)]
        graphs = [new_graph(bench.folder / "graphs", own[0], also=own[1:], kind="wan3.0") for own in prompts]
        start = [partial(one.start, driver, graph, lease=2.0) for one, graph in zip(workers, graphs, strict=True)]
        # Until they are killed, no video can be had.
        runs = [begin() for begin in start[:2]]
        for last in (0, 1):
            while not bench.tasks(prompts[last][last]):
                time.sleep(0.005)
        runs += [begin() for begin in start[2:]]
        for run in runs[:2]:
            run.kill()
            assert run.wait().status == -9
        opened.set()
        # Their leases have run out: what they had of a video is taken over with it.
        time.sleep(2.5)
        runs[:2] = [worker.start(driver, graph, lease=2.0) for worker, graph in zip(workers[4:], graphs, strict=False)]
        made = [run.wait() for run in runs]
        assert [one.status for one in made] == [0] * 6, "\n".join(one.err for one in made if one.status)
        assert sorted(task.body["input"]["prompt"] for task in bench.server.tasks) == sorted(sum(prompts, ()))
        assert len({path for one in made for path in one.videos}) == 24
        assert strays(bench) == []


def strays(bench: Any) -> list[Path]:
    """Everything in the output folders that is no video."""
    files = [path for folder in bench.folder.glob("output-*") for path in folder.rglob("*") if path.is_file()]
    return [path for path in files if path.suffix != ".mp4"]
