"""What each call of the protocol does (dashscope.md sections 0.1, 3 and 4)."""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from email.utils import formatdate
from typing import Any

from ..wan.catalog.regions import DEFAULT_REGION, REGIONS
from ..wan.catalog.spec import Model
from .create import apply_fault, create_task, models_in
from .faults import FixedStatus, ListEmpty, ListLag, NoRange, On, OtherResult, UnknownStatus
from .responses import FileBody, HttpError, Response, error_response, json_response, oss_error_response
from .routes import Request
from .state import ServerState
from .task_json import ACCOUNT, SERVICE_ZONE, serialize_list_row, serialize_task
from .tasks import Task
from .validation import is_happyhorse

_RANGE = re.compile(r"bytes=(\d*)-(\d*)", re.ASCII)
_RATES: dict[On, int] = {"query": 20, "list": 20, "cancel": 20, "models": 20, "policy": 100}
"""Calls a second (dashscope.md sections 3 and 4; models: as the others). The rate of create calls stands in the model's
row."""

_WITHOUT_KEY: frozenset[On] = frozenset({"upload", "download"})
"""These go to the object storage, which wants a signature and no key."""

_WINDOW = timedelta(hours=24)
_STATES = ("PENDING", "RUNNING", "SUCCEEDED", "FAILED", "CANCELED", "UNKNOWN")
_MAX_PAGE_SIZE = 100
_MAX_MODELS = 200
_MAKES_VIDEOS = "VG"


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


def list_reply(tasks: Sequence[Task], *, query: Mapping[str, str], region: str, now: float) -> dict[str, object]:
    """Make the list's reply without its request id, newest tasks first. `region` is the region's id in Alibaba Cloud.

    Raises HttpError where a filter is malformed or the window of time is longer than 24 h.
    """
    page_no = _number(query, "page_no", default=1, most=None)
    page_size = _number(query, "page_size", default=10, most=_MAX_PAGE_SIZE)
    keep = _filter(query, region=region, now=now)
    found = [task for task in reversed(tasks) if keep(task)]
    start = (page_no - 1) * page_size
    return {
        "total": len(found),
        "total_page": -(-len(found) // page_size),
        "page_no": page_no,
        "page_size": page_size,
        "data": [serialize_list_row(task, region=region) for task in found[start : start + page_size]],
    }


def models_reply(models: Mapping[str, Model], *, query: Mapping[str, str], region: str) -> dict[str, object]:
    """Make the reply of `GET /models` without its request id: the models by the region's names for them.

    Filters: `name` is a part of the id, `model` the id, `providers` and `capabilities` are one value each. Prices are
    per second of video and tier. Raises HttpError where a page number is malformed.
    """
    page_no = _number(query, "page_no", default=1, most=None)
    page_size = _number(query, "page_size", default=20, most=_MAX_MODELS)
    rows = [_model_row(name, model, region=region) for name, model in models.items()]
    found = [
        row
        for row in rows
        if query.get("name", "") in row["model"]
        and query.get("model", row["model"]) == row["model"]
        and query.get("providers", row["provider"]) == row["provider"]
        and query.get("capabilities", _MAKES_VIDEOS) == _MAKES_VIDEOS
    ]
    start = (page_no - 1) * page_size
    page = {"total": len(found), "page_no": page_no, "page_size": page_size, "models": found[start : start + page_size]}
    return {"code": None, "message": None, "success": True, "output": page}


def _model_row(name: str, model: Model, *, region: str) -> dict[str, Any]:
    offer = model.offers.get(region)
    return {
        "model": name,
        "name": name,
        "description": "",
        "provider": "happyhorse" if is_happyhorse(model) else "wan",
        "capabilities": [_MAKES_VIDEOS],
        "features": [],
        "inference_metadata": {"request_modality": ["Text", "Image"], "response_modality": ["Video"]},
        "prices": [
            {"range_name": tier, "prices": [{"type": "video", "price": f"{price:g}", "price_unit": "per second"}]}
            for tier, price in (offer.price if offer else {}).items()
        ],
        "inference_offline_info": None,
    }


def _filter(query: Mapping[str, str], *, region: str, now: float) -> Callable[[Task], bool]:
    start, end = _window(query, now=now)
    status = query.get("status", "")
    if status and status not in _STATES:
        raise _invalid("status")
    same = {"task_id": "id", "model_name": "model_name", "status": "state"}
    wanted = {field: query[name] for name, field in same.items() if query.get(name)}
    elsewhere = query.get("region") not in (None, "", region) or query.get("api_key_id") not in (None, "", ACCOUNT)

    def keep(task: Task) -> bool:
        # The times are whole seconds, and the last of them counts as a whole.
        inside = start <= task.submitted < end + 1
        return inside and not elsewhere and all(getattr(task, field) == value for field, value in wanted.items())

    return keep


def _window(query: Mapping[str, str], *, now: float) -> tuple[float, float]:
    """Return the first and the last second that are asked for; the last 24 h by default."""
    end = _time(query, "end_time")
    start = _time(query, "start_time")
    if end is None:
        end = now if start is None else min(now, start + _WINDOW.total_seconds())
    if start is None:
        start = end - _WINDOW.total_seconds()
    if start > end or end - start > _WINDOW.total_seconds():
        raise _invalid("start_time")
    return start, end


def _time(query: Mapping[str, str], name: str) -> float | None:
    text = query.get(name)
    if not text:
        return None
    try:
        return datetime.strptime(text, "%Y%m%d%H%M%S").replace(tzinfo=SERVICE_ZONE).timestamp()
    except ValueError as error:
        raise _invalid(name) from error


def _number(query: Mapping[str, str], name: str, *, default: int, most: int | None) -> int:
    text = query.get(name) or str(default)
    if not text.isascii() or not text.isdigit() or int(text) < 1 or (most is not None and int(text) > most):
        raise _invalid(name)
    return int(text)


def _invalid(name: str) -> HttpError:
    message = f"Required parameter({name}) missing or invalid, please check the request parameters."
    return HttpError(error_response(400, code="InvalidParameter", message=message))
