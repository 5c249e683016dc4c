"""Faults that a test can order: what a network, a gateway or the service can do to a request.

`server.faults.add(on="create", fault=ResetAfterActing())` spoils the next create call. Every kind says in its docstring
what the caller sees and whether the request was acted upon.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import struct
import threading
from dataclasses import dataclass
from email.utils import formatdate
from typing import TYPE_CHECKING, Any, Literal

from aiohttp import web
from wanpack.offline.failures import TaskFailure
from wanpack.offline.responses import error_response, json_response
from wanpack.offline.routes import record
from wanpack.offline.state import STATE

if TYPE_CHECKING:
    from wanpack.offline.task import MockTask

_PIECE = 64 * 1024
_LINGER = "hh" if os.name == "nt" else "ii"


@dataclass(frozen=True)
class Fault:
    """Base of every fault."""

    async def around(self, request: web.Request, handler: Any) -> web.StreamResponse:
        """Answer the request, by the mock server's own handler where it is to act."""
        return await handler(request)


@dataclass(frozen=True)
class CannedResponse(Fault):
    """A response that comes instead of the real one. The body was read, nothing was done."""

    def response(self) -> web.Response:
        """Make the response."""
        raise NotImplementedError

    async def around(self, request, handler):
        await swallow(request)
        return self.response()


@dataclass(frozen=True)
class Throttling(CannedResponse):
    """HTTP 429 in the service's words, with a Retry-After of `retry_after` seconds where that is given."""

    retry_after: int | None = None
    code: str = "Throttling.RateQuota"
    message: str = "Requests rate limit exceeded, please try again later."

    def response(self):
        response = error_response(429, code=self.code, message=self.message)
        if self.retry_after is not None:
            response.headers["Retry-After"] = str(self.retry_after)
        return response


@dataclass(frozen=True)
class ErrorResponse(CannedResponse):
    """A refusal in the API's flat JSON with any status, code and message; a 500 of the service by default."""

    status: int = 500
    code: str = "InternalError"
    message: str = "An internal error has occured, please try again later or contact service support."

    def response(self):
        return error_response(self.status, code=self.code, message=self.message)


@dataclass(frozen=True)
class NestedErrorResponse(ErrorResponse):
    """A refusal in the form of the compatible routes, `{"error": {"code", "message", ...}, "request_id"}`."""

    def response(self):
        error = {"code": self.code, "message": self.message, "param": None, "type": "invalid_request_error"}
        return json_response({"error": error}, status=self.status)


@dataclass(frozen=True)
class HtmlPage(CannedResponse):
    """A page of HTML, as gateways and captive portals send it, with any status (502, or 200)."""

    status: int = 502
    title: str = "502 Bad Gateway"

    def response(self):
        page = f"<html><head><title>{self.title}</title></head><body><h1>{self.title}</h1></body></html>"
        return web.Response(status=self.status, body=page.encode(), content_type="text/html")


@dataclass(frozen=True)
class JsonBody(CannedResponse):
    """Any JSON value as the whole body."""

    value: object
    status: int = 200

    def response(self):
        body = json.dumps(self.value, ensure_ascii=False).encode()
        return web.Response(status=self.status, body=body, content_type="application/json")


@dataclass(frozen=True)
class HugeBody(CannedResponse):
    """A body of `size` bytes that is one JSON string, made while it is sent."""

    size: int = 64 * 1024 * 1024
    status: int = 200

    def response(self):
        length = {"Content-Length": str(self.size)}
        return web.Response(status=self.status, body=self._pieces(), content_type="application/json", headers=length)

    async def _pieces(self):
        yield b'"'
        for left in range(self.size - 2, 0, -_PIECE):
            yield b"x" * min(_PIECE, left)
        yield b'"'


@dataclass(frozen=True)
class Redirect(CannedResponse):
    """A redirection to `location`."""

    location: str
    status: int = 302

    def response(self):
        return web.Response(status=self.status, headers={"Location": self.location})


@dataclass(frozen=True)
class ResetBeforeBody(Fault):
    """The connection is reset when the headers have come and before the body is read. Nothing was done."""

    async def around(self, request, handler):
        return reset(request)


@dataclass(frozen=True)
class ResetBeforeActing(Fault):
    """The connection is reset when the whole request has come. Nothing was done."""

    async def around(self, request, handler):
        await swallow(request)
        return reset(request)


@dataclass(frozen=True)
class ResetAfterActing(Fault):
    """The request is acted upon, then the connection is reset: the response is lost, a created task exists."""

    async def around(self, request, handler):
        await handler(request)
        return reset(request)


@dataclass(frozen=True)
class Gate(Fault):
    """The right response, once something is set."""

    opened: threading.Event

    async def around(self, request, handler):
        await asyncio.to_thread(self.opened.wait, 30)
        return await handler(request)


@dataclass(frozen=True)
class Slow(Fault):
    """The right response, `seconds` of real time late. The request is acted upon before the wait."""

    seconds: float

    async def around(self, request, handler):
        response = await handler(request)
        await asyncio.sleep(self.seconds)
        return response


@dataclass(frozen=True)
class Truncated(Fault):
    """The right headers, then only the first `sent` bytes of the body, then the end of the connection."""

    sent: int

    async def around(self, request, handler):
        return await begin(request, await handler(request), sent=self.sent)


@dataclass(frozen=True)
class Stalled(Fault):
    """The right headers and the first `sent` bytes of the body, then silence.

    It lasts until the caller leaves or the server stops.
    """

    sent: int

    async def around(self, request, handler):
        begun = await begin(request, await handler(request), sent=self.sent)
        while request.transport is not None:  # noqa: ASYNC110 - aiohttp has no event for it
            await asyncio.sleep(0.05)
        return begun


@dataclass(frozen=True)
class NoRange(Fault):
    """A download that ignores Range and sends the whole file with 200."""

    async def around(self, request, handler):
        await record(request)
        headers = {name: value for name, value in request.headers.items() if name != "Range"}
        response = await handler(request.clone(headers=headers))
        del response.headers["Accept-Ranges"]
        return response


@dataclass(frozen=True)
class EditedReply(Fault):
    """The right response, with something else in its JSON."""

    def edited(self, reply: dict[str, Any], *, name: str) -> dict[str, Any]:
        """Return the reply as it is to be sent; `name` is the task id of the path."""
        raise NotImplementedError

    async def around(self, request, handler):
        response = await handler(request)
        if response.status != 200:
            return response
        reply = json.loads(response.body)
        edited = self.edited(reply, name=request.match_info.get("name", ""))
        return json_response(edited, request_id=reply["request_id"])


@dataclass(frozen=True)
class UnknownStatus(EditedReply):
    """A query is answered with UNKNOWN, whatever the task's state is."""

    def edited(self, reply, *, name):
        return {"output": {"task_id": name, "task_status": "UNKNOWN"}}


@dataclass(frozen=True)
class FixedStatus(EditedReply):
    """A query of a task that exists is answered with this state, which may be none of today's, and nothing else."""

    state: str = "ARCHIVING"

    def edited(self, reply, *, name):
        exists = reply["output"]["task_status"] != "UNKNOWN"
        return {"output": {"task_id": name, "task_status": self.state}} if exists else reply


@dataclass(frozen=True)
class OtherResult(EditedReply):
    """A query of a task that has succeeded is answered without `output.video_url`.

    `form` is what stands in its place: the same link as `results.video_url`, or `images`, a list of images as tasks
    of other models have it, or nothing.
    """

    form: Literal["results", "images", "nothing"] = "nothing"

    def edited(self, reply, *, name):
        output = dict(reply["output"])
        if output["task_status"] != "SUCCEEDED":
            return reply
        link = output.pop("video_url")
        forms = {
            "results": {"results": {"video_url": link}},
            "images": {"results": [{"url": "https://example.com/picture.png"}]},
            "nothing": {},
        }
        return {**reply, "output": {**output, **forms[self.form]}}


@dataclass(frozen=True)
class ListLag(Fault):
    """The list has no task that was created less than `seconds` ago, by the server's clock. Queries know it at once."""

    seconds: float


@dataclass(frozen=True)
class ListEmpty(EditedReply):
    """The list is that of a key which sees no tasks: a reply in good form, without rows. Queries know every task."""

    def edited(self, reply, *, name):
        return {**reply, "total": 0, "total_page": 0, "data": []}


@dataclass(frozen=True)
class TaskFault(Fault):
    """Something that becomes of the task which the call creates or names."""

    def on_task(self, task: MockTask) -> None:
        """Let it happen to the task."""
        raise NotImplementedError

    async def around(self, request, handler):
        named = request.app[STATE].tasks.get(request.match_info.get("name", ""))
        if named is not None:
            self.on_task(named)
        return await handler(request)


@dataclass(frozen=True)
class TaskFails(TaskFault):
    """The task will end as FAILED with this code and message, when its time is over.

    What is empty is left out, so that a task can fail without a reason. `outside` puts both beside `output` instead of
    into it.
    """

    code: str = "InternalError.Algo"
    message: str = "inference internal error."
    outside: bool = False

    def on_task(self, task):
        task.failure = TaskFailure(self.code, self.message, outside=self.outside)


@dataclass(frozen=True)
class TaskStuck(TaskFault):
    """The task never leaves `state` again, once it has it."""

    state: Literal["PENDING", "RUNNING"] = "RUNNING"

    def on_task(self, task):
        task.frozen_in = self.state


async def swallow(request: web.Request) -> None:
    """Read a request to its end and record it."""
    await record(request)
    await request.read()


def reset(request: web.Request) -> web.Response:
    """Break the connection with RST: closing with a linger time of 0 does that. The response goes nowhere."""
    if request.transport is not None:
        connection = request.transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack(_LINGER, 1, 0))
        request.transport.abort()
    return web.Response()


async def begin(request: web.Request, response: web.Response, *, sent: int) -> web.StreamResponse:
    """Send the head of a response and the first bytes of its body, after which the connection is to end."""
    begun = web.StreamResponse(status=response.status, headers=response.headers)
    begun.headers["Date"] = formatdate(request.app[STATE].clock(), usegmt=True)
    begun.content_length = len(response.body)
    await begun.prepare(request)
    await begun.write(response.body[:sent])
    request.protocol.close()
    return begun
