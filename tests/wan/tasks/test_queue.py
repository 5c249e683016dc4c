"""The queue of the tasks that an account may not run yet, in a shared ledger."""

from __future__ import annotations

import asyncio
import threading

import pytest
from wanpack.wan.api.client import Client
from wanpack.wan.api.endpoint import Endpoint
from wanpack.wan.catalog.regions import REGIONS
from wanpack.wan.ledger import database as ledger_database
from wanpack.wan.ledger.ledger import Ledger
from wanpack.wan.ledger.record import Claim, Record, State
from wanpack.wan.redaction import Secret
from wanpack.wan.tasks.context import RunContext
from wanpack.wan.tasks.places import Queue
from wanpack.wan.tasks.retry import Clock


@pytest.fixture
def worker(new_database, tmp_path):
    """A machine of the account, with its limits."""
    url, opened = Secret(new_database()), []

    def start():
        ledger_database._databases.pop(url.reveal(), None)
        ledger = Ledger(tmp_path, url=url, identity=Secret("an account"))
        ledger.open()
        client = Client(Endpoint(REGIONS["beijing"], "http://127.0.0.1:9", Secret("a key")))
        opened.append(RunContext(client, ledger, max_wait=60.0, clock=Clock()))
        return Queue(opened[-1])

    yield start
    for one in opened:
        one.release()
        one.client.close()
        one.ledger._database.store.close()


def new_place(queue):
    return queue.place("a model", 1)


def claim(place, name):
    record = Record(f"2:{name}", region="beijing", model="a model")
    return place.queue.context.ledger.claim(record, admit=place.admit)


def listeners():
    return [thread for thread in threading.enumerate() if thread.name == "wan-queue"]


def test_one_that_died_in_the_queue_is_no_longer_ahead(worker):
    async def run():
        first, dead, last = new_place(worker()), new_place(worker()), new_place(worker())
        record, claimed = claim(first, "first")
        assert claimed is Claim.NEW
        for place, name in ((dead, "dead"), (last, "last")):
            assert claim(place, name)[1] is Claim.QUEUE
            await place.wait(lambda *_: None)
        (thread, _) = listeners()
        # As if the machine had lost its power: it does not leave the queue.
        dead._listener.stop()
        await asyncio.to_thread(thread.join)
        record.state = State.SUCCEEDED.value
        first.queue.context.ledger.save(record)
        assert claim(last, "last")[1] is Claim.NEW

    asyncio.run(run())


def test_the_videos_of_a_batch_share_a_connection_that_ends_with_the_run(worker):
    async def run():
        other, batch = worker(), worker()
        claim(new_place(other), "first")
        places = [new_place(batch) for _ in range(5)]
        await asyncio.gather(*(place.wait(lambda *_: None) for place in places))
        threads = listeners()
        assert len(threads) == 1
        batch.context.release()
        await asyncio.to_thread(threads[0].join)

    asyncio.run(run())


class LateClock(Clock):
    """A clock that only its waits move on. The first ones end late, by so many seconds each."""

    def now(self):
        return sum(self.passed)

    async def sleep_with_countdown(self, seconds, on_tick):
        self.passed.append(seconds + (self.late.pop() if self.late else 0.0))


@pytest.mark.parametrize(("late", "turns"), [([], 1), ([0.05], 1), ([0.15], 2), ([0.5] * 9, 3)])
def test_a_turn_that_is_used_late_is_given_up(worker, monkeypatch, late, turns):
    context, taken = worker().context, []
    execute = context.ledger.execute
    monkeypatch.setattr(
        context.ledger, "execute", lambda *given, **values: taken.append(given) or execute(*given, **values)
    )
    monkeypatch.setattr(LateClock, "late", list(late), raising=False)
    monkeypatch.setattr(LateClock, "passed", [], raising=False)
    context.limits.clock = LateClock()
    asyncio.run(context.limits.wait_to_submit(f"a model, {turns}", per_second=5, report=lambda *_: None))
    assert len(taken) == turns
