"""Blocking calls beside the event loop."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest
from wanpack.wan.api.endpoint import Connection, Endpoint
from wanpack.wan.api.settings import read_settings
from wanpack.wan.catalog.regions import REGIONS
from wanpack.wan.ledger.record import Record
from wanpack.wan.ledger.run_lock import RunLock
from wanpack.wan.redaction import Secret
from wanpack.wan.tasks.context import open_run_context, run_in_thread


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


def test_a_stop_iteration_does_not_keep_anybody_waiting():
    with pytest.raises(RuntimeError, match="StopIteration"):
        run(lambda: next(iter(())))


def test_a_thread_that_cannot_start_does_not_keep_the_run_alive(bench, monkeypatch):
    async def without_threads():
        endpoint = Endpoint(REGIONS["beijing"], bench.server.base_url, Secret(bench.server.key))
        async with open_run_context(endpoint, read_settings(bench.home), Connection(), clock=bench.clock) as context:
            record, _ = await context.to_thread(context.ledger.claim, Record("a"))
            with monkeypatch.context() as patch:
                patch.setattr(threading.Thread, "start", lambda _: fail(RuntimeError("can't start new thread")))
                with pytest.raises(RuntimeError, match="can't start"):
                    await context.to_thread(lambda: None)
        return record

    record = asyncio.run(without_threads())
    assert not RunLock(bench.home / "running").is_alive(record.owner)


def test_a_run_stays_alive_until_its_last_thread_has_ended(bench):
    began, go_on = threading.Event(), threading.Event()

    def work():
        began.set()
        assert go_on.wait(60)

    async def leave_a_thread_behind():
        endpoint = Endpoint(REGIONS["beijing"], bench.server.base_url, Secret(bench.server.key))
        async with open_run_context(endpoint, read_settings(bench.home), Connection(), clock=bench.clock) as context:
            record, _ = await context.to_thread(context.ledger.claim, Record("a"))
            waiting = asyncio.ensure_future(context.to_thread(work))
            assert await asyncio.to_thread(began.wait, 60)
            waiting.cancel()
        return record

    record = asyncio.run(leave_a_thread_behind())
    assert RunLock(bench.home / "running").is_alive(record.owner)
    go_on.set()
    while RunLock(bench.home / "running").is_alive(record.owner):
        time.sleep(0.01)
