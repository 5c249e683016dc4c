"""Which row of the model table a create call is for: one id may have rows for several jobs, as wan3.0's have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..wan.catalog.jobs import ALL_ROWS, EDIT_WORDS, EXTEND_WORDS
from ..wan.catalog.media import FIRST_FRAME, LAST_FRAME, REFERENCE_VIDEO
from ..wan.catalog.spec import (
    IMAGE_TO_VIDEO,
    REFERENCE_TO_VIDEO,
    TEXT_TO_VIDEO,
    VIDEO_EDIT,
    VIDEO_EXTENSION,
    Model,
)

_WORDS = {VIDEO_EDIT: EDIT_WORDS, VIDEO_EXTENSION: EXTEND_WORDS}


def models_in(region: str) -> dict[str, tuple[Model, ...]]:
    """Return the rows of each model that a region knows, by its name for it. Offline knows every row of the table."""
    found: dict[str, tuple[Model, ...]] = {}
    for row in ALL_ROWS:
        name = row.model_id_in(region)
        if name is not None:
            found[name] = (*found.get(name, ()), row)
    return found


def row_for(rows: tuple[Model, ...], given: Mapping[str, Any]) -> Model:
    """Return the row of a model that an `input` is for: the media decide, and beside a clip the prompt's words."""
    by_job = {row.job: row for row in rows}
    return by_job.get(_job_of(given), rows[0])


def _job_of(given: Mapping[str, Any]) -> str:
    items = given.get("media")
    if not items:
        return TEXT_TO_VIDEO
    kinds = [item.get("type") for item in items if isinstance(item, dict)] if isinstance(items, list) else []
    if FIRST_FRAME in kinds or LAST_FRAME in kinds:
        return IMAGE_TO_VIDEO
    return _job_of_prompt(given.get("prompt")) if REFERENCE_VIDEO in kinds else REFERENCE_TO_VIDEO


def _job_of_prompt(prompt: object) -> str:
    """Return what a prompt asks to be done with a clip. Of several words the first decides."""
    text = prompt.lower() if isinstance(prompt, str) else ""
    places = {place: job for job, words in _WORDS.items() for word in words if (place := text.find(word)) >= 0}
    return places[min(places)] if places else REFERENCE_TO_VIDEO
