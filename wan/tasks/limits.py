"""The owner's spending limits, and how the cost of a run exceeds them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..catalog.fields import VideoRequest
from ..catalog.regions import Region
from ..frozen import frozen
from ..ledger.errors import LedgerUnavailable
from ..ledger.ledger import IsAlive
from ..ledger.spend import add_up, day_start, payments
from ..messages import Message, conjunction
from ..redaction import Secret
from .history import read_ledger

if TYPE_CHECKING:
    from sqlalchemy import Connection

Limits = Mapping[str, Mapping[str, float]]
"""The owner's limits by the names of their settings, each as amounts by currency."""

ROUNDING = 0.00005
"""Half of the last digit of a price."""


@frozen
class Cost:
    """The list price of one video, which has none without a `currency`.

    `what` names the model and where it runs, `instead` says what has a price.
    """

    amount: float
    currency: str
    what: str
    instead: str


def video_cost(request: VideoRequest, region: Region, estimate: Mapping[str, Any] | None) -> Cost:
    """Return the cost of the video of a valid request, by its list price."""
    cost = estimate or {"amount": 0.0, "currency": ""}
    names = {"model": request.model, "resolution": request.resolution, "region": region.title}
    what = Message("{model} at {resolution} in {region}", **names)
    instead = Message("choose another model or resolution")
    if request.video_url:
        what = Message("{model} at {resolution} in {region} with the clip of a URL", **names)
        if request.row and request.row.uploads:
            instead = Message("use video or video_path instead of video_url")
    return Cost(cost["amount"], cost["currency"], what, instead)


def limit_problems(cost: Cost, spent: Limits, *, limits: Limits, videos: int = 1) -> list[str]:
    """Return how the cost of some videos exceeds the limits, with what to do.

    `spent` is what is spent or reserved already, by the names of the limits, as amounts by currency.
    """
    if not cost.currency:
        return [
            Message(
                "the price of {what} is unknown, so that {names} cannot be kept; {instead}, or remove "
                "{names} ({where})",
                what=cost.what,
                instead=cost.instead,
                names=conjunction(limits),
                where=_where(*limits),
            )
        ]
    problems: list[str] = []
    total = cost.amount * videos
    many = Message(" for {count} new videos", count=videos) if videos > 1 else ""
    run = Message("This run would cost {currency} {amount:.2f}{note}", currency=cost.currency, amount=total, note=many)
    for name, amounts in limits.items():
        most, before = amounts.get(cost.currency), spent.get(name, {}).get(cost.currency, 0.0)
        if most is None:
            example = ", ".join(f"{amount:g} {currency}" for currency, amount in {**amounts, cost.currency: 10}.items())
            problem = Message(
                '{run}, and {name} names no {currency}: write for example {name} = "{example}" ({where}), or remove '
                "the limits",
                run=run,
                name=name,
                currency=cost.currency,
                example=example,
                where=_where(name),
            )
            problems.append(problem)
        elif before + total > most + ROUNDING:
            told = _told(name, cost.currency, before=before, most=most)
            problems.append(Message("{run}; {limit}", run=run, limit=told))
    return problems


def _told(name: str, currency: str, *, before: float, most: float) -> str:
    """Return which limit is exceeded, and what to do."""
    amounts = {"currency": currency, "before": before, "most": most}
    if name == "limit_per_run":
        spent = Message("at most {currency} {most:.2f} may be spent", currency=currency, most=most)
        if before:
            spent = Message("{currency} {before:.2f} of {most:.2f} are spent by it already", **amounts)
        return Message(
            "{spent} ({name}). Make fewer, shorter or cheaper videos, or raise {name} ({where})",
            spent=spent,
            name=name,
            where=_where(name),
        )
    period, later = Message("this month"), Message("next month")
    if name == "limit_per_day":
        period, later = Message("today"), Message("tomorrow")
    return Message(
        "{currency} {before:.2f} of {most:.2f} are spent or reserved {period} ({name}). Make fewer, shorter or cheaper "
        "videos, wait until {later}, or raise {name} ({where})",
        **amounts,
        period=period,
        name=name,
        later=later,
        where=_where(name),
    )


def _where(*names: str) -> str:
    variables = conjunction(f"DASHSCOPE_WAN_{name.upper()}" for name in names)
    return Message("in credentials.toml, or {variables}", variables=variables)


def spent_by_limit(connection: Connection, is_alive: IsAlive) -> dict[str, dict[str, float]]:
    """Return what is spent or reserved today and this month, by the names of the limits."""
    today = datetime.now().astimezone().date()
    day, month = day_start(today), day_start(today.replace(day=1))
    found = list(payments(connection, sorted({day, month}), is_alive=is_alive))
    return {"limit_per_day": add_up(found, since=day), "limit_per_month": add_up(found, since=month)}


def predicted_problems(cost: Cost, *, limits: Limits, videos: int, home: Path, url: Secret | None) -> list[str]:
    """Return the `limit_problems` of videos that are not reserved, as far as the ledger can be read. Blocking."""
    try:
        spent: dict[str, dict[str, float]] = read_ledger(home, url, spent_by_limit, otherwise={})
    except LedgerUnavailable:
        return []
    return limit_problems(cost, spent, limits=limits, videos=videos)
