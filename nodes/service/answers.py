"""Answers of the service, of any shape: read within bounds, and turned into the JSON object or the error that they are.

Whatever comes is redacted on its way in: a server that quotes the key back is not quoted any further.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timezone
from email.utils import parsedate_to_datetime
from typing import Any

import requests

from ..addresses import origin_of
from ..wire import Limit, body_of, is_packed
from .advice import service_error
from .errors import NetworkError, ServiceError, UnexpectedAnswer
from .network import network_error
from .texts import LONGEST_CODE, id_of, text_of

ANSWER_BYTES = 1024 * 1024
"""What an answer may hold. The longest there is, a page of the task list, has some tens of kilobytes."""

_PIECE = 65536
_SOMETHING_BETWEEN = (
    "Something between here and the service may have answered: check the network and DASHSCOPE_BASE_URL."
)


@dataclass(frozen=True)
class Answer:
    """An answer of the service that is the JSON object it should be.

    `told_at` is when it was sent by the service's own clock: epoch seconds, 0 where it does not say.
    """

    body: Mapping[str, Any]
    http_status: int
    told_at: float = 0.0


def judge(response: requests.Response, *, limit: Limit, task_id: str = "") -> Answer:
    """Turn an answer into its JSON object, or raise the error that it is."""
    status = response.status_code
    body = _parsed(read(response, limit=limit, task_id=task_id))
    if body is not None and 200 <= status < 300 and not _is_refusal(body):
        return Answer(body, status, _date_of(response))
    code, message, request_id = _told(body or {})
    if code or (message and 400 <= status < 500):
        raise _with_pause(
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
        raise UnexpectedAnswer(
            f"The service answered with a redirect (HTTP {status}), which is not followed.",
            http_status=status,
            do="Check DASHSCOPE_BASE_URL.",
            task_id=task_id,
        )
    if 400 <= status < 500:
        raise _with_pause(service_error(code="", message="", http_status=status, task_id=task_id), response)
    raise UnexpectedAnswer(
        f"The service's answer (HTTP {status}) is not the JSON it should be.",
        http_status=status,
        do=_SOMETHING_BETWEEN,
        task_id=task_id,
    )


def read(response: requests.Response, *, limit: Limit, task_id: str = "") -> bytes:
    """Read an answer of bounded size.

    Raises:
        UnexpectedAnswer: it is too large, or compressed.
        NetworkError: it broke off, or took too long.
    """
    wrong = "is compressed, which was not asked for" if is_packed(response) else ""
    held = bytearray()
    failure: NetworkError | None = None
    try:
        for piece in () if wrong else body_of(response, size=_PIECE):
            held += piece
            if len(held) > ANSWER_BYTES:
                wrong = "does not end"
                break
    except requests.RequestException as error:
        failure = network_error(error, response.url, limit=limit, task_id=task_id)
    if failure:
        raise failure
    if wrong:
        raise UnexpectedAnswer(
            f"The service's answer {wrong}.", http_status=response.status_code, do=_SOMETHING_BETWEEN, task_id=task_id
        )
    if limit.over:
        raise NetworkError(f"{origin_of(response.url)[0]} did not answer in time.", sent=True, task_id=task_id)
    return bytes(held)


def between(text: str, start: str, end: str) -> str:
    """Return what stands between two marks, "" where they are not there."""
    return text_of(text.partition(start)[2].partition(end)[0], at_most=LONGEST_CODE)


def _parsed(data: bytes) -> dict[str, Any] | None:
    try:
        body = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return body if isinstance(body, dict) else None


def _is_refusal(body: Mapping[str, Any]) -> bool:
    return "output" not in body and bool(body.get("code") or body.get("error"))


def _told(body: Mapping[str, Any]) -> tuple[str, str, str]:
    """Return the code, words and request id of a refusal, flat or as `{"error": {...}}`; "" for what it lacks."""
    error = body.get("error")
    inner = error if isinstance(error, Mapping) else body if error is None else {**body, "message": error}
    code = text_of(inner.get("code"), at_most=LONGEST_CODE) or text_of(inner.get("type"), at_most=LONGEST_CODE)
    request_id = id_of(body.get("request_id")) or id_of(inner.get("request_id"))
    return code, text_of(inner.get("message")), request_id


def _date_of(response: requests.Response) -> float:
    """Return the time in the Date header, in epoch seconds; 0 where there is none."""
    try:
        date = parsedate_to_datetime(response.headers.get("Date", ""))
        return max(0.0, (date if date.tzinfo else date.replace(tzinfo=timezone.utc)).timestamp())
    except (ValueError, TypeError, OverflowError):
        return 0.0


def _with_pause(error: ServiceError, response: requests.Response) -> ServiceError:
    """Note how long the service asks to wait, where it does, in seconds."""
    asked = response.headers.get("Retry-After", "")
    error.retry_after = float(asked) if re.fullmatch(r"[0-9]{1,9}", asked) else None
    return error
