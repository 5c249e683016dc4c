"""Stop: it takes effect within a second in every phase, and the user sees what goes on and costs."""

from __future__ import annotations

import asyncio
import logging
import random
import threading
import time
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import media
import pytest
from mock_faults import (
    ErrorResponse,
    HtmlPage,
    HugeBody,
    JsonBody,
    Redirect,
    ResetAfterActing,
    ResetBeforeActing,
    ResetBeforeBody,
    Slow,
    Stalled,
    TaskStuck,
    Throttling,
    Truncated,
)
from wanpack.wan.api import client
from wanpack.wan.messages import ENGLISH, localize
from wanpack.wan.tasks.interrupt import run_interruptible
from wanpack.wan.tasks.progress import BatchProgress
from wanpack.wan.tasks.retry import Clock
from wanpack.wan.tasks.runner import make_videos

ALWAYS = 1000


@dataclass(frozen=True)
class Phase:
    """Where Stop comes: when a status text contains `text`, while `faults` keep the run there.

    `reported` is then said.
    """

    name: str
    text: str
    reported: str
    faults: tuple[tuple[str, Any], ...] = ()
    audio: bool = False
    created: int = 1
    names_task: bool = True


UNSENT = "nothing is charged"
GOES_ON = "is still running at DashScope and is charged"
PHASES = (
    Phase("encoding", "preparing", UNSENT, created=0, names_task=False),
    Phase("asking for a permit", "uploading", UNSENT, (("policy", Slow(1)),), audio=True, created=0, names_task=False),
    Phase("uploading", "uploading", UNSENT, (("upload", Slow(1)),), audio=True, created=0, names_task=False),
    Phase("unreachable", "Retrying", UNSENT, (("policy", ResetBeforeBody()),), audio=True, created=0, names_task=False),
    Phase("throttled", "rate limited", UNSENT, (("create", Throttling(retry_after=60)),), created=0, names_task=False),
    Phase("submitting", "submitting", "to look for it", (("create", Slow(1)),), names_task=False),
    Phase(
        "looking", "looking", "to look for it", (("create", ResetAfterActing()), ("list", Slow(1))), names_task=False
    ),
    Phase("queued", "queued", "is cancelled; nothing is charged", (("create", TaskStuck("PENDING")),)),
    Phase("rendering", "rendering", GOES_ON, (("create", TaskStuck("RUNNING")),)),
    Phase("slow query", "rendering", GOES_ON, (("create", TaskStuck("RUNNING")), ("query", Slow(1)))),
    Phase("downloading", "downloading", "is finished and paid for", (("download", Stalled(50_000)),)),
)


@pytest.fixture
def make_bench(make_bench):
    """Make a bench whose runs wait: a second of waiting takes 10 ms, in which Stop can come."""
    return partial(make_bench, waiting=Clock(0.01))


@pytest.fixture
def bench(make_bench):
    return make_bench()


@pytest.fixture
def make_real_bench(make_bench):
    """Make a bench whose runs wait in real time."""
    return partial(make_bench, waiting=Clock())


def bench_for(make_bench, phase):
    bench = make_bench(running_limit=1000)
    for number, (on, fault) in enumerate(phase.faults):
        after = 1 if on == "query" and number else 0
        bench.server.faults.add(on=on, fault=fault, times=ALWAYS, after=after)
    return bench


def order_for(bench, phase, *, seed=1):
    if phase.audio:
        return bench.batch(seed=seed, kind="sound")
    batch = bench.batch(seed=seed)
    # Encoding a large image takes a while.
    return replace(batch, images=media.noise(2000)) if phase.name == "encoding" else batch


async def interrupted_run(batch, watch, delay: float) -> float:
    """Press Stop some seconds after the watch's text came, and return how long the run went on after that."""
    arrived = asyncio.Event()
    watch.at = {watch.stop_at: arrived.set}
    watch.stop_at = ""
    run = asyncio.ensure_future(make_videos(batch, monitor=watch))
    reached = asyncio.ensure_future(arrived.wait())
    await asyncio.wait({run, reached}, return_when=asyncio.FIRST_COMPLETED, timeout=60)
    assert reached.done(), watch.texts
    await asyncio.sleep(delay)
    assert not run.done(), run
    watch.press()
    pressed = time.monotonic()
    await asyncio.wait({run}, timeout=60)
    assert type(run.exception()).__name__ == "Interrupted"
    return time.monotonic() - pressed


@pytest.mark.usefixtures("patient_stop")
@pytest.mark.parametrize("phase", PHASES, ids=lambda phase: phase.name)
def test_the_user_sees_what_goes_on_and_the_next_run_pays_no_second_time(phase, make_real_bench, new_watch, caplog):
    bench = bench_for(make_real_bench, phase)
    watch = new_watch(stop_at=phase.text)
    asyncio.run(interrupted_run(order_for(bench, phase), watch, 0.02))
    assert phase.reported in watch.texts[-1]
    log = [record.message for record in caplog.records if record.levelno >= logging.WARNING]
    assert any(line.lower().startswith("stopped") for line in log), log
    # A call that was on its way may arrive a moment later.
    wait_until(lambda: len(bench.server.tasks) >= phase.created)
    assert len(bench.server.tasks) == phase.created
    if phase.names_task:
        task = bench.server.tasks[-1].id
        assert task in watch.texts[-1]
        assert any(task in line for line in log)
    bench.server.faults.clear()
    for task in bench.server.tasks:
        task.frozen_in = None
    bench.clock = Clock(0.01)
    assert bench.run(order_for(bench, phase)).path.exists()
    assert sum(task.state != "CANCELED" for task in bench.server.tasks) == 1
    assert bench.strays == []


@pytest.mark.parametrize(
    "fault",
    [
        ErrorResponse(),
        ErrorResponse(401, "InvalidApiKey", "Invalid API-key provided."),
        Throttling(retry_after=60),
        HtmlPage(200),
        HtmlPage(),
        JsonBody({}),
        JsonBody([]),
        HugeBody(9 * 1024 * 1024),
        Redirect("https://example.com/"),
        ResetBeforeBody(),
        ResetBeforeActing(),
        ResetAfterActing(),
        Truncated(5),
        Stalled(5),
        Slow(1),
    ],
    ids=lambda fault: f"{type(fault).__name__} {getattr(fault, 'status', '')}".strip(),
)
def test_what_goes_wrong_with_cancelling_is_not_reported_as_cancelled(
    fault, make_real_bench, new_watch, bare_environment
):
    # What is silent for good is silent for half a minute, which tells no more.
    bare_environment.setattr(client, "READ_SECONDS", 0.5)
    bench = make_real_bench()
    bench.server.faults.add(on="create", fault=TaskStuck("PENDING"))
    bench.server.faults.add(on="cancel", fault=fault)
    watch = new_watch(stop_at="queued")
    asyncio.run(interrupted_run(bench.batch(), watch, 0.02))
    [task] = bench.server.tasks
    assert task.id in watch.texts[-1]
    assert "is cancelled" not in watch.texts[-1]
    assert "charged" in watch.texts[-1]
    task.frozen_in = None
    bench.clock = Clock(0.01)
    bench.server.faults.clear()
    assert bench.run().path.exists()
    assert sum(one.state != "CANCELED" for one in bench.server.tasks) == 1


def test_a_task_that_comes_of_a_stopped_call_is_cancelled_while_it_is_queued(make_bench, new_watch, caplog):
    bench = make_bench()
    bench.server.faults.add(on="create", fault=Slow(0.4))
    bench.server.state.tasks.timing = replace(bench.server.state.tasks.timing, queued=60.0, scale=1.0)
    asyncio.run(interrupted_run(bench.batch(), new_watch(stop_at="submitting"), 0.1))
    assert wait_until(lambda: [task.state for task in bench.server.tasks] == ["CANCELED"])
    task = bench.server.tasks[0].id
    assert wait_until(lambda: f"Task {task} was still queued and is cancelled" in caplog.text)


def test_a_task_that_comes_of_a_stopped_call_and_runs_is_named(make_bench, new_watch, caplog):
    bench = make_bench()
    bench.server.faults.add(on="create", fault=Slow(0.4))
    asyncio.run(interrupted_run(bench.batch(), new_watch(stop_at="submitting"), 0.1))
    assert wait_until(lambda: "but task " in caplog.text)
    assert f"but task {bench.server.tasks[0].id} is still running at DashScope and is charged" in caplog.text


def test_a_run_queued_right_after_stop_takes_over_the_call_that_is_on_its_way(make_bench, new_watch):
    bench = make_bench()
    bench.server.faults.add(on="create", fault=Slow(0.4))
    asyncio.run(interrupted_run(bench.batch(), new_watch(stop_at="submitting"), 0.1))
    watch = new_watch()
    bench.run(watch=watch)
    assert any("an identical request is already running" in text for text in watch.texts)
    assert bench.created == 1


def test_a_run_that_follows_a_cancelled_one_sends_anew(make_bench, new_watch):
    """The other node's Stop has cancelled the task that both waited for."""
    bench = make_bench()
    bench.server.faults.add(on="create", fault=TaskStuck("PENDING"))

    async def both():
        first = asyncio.ensure_future(interrupted_run(bench.batch(), new_watch(stop_at="queued"), 0.3))
        assert await asyncio.to_thread(wait_until, lambda: bench.server.tasks)
        second = asyncio.ensure_future(make_videos(bench.batch(), monitor=new_watch()))
        await first
        return await second

    assert asyncio.run(both())[0].path.exists()
    assert [task.state for task in bench.server.tasks] == ["CANCELED", "SUCCEEDED"]


def test_a_follower_that_is_stopped_says_that_the_other_run_goes_on(make_bench, new_watch):
    bench = make_bench()
    bench.server.faults.add(on="create", fault=TaskStuck("RUNNING"))
    watch = new_watch(stop_at="an identical request is already running (")

    async def both():
        first = asyncio.ensure_future(make_videos(bench.batch(), monitor=new_watch()))
        assert await asyncio.to_thread(wait_until, lambda: bench.server.tasks)
        await interrupted_run(bench.batch(), watch, 0.05)
        assert not first.done()
        first.cancel()
        await asyncio.wait({first})

    asyncio.run(both())
    assert f"another run continues the same request as task {bench.server.tasks[0].id}" in watch.texts[-1]
    assert bench.server.tasks[0].state == "RUNNING"


@pytest.mark.usefixtures("large_videos")
def test_a_nearly_downloaded_video_is_gone_on_with(make_real_bench, new_watch):
    bench = make_real_bench()
    bench.server.faults.add(on="download", fault=Stalled(290_000))
    asyncio.run(interrupted_run(bench.batch(), new_watch(stop_at="downloading 0.3/"), 0.0))
    (part,) = bench.strays
    held = part.stat().st_size
    assert held > 200_000
    video = bench.run()
    ranges = [call.headers.get("range") for call in bench.server.received if call.on == "download"]
    assert ranges == [None, f"bytes={held}-"]
    assert video.receipt["resumed"]
    assert bench.strays == []


@pytest.mark.usefixtures("patient_stop")
def test_several_waiting_nodes_are_all_stopped(make_real_bench, new_watch, interrupted):
    """As in ComfyUI: one node sees the flag and ends the loop, which cancels the others."""
    bench = make_real_bench()
    bench.server.faults.add(on="create", fault=TaskStuck("PENDING"), times=ALWAYS)
    watches = [new_watch() for _ in range(4)]

    async def graph():
        nodes = [
            asyncio.ensure_future(make_videos(bench.batch(seed=seed), monitor=watch))
            for seed, watch in enumerate(watches)
        ]
        queued = lambda: all(any("queued" in text for text in watch.texts) for watch in watches)  # noqa: E731
        assert await asyncio.to_thread(wait_until, queued)
        watches[2].press()
        await asyncio.wait(nodes, return_when=asyncio.FIRST_EXCEPTION)
        raise nodes[2].exception()

    with pytest.raises(interrupted):
        asyncio.run(graph())
    assert [task.state for task in bench.server.tasks] == ["CANCELED"] * 4
    assert all("is cancelled; nothing is charged" in watch.texts[-1] for watch in watches)


def test_a_stopped_fetch_does_not_cancel_the_task(make_bench, new_watch, interrupted):
    bench = make_bench()
    bench.foreign_task(stuck="PENDING")
    watch = new_watch(stop_at="queued")
    with pytest.raises(interrupted):
        bench.fetch(bench.server.tasks[0].id, watch=watch)
    assert bench.server.tasks[0].state == "PENDING"
    assert GOES_ON in watch.texts[-1]


@pytest.mark.slow
def test_stop_takes_effect_at_any_moment(make_real_bench, new_watch, soak, say_at_end, bare_environment):
    """At random moments of all phases, ten nodes at a time. How soon is printed: on a busy machine it takes longer."""
    count = 100 if soak else 20
    seed = random.randrange(10**6)  # noqa: S311 - chance, not secrecy
    chance = random.Random(seed)  # noqa: S311 - chance, not secrecy
    benches = {phase.name: bench_for(make_real_bench, phase) for phase in PHASES}
    for name in ("DASHSCOPE_BASE_URL", "DASHSCOPE_API_KEY"):
        bare_environment.delenv(name)
    heard: list[float] = []

    async def some(numbers):
        runs = []
        for number in numbers:
            phase = PHASES[number % len(PHASES)]
            batch = order_for(benches[phase.name], phase, seed=number)
            batch = replace(batch, home=benches[phase.name].live_home(phase.name))
            longest = 0.05 if phase.name == "encoding" else 0.6
            runs.append(interrupted_run(batch, new_watch(stop_at=phase.text), chance.uniform(0, longest)))
        return await asyncio.gather(*runs)

    for start in range(0, count, 10):
        heard += asyncio.run(some(range(start, min(start + 10, count))))
    heard.sort()
    shown = f"median {heard[count // 2]:.2f} s, 95 % {heard[int(count * 0.95) - 1]:.2f} s, worst {heard[-1]:.2f} s"
    say_at_end(f"Stop, {count} interrupts (seed {seed}): {shown}")


@pytest.mark.parametrize("moment", [0.1, 0.15, 0.2, 7.0, 59.9])
def test_stop_takes_effect_within_a_second(jumping, new_watch, interrupted, moment):
    async def work():
        try:
            await asyncio.sleep(100)
        finally:
            await asyncio.sleep(100)

    async def main():
        watch = new_watch()
        jumping.call_later(moment, watch.press)
        with pytest.raises(interrupted):
            await run_interruptible(watch, work())
        return jumping.time() - moment

    assert jumping.run_jumping(main()) <= 1.0


def test_what_is_interrupted_may_clean_up_and_is_not_waited_for_longer(jumping, new_watch, interrupted):
    done = []

    async def work():
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.1)
            done.append("short")
            await asyncio.sleep(60)
            done.append("long")

    async def main():
        watch = new_watch()
        jumping.call_later(0.1, watch.press)
        with pytest.raises(interrupted):
            await run_interruptible(watch, work())

    jumping.run_jumping(main())
    assert done == ["short"]


def test_until_stopped_returns_what_the_work_returns_and_raises_what_it_raises(new_watch):
    async def work(value):
        if isinstance(value, Exception):
            raise value
        return value

    assert asyncio.run(run_interruptible(new_watch(), work(7))) == 7
    with pytest.raises(KeyError):
        asyncio.run(run_interruptible(new_watch(), work(KeyError("a"))))


def test_being_cancelled_cancels_the_work(new_watch):
    ended = threading.Event()

    async def work():
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()

    async def main():
        run = asyncio.ensure_future(run_interruptible(new_watch(), work()))
        await asyncio.sleep(0.05)
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run

    asyncio.run(main())
    assert ended.is_set()


def test_the_progress_of_a_batch_is_the_mean_of_its_items(new_watch):
    watch = new_watch()
    shown: list[float] = []
    watch.report = lambda fraction, text: (shown.append(fraction), watch.texts.append(localize(text, ENGLISH)))
    batch = BatchProgress(watch, count=2)
    first, second = batch.items
    first(1.0, "saved a.mp4")
    second(0.5, "rendering")
    assert shown == [0.0, 0.5, 0.75]
    assert watch.texts[-1] == "1 of 2 done; 2: rendering"


def wait_until(holds, seconds: float = 60.0) -> bool:
    until = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True
