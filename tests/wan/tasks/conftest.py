"""Waiting takes no time, and locks none."""

from __future__ import annotations

import time

import pytest
from jumping import JumpingLoop
from small_videos import small_videos
from wanpack.wan.ledger import database as ledger_database


@pytest.fixture(autouse=True)
def no_wait_for_a_lock(monkeypatch):
    """A ledger that is locked is locked for good in these tests."""
    monkeypatch.setattr(ledger_database, "BUSY_SECONDS", 0.2)


@pytest.fixture
def jumping(monkeypatch):
    """An event loop in which waiting takes no time, and whose clock is everybody's."""
    loop = JumpingLoop()
    monkeypatch.setattr(time, "monotonic", loop.time)
    yield loop
    loop.close()


@pytest.fixture(scope="module", autouse=True)
def videos_are_small():
    """The mock server's videos have half of their width and height, which is quick."""
    with small_videos(2):
        yield


@pytest.fixture
def large_videos():
    """Videos of more than one piece of a download."""
    with small_videos(1):
        yield
