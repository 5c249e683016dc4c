"""The receipt of a video: what was asked, what was made, what it took and cost."""

from __future__ import annotations

from typing import Any

from ..media.video import VideoFacts
from ..service.regions import Region
from ..service.request import VideoRequest, cost
from ..service.task import Task


def make_receipt(  # noqa: PLR0913 - what a receipt is made of, all by name
    task: Task,
    facts: VideoFacts,
    *,
    request: VideoRequest | None,
    region: Region,
    request_id: str,
    resumed: bool,
    warnings: list[str],
) -> dict[str, Any]:
    """Return the receipt as one JSON object: no key, no base64.

    `width`, `height`, `fps`, `has_audio`, `video_seconds` and `bytes` are probed from the saved file. `request` is None
    for a task that was fetched by its id alone: what was asked is then not known, nor what it cost.
    """
    asked: dict[str, Any] = dict.fromkeys(("model", "resolution", "duration", "seed", "prompt"))
    if request is not None:
        asked = {name: getattr(request, name) for name in asked}
        if request.template:
            asked["template"] = request.template
    return {
        "task_id": task.task_id,
        "request_id": request_id,
        "region": region.id,
        **asked,
        "prompt": task.orig_prompt or asked["prompt"],
        "actual_prompt": task.actual_prompt,
        "usage": dict(task.usage),
        "width": facts.width,
        "height": facts.height,
        "fps": facts.fps,
        "video_seconds": round(facts.duration, 3),
        "has_audio": facts.has_audio,
        "bytes": facts.bytes,
        "video_url": task.video_url,
        "submit_time": task.submit_time,
        "scheduled_time": task.scheduled_time,
        "end_time": task.end_time,
        "estimated_cost": cost(request, region=region) if request is not None else None,
        "resumed": resumed,
        "reused": False,
        "warnings": warnings,
    }
