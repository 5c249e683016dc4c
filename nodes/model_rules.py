"""The models of the nodes, and their rules for the browser extension, derived from the server's validation."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from ..wan.api.endpoint import DEFAULT_CHOICE, Connection, choose_region
from ..wan.api.settings import read_settings
from ..wan.api.validation import INPUT_NAMES, validate
from ..wan.catalog.effects import EFFECTS
from ..wan.catalog.fields import AUDIO_SETTINGS, FIELDS, VideoRequest, rows_of
from ..wan.catalog.media import (
    DRIVING_AUDIO,
    EDITED_VIDEO,
    FIRST_CLIP,
    FIRST_FRAME,
    LAST_FRAME,
    REFERENCE_AUDIO,
    REFERENCE_IMAGE,
    REFERENCE_VIDEO,
)
from ..wan.catalog.models import ADAPTIVE, MORE_RATIOS, RATIOS, RESOLUTIONS, SHOT_TYPES
from ..wan.catalog.regions import OFFLINE, REGIONS, Region
from ..wan.catalog.spec import (
    IMAGE_TO_VIDEO,
    PRICES_AS_OF,
    SHARED_SECONDS,
    VIDEO_EDIT,
    Billing,
    Model,
    media_key,
)
from ..wan.errors import InvalidRequest
from ..wan.messages import Message
from . import host

logger = logging.getLogger("dashscope_wan")

KEY = "dashscope_wan"
"""The key of the rules in the options of the `model` input."""

_AUDIO, _TEXT = "https://example.com/audio.mp3", "text"
_SWITCH = (True, False)
_CLIPS = (REFERENCE_VIDEO, EDITED_VIDEO)
_TYPES = {REFERENCE_IMAGE: "IMAGE", REFERENCE_VIDEO: "VIDEO", EDITED_VIDEO: "VIDEO", REFERENCE_AUDIO: "AUDIO"}
"""ComfyUI's type of each kind of reference."""


def model_rules(  # noqa: PLR0913 - what a node's rules depend on
    rows: Sequence[Model],
    *,
    connection: str,
    media: str = FIRST_FRAME,
    effects: bool = False,
    references: tuple[str, ...] = (),
    voices: tuple[str, ...] = (),
) -> dict[str, Any]:
    """Return the rules of the models that a node offers.

    For each model: `allowed` values by widget (a missing widget may have any value), `unused` widgets and inputs,
    `needed` inputs, `given` (conditional rules: what a widget's value, a linked input or a linked `type` of reference
    leaves of other widgets' values), `names` of references in a prompt by language and type, the `types` of references
    that it accepts, `clips` (how their seconds are billed, None if they are not) and `prices` by region: currency, date
    of the list, and price per second by tier. `connection` is the type of the input with the region, `media` the kind
    that the node's videos begin with, `effects` whether the node makes effects; `references` and `voices` are its
    inputs of these, in the order in which prompts count them.
    """
    return {
        "models": {row.id: _rules(row.job, row.id, media, effects, voices) for row in rows},
        "references": list(references),
        "regions": {region.id: region.title for region in REGIONS.values()},
        "default_region": DEFAULT_CHOICE,
        "own_region": _default_region(),
        "connection": connection,
    }


def _default_region() -> str | None:
    """Return this machine's default region; None if its setting is invalid."""
    try:
        region, problems = choose_region(Connection(), read_settings(host.data_dir()))
    except InvalidRequest:  # a run reports the problem of credentials.toml
        return None
    return None if problems else region.id


@cache
def _rules(job: str, model: str, media: str, effects: bool, voices: tuple[str, ...]) -> dict[str, Any]:  # noqa: FBT001
    row = rows_of(job)[model]
    plain = _plain(row)
    absent = {*(() if effects else ("template",)), *(() if job == VIDEO_EDIT else ("audio_setting", "video_url"))}
    used = {field.name: field.has(row) for field in FIELDS if field.name not in absent}
    used |= {"audio": row.audio_input, "last_frame": not row.slots and row.accepts(media, LAST_FRAME)}
    if voices:
        used |= dict.fromkeys(voices, row.voice_seconds is not None)
        used |= {"first_frame": row.accepts(FIRST_FRAME)}
    allowed = {
        "resolution": _allowed_values(plain, "resolution", RESOLUTIONS, media=media),
        "duration": _allowed_values(plain, "duration", range(max(row.durations) + 1), media=media),
        "shot_type": _allowed_values(plain, "shot_type", SHOT_TYPES, media=media),
        "generate_audio": _allowed_values(plain, "generate_audio", _SWITCH, media=media),
        "ratio": _allowed_values(plain, "ratio", (*RATIOS, *MORE_RATIOS), media=media),
    }
    if row.audio_settings:
        allowed["audio_setting"] = _allowed_values(plain, "audio_setting", AUDIO_SETTINGS, media=media)
    if effects:
        allowed["template"] = _allowed_values(plain, "template", EFFECTS, media=media)
    for name, text in (("audio_url", _AUDIO), ("negative_prompt", _TEXT)):
        if not _allowed_values(plain, name, [text], media=media):
            allowed[name] = [""]
    return {
        "allowed": allowed,
        "unused": [name for name, there in used.items() if not there],
        "needed": [INPUT_NAMES[kind] for kind in row.missing_media(media)] if row.job == IMAGE_TO_VIDEO else [],
        "given": _conditional_rules(row, media),
        **_reference_rules(row),
        "prices": {
            region.id: _prices(row, region) for region in _regions_selling(row) if region.effects or not effects
        },
    }


def _plain(row: Model) -> VideoRequest:
    """Return a valid request for the model, for trying single values."""
    ratio = ADAPTIVE if ADAPTIVE in row.ratios or not row.ratios else row.ratios[0]
    duration = row.durations[-1]
    if row.slots:  # the shortest clip and the longest video may be too long together
        duration = next((seconds for seconds in row.durations if seconds > row.clip_limits.seconds[0]), duration)
    plain = VideoRequest(job=row.job, model=row.id, resolution=row.default_resolution, duration=duration)
    return replace(plain, prompt=_TEXT if row.prompt_required else "", ratio=ratio)


def _least_media(row: Model, media: str) -> list[str]:
    """Return the media of the smallest request, which begins with a kind of media if it is one of image to video."""
    if row.slots:
        return [media_key(next((slot.kind for slot in row.slots if slot.least), REFERENCE_IMAGE), 1)]
    return [media, *row.missing_media(media)] if row.job == IMAGE_TO_VIDEO else []


def _allowed_values(plain: VideoRequest, name: str, values: Any, *, media: str, more: Sequence[str] = ()) -> list[Any]:
    """Return the values of a field that leave the request valid, with `more` kinds of media beside the first."""
    row = plain.row
    given = [*(_least_media(row, media) if row else []), *more]
    seconds = row.clip_limits.seconds[0] if row and {FIRST_CLIP, media_key(REFERENCE_VIDEO, 1)} & {*given} else None
    tried = {value: replace(plain, **{name: value}) for value in values}
    return [
        value
        for value, request in tried.items()
        if not validate(request, region=REGIONS[OFFLINE], provided=given, clip_seconds=seconds)
    ]


def _conditional_rules(row: Model, media: str) -> list[dict[str, Any]]:
    """Return the conditional rules.

    The condition is `{"widget", "value"}`, a linked `{"input"}`, or the `{"type"}` of a linked reference. With each
    are the values then `allowed`; a widget with one of them does nothing.
    """
    rules: list[dict[str, Any]] = []
    plain = _plain(row)
    for shot_type in row.shot_types:
        extend = _allowed_values(replace(plain, shot_type=shot_type), "prompt_extend", _SWITCH, media=media)
        if len(extend) < len(_SWITCH):
            rules.append({"widget": "shot_type", "value": shot_type, "allowed": {"prompt_extend": extend}})
    for tier in dict.fromkeys(tier for tier, _ in row.sizes):
        some = [ratio for ratio in (*RATIOS, *MORE_RATIOS) if (tier, ratio) in row.sizes]
        if len(some) < len(row.ratios):
            rules.append({"widget": "resolution", "value": tier, "allowed": {"ratio": some}})
    if row.audio_input and not _allowed_values(plain, "audio_url", [_AUDIO], media=media, more=[DRIVING_AUDIO]):
        rules.append({"input": "audio", "allowed": {"audio_url": [""]}})
    if row.slots and row.accepts(FIRST_FRAME):
        rules.append({"input": FIRST_FRAME, "allowed": {"ratio": [row.ratios[0]]}})
    if any(slot.kind == REFERENCE_VIDEO and not slot.least for slot in row.slots):
        seconds = _allowed_values(plain, "duration", row.durations, media=media, more=[media_key(REFERENCE_VIDEO, 1)])
        if len(seconds) < len(row.durations):
            rules.append({"type": _TYPES[REFERENCE_VIDEO], "allowed": {"duration": seconds}})
    return rules


def _reference_rules(row: Model) -> dict[str, Any]:
    """Return what a prompt calls the model's references, which types it accepts, and how seconds of clips are billed.

    A clip is billed as a whole, or its share at most: `shares` has it `by` the number of clips or of all references.
    """
    kinds = [slot.kind for slot in row.slots if slot.most and slot.kind in _TYPES]
    names = row.reference_names
    forms = {"en": names.english, "zh": names.chinese or names.english} if names else {}
    texts = {
        language: {_TYPES[kind]: form for kind, form in table.items() if kind in kinds}
        for language, table in forms.items()
    }
    clips = None
    if row.billing != Billing.OUTPUT and {*kinds} & {*_CLIPS}:
        shares = (
            None if row.billing == Billing.INPUT_AND_OUTPUT else [SHARED_SECONDS[n] for n in sorted(SHARED_SECONDS)]
        )
        clips = {
            "shares": shares,
            "by": "references" if row.billing == Billing.SHARE_OF_REFERENCES else "clips",
            "required": any(slot.least for slot in row.slots if slot.kind in _CLIPS),
        }
    return {
        "types": [_TYPES[kind] for kind in kinds],
        "names": {**texts, "jointly": names.jointly} if names else None,
        "clips": clips,
    }


def _regions_selling(row: Model) -> list[Region]:
    """Return the regions that offer the model, in the order of its row."""
    return [REGIONS[name] for name in (*row.offers, OFFLINE)]


def _prices(row: Model, region: Region) -> dict[str, Any]:
    """Return the prices per second by tier, with and without audio, None for a tier without a list price."""
    offer = row.offers.get(region.id)
    return {
        "currency": region.currency,
        "as_of": offer.as_of if offer else PRICES_AS_OF,
        "tiers": {
            tier: {
                "audio": row.price_per_second(region=region.id, resolution=tier, generate_audio=True),
                "silent": row.price_per_second(region=region.id, resolution=tier, generate_audio=False),
            }
            for tier in row.resolutions
        },
    }


def models_of(*jobs: str) -> list[Model]:
    """Return every model of some jobs, the owner's among them."""
    load_owner_models()
    return [row for job in jobs for row in rows_of(job).values()]


@cache
def load_owner_models() -> None:
    """Add the models of the owner's file, if there is one, to the tables. Its problems are logged."""
    try:
        home = read_settings(host.data_dir()).home
    except InvalidRequest:  # a run reports the problem of credentials.toml
        home = host.data_dir()
    path = home / "models.toml"
    if path.is_file():
        for problem in _problems(path):
            logger.error("%s", problem)


def _problems(path: Path) -> list[str]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    from ..wan.catalog.owner_models import add_models

    try:
        return add_models(tomllib.loads(path.read_text(encoding="utf-8-sig")))
    except (OSError, ValueError, RecursionError) as error:
        return [Message("{path} cannot be read ({type}): fix or remove it", path=path, type=type(error).__name__)]
