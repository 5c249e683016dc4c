"""The media that a create body names: in which fields they stand, of which types they are, and how many there may be.

The types of a list of media are those of other-jobs.md sections 2 and 3 and newer-models.md sections 1 to 3.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ..wan.catalog.fields import rows_of
from ..wan.catalog.media import (
    DRIVING_AUDIO,
    FIRST_CLIP,
    FIRST_FRAME,
    LAST_FRAME,
    REFERENCE_AUDIO,
    REFERENCE_IMAGE,
    REFERENCE_VIDEO,
    VOICE,
)
from ..wan.catalog.spec import REFERENCE_TO_VIDEO, Model, media_key, voice_key
from .failures import BAD_MEDIA, TaskRejected, not_made, one_of, required, together, wrong_type

if TYPE_CHECKING:
    from ..wan.catalog.slots import Slot

LIST = "media"
WAN_3 = "wan3.0"
"""The family that has frames, references or none, a seed of -1 and a length of -1."""

_FRAMES = (FIRST_FRAME, LAST_FRAME)
_KINDS = (*_FRAMES, DRIVING_AUDIO, FIRST_CLIP)
REFERENCES = (REFERENCE_IMAGE, REFERENCE_VIDEO, REFERENCE_AUDIO)
_PAPERS = ("file", "link")
"""What else wan3.0 takes. The pack asks for none of it, so no video is made of it here."""

_TWO_MODES = (
    "The two modes are mutually exclusive. Do not pass reference_xx and first_frame/last_frame at the same time."
)
_ENDINGS = {
    **dict.fromkeys((".jpg", ".jpeg", ".png", ".bmp", ".webp"), REFERENCE_IMAGE),
    **dict.fromkeys((".mp4", ".mov"), REFERENCE_VIDEO),
}


def media_fields(model: Model) -> list[tuple[str, type]]:
    """Return the fields of `input` that name media for a model, with their types."""
    if model.request_format.urls:
        return [(model.request_format.urls, list)]
    if model.request_format.fields:
        return [(name, str) for kind, name in model.request_format.fields.items() if model.accepts(kind)]
    return [(LIST, list)] if model.slots or any(model.media_combinations) else []


def missing_media(given: Mapping[str, Any], *, model: Model) -> list[str]:
    """Name the media that an `input` lacks and the model cannot do without."""
    if model.request_format.fields:
        always = set.intersection(*(set(legal) for legal in model.media_combinations))
        needed = [name for kind, name in model.request_format.fields.items() if kind in always]
    else:
        needed = [name for name, _ in media_fields(model)]
    return [required(f"input.{name}") for name in needed if not given.get(name)]


def wrong_items(given: Mapping[str, Any], *, model: Model) -> Iterator[str]:
    """Say what is wrong with each item of a list of media, where there is one. Fields that no item has are ignored."""
    if urls := model.request_format.urls:
        for place, url in enumerate(_list(given.get(urls))):
            if not isinstance(url, str):
                yield wrong_type(f"input.{urls}.{place}", str)
        return
    for place, item in enumerate(_list(given.get(LIST))):
        where = f"input.{LIST}.{place}"
        if isinstance(item, dict):
            yield from _wrong_item(item, where=where, model=model)
        else:
            yield wrong_type(where, dict)


def _wrong_item(item: Mapping[str, Any], *, where: str, model: Model) -> Iterator[str]:
    types = _types_of(model)
    for name in ("type", "url"):
        value = item.get(name)
        if value is None:
            yield required(f"{where}.{name}")
        elif not isinstance(value, str):
            yield wrong_type(f"{where}.{name}", str)
        elif name == "type" and value not in types:
            yield one_of(f"{where}.type", types)
    voice = item.get(VOICE)
    if model.voice_seconds and voice is not None and not isinstance(voice, str):
        yield wrong_type(f"{where}.{VOICE}", str)


def _types_of(model: Model) -> tuple[str, ...]:
    if model.family == WAN_3:
        return (*_FRAMES, *REFERENCES, *_PAPERS)
    return tuple(slot.kind for slot in model.slots) or tuple(kind for kind in _KINDS if model.accepts(kind))


def _list(value: object) -> Sequence[Any]:
    return value if isinstance(value, list) else ()


def named_kinds(given: Mapping[str, Any], *, model: Model) -> list[str]:
    """Return the types of the media in a list, whatever else is wrong with it."""
    if urls := model.request_format.urls:
        return [kind for url in _list(given.get(urls)) if isinstance(url, str) and (kind := _kind_of_file(url))]
    types = [item.get("type") for item in _list(given.get(LIST)) if isinstance(item, dict)]
    return [kind for kind in types if isinstance(kind, str)]


def _kind_of_file(url: str) -> str:
    """Return the type of a reference by its URL's ending; "" where it says nothing."""
    if url.startswith("data:"):
        return REFERENCE_IMAGE
    try:
        path = urlsplit(url).path
    except ValueError:
        return ""
    return _ENDINGS.get(PurePosixPath(path).suffix.lower(), "")


def read_media(given: Mapping[str, Any], *, model: Model) -> dict[str, str]:
    """Return the URLs of the media in an `input` whose fields are well-formed, in their order.

    They are by type, references and voices by `media_key` and `voice_key`. Raises TaskRejected where the model does
    not take them together.
    """
    if model.request_format.fields:
        return {kind: given[name] for kind, name in model.request_format.fields.items() if name in given}
    if urls := model.request_format.urls:
        items = [{"type": _kind_of_file(url), "url": url} for url in given[urls]]
        if not all(item["type"] for item in items):
            raise TaskRejected(BAD_MEDIA)
        return _read_references(items, where=urls, model=model)
    items = given.get(LIST, [])
    kinds = [item["type"] for item in items]
    if papers := [kind for kind in kinds if kind in _PAPERS]:
        if {*_FRAMES} & set(kinds):
            raise TaskRejected(_TWO_MODES)
        raise not_made(f"video from {together(papers)}", model)
    if model.slots:
        return _read_references(items, where=LIST, model=model)
    if {*_FRAMES} & set(kinds) and {*REFERENCES} & set(kinds):
        raise TaskRejected(_TWO_MODES)
    if not any(Counter(kinds) == Counter(legal) for legal in model.media_combinations):
        raise TaskRejected(
            f"The media types {together(kinds)} cannot be used together with {model.id}. "
            f"Supported: {', or '.join(together(legal) for legal in model.media_combinations)}."
        )
    return {item["type"]: item["url"] for item in items}


def _read_references(items: Sequence[Mapping[str, Any]], *, where: str, model: Model) -> dict[str, str]:
    counts = Counter(item["type"] for item in items)
    if problems := [*_count_problems(counts, where=where, model=model)]:
        raise TaskRejected(*problems)
    media: dict[str, str] = {}
    numbers: Counter[str] = Counter()
    for item in items:
        kind = item["type"]
        numbers[kind] += 1
        key = media_key(kind, numbers[kind]) if kind in REFERENCES else kind
        media[key] = item["url"]
        if model.accepts_voice(kind) and item.get(VOICE):
            media[voice_key(key)] = item[VOICE]
    return media


def _count_problems(counts: Counter[str], *, where: str, model: Model) -> Iterator[str]:
    """Say which numbers of media are wrong. The service documents them, and not its words for it."""
    slots, most = slots_of(model)
    for slot in slots:
        if not slot.least <= counts[slot.kind] <= slot.most:
            numbers = f"{slot.least}" if slot.least == slot.most else f"{slot.least} to {slot.most}"
            yield f"The number of {slot.kind} should be {numbers}, got {counts[slot.kind]}: input.{where}"
    kinds = [slot.kind for slot in slots if slot.kind != FIRST_FRAME]
    references = sum(counts[kind] for kind in kinds)
    if not 1 <= references <= most:
        yield f"The number of {together(kinds)} should be 1 to {most}, got {references}: input.{where}"


def slots_of(model: Model) -> tuple[tuple[Slot, ...], int]:
    """Return how many media of each type a model takes, and how many references together.

    The words of a prompt change nothing in what wan3.0 takes.
    """
    row = rows_of(REFERENCE_TO_VIDEO).get(model.id, model) if model.family == WAN_3 else model
    return row.slots, row.most_media
