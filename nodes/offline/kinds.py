"""Which media a create body names, and whether its model takes them together.

Three forms: a field for each kind, `input.img_url` and its like or `input.first_frame_url` and its like, and the list
`input.media` (newer-models.md sections 1 to 4). The texts of what is missing, of types that a model does not know, and
of frames beside references, are the service's own (section 9); the others are written in its style.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from ..service.model import DRIVING_AUDIO, FIRST_CLIP, FIRST_FRAME, LAST_FRAME, Model
from .families import is_wan_3
from .unfit import TaskRejected, mistyped, not_made, one_of, required

LIST = "media"

_KINDS = (FIRST_FRAME, LAST_FRAME, DRIVING_AUDIO, FIRST_CLIP)
_REFERENCES = ("reference_image", "reference_video", "reference_audio", "file", "link")
"""What wan3.0 takes besides frames. The pack asks for none of it, so no video is made of it here."""

_TWO_MODES = (
    "The two modes are mutually exclusive. Do not pass reference_xx and first_frame/last_frame at the same time."
)


def fields_of(model: Model) -> dict[str, type]:
    """Return the fields of `input` that name media for a model, with their JSON types."""
    if not model.request_format.fields:
        return {LIST: list}
    return {name: str for kind, name in model.request_format.fields.items() if model.accepts(kind)}


def missing(given: Mapping[str, Any], *, model: Model) -> list[str]:
    """Name the media that an `input` lacks and the model cannot do without."""
    if model.request_format.fields:
        always = set.intersection(*(set(legal) for legal in model.media_combinations))
        needed = [name for kind, name in model.request_format.fields.items() if kind in always]
    else:
        needed = [LIST]
        if is_wan_3(model) and given.get("prompt") and not given.get(LIST):
            raise not_made("video from words alone", model)
    return [required(f"input.{name}") for name in needed if not given.get(name)]


def wrong_items(given: Mapping[str, Any], *, model: Model) -> Iterator[str]:
    """Say what is wrong with each item of `input.media`, where there is one. Fields that no item has are ignored."""
    items = given.get(LIST)
    types = tuple(kind for kind in _KINDS if model.accepts(kind)) + (_REFERENCES if is_wan_3(model) else ())
    for place, item in enumerate(items if isinstance(items, list) else ()):
        where = f"input.{LIST}.{place}"
        if not isinstance(item, dict):
            yield mistyped(where, dict)
            continue
        for name in ("type", "url"):
            value = item.get(name)
            if value is None:
                yield required(f"{where}.{name}")
            elif not isinstance(value, str):
                yield mistyped(f"{where}.{name}", str)
            elif name == "type" and value not in types:
                yield one_of(f"{where}.type", types)


def read_media(given: Mapping[str, Any], *, model: Model) -> dict[str, str]:
    """Return the URL of each kind of media in an `input` whose fields are well-formed.

    Raises TaskRejected where the model does not take them together.
    """
    if model.request_format.fields:
        return {kind: given[name] for kind, name in model.request_format.fields.items() if name in given}
    items = [(item["type"], item["url"]) for item in given[LIST]]
    kinds = [kind for kind, _ in items]
    references = [kind for kind in kinds if kind in _REFERENCES]
    if references and {FIRST_FRAME, LAST_FRAME} & set(kinds):
        raise TaskRejected(_TWO_MODES)
    if references:
        raise not_made(f"video from {_together(references)}", model)
    if not any(Counter(kinds) == Counter(legal) for legal in model.media_combinations):
        raise TaskRejected(
            f"The media types {_together(kinds)} cannot be used together with {model.id}. "
            f"Supported: {', or '.join(_together(legal) for legal in model.media_combinations)}."
        )
    return dict(items)


def _together(kinds: tuple[str, ...] | list[str]) -> str:
    return " + ".join(kinds)
