"""What each call of the protocol does (dashscope.md sections 0.1, 3 and 4)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from email.utils import formatdate
from pathlib import Path

from aiohttp import BodyPartReader, web

from ..wan.catalog.regions import DEFAULT_REGION, REGIONS
from .create import create_task
from .responses import (
    ACCOUNT,
    MAKES_VIDEOS,
    SERVICE_ZONE,
    HttpError,
    error_response,
    json_response,
    oss_error_response,
    serialize_list_row,
    serialize_model,
    serialize_task,
)
from .rows import models_in
from .state import STATE, ServerState
from .storage import malformed_form
from .task import MockTask

_WINDOW = timedelta(hours=24)
_STATES = ("PENDING", "RUNNING", "SUCCEEDED", "FAILED", "CANCELED", "UNKNOWN")
_MAX_PAGE_SIZE = 100
_MAX_MODELS = 200


async def create(request: web.Request) -> web.Response:
    """Create a task."""
    task = await asyncio.to_thread(
        create_task,
        request.app[STATE],
        path=request.match_info["path"],
        headers=request.headers,
        data=await request.read(),
    )
    return json_response({"output": {"task_status": "PENDING", "task_id": task.id}}, request_id=task.request_id)


async def query(request: web.Request) -> web.Response:
    """Tell what a task has come to."""
    state, task_id = request.app[STATE], request.match_info["name"]
    task = state.tasks.get(task_id)
    if task is None:
        return json_response({"output": {"task_id": task_id, "task_status": "UNKNOWN"}})
    return json_response(serialize_task(task, video_url=_video_url(state, task)))


def _video_url(state: ServerState, task: MockTask) -> str:
    if task.ended is None:
        return ""
    return state.base_url + state.storage.link(f"/files/{task.id}.mp4", made=task.ended)


async def cancel(request: web.Request) -> web.Response:
    """Cancel a task that waits."""
    if not request.app[STATE].tasks.cancel(request.match_info["name"]):
        message = "Failed to cancel the task, please confirm if the task is in PENDING status."
        raise HttpError(error_response(400, code="UnsupportedOperation", message=message))
    return json_response({})


async def policy(request: web.Request) -> web.Response:
    """Let a file be uploaded."""
    state = request.app[STATE]
    if request.query.get("action") != "getPolicy":
        raise _invalid("action")
    if not REGIONS[state.region].temporary_storage:
        raise HttpError(error_response(403, code="AccessDenied", message="Access denied."))
    model = request.query.get("model", "")
    if model not in models_in(state.region):
        raise HttpError(error_response(400, code="InvalidParameter", message="Model not exist."))
    return json_response({"data": state.storage.policy(model, host=f"{state.base_url}/upload")})


async def upload(request: web.Request) -> web.Response:
    """Take a file in."""
    if request.content_type != "multipart/form-data":
        raise malformed_form()
    fields = []
    try:
        form = await request.multipart()
        while isinstance(part := await form.next(), BodyPartReader):
            fields.append((part.name or "", bytes(await part.read())))
    except (ValueError, AssertionError) as error:  # aiohttp 3.11 asserts that a form has an end.
        raise malformed_form() from error
    status = await asyncio.to_thread(request.app[STATE].storage.receive, fields)
    return web.Response(status=status, content_type="application/xml")


async def download(request: web.Request) -> web.Response:
    """Send a video, or a part of it."""
    state, task_id = request.app[STATE], request.match_info["name"]
    state.storage.check_link(request.path, query=request.query)
    task = state.tasks.get(task_id)
    if task is None or task.state != "SUCCEEDED" or task.video is None or task.ended is None:
        raise HttpError(oss_error_response(404, code="NoSuchKey", message="The specified key does not exist."))
    size = task.video.stat().st_size
    headers = {
        "Accept-Ranges": "bytes",
        "ETag": f'"{task.video.stem.upper()}"',
        "Last-Modified": formatdate(task.ended, usegmt=True),
    }
    part = _part(request, etag=headers["ETag"])
    start, stop, _ = part.indices(size)
    if start >= stop:
        refusal = {"Content-Range": f"bytes */{size}"}
        message = "The requested range cannot be satisfied."
        raise HttpError(oss_error_response(416, code="InvalidRange", message=message, headers=refusal))
    if part != slice(None):
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
    body = await asyncio.to_thread(_read, task.video, start, stop)
    return web.Response(
        status=206 if part != slice(None) else 200, body=body, content_type="video/mp4", headers=headers
    )


def _part(request: web.Request, *, etag: str) -> slice:
    """Return which bytes are asked for. The storage ignores a range that it cannot read, or of another file."""
    try:
        wanted = request.http_range
    except ValueError:
        return slice(None)
    if "Range" not in request.headers or request.headers.get("If-Range", etag) != etag:
        return slice(None)
    return wanted


def _read(path: Path, start: int, stop: int) -> bytes:
    with path.open("rb") as file:
        file.seek(start)
        return file.read(stop - start)


async def list_models(request: web.Request) -> web.Response:
    """List the models by the region's names for them.

    Filters: `name` is a part of the id, `model` the id, `providers` and `capabilities` are one value each.
    """
    region, wanted = request.app[STATE].region, request.query
    page_no = _number(wanted, "page_no", default=1, most=None)
    page_size = _number(wanted, "page_size", default=20, most=_MAX_MODELS)
    rows = [serialize_model(name, models, region=region) for name, models in models_in(region).items()]
    found = [
        row
        for row in rows
        if wanted.get("name", "") in row["model"]
        and wanted.get("model", row["model"]) == row["model"]
        and wanted.get("providers", row["provider"]) == row["provider"]
        and wanted.get("capabilities", MAKES_VIDEOS) == MAKES_VIDEOS
    ]
    start = (page_no - 1) * page_size
    page = {"total": len(found), "page_no": page_no, "page_size": page_size, "models": found[start : start + page_size]}
    return json_response({"code": None, "message": None, "success": True, "output": page})


async def list_tasks(request: web.Request) -> web.Response:
    """List the tasks of a window of at most 24 h, the newest first."""
    state, wanted = request.app[STATE], request.query
    region = REGIONS[state.region].docs_id or REGIONS[DEFAULT_REGION].docs_id
    page_no = _number(wanted, "page_no", default=1, most=None)
    page_size = _number(wanted, "page_size", default=10, most=_MAX_PAGE_SIZE)
    keep = _filter(wanted, region=region, now=state.clock())
    found = [task for task in reversed(state.tasks.all()) if keep(task)]
    start = (page_no - 1) * page_size
    return json_response(
        {
            "total": len(found),
            "total_page": -(-len(found) // page_size),
            "page_no": page_no,
            "page_size": page_size,
            "data": [serialize_list_row(task, region=region) for task in found[start : start + page_size]],
        }
    )


def _filter(wanted: Mapping[str, str], *, region: str, now: float) -> Callable[[MockTask], bool]:
    start, end = _window(wanted, now=now)
    status = wanted.get("status", "")
    if status and status not in _STATES:
        raise _invalid("status")
    fields = {"task_id": "id", "model_name": "model_name", "status": "state"}
    same = {field: wanted[name] for name, field in fields.items() if wanted.get(name)}
    elsewhere = wanted.get("region") not in (None, "", region) or wanted.get("api_key_id") not in (None, "", ACCOUNT)

    def keep(task: MockTask) -> bool:
        # The times are whole seconds, and the last of them counts as a whole.
        inside = start <= task.submitted < end + 1
        return inside and not elsewhere and all(getattr(task, field) == value for field, value in same.items())

    return keep


def _window(wanted: Mapping[str, str], *, now: float) -> tuple[float, float]:
    """Return the first and the last second that are asked for; the last 24 h by default."""
    end = _time(wanted, "end_time")
    start = _time(wanted, "start_time")
    if end is None:
        end = now if start is None else min(now, start + _WINDOW.total_seconds())
    if start is None:
        start = end - _WINDOW.total_seconds()
    if start > end or end - start > _WINDOW.total_seconds():
        raise _invalid("start_time")
    return start, end


def _time(wanted: Mapping[str, str], name: str) -> float | None:
    text = wanted.get(name)
    if not text:
        return None
    try:
        return datetime.strptime(text, "%Y%m%d%H%M%S").replace(tzinfo=SERVICE_ZONE).timestamp()
    except ValueError as error:
        raise _invalid(name) from error


def _number(wanted: Mapping[str, str], name: str, *, default: int, most: int | None) -> int:
    text = wanted.get(name) or str(default)
    if not text.isascii() or not text.isdigit() or int(text) < 1 or (most is not None and int(text) > most):
        raise _invalid(name)
    return int(text)


def _invalid(name: str) -> HttpError:
    message = f"Required parameter({name}) missing or invalid, please check the request parameters."
    return HttpError(error_response(400, code="InvalidParameter", message=message))
