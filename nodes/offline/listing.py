"""The lists, of tasks and of models: their filters and pages (dashscope.md sections 3 and 6)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from ..service.model import Model
from .answers import HttpError, error_response
from .families import is_happyhorse
from .replies import ACCOUNT, SERVICE_ZONE, serialize_list_row
from .tasks import Task

_WINDOW = timedelta(hours=24)
_STATES = ("PENDING", "RUNNING", "SUCCEEDED", "FAILED", "CANCELED", "UNKNOWN")
_MAX_PAGE_SIZE = 100
_MAX_MODELS = 200
_MAKES_VIDEOS = "VG"


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
