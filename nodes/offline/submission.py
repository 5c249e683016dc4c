"""The create call: what is refused at once, and what becomes a task that succeeds or fails later.

A wrong model name or body form is refused with 400 before a task exists; a wrong field or file is only found when the
task is looked at, so the caller gets a task id first (dashscope.md section 8, "Validation comes late").
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping
from typing import Any, NoReturn

from ..service.model import Model
from ..service.models import ADAPTIVE, MODELS
from ..service.regions import API_PATH, REGIONS
from .answers import RefusedError, new_id, refusal
from .calls import Call
from .checks import read_order
from .families import is_happyhorse
from .faults import Fault, TaskFails, TaskStuck
from .parts import Parts
from .scene import Scene, Sources, nearest_ratio
from .tasks import Task
from .unfit import Failure, UnfitError

logger = logging.getLogger("dashscope_wan")
_DEEPEST = 10
_DATA_URI = re.compile(r"data:[^,]{0,100},")


def models_in(region: str) -> dict[str, Model]:
    """Return the models that a region knows, by its names for them. Offline knows every row of the table."""
    names = {model.name_in(region): model for model in MODELS.values()}
    return {name: model for name, model in names.items() if name is not None}


def submit(parts: Parts, call: Call) -> Task:
    """Create a task from a create call, and order its video. Raises RefusedError where no task comes to be."""
    if call.headers.get("x-dashscope-async") != "enable":
        _refuse("AccessDenied", "current user api does not support synchronous calls.", status=403)
    body = _read_body(call)
    name = body.get("model")
    if name is None:
        _refuse("BadRequest.EmptyModel", 'Required parameter "model" missing from request.')
    model = models_in(parts.region).get(name) if isinstance(name, str) else None
    if model is None or not isinstance(name, str):
        _refuse("InvalidParameter", "Model not exist.")
    if call.path.rstrip("/") != API_PATH + model.schema.path:
        _refuse("InvalidParameter", "url error, please check url!")
    parts.rates.check(f"create {name}", per_second=model.submit_rate)
    _require_objects(body)
    _check_queue(parts, model)
    task = Task(
        id=new_id(),
        request_id=new_id(),
        model=model,
        model_name=name,
        body=_shortened(body),
        submitted=parts.clock(),
    )
    _take_in(parts, task, body=body, call=call)
    return task


def _check_queue(parts: Parts, model: Model) -> None:
    """Refuse what would wait behind a full queue. The service documents its length and not its words."""
    if not parts.rates.enforced:
        return
    limit: int = model.queue_limit
    waiting = sum(task.model is model and task.state == "PENDING" for task in parts.book.all())
    if waiting >= limit:
        _refuse("Throttling.Concurrency", "Too many tasks are waiting, please try again later.", status=429)


def bend(parts: Parts, task: Task, *, fault: Fault | None) -> None:
    """Let a fault that concerns a task take hold of it."""
    if isinstance(fault, TaskFails):
        parts.book.fail(task, Failure(fault.code, fault.message, outside=fault.outside))
    elif isinstance(fault, TaskStuck):
        parts.book.hold(task, fault.state)


def _take_in(parts: Parts, task: Task, *, body: Mapping[str, Any], call: Call) -> None:
    from .sources import Finder  # Brings the codecs, which only a create call needs.

    sources = Sources()
    try:
        oss = call.headers.get("x-dashscope-ossresourceresolve") == "enable"
        order = read_order({"parameters": {}, **body}, model=task.model, effects=REGIONS[parts.region].effects)
        finder = Finder(parts.storage, model=task.model, model_name=task.model_name, oss=oss)
        sources = finder.sources(order)
    except UnfitError as unfit:
        parts.book.finish(task, failure=unfit.failure)
    else:
        task.order = order
        task.clip_seconds = sources.clip.seconds if sources.clip else 0.0
        task.ratio = nearest_ratio(*sources.size) if order.ratio == ADAPTIVE else order.ratio
        task.notes += [f"{name} is ignored: {task.model_name} has no such field" for name in order.ignored]
    task.notes += sources.notes
    for note in task.notes:
        logger.warning("Offline task %s: %s", task.id, note)
    bend(parts, task, fault=call.fault)
    parts.book.add(task)
    if task.order is not None:
        _order_video(parts, task, sources=sources)


def _order_video(parts: Parts, task: Task, *, sources: Sources) -> None:
    order = task.order
    if order is None or task.failure is not None:
        parts.book.finish(task)
        return
    scene = Scene(
        picture=sources.picture,
        resolution=order.resolution,
        duration=order.duration,
        has_sound=order.audio,
        sound=sources.sound if order.audio else None,
        template=order.template,
        watermark=_mark_of(task.model) if order.watermark else "",
        ending=sources.ending,
        clip=sources.clip,
        ratio=order.ratio,
        fps=task.model.fps,
    )

    def done(path: Any) -> None:
        failure = None if path else Failure("InternalError.Algo", "inference internal error.")
        parts.book.finish(task, video=path, failure=failure)

    parts.worker.order(scene, wanted=lambda: task.state != "CANCELED", done=done)


def _mark_of(model: Model) -> str:
    return "Happy Horse" if is_happyhorse(model) else "AI generated"


def _read_body(call: Call) -> dict[str, Any]:
    if call.headers.get("content-type", "").split(";")[0].strip().lower() != "application/json":
        _refuse("InvalidParameter", "Required body invalid, please check the request body format.")
    try:
        body = json.loads(call.body, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        _refuse("BadRequest.IllegalInput", "The input parameter requires json format.")
    return body


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _require_objects(body: Mapping[str, Any]) -> None:
    if body.get("input") is None:
        _refuse("BadRequest.EmptyInput", "Required input parameter missing from request.")
    # Clients that leave the object out get their videos, by the defaults; what is there has to be one.
    parameters = body.get("parameters", {})
    if parameters is None:
        _refuse("BadRequest.EmptyParameters", 'Required parameter "parameters" missing from request.')
    if not isinstance(body["input"], dict) or not isinstance(parameters, dict):
        _refuse("InvalidParameter", "Required body invalid, please check the request body format.")


def _shortened(value: Any, *, depth: int = 0) -> Any:
    """Return a copy of a JSON value in which data URIs end after their comma, and nothing is nested deep."""
    if isinstance(value, (dict, list)) and depth > _DEEPEST:
        return None
    if isinstance(value, dict):
        return {name: _shortened(inner, depth=depth + 1) for name, inner in value.items()}
    if isinstance(value, list):
        return [_shortened(inner, depth=depth + 1) for inner in value]
    if isinstance(value, str) and (found := _DATA_URI.match(value)):
        return found.group(0)
    return value


def _refuse(code: str, message: str, *, status: int = 400) -> NoReturn:
    raise RefusedError(refusal(status, code=code, message=message))
