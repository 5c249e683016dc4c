"""The receipt of a video: its request, result, timing and cost."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from ..api.request import estimate_cost
from ..api.response import as_number
from ..api.task import Task, billed_seconds, rendered_seconds
from ..catalog.fields import VideoRequest
from ..catalog.models import MODELS
from ..catalog.regions import REGIONS, Region
from ..catalog.spec import Billing, Model
from ..frozen import frozen
from ..ledger.record import Record
from ..media.video import VideoInfo
from ..messages import Message, Text
from ..redaction import values_without_secrets


def build_receipt(  # noqa: PLR0913 - the sources of a receipt, all by name
    task: Task,
    info: VideoInfo,
    *,
    record: Record,
    request: VideoRequest | None,
    region: Region,
    resumed: bool,
    warnings: list[str],
) -> dict[str, Any]:
    """Return the receipt as a JSON object: the user's texts unchanged, no key, and the video's URL unsigned.

    `width`, `height`, `fps`, `has_audio`, `video_seconds` and `bytes` are probed from the saved file. `request` is None
    for a task that was fetched by its id: its fields then come from the ledger and the service, and unknown ones are
    None.
    """
    requested = _request_fields(request, record)
    receipt = {
        "task_id": task.task_id,
        "request_id": record.request_id or task.request_id,
        "region": region.id,
        **requested,
        "prompt": requested["prompt"] or task.orig_prompt,
        "actual_prompt": task.actual_prompt,
        "usage": dict(task.usage),
        "width": info.width,
        "height": info.height,
        "fps": info.fps,
        "video_seconds": round(info.duration, 3),
        "has_audio": info.has_audio,
        "bytes": info.bytes,
        "video_url": task.video_url.partition("?")[0],
        "submit_time": task.submit_time,
        "scheduled_time": task.scheduled_time,
        "end_time": task.end_time,
        "estimated_cost": _estimated_cost(request, record, region),
        "resumed": resumed,
        "reused": False,
        "warnings": warnings,
        "billed_cost": _billed_cost(record),
    }
    return _clean(receipt)


def outcome(task: Task, record: Record) -> dict[str, Any]:
    """Return what a finished task adds to its record: its times, and what was billed if the service tells."""
    known = {"finished_at": record.finished_at or time.time(), "rendered": rendered_seconds(task) or 0.0}
    seconds = billed_seconds(task)
    if seconds and record.currency and (record.duration or not record.estimate):
        has_clips = as_number(task.usage.get("input_video_duration")) or not record.duration
        counted = seconds if has_clips else record.duration
        tier = f"{as_number(task.usage.get('SR')):.0f}P"
        price = _price_per_second(record, seconds, counted=counted, tier=tier)
        if price:
            known |= {"billed_seconds": seconds, "billed": round(seconds * price, 4)}
    return known


def _estimated_cost(request: VideoRequest | None, record: Record, region: Region) -> dict[str, Any] | None:
    if request is None:
        return None
    if record.currency and record.estimate:
        return {"amount": record.estimate, "currency": record.currency, "as_of": record.price_date}
    return estimate_cost(request, region=region)


def _price_per_second(record: Record, seconds: float, *, counted: float, tier: str) -> float:
    """Return the price of a task that was billed as a tier, by the list that the record's estimate is from.

    `counted` are the seconds that the estimate counts, without those of clips if none are known.
    """
    model, region = MODELS.get(record.model) or _other_row(record.model), REGIONS.get(record.region)
    offer = model.offer_in(region.id) if model and region else None
    if offer is None or region is None or (offer.as_of, region.currency) != (record.price_date, record.currency):
        return record.estimate / counted
    if model and model.billing != Billing.OUTPUT:
        counted = seconds
    prices = min((offer.price, offer.silent_price), key=partial(_distance, record, seconds, counted))
    return prices.get(tier) or prices.get(record.resolution) or record.estimate / counted


def _other_row(model: str) -> Model | None:
    from ..catalog.jobs import any_row

    return any_row(model)


def _distance(record: Record, seconds: float, counted: float, prices: Mapping[str, float]) -> float:
    """Return how badly prices explain the estimate of a record that was billed for some seconds: -1 if exactly."""
    price = prices.get(record.resolution)
    if not price:
        return math.inf
    if record.estimate == round(price * counted, 4):
        return -1.0
    return abs(record.estimate / price - seconds)


def _billed_cost(record: Record) -> dict[str, Any] | None:
    """Return the list price of what was billed, as {amount, currency, as_of, seconds}; None if it is unknown."""
    if record.billed is None:
        return None
    cost = {"amount": record.billed, "currency": record.currency, "as_of": record.price_date}
    return {**cost, "seconds": record.billed_seconds}


def _request_fields(request: VideoRequest | None, record: Record) -> dict[str, Any]:
    known = ("model", "resolution", "duration")
    # A request for the clip's length has no duration, the record has that length.
    requested = {name: getattr(request, name, None) or getattr(record, name) or None for name in known}
    # As sent: a lone surrogate, which JavaScript can produce, cannot be encoded.
    prompt = request.prompt.encode("utf-8", "replace").decode() if request else None
    requested |= {"seed": request.seed if request else None, "prompt": prompt}
    if request and request.template:
        requested["template"] = request.template
    return requested


def cached_video(record: Record) -> SavedVideo:
    """Return a video that an earlier run saved, with its receipt."""
    try:
        receipt = dict(json.loads(record.receipt))
    except (ValueError, TypeError):
        # The run that saved the video was killed before it wrote the receipt: use the record's fields.
        known = ("task_id", "request_id", "region", "model", "resolution", "duration")
        receipt = {name: getattr(record, name) for name in known}
    receipt |= {"reused": True, "resumed": False}
    return SavedVideo(Path(record.path), record.task_id, _clean(receipt))


def cost_text(videos: Iterable[SavedVideo]) -> Text:
    """Return the status text's note on what a run paid for its videos: the list price of what was billed.

    "about" stands for an estimate. What was reused, and what has no price, is left out; "" if nothing is left.
    """
    receipts = [video.receipt for video in videos if not video.receipt["reused"]]
    billed = [receipt.get("billed_cost") for receipt in receipts]
    costs = [cost for cost in (billed if all(billed) else (one.get("estimated_cost") for one in receipts)) if cost]
    sums: dict[str, float] = {}
    for cost in costs:
        sums[cost["currency"]] = math.fsum((sums.get(cost["currency"], 0.0), cost["amount"]))
    amounts = " + ".join(f"{currency} {amount:.2f}" for currency, amount in sums.items() if amount)
    if not amounts:
        return ""
    if all(billed):
        return partial(Message, ", paid {amounts}", amounts=amounts)
    return partial(Message, ", about {amounts}", amounts=amounts)


def reused_text(region: Region) -> str:
    """Return the status text for a video that an earlier run saved."""
    if region.simulated:
        return Message("already saved: reused; change the seed for a new video")
    return Message("already saved: reused free of charge; change the seed for a new video")


def saved_text(video: SavedVideo) -> Text:
    """Return the status text for a video that was just saved."""
    return partial(Message, "saved {file}{paid}", file=video.path.name, paid=cost_text([video]))


def _clean(receipt: dict[str, Any]) -> dict[str, Any]:
    return dict(finite(values_without_secrets(receipt)))


@frozen
class SavedVideo:
    """A saved video: its file and its receipt."""

    path: Path
    task_id: str
    receipt: dict[str, Any]


def finite(value: Any) -> Any:
    """Return a JSON value with None for NaN and infinity, which JSON does not allow and no browser parses."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {name: finite(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(inner) for inner in value]
    return value
