"""The mock server's own check of a create body: what the service would find wrong in it, in the service's words.

The facts come from the model table, the judgement is made here anew, so that an error in the pack's own checks shows.
A field that a model does not have is ignored: calls with `audio` on wan2.5 and wan2.6, with `prompt_extend` on
happyhorse, were seen to get their videos. `TaskInputs.ignored` names such fields, and the pack sends none.

What is found wrong is found after the task was made, which then fails: "Field required: input.media", "Input should be
'1080P' or '720P': parameters.resolution", "Duration should be between 2 and 15", all of them at once, joined by " & ".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..wan.catalog.effects import EFFECTS
from ..wan.catalog.fields import FIELDS, FieldSpec
from ..wan.catalog.media import REFERENCE_VIDEO
from ..wan.catalog.models import ADAPTIVE, DEFAULT_DURATION, NEGATIVE_PROMPT_LIMIT, SEED_MAX
from ..wan.catalog.spec import Model
from .failures import TaskRejected, not_made, one_of, required, wrong_type
from .media_inputs import WAN_3, media_fields, missing_media, named_kinds, read_media, wrong_items

AS_CLIP = 0
"""The duration that stands for the clip's."""


@dataclass(frozen=True)
class TaskInputs:
    """A create body that fits, with the service's defaults filled in.

    `media` has the URL of each kind of media that there is, references by `media_key`. `duration` is in seconds, a
    clip's included; prompts are cut. `size` is the video's width and height, where the body names them. `audio` tells
    whether the video has audio. `ignored` are the fields that the model does not have.
    """

    prompt: str
    negative_prompt: str
    media: Mapping[str, str]
    template: str
    resolution: str
    ratio: str
    duration: float
    prompt_extend: bool
    watermark: bool
    audio: bool
    ignored: tuple[str, ...] = ()
    size: str = ""


@dataclass(frozen=True)
class _Field:
    """One field of the body: its JSON type and which models take it."""

    name: str
    type: type
    taken_by: Callable[[Model], bool] = lambda _model: True


def _field_of(field: FieldSpec) -> _Field:
    # happyhorse's edit has no length of its own.
    return _Field(
        field.path.partition(".")[2],
        field.type,
        lambda model: (
            field.has(model) and field.sent(model) and not (field.name == "duration" and model.durations == (AS_CLIP,))
        ),
    )


def _fields_of(section: str) -> tuple[_Field, ...]:
    return tuple(_field_of(field) for field in FIELDS if field.path.startswith(f"{section}."))


_INPUT = (
    *_fields_of("input"),
    # The vendor's Python SDK 2.0.2 sends these two with every call; they mean nothing to these models.
    _Field("extend_prompt", bool),
    _Field("function", str),
)
_PARAMETERS = (*_fields_of("parameters"), _Field("size", str, lambda model: bool(model.sizes)))


def parse_inputs(body: Mapping[str, Any], *, model: Model, effects: bool) -> TaskInputs:
    """Check a create body whose `input` and `parameters` are objects.

    `effects` tells whether the region has effect templates. Raises TaskRejected in the words of dashscope.md section
    2.2 and newer-models.md section 9.
    """
    of_media = tuple(_Field(name, type_) for name, type_ in media_fields(model))
    fields = {"input": (*_INPUT, *of_media), "parameters": _PARAMETERS}
    taken = {where: {field.name for field in those if field.taken_by(model)} for where, those in fields.items()}
    given, wanted = ({name: value for name, value in body[where].items() if name in taken[where]} for where in fields)
    problems = [
        *([required("input.prompt")] if model.prompt_required and not given.get("prompt") else []),
        *missing_media(given, model=model),
        *_mistyped(given, where="input", fields=fields["input"]),
        *wrong_items(given, model=model),
        *_mistyped(wanted, where="parameters", fields=fields["parameters"]),
        *_wrong_values(wanted, kinds=named_kinds(given, model=model), model=model),
    ]
    if problems:
        raise TaskRejected(*problems)
    media = read_media(given, model=model)
    _check_template(given, model=model, effects=effects)
    unknown = [f"{where}.{name}" for where in fields for name in body[where] if name not in taken[where]]
    resolution, ratio = _shape_of(wanted, model=model)
    return TaskInputs(
        prompt=_cut(given.get("prompt") or "", model=model),
        negative_prompt=given.get("negative_prompt", "")[:NEGATIVE_PROMPT_LIMIT],
        media=media,
        template=given.get("template", ""),
        resolution=resolution,
        ratio=ratio,
        duration=max(AS_CLIP, wanted.get("duration", _default_duration(model))),
        prompt_extend=wanted.get("prompt_extend", model.prompt_extend),
        watermark=wanted.get("watermark", model.family == "happyhorse"),
        audio=model.has_audio(generate_audio=wanted.get("audio", True)),
        ignored=(*(name for name in body if name not in ("model", *fields)), *unknown),
        size=model.sizes.get((resolution, ratio), ""),
    )


def _shape_of(wanted: Mapping[str, Any], *, model: Model) -> tuple[str, str]:
    """Return the tier and the ratio of a video. Models that want pixels have one of each for all that they take."""
    by_default = ADAPTIVE if ADAPTIVE in model.ratios or not model.ratios else model.ratios[0]
    if not model.sizes:
        return wanted.get("resolution", model.default_resolution), wanted.get("ratio", by_default)
    by_size = {size: shape for shape, size in model.sizes.items()}
    return by_size[wanted.get("size", model.sizes[model.default_resolution, by_default])]


def _default_duration(model: Model) -> int:
    """Return the seconds of a video where the body has none: wan3.0 makes 5 s of a clip too."""
    return AS_CLIP if AS_CLIP in _api_values("duration", model.durations, model=model) else DEFAULT_DURATION


def _api_values(name: str, values: Sequence[Any], *, model: Model) -> list[Any]:
    """Return the values of a field as the API has them."""
    sent = [model.api_values.get((name, value), value) for value in values]
    return [value for value in sent if value is not None]


def _mistyped(values: Mapping[str, Any], *, where: str, fields: tuple[_Field, ...]) -> list[str]:
    return [
        wrong_type(f"{where}.{field.name}", field.type)
        for field in fields
        # `type` because True would pass as an int. The SDK sends "prompt": null for an effect.
        if type(values.get(field.name, field.type())) is not field.type
        and not (field.name == "prompt" and values["prompt"] is None)
    ]


def _check_template(given: Mapping[str, Any], *, model: Model, effects: bool) -> None:
    if "template" not in given:
        return
    effect = EFFECTS.get(given["template"]) if effects else None
    if effect is None or model.id not in effect.models:
        raise TaskRejected("Invalid template content.", code="InvalidFile.Template.Content")


def _wrong_values(wanted: Mapping[str, Any], *, kinds: Sequence[str], model: Model) -> Iterator[str]:
    """Say which values of the right type the model does not take beside these types of media."""
    # The service names the largest tier first.
    literals = {
        "resolution": model.resolutions[::-1],
        "ratio": _api_values("ratio", model.ratios, model=model),
        "shot_type": model.shot_types,
        "audio_setting": model.audio_settings,
    }
    for name, allowed in literals.items():
        if isinstance(wanted.get(name), str) and wanted[name] not in allowed:
            yield one_of(f"parameters.{name}", allowed)
    size = wanted.get("size")
    if isinstance(size, str) and size not in model.sizes.values():
        yield f"The size is not match {size}"
    duration, seed = wanted.get("duration"), wanted.get("seed")
    if type(duration) is int:
        yield from _wrong_duration(duration, kinds=kinds, model=model)
    lowest = -1 if model.family == WAN_3 else 0
    if type(seed) is int and seed < lowest:
        yield f"Input should be greater than or equal to {lowest}: parameters.seed"
    if type(seed) is int and seed > SEED_MAX:
        yield f"Input should be less than or equal to {SEED_MAX}: parameters.seed"


def _wrong_duration(duration: int, *, kinds: Sequence[str], model: Model) -> Iterator[str]:
    with_clip = REFERENCE_VIDEO in kinds and model.clip_durations
    allowed = _api_values("duration", model.clip_durations if with_clip else model.durations, model=model)
    if duration in allowed:
        return
    if duration == -1 and model.family == WAN_3:
        raise not_made("video of a length that the model chooses", model)
    seconds = [value for value in allowed if value > AS_CLIP]
    first, last = seconds[0], seconds[-1]
    if first == last:
        # Recorded of wan2.2-t2v-plus for 3 and 8 s. What its page calls fixed, 5 s, is taken here as no refusal of it
        # is known; the official samples leave the field out (dashscope.md section 0.1).
        yield "duration customization is not supported"
    elif len(seconds) == last - first + 1:
        yield f"Duration should be between {first} and {last}"
    else:
        yield one_of("parameters.duration", allowed)


def _cut(prompt: str, *, model: Model) -> str:
    """Return the beginning of a prompt that the model reads: some count a Chinese character as more than one."""
    kept = prompt[: model.prompt_limit]
    room = model.prompt_limit - model.prompt_length(kept)
    while room < 0:
        room += model.prompt_length(kept[-1])
        kept = kept[:-1]
    return kept
