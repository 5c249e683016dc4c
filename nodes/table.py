"""The table that the browser extension follows: what each model allows and costs, asked of the server's own check."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any

from .service.connection import DEFAULT_CHOICE
from .service.effects import EFFECTS
from .service.models import CURRENCY, MODELS, PRICES_AS_OF, RESOLUTIONS, SHOT_TYPES, Model
from .service.regions import OFFLINE, REGIONS, Region
from .service.request import VideoRequest, find_faults

KEY = "dashscope_wan"
"""The table's key in the options of the `model` input."""

_SOUND = "https://example.com/sound.mp3"
_SWITCH = (True, False)


def table(rows: Sequence[Model], *, connection: str, effects: bool = False) -> dict[str, Any]:
    """Return the rules of the models that a node offers.

    For each model: `allowed` values by widget (a widget that is missing may have any), `unused` widgets and inputs,
    `given` (what a widget's value or a linked input leaves of other widgets) and `prices` per second by region and
    tier. `connection` is the type of the input that says the region, `effects` whether the node makes effects.
    """
    return {
        "models": {row.id: _rules(row.id, effects) for row in rows},
        "regions": {region.id: region.title for region in REGIONS.values()},
        "default_region": DEFAULT_CHOICE,
        "connection": connection,
        "currency": CURRENCY,
        "as_of": PRICES_AS_OF,
    }


@cache
def _rules(model: str, effects: bool) -> dict[str, Any]:  # noqa: FBT001 - a cache wants positions
    row = MODELS[model]
    plain = _plain(row)
    used = {
        "shot_type": bool(row.shot_types),
        "generate_audio": row.audio_switch,
        "audio_url": row.audio_input,
        "audio": row.audio_input,
    }
    allowed = {
        "resolution": _possible(plain, "resolution", RESOLUTIONS),
        "duration": _possible(plain, "duration", range(1, max(row.durations) + 1)),
        "shot_type": _possible(plain, "shot_type", SHOT_TYPES),
        "generate_audio": _possible(plain, "generate_audio", _SWITCH),
    }
    if effects:
        allowed["template"] = _possible(plain, "template", EFFECTS)
    if find_faults(replace(plain, audio_url=_SOUND), region=REGIONS[OFFLINE]):
        allowed["audio_url"] = [""]
    return {
        "allowed": allowed,
        "unused": [name for name, there in used.items() if not there],
        "given": _given(row),
        "prices": {region.id: _prices(row, region) for region in _selling(row) if region.effects or not effects},
    }


def _plain(row: Model) -> VideoRequest:
    """A request that the model takes, to try single values with."""
    return VideoRequest(model=row.id, resolution=row.default_resolution, duration=row.durations[0])


def _possible(plain: VideoRequest, name: str, values: Any) -> list[Any]:
    """The values of a field that leave the request without faults."""
    offline = REGIONS[OFFLINE]
    return [value for value in values if not find_faults(replace(plain, **{name: value}), region=offline)]


def _given(row: Model) -> list[dict[str, Any]]:
    """What is left of some widgets by others: `{"widget", "value"}` or `{"input"}` that is linked, and `allowed`."""
    rules: list[dict[str, Any]] = []
    plain = _plain(row)
    for shot_type in row.shot_types:
        extend = _possible(replace(plain, shot_type=shot_type), "prompt_extend", _SWITCH)
        if len(extend) < len(_SWITCH):
            rules.append({"widget": "shot_type", "value": shot_type, "allowed": {"prompt_extend": extend}})
    both = replace(plain, audio_url=_SOUND)
    if row.audio_input and find_faults(both, region=REGIONS[OFFLINE], sound_given=True):
        rules.append({"input": "audio", "allowed": {"audio_url": [""]}})
    return rules


def _selling(row: Model) -> list[Region]:
    """The regions that have the model, in the order of its row."""
    return [REGIONS[name] for name in (*row.offers, OFFLINE)]


def _prices(row: Model, region: Region) -> dict[str, dict[str, float | None]]:
    """Prices per second by tier, with and without sound; None where the region's list does not name the tier."""
    return {
        tier: {
            "sound": row.price_per_second(region=region.id, resolution=tier, generate_audio=True),
            "silent": row.price_per_second(region=region.id, resolution=tier, generate_audio=False),
        }
        for tier in row.resolutions
    }
