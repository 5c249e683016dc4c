"""The rows of text to video.

Sources: the service's API references of text to video (May to October 2026), its price list of 2026-05-26, or the list
of the offer's `as_of`, in the currency of the region's row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from .media import AUDIO_URL, DRIVING_AUDIO, ImageLimits
from .models import MODELS, MORE_RATIOS, SHOT_TYPES, tiers
from .spec import TEXT_TO_VIDEO, AudioMode, Model, RegionalOffer

DEFAULT_TEXT_MODEL = "wan2.5-t2v-preview"

FIVE_RATIOS = ("16:9", "9:16", "1:1", "4:3", "3:4")
_NINE_RATIOS = (*FIVE_RATIOS, *MORE_RATIOS, "21:9")
_SIDES = {
    "480P": ("832*480", "480*832", "624*624"),
    "720P": ("1280*720", "720*1280", "960*960", "1088*832", "832*1088"),
    "1080P": ("1920*1080", "1080*1920", "1440*1440", "1632*1248", "1248*1632"),
}


def _sizes(*resolutions: str) -> dict[tuple[str, str], str]:
    """Return the pixels of some tiers by tier and ratio. 480P has three ratios."""
    return {(tier, ratio): size for tier in resolutions for ratio, size in zip(FIVE_RATIOS, _SIDES[tier], strict=False)}


def offers(name: str, **regions: Mapping[str, float] | RegionalOffer) -> dict[str, RegionalOffer]:
    """Return a model's offers under its own id, given as prices or as they are."""
    return {
        region: price if isinstance(price, RegionalOffer) else RegionalOffer(name, price)
        for region, price in regions.items()
    }


def renamed(row: Model, name: str, **changes: Any) -> Model:
    """Return a row for another id, under which each region offers it."""
    offers = {region: replace(offer, name=name) for region, offer in row.offers.items()}
    return replace(row, id=name, **{"offers": offers, **changes})


def _without_media(row: Model, **changes: Any) -> Model:
    return replace(row, job=TEXT_TO_VIDEO, media_combinations=((),), prompt_required=True, **changes)


PRICES_2_7 = {"beijing": tiers(None, 0.6, 1.0), "singapore": tiers(None, 0.10, 0.15)}
PRICES_2_6 = {**PRICES_2_7, "virginia": tiers(None, 0.6, 1.0), "frankfurt": tiers(None, 0.6, 1.0)}
PRICES_HORSE_1_0 = {**PRICES_2_6, **dict.fromkeys(("beijing", "virginia", "frankfurt"), tiers(None, 0.9, 1.6))}
PRICES_HORSE_1_0 |= {"singapore": tiers(None, 0.14, 0.24), "tokyo": {}}

TEXT_2_7 = Model(
    id="wan2.7-t2v",
    job=TEXT_TO_VIDEO,
    family="wan2.7",
    resolutions=("720P", "1080P"),
    default_resolution="1080P",
    durations=tuple(range(2, 16)),
    prompt_limit=5000,
    prompt_required=True,
    audio_mode=AudioMode.ALWAYS,
    request_format=AUDIO_URL,
    media_combinations=((), (DRIVING_AUDIO,)),
    audio_seconds=(2, 30),
    ratios=FIVE_RATIOS,
    # From the pages' words to their samples' slowest.
    typical_wait=(60, 708),
    offers=offers("wan2.7-t2v", **PRICES_2_7),
)
TEXT_2_6 = replace(
    TEXT_2_7,
    id="wan2.6-t2v",
    family="wan2.6",
    prompt_limit=1500,
    audio_seconds=(3, 30),
    typical_wait=(60, 312),
    shot_types=SHOT_TYPES,
    sizes=_sizes("720P", "1080P"),
    offers=offers("wan2.6-t2v", **PRICES_2_6),
)
_TEXT_2_2 = replace(
    TEXT_2_6,
    id="wan2.2-t2v-plus",
    family="wan2.2",
    resolutions=("480P", "1080P"),
    durations=(5,),
    prompt_limit=800,
    audio_mode=AudioMode.NEVER,
    media_combinations=((),),
    shot_types=(),
    sizes=_sizes("480P", "1080P"),
    rate_limit=2,
    running_limit=2,
    offers=offers("wan2.2-t2v-plus", beijing=tiers(0.14, None, 0.70), singapore=tiers(0.02, None, 0.10)),
)
TEXT_HORSE = _without_media(
    renamed(MODELS["happyhorse-1.1-i2v"], "happyhorse-1.1-t2v", ratios=_NINE_RATIOS, image_limits=ImageLimits())
)

TEXT_ROWS = (
    _without_media(MODELS["wan3.0-video"]),
    _without_media(MODELS["wan3.0-video-prime"]),
    renamed(TEXT_2_7, "wan2.7-t2v-2026-06-12"),
    TEXT_2_7,
    renamed(TEXT_2_7, "wan2.7-t2v-2026-04-25"),
    TEXT_HORSE,
    replace(
        TEXT_HORSE,
        id="happyhorse-1.0-t2v",
        resolutions=("720P", "1080P"),
        offers=offers("happyhorse-1.0-t2v", **PRICES_HORSE_1_0),
    ),
    TEXT_2_6,
    replace(
        TEXT_2_6,
        id="wan2.6-t2v-us",
        durations=(5, 10),
        offers=offers("wan2.6-t2v-us", virginia=tiers(None, 0.733924, 1.100886)),
    ),
    replace(
        TEXT_2_6,
        id="wan2.5-t2v-preview",
        family="wan2.5",
        resolutions=("480P", "720P", "1080P"),
        durations=(5, 10),
        shot_types=(),
        sizes=_sizes("480P", "720P", "1080P"),
        offers=offers("wan2.5-t2v-preview", beijing=tiers(0.3, 0.6, 1.0), singapore=tiers(0.05, 0.10, 0.15)),
    ),
    _TEXT_2_2,
    replace(
        _TEXT_2_2,
        id="wanx2.1-t2v-turbo",
        family="wanx2.1",
        resolutions=("480P", "720P"),
        default_resolution="720P",
        sizes=_sizes("480P", "720P"),
        offers={
            "beijing": RegionalOffer("wanx2.1-t2v-turbo", tiers(0.24, 0.24, None)),
            "singapore": RegionalOffer("wan2.1-t2v-turbo", tiers(0.036, 0.036, None)),
        },
    ),
    replace(
        _TEXT_2_2,
        id="wanx2.1-t2v-plus",
        family="wanx2.1",
        resolutions=("720P",),
        default_resolution="720P",
        sizes=_sizes("720P"),
        offers={
            "beijing": RegionalOffer("wanx2.1-t2v-plus", tiers(None, 0.70, None)),
            "singapore": RegionalOffer("wan2.1-t2v-plus", tiers(None, 0.10, None)),
        },
    ),
)
