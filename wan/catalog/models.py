"""The table of models: the inputs, outputs and prices of each model.

It is the only place for rules about a model: widgets, validation, help pages, docs/models.md and the mock server read
it. Sources: the service's API reference of wan2.1 to wan2.6 (May 2026), of wan2.7 (2026-05-11), of wan3.0 and
happyhorse (autumn 2026), of first and last frame (2026); its rate-limit page (2026-05-27); its price list (2026-05-26),
or the list of the offer's `as_of`, in the currency of the region's row. The list of 2026-05-26 prints CNY for all
regions; Singapore's are its USD at 7.33924, and at 7.4942 for HappyHorse 1.0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from .media import DRIVING_AUDIO, FIRST_CLIP, FIRST_FRAME, FRAME_URLS, LAST_FRAME, MB, MEDIA, ImageLimits
from .spec import AudioMode, Model, RegionalOffer

DEFAULT_MODEL = "wan2.6-i2v-flash"
DEFAULT_DURATION = 5
SHOT_TYPES = ("single", "multi")
RESOLUTIONS = ("480P", "720P", "1080P")
ADAPTIVE = "adaptive"
RATIOS = (ADAPTIVE, "21:9", "16:9", "4:3", "1:1", "3:4", "9:16")
MORE_RATIOS = ("4:5", "5:4", "9:21")
"""What only models for text and references have."""
SEED_MAX = 2_147_483_647
NEGATIVE_PROMPT_LIMIT = 500
AUDIO_BYTES = 15 * MB
CLIP_SECONDS = (2, 10)
CLIP_BYTES = 100 * MB


def tiers(*prices: float | None) -> dict[str, float]:
    """Return prices by tier, given in the order of RESOLUTIONS with None for tiers that are not offered."""
    return {tier: price for tier, price in zip(RESOLUTIONS, prices, strict=True) if price is not None}


_ANY_2_TO_15 = tuple(range(2, 16))
_UP_TO_10_MB = ImageLimits(bytes=10 * MB)
_WITH_AUDIO = ((FIRST_FRAME,), (FIRST_FRAME, DRIVING_AUDIO))
_WITH_LAST_FRAME = ((FIRST_FRAME,), (FIRST_FRAME, LAST_FRAME))

_WAN_3_LIST, _HORSE_1_1_LIST = "2026-09-16", "2026-09-12"
_WAN_2_7 = Model(
    id="wan2.7-i2v",
    family="wan2.7",
    resolutions=("720P", "1080P"),
    default_resolution="1080P",
    durations=_ANY_2_TO_15,
    prompt_limit=5000,
    audio_mode=AudioMode.ALWAYS,
    request_format=MEDIA,
    media_combinations=(
        *_WITH_AUDIO,
        (FIRST_FRAME, LAST_FRAME),
        (FIRST_FRAME, LAST_FRAME, DRIVING_AUDIO),
        (FIRST_CLIP,),
        (FIRST_CLIP, LAST_FRAME),
    ),
    image_limits=ImageLimits(ratio=8),
    audio_seconds=(2, 30),
    typical_wait=(45, 155),
    offers={
        "beijing": RegionalOffer("wan2.7-i2v", tiers(None, 0.6, 1.0)),
        "singapore": RegionalOffer("wan2.7-i2v", tiers(None, 0.10, 0.15)),
    },
)


def _wan_3(name: str, *, beijing: Sequence[float], singapore: Sequence[float], typical_wait: tuple[int, int]) -> Model:
    """Return a Wan 3.0 model, with its prices in Beijing, which are the other regions' too, and in Singapore."""
    at_home = RegionalOffer(name, tiers(*beijing), as_of=_WAN_3_LIST)
    regions = ("virginia", "frankfurt", "tokyo", "hongkong")
    return Model(
        id=name,
        family="wan3.0",
        resolutions=RESOLUTIONS,
        default_resolution="1080P",
        durations=tuple(range(2, 31)),
        prompt_limit=20_000,
        audio_mode=AudioMode.CHOICE,
        request_format=MEDIA,
        media_combinations=_WITH_LAST_FRAME,
        image_limits=ImageLimits(ratio=8),
        negative_prompt=False,
        ratios=RATIOS,
        workspace_hosts_only=True,
        # The console's catalogue: 50 tasks a minute.
        rate_limit=50 / 60,
        queue_limit=200,
        timeout_hours=8,
        typical_wait=typical_wait,
        offers={
            "beijing": at_home,
            "singapore": RegionalOffer(name, tiers(*singapore), as_of=_WAN_3_LIST),
            **dict.fromkeys(regions, at_home),
        },
    )


_HORSE = Model(
    id="happyhorse-1.1-i2v",
    family="happyhorse",
    resolutions=RESOLUTIONS,
    default_resolution="1080P",
    durations=tuple(range(3, 16)),
    prompt_limit=5000,
    chinese_weight=2,
    audio_mode=AudioMode.ALWAYS,
    request_format=MEDIA,
    image_limits=ImageLimits(sides=(300, 8000), ratio=2.5, formats=("JPEG", "PNG", "WEBP")),
    negative_prompt=False,
    prompt_extend=False,
    typical_wait=(80, 115),
    fps=24,
    offers={
        "beijing": RegionalOffer("happyhorse-1.1-i2v", tiers(0.45, 0.9, 1.2), as_of=_HORSE_1_1_LIST),
        "singapore": RegionalOffer("happyhorse-1.1-i2v", tiers(0.07, 0.14, 0.18), as_of=_HORSE_1_1_LIST),
        **dict.fromkeys(("virginia", "frankfurt", "tokyo"), RegionalOffer("happyhorse-1.1-i2v", {})),
    },
)

_ROWS = (
    Model(
        id="wan2.6-i2v-flash",
        family="wan2.6",
        resolutions=("720P", "1080P"),
        default_resolution="1080P",
        durations=_ANY_2_TO_15,
        prompt_limit=1500,
        audio_mode=AudioMode.CHOICE,
        media_combinations=_WITH_AUDIO,
        shot_types=SHOT_TYPES,
        typical_wait=(59, 73),
        offers={
            "beijing": RegionalOffer("wan2.6-i2v-flash", tiers(None, 0.3, 0.5), tiers(None, 0.15, 0.25)),
            "singapore": RegionalOffer("wan2.6-i2v-flash", tiers(None, 0.05, 0.075), tiers(None, 0.025, 0.0375)),
        },
    ),
    Model(
        id="wan2.6-i2v",
        family="wan2.6",
        resolutions=("720P", "1080P"),
        default_resolution="1080P",
        durations=_ANY_2_TO_15,
        prompt_limit=1500,
        audio_mode=AudioMode.ALWAYS,
        media_combinations=_WITH_AUDIO,
        shot_types=SHOT_TYPES,
        offers={
            "beijing": RegionalOffer("wan2.6-i2v", tiers(None, 0.6, 1.0)),
            "singapore": RegionalOffer("wan2.6-i2v", tiers(None, 0.10, 0.15)),
            "virginia": RegionalOffer("wan2.6-i2v", tiers(None, 0.6, 1.0), documented_durations=(5, 10, 15)),
            "frankfurt": RegionalOffer("wan2.6-i2v", tiers(None, 0.6, 1.0), documented_durations=(5, 10, 15)),
        },
    ),
    Model(
        id="wan2.6-i2v-us",
        family="wan2.6",
        resolutions=("720P", "1080P"),
        default_resolution="1080P",
        durations=(5, 10, 15),
        prompt_limit=1500,
        audio_mode=AudioMode.ALWAYS,
        media_combinations=_WITH_AUDIO,
        shot_types=SHOT_TYPES,
        offers={"virginia": RegionalOffer("wan2.6-i2v-us", tiers(None, 0.733924, 1.100886))},
    ),
    Model(
        id="wan2.5-i2v-preview",
        family="wan2.5",
        resolutions=("480P", "720P", "1080P"),
        default_resolution="1080P",
        durations=(5, 10),
        prompt_limit=1500,
        audio_mode=AudioMode.ALWAYS,
        media_combinations=_WITH_AUDIO,
        typical_wait=(220, 600),
        offers={
            "beijing": RegionalOffer("wan2.5-i2v-preview", tiers(0.3, 0.6, 1.0)),
            "singapore": RegionalOffer("wan2.5-i2v-preview", tiers(0.05, 0.10, 0.15)),
        },
    ),
    Model(
        id="wan2.2-i2v-flash",
        family="wan2.2",
        resolutions=("480P", "720P", "1080P"),
        default_resolution="720P",
        durations=(5,),
        prompt_limit=800,
        image_limits=_UP_TO_10_MB,
        audio_mode=AudioMode.NEVER,
        rate_limit=2,
        running_limit=2,
        offers={
            "beijing": RegionalOffer("wan2.2-i2v-flash", tiers(0.10, 0.20, 0.48)),
            "singapore": RegionalOffer("wan2.2-i2v-flash", tiers(0.015, 0.036, None)),
        },
    ),
    Model(
        id="wan2.2-i2v-plus",
        family="wan2.2",
        resolutions=("480P", "1080P"),
        default_resolution="1080P",
        durations=(5,),
        prompt_limit=800,
        image_limits=_UP_TO_10_MB,
        audio_mode=AudioMode.NEVER,
        rate_limit=2,
        running_limit=2,
        offers={
            "beijing": RegionalOffer("wan2.2-i2v-plus", tiers(0.14, None, 0.70)),
            "singapore": RegionalOffer("wan2.2-i2v-plus", tiers(0.02, None, 0.10)),
        },
    ),
    Model(
        id="wanx2.1-i2v-turbo",
        family="wanx2.1",
        resolutions=("480P", "720P"),
        default_resolution="720P",
        durations=(3, 4, 5),
        prompt_limit=800,
        image_limits=_UP_TO_10_MB,
        audio_mode=AudioMode.NEVER,
        effects=True,
        rate_limit=2,
        running_limit=2,
        offers={
            "beijing": RegionalOffer("wanx2.1-i2v-turbo", tiers(0.24, 0.24, None)),
            "singapore": RegionalOffer("wan2.1-i2v-turbo", tiers(0.036, 0.036, None)),
        },
    ),
    Model(
        id="wanx2.1-i2v-plus",
        family="wanx2.1",
        resolutions=("720P",),
        default_resolution="720P",
        durations=(5,),
        prompt_limit=800,
        image_limits=_UP_TO_10_MB,
        audio_mode=AudioMode.NEVER,
        effects=True,
        rate_limit=2,
        running_limit=2,
        offers={
            "beijing": RegionalOffer("wanx2.1-i2v-plus", tiers(None, 0.70, None)),
            "singapore": RegionalOffer("wan2.1-i2v-plus", tiers(None, 0.10, None)),
        },
    ),
    _WAN_2_7,
    replace(
        _WAN_2_7,
        id="wan2.7-i2v-2026-04-25",
        offers={name: replace(offer, name="wan2.7-i2v-2026-04-25") for name, offer in _WAN_2_7.offers.items()},
    ),
    _wan_3("wan3.0-video", beijing=(0.3, 0.6, 1.2), singapore=(0.05, 0.10, 0.20), typical_wait=(300, 900)),
    _wan_3("wan3.0-video-prime", beijing=(0.45, 0.9, 1.8), singapore=(0.068, 0.14, 0.28), typical_wait=(120, 600)),
    _HORSE,
    replace(
        _HORSE,
        id="happyhorse-1.0-i2v",
        resolutions=("720P", "1080P"),
        offers={
            "beijing": RegionalOffer("happyhorse-1.0-i2v", tiers(None, 0.9, 1.6)),
            "singapore": RegionalOffer("happyhorse-1.0-i2v", tiers(None, 0.14, 0.24)),
            "virginia": RegionalOffer("happyhorse-1.0-i2v", tiers(None, 0.9, 1.6)),
            "frankfurt": RegionalOffer("happyhorse-1.0-i2v", tiers(None, 0.9, 1.6)),
            "tokyo": RegionalOffer("happyhorse-1.0-i2v", {}),
        },
    ),
    Model(
        id="wan2.2-kf2v-flash",
        family="wan2.2-kf2v",
        resolutions=RESOLUTIONS,
        default_resolution="720P",
        durations=(5,),
        prompt_limit=800,
        audio_mode=AudioMode.NEVER,
        request_format=FRAME_URLS,
        media_combinations=((FIRST_FRAME, LAST_FRAME),),
        image_limits=ImageLimits(ratio=8, bytes=10 * MB),
        rate_limit=2,
        running_limit=2,
        typical_wait=(240, 600),
        offers={
            "beijing": RegionalOffer("wan2.2-kf2v-flash", tiers(0.10, 0.20, 0.48)),
            "singapore": RegionalOffer("wan2.2-kf2v-flash", {}),
        },
    ),
)

TABLE = {row.id: row for row in _ROWS}
MODELS: Mapping[str, Model] = MappingProxyType(TABLE)
"""Every model by its id in the widget, in the order of the widget."""
