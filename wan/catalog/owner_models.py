"""The owner's own rows: `models.toml` beside `credentials.toml`, for models that the table does not have yet.

Each `[[model]]` names an `id` and the model that it is `like`, a row whose rules it has but for what it changes; or an
`id` of the table and, as `retired`, the model to use instead.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date
from typing import Any

from ..messages import Message
from ..text import format_choices
from .fields import rows_of
from .jobs import ALL_ROWS, add_row
from .models import RESOLUTIONS
from .regions import REGIONS
from .spec import IMAGE_TO_VIDEO, REFERENCE_TO_VIDEO, TEXT_TO_VIDEO, VIDEO_EDIT, VIDEO_EXTENSION, Model, RegionalOffer

JOBS = (IMAGE_TO_VIDEO, TEXT_TO_VIDEO, REFERENCE_TO_VIDEO, VIDEO_EDIT, VIDEO_EXTENSION)
FILE_NAME = "models.toml"

_ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}", re.ASCII)
_LONGEST = 60
_MOST_CHARACTERS = 20_000
_HIGHEST_PRICE = 1000.0


def add_models(table: Mapping[str, Any]) -> list[str]:
    """Add the models of a parsed `models.toml` to the tables, and return the problems. A model with one is left out."""
    entries = table.get("model", [])
    if not isinstance(entries, list) or set(table) - {"model"}:
        return [Message("{file}: write each model below a line [[model]]", file=FILE_NAME)]
    problems: list[str] = []
    for number, entry in enumerate(entries, 1):
        name = entry.get("id") if isinstance(entry, dict) else None
        found = _Entry(entry).add() if isinstance(entry, dict) else [Message("it is no table")]
        label = name if isinstance(name, str) and _ID.fullmatch(name) else number
        problems += [
            Message("{file}, model {name}: {problem}", file=FILE_NAME, name=label, problem=problem) for problem in found
        ]
    return problems


class _Entry:
    """One `[[model]]`."""

    def __init__(self, entry: Mapping[str, Any]) -> None:
        self._entry = entry
        self._problems: list[str] = []

    def add(self) -> list[str]:
        """Add its row, or change that of a retired model. Returns its problems."""
        name = self._entry.get("id")
        if not isinstance(name, str) or not _ID.fullmatch(name):
            return [Message("id: write the model's id, such as wan2.7-i2v-2026-12-01")]
        if "retired" in self._entry:
            return self._retire(name)
        like, job = self._entry.get("like"), self._entry.get("job")
        rows = [row for row in ALL_ROWS if row.id == like and job in (None, row.job)]
        if not rows:
            known = format_choices(list(dict.fromkeys(row.id for row in ALL_ROWS if job in (None, row.job))))
            return [Message("like: choose the model whose rules it has: {choices}", choices=known)]
        if job is None and len(rows) > 1:
            return [Message("job: choose {choices}", choices=format_choices([row.job for row in rows]))]
        if name in rows_of(rows[0].job):
            return [Message("id: the table has this model already")]
        row = self._changed(rows[0], name)
        if not self._problems:
            add_row(row)
        return self._problems

    def _retire(self, name: str) -> list[str]:
        successor = self._entry["retired"]
        rows = [row for row in ALL_ROWS if row.id == name]
        if not rows:
            return [Message("id: the table has no such model")]
        fits = isinstance(successor, str) and all(successor in rows_of(row.job) for row in rows) and successor != name
        if not fits or set(self._entry) - {"id", "retired"}:
            return [Message("retired: write the model to use instead, and nothing else but the id")]
        for row in rows:
            add_row(replace(row, successor=successor))
        return []

    def _changed(self, row: Model, name: str) -> Model:
        """Return a row with the entry's changes. Problems are noted."""
        unknown = set(self._entry) - {"id", "like", "job", "prices", "prices_as_of", *_CHANGES}
        if unknown:
            self._problems.append(
                Message(
                    "{names}: not known; write {choices}",
                    names=format_choices(sorted(map(str, unknown))),
                    choices=format_choices(["id", "like", "job", *_CHANGES, "prices", "prices_as_of"]),
                )
            )
        changes: dict[str, Any] = {}
        for field, (read, wanted) in _CHANGES.items():
            if field in self._entry:
                changes[field] = read(self._entry[field], row)
                if changes[field] is None:
                    self._problems.append(Message("{name}: write {wanted}", name=field, wanted=wanted))
        if changes.get("resolutions"):
            changes["default_resolution"] = changes["resolutions"][-1]
        return replace(row, id=name, offers=self._offers(row, name, changes), **changes)

    def _offers(self, row: Model, name: str, changes: Mapping[str, Any]) -> dict[str, RegionalOffer]:
        """Return the offers: the row's regions and those that the entry prices, with no prices but the entry's."""
        prices = self._entry.get("prices")
        if prices is None:
            return {region: RegionalOffer(name, {}) for region in row.offers}
        day = _day(self._entry.get("prices_as_of"))
        tiers = changes.get("resolutions") or row.resolutions
        regions = [region.id for region in REGIONS.values() if not region.simulated]
        good = isinstance(prices, dict) and set(prices) <= set(regions) and bool(prices)
        good = good and all(
            isinstance(one, dict) and bool(one) and set(one) <= set(tiers) and all(map(_is_price, one.values()))
            for one in prices.values()
        )
        if not good or not day:
            self._problems.append(
                Message(
                    "prices: write the price of a second by region and resolution, such as "
                    'prices.beijing."{tier}" = 0.6, in {regions}, and prices_as_of = "{day}", the day of the price '
                    "list",
                    day="2026-12-01",
                    tier=tiers[-1],
                    regions=format_choices(regions),
                )
            )
            return {}
        return {region: RegionalOffer(name, prices.get(region, {}), as_of=day) for region in {**row.offers, **prices}}


def _is_price(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value <= _HIGHEST_PRICE


def _day(value: object) -> str:
    """Return a date as a text, "" if it is none."""
    try:
        return date.fromisoformat(str(value)).isoformat()
    except ValueError:
        return ""


def _resolutions(value: object, row: Model) -> tuple[str, ...] | None:
    known = [tier for tier in RESOLUTIONS if not row.sizes or tier in {one for one, _ in row.sizes}]
    good = isinstance(value, list) and bool(value) and all(one in known for one in value)
    return tuple(tier for tier in RESOLUTIONS if tier in value) if good and isinstance(value, list) else None


def _durations(value: object, row: Model) -> tuple[int, ...] | None:
    least = min(row.durations)
    good = (
        isinstance(value, list) and bool(value) and all(type(one) is int and least <= one <= _LONGEST for one in value)
    )
    return tuple(sorted(set(value))) if good and isinstance(value, list) else None


def _ratios(value: object, row: Model) -> tuple[str, ...] | None:
    good = isinstance(value, list) and bool(value) and all(one in row.ratios for one in value)
    return tuple(one for one in row.ratios if one in value) if good and isinstance(value, list) else None


def _prompt_limit(value: object, _row: Model) -> int | None:
    return value if isinstance(value, int) and type(value) is int and 0 < value <= _MOST_CHARACTERS else None


_CHANGES: Mapping[str, tuple[Callable[[Any, Model], Any], str]] = {
    "resolutions": (_resolutions, Message('a list such as ["720P", "1080P"]')),
    "durations": (_durations, Message("a list of seconds such as [5, 10], of at most 60")),
    "ratios": (_ratios, Message("a list of some of the ratios that the other model has")),
    "prompt_limit": (_prompt_limit, Message("a number of characters of at most 20000")),
}
"""What an entry may change: how it is read, None if it does not fit, and what fits."""
