"""Which row of the model table a create call is for: one id may have rows for several jobs, as wan3.0's have."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..wan.catalog.media import FIRST_FRAME, LAST_FRAME, REFERENCE_VIDEO
from ..wan.catalog.models import MODELS
from ..wan.catalog.spec import (
    IMAGE_TO_VIDEO,
    REFERENCE_TO_VIDEO,
    TEXT_TO_VIDEO,
    VIDEO_EDIT,
    VIDEO_EXTENSION,
    Model,
)


def models_in(region: str) -> dict[str, tuple[Model, ...]]:
    """Return the rows of each model that a region knows, by its name for it. Offline knows every row of the table."""
    from ..wan.catalog import jobs

    found: dict[str, tuple[Model, ...]] = {}
    for row in jobs.ALL_ROWS:
        name = row.model_id_in(region)
        if name is not None:
            found[name] = (*found.get(name, ()), row)
    return found


def rows_named(name: object, *, region: str) -> tuple[Model, ...]:
    """Return the rows that a region knows by a name; none if it has no such model."""
    if not isinstance(name, str):
        return ()
    for row in MODELS.values():
        # Only a model that takes a list of media has rows for other jobs, whose tables few calls need.
        if row.request_format.fields and row.model_id_in(region) == name:
            return (row,)
    return models_in(region).get(name, ())


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
    from ..wan.catalog.jobs import EDIT_WORDS, EXTEND_WORDS

    text = prompt.lower() if isinstance(prompt, str) else ""
    words = {**dict.fromkeys(EDIT_WORDS, VIDEO_EDIT), **dict.fromkeys(EXTEND_WORDS, VIDEO_EXTENSION)}
    found = {word: re.search(rf"(?<![a-z]){word}", text) for word in words}
    places = {match.start(): words[word] for word, match in found.items() if match}
    return places[min(places)] if places else REFERENCE_TO_VIDEO
