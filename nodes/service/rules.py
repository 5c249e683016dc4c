"""The rules of a request: what makes it impossible, and what will be different from what one may expect.

Every rule is read from the model's row, and every fault is told with what is allowed instead.
"""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import urlsplit

from ..redaction import excerpt, holds_key
from .effects import EFFECTS
from .model import DRIVING_AUDIO, FIRST_CLIP, FIRST_FRAME, LAST_FRAME, Model
from .models import (
    ADAPTIVE,
    MODELS,
    NEGATIVE_PROMPT_LIMIT,
    RATIOS,
    SEED_MAX,
    SHOT_TYPES,
    choices,
    models_taking,
    models_with,
)
from .regions import OFFLINE, REGIONS, Region
from .request import SWITCHES, VideoRequest, cost

LONGEST_TEXT = 20_000
LONGEST_ADDRESS = 2000
"""Characters; a longer text or address is a mistake, and would not fit beside the picture."""

INPUT_OF = {FIRST_FRAME: "image", LAST_FRAME: "last_frame", DRIVING_AUDIO: "audio", FIRST_CLIP: "video"}
"""The nodes' input for each kind of media."""

_TEXTS = ("model", "prompt", "resolution", "shot_type", "negative_prompt", "audio_url", "template", "ratio")
_WORDS = {
    FIRST_FRAME: "first frame",
    LAST_FRAME: "last frame",
    DRIVING_AUDIO: "sound",
    FIRST_CLIP: "clip to go on from",
}
_AUDIO_SCHEMES = ("http", "https", "oss")
_AUDIO_SUFFIXES = (".wav", ".mp3")


def find_faults(
    request: VideoRequest, *, region: Region, given: Collection[str] = (FIRST_FRAME,), clip_seconds: float | None = None
) -> list[str]:
    """Return everything that makes the request impossible, each with what is allowed. Empty when it can be sent.

    `given` are the kinds of media that will be sent, a sound of `audio_url` aside; `clip_seconds` is the clip's length
    where it is known.
    """
    faults = _general_faults(request)
    if _type_faults(request):
        return faults
    model = MODELS.get(request.model)
    if model is None:
        return [f"model: {request.model[:60]!r} is not known; choose {choices(list(MODELS))}", *faults]
    faults += _region_faults(model, region)
    if request.resolution not in model.resolutions:
        faults.append(_impossible("resolution", request.resolution, model, model.resolutions))
    if type(request.duration) is not int or request.duration not in model.durations:
        faults.append(_impossible("duration", request.duration, model, model.durations))
    elif clip_seconds is not None and request.duration <= clip_seconds:
        faults.append(
            f"duration: {request.duration} s is the whole video's, which must be longer than its first clip of "
            f"{clip_seconds:.1f} s"
        )
    faults += _effect_faults(request, model, region)
    faults += _shot_faults(request, model)
    faults += _shape_faults(request, model)
    faults += _media_faults(request, model, given)
    faults += _sound_faults(request, model)
    if request.negative_prompt.strip() and not model.negative_prompt:
        faults.append(
            f"negative_prompt: {model.id} has none; leave it empty and say in the prompt what there is to see, or "
            f"choose {choices(models_with('negative_prompt'))}"
        )
    return faults


def warnings(request: VideoRequest, *, region: Region, sound_seconds: float | None = None) -> list[str]:
    """Return what the service will do differently from what the request says. `request` has no faults.

    `sound_seconds` is the length of the given sound where it is known.
    """
    model = MODELS[request.model]
    found = []
    if request.seed > SEED_MAX:
        found.append(
            f"seed: {shown(request.seed)} is more than the service takes, at most {SEED_MAX}; "
            f"{request.seed % (SEED_MAX + 1)} is sent (the remainder by {SEED_MAX + 1})"
        )
    for name, text, limit in (
        ("prompt", request.prompt, model.prompt_limit),
        ("negative_prompt", request.negative_prompt, NEGATIVE_PROMPT_LIMIT),
    ):
        length = model.prompt_length(text)
        if length > limit and not request.template:
            twice = ", a Chinese one counted twice" if model.chinese_weight > 1 else ""
            found.append(f"{name}: the service cuts it after {limit} characters; this one has {length}{twice}")
    loud = model.has_sound(generate_audio=request.generate_audio)
    if not loud and (request.audio_url or sound_seconds is not None):
        found.append("audio: generate_audio is off, so the given sound is not used and the video is silent")
    elif sound_seconds is not None and round(sound_seconds, 2) != request.duration:
        longer = sound_seconds > request.duration
        fate = "its tail is cut" if longer else "the end of the video is silent"
        found.append(f"audio: {sound_seconds:.1f} s of sound for {request.duration} s of video; {fate}")
    sure = model.offers[region.id].sure_durations if region.id in model.offers else ()
    if sure and request.duration not in sure:
        found.append(
            f"duration: for {model.id} in {region.title} some of the service's pages name only {choices(sure)} s; "
            f"{request.duration} may be refused, at no cost"
        )
    if cost(request, region=region) is None:
        found.append(f"{request.model} at {request.resolution} is not in the price list of {region.title}")
    return found


def _impossible(name: str, value: object, model: Model, allowed: tuple[object, ...]) -> str:
    return f"{name}: {shown(value)} is not possible with {model.id}; choose {choices(allowed)}"


def shown(value: object) -> str:
    """Return a value as a message shows it: short, whatever it is."""
    if isinstance(value, int) and value.bit_length() > 100:
        return "a number of that size"
    return excerpt(str(value), 60) if isinstance(value, (str, int, float)) else f"a {type(value).__name__}"


def _type_faults(request: VideoRequest) -> list[str]:
    """Faults of values that another node, or a file, has given in another form than a widget would."""
    values = vars(request)
    texts = [
        f"{name}: must be a text, not {type(values[name]).__name__}"
        for name in _TEXTS
        if not isinstance(values[name], str)
    ]
    return texts + [
        f"{name}: must be true or false, not {shown(values[name])}"
        for name in SWITCHES
        if not isinstance(values[name], bool)
    ]


def _general_faults(request: VideoRequest) -> list[str]:
    """Faults that no model allows."""
    faults = _type_faults(request)
    # -1 means a new seed each time in other packs: taken modulo, it would be the same one, and paid only once.
    if type(request.seed) is not int or request.seed < 0:
        faults.append(f"seed: {shown(request.seed)} is not possible; choose 0 to {SEED_MAX}")
    texts = {name: value for name in _TEXTS if isinstance(value := vars(request)[name], str)}
    faults += [
        f"{name}: it holds your API key, which would go into every saved workflow and video; take it out"
        for name, text in texts.items()
        if holds_key(text)
    ]
    faults += [
        f"{name}: {len(texts[name])} characters are too many; give at most {most}"
        for name, most in (("prompt", LONGEST_TEXT), ("negative_prompt", LONGEST_TEXT), ("audio_url", LONGEST_ADDRESS))
        if len(texts.get(name, "")) > most
    ]
    return faults


def _region_faults(model: Model, region: Region) -> list[str]:
    if model.name_in(region.id):
        return []
    having = [REGIONS[name].title for name in model.offers]
    here = [row.id for row in MODELS.values() if row.name_in(region.id)]
    return [
        f"model: {model.id} is not available in {region.title}; it is in {choices(having)} "
        f"(choose the region with DashScope Connection). {region.title} has {', '.join(here)}"
    ]


def _effect_faults(request: VideoRequest, model: Model, region: Region) -> list[str]:
    if not request.template:
        return []
    effect = EFFECTS.get(request.template)
    if effect is None:
        return [f"template: {request.template[:60]!r} is not known; choose {choices(list(EFFECTS))}"]
    faults = []
    if model.id not in effect.models:
        faults.append(f"template: {effect.id} is not possible with {model.id}; choose {choices(effect.models)}")
    if not region.effects:
        having = [row.title for row in REGIONS.values() if row.effects and row.id != OFFLINE]
        faults.append(f"template: effects are not available in {region.title}; they are in {choices(having)}")
    return faults


def _shot_faults(request: VideoRequest, model: Model) -> list[str]:
    if request.shot_type not in SHOT_TYPES:
        return [f"shot_type: {request.shot_type[:60]!r} is not known; choose {choices(SHOT_TYPES)}"]
    if request.shot_type == SHOT_TYPES[0]:
        return []
    if request.shot_type not in model.shot_types:
        return [
            f"shot_type: {request.shot_type} is not possible with {model.id}; choose {SHOT_TYPES[0]}, or one of "
            f"{choices(models_with('shot_types'))}"
        ]
    if not request.prompt_extend:
        return [f"shot_type: {request.shot_type} needs prompt_extend; switch it on, or choose {SHOT_TYPES[0]}"]
    return []


def _shape_faults(request: VideoRequest, model: Model) -> list[str]:
    if request.ratio not in RATIOS:
        return [f"ratio: {request.ratio[:60]!r} is not known; choose {choices(RATIOS)}"]
    if request.ratio == ADAPTIVE or request.ratio in model.ratios:
        return []
    return [
        f"ratio: {request.ratio} is not possible with {model.id}, whose videos have the picture's shape; choose "
        f"{ADAPTIVE}, or one of {choices(models_with('ratios'))}"
    ]


def _media_faults(request: VideoRequest, model: Model, given: Collection[str]) -> list[str]:
    """Faults of the kinds of media: what the model does not take, and what it needs besides."""
    sound = [DRIVING_AUDIO] if request.audio_url else []
    faults = []
    if request.audio_url and DRIVING_AUDIO in given:
        faults.append("audio: give either audio or audio_url, not both")
    every = [*given, *(kind for kind in sound if kind not in given)]
    strange = [kind for kind in every if not model.takes(kind)]
    for kind in strange:
        name = "audio_url" if kind == DRIVING_AUDIO and kind not in given else INPUT_OF[kind]
        what = "makes silent videos" if kind == DRIVING_AUDIO and model.always_silent else f"takes no {_WORDS[kind]}"
        others = choices(models_taking(*({FIRST_FRAME} if FIRST_FRAME in given else ()), kind))
        faults.append(f"{name}: {model.id} {what}; remove it, or choose {others}")
    if strange:
        return faults
    if missing := model.needs_with(*every):
        faults += [f"{INPUT_OF[kind]}: {model.id} needs a {_WORDS[kind]}" for kind in missing]
    elif not model.takes(*every):
        legal = [" and ".join(INPUT_OF[kind] for kind in one) for one in model.media_sets]
        faults.append(f"{INPUT_OF[every[0]]}: {model.id} takes {choices(legal)}")
    return faults


def _sound_faults(request: VideoRequest, model: Model) -> list[str]:
    faults = _audio_url_faults(request.audio_url, model) if request.audio_url else []
    if not request.generate_audio and not model.always_silent and not model.audio_switch:
        silent = [row.id for row in MODELS.values() if row.always_silent]
        faults.append(
            f"generate_audio: {model.id} cannot be silent; switch it on, or choose "
            f"{choices([*models_with('audio_switch'), *silent])}"
        )
    return faults


def _audio_url_faults(url: str, model: Model) -> list[str]:
    try:
        parts = urlsplit(url)
    except ValueError:
        return ["audio_url: is not an address"]
    if parts.scheme.lower() not in _AUDIO_SCHEMES or not parts.netloc:
        return [f"audio_url: must start with {choices([f'{scheme}://' for scheme in _AUDIO_SCHEMES])}"]
    # The service looks at the ending of the name; an address without one may still lead to a sound.
    ending = "." + parts.path.rpartition("/")[2].rpartition(".")[2].lower()
    if "." in parts.path.rpartition("/")[2] and ending not in _AUDIO_SUFFIXES:
        low, high = model.audio_seconds
        return [f"audio_url: {ending[:20]} is not possible; give {choices(_AUDIO_SUFFIXES)} of {low} to {high} s"]
    return []
