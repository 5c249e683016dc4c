"""The receipt of a video: what was asked, what was made, what it took and cost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ..media.video import VideoFacts
from ..redaction import values_without_keys
from ..service.regions import Region
from ..service.request import VideoRequest, cost
from ..service.task import Task
from ..values import finite
from .entry import Entry
from .saving import SavedVideo


def make_receipt(  # noqa: PLR0913 - what a receipt is made of, all by name
    task: Task,
    facts: VideoFacts,
    *,
    entry: Entry,
    request: VideoRequest | None,
    region: Region,
    resumed: bool,
    warnings: list[str],
) -> dict[str, Any]:
    """Return the receipt as one JSON object: the user's words as they are, no key, no signature in the video's address.

    `width`, `height`, `fps`, `has_audio`, `video_seconds` and `bytes` are probed from the saved file. `request` is None
    for a task that was fetched by its id: of what was asked only what the ledger and the service tell is then known,
    and None stands for the rest.
    """
    asked = _asked(request, entry)
    receipt = {
        "task_id": task.task_id,
        "request_id": entry.request_id or task.request_id,
        "region": region.id,
        **asked,
        "prompt": asked["prompt"] or task.orig_prompt,
        "actual_prompt": task.actual_prompt,
        "usage": dict(task.usage),
        "width": facts.width,
        "height": facts.height,
        "fps": facts.fps,
        "video_seconds": round(facts.duration, 3),
        "has_audio": facts.has_audio,
        "bytes": facts.bytes,
        "video_url": task.video_url.partition("?")[0],
        "submit_time": task.submit_time,
        "scheduled_time": task.scheduled_time,
        "end_time": task.end_time,
        "estimated_cost": cost(request, region=region) if request is not None else None,
        "resumed": resumed,
        "reused": False,
        "warnings": warnings,
    }
    return _clean(receipt)


def _asked(request: VideoRequest | None, entry: Entry) -> dict[str, Any]:
    asked = {name: getattr(request or entry, name, None) or None for name in ("model", "resolution", "duration")}
    # As it was sent: half a character, which JavaScript can hand over, has no bytes.
    prompt = request.prompt.encode("utf-8", "replace").decode() if request else None
    asked |= {"seed": request.seed if request else None, "prompt": prompt}
    if request and request.template:
        asked["template"] = request.template
    return asked


def reused(entry: Entry) -> SavedVideo:
    """Return a video that an earlier run saved, with its receipt."""
    try:
        receipt = dict(json.loads(entry.receipt))
    except (ValueError, TypeError):
        receipt = {"task_id": entry.task_id, "model": entry.model, "region": entry.region}
    receipt |= {"reused": True, "resumed": False}
    return SavedVideo(Path(entry.path), entry.task_id, _clean(receipt))


def _clean(receipt: dict[str, Any]) -> dict[str, Any]:
    return dict(finite(values_without_keys(receipt)))
