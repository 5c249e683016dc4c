"""Values out of the service's answers, of which nothing is taken for granted: type, size, characters, or discretion."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from ..redaction import excerpt, holds_key, without_keys

LONGEST_TEXT = 2000
LONGEST_PROMPT = 20_000
LONGEST_CODE = 500
LONGEST_ADDRESS = 8000
MOST_FACTS = 40

# A terminal would obey some of these; half a character cannot be written to a file.
_UNFIT = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069]")
_ID = re.compile(r"[A-Za-z0-9][!-~]{0,199}")


def text_of(value: object, *, at_most: int = LONGEST_TEXT) -> str:
    """Return a text of the service's own, without what it must not hold; "" where it is none."""
    if not isinstance(value, str):
        return ""
    return excerpt(_UNFIT.sub("\ufffd", value.replace("\r\n", "\n")), at_most)


def prompt_of(value: object) -> str:
    """Return a prompt that the service tells, which is the user's own: nothing in it is masked but a key."""
    if not isinstance(value, str):
        return ""
    return without_keys(_UNFIT.sub("\ufffd", value.replace("\r\n", "\n")))[:LONGEST_PROMPT]


def id_of(value: object) -> str:
    """Return an id: printable ASCII and not the key. "" where it is none."""
    if isinstance(value, str) and _ID.fullmatch(value) and not holds_key(value):
        return value
    return ""


def address_of(value: object) -> str:
    """Return an address with its signature, as it is; "" where it is none that could be called."""
    if not isinstance(value, str) or len(value) > LONGEST_ADDRESS or _UNFIT.search(value) or holds_key(value):
        return ""
    return value


def number_of(value: object) -> float:
    """Return a number, also one that was written as a text; 0.0 where it is none, or no finite one."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return 0.0
    try:
        number = float(value[:50] if isinstance(value, str) else value)
    except (ValueError, OverflowError):
        return 0.0
    return number if math.isfinite(number) else 0.0


def facts_of(value: object) -> dict[str, Any]:
    """Return a flat object of facts such as `usage`: numbers, texts and truths by name; what is nested is left out."""
    if not isinstance(value, Mapping):
        return {}
    facts = {text_of(name, at_most=100): _fact(inner) for name, inner in list(value.items())[:MOST_FACTS]}
    return {name: fact for name, fact in facts.items() if name and fact is not None}


def _fact(value: object) -> str | int | float | bool | None:
    if isinstance(value, str):
        return text_of(value, at_most=200)
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if abs(value) < 2**63 else None
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return None
