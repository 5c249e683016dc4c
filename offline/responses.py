"""What the mock server sends back: the service's two forms of refusal, and what it says about tasks and models.

The API refuses in flat JSON, `{code, message, request_id}` (dashscope.md section 2); the object storage behind
uploads and videos refuses in XML (section 4). Fields of tasks: dashscope.md section 0.1 (query, usage) and section 3
(list); newer-models.md for the newer families.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any
from xml.sax.saxutils import escape

from aiohttp import web

from ..wan.catalog.media import (
    DRIVING_AUDIO,
    EDITED_VIDEO,
    FIRST_CLIP,
    FIRST_FRAME,
    REFERENCE_AUDIO,
    REFERENCE_IMAGE,
    REFERENCE_VIDEO,
)
from ..wan.catalog.spec import Model
from .task import MockTask
from .usage import usage_of

SERVICE_ZONE = timezone(timedelta(hours=8))
"""Times are written without a zone and are UTC+8 in practice (dashscope.md section 0.1)."""

ACCOUNT = "offline"
MAKES_VIDEOS = "VG"
"""The capability of every model in the list."""

_SHOW_PROMPT = ("wan2.5", "wan2.2", "wan2.2-kf2v", "wanx2.1")
_EXTENSION = ", cinematic light, fine detail, smooth camera movement"


class HttpError(Exception):
    """A call ends here with `response`."""

    def __init__(self, response: web.Response) -> None:
        super().__init__(response.status)
        self.response = response


def new_id() -> str:
    """Make a request or task id."""
    return str(uuid.uuid4())


def json_response(value: Mapping[str, object], *, status: int = 200, request_id: str | None = None) -> web.Response:
    """Answer with a JSON object, to which the request id is added."""
    whole = {**value, "request_id": request_id or new_id()}
    body = json.dumps(whole, ensure_ascii=False).encode("utf-8", "replace")
    return web.Response(status=status, body=body, content_type="application/json")


def error_response(status: int, *, code: str, message: str) -> web.Response:
    """Refuse as the API does."""
    return json_response({"code": code, "message": message}, status=status)


def oss_error_response(
    status: int, *, code: str, message: str, headers: Mapping[str, str] | None = None
) -> web.Response:
    """Refuse as the object storage does."""
    text = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error>\n  <Code>{escape(code)}</Code>\n  <Message>{escape(message)}</Message>\n"
        f"  <RequestId>{uuid.uuid4().hex[:24].upper()}</RequestId>\n  <HostId>127.0.0.1</HostId>\n</Error>\n"
    )
    return web.Response(status=status, body=text.encode(), content_type="application/xml", headers=headers)


def time_text(seconds: float) -> str:
    """Write a time as `YYYY-MM-DD HH:mm:ss.SSS`."""
    return datetime.fromtimestamp(seconds, SERVICE_ZONE).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]


def serialize_task(task: MockTask, *, video_url: str) -> dict[str, Any]:
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
    # wan2.6 and later families never show the rewritten prompt; an effect has none.
    shown = task.model.family in _SHOW_PROMPT
    if shown and task.inputs.prompt_extend and not task.inputs.template:
        output["actual_prompt"] = task.inputs.prompt + _EXTENSION
    output["video_url"] = video_url
    return {"output": output, "usage": usage_of(task, task.inputs)}


def serialize_list_row(task: MockTask, *, region: str) -> Mapping[str, object]:
    """Make one row of the list. Times are epoch milliseconds; those that have not come are missing."""
    times = {"gmt_create": task.submitted, "start_time": task.scheduled, "end_time": task.ended}
    return {
        "task_id": task.id,
        "status": task.state,
        "model_name": task.model_name,
        "region": region,
        "request_id": task.request_id,
        "api_key_id": ACCOUNT,
        "caller_parent_id": ACCOUNT,
        "caller_uid": ACCOUNT,
        **{name: int(seconds * 1000) for name, seconds in times.items() if seconds is not None},
        "user_api_unique_key": f"apikey:v1:aigc:image2video:video-synthesis:{task.model_name}",
    }


_MODALITIES = {
    FIRST_FRAME: "Image",
    REFERENCE_IMAGE: "Image",
    REFERENCE_VIDEO: "Video",
    EDITED_VIDEO: "Video",
    FIRST_CLIP: "Video",
    REFERENCE_AUDIO: "Audio",
    DRIVING_AUDIO: "Audio",
}


def serialize_model(name: str, rows: Sequence[Model], *, region: str) -> dict[str, Any]:
    """Make one line of `GET /models`, by the region's name for the model. Prices are per second of video and tier."""
    model = rows[0]
    offer = model.offers.get(region)
    accepted = [modality for kind, modality in _MODALITIES.items() if any(row.accepts(kind) for row in rows)]
    return {
        "model": name,
        "name": name,
        "description": "",
        "provider": "happyhorse" if model.family == "happyhorse" else "wan",
        "capabilities": [MAKES_VIDEOS],
        "features": [],
        "inference_metadata": {
            "request_modality": ["Text", *dict.fromkeys(accepted)],
            "response_modality": ["Video"],
        },
        "prices": [
            {"range_name": tier, "prices": [{"type": "video", "price": f"{price:g}", "price_unit": "per second"}]}
            for tier, price in (offer.price if offer else {}).items()
        ],
        "inference_offline_info": None,
    }
