"""Formatting of values in messages."""

from __future__ import annotations

from collections.abc import Sequence

from .messages import Message, alternatives
from .redaction import truncate_redacted


def format_choices(values: Sequence[object]) -> str:
    """Return a list of allowed values as text: "5", "3, 4 or 5", "2 to 15"."""
    words = [value if isinstance(value, str) else str(value) for value in values]
    numbers = [value for value in values if isinstance(value, int)]
    if len(numbers) == len(words) > 3 and numbers == list(range(numbers[0], numbers[-1] + 1)):
        return Message("{first} to {last}", first=words[0], last=words[-1])
    return alternatives(words)


def or_choose(problem: str, choices: Sequence[str]) -> str:
    """Return a problem with what to choose instead, if there is anything."""
    if not choices:
        return problem
    return Message("{problem}, or choose {choices}", problem=problem, choices=format_choices(choices))


def format_value(value: object) -> str:
    """Return any value as short text for a message."""
    if isinstance(value, int) and value.bit_length() > 100:
        return Message("a number of that size")
    if isinstance(value, (str, int, float)):
        return truncate_redacted(str(value), 60)
    return Message("a {type}", type=type(value).__name__)
