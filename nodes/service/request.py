"""A request for one video: its rules, and the JSON body that asks for it.

Every rule is read from the model's row. `find_faults` says all that is wrong with what is allowed instead, `warnings`
what will be different from what one may expect, `build_body` puts in only what the row allows.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from ..redaction import holds_key
from .effects import EFFECTS
from .models import (
    AUDIO_SECONDS,
    CURRENCY,
    DEFAULT_DURATION,
    DEFAULT_MODEL,
    MODELS,
    NEGATIVE_PROMPT_LIMIT,
    PRICES_AS_OF,
    SEED_MAX,
    SHOT_TYPES,
    Model,
    choices,
    models_with,
)
from .regions import OFFLINE, REGIONS, Region

BODY_BYTES = 6 * 1024 * 1024
"""The gateway's limit for a request body (measured on the service's other routes)."""

LONGEST_TEXT = 20_000
LONGEST_ADDRESS = 2000
"""Characters; a longer text or address is a mistake, and would not fit beside the picture."""

_TEXTS = ("model", "prompt", "resolution", "shot_type", "negative_prompt", "audio_url", "template")
_SWITCHES = ("prompt_extend", "generate_audio", "watermark")
_AUDIO_SCHEMES = ("http", "https", "oss")
_AUDIO_SUFFIXES = (".wav", ".mp3")


@dataclass(frozen=True)
class VideoRequest:
    """What one video is asked for, the picture and the sound aside. `duration` is in seconds.

    `audio_url` is an http(s) or oss address of a sound, `template` an effect's id; empty where there is none.
    """

    model: str = DEFAULT_MODEL
    prompt: str = ""
    resolution: str = MODELS[DEFAULT_MODEL].default_resolution
    duration: int = DEFAULT_DURATION
    shot_type: str = SHOT_TYPES[0]
    prompt_extend: bool = True
    negative_prompt: str = ""
    seed: int = 0
    generate_audio: bool = True
    watermark: bool = False
    audio_url: str = ""
    template: str = ""


def find_faults(request: VideoRequest, *, region: Region, sound_given: bool = False) -> list[str]:
    """Return everything that makes the request impossible, each with what is allowed. Empty when it can be sent.

    `sound_given` tells that a sound other than `audio_url` will be uploaded.
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
    faults += _effect_faults(request, model, region)
    faults += _shot_faults(request, model)
    faults += _sound_faults(request, model, sound_given=sound_given)
    return faults


def warnings(request: VideoRequest, *, region: Region, sound_seconds: float | None = None) -> list[str]:
    """Return what the service will do differently from what the request says. `request` has no faults.

    `sound_seconds` is the length of the given sound where it is known.
    """
    model = MODELS[request.model]
    found = []
    for name, text, limit in (
        ("prompt", request.prompt, model.prompt_limit),
        ("negative_prompt", request.negative_prompt, NEGATIVE_PROMPT_LIMIT),
    ):
        if len(text) > limit and not request.template:
            found.append(f"{name}: the service cuts it after {limit} characters; this one has {len(text)}")
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


def build_body(request: VideoRequest, *, region: Region, image: str, audio_url: str = "") -> dict[str, Any]:
    """Return the JSON body of the create call. `request` has no faults.

    `image` is the first frame as `data:{mime};base64,...` or an address, `audio_url` the address of the sound.
    """
    model = MODELS[request.model]
    entry: dict[str, Any] = {}
    if request.template:
        entry["template"] = request.template
    else:
        entry |= {k: v for k, v in (("prompt", request.prompt), ("negative_prompt", request.negative_prompt)) if v}
    entry["img_url"] = image
    parameters: dict[str, Any] = {"resolution": request.resolution, "duration": request.duration}
    if not request.template:
        parameters["prompt_extend"] = request.prompt_extend
    if model.shot_types:
        parameters["shot_type"] = request.shot_type
    if model.audio_switch:
        parameters["audio"] = request.generate_audio
    if audio_url and model.has_sound(generate_audio=request.generate_audio):
        entry["audio_url"] = audio_url
    parameters |= {"seed": request.seed, "watermark": request.watermark}
    return {"model": model.name_in(region.id), "input": entry, "parameters": parameters}


def put_picture(body: bytes, *, mark: str, picture: Iterable[bytes]) -> bytes:
    """Return a body as JSON with a picture's data URI, given in pieces, where `mark` stands for it as the image.

    The data is copied once: it may be megabytes.
    """
    place = f'"img_url":"{mark}"'.encode()
    before, found, after = body.partition(place)
    if not found:
        raise ValueError("nothing in the body stands for the picture")
    whole = io.BytesIO()
    whole.write(before + b'"img_url":"')
    whole.writelines(picture)
    whole.write(b'"' + after)
    return whole.getvalue()


def cost(request: VideoRequest, *, region: Region) -> dict[str, Any] | None:
    """Return the list price of the video as {amount, currency, as_of}, or None where the list does not have it."""
    price = MODELS[request.model].price_per_second(
        region=region.id, resolution=request.resolution, generate_audio=request.generate_audio
    )
    if price is None:
        return None
    return {"amount": round(price * request.duration, 4), "currency": CURRENCY, "as_of": PRICES_AS_OF}


def _impossible(name: str, value: object, model: Model, allowed: tuple[object, ...]) -> str:
    return f"{name}: {shown(value)} is not possible with {model.id}; choose {choices(allowed)}"


def shown(value: object) -> str:
    """Return a value as a message shows it: short, whatever it is."""
    if isinstance(value, int) and value.bit_length() > 100:
        return "a number of that size"
    return str(value)[:60] if isinstance(value, (str, int, float)) else f"a {type(value).__name__}"


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
        for name in _SWITCHES
        if not isinstance(values[name], bool)
    ]


def _general_faults(request: VideoRequest) -> list[str]:
    """Faults that no model allows."""
    faults = _type_faults(request)
    if type(request.seed) is not int or not 0 <= request.seed <= SEED_MAX:
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


def _sound_faults(request: VideoRequest, model: Model, *, sound_given: bool) -> list[str]:
    faults = []
    url = request.audio_url
    given = [name for name, there in (("audio", sound_given), ("audio_url", bool(url))) if there]
    if len(given) == 2:
        faults.append("audio: give either audio or audio_url, not both")
    if url:
        faults += _audio_url_faults(url)
    if given and not model.audio_input:
        faults.append(
            f"{given[0]}: {model.id} makes silent videos; remove the sound, or choose "
            f"{choices(models_with('audio_input'))}"
        )
    if not request.generate_audio and model.audio_input and not model.audio_switch:
        silent = [row.id for row in MODELS.values() if row.always_silent]
        faults.append(
            f"generate_audio: {model.id} cannot be silent; switch it on, or choose "
            f"{choices([*models_with('audio_switch'), *silent])}"
        )
    return faults


def _audio_url_faults(url: str) -> list[str]:
    try:
        parts = urlsplit(url)
    except ValueError:
        return ["audio_url: is not an address"]
    if parts.scheme.lower() not in _AUDIO_SCHEMES or not parts.netloc:
        return [f"audio_url: must start with {choices([f'{scheme}://' for scheme in _AUDIO_SCHEMES])}"]
    # The service looks at the ending of the name; an address without one may still lead to a sound.
    ending = "." + parts.path.rpartition("/")[2].rpartition(".")[2].lower()
    if "." in parts.path.rpartition("/")[2] and ending not in _AUDIO_SUFFIXES:
        low, high = AUDIO_SECONDS
        return [f"audio_url: {ending[:20]} is not possible; give {choices(_AUDIO_SUFFIXES)} of {low} to {high} s"]
    return []
