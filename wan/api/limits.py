"""The owner's spending limits: amounts by currency for one run, a day and a month."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ..catalog.regions import REGIONS
from ..messages import Message
from ..text import format_choices, format_value
from .settings import LIMIT_NAMES

_AMOUNT = r"([0-9]{1,12}(?:\.[0-9]{1,4})?) ?([A-Za-z]{3})"


def read_limits(texts: Mapping[str, str]) -> tuple[dict[str, dict[str, float]], list[str]]:
    """Return the limits of settings by name, each as amounts by currency, and the problems of those settings.

    A setting is a text such as "20 CNY" or "20 CNY, 3 USD".
    """
    limits: dict[str, dict[str, float]] = {}
    problems: list[str] = []
    for name, text in texts.items():
        limits[name], problem = _read_limit(text)
        if name not in LIMIT_NAMES:
            problems.append(
                Message(
                    "{name}: no such limit; write {choices} (in credentials.toml)",
                    name=name,
                    choices=format_choices(LIMIT_NAMES),
                )
            )
        elif problem:
            problems.append(
                Message(
                    "{name}: {problem} (in credentials.toml, or DASHSCOPE_WAN_{variable})",
                    name=name,
                    problem=problem,
                    variable=name.upper(),
                )
            )
    return limits, problems


def _read_limit(text: str) -> tuple[dict[str, float], str]:
    amounts: dict[str, float] = {}
    known = sorted({region.currency for region in REGIONS.values()})
    for part in text.split(","):
        match = re.fullmatch(_AMOUNT, part.strip())
        currency = match[2].upper() if match else ""
        if match is None:
            return {}, Message(
                '{text} is not an amount with its currency; write "20 CNY", or "20 CNY, 3 USD"', text=format_value(text)
            )
        if currency not in known:
            return {}, Message(
                "no price is in {currency}; choose {choices}", currency=currency, choices=format_choices(known)
            )
        if currency in amounts:
            return {}, Message("{currency} is there twice; write one amount for each currency", currency=currency)
        amounts[currency] = float(match[1])
    return amounts, ""
