"""The create request for one video: its JSON body and its cost.

`build_body` includes only the fields that the model supports. The rules are in `validation.py`.
"""

from __future__ import annotations

import hashlib
import io
import json
import secrets
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from ..catalog.fields import FIELDS, VideoRequest
from ..catalog.models import NEGATIVE_PROMPT_LIMIT, SEED_MAX
from ..catalog.regions import Region
from ..catalog.spec import Model, kind_of
from ..messages import Message, Text
from ..text import format_choices, format_value
from .task import MIN_TRUNCATED_PROMPT, normalized_prompt

BODY_BYTES = 6 * 1024 * 1024
"""The gateway's limit for a request body (measured on the service's other routes)."""


FINGERPRINT_VERSION = "2:"
"""The prefix of fingerprints in the current format."""


def build_body(request: VideoRequest, *, region: Region, media: Mapping[str, str]) -> dict[str, Any]:
    """Return the JSON body of the create request. `request` must be valid.

    `media` has the URL of each medium by `media_key`, or by its kind: `data:{mime};base64,...`, http(s) or oss.
    """
    model = row_of(request)
    name = model.id if region.simulated else model.offers[region.id].name
    body: dict[str, Any] = {"model": name, "input": {}, "parameters": {}}
    for field in FIELDS:
        value = getattr(request, field.name)
        value = model.api_values.get((field.name, value), value)
        if value not in ("", None) and field.is_sent(model, effect=bool(request.template)):
            section, _, place = field.path.partition(".")
            body[section][place] = value
    if model.sizes:
        body["parameters"]["size"] = model.sizes[request.resolution, request.ratio]
    if model.request_format.fields:
        body["input"] |= {model.request_format.fields[kind]: url for kind, url in media.items()}
    elif model.request_format.urls:
        body["input"][model.request_format.urls] = list(media.values())
    elif media:
        body["input"]["media"] = _items(media)
    return body


def row_of(request: VideoRequest) -> Model:
    """Return the row of a valid request's model."""
    row = request.row
    if row is None:
        raise ValueError(f"there is no {request.model} for {request.job}: validate would have reported it")
    return row


def _items(media: Mapping[str, str]) -> list[dict[str, str]]:
    """Return the items of `input.media`. The URL of a voice goes into the item of its medium."""
    items: dict[str, dict[str, str]] = {}
    for key, url in media.items():
        owner, _, voice = key.partition("/")
        if voice:
            items[owner][voice] = url
        else:
            items[key] = {"type": kind_of(key), "url": url}
    return list(items.values())


class CreateBody:
    """The JSON body of a create request, built once, with a placeholder for each of its `kinds` of media."""

    def __init__(self, request: VideoRequest, *, region: Region, kinds: Collection[str]) -> None:
        self._placeholders = {kind: secrets.token_hex(16) for kind in kinds}
        self._body = build_body(request, region=region, media=self._placeholders)

    @property
    def size(self) -> int:
        """Its size in bytes, without the media and their names."""
        media = set(self._placeholders.values())
        input_ = {name: value for name, value in self._body["input"].items() if not _holds(value, media)}
        input_ |= {name: [] for name, value in self._body["input"].items() if isinstance(value, list)}
        return len(to_json(self._body | {"input": input_}))

    def with_hashes(self, hashes: Mapping[str, str]) -> dict[str, Any]:
        """Return the body with each placeholder replaced by the content hash of its media."""
        by_placeholder = {self._placeholders[kind]: content for kind, content in hashes.items()}
        return dict(_replaced(self._body, by_placeholder))

    def encode(self, media: Mapping[str, Callable[[], Iterable[bytes]]]) -> bytes:
        """Return the bytes to send, with each placeholder replaced by the URL of its media, given in chunks.

        The data of images is copied only once, as it may have megabytes.
        """
        body = to_json(self._body)
        places = sorted(
            (body.index(f'"{placeholder}"'.encode()) + 1, kind) for kind, placeholder in self._placeholders.items()
        )
        whole, done = io.BytesIO(), 0
        for place, kind in places:
            whole.write(body[done:place])
            whole.writelines(media[kind]())
            done = place + len(self._placeholders[kind])
        whole.write(body[done:])
        return whole.getvalue()


def _holds(value: object, texts: set[str]) -> bool:
    return isinstance(value, str) and value in texts


def _replaced(value: Any, texts: Mapping[str, str]) -> Any:
    """Return a JSON value with some of its strings replaced."""
    if isinstance(value, dict):
        return {name: _replaced(inner, texts) for name, inner in value.items()}
    if isinstance(value, list):
        return [_replaced(inner, texts) for inner in value]
    return texts.get(value, value) if isinstance(value, str) else value


def to_json(body: Mapping[str, Any]) -> bytes:
    """Return a request body as bytes. Chinese is not escaped, which keeps it short."""
    # JavaScript can produce a lone surrogate, which cannot be encoded.
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def url_chunks(url: str) -> list[bytes]:
    """Return a URL for `CreateBody.encode`: escaped as in a JSON string, without the quotes."""
    return [json.dumps(url, ensure_ascii=False).encode("utf-8", "replace")[1:-1]]


def expected_prompt(request: VideoRequest) -> str | None:
    """Return the prompt that a request's task will report, None if it is unknown."""
    return None if request.template else request.prompt


def estimate_cost(
    request: VideoRequest, *, region: Region, clips: Sequence[float] | None = (), references: int = 0
) -> dict[str, Any] | None:
    """Return the list price of the video as {amount, currency, as_of}, or None if it has none.

    `clips` are the seconds of the clips, None if they are unknown, as those of a clip at a URL are. `references` is the
    number of all references.
    """
    model = row_of(request)
    offer = model.offer_in(region.id)
    price = model.price_per_second(
        region=region.id, resolution=request.resolution, generate_audio=request.generate_audio
    )
    unknown = clips is None or request.video_url
    if offer is None or price is None or (price and unknown):
        return None
    clips = clips or ()
    plain = request.duration and not clips
    seconds = request.duration if plain else model.billed_seconds(request.duration, clips=clips, references=references)
    return {"amount": round(price * seconds, 4), "currency": region.currency, "as_of": offer.as_of}


def describe_cost(cost: Mapping[str, Any] | None, *, videos: int = 1) -> Text:
    """Return the status text's note on the cost of some videos; "" if it is unknown or zero."""
    if not cost or not cost["amount"]:
        return ""
    return partial(
        Message, ", about {currency} {amount:.2f}", currency=cost["currency"], amount=cost["amount"] * videos
    )


def warnings(
    request: VideoRequest, *, region: Region, audio_seconds: float | None = None, is_priced: bool = True
) -> list[str]:
    """Return the ways in which the video will differ from the request. `request` must be valid.

    `audio_seconds` is the length of the audio, if known, `is_priced` whether the price list has the video.
    """
    model = row_of(request)
    found: list[str] = []
    if request.seed > SEED_MAX:
        found.append(
            Message(
                "seed: {seed} exceeds the maximum of {most}; {sent} is sent (modulo {modulo})",
                seed=format_value(request.seed),
                most=SEED_MAX,
                sent=request.seed % (SEED_MAX + 1),
                modulo=SEED_MAX + 1,
            )
        )
    for name, text, limit in (
        ("prompt", request.prompt, model.prompt_limit),
        ("negative_prompt", request.negative_prompt, NEGATIVE_PROMPT_LIMIT),
    ):
        # Most texts are short enough whatever their characters count.
        length = model.prompt_length(text) if len(text) * model.chinese_weight > limit else 0
        if length > limit and not request.template:
            stretched = Message(", with each Chinese one counted twice") if model.chinese_weight > 1 else ""
            found.append(
                Message(
                    "{input}: DashScope truncates it to {limit} characters; this one has {length}{note}",
                    input=name,
                    limit=limit,
                    length=length,
                    note=stretched,
                )
            )
    has_sound = bool(request.audio_url) or audio_seconds is not None
    if has_sound and not model.has_audio(generate_audio=request.generate_audio):
        found.append(Message("audio: generate_audio is off, so the audio is not used and the video is silent"))
    elif audio_seconds is not None and round(audio_seconds, 2) != request.duration:
        longer = audio_seconds > request.duration
        fate = Message("the rest of the audio is cut") if longer else Message("the end of the video is silent")
        found.append(
            Message(
                "audio: {audio:.1f} s of audio for {duration} s of video; {fate}",
                audio=audio_seconds,
                duration=request.duration,
                fate=fate,
            )
        )
    offer = model.offer_in(region.id)
    sure = offer.documented_durations if offer else ()
    if sure and request.duration not in sure:
        found.append(
            Message(
                "duration: some of DashScope's pages document only {documented} s for {model} in {region}; "
                "{duration} may be rejected, free of charge",
                documented=format_choices(sure),
                model=model.id,
                region=region.title,
                duration=request.duration,
            )
        )
    if request.video_url and not is_priced:
        found.append(
            Message("video_url: the seconds of this clip are billed too, and their number is unknown before the run")
        )
    elif not is_priced:
        found.append(
            Message(
                "{model} at {resolution} is not in the price list of {region}",
                model=request.model,
                resolution=request.resolution,
                region=region.title,
            )
        )
    return found


def fingerprint(body: Mapping[str, Any], *, region: str) -> str:
    """Return the fingerprint of a request: equal for equal bodies and regions, whatever the key.

    `body` has content hashes in place of its media.
    """
    return FINGERPRINT_VERSION + _digest(region, body)


def subject_fingerprint(body: Mapping[str, Any], *, region: str) -> str:
    """Return the fingerprint of a request's model and of the image or clip that its video begins with.

    That of a video that begins with neither is of what its task reports of the prompt at least.
    """
    given = body["input"]
    listed = [one["url"] for one in given.get("media", ()) if one["type"] in ("first_frame", "first_clip")]
    first = given.get("img_url") or given.get("first_frame_url") or listed
    first = first or {"prompt": normalized_prompt(given.get("prompt", ""))[:MIN_TRUNCATED_PROMPT]}
    return fingerprint({"model": body["model"], "first": first}, region=region)


def earlier_fingerprints(body: Mapping[str, Any], *, region: str, account: str, duration: int) -> Iterator[str]:
    """Yield the older formats of the fingerprint of a request of `duration` seconds for an account."""
    yield _digest(region, account, body)
    # The oldest format includes the duration of models that have only one.
    if "duration" not in body.get("parameters", {"duration": 0}):
        parameters = {**body["parameters"], "duration": duration}
        yield _digest(region, account, {**body, "parameters": parameters})


def _digest(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True, ensure_ascii=True).encode("ascii")).hexdigest()
