"""The create request of one video: its JSON body, and what it costs.

`build_body` puts in what the table of fields allows for the model. What a request may ask for is in `validation.py`.
"""

from __future__ import annotations

import io
import json
import uuid
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from ..catalog.fields import FIELDS, VideoRequest
from ..catalog.models import MODELS
from ..catalog.regions import Region

BODY_BYTES = 6 * 1024 * 1024
"""The gateway's limit for a request body (measured on the service's other routes)."""


def build_body(request: VideoRequest, *, region: Region, media: Mapping[str, str]) -> dict[str, Any]:
    """Return the JSON body of the create request. `request` must be valid.

    `media` has the URL of each kind of media: `data:{mime};base64,...`, http(s) or oss.
    """
    model = MODELS[request.model]
    body: dict[str, Any] = {"model": model.model_id_in(region.id), "input": {}, "parameters": {}}
    for field in FIELDS:
        value = getattr(request, field.name)
        if value != "" and field.is_sent(model, effect=bool(request.template)):
            section, _, name = field.path.partition(".")
            body[section][name] = value
    if model.request_format.fields:
        body["input"] |= {model.request_format.fields[kind]: url for kind, url in media.items()}
    else:
        body["input"]["media"] = [{"type": kind, "url": url} for kind, url in media.items()]
    return body


class CreateBody:
    """The JSON body of a create call, built once, with a placeholder where each of its `kinds` of media goes."""

    def __init__(self, request: VideoRequest, *, region: Region, kinds: Collection[str]) -> None:
        self._placeholders = {kind: uuid.uuid4().hex for kind in kinds}
        self._body = build_body(request, region=region, media=self._placeholders)

    @property
    def size(self) -> int:
        """Its bytes, media and their names aside."""
        media = set(self._placeholders.values())
        input_ = {name: value for name, value in self._body["input"].items() if not _holds(value, media)}
        if "media" in self._body["input"]:
            input_["media"] = []
        return len(to_json(self._body | {"input": input_}))

    def with_hashes(self, hashes: Mapping[str, str]) -> dict[str, Any]:
        """Return the body with what stands for the content of each kind of media in its place."""
        by_placeholder = {self._placeholders[kind]: content for kind, content in hashes.items()}
        return dict(_replaced(self._body, by_placeholder))

    def encode(self, media: Mapping[str, Callable[[], Iterable[bytes]]]) -> bytes:
        """Return the bytes to send, with the URL of each kind of media, which comes in chunks, in its place.

        The data of images is copied once: it may be megabytes.
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
    """Return a JSON value with other texts in the place of some."""
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
    """Return a URL as `CreateBody.encode` takes it: as it stands between the quotes of JSON."""
    return [json.dumps(url, ensure_ascii=False).encode("utf-8", "replace")[1:-1]]


def expected_prompt(request: VideoRequest) -> str | None:
    """Return what the task of a request will report as its prompt, None where that is not known."""
    return None if request.template else request.prompt


def estimate_cost(request: VideoRequest, *, region: Region) -> dict[str, Any] | None:
    """Return the list price of the video as {amount, currency, as_of}, or None if it has none."""
    model = MODELS[request.model]
    offer = model.offer_in(region.id)
    price = model.price_per_second(
        region=region.id, resolution=request.resolution, generate_audio=request.generate_audio
    )
    if offer is None or price is None:
        return None
    return {"amount": round(price * request.duration, 4), "currency": offer.currency, "as_of": offer.as_of}


def describe_cost(cost: Mapping[str, Any] | None, *, videos: int = 1) -> str:
    """Return what a status adds about the cost of some videos; "" where it is not known, or nothing."""
    return f", about {cost['currency']} {cost['amount'] * videos:.2f}" if cost and cost["amount"] else ""
