"""Validation of a request: the problems that prevent it, and warnings about unexpected results.

The rules are read from the model's row, and every problem names the allowed values.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from urllib.parse import urlsplit

from ..catalog.fields import FIELDS, VideoRequest, rows_of
from ..catalog.media import DRIVING_AUDIO, EDITED_VIDEO, FIRST_CLIP, FIRST_FRAME, LAST_FRAME
from ..catalog.models import SEED_MAX, SHOT_TYPES
from ..catalog.regions import REGIONS, Region
from ..catalog.spec import Model
from ..messages import Message, conjunction, enumeration
from ..redaction import contains_secret
from ..text import format_choices, format_value, or_choose

INPUT_NAMES = {FIRST_FRAME: "image", LAST_FRAME: "last_frame", DRIVING_AUDIO: "audio", FIRST_CLIP: "video"}
"""The nodes' input for each kind of media."""

MEDIA_LABELS = {
    FIRST_FRAME: Message("a first frame"),
    LAST_FRAME: Message("a last frame"),
    DRIVING_AUDIO: Message("an audio file"),
    FIRST_CLIP: Message("a clip"),
}
_SCHEMES = ("http", "https", "oss")
_AUDIO_SUFFIXES = (".wav", ".mp3")
_VIDEO_SUFFIXES = (".mp4", ".mov")


def validate(
    request: VideoRequest,
    *,
    region: Region,
    provided: Collection[str] = (FIRST_FRAME,),
    clip_seconds: float | None = None,
) -> list[str]:
    """Return the problems that prevent the request, each with the allowed values; empty if it is valid.

    `provided` are the media that will be sent, by kind or `media_key`, apart from those that the request names by URL.
    `clip_seconds` is the length of the clips together, if known.
    """
    problems = _general_problems(request)
    if _type_problems(request):
        return problems
    model = request.row
    if model is None:
        return [
            Message(
                "model: {model!r} is not known; choose {choices}",
                model=request.model[:60],
                choices=format_choices(list(rows_of(request.job))),
            ),
            *problems,
        ]
    problems += _region_problems(model, region)
    sized = bool(model.sizes) and request.resolution in model.resolutions
    asked = [field for field in FIELDS if not sized or field.name != "ratio"]
    problems += [problem for field in asked for problem in field.choice_problems(request, model)]
    problems += _size_problems(request, model) if sized else []
    if model.prompt_required and not request.prompt.strip():
        problems.append(Message("prompt: {model} needs a prompt; write what the video shows", model=model.id))
    known_clip = clip_seconds is not None and FIRST_CLIP in provided
    if known_clip and request.duration in model.durations and request.duration <= (clip_seconds or 0):
        problems.append(
            Message(
                "duration: {duration} s is the length of the complete video and must exceed the clip's {seconds:.1f} s",
                duration=request.duration,
                seconds=clip_seconds,
            )
        )
    if request.template:
        from .effects import effect_problems

        problems += effect_problems(request, model, region)
    multi = request.shot_type != SHOT_TYPES[0] and request.shot_type in model.shot_types
    if multi and model.prompt_extend and not request.prompt_extend:
        problems.append(
            Message(
                "shot_type: {shot_type} requires prompt_extend; switch it on, or choose {single}",
                shot_type=request.shot_type,
                single=SHOT_TYPES[0],
            )
        )
    if model.slots:
        from .references import reference_problems

        problems += reference_problems(request, model, provided=provided, clip_seconds=clip_seconds)
    else:
        problems += _media_problems(request, model, provided)
    problems += _audio_problems(request, model)
    if request.negative_prompt.strip() and not model.negative_prompt:
        told = Message(
            "negative_prompt: not supported by {model}; leave it empty and describe the content in the prompt",
            model=model.id,
        )
        others = _models(model.job, lambda row: row.negative_prompt)
        problems.append(or_choose(told, others))
    return problems


def retired_problems(model: Model) -> list[str]:
    """Return the problem of a model that takes no new tasks. Those that it has made can still be saved."""
    if not model.successor:
        return []
    return [Message("model: DashScope has retired {model}; choose {other}", model=model.id, other=model.successor)]


def _type_problems(request: VideoRequest) -> list[str]:
    """Return the problems of values of a wrong type, which another node or a file may pass."""
    problems: list[str] = []
    for field in FIELDS:
        value = getattr(request, field.name)
        if field.type is str and not isinstance(value, str):
            problems.append(
                Message("{input}: must be a string, not {type}", input=field.name, type=type(value).__name__)
            )
        if field.type is bool and not isinstance(value, bool):
            problems.append(
                Message("{input}: must be true or false, not {value}", input=field.name, value=format_value(value))
            )
    return problems


def _general_problems(request: VideoRequest) -> list[str]:
    """Return the problems that do not depend on the model."""
    problems = _type_problems(request)
    # In other packs -1 means a random seed. Modulo the maximum it would always be the same seed.
    if type(request.seed) is not int or request.seed < 0:
        problems.append(
            Message("seed: {seed} is not supported; choose 0 to {most}", seed=format_value(request.seed), most=SEED_MAX)
        )
    texts = [(field, value) for field in FIELDS if isinstance(value := getattr(request, field.name), str)]
    problems += [
        Message(
            "{input}: contains your API key, which would be saved with every workflow and video; remove it",
            input=field.name,
        )
        for field, text in texts
        if contains_secret(text)
    ]
    problems += [
        Message(
            "{input}: {count} characters are too many; use at most {most}",
            input=field.name,
            count=len(text),
            most=field.max_chars,
        )
        for field, text in texts
        if field.max_chars and len(text) > field.max_chars
    ]
    return problems


def _region_problems(model: Model, region: Region) -> list[str]:
    if region.simulated or region.id in model.offers:
        return []
    having = [REGIONS[name].title for name in model.offers]
    here = _models(model.job, lambda row: region.id in row.offers)
    return [
        Message(
            "model: {model} is not available in {region}, only in {choices} (choose the region in DashScope "
            "Connection). {region} offers {offered}",
            model=model.id,
            region=region.title,
            choices=format_choices(having),
            offered=enumeration(here),
        )
    ]


def _media_problems(request: VideoRequest, model: Model, provided: Collection[str]) -> list[str]:
    """Return the problems of the kinds of media: those that the model does not accept, and those that are missing."""
    audio = [DRIVING_AUDIO] if request.audio_url else []
    problems: list[str] = []
    if request.audio_url and DRIVING_AUDIO in provided:
        problems.append(Message("audio: use either audio or audio_url, not both"))
    all_kinds = [*provided, *(kind for kind in audio if kind not in provided)]
    if any(set(legal) == set(all_kinds) for legal in model.media_combinations):
        return problems
    unsupported = [kind for kind in all_kinds if not model.accepts(kind)]
    for kind in unsupported:
        name = "audio_url" if kind == DRIVING_AUDIO and kind not in provided else INPUT_NAMES[kind]
        label = (
            Message("makes silent videos")
            if kind == DRIVING_AUDIO and model.always_silent
            else Message("does not accept {media}", media=MEDIA_LABELS[kind])
        )
        wanted = {kind, FIRST_FRAME} & {kind, *provided}
        others = _models(model.job, lambda row, wanted=wanted: row.accepts(*wanted))  # type: ignore[misc]
        told = Message("{input}: {model} {problem}; remove it", input=name, model=model.id, problem=label)
        problems.append(or_choose(told, others))
    if unsupported:
        return problems
    if missing := model.missing_media(*all_kinds):
        problems += [
            Message("{input}: {model} needs {media}", input=INPUT_NAMES[kind], model=model.id, media=MEDIA_LABELS[kind])
            for kind in missing
        ]
    elif not model.accepts(*all_kinds):
        legal = [
            conjunction(Message("{input}", input=INPUT_NAMES[kind]) for kind in one) for one in model.media_combinations
        ]
        problems.append(
            Message(
                "{input}: {model} accepts {choices}",
                input=INPUT_NAMES[all_kinds[0]],
                model=model.id,
                choices=format_choices(legal),
            )
        )
    return problems


def _models(job: str, rule: Callable[[Model], object]) -> list[str]:
    """Return the ids of a job's models that a rule holds for, for messages that offer another model."""
    return [row.id for row in rows_of(job).values() if rule(row)]


def _size_problems(request: VideoRequest, model: Model) -> list[str]:
    if (request.resolution, request.ratio) in model.sizes:
        return []
    return [
        Message(
            "ratio: {ratio} is not supported by {model} at {resolution}; choose {choices}",
            ratio=format_value(request.ratio),
            model=model.id,
            resolution=request.resolution,
            choices=format_choices([ratio for tier, ratio in model.sizes if tier == request.resolution]),
        )
    ]


def _audio_problems(request: VideoRequest, model: Model) -> list[str]:
    problems = _url_problems("audio_url", request.audio_url, _AUDIO_SUFFIXES, model.audio_seconds)
    schemes = _SCHEMES if model.uploads else _SCHEMES[:2]
    problems += _url_problems("video_url", request.video_url, _VIDEO_SUFFIXES, model.clip_limits.seconds, schemes)
    if request.video_url and not model.accepts(EDITED_VIDEO):
        problems.append(
            Message("video_url: not supported by {model}; leave it empty and connect the clip", model=model.id)
        )
    if not request.generate_audio and not model.always_silent and not model.audio_switch:
        silent = _models(model.job, lambda row: row.always_silent)
        problems.append(
            Message(
                "generate_audio: {model} cannot make silent videos; switch it on, or choose {choices}",
                model=model.id,
                choices=format_choices([*_models(model.job, lambda row: row.audio_switch), *silent]),
            )
        )
    return problems


def _url_problems(
    name: str, url: str, suffixes: Sequence[str], seconds: tuple[float, float], schemes: Sequence[str] = _SCHEMES
) -> list[str]:
    """Return the problems of the URL of a file. `seconds` is how long the file may be."""
    if not url:
        return []
    try:
        parts = urlsplit(url)
    except ValueError:
        return [Message("{input}: is not a valid URL", input=name)]
    if parts.scheme.lower() not in schemes or not parts.netloc:
        return [
            Message(
                "{input}: must start with {choices}",
                input=name,
                choices=format_choices([f"{scheme}://" for scheme in schemes]),
            )
        ]
    # The service checks the file name suffix; a URL without one may still be such a file.
    ending = "." + parts.path.rpartition("/")[2].rpartition(".")[2].lower()
    if "." in parts.path.rpartition("/")[2] and ending not in suffixes:
        low, high = seconds
        return [
            Message(
                "{input}: {ending} is not supported; use {choices} of {least:g} to {most:g} s",
                input=name,
                ending=ending[:20],
                choices=format_choices(suffixes),
                least=low,
                most=high,
            )
        ]
    return []
