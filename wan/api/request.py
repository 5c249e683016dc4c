"""A request for one video: its fields, its JSON body and its cost.

`build_body` includes only the fields that the model supports. The rules are in `validation.py`.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..catalog.models import ADAPTIVE, DEFAULT_DURATION, DEFAULT_MODEL, MODELS, SHOT_TYPES
from ..catalog.regions import Region
from ..catalog.spec import CURRENCY, PRICES_AS_OF, Model
from ..values import truth, whole

BOOL_FIELDS = ("prompt_extend", "generate_audio", "watermark")
"""The boolean fields of a request."""

BODY_BYTES = 6 * 1024 * 1024
"""The gateway's limit for a request body (measured on the service's other routes)."""


@dataclass(frozen=True)
class VideoRequest:
    """The fields of a request, without images, audio and clip. `duration` is in seconds and includes a clip's.

    `audio_url` is an http(s) or oss URL of an audio file, `template` an effect's id; empty if there is none. `ratio`
    is the video's aspect ratio, "adaptive" that of the image. Whole numbers and booleans of any type, as other nodes
    pass them, become int and bool; other values stay, for `validate` to report.
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
    ratio: str = ADAPTIVE

    def __post_init__(self) -> None:
        for parse, names in ((whole, ("duration", "seed")), (truth, BOOL_FIELDS)):
            for name in names:
                object.__setattr__(self, name, parse(getattr(self, name)))


def build_body(request: VideoRequest, *, region: Region, media: Mapping[str, str]) -> dict[str, Any]:
    """Return the JSON body of the create request. `request` must be valid.

    `media` has the URL of each kind of media: `data:{mime};base64,...`, http(s) or oss.
    """
    model = MODELS[request.model]
    input_: dict[str, Any] = {}
    if request.template:
        input_["template"] = request.template
    else:
        input_ |= {k: v for k, v in (("prompt", request.prompt), ("negative_prompt", request.negative_prompt)) if v}
    if model.request_format.fields:
        input_ |= {model.request_format.fields[kind]: url for kind, url in media.items()}
    else:
        input_["media"] = [{"type": kind, "url": url} for kind, url in media.items()]
    return {"model": model.model_id_in(region.id), "input": input_, "parameters": _parameters(request, model)}


def _parameters(request: VideoRequest, model: Model) -> dict[str, Any]:
    parameters: dict[str, Any] = {"resolution": request.resolution}
    if model.ratios:
        parameters["ratio"] = request.ratio
    if model.duration_field:
        parameters["duration"] = request.duration
    if model.prompt_extend and not request.template:
        parameters["prompt_extend"] = request.prompt_extend
    if model.shot_types:
        parameters["shot_type"] = request.shot_type
    if model.audio_switch:
        parameters["audio"] = request.generate_audio
    return parameters | {"seed": request.seed, "watermark": request.watermark}


def expected_prompt(request: VideoRequest) -> str | None:
    """Return the prompt that a request's task will report, None if it is unknown."""
    return None if request.template else request.prompt


def splice_data_uris(body: bytes, images: Mapping[str, Iterable[bytes]]) -> bytes:
    """Return a JSON body with each placeholder replaced by the data URI of its image, given in chunks.

    A placeholder must be unique in the body. The data is copied only once, as it may have megabytes.
    """
    places = sorted((body.index(f'"{placeholder}"'.encode()) + 1, placeholder) for placeholder in images)
    whole, done = io.BytesIO(), 0
    for place, placeholder in places:
        whole.write(body[done:place])
        whole.writelines(images[placeholder])
        done = place + len(placeholder)
    whole.write(body[done:])
    return whole.getvalue()


def estimate_cost(request: VideoRequest, *, region: Region) -> dict[str, Any] | None:
    """Return the list price of the video as {amount, currency, as_of}, or None if it has none."""
    model = MODELS[request.model]
    price = model.price_per_second(
        region=region.id, resolution=request.resolution, generate_audio=request.generate_audio
    )
    if price is None:
        return None
    offer = model.offers.get(region.id)
    currency, as_of = (offer.currency, offer.as_of) if offer else (CURRENCY, PRICES_AS_OF)
    return {"amount": round(price * request.duration, 4), "currency": currency, "as_of": as_of}
