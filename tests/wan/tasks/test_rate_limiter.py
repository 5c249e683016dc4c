"""All tasks of the process together keep under the service's rates."""

from __future__ import annotations

import asyncio
import bisect
import itertools

import pytest
from wanpack.wan.tasks.retry import QUERIES_PER_SECOND, Clock, RateLimiter


def test_never_more_queries_than_the_service_allows_in_any_second(jumping):
    asked, limiter, clock = [], RateLimiter(), Clock(monotonic=jumping.time)

    async def ask_often():
        for _ in range(20):
            await limiter.acquire("query", per_second=QUERIES_PER_SECOND, clock=clock)
            asked.append(jumping.time())

    async def everybody():
        await asyncio.gather(*(ask_often() for _ in range(50)))

    jumping.run_jumping(everybody())
    busiest = max(bisect.bisect_left(asked, at + 1) - first for first, at in enumerate(asked))
    assert 15 < busiest <= QUERIES_PER_SECOND


def test_who_comes_alone_does_not_wait(jumping):
    limiter, clock = RateLimiter(), Clock(monotonic=jumping.time)

    async def alone():
        await asyncio.sleep(10)
        before = jumping.time()
        await limiter.acquire("query", per_second=QUERIES_PER_SECOND, clock=clock)
        return jumping.time() - before

    assert jumping.run_jumping(alone()) == 0.0


@pytest.mark.parametrize("per_second", [5, 20])
def test_calls_of_one_kind_keep_their_distance(jumping, per_second):
    limiter, clock, came = RateLimiter(), Clock(0.5, monotonic=jumping.time), []

    async def come():
        await limiter.acquire("submit", per_second=per_second, clock=clock)
        came.append(jumping.time())

    async def all_come():
        await asyncio.gather(*(come() for _ in range(6)))

    jumping.run_jumping(all_come())
    gaps = [later - earlier for earlier, later in itertools.pairwise(came)]
    assert min(gaps) >= 0.5 / per_second
    assert max(gaps) < 2 * 0.5 / per_second


def test_calls_of_another_kind_do_not_wait(jumping):
    limiter, clock = RateLimiter(), Clock(monotonic=jumping.time)

    async def other():
        for _ in range(3):
            await limiter.acquire("three", per_second=1, clock=clock)
        before = jumping.time()
        await limiter.acquire("four", per_second=1, clock=clock)
        return jumping.time() - before

    assert jumping.run_jumping(other()) == 0.0
