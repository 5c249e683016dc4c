"""The rows of reference to video, video edit and video extension; `ROWS` has the table of each job but image to video.

Sources: the service's API references of these jobs (May to October 2026), its price list of 2026-05-26, or the list of
the offer's `as_of`, in the currency of the region's row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from .media import (
    EDITED_VIDEO,
    FIRST_FRAME,
    MEDIA,
    REFERENCE_AUDIO,
    REFERENCE_IMAGE,
    REFERENCE_URLS,
    REFERENCE_VIDEO,
    ClipLimits,
    ImageLimits,
)
from .models import ADAPTIVE, MODELS, TABLE, tiers
from .slots import LeadIn, ReferenceNames, Slot
from .spec import (
    IMAGE_TO_VIDEO,
    REFERENCE_TO_VIDEO,
    TEXT_TO_VIDEO,
    VIDEO_EDIT,
    VIDEO_EXTENSION,
    AudioMode,
    Billing,
    Model,
    RegionalOffer,
)
from .text_models import (
    FIVE_RATIOS,
    PRICES_2_6,
    PRICES_2_7,
    PRICES_HORSE_1_0,
    TEXT_2_6,
    TEXT_2_7,
    TEXT_HORSE,
    TEXT_ROWS,
    offers,
    renamed,
)

DEFAULT_REFERENCE_MODEL = "wan2.6-r2v-flash"
DEFAULT_EDIT_MODEL = "wan2.7-videoedit"

_BY_KIND = ReferenceNames(
    english={REFERENCE_IMAGE: "Image {n}", REFERENCE_VIDEO: "Video {n}", REFERENCE_AUDIO: "Audio {n}"},
    chinese={REFERENCE_IMAGE: "图{n}", REFERENCE_VIDEO: "视频{n}", REFERENCE_AUDIO: "音频{n}"},
)
_BRACKETS = ReferenceNames(english={REFERENCE_IMAGE: "[Image {n}]"})
_CHARACTERS = ReferenceNames(
    english={REFERENCE_IMAGE: "character{n}", REFERENCE_VIDEO: "character{n}"},
    jointly=True,
)
EDIT_WORDS = ("编辑", "去掉", "替换", "改成", "edit", "remove", "replace")
EXTEND_WORDS = ("延长", "延续", "续写", "extend")
"""The words of a prompt by which wan3.0 edits or extends a clip."""

_EDIT = LeadIn(EDIT_WORDS, english="Edit Video 1: ", chinese="编辑视频，")
_EXTEND = LeadIn(EXTEND_WORDS, english="Extend Video 1 forward: ", chinese="将视频1向后延长，")


def _wan_3(name: str, job: str, **changes: Any) -> Model:
    """Return a row of wan3.0 with references."""
    given: dict[str, Any] = {
        "job": job,
        "prompt_required": True,
        "media_combinations": (),
        "slots": (Slot(REFERENCE_IMAGE, 0, 10), Slot(REFERENCE_VIDEO, 0, 5), Slot(REFERENCE_AUDIO, 0, 5)),
        "most_media": 20,
        "reference_names": _BY_KIND,
        "clip_limits": ClipLimits((1, 15), fps=(16, 0), total=15),
        "audio_seconds": (1, 15),
        "audio_total": 15,
        "total_seconds": 30,
        "billing": Billing.INPUT_AND_OUTPUT,
    }
    return replace(MODELS[name], **{**given, **changes})


_ONE_CLIP_OF_WAN_3 = (Slot(REFERENCE_VIDEO, 1, 1), Slot(REFERENCE_IMAGE, 0, 10))
_WAN_3_NAMES = ("wan3.0-video", "wan3.0-video-prime")

_REFERENCE_2_7 = replace(
    TEXT_2_7,
    id="wan2.7-r2v",
    job=REFERENCE_TO_VIDEO,
    request_format=MEDIA,
    media_combinations=(),
    slots=(Slot(FIRST_FRAME, 0, 1), Slot(REFERENCE_IMAGE, 0, 5), Slot(REFERENCE_VIDEO, 0, 5)),
    most_media=5,
    reference_names=_BY_KIND,
    image_limits=ImageLimits(ratio=8),
    clip_limits=ClipLimits((1, 30)),
    clip_durations=tuple(range(2, 11)),
    voice_seconds=(1, 10),
    typical_wait=(60, 1014),
    billing=Billing.SHARE_OF_CLIPS,
    offers=offers("wan2.7-r2v", **PRICES_2_7),
)
_REFERENCE_HORSE = renamed(
    TEXT_HORSE,
    "happyhorse-1.1-r2v",
    job=REFERENCE_TO_VIDEO,
    media_combinations=(),
    slots=(Slot(REFERENCE_IMAGE, 1, 9),),
    most_media=9,
    reference_names=_BRACKETS,
    image_limits=ImageLimits(sides=(400, 8000), formats=("JPEG", "PNG", "WEBP")),
    typical_wait=(40, 115),
    uploads=False,
)
_REFERENCE_2_6 = replace(
    TEXT_2_6,
    id="wan2.6-r2v",
    job=REFERENCE_TO_VIDEO,
    durations=tuple(range(2, 11)),
    request_format=REFERENCE_URLS,
    media_combinations=(),
    slots=(Slot(REFERENCE_IMAGE, 0, 5), Slot(REFERENCE_VIDEO, 0, 3)),
    most_media=5,
    reference_names=_CHARACTERS,
    clip_limits=ClipLimits((1, 30)),
    prompt_extend=False,
    inline_images=False,
    billing=Billing.SHARE_OF_REFERENCES,
    offers=offers("wan2.6-r2v", **PRICES_2_6),
)

_REFERENCE_ROWS = (
    *(_wan_3(name, REFERENCE_TO_VIDEO) for name in _WAN_3_NAMES),
    renamed(_REFERENCE_2_7, "wan2.7-r2v-2026-06-12"),
    _REFERENCE_2_7,
    _REFERENCE_HORSE,
    replace(
        _REFERENCE_HORSE,
        id="happyhorse-1.0-r2v",
        resolutions=("720P", "1080P"),
        offers=offers("happyhorse-1.0-r2v", **PRICES_HORSE_1_0),
    ),
    _REFERENCE_2_6,
    replace(
        _REFERENCE_2_6,
        id="wan2.6-r2v-flash",
        audio_mode=AudioMode.CHOICE,
        offers={
            "beijing": RegionalOffer("wan2.6-r2v-flash", tiers(None, 0.3, 0.5), tiers(None, 0.15, 0.25)),
            "singapore": RegionalOffer("wan2.6-r2v-flash", tiers(None, 0.05, 0.075), tiers(None, 0.025, 0.0375)),
        },
    ),
)

_AS_CLIP = 0
"""The duration that asks for the clip's."""

_EDIT_ROWS = (
    replace(
        TEXT_2_7,
        id="wan2.7-videoedit",
        job=VIDEO_EDIT,
        durations=(_AS_CLIP, *range(2, 11)),
        prompt_required=False,
        request_format=MEDIA,
        media_combinations=(),
        slots=(Slot(EDITED_VIDEO, 1, 1), Slot(REFERENCE_IMAGE, 0, 4)),
        most_media=5,
        image_limits=ImageLimits(ratio=8),
        clip_limits=ClipLimits((2, 10)),
        typical_wait=(60, 640),
        ratios=(ADAPTIVE, *FIVE_RATIOS),
        api_values={("ratio", ADAPTIVE): None},
        audio_settings=("auto", "origin"),
        billing=Billing.INPUT_AND_OUTPUT,
        offers=offers("wan2.7-videoedit", **PRICES_2_7),
    ),
    *(
        _wan_3(
            name,
            VIDEO_EDIT,
            durations=(_AS_CLIP, *range(2, 31)),
            slots=_ONE_CLIP_OF_WAN_3,
            most_media=11,
            lead_in=_EDIT,
            api_values={("duration", _AS_CLIP): -1},
        )
        for name in _WAN_3_NAMES
    ),
    replace(
        TEXT_HORSE,
        id="happyhorse-1.0-video-edit",
        job=VIDEO_EDIT,
        resolutions=("720P", "1080P"),
        durations=(_AS_CLIP,),
        ratios=(),
        media_combinations=(),
        slots=(Slot(EDITED_VIDEO, 1, 1), Slot(REFERENCE_IMAGE, 0, 5)),
        most_media=6,
        image_limits=ImageLimits(sides=(300, 8000), ratio=2.5, formats=("JPEG", "PNG", "WEBP")),
        clip_limits=ClipLimits((3, 60), sides=(360, 4096), ratio=2.5, fps=(8, 60)),
        most_seconds=15,
        typical_wait=(59, 115),
        audio_settings=("auto", "origin"),
        billing=Billing.INPUT_AND_OUTPUT,
        uploads=False,
        offers=offers("happyhorse-1.0-video-edit", **PRICES_HORSE_1_0),
    ),
)

_EXTENSION_ROWS = tuple(
    _wan_3(name, VIDEO_EXTENSION, slots=_ONE_CLIP_OF_WAN_3, most_media=11, ratios=(ADAPTIVE,), lead_in=_EXTEND)
    for name in _WAN_3_NAMES
)

_TABLES = {
    TEXT_TO_VIDEO: {row.id: row for row in TEXT_ROWS},
    REFERENCE_TO_VIDEO: {row.id: row for row in _REFERENCE_ROWS},
    VIDEO_EDIT: {row.id: row for row in _EDIT_ROWS},
    VIDEO_EXTENSION: {row.id: row for row in _EXTENSION_ROWS},
}
ROWS: Mapping[str, Mapping[str, Model]] = MappingProxyType(_TABLES)
"""Every model of these jobs by job and by its id in the widget, in the order of the widget."""

ALL_ROWS = [*MODELS.values(), *(row for rows in ROWS.values() for row in rows.values())]
"""Every row of every job."""


def add_row(row: Model) -> None:
    """Add a row to its job's table, or replace the one of its id."""
    table = TABLE if row.job == IMAGE_TO_VIDEO else _TABLES[row.job]
    if before := table.get(row.id):
        ALL_ROWS[ALL_ROWS.index(before)] = row
    else:
        ALL_ROWS.append(row)
    table[row.id] = row


def any_row(model: str) -> Model | None:
    """Return a row of a model's id, whatever its job; None if there is none. Rows of one id have the same prices."""
    return next((row for row in ALL_ROWS if row.id == model), None)
