"""A run that the system ends at once: its lock is free, and the next run takes its task over."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import children
import pytest
from mock_faults import TaskStuck
from wanpack.wan.tasks.retry import Clock

ROOT = Path(__file__).resolve().parents[3]

# Each starts two processes that load PyTorch.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture
def start(bench_in_real_time, bare_environment, new_graph):
    """Start runs of one graph, each a process of its own."""
    bench = bench_in_real_time
    bare_environment.setenv("DASHSCOPE_WAN_HOME", str(bench.home))
    graph = new_graph(bench.folder / "graphs", "a cat").write()
    running = []

    def begin():
        command = [sys.executable, str(ROOT / "cli" / "__main__.py"), "run", str(graph), "--live"]
        running.append(
            children.start(
                [*command, "--out", str(bench.output)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        )
        return running[-1]

    yield begin
    for run in running:
        run.kill()
        run.communicate()


@pytest.fixture
def bench_in_real_time(make_bench):
    return make_bench(waiting=Clock())


def task_of(bench, run):
    """Wait until the ledger has the task of a run."""
    ledger = bench.ledger()
    try:
        while not any(ledger.by_task(task.id) for task in bench.server.tasks):
            assert run.poll() is None, run.stdout.read()
            time.sleep(0.1)
    finally:
        ledger.close()
    return bench.server.tasks[0].id


def test_a_run_that_was_ended_at_once_is_taken_over_by_the_next(start, bench_in_real_time):
    bench = bench_in_real_time
    bench.server.faults.add(on="create", fault=TaskStuck("RUNNING"))
    first = start()
    task_id = task_of(bench, first)
    locks = bench.home / "running"
    assert len(list(locks.iterdir())) == 1
    first.kill()
    first.wait()
    bench.server.tasks[0].frozen_in = None
    second = start()
    printed, _ = second.communicate(timeout=500)
    assert second.returncode == 0, printed
    assert [task.id for task in bench.server.tasks] == [task_id]
    assert printed.splitlines()[-1] == str(bench.videos[0])
    assert list(locks.iterdir()) == []


def test_ctrl_c_ends_a_run_whose_task_the_next_one_takes_over(start, bench_in_real_time):
    bench = bench_in_real_time
    bench.server.faults.add(on="create", fault=TaskStuck("RUNNING"))
    first = start()
    task_of(bench, first)
    children.interrupt(first)
    printed, _ = first.communicate(timeout=500)
    assert (first.returncode, printed.splitlines()[-1]) == (130, "Interrupted.")
    assert "Traceback" not in printed
    bench.server.tasks[0].frozen_in = None
    second = start()
    printed, _ = second.communicate(timeout=500)
    assert second.returncode == 0, printed
    assert bench.created == 1
