"""All tasks of the process together keep under the service's rates."""

from __future__ import annotations

import asyncio
import bisect

import pytest
from wanpack.wan.tasks import retry
from wanpack.wan.tasks.retry import TEMPO


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
def loop(monkeypatch):
    running = JumpingLoop()
    monkeypatch.setattr(TEMPO, "scale", 1.0)
    monkeypatch.setattr(TEMPO, "clock", running.time)
    monkeypatch.setattr(retry, "_next_slot", {})
    yield running
    running.close()


def test_never_more_queries_than_the_service_allows_in_any_second(loop):
    asked = []

    async def ask_often():
        for _ in range(20):
            await retry.acquire_rate_limit("query", per_second=retry.QUERIES_PER_SECOND)
            asked.append(loop.time())

    async def everybody():
        await asyncio.gather(*(ask_often() for _ in range(50)))

    loop.run_jumping(everybody())
    busiest = max(bisect.bisect_left(asked, at + 1) - first for first, at in enumerate(asked))
    assert 15 < busiest <= retry.QUERIES_PER_SECOND


def test_who_comes_alone_does_not_wait(loop):
    async def alone():
        await asyncio.sleep(10)
        before = loop.time()
        await retry.acquire_rate_limit("query", per_second=retry.QUERIES_PER_SECOND)
        return loop.time() - before

    assert loop.run_jumping(alone()) == 0.0
