"""Reading a multipart/form-data body, as the object storage does for an upload (RFC 7578)."""

from __future__ import annotations

import re
from dataclasses import dataclass

_BOUNDARY = re.compile(r'^multipart/form-data\s*;.*?boundary=(?:"([^"]+)"|([^;\s]+))', re.IGNORECASE)
_BLANK = b"\r\n\r\n"
_NAME = re.compile(r'[;\s]name="([^"]*)"')


class MalformedError(ValueError):
    """The body is not well-formed multipart/form-data."""


@dataclass(frozen=True)
class FormField:
    """One field of a form. Its content is a view of the body, which may be large."""

    name: str
    content: memoryview


def read_form(body: bytes, content_type: str) -> list[FormField]:
    """Return the fields in their order. Raises MalformedError."""
    found = _BOUNDARY.match(content_type)
    if not found:
        raise MalformedError("no boundary")
    dash = b"--" + (found.group(1) or found.group(2)).encode("latin-1")
    if not body.startswith(dash):
        raise MalformedError("no first boundary")
    fields = []
    start = len(dash)
    while not body.startswith(b"--", start):
        end = body.find(b"\r\n" + dash, start)
        if end < 0:
            raise MalformedError("no last boundary")
        fields.append(_read_field(body, start, end))
        start = end + 2 + len(dash)
    return fields


def _read_field(body: bytes, start: int, end: int) -> FormField:
    blank = body.find(_BLANK, start, end)
    found = _NAME.search(body[start:blank].decode("utf-8", "replace")) if blank >= 0 else None
    if not found:
        raise MalformedError("a part without a name")
    return FormField(found.group(1), memoryview(body)[blank + len(_BLANK) : end])
