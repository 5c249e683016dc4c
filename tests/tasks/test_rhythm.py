"""When a task is asked for: how many looks it takes, and how late its end is seen. Nothing is waited for."""

from __future__ import annotations

import itertools
import math
import random
import statistics

import pytest
from wanpack.nodes.service.models import MODELS
from wanpack.nodes.service.task import Task, TaskStatus
from wanpack.nodes.tasks.rhythm import HISTORY, queued_seconds, rendered_seconds, rhythm_of

DOCUMENTED = MODELS["wan2.6-i2v"].usual_wait


def looks(rhythm, *, until):
    """The moments at which a task is asked for that begins to be rendered at once and is over at `until`."""
    at = 0.5
    while at < until:
        yield at
        at += rhythm.interval(age=at, rendered=at)
    yield at


def sdk_looks(seconds):
    """The service's SDK: pauses of 1 s, doubled after every third look, at most 5 s."""
    at, pause, number = 0.0, 1.0, 1
    while at < seconds:
        at += pause
        number += 1
        if number % 3 == 0:
            pause = min(pause * 2, 5.0)
    return number


def test_the_sdk_is_counted_right():
    assert [sdk_looks(seconds) for seconds in (12, 51)] == [7, 16]


def draw(spread, *, seed, count=200, kinds=8):
    """Tasks of 20 to 300 s as pairs of kind and seconds: each kind has its usual time, `spread` around it."""
    chance = random.Random(seed)  # noqa: S311 - a draw, no secret
    usual = [math.log(chance.uniform(25, 240)) for _ in range(kinds)]
    tasks = []
    while len(tasks) < count:
        kind = chance.randrange(kinds)
        seconds = math.exp(chance.gauss(usual[kind], spread))
        if 20 <= seconds <= 300:
            tasks.append((kind, seconds))
    return tasks


def waited(tasks, *, learning=True):
    """How late each task's end is seen, and how many looks all take as a share of the SDK's."""
    past, late, ours = {}, [], 0
    for kind, seconds in tasks:
        known = past.setdefault(kind, []) if learning else []
        moments = list(looks(rhythm_of(known[-HISTORY:], usual=DOCUMENTED), until=seconds))
        late.append(moments[-1] - seconds)
        ours += len(moments)
        known.append(seconds)
    return late, ours / sum(sdk_looks(seconds) for _, seconds in tasks)


def percentile(values, percent):
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


@pytest.mark.parametrize("spread", [0.1, 0.2, 0.3])
def test_tasks_come_back_soon_with_few_looks_while_the_ledger_learns(spread):
    """Five users with an empty ledger and 200 tasks each."""
    found = [waited(draw(spread, seed=seed)) for seed in range(5)]
    late = [seconds for user, _ in found for seconds in user]
    assert statistics.median(late) <= 1.0
    assert percentile(late, 95) <= 2.0
    assert statistics.fmean(share for _, share in found) <= 1.5


def test_when_tasks_suddenly_take_twice_as_long_the_looks_stay_few():
    tasks = draw(0.15, seed=5, kinds=4)
    slower = [(kind, min(seconds * 2, 300)) for kind, seconds in draw(0.15, seed=5, kinds=4)]
    late, share = waited(tasks + slower)
    assert statistics.median(late) <= 1.0
    assert share <= 1.5


def test_without_any_history_the_looks_stay_few_and_the_end_is_seen_a_little_later():
    chance = random.Random(1)  # noqa: S311 - a draw, no secret
    late, share = waited([(0, chance.uniform(*DOCUMENTED)) for _ in range(400)], learning=False)
    assert share <= 1.5
    assert statistics.median(late) <= 1.5
    assert percentile(late, 95) <= 2.7


@pytest.mark.parametrize("past", [[], [200.0] * 5])
def test_an_early_failure_is_seen_within_a_second_or_so(past):
    moments = list(looks(rhythm_of(past, usual=DOCUMENTED), until=1.0))
    assert moments[-1] <= 1.6


def test_looks_are_rare_while_the_end_is_unlikely_but_never_cease():
    moments = list(looks(rhythm_of([200.0] * 10, usual=DOCUMENTED), until=100))
    assert len(moments) < sdk_looks(100) * 0.6
    assert all(later - sooner <= 15.01 for sooner, later in itertools.pairwise(moments))


def test_looks_are_close_around_the_usual_end():
    rhythm = rhythm_of([100.0, 110.0, 90.0, 105.0, 95.0], usual=DOCUMENTED)
    assert all(rhythm.interval(age=at, rendered=at) <= 1.81 for at in range(85, 120))


def test_looks_grow_rare_again_after_the_usual_end():
    rhythm = rhythm_of([100.0] * 10, usual=DOCUMENTED)
    intervals = [rhythm.interval(age=at, rendered=at) for at in range(150, 600, 10)]
    assert intervals == sorted(intervals)
    assert intervals[-1] == pytest.approx(5.0, abs=0.11)


def test_time_in_the_queue_does_not_bring_the_end_nearer():
    rhythm = rhythm_of([60.0] * 5, usual=DOCUMENTED)
    assert rhythm.interval(age=60, rendered=0) > 3 * rhythm.interval(age=60, rendered=60)


@pytest.mark.parametrize("past", [[0.001], [1e9], [0.001, 1e9], [60.0], [3.0] * 20])
@pytest.mark.parametrize("rendered", [0.0, 0.01, 60.0, 1e7])
def test_the_next_look_is_always_some_time_off_and_never_far(past, rendered):
    assert 0.05 < rhythm_of(past, usual=(0, 0)).interval(age=rendered, rendered=rendered) <= 15.01


def task(**times):
    return Task("id", times.pop("status", TaskStatus.SUCCEEDED), **times)


def test_what_the_service_says_of_its_times_is_read():
    told = task(
        submit_time="2026-11-22 23:59:58.100",
        scheduled_time="2026-11-22 23:59:59.350",
        end_time="2026-11-23 00:01:00.000",
    )
    assert rendered_seconds(told) == pytest.approx(60.65)
    assert queued_seconds(told) == pytest.approx(1.25)


@pytest.mark.parametrize("end", ["", "soon", "2026-11-22", "2026-11-22 10:00:00+08:00", "9999999"])
def test_times_that_make_no_sense_are_left_alone(end):
    told = task(submit_time="2026-11-22 10:00:00.000", scheduled_time="2026-11-22 10:00:01.000", end_time=end)
    assert rendered_seconds(told) in (None, 0.0)


def test_a_clock_that_went_backwards_is_no_negative_time():
    told = task(submit_time="2026-11-22 10:00:05.000", scheduled_time="2026-11-22 10:00:01.000")
    assert queued_seconds(told) == 0.0


@pytest.mark.parametrize(
    ("past", "usual", "told"),
    [
        ([], (0, 0), ""),
        ([], (60, 300), ", usually 1 to 5 min"),
        ([], (59, 73), ", usually about 70 s"),
        ([48.0, 52.0, 50.0] * 6, (60, 300), ", usually about 50 s"),
        ([3.0] * 5, (0, 0), ""),
        ([40.0, 80.0, 60.0, 120.0], (60, 300), ", usually 45 to 100 s"),
    ],
)
def test_the_user_is_told_how_long_it_usually_takes(past, usual, told):
    assert rhythm_of(past, usual=usual).told() == told
