"""Blocking calls beside the event loop."""

from __future__ import annotations

import asyncio

import pytest
from wanpack.wan.tasks.context import run_in_thread


def fail(error):
    raise error


async def waited_for(call, **named):
    return await asyncio.wait_for(run_in_thread(call, **named), 60)


def run(call, **named):
    return asyncio.run(waited_for(call, **named))


def test_what_comes_at_the_end_is_called_after_a_result_and_after_an_error():
    ended = []
    assert run(lambda: 7, finally_=lambda: ended.append("result")) == 7
    with pytest.raises(ValueError, match="broken"):
        run(lambda: fail(ValueError("broken")), finally_=lambda: ended.append("error"))
    assert ended == ["result", "error"]


def test_an_error_at_the_end_is_raised_and_nobody_waits_for_ever():
    with pytest.raises(OSError, match="the lock stays"):
        run(lambda: 7, finally_=lambda: fail(OSError("the lock stays")))
