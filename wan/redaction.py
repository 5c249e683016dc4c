"""Redaction: the owner's API keys are removed from all texts, and secrets of any kind from logs and errors.

`without_secrets` removes the keys from the user's own texts (prompts, graphs, receipts) and changes nothing else.
`redact` also masks anything that looks like a secret; it is for logs and errors only.
"""

from __future__ import annotations

import json
import logging
import re
import threading
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

MASK = "***"
MIN_SECRET_LENGTH = 8
"""Minimum length of a key that is searched for: shorter ones occur in ordinary words."""

LOGGERS = (
    "dashscope_wan",
    "dashscope_wan.standalone",
    # These log the URLs of requests with their signatures.
    *("urllib3.connectionpool", "urllib3.connection", "urllib3.response", "urllib3.util.retry"),
)

_PATTERNS = (
    r"(\bbearer\s{1,9})[a-z0-9._~+/=-]{16,}",
    r"(?<![a-z0-9])(sk-)[a-z0-9_-]{16,}",
    r"(\b(?:(?:x-oss-)?(?:signature|credential|security-token)|ossaccesskeyid)=)[^&\s\"'<>\\]+",
    r"(data:[a-z0-9.+/-]{0,60}(?:;[a-z0-9=-]{1,40}){0,3};base64,)[a-z0-9+/=_%\\-]+",
)
"""Bearer tokens, keys in the service's format, the signature parameters of a URL, images in base64.

The first group of each pattern is kept."""


class Secret:
    """A string hidden from repr, logs and pickling."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def __repr__(self) -> str:
        return "Secret(***)"

    def __reduce__(self) -> str | tuple[object, ...]:
        raise TypeError("a secret is not pickled")

    def reveal(self) -> str:
        """Return the string itself, for the Authorization header."""
        return self._value


class _SecretRegistry:
    """The known keys, as one pattern of all their encodings."""

    __slots__ = ("_encodings", "_guard", "_pattern")

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._encodings: set[str] = set()
        self._pattern: re.Pattern[str] | None = None

    def add(self, key: str) -> None:
        with self._guard:
            if len(key) < MIN_SECRET_LENGTH or key in self._encodings:
                return
            self._encodings |= _encodings(key)
            # The longest first, as a key may be the beginning of another one.
            longest = sorted(self._encodings, key=len, reverse=True)
            self._pattern = re.compile("|".join(map(re.escape, longest)), re.IGNORECASE)

    def in_text(self, text: str) -> bool:
        return self._pattern is not None and self._pattern.search(text) is not None

    def without_secrets(self, text: str) -> str:
        return text if self._pattern is None else self._pattern.sub(MASK, text)


_known = _SecretRegistry()


def register_secret(key: str) -> None:
    """Register a key, which is then removed from every text."""
    _known.add(key)


def contains_secret(text: str) -> bool:
    """Tell whether a text contains a registered key: plain, URL-quoted or escaped as in JSON."""
    return _known.in_text(text)


def without_secrets(text: str) -> str:
    """Return a user's text with the registered keys masked and nothing else changed."""
    return _known.without_secrets(text)


def redact(text: str) -> str:
    """Return a text for a log or an error, with keys, anything that looks like a secret, and images masked."""
    text = without_secrets(text)
    for pattern in _PATTERNS:
        text = re.sub(pattern, rf"\g<1>{MASK}", text, flags=re.IGNORECASE)
    return text


def truncate_redacted(text: str, at_most: int) -> str:
    """Redact a text, then truncate it: truncated first, it could end in most of a key."""
    return redact(text)[:at_most]


def values_without_secrets(value: Any) -> Any:
    """Return a user's JSON value with the registered keys masked in its strings and names."""
    if isinstance(value, str):
        return without_secrets(value)
    if isinstance(value, Mapping):
        return {without_secrets(str(name)): values_without_secrets(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [values_without_secrets(inner) for inner in value]
    return value


class RedactingFilter(logging.Filter):
    """Redacts log records: message, traceback and stack."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Redact a record in place; every record passes."""
        try:
            said = record.getMessage()
        except (TypeError, ValueError, KeyError):
            # If a record cannot be formatted, logging would print its arguments.
            said, record.msg, record.args = "", f"{redact(str(record.msg))} (cannot be shown)", ()
        if (clean := redact(said)) != said:
            record.msg, record.args = clean, ()
        if record.exc_info and record.exc_info[0] is not None:
            trace = logging.Formatter().formatException(record.exc_info)
            if (clean := redact(trace)) != trace:
                record.exc_text, record.exc_info = clean, None
        if record.stack_info:
            record.stack_info = redact(record.stack_info)
        return True


def install_log_filter() -> None:
    """Put the filter on the loggers that may see secrets, once on each."""
    for name in LOGGERS:
        logger = logging.getLogger(name)
        if not any(isinstance(one, RedactingFilter) for one in logger.filters):
            logger.addFilter(RedactingFilter())


def _encodings(key: str) -> set[str]:
    """Return a key in plain, URL-quoted and JSON-escaped form."""
    escaped = json.dumps(key)[1:-1]
    return {key, quote(key, safe=""), quote(key), escaped, escaped.replace("/", "\\/")}


install_log_filter()
