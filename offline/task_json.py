"""What the service says about a task: the query's reply, the usage of each family, the list's rows.

Fields: dashscope.md section 0.1 (query, usage) and section 3 (list); newer-models.md for the newer families.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

from .tasks import Task
from .validation import TaskInputs

SERVICE_ZONE = timezone(timedelta(hours=8))
"""Times are written without a zone and are UTC+8 in practice (dashscope.md section 0.1)."""

_EXTENSION = ", cinematic light, fine detail, smooth camera movement"
ACCOUNT = "offline"


def time_text(seconds: float) -> str:
    """Write a time as `YYYY-MM-DD HH:mm:ss.SSS`."""
    return datetime.fromtimestamp(seconds, SERVICE_ZONE).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]


def serialize_task(task: Task, *, video_url: str) -> dict[str, Any]:
    """Make the query's reply without its request id. `video_url` is used where the task has succeeded."""
    output: dict[str, object] = {"task_id": task.id, "task_status": task.state}
    if task.state == "FAILED" and task.failure is not None:
        both = {"code": task.failure.code, "message": task.failure.message}
        reason = {name: text for name, text in both.items() if text}
        return {**reason, "output": output} if task.failure.outside else {"output": {**output, **reason}}
    output["submit_time"] = time_text(task.submitted)
    if task.scheduled is not None:
        output["scheduled_time"] = time_text(task.scheduled)
    if task.ended is not None:
        output["end_time"] = time_text(task.ended)
    if task.state != "SUCCEEDED" or task.inputs is None:
        return {"output": output}
    output["orig_prompt"] = task.inputs.prompt
    # wan2.6 and what takes a list of media never show the rewritten prompt; an effect has none.
    shown = task.model.request_format.fields and not task.model.id.startswith("wan2.6")
    if shown and task.inputs.prompt_extend and not task.inputs.template:
        output["actual_prompt"] = task.inputs.prompt + _EXTENSION
    output["video_url"] = video_url
    return {"output": output, "usage": usage(task, task.inputs)}


def usage(task: Task, inputs: TaskInputs) -> dict[str, object]:
    """Make the `usage` object as the model's family has it."""
    make = next(make for family, make in _USAGE.items() if task.model.id.startswith(family))
    return make(task, inputs)


def _oldest(_task: Task, inputs: TaskInputs) -> dict[str, object]:
    return {"video_duration": inputs.duration, "video_ratio": "standard", "video_count": 1}


def _frames(_task: Task, inputs: TaskInputs) -> dict[str, object]:
    return {"video_duration": inputs.duration, "video_count": 1, "SR": _tier(inputs)}


def _plain(_task: Task, inputs: TaskInputs) -> dict[str, object]:
    return {"duration": inputs.duration, "SR": _tier(inputs), "video_count": 1}


def _billed(task: Task, inputs: TaskInputs) -> dict[str, object]:
    """A clip's seconds are billed with the new ones (newer-models.md section 1.4)."""
    return {
        "duration": inputs.duration,
        "input_video_duration": _number(task.clip_seconds),
        "output_video_duration": _number(inputs.duration - task.clip_seconds),
        "video_count": 1,
        "SR": _tier(inputs),
    }


def _billed_by_audio(task: Task, inputs: TaskInputs) -> dict[str, object]:
    return {**_billed(task, inputs), **({"audio": inputs.audio} if task.model.audio_switch else {})}


def _in_floats(task: Task, inputs: TaskInputs) -> dict[str, object]:
    return {
        "video_count": 1,
        "duration": float(inputs.duration),
        "input_video_duration": 0.0,
        "output_video_duration": float(inputs.duration),
        "fps": task.model.fps,
        "SR": _tier(inputs),
        "ratio": task.ratio,
    }


_USAGE: Mapping[str, Callable[[Task, TaskInputs], dict[str, object]]] = {
    "wanx2.1": _oldest,
    "wan2.2-kf2v": _frames,
    "wan2.2": _plain,
    "wan2.5": _plain,
    "wan2.6": _billed_by_audio,
    "wan2.7": _billed,
    "wan3.0": _in_floats,
    "happyhorse": _billed,
}
"""How each family tells what was used: dashscope.md section 0.1, newer-models.md sections 1.4, 2.5, 3 and 4."""


def _tier(inputs: TaskInputs) -> int:
    return int(inputs.resolution.removesuffix("P"))


def _number(seconds: float) -> float:
    return int(seconds) if seconds == int(seconds) else round(seconds, 2)


def serialize_list_row(task: Task, *, region: str) -> Mapping[str, object]:
    """Make one row of the list. Times are epoch milliseconds; those that have not come are missing."""
    row: dict[str, object] = {
        "task_id": task.id,
        "status": task.state,
        "model_name": task.model_name,
        "region": region,
        "request_id": task.request_id,
        "api_key_id": ACCOUNT,
        "caller_parent_id": ACCOUNT,
        "caller_uid": ACCOUNT,
        "gmt_create": _milliseconds(task.submitted),
        "user_api_unique_key": f"apikey:v1:aigc:image2video:video-synthesis:{task.model_name}",
    }
    if task.scheduled is not None:
        row["start_time"] = _milliseconds(task.scheduled)
    if task.ended is not None:
        row["end_time"] = _milliseconds(task.ended)
    return row


def _milliseconds(seconds: float) -> int:
    return int(seconds * 1000)
