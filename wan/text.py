"""Formatting of values in messages."""

from __future__ import annotations

from collections.abc import Sequence

from .redaction import truncate_redacted


def format_choices(values: Sequence[object]) -> str:
    """Return a list of allowed values as text: "5", "3, 4 or 5", "2 to 15"."""
    words = [str(value) for value in values]
    numbers = [value for value in values if isinstance(value, int)]
    if len(numbers) == len(words) > 3 and numbers == list(range(numbers[0], numbers[-1] + 1)):
        return f"{words[0]} to {words[-1]}"
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} or {words[-1]}"


def format_value(value: object) -> str:
    """Return any value as short text for a message."""
    if isinstance(value, int) and value.bit_length() > 100:
        return "a number of that size"
    return truncate_redacted(str(value), 60) if isinstance(value, (str, int, float)) else f"a {type(value).__name__}"
