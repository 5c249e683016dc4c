"""What must not leave in a text: the owner's own keys anywhere, and what looks like a secret in logs and errors.

`without_secrets` takes the keys out of the user's own words (prompts, graphs, receipts) and changes nothing else.
`redact` also masks what has the looks of a secret: it is for logs and errors alone.
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
"""Characters that a key must have to be looked for: what is shorter is in many a word."""

LOGGERS = (
    "dashscope_wan",
    "dashscope_wan.standalone",
    # These write down the URLs that are called, signatures and all.
    *("urllib3.connectionpool", "urllib3.connection", "urllib3.response", "urllib3.util.retry"),
)

PATTERNS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"(\bbearer\s{1,9})[a-z0-9._~+/=-]{16,}",
        r"(?<![a-z0-9])(sk-)[a-z0-9_-]{16,}",
        r"(\b(?:(?:x-oss-)?(?:signature|credential|security-token)|ossaccesskeyid)=)[^&\s\"'<>\\]+",
        r"(data:[a-z0-9.+/-]{0,60}(?:;[a-z0-9=-]{1,40}){0,3};base64,)[a-z0-9+/=_%\\-]+",
    )
)
"""Bearer tokens, keys of the service's form, the parameters that sign a URL, images in base64.

Each one's first group stays."""


class _SecretRegistry:
    """The keys that are known, as one pattern of all their forms. Shows itself to nobody."""

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
            # The longest first: a key may begin as another one does.
            longest = sorted(self._encodings, key=len, reverse=True)
            self._pattern = re.compile("|".join(map(re.escape, longest)), re.IGNORECASE)

    def in_text(self, text: str) -> bool:
        return self._pattern is not None and self._pattern.search(text) is not None

    def without_secrets(self, text: str) -> str:
        return text if self._pattern is None else self._pattern.sub(MASK, text)


_known = _SecretRegistry()


def register_secret(key: str) -> None:
    """Know a key from now on, so that it is taken out of every text."""
    _known.add(key)


def contains_secret(text: str) -> bool:
    """Tell whether a text holds a key that is in use: plain, URL-quoted or escaped as in JSON."""
    return _known.in_text(text)


def without_secrets(text: str) -> str:
    """Return a text of the user's own without the keys that are in use. Nothing else of it changes."""
    return _known.without_secrets(text)


def redact(text: str) -> str:
    """Return a text for a log or an error: without keys, and without what looks like a secret or is an image."""
    text = without_secrets(text)
    for pattern in PATTERNS:
        text = pattern.sub(rf"\g<1>{MASK}", text)
    return text


def truncate_redacted(text: str, at_most: int) -> str:
    """Return the beginning of a redacted text: cut before, it could end in most of a key."""
    return redact(text)[:at_most]


def values_without_secrets(value: Any) -> Any:
    """Return a JSON value of the user's own with the keys that are in use taken out of its texts and names."""
    if isinstance(value, str):
        return without_secrets(value)
    if isinstance(value, Mapping):
        return {without_secrets(str(name)): values_without_secrets(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [values_without_secrets(inner) for inner in value]
    return value


class RedactingFilter(logging.Filter):
    """Redacts log records: their text, and the traceback that they carry."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Redact a record in place; all pass."""
        try:
            said = record.getMessage()
        except (TypeError, ValueError, KeyError):
            # logging would print the arguments of what it cannot format.
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
    """Return a key as it is, URL-quoted, and escaped as in JSON."""
    escaped = json.dumps(key)[1:-1]
    return {key, quote(key, safe=""), quote(key), escaped, escaped.replace("/", "\\/")}


install_log_filter()
