"""What the tests of the ledger share."""

from __future__ import annotations

import pytest
from wanpack.wan.ledger import database as ledger_database


@pytest.fixture(autouse=True)
def no_wait_for_a_lock(monkeypatch):
    """A ledger that is locked is locked for good in these tests."""
    monkeypatch.setattr(ledger_database, "BUSY_SECONDS", 0.2)
