"""The fields of a create request: their types, their places in the API's body, and which models have them.

`VideoRequest` is the table: a new input only needs a field with its specification here. Validation, body, browser
rules and the mock server's validation read `FIELDS`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import field, fields, replace
from typing import Any

from ..frozen import frozen
from ..messages import Message
from ..text import format_choices, format_value
from ..values import truth, whole
from .effects import EFFECTS
from .models import ADAPTIVE, DEFAULT_DURATION, DEFAULT_MODEL, MODELS, RATIOS, SEED_MAX, SHOT_TYPES, models_where
from .spec import AudioMode, Model

MAX_TEXT = 20_000
MAX_URL = 2000
"""Characters. A longer text or URL is a mistake, and would not fit beside the image."""


@frozen
class FieldSpec:
    """The specification of one field. `type` is str, int or bool.

    `path` is its place in the body, such as "parameters.audio"; empty if it is sent as media. `has` returns whether a
    model has the field. `choices` returns the values that a model accepts, None if they are not limited to a list. An
    `optional` field may have its default for models without it; `known` are the values that any model accepts.
    `effects` is whether the request of an effect has it. With `omit_single` it is not sent to a model that accepts only
    one value.
    """

    name: str
    type: type
    default: Any
    path: str
    has: Callable[[Model], bool]
    choices: Callable[[Model], Sequence[Any]] | None
    known: Sequence[Any] | None
    optional: bool
    effects: bool
    omit_single: bool
    max_chars: int

    def is_sent(self, model: Model, *, effect: bool) -> bool:
        """Return whether the body of a request for a model has the field. `effect` is whether it requests an effect."""
        if not self.path or not self.has(model) or (effect and not self.effects):
            return False
        return not (self.omit_single and self.choices and len(self.choices(model)) == 1)

    def choice_problems(self, request: VideoRequest, model: Model) -> list[str]:
        """Return the problem of a request's value that is not one of the choices, with the choices."""
        value, name = getattr(request, self.name), self.name
        if self.optional and self.known and value not in (*self.known, self.default):
            return [
                Message(
                    "{input}: {value!r} is not known; choose {choices}",
                    input=name,
                    value=value[:60],
                    choices=format_choices(self.known),
                )
            ]
        if self.choices is None or (self.optional and value == self.default):
            return []
        allowed = self.choices(model)
        if type(value) is self.type and value in allowed:
            return []
        if self.optional:
            others = format_choices(models_where(self.has))
            return [
                Message(
                    "{input}: {value} is not supported by {model}; choose {default}, or the model {others}",
                    input=name,
                    value=value,
                    model=model.id,
                    default=self.default,
                    others=others,
                )
            ]
        return [
            Message(
                "{input}: {value} is not supported by {model}; choose {choices}",
                input=name,
                value=format_value(value),
                model=model.id,
                choices=format_choices(allowed),
            )
        ]


_TYPES = {"str": str, "int": int, "bool": bool}


def _field(  # noqa: PLR0913 - the columns of a table
    path: str,
    *,
    default: Any,
    has: Callable[[Model], Any] = lambda _: True,
    choices: Callable[[Model], Sequence[Any]] | None = None,
    known: Sequence[Any] | None = None,
    optional: bool = False,
    effects: bool = True,
    omit_single: bool = False,
    max_chars: int = 0,
) -> Any:
    columns = locals() | {"has": lambda model: bool(has(model))}
    return field(default=default, metadata=columns)


@frozen
class VideoRequest:
    """The fields of a request, without images, audio and clip. `duration` is in seconds and includes a clip's.

    `audio_url` is an http(s) or oss URL of an audio file, `template` an effect's id; empty if there is none. `ratio`
    is the video's aspect ratio, "adaptive" that of the image. Whole numbers and booleans of any type, as other nodes
    pass them, become int and bool; other values stay, for `validate` to report.
    """

    model: str = _field("", default=DEFAULT_MODEL)
    prompt: str = _field("input.prompt", default="", effects=False, max_chars=MAX_TEXT)
    resolution: str = _field(
        "parameters.resolution",
        default=MODELS[DEFAULT_MODEL].default_resolution,
        choices=lambda model: model.resolutions,
    )
    duration: int = _field(
        "parameters.duration", default=DEFAULT_DURATION, choices=lambda model: model.durations, omit_single=True
    )
    shot_type: str = _field(
        "parameters.shot_type",
        default=SHOT_TYPES[0],
        has=lambda model: model.shot_types,
        choices=lambda model: model.shot_types,
        known=SHOT_TYPES,
        optional=True,
    )
    prompt_extend: bool = _field(
        "parameters.prompt_extend", default=True, has=lambda model: model.prompt_extend, effects=False
    )
    negative_prompt: str = _field(
        "input.negative_prompt",
        default="",
        has=lambda model: model.negative_prompt,
        effects=False,
        max_chars=MAX_TEXT,
    )
    seed: int = _field("parameters.seed", default=0)
    generate_audio: bool = _field(
        "parameters.audio", default=True, has=lambda model: model.audio_mode is AudioMode.CHOICE
    )
    watermark: bool = _field("parameters.watermark", default=False)
    audio_url: str = _field("", default="", has=lambda model: model.audio_input, max_chars=MAX_URL)
    template: str = _field(
        "input.template", default="", has=lambda model: model.effects, known=tuple(EFFECTS), optional=True
    )
    ratio: str = _field(
        "parameters.ratio",
        default=ADAPTIVE,
        has=lambda model: model.ratios,
        choices=lambda model: model.ratios,
        known=RATIOS,
        optional=True,
    )

    def numbered(self, index: int) -> VideoRequest:
        """Return the request of one video of a batch: seeds count up and wrap around at the maximum."""
        return replace(self, seed=(self.seed + index) % (SEED_MAX + 1))

    def __post_init__(self) -> None:
        if isinstance(self.audio_url, str):
            object.__setattr__(self, "audio_url", self.audio_url.strip())
        for spec in FIELDS:
            value = getattr(self, spec.name)
            if spec.type is not str and type(value) is not spec.type:
                object.__setattr__(self, spec.name, truth(value) if spec.type is bool else whole(value))


FIELDS = tuple(
    FieldSpec(name=one.name, type=_TYPES[str(VideoRequest.__annotations__[one.name])], **one.metadata)
    for one in fields(VideoRequest)
)
"""Every field, in the order of `VideoRequest`."""
