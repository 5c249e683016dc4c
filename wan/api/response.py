"""Parsing of the service's responses: bounded reading, then a JSON object or an error.

The type, size and characters of every field are checked, and texts are redacted while they are parsed: a key that a
server quotes goes no further.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from datetime import timezone
from email.utils import parsedate_to_datetime
from typing import Any

import requests

from ..frozen import frozen
from ..messages import Message
from ..net.hosts import origin_of
from ..net.http import Deadline, is_compressed, iter_body
from ..redaction import contains_secret, truncate_redacted, without_secrets
from .advice import service_error
from .errors import NetworkError, ServiceError, UnexpectedResponse
from .network import network_error

MAX_TEXT = 2000
MAX_PROMPT = 20_000
MAX_CODE = 500
MAX_URL = 8000
MAX_FIELDS = 40

# Control characters, text direction marks, and lone surrogates, which cannot be encoded.
_CONTROL_CHARS = r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069]"
_ID = r"[A-Za-z0-9][!-~]{0,199}"

MAX_RESPONSE_BYTES = 1024 * 1024
"""The largest response, a page of the task list, has some tens of kilobytes."""

_CHUNK = 65536
_INTERMEDIARY = Message("The response may come from a proxy or gateway: check the network and DASHSCOPE_BASE_URL.")


@frozen
class ApiResponse:
    """A JSON object from the service. `server_time` is its time in epoch seconds, 0 if unknown."""

    body: Mapping[str, Any]
    http_status: int
    server_time: float = 0.0


def parse_response(response: requests.Response, *, limit: Deadline, task_id: str = "") -> ApiResponse:
    """Return the JSON object of a response, or raise its error."""
    status = response.status_code
    body = _parsed(read_body(response, limit=limit, task_id=task_id))
    if body is not None and 200 <= status < 300 and not _is_error(body):
        return ApiResponse(body, status, _server_time(response))
    code, message, request_id = _error_fields(body or {})
    if code or (message and 400 <= status < 500):
        raise _with_retry_after(
            service_error(
                code=code,
                message=message,
                http_status=status,
                formed=bool(code and request_id),
                task_id=task_id,
                request_id=request_id,
            ),
            response,
        )
    if 300 <= status < 400:
        raise UnexpectedResponse(
            Message("DashScope returned a redirect (HTTP {status}), which is not followed.", status=status),
            http_status=status,
            hint=Message("Check DASHSCOPE_BASE_URL."),
            task_id=task_id,
        )
    if 400 <= status < 500:
        raise _with_retry_after(service_error(code="", message="", http_status=status, task_id=task_id), response)
    raise UnexpectedResponse(
        Message("DashScope's response (HTTP {status}) is not the expected JSON.", status=status),
        http_status=status,
        hint=_INTERMEDIARY,
        task_id=task_id,
    )


def read_body(response: requests.Response, *, limit: Deadline, task_id: str = "") -> bytes:
    """Read a response body of bounded size.

    Raises:
        UnexpectedResponse: the body is too large, or compressed.
        NetworkError: the connection broke, or the response took too long.
    """
    wrong = Message("is compressed, which was not requested") if is_compressed(response) else ""
    held = bytearray()
    failure: NetworkError | None = None
    try:
        for chunk in () if wrong else iter_body(response, size=_CHUNK):
            held += chunk
            if len(held) > MAX_RESPONSE_BYTES:
                wrong = Message("is too large")
                break
    except requests.RequestException as error:
        failure = network_error(error, response.url, limit=limit, task_id=task_id)
    if failure:
        raise failure
    if wrong:
        raise UnexpectedResponse(
            Message("DashScope's response {problem}.", problem=wrong),
            http_status=response.status_code,
            hint=_INTERMEDIARY,
            task_id=task_id,
        )
    if limit.over:
        raise NetworkError(
            Message("{host} did not respond in time.", host=origin_of(response.url)[0]), sent=True, task_id=task_id
        )
    return bytes(held)


def xml_text(text: str, start: str, end: str) -> str:
    """Return the text between two tags, "" if they are missing."""
    return as_text(text.partition(start)[2].partition(end)[0], at_most=MAX_CODE)


def _parsed(data: bytes) -> dict[str, Any] | None:
    try:
        body = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return body if isinstance(body, dict) else None


def _is_error(body: Mapping[str, Any]) -> bool:
    return "output" not in body and bool(body.get("code") or body.get("error"))


def _error_fields(body: Mapping[str, Any]) -> tuple[str, str, str]:
    """Return the code, message and request id of an error, flat or as `{"error": {...}}`; "" for missing ones."""
    error = body.get("error")
    inner = error if isinstance(error, Mapping) else body if error is None else {**body, "message": error}
    code = as_text(inner.get("code"), at_most=MAX_CODE) or as_text(inner.get("type"), at_most=MAX_CODE)
    request_id = as_id(body.get("request_id")) or as_id(inner.get("request_id"))
    return code, as_text(inner.get("message")), request_id


def _server_time(response: requests.Response) -> float:
    """Return the time of the Date header in epoch seconds; 0 if there is none."""
    try:
        date = parsedate_to_datetime(response.headers.get("Date", ""))
        return max(0.0, (date if date.tzinfo else date.replace(tzinfo=timezone.utc)).timestamp())
    except (ValueError, TypeError, OverflowError):
        return 0.0


def _with_retry_after(error: ServiceError, response: requests.Response) -> ServiceError:
    """Set the error's `retry_after` from the response's Retry-After, in seconds, if it has one."""
    retry_after = response.headers.get("Retry-After", "")
    error.retry_after = float(retry_after) if re.fullmatch(r"[0-9]{1,9}", retry_after) else None
    return error


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
