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

from ..wan.catalog.models import ADAPTIVE, MODELS
from ..wan.catalog.regions import REGIONS
from ..wan.catalog.spec import Model
from .responses import HttpError, error_response, new_id
from .scene import ResolvedMedia, Scene, nearest_ratio
from .state import ServerState
from .task import MockTask
from .validation import TaskFailure, TaskInputs, TaskRejected, parse_inputs

logger = logging.getLogger("dashscope_wan")
_DEEPEST = 10
_MARKS = {"happyhorse": "Happy Horse"}
_DATA_URI = re.compile(r"data:[^,]{0,100},")


def models_in(region: str) -> dict[str, Model]:
    """Return the models that a region knows, by its names for them. Offline knows every row of the table."""
    names = {model.model_id_in(region): model for model in MODELS.values()}
    return {name: model for name, model in names.items() if name is not None}


def create_task(state: ServerState, *, path: str, headers: Mapping[str, str], data: bytes) -> MockTask:
    """Create a task from a create call, and order its video. Raises HttpError where no task comes to be.

    `path` is what follows the API's own; `headers` have names without case.
    """
    if headers.get("X-DashScope-Async") != "enable":
        _refuse("AccessDenied", "current user api does not support synchronous calls.", status=403)
    body = _read_body(data, content_type=headers.get("Content-Type", ""))
    name = body.get("model")
    if name is None:
        _refuse("BadRequest.EmptyModel", 'Required parameter "model" missing from request.')
    model = models_in(state.region).get(name) if isinstance(name, str) else None
    if model is None or not isinstance(name, str):
        _refuse("InvalidParameter", "Model not exist.")
    if path != model.request_format.path:
        _refuse("InvalidParameter", "url error, please check url!")
    state.rates.check(f"create {name}", per_second=model.rate_limit)
    _require_objects(body)
    _check_queue(state, model)
    task = MockTask(
        id=new_id(),
        request_id=new_id(),
        model=model,
        model_name=name,
        body=_shortened(body),
        submitted=state.clock(),
    )
    _accept(state, task, body=body, oss=headers.get("X-DashScope-OssResourceResolve") == "enable")
    return task


def _check_queue(state: ServerState, model: Model) -> None:
    """Refuse what would wait behind a full queue. The service documents its length and not its words."""
    if not state.rates.enforced:
        return
    limit: int = model.queue_limit
    waiting = sum(task.model is model and task.state == "PENDING" for task in state.tasks.all())
    if waiting >= limit:
        _refuse("Throttling.Concurrency", "Too many tasks are waiting, please try again later.", status=429)


def _accept(state: ServerState, task: MockTask, *, body: Mapping[str, Any], oss: bool) -> None:
    from .media import MediaResolver  # Brings the codecs, which only a create call needs.

    media = ResolvedMedia()
    try:
        inputs = parse_inputs({"parameters": {}, **body}, model=task.model, effects=REGIONS[state.region].effects)
        finder = MediaResolver(state.storage, model=task.model, model_name=task.model_name, oss=oss)
        media = finder.resolve(inputs)
    except TaskRejected as rejected:
        state.tasks.finish(task, failure=rejected.failure)
    else:
        task.inputs = inputs
        task.clip_seconds = media.clip.seconds if media.clip else 0.0
        task.ratio = nearest_ratio(*media.size) if inputs.ratio == ADAPTIVE else inputs.ratio
        task.notes += [f"{name} is ignored: {task.model_name} has no such field" for name in inputs.ignored]
    task.notes += media.notes
    for note in task.notes:
        logger.warning("Offline task %s: %s", task.id, note)
    if task.inputs is not None:
        task.scene = _scene_of(task, task.inputs, media=media)
    state.tasks.add(task)
    if task.scene is not None and task.failure is None:
        order_video(state, task, task.scene)
    elif task.inputs is not None:
        state.tasks.finish(task)


def _scene_of(task: MockTask, inputs: TaskInputs, *, media: ResolvedMedia) -> Scene:
    return Scene(
        image=media.image,
        resolution=inputs.resolution,
        duration=inputs.duration,
        has_audio=inputs.audio,
        audio=media.audio if inputs.audio else None,
        template=inputs.template,
        watermark=_MARKS.get(task.model.family, "AI generated") if inputs.watermark else "",
        ending=media.ending,
        clip=media.clip,
        ratio=inputs.ratio,
        fps=task.model.fps,
    )


def order_video(state: ServerState, task: MockTask, scene: Scene) -> None:
    """Have a task's video rendered."""

    def done(path: Any) -> None:
        failure = None if path else TaskFailure("InternalError.Algo", "inference internal error.")
        state.tasks.finish(task, video=path, failure=failure)

    state.worker.enqueue(scene, wanted=lambda: task.state != "CANCELED", done=done)


def _read_body(data: bytes, *, content_type: str) -> dict[str, Any]:
    if content_type.split(";", maxsplit=1)[0].strip().lower() != "application/json":
        _refuse("InvalidParameter", "Required body invalid, please check the request body format.")
    try:
        body = json.loads(data, parse_constant=_no_constant)
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
    raise HttpError(error_response(status, code=code, message=message))
