"""The schema of the model table: the types of its rows and their fields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from ..frozen import frozen
from .media import (
    DRIVING_AUDIO,
    FIRST_FRAME,
    IMG_URL,
    REFERENCE_IMAGE,
    REFERENCE_VIDEO,
    VOICE,
    ClipLimits,
    ImageLimits,
    RequestFormat,
)
from .regions import REGIONS

if TYPE_CHECKING:
    from .slots import LeadIn, ReferenceNames, Slot

PRICES_AS_OF = "2026-05-26"

SHARED_SECONDS = {1: 5.0, 2: 2.5, 3: 1.65, 4: 1.25, 5: 1.0}
"""The seconds that are billed of each clip at most, by the number of clips or references: the service's figures."""

_CHINESE = (
    ("\u3000", "\u303f"),
    ("\u3400", "\u4dbf"),
    ("\u4e00", "\u9fff"),
    ("\uf900", "\ufaff"),
    ("\uff00", "\uff60"),
    ("\U00020000", "\U0003ffff"),
)
"""The first and last character of each Unicode block of Chinese characters and punctuation."""

IMAGE_TO_VIDEO = "image_to_video"
TEXT_TO_VIDEO = "text_to_video"
REFERENCE_TO_VIDEO = "reference_to_video"
VIDEO_EDIT = "video_edit"
VIDEO_EXTENSION = "video_extension"
"""The jobs: what a video is made of. A model's row is for one job, and an id may have rows for several."""


def media_key(kind: str, number: int) -> str:
    """Return what stands for the number-th medium of a kind in a request, from 1."""
    return f"{kind}#{number}"


def voice_key(key: str) -> str:
    """Return what stands for the voice of a medium."""
    return f"{key}/{VOICE}"


def kind_of(key: str) -> str:
    """Return the kind of a medium: that of `media_key`, or the key itself where a request has one of the kind."""
    return key.partition("#")[0]


class AudioMode:
    """Whether a model's videos have audio. `CHOICE`: the request decides."""

    NEVER = "never"
    CHOICE = "choice"
    ALWAYS = "always"


class Billing:
    """Which seconds are billed: the video's, those of the clips too, or of each clip a share of 5 s.

    The share is 5 s divided by the number of clips, or of all references, and no more than the clip has.
    """

    OUTPUT = "output"
    INPUT_AND_OUTPUT = "input and output"
    SHARE_OF_CLIPS = "share of clips"
    SHARE_OF_REFERENCES = "share of references"


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
    legal; `audio_seconds` is the length of an audio file, `audio_total` the maximum of all together, 0 for any.
    `negative_prompt` and `prompt_extend` tell whether the API has a field of that name for the model.
    `workspace_hosts_only` tells that the service documents it for workspaces' own hosts only. `slots` are the media of
    a request that has references or clips, `most_media` is the maximum of all together. `reference_names` tell how the
    prompt names them; `lead_in` are the words that it must begin with. `api_values` are values that the API takes in
    another form, by field and value, None for those that are left out. `sizes` are the pixels of a video by tier and
    ratio, for models that want them instead. `clip_durations` are the durations of a request with a clip, if they
    differ; `total_seconds` is the maximum of the clips' seconds and the video's together, `most_seconds` the video's
    when it has the clip's length. `voice_seconds` is the length of a voice. `audio_settings` tell what may become of a
    clip's sound. `inline_images` and `uploads` tell whether the service documents data URIs for images and `oss://`
    URLs. `successor` is the model to use instead of one that the service has retired. `rate_limit` is tasks a second,
    `running_limit` tasks at once and `queue_limit` tasks that wait, per main account; after `timeout_hours` the service
    gives a task up. `typical_wait` is the documented or measured span, in seconds, from submission to the finished
    video. `fps` is the video's.
    """

    id: str
    family: str
    resolutions: tuple[str, ...]
    default_resolution: str
    durations: tuple[int, ...]
    prompt_limit: int
    audio_mode: str
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
    audio_total: int = 0
    chinese_weight: int = 1
    negative_prompt: bool = True
    prompt_extend: bool = True
    shot_types: tuple[str, ...] = ()
    ratios: tuple[str, ...] = ()
    effects: bool = False
    workspace_hosts_only: bool = False
    fps: int = 30
    job: str = IMAGE_TO_VIDEO
    prompt_required: bool = False
    slots: tuple[Slot, ...] = ()
    most_media: int = 0
    reference_names: ReferenceNames | None = None
    lead_in: LeadIn | None = None
    api_values: Mapping[tuple[str, Any], Any] = field(default_factory=dict)
    sizes: Mapping[tuple[str, str], str] = field(default_factory=dict)
    billing: str = Billing.OUTPUT
    clip_limits: ClipLimits = ClipLimits((2, 10))
    clip_durations: tuple[int, ...] = ()
    total_seconds: int = 0
    most_seconds: int = 0
    voice_seconds: tuple[int, int] | None = None
    audio_settings: tuple[str, ...] = ()
    inline_images: bool = True
    uploads: bool = True
    successor: str = ""

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
        if self.slots:
            return set(kinds) <= {slot.kind for slot in self.slots if slot.most}
        return any(set(kinds) <= set(legal) for legal in self.media_combinations)

    def accepts_voice(self, kind: str) -> bool:
        """Tell whether a medium of a kind may have a voice."""
        return self.voice_seconds is not None and kind in (REFERENCE_IMAGE, REFERENCE_VIDEO)

    def missing_media(self, *kinds: str) -> list[str]:
        """Return the kinds of media that a request with these kinds lacks; none if no request may have them all."""
        if any(set(legal) == set(kinds) for legal in self.media_combinations):
            return []
        larger = [legal for legal in self.media_combinations if set(kinds) <= set(legal)]
        return [kind for kind in min(larger, key=len, default=()) if kind not in kinds]

    @property
    def audio_input(self) -> bool:
        """Whether the model accepts an audio file as the video's audio."""
        return self.accepts(DRIVING_AUDIO)

    @property
    def audio_switch(self) -> bool:
        """Whether a request can ask for a silent video."""
        return self.audio_mode == AudioMode.CHOICE

    @property
    def always_silent(self) -> bool:
        """Whether no video of this model has audio."""
        return self.audio_mode == AudioMode.NEVER

    def has_audio(self, *, generate_audio: bool) -> bool:
        """Whether the video will have an audio track."""
        return self.audio_mode == AudioMode.ALWAYS or (self.audio_switch and generate_audio)

    def output_seconds(self, duration: int, *, clip_seconds: float) -> float:
        """Return the length of the video of a request. A duration of 0 asks for the clips'."""
        if duration:
            return duration
        return min(clip_seconds, self.most_seconds or clip_seconds)

    def billed_seconds(self, duration: int, *, clips: Sequence[float], references: int) -> float:
        """Return the seconds that a request is billed for. `clips` are the clips' seconds, `references` counts all."""
        video = self.output_seconds(duration, clip_seconds=sum(clips))
        if self.billing == Billing.OUTPUT or not clips:
            return video
        if self.billing == Billing.INPUT_AND_OUTPUT:
            return video + sum(clips)
        count = len(clips) if self.billing == Billing.SHARE_OF_CLIPS else references
        share = SHARED_SECONDS[min(count, max(SHARED_SECONDS))]
        return video + sum(min(seconds, share) for seconds in clips)

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
