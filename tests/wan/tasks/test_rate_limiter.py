"""All tasks of the process together keep under the service's rates."""

from __future__ import annotations

import asyncio
import bisect

import pytest
from wanpack.wan.tasks import retry


@pytest.mark.parametrize("per_second", [5, retry.QUERIES_PER_SECOND])
def test_never_more_calls_than_the_service_allows_in_any_second(jumping, per_second):
    asked = []

    async def ask_often():
        for _ in range(20):
            await retry.acquire_rate_limit("query", per_second=per_second)
            asked.append(jumping.time())

    async def everybody():
        await asyncio.gather(*(ask_often() for _ in range(50)))

    jumping.run_jumping(everybody())
    busiest = max(bisect.bisect_left(asked, at + 1) - first for first, at in enumerate(asked))
    assert per_second / 2 < busiest <= per_second


def test_who_comes_alone_does_not_wait(jumping):
    async def alone():
        await asyncio.sleep(10)
        before = jumping.time()
        await retry.acquire_rate_limit("query", per_second=retry.QUERIES_PER_SECOND)
        return jumping.time() - before

    assert jumping.run_jumping(alone()) == 0.0


def test_calls_of_another_kind_do_not_wait(jumping):
    async def two_kinds():
        for _ in range(3):
            await retry.acquire_rate_limit("query", per_second=0.001)
        before = jumping.time()
        await retry.acquire_rate_limit("list", per_second=0.001)
        return jumping.time() - before

    assert jumping.run_jumping(two_kinds()) == 0.0
