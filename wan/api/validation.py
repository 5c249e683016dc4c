"""Validation of a request: the problems that prevent it, and warnings about unexpected results.

The rules are read from the model's row, and every problem names the allowed values.
"""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import urlsplit

from ..catalog.effects import EFFECTS
from ..catalog.fields import FIELDS, VideoRequest
from ..catalog.models import MODELS, NEGATIVE_PROMPT_LIMIT, SEED_MAX, SHOT_TYPES, models_where
from ..catalog.regions import REGIONS, Region
from ..catalog.spec import DRIVING_AUDIO, FIRST_CLIP, FIRST_FRAME, LAST_FRAME, Model
from ..redaction import contains_secret
from ..text import format_choices, format_value

INPUT_NAMES = {FIRST_FRAME: "image", LAST_FRAME: "last_frame", DRIVING_AUDIO: "audio", FIRST_CLIP: "video"}
"""The nodes' input for each kind of media."""

MEDIA_LABELS = {
    FIRST_FRAME: "a first frame",
    LAST_FRAME: "a last frame",
    DRIVING_AUDIO: "an audio file",
    FIRST_CLIP: "a clip",
}
_AUDIO_SCHEMES = ("http", "https", "oss")
_AUDIO_SUFFIXES = (".wav", ".mp3")


def validate(
    request: VideoRequest,
    *,
    region: Region,
    provided: Collection[str] = (FIRST_FRAME,),
    clip_seconds: float | None = None,
) -> list[str]:
    """Return the problems that prevent the request, each with the allowed values; empty if it is valid.

    `provided` are the kinds of media that will be sent, apart from `audio_url`. `clip_seconds` is the clip's length, if
    known.
    """
    problems = _general_problems(request)
    if _type_problems(request):
        return problems
    model = MODELS.get(request.model)
    if model is None:
        return [f"model: {request.model[:60]!r} is not known; choose {format_choices(list(MODELS))}", *problems]
    problems += _region_problems(model, region)
    problems += [problem for field in FIELDS for problem in field.choice_problems(request, model)]
    if clip_seconds is not None and request.duration in model.durations and request.duration <= clip_seconds:
        problems.append(
            f"duration: {request.duration} s is the length of the complete video and must exceed the clip's "
            f"{clip_seconds:.1f} s"
        )
    problems += _effect_problems(request, model, region)
    if request.shot_type != SHOT_TYPES[0] and request.shot_type in model.shot_types and not request.prompt_extend:
        problems.append(
            f"shot_type: {request.shot_type} requires prompt_extend; switch it on, or choose {SHOT_TYPES[0]}"
        )
    problems += _media_problems(request, model, provided)
    problems += _audio_problems(request, model)
    if request.negative_prompt.strip() and not model.negative_prompt:
        problems.append(
            f"negative_prompt: not supported by {model.id}; leave it empty and describe the content in the prompt, or "
            f"choose {format_choices(models_where(lambda row: row.negative_prompt))}"
        )
    return problems


def warnings(
    request: VideoRequest, *, region: Region, audio_seconds: float | None = None, is_priced: bool = True
) -> list[str]:
    """Return the ways in which the video will differ from the request. `request` must be valid.

    `audio_seconds` is the length of the audio, if known, `is_priced` whether the price list has the video.
    """
    model = MODELS[request.model]
    found = []
    if request.seed > SEED_MAX:
        found.append(
            f"seed: {format_value(request.seed)} exceeds the maximum of {SEED_MAX}; {request.seed % (SEED_MAX + 1)} is "
            f"sent (modulo {SEED_MAX + 1})"
        )
    for name, text, limit in (
        ("prompt", request.prompt, model.prompt_limit),
        ("negative_prompt", request.negative_prompt, NEGATIVE_PROMPT_LIMIT),
    ):
        # Most texts are short enough whatever their characters count.
        length = model.prompt_length(text) if len(text) * model.chinese_weight > limit else 0
        if length > limit and not request.template:
            stretched = ", with each Chinese one counted twice" if model.chinese_weight > 1 else ""
            found.append(f"{name}: DashScope truncates it to {limit} characters; this one has {length}{stretched}")
    has_sound = bool(request.audio_url) or audio_seconds is not None
    if has_sound and not model.has_audio(generate_audio=request.generate_audio):
        found.append("audio: generate_audio is off, so the audio is not used and the video is silent")
    elif audio_seconds is not None and round(audio_seconds, 2) != request.duration:
        longer = audio_seconds > request.duration
        fate = "the rest of the audio is cut" if longer else "the end of the video is silent"
        found.append(f"audio: {audio_seconds:.1f} s of audio for {request.duration} s of video; {fate}")
    offer = model.offer_in(region.id)
    sure = offer.documented_durations if offer else ()
    if sure and request.duration not in sure:
        found.append(
            f"duration: some of DashScope's pages document only {format_choices(sure)} s for {model.id} in "
            f"{region.title}; {request.duration} may be rejected, free of charge"
        )
    if not is_priced:
        found.append(f"{request.model} at {request.resolution} is not in the price list of {region.title}")
    return found


def _type_problems(request: VideoRequest) -> list[str]:
    """Return the problems of values of a wrong type, which another node or a file may pass."""
    problems = []
    for field in FIELDS:
        value = getattr(request, field.name)
        if field.type is str and not isinstance(value, str):
            problems.append(f"{field.name}: must be a string, not {type(value).__name__}")
        if field.type is bool and not isinstance(value, bool):
            problems.append(f"{field.name}: must be true or false, not {format_value(value)}")
    return problems


def _general_problems(request: VideoRequest) -> list[str]:
    """Return the problems that do not depend on the model."""
    problems = _type_problems(request)
    # In other packs -1 means a random seed. Modulo the maximum it would always be the same seed.
    if type(request.seed) is not int or request.seed < 0:
        problems.append(f"seed: {format_value(request.seed)} is not supported; choose 0 to {SEED_MAX}")
    texts = [(field, value) for field in FIELDS if isinstance(value := getattr(request, field.name), str)]
    problems += [
        f"{field.name}: contains your API key, which would be saved with every workflow and video; remove it"
        for field, text in texts
        if contains_secret(text)
    ]
    problems += [
        f"{field.name}: {len(text)} characters are too many; use at most {field.max_chars}"
        for field, text in texts
        if field.max_chars and len(text) > field.max_chars
    ]
    return problems


def _region_problems(model: Model, region: Region) -> list[str]:
    if region.simulated or region.id in model.offers:
        return []
    having = [REGIONS[name].title for name in model.offers]
    here = [row.id for row in MODELS.values() if row.model_id_in(region.id)]
    return [
        f"model: {model.id} is not available in {region.title}, only in {format_choices(having)} (choose the region in "
        f"DashScope Connection). {region.title} offers {', '.join(here)}"
    ]


def _effect_problems(request: VideoRequest, model: Model, region: Region) -> list[str]:
    effect = EFFECTS.get(request.template)
    if effect is None:
        return []
    problems = []
    if model.id not in effect.models:
        problems.append(f"template: {effect.id} is not supported by {model.id}; choose {format_choices(effect.models)}")
    if not region.effects:
        having = [row.title for row in REGIONS.values() if row.effects and not row.simulated]
        problems.append(f"template: effects are not available in {region.title}, only in {format_choices(having)}")
    return problems


def _media_problems(request: VideoRequest, model: Model, provided: Collection[str]) -> list[str]:
    """Return the problems of the kinds of media: those that the model does not accept, and those that are missing."""
    audio = [DRIVING_AUDIO] if request.audio_url else []
    problems = []
    if request.audio_url and DRIVING_AUDIO in provided:
        problems.append("audio: use either audio or audio_url, not both")
    all_kinds = [*provided, *(kind for kind in audio if kind not in provided)]
    if any(set(legal) == set(all_kinds) for legal in model.media_combinations):
        return problems
    unsupported = [kind for kind in all_kinds if not model.accepts(kind)]
    for kind in unsupported:
        name = "audio_url" if kind == DRIVING_AUDIO and kind not in provided else INPUT_NAMES[kind]
        label = (
            "makes silent videos"
            if kind == DRIVING_AUDIO and model.always_silent
            else f"does not accept {MEDIA_LABELS[kind]}"
        )
        others = _models_accepting(kind, *({FIRST_FRAME} & set(provided)))
        problems.append(f"{name}: {model.id} {label}; remove it, or choose {others}")
    if unsupported:
        return problems
    if missing := model.missing_media(*all_kinds):
        problems += [f"{INPUT_NAMES[kind]}: {model.id} needs {MEDIA_LABELS[kind]}" for kind in missing]
    elif not model.accepts(*all_kinds):
        legal = [" and ".join(INPUT_NAMES[kind] for kind in one) for one in model.media_combinations]
        problems.append(f"{INPUT_NAMES[all_kinds[0]]}: {model.id} accepts {format_choices(legal)}")
    return problems


def _models_accepting(*kinds: str) -> str:
    return format_choices(models_where(lambda row: row.accepts(*kinds)))


def _audio_problems(request: VideoRequest, model: Model) -> list[str]:
    problems = _audio_url_problems(request.audio_url, model) if request.audio_url else []
    if not request.generate_audio and not model.always_silent and not model.audio_switch:
        silent = [row.id for row in MODELS.values() if row.always_silent]
        problems.append(
            f"generate_audio: {model.id} cannot make silent videos; switch it on, or choose "
            f"{format_choices([*models_where(lambda row: row.audio_switch), *silent])}"
        )
    return problems


def _audio_url_problems(url: str, model: Model) -> list[str]:
    try:
        parts = urlsplit(url)
    except ValueError:
        return ["audio_url: is not a valid URL"]
    if parts.scheme.lower() not in _AUDIO_SCHEMES or not parts.netloc:
        return [f"audio_url: must start with {format_choices([f'{scheme}://' for scheme in _AUDIO_SCHEMES])}"]
    # The service checks the file name suffix; a URL without one may still be an audio file.
    ending = "." + parts.path.rpartition("/")[2].rpartition(".")[2].lower()
    if "." in parts.path.rpartition("/")[2] and ending not in _AUDIO_SUFFIXES:
        low, high = model.audio_seconds
        return [
            f"audio_url: {ending[:20]} is not supported; use {format_choices(_AUDIO_SUFFIXES)} of {low} to {high} s"
        ]
    return []
