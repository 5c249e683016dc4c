"""Whose a task is, and when a call was sent, where nobody saw the answer."""

from __future__ import annotations

import math
import time
from dataclasses import replace

import pytest
from wanpack.nodes.offline.faults import JsonBody, ResetAfterActing, ResetBeforeActing
from wanpack.nodes.service.errors import OutcomeUnknown
from wanpack.nodes.service.request import VideoRequest
from wanpack.nodes.service.task import Task, TaskStatus
from wanpack.nodes.tasks.clocks import Span, span_of
from wanpack.nodes.tasks.entry import Entry
from wanpack.nodes.tasks.lost import is_anothers, prompt_told
from wanpack.nodes.tasks.store import store_of

HOUR = 3600.0


def telling(prompt: str) -> Task:
    return Task("t", TaskStatus.SUCCEEDED, orig_prompt=prompt)


@pytest.mark.parametrize(
    ("told", "asked"),
    [
        ("a cat", "a cat"),
        ("", "a cat"),
        ("a cat", ""),
        ("a cat runs.", "  A cat\r\nruns!  "),
        ("一只猫在草地上奔跑", "一只猫，在草地上奔跑。"),
        ("\uff21 cat", "A cat"),
        ("word " * 160, "word " * 300),
        ("😀", "😃"),
    ],
)
def test_a_task_may_be_ours_where_it_tells_our_prompt_or_none(told, asked):
    assert not is_anothers(telling(told), asked)


@pytest.mark.parametrize(
    ("told", "asked"),
    [("a dog", "a cat"), ("a cat", "a cat runs"), ("a cat runs", "a cat"), ("word " * 300, "word " * 160)],
)
def test_a_task_with_another_prompt_is_anothers(told, asked):
    assert is_anothers(telling(told), asked)


def test_an_effect_has_no_prompt():
    asked = VideoRequest(model="wanx2.1-i2v-turbo", resolution="480P", duration=3, prompt="a cat", template="flying")
    assert prompt_told(asked) == ""
    assert prompt_told(replace(asked, template="")) == "a cat"


class TestWhenItWasSent:
    """The call left 100 s ago."""

    def span(self, *, machine=0.0, ahead: float | None = 0.0, steady: float | None = 100.0, **more):
        """`machine` is how much later than 100 s before now this machine's clock says that it was."""
        entry = Entry("a", sent_at=time.time() - 100 + machine, service_sent_at=more.pop("noted", 0.0))
        left = None if steady is None else time.monotonic() - steady
        return entry, span_of(entry, ahead=ahead, left=left, ahead_before=more.pop("before", None))

    @pytest.mark.parametrize("ahead", [0.0, 50.0, -7 * HOUR, 24 * HOUR])
    def test_the_services_clock_counts(self, ahead):
        entry, span = self.span(ahead=ahead)
        assert span == Span(entry.sent_at + ahead, ahead, sure=True)

    def test_without_it_this_machines_clock_has_to_do(self):
        entry, span = self.span(ahead=None)
        assert span == Span(entry.sent_at, 0.0, sure=False)

    @pytest.mark.parametrize("machine", [HOUR, -HOUR])
    def test_a_clock_that_was_set_since_makes_it_uncertain(self, machine):
        entry, span = self.span(machine=machine, ahead=5.0)
        assert span == Span(entry.sent_at, 0.0, sure=False)

    def test_another_run_is_certain_where_the_clock_was_the_same_before_the_call(self):
        entry, span = self.span(machine=-HOUR, ahead=HOUR, steady=None, before=HOUR + 5)
        assert span == Span(entry.sent_at + HOUR, HOUR, sure=True)

    @pytest.mark.parametrize("before", [None, 0.0])
    def test_another_run_is_uncertain_where_it_was_not_or_nobody_knows(self, before):
        assert not self.span(ahead=HOUR, steady=None, before=before)[1].sure

    def test_a_call_from_the_future_is_uncertain(self):
        assert not self.span(machine=2 * HOUR, steady=None, before=0.0)[1].sure

    def test_what_was_noted_counts_before_all_else(self):
        entry, span = self.span(noted=5000.0, ahead=None)
        assert span == Span(5000.0, 5000.0 - entry.sent_at, sure=True)

    @pytest.mark.parametrize(
        ("created", "held"), [(0, True), (999, True), (881, True), (879, False), (1299, True), (1301, False)]
    )
    def test_tasks_from_two_minutes_before_to_five_after_may_be_the_calls(self, created, held):
        assert Span(1000.0, 0.0, sure=True).holds(created) is held


def test_what_the_service_said_of_its_clock_is_written_down(make_bench):
    bench = make_bench(clock=lambda: time.time() + 5 * HOUR)
    before = time.time() + 5 * HOUR
    bench.run()
    bench.server.faults.add(on="create", fault=ResetAfterActing())
    bench.run(bench.order(seed=2))
    with store_of(bench.home).transaction():
        sent = [entry.service_sent_at for entry in store_of(bench.home).find(model="wanx2.1-i2v-turbo")]
    assert len(sent) == 2
    assert all(math.isclose(at, before, abs_tol=20) for at in sent)


def test_a_strangers_task_is_not_cancelled_by_stop(make_bench, new_watch, interrupted):
    """It was taken for the request's own, which never came."""
    bench = make_bench()
    theirs = bench.stranger(stuck="PENDING")
    bench.server.faults.add(on="create", fault=ResetBeforeActing())
    watch = new_watch(stop_at="queued")
    with pytest.raises(interrupted):
        bench.run(watch=watch)
    assert theirs.state == "PENDING"
    assert f"task {theirs.id} goes on at the service" in watch.texts[-1]


def test_a_stranger_that_the_list_has_before_the_own_task_is_not_taken_for_it(make_bench):
    """The list shows a task some moments after it was made."""
    bench = make_bench()
    theirs = bench.stranger()
    row = {"task_id": theirs.id, "status": "RUNNING", "model_name": theirs.model_name}
    late = JsonBody({"data": [row | {"gmt_create": int(theirs.submitted * 1000)}], "total_page": 1})
    bench.server.faults.add(on="list", fault=late)
    bench.server.faults.add(on="create", fault=ResetAfterActing())
    with pytest.raises(OutcomeUnknown) as caught:
        bench.run()
    assert all(task.id in str(caught.value) for task in bench.server.tasks)
    assert bench.calls["create"] == 2
