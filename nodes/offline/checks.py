"""The stand-in's own check of a create body: what the service would find wrong in it.

The facts come from the model table, the judgement is made here anew, so that an error in the pack's own checks shows.
The service documents no reaction to a field that a model does not take (dashscope.md section 12); the stand-in refuses
every such field, because the pack must not send it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..service.effects import EFFECTS
from ..service.model import Model
from ..service.models import ADAPTIVE, DEFAULT_DURATION, NEGATIVE_PROMPT_LIMIT, SEED_MAX
from .families import is_happyhorse, is_wan_3
from .kinds import fields_of, read_media, require
from .unfit import UnfitError, invalid, not_made, not_taken


@dataclass(frozen=True)
class Order:
    """A create body that fits, with the service's defaults filled in.

    `media` has the address of each kind of media that there is. `duration` is in seconds, a clip's included; prompts
    are cut. `audio` tells whether the video has sound.
    """

    prompt: str
    negative_prompt: str
    media: Mapping[str, str]
    template: str
    resolution: str
    ratio: str
    duration: int
    prompt_extend: bool
    watermark: bool
    audio: bool


@dataclass(frozen=True)
class _Field:
    """One field of the body: its JSON type and which models take it."""

    name: str
    type: type
    taken_by: Callable[[Model], bool] = lambda _model: True


_INPUT = (
    _Field("prompt", str),
    _Field("negative_prompt", str, lambda model: model.negative_prompt),
    _Field("template", str, lambda model: model.effects),
    # The vendor's Python SDK 2.0.2 sends these two with every call; they mean nothing to these models.
    _Field("extend_prompt", bool),
    _Field("function", str),
)
_PARAMETERS = (
    _Field("resolution", str),
    _Field("ratio", str, lambda model: bool(model.ratios)),
    _Field("duration", int),
    _Field("prompt_extend", bool, lambda model: model.prompt_extend),
    _Field("watermark", bool),
    _Field("seed", int),
    _Field("audio", bool, lambda model: model.audio_switch),
    _Field("shot_type", str, lambda model: bool(model.shot_types)),
)


def read_order(body: Mapping[str, Any], *, model: Model, effects: bool) -> Order:
    """Check a create body whose `input` and `parameters` are objects.

    `effects` tells whether the region has effect templates. Raises UnfitError in the words of dashscope.md section 2.2
    and newer-models.md section 9.
    """
    given: Mapping[str, Any] = body["input"]
    wanted: Mapping[str, Any] = body["parameters"]
    require(given, model=model)
    for name in body:
        if name not in ("model", "input", "parameters"):
            raise not_taken(name, model)
    media_fields = tuple(_Field(name, kind) for name, kind in fields_of(model).items())
    _check_fields(given, where="input", fields=(*_INPUT, *media_fields), model=model)
    _check_fields(wanted, where="parameters", fields=_PARAMETERS, model=model)
    media = read_media(given, model=model)
    _check_template(given, model=model, effects=effects)
    _check_values(wanted, model=model)
    return _order(given, wanted, media=media, model=model)


def _check_fields(values: Mapping[str, Any], *, where: str, fields: tuple[_Field, ...], model: Model) -> None:
    known = {field.name: field for field in fields}
    for name, value in values.items():
        field = known.get(name)
        if field is None or not field.taken_by(model):
            raise not_taken(f"{where}.{name}", model)
        # The SDK sends "prompt": null for an effect. `type` because True would pass as an int.
        if type(value) is not field.type and not (name == "prompt" and value is None):
            raise invalid(name)


def _check_template(given: Mapping[str, Any], *, model: Model, effects: bool) -> None:
    if "template" not in given:
        return
    if not effects:
        raise not_taken("input.template", model)
    effect = EFFECTS.get(given["template"])
    if effect is None or model.id not in effect.models:
        raise UnfitError("Invalid template content.", code="InvalidFile.Template.Content")


def _check_values(wanted: Mapping[str, Any], *, model: Model) -> None:
    resolution = wanted.get("resolution", model.default_resolution)
    if resolution not in model.resolutions:
        raise UnfitError(f"The size is not match {resolution}")
    duration = wanted.get("duration", DEFAULT_DURATION)
    if duration == -1 and is_wan_3(model):
        raise not_made("video of a length that the model chooses", model)
    if duration not in model.durations:
        raise invalid("duration")
    if not (-1 if is_wan_3(model) else 0) <= wanted.get("seed", 0) <= SEED_MAX:
        raise invalid("seed")
    for name, allowed in (("shot_type", model.shot_types), ("ratio", model.ratios)):
        if name in wanted and wanted[name] not in allowed:
            raise invalid(name)


def _order(given: Mapping[str, Any], wanted: Mapping[str, Any], *, media: Mapping[str, str], model: Model) -> Order:
    return Order(
        prompt=_cut(given.get("prompt") or "", model=model),
        negative_prompt=given.get("negative_prompt", "")[:NEGATIVE_PROMPT_LIMIT],
        media=media,
        template=given.get("template", ""),
        resolution=wanted.get("resolution", model.default_resolution),
        ratio=wanted.get("ratio", ADAPTIVE),
        duration=wanted.get("duration", DEFAULT_DURATION),
        prompt_extend=wanted.get("prompt_extend", model.prompt_extend),
        watermark=wanted.get("watermark", is_happyhorse(model)),
        audio=model.has_sound(generate_audio=wanted.get("audio", True)),
    )


def _cut(prompt: str, *, model: Model) -> str:
    """Return the beginning of a prompt that the model reads: some count a Chinese character as more than one."""
    kept = prompt[: model.prompt_limit]
    room = model.prompt_limit - model.prompt_length(kept)
    while room < 0:
        room += model.prompt_length(kept[-1])
        kept = kept[:-1]
    return kept
