"""Which media a create body names, and whether its model takes them together.

Three forms: a field for each kind, `input.img_url` and its like or `input.first_frame_url` and its like, and the list
`input.media` (newer-models.md sections 1 to 4). The texts of what is missing, and of frames beside references, are
the service's own (section 9); the others are written in its style.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from ..service.model import FIRST_FRAME, LAST_FRAME, Model
from .families import is_wan_3
from .unfit import UnfitError, invalid, not_made, not_taken, required

LIST = "media"

_ITEM = ("type", "url")
_REFERENCES = ("reference_image", "reference_video", "reference_audio", "file", "link")
"""What wan3.0 takes besides frames. The pack asks for none of it, so no video is made of it here."""

_WORDS = {"prompt", "extend_prompt", "function"}
"""What an `input` has that names no media: the last two are of the vendor's SDK."""

_TWO_MODES = (
    "The two modes are mutually exclusive. Do not pass reference_xx and first_frame/last_frame at the same time."
)


def fields_of(model: Model) -> dict[str, type]:
    """Return the fields of `input` that name media for a model, with their JSON types."""
    if not model.schema.fields:
        return {LIST: list}
    return {name: str for kind, name in model.schema.fields.items() if model.takes(kind)}


def require(given: Mapping[str, Any], *, model: Model) -> None:
    """Refuse a body's `input` that lacks what the model cannot do without. Raises UnfitError."""
    if model.schema.fields:
        always = set.intersection(*(set(legal) for legal in model.media_sets))
        needed = [name for kind, name in model.schema.fields.items() if kind in always]
    else:
        needed = [LIST]
        if is_wan_3(model) and given.get("prompt") and set(given) <= _WORDS:
            raise not_made("video from words alone", model)
    for name in needed:
        if not given.get(name):
            raise required(f"input.{name}")


def read_media(given: Mapping[str, Any], *, model: Model) -> dict[str, str]:
    """Return the address of each kind of media in an `input` whose fields have the right types. Raises UnfitError."""
    if model.schema.fields:
        return {kind: given[name] for kind, name in model.schema.fields.items() if name in given}
    items = [_item(value, f"input.{LIST}.{place}", model=model) for place, value in enumerate(given[LIST])]
    kinds = [kind for kind, _ in items]
    _check_types(kinds, model=model)
    if not any(Counter(kinds) == Counter(legal) for legal in model.media_sets):
        raise UnfitError(
            f"The media types {_together(kinds)} cannot be used together with {model.id}. "
            f"Supported: {', or '.join(_together(legal) for legal in model.media_sets)}."
        )
    return dict(items)


def _item(value: Any, where: str, *, model: Model) -> tuple[str, str]:
    if not isinstance(value, dict):
        raise invalid(where)
    for name in _ITEM:
        if value.get(name) is None:
            raise required(f"{where}.{name}")
        if not isinstance(value[name], str):
            raise invalid(f"{where}.{name}")
    for name in value:
        if name not in _ITEM:
            raise not_taken(f"{where}.{name}", model)
    return value["type"], value["url"]


def _check_types(kinds: list[str], *, model: Model) -> None:
    """Refuse types that the model does not know, and those that are not made here."""
    references = [kind for kind in kinds if is_wan_3(model) and kind in _REFERENCES]
    for place, kind in enumerate(kinds):
        if not model.takes(kind) and kind not in references:
            raise not_taken(f"input.{LIST}.{place}.type={kind[:60]}", model)
    if references and {FIRST_FRAME, LAST_FRAME} & set(kinds):
        raise UnfitError(_TWO_MODES)
    if references:
        raise not_made(f"video from {_together(references)}", model)


def _together(kinds: tuple[str, ...] | list[str]) -> str:
    return " + ".join(kinds)
