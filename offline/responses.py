"""What the mock server sends back: a response's status, headers and body, and the service's two forms of refusal.

The API refuses in flat JSON, `{code, message, request_id}` (dashscope.md section 2); the object storage behind
uploads and videos refuses in XML (section 4).
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from xml.sax.saxutils import escape

JSON = "application/json"
XML = "application/xml"
_CHUNK = 64 * 1024


class Body(Protocol):
    """The bytes of a response, given out piece by piece so that a video is never held whole."""

    @property
    def length(self) -> int:
        """Bytes in all, as Content-Length says."""

    def pieces(self) -> Iterator[bytes]:
        """Give the bytes out in order."""


@dataclass(frozen=True)
class Text:
    """A body that is small enough to be held in memory."""

    data: bytes = b""

    @property
    def length(self) -> int:
        """Bytes in all."""
        return len(self.data)

    def pieces(self) -> Iterator[bytes]:
        """Give the bytes out, 64 KiB at a time."""
        for start in range(0, len(self.data), _CHUNK):
            yield self.data[start : start + _CHUNK]


@dataclass(frozen=True)
class FileBody:
    """`length` bytes of a file, from the byte `start` on."""

    path: Path
    start: int
    length: int

    def pieces(self) -> Iterator[bytes]:
        """Read the bytes, 64 KiB at a time."""
        left = self.length
        with self.path.open("rb") as file:
            file.seek(self.start)
            while left > 0 and (piece := file.read(min(_CHUNK, left))):
                left -= len(piece)
                yield piece


@dataclass(frozen=True)
class Filler:
    """A JSON string of `length` bytes in all, made while it is sent. At least 2."""

    length: int

    def pieces(self) -> Iterator[bytes]:
        """Give out a quote, filling and a quote."""
        yield b'"'
        left = self.length - 2
        while left > 0:
            yield b"x" * min(_CHUNK, left)
            left -= _CHUNK
        yield b'"'


@dataclass(frozen=True)
class Response:
    """One HTTP response. `headers` come on top of Content-Type and Content-Length."""

    status: int
    body: Body = field(default_factory=Text)
    content_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)


class HttpError(Exception):
    """A call ends here with `response`."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status)
        self.response = response


def new_id() -> str:
    """Make a request or task id."""
    return str(uuid.uuid4())


def json_response(
    value: Mapping[str, object],
    *,
    status: int = 200,
    request_id: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Answer with a JSON object, to which the request id is added."""
    whole = {**value, "request_id": request_id or new_id()}
    return Response(
        status, Text(json.dumps(whole, ensure_ascii=False).encode("utf-8", "replace")), headers=headers or {}
    )


def error_response(status: int, *, code: str, message: str, headers: Mapping[str, str] | None = None) -> Response:
    """Refuse as the API does."""
    return json_response({"code": code, "message": message}, status=status, headers=headers)


def oss_error_response(status: int, *, code: str, message: str, headers: Mapping[str, str] | None = None) -> Response:
    """Refuse as the object storage does."""
    text = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error>\n  <Code>{escape(code)}</Code>\n  <Message>{escape(message)}</Message>\n"
        f"  <RequestId>{uuid.uuid4().hex[:24].upper()}</RequestId>\n  <HostId>127.0.0.1</HostId>\n</Error>\n"
    )
    return Response(status, Text(text.encode()), content_type=XML, headers=headers or {})
