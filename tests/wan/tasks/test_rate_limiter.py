"""All tasks of the process together keep under the service's rates."""

from __future__ import annotations

import asyncio
import bisect
import itertools

import pytest
from wanpack.wan.tasks.retry import QUERIES_PER_SECOND, Clock, RateLimiter


class JumpingLoop(asyncio.SelectorEventLoop):
    """An event loop in which waiting takes no time."""

    passed = 0.0

    def time(self):
        return self.passed

    def run_jumping(self, main):
        select = self._selector.select

        def jump(timeout=None):
            self.passed += timeout or 0.0
            return select(0)

        self._selector.select = jump
        return self.run_until_complete(main)


@pytest.fixture
def loop():
    running = JumpingLoop()
    yield running
    running.close()


def test_never_more_queries_than_the_service_allows_in_any_second(loop):
    asked, limiter, clock = [], RateLimiter(), Clock(monotonic=loop.time)

    async def ask_often():
        for _ in range(20):
            await limiter.acquire("query", per_second=QUERIES_PER_SECOND, clock=clock)
            asked.append(loop.time())

    async def everybody():
        await asyncio.gather(*(ask_often() for _ in range(50)))

    loop.run_jumping(everybody())
    busiest = max(bisect.bisect_left(asked, at + 1) - first for first, at in enumerate(asked))
    assert 15 < busiest <= QUERIES_PER_SECOND


def test_who_comes_alone_does_not_wait(loop):
    limiter, clock = RateLimiter(), Clock(monotonic=loop.time)

    async def alone():
        await asyncio.sleep(10)
        before = loop.time()
        await limiter.acquire("query", per_second=QUERIES_PER_SECOND, clock=clock)
        return loop.time() - before

    assert loop.run_jumping(alone()) == 0.0


@pytest.mark.parametrize("per_second", [5, 20])
def test_calls_of_one_kind_keep_their_distance(loop, per_second):
    limiter, clock, came = RateLimiter(), Clock(0.5, monotonic=loop.time), []

    async def come():
        await limiter.acquire("submit", per_second=per_second, clock=clock)
        came.append(loop.time())

    async def all_come():
        await asyncio.gather(*(come() for _ in range(6)))

    loop.run_jumping(all_come())
    gaps = [later - earlier for earlier, later in itertools.pairwise(came)]
    assert min(gaps) >= 0.5 / per_second
    assert max(gaps) < 2 * 0.5 / per_second


def test_calls_of_another_kind_do_not_wait(loop):
    limiter, clock = RateLimiter(), Clock(monotonic=loop.time)

    async def other():
        for _ in range(3):
            await limiter.acquire("three", per_second=1, clock=clock)
        before = loop.time()
        await limiter.acquire("four", per_second=1, clock=clock)
        return loop.time() - before

    assert loop.run_jumping(other()) == 0.0
