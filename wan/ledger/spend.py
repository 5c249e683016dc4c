"""What was spent: the sums of the prices in the ledger, by currency, day and model.

A record counts from the moment at which its price was reserved, with what was billed if that is known, else with its
estimate. Failed and cancelled tasks count nothing, and neither does what a dead run reserved and did not send.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from ..frozen import frozen
from .record import NO_PRICE

if TYPE_CHECKING:
    from sqlalchemy import Connection

_IS_PAID = "currency <> '' AND state NOT IN ('failed', 'canceled')"
_IS_UNSENT = "state = 'submitting' AND sent_at = 0"
# One statement: a request that is sent between two would count in neither.
_SPENT = (
    "SELECT {part} AS part, model, currency, SUM(COALESCE(billed, estimate)) AS amount, NULL AS run FROM requests "  # noqa: S608 - our own names
    f"WHERE reserved_at >= :since AND {_IS_PAID} AND NOT ({_IS_UNSENT}) GROUP BY 1, 2, 3 UNION ALL "
    "SELECT {part}, model, currency, SUM(estimate), owner FROM requests "
    f"WHERE reserved_at >= :since AND currency <> '' AND {_IS_UNSENT} GROUP BY 1, 2, 3, 5"
)
_WITHOUT_PRICE = (
    "SELECT task_id, model, created_at, submitted_at, receipt FROM requests WHERE reserved_at < 0 "
    "AND created_at >= :since AND receipt <> '' AND state NOT IN ('failed', 'canceled') ORDER BY created_at"
)
_RESERVED = "SELECT run, currency, amount FROM reservations WHERE amount > 0"

DAY_SECONDS = 86400.0


@frozen
class Payment:
    """What was spent or reserved from a moment on, in epoch seconds. `model` is empty for the rest of a batch."""

    since: float
    model: str
    currency: str
    amount: float


def day_start(day: date) -> float:
    """Return when a day begins, by the machine's time zone, in epoch seconds."""
    return datetime.combine(day, time()).timestamp()


def last_days(today: date, *, days: int) -> list[date]:
    """Return the latest days, the earliest first."""
    return [today - timedelta(days=back) for back in reversed(range(days))]


def payments(connection: Connection, bounds: Sequence[float], *, is_alive: Callable[[str], bool]) -> Iterator[Payment]:
    """Yield what was spent or reserved since the first of the ascending `bounds`, summed up between them."""

    def bound(at: float) -> float:
        return max(one for one in bounds if one <= at)

    # Numbers of our own; as values of the statement no engine would take them for the same in its two places.
    cases = "".join(f"WHEN reserved_at >= {bounds[part]!r} THEN {part} " for part in range(len(bounds) - 1, 0, -1))
    part = f"CASE {cases}ELSE 0 END" if cases else "0"
    alive: dict[str | None, bool] = {None: True}
    for row in connection.exec_driver_sql(_SPENT.format(part=part), {"since": bounds[0]}).all():
        if row.run not in alive:
            alive[row.run] = is_alive(row.run)
        if alive[row.run]:
            yield Payment(bounds[row.part], row.model, row.currency, row.amount)
    paid: set[str] = set()
    # A day earlier, as a request may be sent on the day after it was made.
    for row in connection.exec_driver_sql(_WITHOUT_PRICE, {"since": bounds[0] - DAY_SECONDS}).all():
        at, cost = row.submitted_at or row.created_at, receipt_cost(row.receipt)
        if at >= bounds[0] and cost and row.task_id not in paid:
            # Other machines' downloads of the video have receipts too.
            paid.add(row.task_id)
            yield Payment(bound(at), row.model, cost["currency"], cost["amount"])
    # What is left of a batch is paid now at the earliest, whenever it was reserved.
    for row in connection.exec_driver_sql(_RESERVED).all():
        if is_alive(row.run):
            yield Payment(bounds[-1], "", row.currency, row.amount)


def add_up(found: Sequence[Payment], *, since: float = NO_PRICE) -> dict[str, float]:
    """Return the sum of payments since a moment, by currency."""
    sums: dict[str, float] = {}
    for one in found:
        if one.since >= since:
            sums[one.currency] = sums.get(one.currency, 0.0) + one.amount
    return {currency: round(amount, 4) for currency, amount in sorted(sums.items())}


def receipt_cost(receipt: str) -> dict[str, Any] | None:
    """Return what a receipt says of the cost, as {amount, currency, billed}; None if it says nothing, or zero."""
    try:
        told = json.loads(receipt)
        billed, estimated = told.get("billed_cost"), told.get("estimated_cost")
        cost = billed or estimated
        amount, currency = float(cost["amount"]), str(cost["currency"])
    except (ValueError, TypeError, LookupError, AttributeError):
        return None
    return {"amount": amount, "currency": currency, "billed": bool(billed)} if amount > 0 else None
