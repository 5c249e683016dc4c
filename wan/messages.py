"""Messages: what the user reads. English in the code, other languages in `locales/<language>/messages.json`.

Errors, hints and status texts are made as `Message`, a `str` with the English text. What leaves through the host or the
command line is passed through `localize` there; logs, the ledger and tests see English.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from .redaction import redact

ENGLISH = "en"
LANGUAGES = (ENGLISH, "zh")

LOCALES = Path(__file__).resolve().parent.parent / "locales"

_BLANK = "|".join(
    (
        r"(?<=[\u3002\uff0c\uff1b\uff1a\uff01\uff1f\uff09]) (?! )",
        r"(?<=[\u4e00-\u9fff]) (?=[\u6216\u548c] )",
        r"(?<= [\u6216\u548c]) (?=[\u4e00-\u9fff])",
    )
)
"""The blanks that Chinese does not have: after its punctuation, and between its words and their "or" and "and"."""

Text = str | Callable[[], str]
"""A text, or what makes it when it is shown: `partial(Message, "queued; task {task}", task=task_id)`."""


class Message(str):
    """An English text that can be shown in other languages.

    `template` is a literal with named places in the form of `str.format`; it is the key of its translations. A place
    is a number or a text, which may be a `Message` or a `Text` itself; any other value is shown as `str` has it. The
    place `input` is the name of a node's input.

        Message("{path} cannot be read", path="a.mp4") == "a.mp4 cannot be read"
    """

    __slots__ = ("places", "template")

    template: str
    places: Mapping[str, Any]

    def __new__(cls, template: str, /, **places: object) -> Message:
        """Make a message. Raises KeyError if a place of the template has no value."""
        values = {name: _value(place) for name, place in places.items()}
        self = super().__new__(cls, template.format(**values))
        self.template, self.places = template, values
        return self

    def __getnewargs_ex__(self) -> tuple[tuple[str], dict[str, Any]]:
        return (self.template,), dict(self.places)


def localize(text: Text, language: str) -> str:
    """Return a text in a language, as a plain str. What has no translation stays English."""
    message: Any = text() if callable(text) else text
    # Not by its class: a command of `dev.py` may have loaded the pack under two names.
    if language == ENGLISH or not hasattr(message, "template"):
        return str.__str__(message)
    try:
        return _translated(message, language)
    except (LookupError, ValueError, TypeError, AttributeError, RecursionError):  # Another version's translation.
        return str.__str__(message)


def _translated(message: Message, language: str) -> str:
    places = {
        name: localize(place, language) if isinstance(place, str) else place for name, place in message.places.items()
    }
    if isinstance(name := places.get("input"), str):
        places["input"] = input_names(language).get(name, name)
    template = translations(language).get(message.template, message.template)
    inner: list[str] = []
    shown = re.sub(_BLANK, "", template.format(**{name: _closed(place, inner) for name, place in places.items()}))
    return re.sub("\ue000([0-9]+)\ue001", lambda found: inner[int(found[1])], shown)


def _closed(place: Any, inner: list[str]) -> Any:
    """Return a text for `_BLANK`, which may take a blank before or after it, but none in it: it may be a path.

    What stands between its first and its last character goes to `inner`.
    """
    if not isinstance(place, str) or " " not in place[1:-1]:
        return place
    inner.append(place[1:-1])
    return _Closed(f"{place[0]}\ue000{len(inner) - 1}\ue001{place[-1]}", place, inner)


class _Closed(str):
    """A closed text. In a place such as `{name!r}` the representation of the whole text is closed."""

    __slots__ = ("inner", "whole")

    inner: list[str]
    whole: str

    def __new__(cls, text: str, whole: str, inner: list[str]) -> _Closed:
        self = super().__new__(cls, text)
        self.whole, self.inner = whole, inner
        return self

    def __repr__(self) -> str:
        return str(_closed(repr(self.whole), self.inner))


def redacted(text: str) -> str:
    """Return a text as `redact` does; a `Message` stays one, with its places redacted."""
    clean = redact(text)
    if clean == text or not isinstance(text, Message):
        return text if clean == text else clean
    places = {name: redacted(place) if isinstance(place, str) else place for name, place in text.places.items()}
    message = Message(text.template, **places)
    # A secret that only shows where two places meet.
    return message if message == clean else clean


@functools.cache
def translations(language: str) -> Mapping[str, str]:
    """Return the translations of a language by their English templates; none if it has no readable file."""
    found: dict[str, str] = _read(language, "messages.json")
    return found


@functools.cache
def input_names(language: str) -> Mapping[str, str]:
    """Return what the nodes' inputs are called in a language, by their names."""
    nodes = _read(language, "nodeDefs.json").values()
    return {name: one["name"] for node in reversed(list(nodes)) for name, one in node["inputs"].items()}


def _read(language: str, name: str) -> dict[str, Any]:
    try:
        found = json.loads((LOCALES / language / name).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def language_of(locale: str) -> str:
    """Return the language for a locale such as "zh", "zh-TW" or "zh_CN.UTF-8"; English if it has none of ours."""
    language = locale.lower().replace("_", "-").partition("-")[0].partition(".")[0]
    return language if language in LANGUAGES else ENGLISH


def sentences(*parts: str) -> str:
    """Return sentences as one text; empty ones are left out."""
    return _joined(lambda first, second: Message("{first} {second}", first=first, second=second), parts)


def lines(*parts: str) -> str:
    """Return lines as one text; empty ones are left out."""
    return _joined(lambda first, second: Message("{first}\n{second}", first=first, second=second), parts)


def enumeration(values: Iterable[object]) -> str:
    """Return values as a list: "a, b, c"."""
    return _joined(lambda first, second: Message("{first}, {second}", first=first, second=second), map(_text, values))


def conjunction(values: Iterable[object]) -> str:
    """Return values as a list: "a and b and c"."""
    return _joined(
        lambda first, second: Message("{first} and {second}", first=first, second=second), map(_text, values)
    )


def clauses(parts: Iterable[str]) -> str:
    """Return parts of a sentence as one text: "a; b"."""
    return _joined(lambda first, second: Message("{first}; {second}", first=first, second=second), parts)


def alternatives(values: Iterable[object]) -> str:
    """Return values as a list: "a, b or c"."""
    texts = [_text(value) for value in values]
    if len(texts) < 2:
        return texts[0] if texts else ""
    return Message("{first} or {second}", first=enumeration(texts[:-1]), second=texts[-1])


def to_json(text: str) -> str:
    """Return a text for `from_json`."""
    return json.dumps(_tree(text), ensure_ascii=False)


def from_json(saved: str) -> str:
    """Return the text that was saved by `to_json`; "" if it cannot be read, or if its template is not known.

    An unknown template is another version's, or a stranger's.
    """
    try:
        found = _planted(json.loads(saved))
    except (ArithmeticError, ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return ""
    return found if isinstance(found, str) else ""


def _tree(text: Any) -> Any:
    if not isinstance(text, Message):
        return text
    return {"template": text.template, "places": {name: _tree(place) for name, place in text.places.items()}}


def _planted(tree: Any) -> Any:
    if not isinstance(tree, dict):
        return tree
    if not any(tree["template"] in translations(language) for language in LANGUAGES):
        raise LookupError(tree["template"])
    return Message(tree["template"], **{name: _planted(place) for name, place in tree["places"].items()})


def _value(place: Any) -> Any:
    place = place() if callable(place) else place
    return place if isinstance(place, (str, int, float)) else str(place)


def _text(value: object) -> str:
    return value if isinstance(value, str) else str(value)


def _joined(pair: Callable[[str, str], str], parts: Iterable[str]) -> str:
    found = [part for part in parts if part]
    # In halves: hundreds of parts in a row would be nested too deep to be read.
    while len(found) > 1:
        pairs = zip(found[::2], found[1::2], strict=False)
        found = [*(pair(first, second) for first, second in pairs), *found[len(found) // 2 * 2 :]]
    return found[0] if found else ""
