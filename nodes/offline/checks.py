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
from ..service.models import DEFAULT_DURATION, NEGATIVE_PROMPT_LIMIT, SEED_MAX, Model


@dataclass(frozen=True)
class Failure:
    """The code and message that a failed task shows."""

    code: str
    message: str


class UnfitError(Exception):
    """The body, or a file it names, does not fit. The task will fail with `failure`."""

    def __init__(self, message: str, *, code: str = "InvalidParameter") -> None:
        super().__init__(message)
        self.failure = Failure(code, message)


@dataclass(frozen=True)
class Order:
    """A create body that fits, with the service's defaults filled in. `duration` is in seconds; prompts are cut."""

    prompt: str
    negative_prompt: str
    img_url: str
    audio_url: str
    template: str
    resolution: str
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
    _Field("negative_prompt", str),
    _Field("img_url", str),
    _Field("audio_url", str, lambda model: model.audio_input),
    _Field("template", str, lambda model: model.effects),
    # The vendor's Python SDK 2.0.2 sends these two with every call; they mean nothing to these models.
    _Field("extend_prompt", bool),
    _Field("function", str),
)
_PARAMETERS = (
    _Field("resolution", str),
    _Field("duration", int),
    _Field("prompt_extend", bool),
    _Field("watermark", bool),
    _Field("seed", int),
    _Field("audio", bool, lambda model: model.audio_switch),
    _Field("shot_type", str, lambda model: bool(model.shot_types)),
)


def read_order(body: Mapping[str, Any], *, model: Model, effects: bool) -> Order:
    """Check a create body whose `input` and `parameters` are objects.

    `effects` tells whether the region has effect templates. Raises UnfitError in the words of dashscope.md section 2.2.
    """
    given: Mapping[str, Any] = body["input"]
    wanted: Mapping[str, Any] = body["parameters"]
    if not given.get("img_url"):
        raise UnfitError("Field required: input.img_url")
    for name in body:
        if name not in ("model", "input", "parameters"):
            raise _not_taken(name, model)
    _check_fields(given, where="input", fields=_INPUT, model=model)
    _check_fields(wanted, where="parameters", fields=_PARAMETERS, model=model)
    _check_template(given, model=model, effects=effects)
    _check_values(wanted, model=model)
    return _order(given, wanted, model=model)


def _check_fields(values: Mapping[str, Any], *, where: str, fields: tuple[_Field, ...], model: Model) -> None:
    known = {field.name: field for field in fields}
    for name, value in values.items():
        field = known.get(name)
        if field is None or not field.taken_by(model):
            raise _not_taken(f"{where}.{name}", model)
        # The SDK sends "prompt": null for an effect. `type` because True would pass as an int.
        if type(value) is not field.type and not (name == "prompt" and value is None):
            raise _invalid(name)


def _check_template(given: Mapping[str, Any], *, model: Model, effects: bool) -> None:
    if "template" not in given:
        return
    if not effects:
        raise _not_taken("input.template", model)
    effect = EFFECTS.get(given["template"])
    if effect is None or model.id not in effect.models:
        raise UnfitError("Invalid template content.", code="InvalidFile.Template.Content")


def _check_values(wanted: Mapping[str, Any], *, model: Model) -> None:
    resolution = wanted.get("resolution", model.default_resolution)
    if resolution not in model.resolutions:
        raise UnfitError(f"The size is not match {resolution}")
    if wanted.get("duration", DEFAULT_DURATION) not in model.durations:
        raise _invalid("duration")
    if not 0 <= wanted.get("seed", 0) <= SEED_MAX:
        raise _invalid("seed")
    if "shot_type" in wanted and wanted["shot_type"] not in model.shot_types:
        raise _invalid("shot_type")


def _order(given: Mapping[str, Any], wanted: Mapping[str, Any], *, model: Model) -> Order:
    return Order(
        prompt=(given.get("prompt") or "")[: model.prompt_limit],
        negative_prompt=given.get("negative_prompt", "")[:NEGATIVE_PROMPT_LIMIT],
        img_url=given["img_url"],
        audio_url=given.get("audio_url", ""),
        template=given.get("template", ""),
        resolution=wanted.get("resolution", model.default_resolution),
        duration=wanted.get("duration", DEFAULT_DURATION),
        prompt_extend=wanted.get("prompt_extend", True),
        watermark=wanted.get("watermark", False),
        audio=model.has_sound(generate_audio=wanted.get("audio", True)),
    )


def _invalid(name: str) -> UnfitError:
    return UnfitError(f"Required parameter({name}) missing or invalid, please check the request parameters.")


def _not_taken(name: str, model: Model) -> UnfitError:
    return UnfitError(f"Required parameter({name}) missing or invalid: {model.id} does not take it.")
