"""When a task is polled, how late its end is seen, and what the user sees of it. Nothing is waited for."""

from __future__ import annotations

import itertools
import math
import random
import statistics

import pytest
from wanpack.wan.api.task import Task, TaskStatus, rendered_seconds
from wanpack.wan.tasks.polling import estimate, poll_interval

KINDS = {
    "anything from 5 to 600 s": lambda chance: chance.uniform(5, 600),
    "short ones": lambda chance: chance.uniform(5, 15),
    "12 to 37 s where 59 to 73 s are documented": lambda chance: chance.uniform(12, 37),
    **{
        f"about {usual} s, spread {spread}": lambda chance, usual=usual, spread=spread: min(
            max(math.exp(chance.gauss(math.log(usual), spread)), 5), 600
        )
        for usual in (20, 90, 300)
        for spread in (0.1, 0.3, 0.5)
    },
}


def polls(*, until):
    """The moments at which a task is polled that is over at `until`."""
    at = 0.5
    while at < until:
        yield at
        at += poll_interval(at)
    yield at


def sdk_polls(seconds):
    """How often the vendor's SDK polls: pauses of 1 s, doubled after every third poll, at most 5 s."""
    at, pause, number = 0.0, 1.0, 1
    while at < seconds:
        at += pause
        number += 1
        if number % 3 == 0:
            pause = min(pause * 2, 5.0)
    return number


def test_the_sdk_is_counted_right():
    assert [sdk_polls(seconds) for seconds in (12, 51)] == [7, 16]


@pytest.mark.parametrize("draw", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("seed", range(3))
def test_the_end_is_seen_soon_whatever_was_expected(draw, seed):
    chance = random.Random(seed)  # noqa: S311 - a draw, no secret
    lengths = [draw(chance) for _ in range(400)]
    moments = [list(polls(until=seconds)) for seconds in lengths]
    late = [one[-1] - seconds for one, seconds in zip(moments, lengths, strict=True)]
    assert statistics.median(late) <= 1.0
    assert statistics.quantiles(late, n=100, method="inclusive")[94] <= 2.0
    assert max(late) <= 3.0
    assert sum(map(len, moments)) <= 3 * sum(map(sdk_polls, lengths))


def test_no_two_polls_are_far_apart():
    moments = list(polls(until=600))
    assert all(0.1 <= later - sooner <= 2.0 for sooner, later in itertools.pairwise(moments))


def test_an_early_failure_is_seen_within_a_second_or_so():
    assert list(polls(until=1.0))[-1] <= 1.6


def test_what_the_service_says_of_its_times_is_read():
    reported = Task(
        "id",
        TaskStatus.SUCCEEDED,
        submit_time="2026-11-22 23:59:58.100",
        scheduled_time="2026-11-22 23:59:59.350",
        end_time="2026-11-23 00:01:00.000",
    )
    assert rendered_seconds(reported) == pytest.approx(60.65)


@pytest.mark.parametrize("end", ["", "soon", "2026-11-22", "2026-11-22 10:00:00+08:00", "9999999"])
def test_times_that_make_no_sense_are_left_alone(end):
    reported = Task("id", TaskStatus.SUCCEEDED, scheduled_time="2026-11-22 10:00:01.000", end_time=end)
    assert rendered_seconds(reported) in (None, 0.0)


@pytest.mark.parametrize(
    ("past", "usual", "text"),
    [
        ([], (0, 0), ""),
        ([], (60, 300), ", usually 1 to 5 min"),
        ([], (59, 73), ", usually about 70 s"),
        ([], (300, 360), ", usually about 6 min"),
        ([48.0, 52.0, 50.0] * 6, (60, 300), ", about 20 s left"),
        ([3.0] * 5, (0, 0), ""),
        ([40.0, 80.0, 60.0, 120.0], (60, 300), ", about 40 s left"),
        ([400.0] * 3, (60, 300), ", about 6 min left"),
    ],
)
def test_the_user_sees_how_long_it_takes_or_usually_takes(past, usual, text):
    assert estimate(past, usual=usual).text(28) == text


@pytest.mark.parametrize(
    ("past", "usual", "shown"),
    [
        (
            [48.0, 52.0, 50.0] * 6,
            (60, 300),
            {
                3: "about 45 s left",
                46: "about 5 s left",
                49.9: "about 5 s left",
                51: "usually about 50 s",
                66: "usually about 50 s",
                70: "taking longer than usual",
            },
        ),
        (
            [40.0, 80.0, 60.0, 120.0],
            (60, 300),
            {3: "about 70 s left", 90: "usually 45 to 100 s", 180: "taking longer than usual"},
        ),
        ([], (60, 300), {3: "usually 1 to 5 min", 370: "usually 1 to 5 min", 380: "taking longer than usual"}),
    ],
)
def test_the_time_left_is_told_until_it_is_over_and_then_that_it_takes_longer(past, usual, shown):
    likely = estimate(past, usual=usual)
    assert {rendered: likely.text(rendered) for rendered in shown} == {one: f", {shown[one]}" for one in shown}


@pytest.mark.parametrize(("past", "median"), [([], 30.0), ([10.0, 40.0], 20.0)])
def test_the_median_is_that_of_the_past(past, median):
    assert estimate(past, usual=(0, 0)).median == pytest.approx(median)
