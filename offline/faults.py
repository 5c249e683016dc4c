"""Faults that a test can order: what a network, a gateway or the service itself can do to a request.

`server.faults.add(on="create", fault=ResetAfterActing())` spoils the next create call. Every kind says in its docstring
what the caller sees and whether the request was acted upon.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from .responses import Filler, Response, Text, error_response, json_response

ALWAYS = 1_000_000_000
"""`times` of a fault that does not pass."""

On = Literal["create", "query", "list", "models", "cancel", "policy", "upload", "download"]
"""The eight calls of the protocol."""

_HTML = "<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>"


@dataclass(frozen=True)
class Fault:
    """Base of every fault."""


@dataclass(frozen=True)
class CannedResponse(Fault):
    """A response that comes instead of the real one. The body was read, nothing was done."""

    def response(self) -> Response:
        """Make the response."""
        raise NotImplementedError


@dataclass(frozen=True)
class Throttling(CannedResponse):
    """HTTP 429 in the service's words, with a Retry-After of `retry_after` seconds where that is given."""

    retry_after: int | None = None
    code: str = "Throttling.RateQuota"
    message: str = "Requests rate limit exceeded, please try again later."

    def response(self) -> Response:
        """Make the response."""
        headers = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
        return error_response(429, code=self.code, message=self.message, headers=headers)


@dataclass(frozen=True)
class ErrorResponse(CannedResponse):
    """A refusal in the API's flat JSON with any status, code and message; a 500 of the service by default."""

    status: int = 500
    code: str = "InternalError"
    message: str = "An internal error has occured, please try again later or contact service support."

    def response(self) -> Response:
        """Make the response."""
        return error_response(self.status, code=self.code, message=self.message)


@dataclass(frozen=True)
class NestedErrorResponse(ErrorResponse):
    """A refusal in the form of the compatible routes, `{"error": {"code", "message", ...}, "request_id"}`."""

    def response(self) -> Response:
        """Make the response."""
        error = {"code": self.code, "message": self.message, "param": None, "type": "invalid_request_error"}
        return json_response({"error": error}, status=self.status)


@dataclass(frozen=True)
class HtmlPage(CannedResponse):
    """A page of HTML, as gateways and captive portals send it, with any status (502, or 200)."""

    status: int = 502
    title: str = "502 Bad Gateway"

    def response(self) -> Response:
        """Make the response."""
        page = _HTML.format(title=self.title).encode()
        return Response(self.status, Text(page), content_type="text/html")


@dataclass(frozen=True)
class JsonBody(CannedResponse):
    """Any JSON value as the whole body."""

    value: object
    status: int = 200

    def response(self) -> Response:
        """Make the response."""
        return Response(self.status, Text(json.dumps(self.value, ensure_ascii=False).encode()))


@dataclass(frozen=True)
class HugeBody(CannedResponse):
    """A body of `size` bytes that is one JSON string."""

    size: int = 64 * 1024 * 1024
    status: int = 200

    def response(self) -> Response:
        """Make the response."""
        return Response(self.status, Filler(self.size))


@dataclass(frozen=True)
class Redirect(CannedResponse):
    """A redirection to `location`."""

    location: str
    status: int = 302

    def response(self) -> Response:
        """Make the response."""
        return Response(self.status, headers={"Location": self.location})


@dataclass(frozen=True)
class ResetBeforeBody(Fault):
    """The connection is reset when the headers have come and before the body is read. Nothing was done."""


@dataclass(frozen=True)
class ResetBeforeActing(Fault):
    """The connection is reset when the whole request has come. Nothing was done."""


@dataclass(frozen=True)
class ResetAfterActing(Fault):
    """The request is acted upon, then the connection is reset: the response is lost, a created task exists."""


@dataclass(frozen=True)
class Slow(Fault):
    """The right response, `seconds` of real time late. The request is acted upon before the wait."""

    seconds: float


@dataclass(frozen=True)
class Truncated(Fault):
    """The right headers, then only the first `sent` bytes of the body, then the end of the connection."""

    sent: int


@dataclass(frozen=True)
class Stalled(Fault):
    """The right headers and the first `sent` bytes of the body, then silence.

    It lasts until the caller leaves or the server stops.
    """

    sent: int


@dataclass(frozen=True)
class NoRange(Fault):
    """A download that ignores Range and sends the whole file with 200."""


@dataclass(frozen=True)
class UnknownStatus(Fault):
    """A query is answered with UNKNOWN, whatever the task's state is."""


@dataclass(frozen=True)
class FixedStatus(Fault):
    """A query of a task that exists is answered with this state, which may be none of today's, and nothing else."""

    state: str = "ARCHIVING"


@dataclass(frozen=True)
class OtherResult(Fault):
    """A query of a task that has succeeded is answered without `output.video_url`.

    `form` is what stands in its place: the same link as `results.video_url`, or `images`, a list of images as tasks
    of other models have it, or nothing.
    """

    form: Literal["results", "images", "nothing"] = "nothing"

    def bent(self, output: Mapping[str, object]) -> dict[str, object]:
        """Return the output in this form."""
        forms: dict[str, dict[str, object]] = {
            "results": {"results": {"video_url": output["video_url"]}},
            "images": {"results": [{"url": "https://example.com/picture.png"}]},
            "nothing": {},
        }
        return {**{name: value for name, value in output.items() if name != "video_url"}, **forms[self.form]}


@dataclass(frozen=True)
class ListLag(Fault):
    """The list has no task that was created less than `seconds` ago, by the server's clock. Queries know it at once."""

    seconds: float


@dataclass(frozen=True)
class ListEmpty(Fault):
    """The list is that of a key which sees no tasks: a reply in good form, without rows. Queries know every task."""


@dataclass(frozen=True)
class TaskFails(Fault):
    """The task that the call creates or names will end as FAILED with this code and message, when its time is over.

    What is empty is left out, so that a task can fail without a reason. `outside` puts both beside `output` instead of
    into it.
    """

    code: str = "InternalError.Algo"
    message: str = "inference internal error."
    outside: bool = False


@dataclass(frozen=True)
class TaskStuck(Fault):
    """The task that the call creates or names never leaves `state` again, once it has it."""

    state: Literal["PENDING", "RUNNING"] = "RUNNING"


_ONLY_ON: Mapping[type[Fault], frozenset[On]] = {
    NoRange: frozenset({"download"}),
    UnknownStatus: frozenset({"query"}),
    FixedStatus: frozenset({"query"}),
    OtherResult: frozenset({"query"}),
    ListLag: frozenset({"list"}),
    ListEmpty: frozenset({"list"}),
    TaskFails: frozenset({"create", "query"}),
    TaskStuck: frozenset({"create", "query"}),
}


@dataclass
class _Rule:
    on: On
    fault: Fault
    times: int
    after: int


class Faults:
    """The faults that are still to happen, in the order in which they were added."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rules: list[_Rule] = []

    def add(self, *, on: On, fault: Fault, times: int = 1, after: int = 0) -> None:
        """Let `fault` happen to `times` calls of the kind `on`, when `after` calls of that kind have passed.

        Where several faults wait for the same call, the one added first has it and the others wait for the next.
        Raises ValueError where the fault means nothing for that kind of call.
        """
        if on not in _ONLY_ON.get(type(fault), frozenset({on})):
            raise ValueError(f"{type(fault).__name__} means nothing for a {on} call.")
        with self._lock:
            self._rules.append(_Rule(on, fault, times=times, after=after))

    def clear(self) -> None:
        """Forget every fault that has not happened yet."""
        with self._lock:
            self._rules.clear()

    @property
    def waiting(self) -> int:
        """How many calls are still going to be spoiled."""
        with self._lock:
            return sum(rule.times for rule in self._rules)

    def take(self, on: On) -> Fault | None:
        """Return the fault for a call of the kind `on` that has just come, and count the call."""
        taken: _Rule | None = None
        with self._lock:
            for rule in self._rules:
                if rule.on != on:
                    continue
                if rule.after > 0:
                    rule.after -= 1
                elif taken is None:
                    taken = rule
            if taken is None:
                return None
            taken.times -= 1
            self._rules = [rule for rule in self._rules if rule.times > 0]
            return taken.fault
