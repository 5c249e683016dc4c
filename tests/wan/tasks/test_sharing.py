"""The same request at the same time is one task: in one graph, in several threads, in two processes."""

from __future__ import annotations

import asyncio
import threading

import pytest
from mock_faults import ErrorResponse, Gate, ResetAfterActing, Slow, TaskFails
from wanpack.offline.tasks import Timing
from wanpack.wan.errors import WanError
from wanpack.wan.tasks.runner import make_videos

pytestmark = pytest.mark.engines


def test_two_identical_nodes_share_one_task(bench, new_watch):
    async def graph():
        return await asyncio.gather(*(make_videos(bench.batch(), monitor=new_watch()) for _ in range(2)))

    (first,), (second,) = asyncio.run(graph())
    assert bench.created == 1
    assert first.path == second.path
    assert [first.receipt["reused"], second.receipt["reused"]].count(True) == 1
    assert len(bench.videos) == 1


def test_identical_requests_of_several_threads_share_one_task(bench):
    videos = []
    threads = [threading.Thread(target=lambda: videos.append(bench.run())) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert bench.created == 1
    assert len({video.path for video in videos}) == 1
    assert len(videos) == 6


def test_who_waits_for_another_run_shares_its_failure(bench, new_watch):
    bench.server.faults.add(on="create", fault=TaskFails("DataInspectionFailed", "No."))
    bench.server.faults.add(on="query", fault=Gate(both_wait := threading.Event()))
    waiting = []

    def wait():
        waiting.append(True)
        if len(waiting) == 2:
            both_wait.set()

    async def graph():
        watches = [new_watch(at={"an identical request": wait}) for _ in range(3)]
        runs = [make_videos(bench.batch(), monitor=watch) for watch in watches]
        return await asyncio.gather(*runs, return_exceptions=True)

    errors = asyncio.run(graph())
    assert bench.created == 1
    task = bench.server.tasks[0].id
    for error in errors:
        assert isinstance(error, WanError)
        assert "would be rejected again" in str(error)
        assert str(error).count(task) == 1


def test_who_waits_for_a_run_that_gives_up_goes_on_itself(bench, new_watch):
    """The run that drives the task cannot be heard by the service any more; the task goes on."""
    bench.server.faults.add(on="query", fault=ErrorResponse(401, "InvalidApiKey", "No."))
    bench.server.faults.add(on="create", fault=Slow(0.1))

    async def graph():
        runs = [make_videos(bench.batch(), monitor=new_watch()) for _ in range(2)]
        return await asyncio.gather(*runs, return_exceptions=True)

    results = asyncio.run(graph())
    assert sum(isinstance(result, WanError) for result in results) == 1
    assert bench.created == 1
    assert len(bench.videos) == 1


def test_different_requests_with_lost_responses_are_not_mixed_up(bench):
    """A batch, whose first answer is lost while the others are under way."""
    bench.server.faults.add(on="create", fault=ResetAfterActing())
    videos = bench.run(bench.batch(images=4))
    assert bench.created == 4
    assert len({video.task_id for video in videos}) == 4
    seeds = {task.id: task.body["parameters"]["seed"] for task in bench.server.tasks}
    assert [seeds[video.task_id] for video in videos] == [1, 2, 3, 4]


def test_another_key_gets_the_same_video(bench):
    first = bench.run()
    bench.rotate_key("sk-another-1234567890")
    assert bench.run().path == first.path
    assert bench.created == 1


def test_another_seed_prompt_image_or_audio_is_another_request(bench):
    bench.run()
    for batch in (bench.batch(seed=2), bench.batch(prompt="a dog")):
        bench.run(batch)
    brighter = bench.batch()
    object.__setattr__(brighter, "images", brighter.images / 2)
    bench.run(brighter)
    assert bench.created == 4
    bench.run(bench.batch(filename_prefix="elsewhere/video"))
    assert bench.created == 4


@pytest.mark.slow
def test_twenty_requests_of_two_processes_are_twenty_tasks(make_bench, driver, new_graph):
    bench = make_bench(timing=Timing(queued=0.02, rendering=0.05), running_limit=100)
    bench.server.faults.add(on="create", fault=Slow(0.02), times=1000)
    graph = new_graph(bench.folder / "graphs", "cats", images=20, kind="sound")
    both = [driver.start(graph, home=bench.home, output=bench.output, scale=0.01, name=name) for name in ("one", "two")]
    made = [run.wait() for run in both]
    assert [one.status for one in made] == [0, 0], [one.err.partition(" videos failed.")[2][:1500] for one in made]
    assert bench.created == 20
    assert made[0].videos == made[1].videos
    assert len(set(made[0].videos)) == len(bench.videos) == 20
    assert bench.strays == []
