"""Waiting takes no time, and locks none."""

from __future__ import annotations

import time

import pytest
from jumping import JumpingLoop
from wanpack.wan.ledger import schema
from wanpack.wan.tasks import retry
from wanpack.wan.tasks.retry import TEMPO

SCALE = 0.01
"""A second of waiting takes 10 ms."""


@pytest.fixture(autouse=True)
def no_wait_for_a_lock(monkeypatch):
    """A ledger that is locked is locked for good in these tests."""
    monkeypatch.setattr(schema, "BUSY_SECONDS", 0.2)


@pytest.fixture(autouse=True)
def no_time_to_wait():
    TEMPO.scale = SCALE
    yield
    TEMPO.scale = 1.0


@pytest.fixture
def jumping(monkeypatch):
    """An event loop in which waiting takes no time, and whose clock is everybody's."""
    loop = JumpingLoop()
    monkeypatch.setattr(TEMPO, "scale", 1.0)
    monkeypatch.setattr(TEMPO, "clock", loop.time)
    monkeypatch.setattr(time, "monotonic", loop.time)
    monkeypatch.setattr(retry, "_next_slot", {})
    yield loop
    loop.close()
