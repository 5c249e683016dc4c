"""What the tests of the ledger share."""

from __future__ import annotations

import pytest
from wanpack.wan.ledger import schema
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
