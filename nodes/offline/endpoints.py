"""What each call of the protocol does (dashscope.md sections 0.1, 3 and 4)."""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable, Mapping
from email.utils import formatdate

from ..service.regions import DEFAULT_REGION, REGIONS
from .answers import FileBody, HttpError, Response, error_response, json_response, oss_error_response
from .calls import Request
from .faults import FixedStatus, ListEmpty, ListLag, NoRange, On, OtherResult, UnknownStatus
from .listing import list_reply, models_reply
from .parts import ServerState
from .replies import serialize_task
from .submission import apply_fault, create_task, models_in
from .tasks import Task

_RANGE = re.compile(r"bytes=(\d*)-(\d*)", re.ASCII)
_RATES: dict[On, int] = {"query": 20, "list": 20, "cancel": 20, "models": 20, "policy": 100}
"""Calls a second (dashscope.md sections 3 and 4; models: as the others). The rate of create calls stands in the model's
row."""

_WITHOUT_KEY: frozenset[On] = frozenset({"upload", "download"})
"""These go to the object storage, which wants a signature and no key."""


def authorize(parts: ServerState, call: Request) -> Response | None:
    """Return the refusal of a call that has not the key, before its body is read; None where it may go on."""
    try:
        if call.on not in _WITHOUT_KEY:
            _check_key(parts, call)
    except HttpError as refused:
        return refused.response
    return None


def handle(parts: ServerState, call: Request) -> Response:
    """Act upon a call that was admitted, and answer it."""
    try:
        if call.on in _RATES:
            parts.rates.check(call.on, per_second=_RATES[call.on])
        return _ENDPOINTS[call.on](parts, call)
    except HttpError as refused:
        return refused.response


def _check_key(parts: ServerState, call: Request) -> None:
    given = call.headers.get("authorization", "")
    if not given.removeprefix("Bearer").strip():
        raise HttpError(error_response(401, code="InvalidApiKey", message="No API-key provided."))
    if not hmac.compare_digest(given.encode(), f"Bearer {parts.key}".encode()):
        raise HttpError(error_response(401, code="InvalidApiKey", message="Invalid API-key provided."))


def _create(parts: ServerState, call: Request) -> Response:
    task = create_task(parts, call)
    return json_response({"output": {"task_status": "PENDING", "task_id": task.id}}, request_id=task.request_id)


def _query(parts: ServerState, call: Request) -> Response:
    task = parts.tasks.get(call.name)
    if task is not None:
        apply_fault(parts, task, fault=call.fault)
        task = parts.tasks.get(call.name)
    if task is None or isinstance(call.fault, UnknownStatus):
        return json_response({"output": {"task_id": call.name, "task_status": "UNKNOWN"}})
    if isinstance(call.fault, FixedStatus):
        return json_response({"output": {"task_id": call.name, "task_status": call.fault.state}})
    reply = serialize_task(task, video_url=_video_url(parts, task))
    if isinstance(call.fault, OtherResult) and task.state == "SUCCEEDED":
        reply["output"] = call.fault.bent(reply["output"])
    return json_response(reply)


def _video_url(parts: ServerState, task: Task) -> str:
    if task.ended is None:
        return ""
    return parts.base_url + parts.storage.link(f"/files/{task.id}.mp4", made=task.ended)


def _list(parts: ServerState, call: Request) -> Response:
    region = REGIONS[parts.region].docs_id or REGIONS[DEFAULT_REGION].docs_id
    now = parts.clock()
    return json_response(list_reply(_shown(parts.tasks.all(), call, now=now), query=call.query, region=region, now=now))


def _shown(tasks: list[Task], call: Request, *, now: float) -> list[Task]:
    """Return the tasks that the list knows of: all of them, where no fault says otherwise."""
    if isinstance(call.fault, ListEmpty):
        return []
    if isinstance(call.fault, ListLag):
        return [task for task in tasks if task.submitted + call.fault.seconds <= now]
    return tasks


def _models(parts: ServerState, call: Request) -> Response:
    return json_response(models_reply(models_in(parts.region), query=call.query, region=parts.region))


def _cancel(parts: ServerState, call: Request) -> Response:
    if not parts.tasks.cancel(call.name):
        message = "Failed to cancel the task, please confirm if the task is in PENDING status."
        raise HttpError(error_response(400, code="UnsupportedOperation", message=message))
    return json_response({})


def _policy(parts: ServerState, call: Request) -> Response:
    if call.query.get("action") != "getPolicy":
        message = "Required parameter(action) missing or invalid, please check the request parameters."
        raise HttpError(error_response(400, code="InvalidParameter", message=message))
    if not REGIONS[parts.region].temporary_storage:
        raise HttpError(error_response(403, code="AccessDenied", message="Access denied."))
    model = call.query.get("model", "")
    if model not in models_in(parts.region):
        raise HttpError(error_response(400, code="InvalidParameter", message="Model not exist."))
    return json_response({"data": parts.storage.policy(model, host=f"{parts.base_url}/upload")})


def _upload(parts: ServerState, call: Request) -> Response:
    return parts.storage.receive(call.body, content_type=call.headers.get("content-type", ""))


def _download(parts: ServerState, call: Request) -> Response:
    parts.storage.check_link(call.path, query=call.query)
    task = parts.tasks.get(call.name)
    if task is None or task.state != "SUCCEEDED" or task.video is None or task.ended is None:
        raise HttpError(oss_error_response(404, code="NoSuchKey", message="The specified key does not exist."))
    size = task.video.stat().st_size
    headers = {"ETag": f'"{task.video.stem.upper()}"', "Last-Modified": formatdate(task.ended, usegmt=True)}
    if isinstance(call.fault, NoRange):
        return Response(200, FileBody(task.video, start=0, length=size), content_type="video/mp4", headers=headers)
    headers["Accept-Ranges"] = "bytes"
    span = _span(call, size=size, etag=headers["ETag"])
    if span is None:
        return Response(200, FileBody(task.video, start=0, length=size), content_type="video/mp4", headers=headers)
    start, end = span
    headers["Content-Range"] = f"bytes {start}-{end}/{size}"
    return Response(
        206, FileBody(task.video, start=start, length=end - start + 1), content_type="video/mp4", headers=headers
    )


def _span(call: Request, *, size: int, etag: str) -> tuple[int, int] | None:
    """Return the first and the last byte that are asked for, or None where it is the whole file.

    Raises HttpError, 416, where the file has no such bytes.
    """
    wanted = _RANGE.fullmatch(call.headers.get("range", ""))
    if not wanted or not any(wanted.groups()) or call.headers.get("if-range", etag) != etag:
        return None
    first, last = wanted.groups()
    if first:
        start, end = int(first), min(int(last), size - 1) if last else size - 1
    else:
        start, end = max(0, size - int(last)), size - 1
    if start > end:
        message = "The requested range cannot be satisfied."
        headers = {"Content-Range": f"bytes */{size}"}
        raise HttpError(oss_error_response(416, code="InvalidRange", message=message, headers=headers))
    return start, end


_ENDPOINTS: Mapping[On, Callable[[ServerState, Request], Response]] = {
    "create": _create,
    "query": _query,
    "list": _list,
    "models": _models,
    "cancel": _cancel,
    "policy": _policy,
    "upload": _upload,
    "download": _download,
}
