"""What each call of the protocol does (dashscope.md sections 0.1, 3 and 4)."""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable, Mapping
from email.utils import formatdate

from ..service.regions import DEFAULT_REGION, REGIONS
from .answers import Answer, Part, RefusedError, json_answer, refusal, storage_refusal
from .calls import Call
from .faults import AnswerState, AnswerUnknown, ListEmpty, ListLag, NoRange, On, OtherResult
from .listing import list_reply, models_reply
from .parts import Parts
from .replies import task_reply
from .submission import bend, models_in, submit
from .tasks import Task

_RANGE = re.compile(r"bytes=(\d*)-(\d*)", re.ASCII)
_RATES: dict[On, int] = {"query": 20, "list": 20, "cancel": 20, "models": 20, "policy": 100}
"""Calls a second (dashscope.md sections 3 and 4; models: as the others). The rate of create calls stands in the model's
row."""

_WITHOUT_KEY: frozenset[On] = frozenset({"upload", "download"})
"""These go to the object storage, which wants a signature and no key."""


def admit(parts: Parts, call: Call) -> Answer | None:
    """Return the refusal of a call that has not the key, before its body is read; None where it may go on."""
    try:
        if call.on not in _WITHOUT_KEY:
            _check_key(parts, call)
    except RefusedError as refused:
        return refused.answer
    return None


def respond(parts: Parts, call: Call) -> Answer:
    """Act upon a call that was admitted, and answer it."""
    try:
        if call.on in _RATES:
            parts.rates.check(call.on, per_second=_RATES[call.on])
        return _ENDPOINTS[call.on](parts, call)
    except RefusedError as refused:
        return refused.answer


def _check_key(parts: Parts, call: Call) -> None:
    given = call.headers.get("authorization", "")
    if not given.removeprefix("Bearer").strip():
        raise RefusedError(refusal(401, code="InvalidApiKey", message="No API-key provided."))
    if not hmac.compare_digest(given.encode(), f"Bearer {parts.key}".encode()):
        raise RefusedError(refusal(401, code="InvalidApiKey", message="Invalid API-key provided."))


def _create(parts: Parts, call: Call) -> Answer:
    task = submit(parts, call)
    return json_answer({"output": {"task_status": "PENDING", "task_id": task.id}}, request_id=task.request_id)


def _query(parts: Parts, call: Call) -> Answer:
    task = parts.book.get(call.name)
    if task is not None:
        bend(parts, task, fault=call.fault)
        task = parts.book.get(call.name)
    if task is None or isinstance(call.fault, AnswerUnknown):
        return json_answer({"output": {"task_id": call.name, "task_status": "UNKNOWN"}})
    if isinstance(call.fault, AnswerState):
        return json_answer({"output": {"task_id": call.name, "task_status": call.fault.state}})
    reply = task_reply(task, video_url=_video_url(parts, task))
    if isinstance(call.fault, OtherResult) and task.state == "SUCCEEDED":
        reply["output"] = call.fault.bent(reply["output"])
    return json_answer(reply)


def _video_url(parts: Parts, task: Task) -> str:
    if task.ended is None:
        return ""
    return parts.address + parts.storage.link(f"/files/{task.id}.mp4", made=task.ended)


def _list(parts: Parts, call: Call) -> Answer:
    region = REGIONS[parts.region].docs_id or REGIONS[DEFAULT_REGION].docs_id
    now = parts.clock()
    return json_answer(list_reply(_shown(parts.book.all(), call, now=now), query=call.query, region=region, now=now))


def _shown(tasks: list[Task], call: Call, *, now: float) -> list[Task]:
    """Return the tasks that the list knows of: all of them, where no fault says otherwise."""
    if isinstance(call.fault, ListEmpty):
        return []
    if isinstance(call.fault, ListLag):
        return [task for task in tasks if task.submitted + call.fault.seconds <= now]
    return tasks


def _models(parts: Parts, call: Call) -> Answer:
    return json_answer(models_reply(models_in(parts.region), query=call.query, region=parts.region))


def _cancel(parts: Parts, call: Call) -> Answer:
    if not parts.book.cancel(call.name):
        message = "Failed to cancel the task, please confirm if the task is in PENDING status."
        raise RefusedError(refusal(400, code="UnsupportedOperation", message=message))
    return json_answer({})


def _policy(parts: Parts, call: Call) -> Answer:
    if call.query.get("action") != "getPolicy":
        message = "Required parameter(action) missing or invalid, please check the request parameters."
        raise RefusedError(refusal(400, code="InvalidParameter", message=message))
    if not REGIONS[parts.region].temporary_storage:
        raise RefusedError(refusal(403, code="AccessDenied", message="Access denied."))
    model = call.query.get("model", "")
    if model not in models_in(parts.region):
        raise RefusedError(refusal(400, code="InvalidParameter", message="Model not exist."))
    return json_answer({"data": parts.storage.policy(model, host=f"{parts.address}/upload")})


def _upload(parts: Parts, call: Call) -> Answer:
    return parts.storage.receive(call.body, content_type=call.headers.get("content-type", ""))


def _download(parts: Parts, call: Call) -> Answer:
    parts.storage.check_link(call.path, query=call.query)
    task = parts.book.get(call.name)
    if task is None or task.state != "SUCCEEDED" or task.video is None or task.ended is None:
        raise RefusedError(storage_refusal(404, code="NoSuchKey", message="The specified key does not exist."))
    size = task.video.stat().st_size
    headers = {"ETag": f'"{task.video.stem.upper()}"', "Last-Modified": formatdate(task.ended, usegmt=True)}
    if isinstance(call.fault, NoRange):
        return Answer(200, Part(task.video, start=0, length=size), content_type="video/mp4", headers=headers)
    headers["Accept-Ranges"] = "bytes"
    span = _span(call, size=size, etag=headers["ETag"])
    if span is None:
        return Answer(200, Part(task.video, start=0, length=size), content_type="video/mp4", headers=headers)
    start, end = span
    headers["Content-Range"] = f"bytes {start}-{end}/{size}"
    return Answer(206, Part(task.video, start=start, length=end - start + 1), content_type="video/mp4", headers=headers)


def _span(call: Call, *, size: int, etag: str) -> tuple[int, int] | None:
    """Return the first and the last byte that are asked for, or None where it is the whole file.

    Raises RefusedError, 416, where the file has no such bytes.
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
        raise RefusedError(storage_refusal(416, code="InvalidRange", message=message, headers=headers))
    return start, end


_ENDPOINTS: Mapping[On, Callable[[Parts, Call], Answer]] = {
    "create": _create,
    "query": _query,
    "list": _list,
    "models": _models,
    "cancel": _cancel,
    "policy": _policy,
    "upload": _upload,
    "download": _download,
}
