"""The create call: what is refused at once, and what becomes a task that succeeds or fails later.

A wrong model name or body form is refused with 400 before a task exists; a wrong field or file is only found when the
task is looked at, so the caller gets a task id first (dashscope.md section 8, "Validation comes late").
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NoReturn

from ..wan.catalog.media import FIRST_FRAME
from ..wan.catalog.models import ADAPTIVE
from ..wan.catalog.regions import REGIONS
from ..wan.catalog.spec import IMAGE_TO_VIDEO, VIDEO_EDIT, VIDEO_EXTENSION, Model
from .failures import TaskFailure, TaskRejected
from .responses import HttpError, error_response, new_id
from .rows import row_for, rows_named
from .scene import ResolvedMedia, Scene, named_size, nearest_ratio
from .state import ServerState
from .task import MockTask
from .usage import input_seconds, video_seconds
from .validation import TaskInputs, parse_inputs

logger = logging.getLogger("dashscope_wan")
_DEEPEST = 10
_WIDE = "16:9"
"""The shape of a video that begins with nothing, where the model may choose it."""

_MARKS = {"happyhorse": "Happy Horse"}
_DATA_URI = re.compile(r"data:[^,]{0,100},")


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
    rows = rows_named(name, region=state.region)
    if not rows or not isinstance(name, str):
        _refuse("InvalidParameter", "Model not exist.")
    if path != rows[0].request_format.path:
        _refuse("InvalidParameter", "url error, please check url!")
    state.rates.check(f"create {name}", per_second=rows[0].rate_limit)
    _require_objects(body)
    model = row_for(rows, body["input"])
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
    waiting = sum(task.model.id == model.id and task.state == "PENDING" for task in state.tasks.all())
    if waiting >= limit:
        _refuse("Throttling.Concurrency", "Too many tasks are waiting, please try again later.", status=429)


def _accept(state: ServerState, task: MockTask, *, body: Mapping[str, Any], oss: bool) -> None:
    from .media import MediaResolver  # Brings the codecs, which only a create call needs.
    from .references import resolve_references

    media = ResolvedMedia()
    try:
        inputs = parse_inputs({"parameters": {}, **body}, model=task.model, effects=REGIONS[state.region].effects)
        finder = MediaResolver(state.storage, model=task.model, model_name=task.model_name, oss=oss)
        media = resolve_references(finder, inputs) if task.model.slots else finder.resolve(inputs)
    except TaskRejected as rejected:
        state.tasks.finish(task, failure=rejected.failure)
    else:
        inputs = replace(
            inputs, duration=video_seconds(inputs, media, model=task.model), ratio=_ratio_of(inputs, media)
        )
        task.inputs = inputs
        task.clip_seconds = input_seconds(media, model=task.model)
        task.ratio = nearest_ratio(*media.size) if inputs.ratio == ADAPTIVE and media.size else inputs.ratio
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


def _ratio_of(inputs: TaskInputs, media: ResolvedMedia) -> str:
    """Return the video's named ratio, or ADAPTIVE where it has the shape of what it begins with."""
    if media.size is None:
        return _WIDE if inputs.ratio == ADAPTIVE else inputs.ratio
    # Beside references, a first frame decides (other-jobs.md section 2.2).
    return ADAPTIVE if media.references and FIRST_FRAME in inputs.media else inputs.ratio


def _scene_of(task: MockTask, inputs: TaskInputs, *, media: ResolvedMedia) -> Scene:
    job = task.model.job
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
        prompt="" if job == IMAGE_TO_VIDEO else inputs.prompt,
        pictures=media.pictures,
        clip_sound=job in (VIDEO_EDIT, VIDEO_EXTENSION),
        edited=job == VIDEO_EDIT,
        size=named_size(task.model, size=inputs.size, resolution=inputs.resolution, ratio=inputs.ratio),
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
