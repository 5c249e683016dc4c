"""Parsing of untrusted fields in the service's responses: type, size and characters are checked, secrets removed."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from ..redaction import contains_secret, truncate_redacted, without_secrets

MAX_TEXT = 2000
MAX_PROMPT = 20_000
MAX_CODE = 500
MAX_URL = 8000
MAX_FIELDS = 40

# Control characters, text direction marks, and lone surrogates, which cannot be encoded.
_CONTROL_CHARS = r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069]"
_ID = r"[A-Za-z0-9][!-~]{0,199}"


def as_text(value: object, *, at_most: int = MAX_TEXT) -> str:
    """Return a text of the service, sanitised and redacted; "" if it is not a string."""
    if not isinstance(value, str):
        return ""
    return truncate_redacted(re.sub(_CONTROL_CHARS, "\ufffd", value.replace("\r\n", "\n")), at_most)


def as_prompt(value: object) -> str:
    """Return a prompt from the service. It is the user's own text, so only keys in it are masked."""
    if not isinstance(value, str):
        return ""
    return without_secrets(re.sub(_CONTROL_CHARS, "\ufffd", value.replace("\r\n", "\n")))[:MAX_PROMPT]


def as_id(value: object) -> str:
    """Return an id, printable ASCII without a key; "" if it is invalid."""
    if isinstance(value, str) and re.fullmatch(_ID, value) and not contains_secret(value):
        return value
    return ""


def as_url(value: object) -> str:
    """Return a URL unchanged, with its signature; "" if it is invalid."""
    if not isinstance(value, str) or len(value) > MAX_URL or re.search(_CONTROL_CHARS, value) or contains_secret(value):
        return ""
    return value


def as_number(value: object) -> float:
    """Return a finite number, also one given as text; 0.0 if it is invalid."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return 0.0
    try:
        number = float(value[:50] if isinstance(value, str) else value)
    except (ValueError, OverflowError):
        return 0.0
    return number if math.isfinite(number) else 0.0


def as_scalars(value: object) -> dict[str, Any]:
    """Return the numbers, texts and booleans of a flat object such as `usage`; nested values are dropped."""
    if not isinstance(value, Mapping):
        return {}
    fields = {as_text(name, at_most=100): _as_scalar(inner) for name, inner in list(value.items())[:MAX_FIELDS]}
    return {name: field for name, field in fields.items() if name and field is not None}


def _as_scalar(value: object) -> str | int | float | bool | None:
    if isinstance(value, str):
        return as_text(value, at_most=200)
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if abs(value) < 2**63 else None
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return None
