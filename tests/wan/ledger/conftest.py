"""What the tests of the ledger share."""

from __future__ import annotations

import pytest
from wanpack.wan.ledger import sqlite


@pytest.fixture(autouse=True)
def no_wait_for_a_lock(monkeypatch):
    """A ledger that is locked is locked for good in these tests."""
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.2)
