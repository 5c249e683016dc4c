"""The fields of a create request: their types, their places in the API's body, and which models have them.

`VideoRequest` is the table: a new input only needs a field with its specification here. Validation, body, browser
rules and the mock server's validation read `FIELDS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field, fields, replace
from functools import cache
from typing import Any

from ..frozen import frozen
from ..messages import Message
from ..text import format_choices, format_value
from ..values import truth, whole
from .effects import EFFECTS
from .media import EDITED_VIDEO
from .models import ADAPTIVE, DEFAULT_DURATION, DEFAULT_MODEL, MODELS, MORE_RATIOS, RATIOS, SEED_MAX, SHOT_TYPES
from .spec import IMAGE_TO_VIDEO, AudioMode, Model


@cache
def rows_of(job: str) -> Mapping[str, Model]:
    """Return every model of a job by its id in the widget, in the order of the widget."""
    if job == IMAGE_TO_VIDEO:
        return MODELS
    # Only a node of one of these jobs needs their tables.
    from .jobs import ROWS

    return ROWS[job]


AUDIO_SETTINGS = ("auto", "origin")
"""The service may make a new sound, or keeps that of the clip."""
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
    one value. `sent` returns whether a model's API has it in this form.
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
    sent: Callable[[Model], bool]

    def is_sent(self, model: Model, *, effect: bool) -> bool:
        """Return whether the body of a request for a model has the field. `effect` is whether it requests an effect."""
        if not self.path or not self.has(model) or not self.sent(model) or (effect and not self.effects):
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
        if self.choices is None or (self.optional and value == self.default and not self.has(model)):
            return []
        allowed = self.choices(model)
        if type(value) is self.type and value in allowed:
            return []
        others = [row.id for row in rows_of(model.job).values() if self.has(row)] if self.optional else []
        if others and not allowed:
            return [
                Message(
                    "{input}: {value} is not supported by {model}; choose {default}, or the model {others}",
                    input=name,
                    value=value,
                    model=model.id,
                    default=self.default,
                    others=format_choices(others),
                )
            ]
        return [
            Message(
                "{input}: {value} is not supported by {model}; choose {choices}",
                input=name,
                value=format_value(value),
                model=model.id,
                choices=format_choices(allowed or [self.default]),
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
    sent: Callable[[Model], bool] = lambda _: True,
) -> Any:
    columns = locals() | {"has": lambda model: bool(has(model))}
    return field(default=default, metadata=columns)


@frozen
class VideoRequest:
    """The fields of a request, without images, audio and clip. `duration` is in seconds and includes a clip's.

    `audio_url` and `video_url` are http(s) or oss URLs of an audio file and of a clip, `template` is an effect's id;
    empty if there is none. `ratio` is the video's aspect ratio, "adaptive" that of the image or clip; a `duration` of 0
    is the clip's. `audio_setting` tells what becomes of a clip's sound. `job` and `model` name the `row`, None if there
    is none. Whole numbers and booleans of any type, as other nodes pass them, become int and bool; other values stay,
    for `validate` to report.
    """

    model: str = _field("", default=DEFAULT_MODEL)
    prompt: str = _field("input.prompt", default="", effects=False, max_chars=MAX_TEXT)
    resolution: str = _field(
        "parameters.resolution",
        default=MODELS[DEFAULT_MODEL].default_resolution,
        choices=lambda model: model.resolutions,
        sent=lambda model: not model.sizes,
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
        "parameters.audio", default=True, has=lambda model: model.audio_mode == AudioMode.CHOICE
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
        known=(*RATIOS, *MORE_RATIOS),
        optional=True,
        sent=lambda model: not model.sizes,
    )
    audio_setting: str = _field(
        "parameters.audio_setting",
        default=AUDIO_SETTINGS[0],
        has=lambda model: model.audio_settings,
        choices=lambda model: model.audio_settings,
        known=AUDIO_SETTINGS,
        optional=True,
    )
    video_url: str = _field("", default="", has=lambda model: model.accepts(EDITED_VIDEO), max_chars=MAX_URL)
    job: str = IMAGE_TO_VIDEO
    row: Model | None = field(default=None, init=False, repr=False, compare=False)

    def numbered(self, index: int) -> VideoRequest:
        """Return the request of one video of a batch: seeds count up and wrap around at the maximum."""
        return replace(self, seed=(self.seed + index) % (SEED_MAX + 1))

    def __post_init__(self) -> None:
        rows = MODELS if self.job == IMAGE_TO_VIDEO else rows_of(self.job)
        object.__setattr__(self, "row", rows.get(self.model) if isinstance(self.model, str) else None)
        for name in ("audio_url", "video_url"):
            if isinstance(url := getattr(self, name), str):
                object.__setattr__(self, name, url.strip())
        for spec in FIELDS:
            value = getattr(self, spec.name)
            if spec.type is not str and type(value) is not spec.type:
                object.__setattr__(self, spec.name, truth(value) if spec.type is bool else whole(value))


FIELDS = tuple(
    FieldSpec(name=one.name, type=_TYPES[str(VideoRequest.__annotations__[one.name])], **one.metadata)
    for one in fields(VideoRequest)
    if one.metadata
)
"""Every field, in the order of `VideoRequest`."""
