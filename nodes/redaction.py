"""Taking secrets out of every text that leaves: logs, errors, receipts, the ledger, a saved film's graph.

Keys are known by themselves, from the moment they are used, and found in any spelling. Authorization headers, the
signatures of the object storage and pictures in base64 are known by their looks.
"""

from __future__ import annotations

import base64
import html
import logging
import re
import threading
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

HIDDEN = "***"
SHORTEST = 8
"""Characters that a key must have to be looked for: what is shorter is in many a word."""

LOGGERS = (
    "dashscope_wan",
    "dashscope_wan.standalone",
    # These write down the addresses that are called, signatures and all.
    *("urllib3.connectionpool", "urllib3.connection", "urllib3.response", "urllib3.util.retry"),
)
_MOST_KEYS = 32
_DEEPEST = 4
"""How many spellings may stand one inside the other."""

_ESCAPE = re.compile(r"\\+(?:u00([0-9a-fA-F]{2})|(.))")
# Python refuses to read numbers of thousands of digits.
_ZEROS = re.compile(r"&#(x?)0+(?=[0-9a-f])", re.IGNORECASE)
_LONG_NUMBER = re.compile(r"&#(?:x[0-9a-f]{9,}|[0-9]{9,})", re.IGNORECASE)
_SIGNED = (
    r"(?:(?:x-oss-)?(?:signature|policy|security-token|credential)|(?:oss)?_?access_?key_?id|"
    r"stringtosign|signatureprovided)"
)
_LOOKS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        # A header, in whatever way it is written down.
        r"(authorization[\"']?\s{0,9}[:=]\s{0,9}[\"']?(?:[a-z]{1,20}\s{1,9})?)[^\s\"',;{}]{1,9999}",
        r"(\bbearer\s{1,9})[a-z0-9._~+/=-]{8,9999}",
        # In an address or a form; in JSON; in the XML of the object storage.
        rf"(\b{_SIGNED}=)[^&\s\"'<>\\]{{1,9999}}",
        rf"([\"']\s{{0,9}}{_SIGNED}[\"']\s{{0,9}}:\s{{0,9}}[\"'])[^\"']{{1,99999}}",
        rf"(<{_SIGNED}>)[^<]{{1,99999}}",
    )
)
"""Each with what stays in its first group."""

_DATA_URI = re.compile(r"(data:[a-z0-9.+/-]{0,60}(?:;[a-z0-9=-]{1,40}){0,3};base64,)[A-Za-z0-9+/=_%\\-]+", re.I)
_LONG_RUN = re.compile(r"[A-Za-z0-9+/=_-]{512,}")


class _Known:
    """The keys that are known. Shows itself to nobody."""

    __slots__ = ("_forms", "_guard")

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._forms: dict[str, tuple[str, ...]] = {}

    def add(self, key: str) -> None:
        """Know one more key; the oldest is forgotten where there are too many."""
        with self._guard:
            if len(key) >= SHORTEST and key not in self._forms:
                forms = {**self._forms, key: _forms(key)}
                self._forms = {one: forms[one] for one in list(forms)[-_MOST_KEYS:]}

    def found_in(self, text: str) -> list[str]:
        """Return the forms of keys that a text holds."""
        # No form of a key is shorter than a key, and no spelling of it.
        variants = _variants(text) if self._forms and len(text) >= SHORTEST else set()
        return [
            form for forms in self._forms.values() for form in forms if any(form in variant for variant in variants)
        ]

    def hidden(self, text: str) -> str:
        """Return a text without the keys; nothing of a text that spells one in a way that cannot be taken out."""
        found = self.found_in(text)
        for form in found:
            text = re.sub(_spelled(form), HIDDEN, text, flags=re.IGNORECASE)
        return HIDDEN if found and self.found_in(text) else text


_known = _Known()


def keep_secret(key: str) -> None:
    """Know a key from now on, so that it is taken out of every text."""
    _known.add(key)


def holds_key(text: str) -> bool:
    """Tell whether a text holds a key that is in use, in any spelling."""
    return bool(_known.found_in(text))


def without_keys(text: str) -> str:
    """Return a text without keys, headers and signatures; pictures stay: they are the user's own."""
    text = _known.hidden(text)
    for pattern in _LOOKS:
        text = pattern.sub(rf"\g<1>{HIDDEN}", text)
    return text


def redact(text: str) -> str:
    """Return a text without keys, Authorization headers, signatures, policies and pictures in base64."""
    text = _DATA_URI.sub(rf"\g<1>{HIDDEN}", without_keys(text))
    return _LONG_RUN.sub(lambda found: HIDDEN if _is_base64(found[0]) else found[0], text)


def excerpt(text: str, at_most: int) -> str:
    """Return the beginning of a redacted text: cut before, it could end in most of a key."""
    return redact(text)[:at_most]


def redact_all(value: Any) -> Any:
    """Return a JSON value with every text in it redacted."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, Mapping):
        return {redact(str(name)): redact_all(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [redact_all(inner) for inner in value]
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


def guard_logs() -> None:
    """Put the filter on the loggers that may see secrets, once on each."""
    for name in LOGGERS:
        logger = logging.getLogger(name)
        if not any(isinstance(one, RedactingFilter) for one in logger.filters):
            logger.addFilter(RedactingFilter())


def _forms(key: str) -> tuple[str, ...]:
    """Return the key itself, and what of it is always the same in base64, wherever in the coded bytes it stands.

    All in lower case: that is how they are looked for.
    """
    data = key.encode("utf-8", "surrogatepass")
    forms = [key, data.hex()]
    for before in range(3):
        coded = base64.b64encode(bytes(before) + data).decode()
        forms.append(coded[-(-before * 8 // 6) : (before + len(data)) * 8 // 6])
    forms += [form.replace("+", "-").replace("/", "_") for form in forms[2:]]
    return tuple(dict.fromkeys(form.lower() for form in forms))


def _spelled(text: str) -> str:
    """Return a pattern that finds a text in plain, URL-encoded, or escaped as in JSON or HTML."""
    # From the first of many backslashes only: from each of them it would take for ever.
    return _spellings(text[0], escape=r"(?<!\\)\\+") + "".join(map(_spellings, text[1:]))


def _spellings(one: str, *, escape: str = r"\\+") -> str:
    plain, code = re.escape(one), ord(one)
    # Each way once: two of the same would double the ways with every letter of what only begins like a key.
    named = "".join(f"|{re.escape(name)}" for name in {html.escape(one)} - {one})
    return rf"(?:{plain}|%(?:25)*{code:02x}|{escape}(?:u{code:04x}|{plain})|&#x?0*(?:{code:x}|{code});{named})"


def _variants(text: str) -> set[str]:
    """Return a text as it is and with the usual spellings undone, one inside the other, in lower case."""
    found: set[str] = set()
    for _ in range(_DEEPEST):
        before = text
        found.add(text.lower())
        if "\\" in text:
            text = _ESCAPE.sub(lambda match: chr(int(match[1], 16)) if match[1] else match[2], text)
            found.add(text.lower())
        if "%" in text:
            text = unquote(text, errors="replace")
            found.add(text.lower())
        if "&" in text:
            text = html.unescape(_LONG_NUMBER.sub("&#", _ZEROS.sub(r"&#\1", text)))
            found.add(text.lower())
        if text == before:
            break
    return found


def _is_base64(run: str) -> bool:
    """Tell whether a long run is likely coded bytes and not a word that somebody repeated."""
    return len(set(run)) > 40 and any(map(str.isdigit, run)) and run.lower() != run != run.upper()


guard_logs()
