"""Values of other nodes, files and libraries as plain Python."""

from __future__ import annotations

from typing import Any


def whole(value: Any) -> Any:
    """Return a whole number of any type (numpy's, a tensor of one number, 5.0) as an int.

    Any other value, True and False included, is returned unchanged, for validation to reject.
    """
    one = _single(value)
    if isinstance(one, float) and one.is_integer():
        return int(one)
    return int(one) if isinstance(one, int) and not isinstance(one, bool) else value


def truth(value: Any) -> Any:
    """Return a boolean of any type (numpy's, a tensor of one, 0 or 1) as a bool; any other value unchanged."""
    one = whole(value)
    one = one if isinstance(one, int) else _single(value)
    return bool(one) if isinstance(one, (bool, int)) and one in (0, 1) else value


def _single(value: Any) -> Any:
    """Return the number of a numpy or torch value with one element; any other value unchanged."""
    if not hasattr(value, "dtype") or not hasattr(value, "item"):
        return value
    try:
        return value.item()
    except (ValueError, TypeError, RuntimeError):  # Several elements.
        return value
