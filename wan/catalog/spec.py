"""The schema of the model table: the types of its rows and their fields."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import field
from types import MappingProxyType

from ..frozen import frozen
from .regions import REGIONS

PRICES_AS_OF = "2026-05-26"

MB = 1024 * 1024

_CHINESE = (
    ("\u3000", "\u303f"),
    ("\u3400", "\u4dbf"),
    ("\u4e00", "\u9fff"),
    ("\uf900", "\ufaff"),
    ("\uff00", "\uff60"),
    ("\U00020000", "\U0003ffff"),
)
"""The first and last character of each Unicode block of Chinese characters and punctuation."""

FIRST_FRAME = "first_frame"
LAST_FRAME = "last_frame"
DRIVING_AUDIO = "driving_audio"
FIRST_CLIP = "first_clip"
"""The kinds of media in a request, by the service's names for `input.media[].type`."""


class AudioMode(enum.Enum):
    """Whether a model's videos have audio. `CHOICE`: the request decides."""

    NEVER = "never"
    CHOICE = "choice"
    ALWAYS = "always"


@frozen
class RequestFormat:
    """A format of the create request: its path, and the field of `input` for each kind of media.

    Without fields, media go into the list `input.media` as `{type, url}`.
    """

    path: str
    fields: Mapping[str, str] = field(default_factory=dict)


_SYNTHESIS = "/services/aigc/video-generation/video-synthesis"

IMG_URL = RequestFormat(_SYNTHESIS, {FIRST_FRAME: "img_url", DRIVING_AUDIO: "audio_url"})
MEDIA = RequestFormat(_SYNTHESIS)
FRAME_URLS = RequestFormat(
    "/services/aigc/image2video/video-synthesis", {FIRST_FRAME: "first_frame_url", LAST_FRAME: "last_frame_url"}
)


@frozen
class ImageLimits:
    """A model's limits for images.

    `sides` are the minimum and maximum pixels of a side; a larger image is scaled down. `ratio` is the maximum ratio of
    longer to shorter side, 0 if none is documented. `bytes` is the maximum file size, `formats` are the allowed file
    formats by Pillow's names.
    """

    sides: tuple[int, int] = (240, 8000)
    ratio: float = 0.0
    bytes: int = 20 * MB
    formats: tuple[str, ...] = ("JPEG", "PNG", "BMP", "WEBP")


@frozen
class RegionalOffer:
    """A region's offer of a model: the model's id in the region's API and the list price per second of video, by tier.

    Prices are in the region's currency. `silent_price` is the lower price of `audio: false`, if there is one. A tier
    without a list price is missing from `price`. `documented_durations` are the only durations that some of the
    service's pages list for the region, if its pages differ; otherwise empty. `as_of` is the date of the price list.
    """

    name: str
    price: Mapping[str, float]
    silent_price: Mapping[str, float] = field(default_factory=dict)
    documented_durations: tuple[int, ...] = ()
    as_of: str = PRICES_AS_OF

    def __post_init__(self) -> None:
        object.__setattr__(self, "price", MappingProxyType(dict(self.price)))
        object.__setattr__(self, "silent_price", MappingProxyType(dict(self.silent_price)))


@frozen
class Model:
    """One model's rules.

    `family` is the generation, such as "wan2.6", whose models are alike in what no other field tells, such as the form
    of their usage. `durations` are seconds. `prompt_limit` counts characters, a Chinese one as `chinese_weight`; the
    service cuts what is longer. `media_combinations` are the kinds of media that a request may have, every set that is
    legal; `audio_seconds` is the length of an audio file. `negative_prompt` and `prompt_extend` tell whether the API
    has a field of that name for the model. `workspace_hosts_only` tells that the service documents it for workspaces'
    own hosts only. `rate_limit` is tasks a second, `running_limit` tasks at once and `queue_limit` tasks that wait, per
    main account; after `timeout_hours` the service gives a task up. `typical_wait` is the documented or measured span,
    in seconds, from submission to the finished video. `fps` is the video's.
    """

    id: str
    family: str
    resolutions: tuple[str, ...]
    default_resolution: str
    durations: tuple[int, ...]
    prompt_limit: int
    audio_mode: AudioMode
    offers: Mapping[str, RegionalOffer]
    rate_limit: float = 5
    running_limit: int = 5
    queue_limit: int = 500
    timeout_hours: int = 3
    typical_wait: tuple[int, int] = (60, 300)
    request_format: RequestFormat = IMG_URL
    media_combinations: tuple[tuple[str, ...], ...] = ((FIRST_FRAME,),)
    image_limits: ImageLimits = ImageLimits()
    audio_seconds: tuple[int, int] = (3, 30)
    chinese_weight: int = 1
    negative_prompt: bool = True
    prompt_extend: bool = True
    shot_types: tuple[str, ...] = ()
    ratios: tuple[str, ...] = ()
    effects: bool = False
    workspace_hosts_only: bool = False
    fps: int = 30

    def __post_init__(self) -> None:
        object.__setattr__(self, "offers", MappingProxyType(dict(self.offers)))

    def offer_in(self, region: str) -> RegionalOffer | None:
        """Return the model as a region sells it, None where it does not. A simulated region has all, for free."""
        if REGIONS[region].simulated:
            return RegionalOffer(self.id, dict.fromkeys(self.resolutions, 0.0))
        return self.offers.get(region)

    def model_id_in(self, region: str) -> str | None:
        """Return the model's id in a region, or None if the region does not offer it."""
        offer = self.offer_in(region)
        return offer.name if offer else None

    def accepts(self, *kinds: str) -> bool:
        """Tell whether a request may have media of all these kinds."""
        return any(set(kinds) <= set(legal) for legal in self.media_combinations)

    def missing_media(self, *kinds: str) -> list[str]:
        """Return the kinds of media that a request with these kinds lacks; none if no request may have them all."""
        if any(set(legal) == set(kinds) for legal in self.media_combinations):
            return []
        larger = [legal for legal in self.media_combinations if set(kinds) <= set(legal)]
        return [kind for kind in min(larger, key=len, default=()) if kind not in kinds]

    @property
    def audio_input(self) -> bool:
        """Whether the model accepts an audio file beside the first frame."""
        return self.accepts(FIRST_FRAME, DRIVING_AUDIO)

    @property
    def audio_switch(self) -> bool:
        """Whether a request can ask for a silent video."""
        return self.audio_mode is AudioMode.CHOICE

    @property
    def always_silent(self) -> bool:
        """Whether no video of this model has audio."""
        return self.audio_mode is AudioMode.NEVER

    def has_audio(self, *, generate_audio: bool) -> bool:
        """Whether the video will have an audio track."""
        return self.audio_mode is AudioMode.ALWAYS or (self.audio_switch and generate_audio)

    def prompt_length(self, text: str) -> int:
        """Return the length of a text as `prompt_limit` counts it."""
        if self.chinese_weight == 1:
            return len(text)
        chinese = sum(any(first <= character <= last for first, last in _CHINESE) for character in text)
        return len(text) + (self.chinese_weight - 1) * chinese

    def price_per_second(self, *, region: str, resolution: str, generate_audio: bool) -> float | None:
        """Return the list price per second of video in the offer's currency, None where the list does not name it."""
        offer = self.offer_in(region)
        if offer is None:
            return None
        if self.audio_switch and not generate_audio and resolution in offer.silent_price:
            return offer.silent_price[resolution]
        return offer.price.get(resolution)
