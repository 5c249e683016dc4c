"""A batch: everything that one run of a node requests, validated before submission."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..api.endpoint import Connection, Endpoint, open_endpoint, resolve_endpoint
from ..api.request import describe_cost, estimate_cost, warnings
from ..api.settings import Settings
from ..api.validation import INPUT_NAMES, retired_problems, validate
from ..catalog.fields import VideoRequest
from ..catalog.media import DRIVING_AUDIO, FIRST_CLIP, FIRST_FRAME, LAST_FRAME
from ..catalog.models import AUDIO_BYTES, DEFAULT_MODEL, MODELS
from ..catalog.regions import Region
from ..catalog.spec import IMAGE_TO_VIDEO, Model, RegionalOffer
from ..errors import InvalidRequest
from ..frozen import frozen
from ..media.audio import audio_seconds, validate_audio
from ..media.image import validate_images
from ..media.video import Clip
from ..messages import Message, Text
from .context import OnChange
from .output import OutputTarget, folder_problems, resolve_output
from .retry import Clock

if TYPE_CHECKING:
    from .media import OpenClip, Reference


@frozen
class Batch:
    """Everything that a run requests: one video per image of `images` (IMAGE, float [B,H,W,C]), or `videos`.

    `open_clip` returns the file of the clip that the video begins with, which the node's input `clip_input` gives.
    `last_frames` is an IMAGE with one image for all videos, or one per video. `references` are the same for all videos.
    `prompts` has one for each, if they differ. `audio` is a ComfyUI AUDIO or None. The videos go into `output_folder`
    under names that begin with `filename_prefix`. `home` is the folder of the settings and the ledger. `metadata` is
    written into the saved files (`prompt`, `workflow`). `clock` measures the run's waits and timeouts.
    `on_change` is told of each change of a record.
    """

    request: VideoRequest
    images: Any
    output_folder: Path
    filename_prefix: str
    home: Path
    metadata: Mapping[str, str] = field(default_factory=dict)
    clock: Clock = field(default_factory=Clock)
    audio: Mapping[str, Any] | None = None
    connection: Connection = field(default_factory=Connection)
    last_frames: Any = None
    open_clip: OpenClip | None = None
    clip_input: str = INPUT_NAMES[FIRST_CLIP]
    on_change: OnChange | None = None
    references: Sequence[Reference] = ()
    videos: int = 1
    prompts: Sequence[str] = ()

    @property
    def media_kinds(self) -> list[str]:
        """The media that the node's inputs provide, by kind or `media_key`, in the order of the request."""
        begin = {FIRST_CLIP: self.open_clip} if self.open_clip else {FIRST_FRAME: self.images}
        inputs = {**begin, LAST_FRAME: self.last_frames, DRIVING_AUDIO: self.audio}
        return [*(kind for kind, value in inputs.items() if value is not None), *(key for key, _ in self.media)]

    @property
    def media(self) -> list[tuple[str, Reference]]:
        """The references by `media_key`, and after each its voice, by `voice_key`, as a reference of its own."""
        if not self.references:
            return []
        from .media import with_keys

        return list(with_keys(self.references))

    @property
    def other_requests(self) -> list[VideoRequest]:
        """The requests with the further prompts."""
        return [replace(self.request, prompt=prompt) for prompt in self.prompts[1:]]

    def input_name(self, key: str) -> str:
        """Return the node's input of a medium."""
        if key == FIRST_FRAME and self.request.job != IMAGE_TO_VIDEO:
            return FIRST_FRAME
        return INPUT_NAMES.get(key) or dict(self.media)[key].name

    @property
    def count(self) -> int:
        """The number of videos requested."""
        return self.videos if self.open_clip or self.images is None else len(self.images)

    def images_for(self, index: int) -> dict[str, Any]:
        """Return the images of one video by kind or `media_key`, each float [H,W,C]."""
        batches = {FIRST_FRAME: None if self.open_clip else self.images, LAST_FRAME: self.last_frames}
        images = {kind: batch[index % len(batch)] for kind, batch in batches.items() if batch is not None}
        return images | {key: one.image for key, one in self.media if one.image is not None}


@frozen
class ValidatedBatch:
    """A valid batch with the results of its validation: the endpoint, the output target and the cost.

    `offer` is the model's offer in the region. `cost` is the list price of one video, None if it has none; `priced` are
    its columns in the ledger. `limits` are the owner's spending limits by the names of their settings, each as amounts
    by currency. Both are empty where nothing is paid. `payment_problems` are those of these settings, and that the
    model is retired: neither is in the way of a video that was paid before. `clips` are those of the inputs by
    `media_key` or kind, `seconds` is the length of one video. `media_kinds`, `count` and `has_audio` are the media that
    the inputs provide, the number of videos, and whether they have audio. `price` and `total_price` are the status
    texts' notes on the cost of one video and of all. `warnings` are the ways in which the videos will differ from the
    batch.
    """

    batch: Batch
    endpoint: Endpoint
    settings: Settings
    model: Model
    offer: RegionalOffer
    output: OutputTarget
    clips: Mapping[str, Clip]
    seconds: float
    cost: Mapping[str, Any] | None
    limits: Mapping[str, Mapping[str, float]]
    payment_problems: Sequence[str]
    priced: Mapping[str, Any]
    media_kinds: Sequence[str]
    count: int
    has_audio: bool
    price: Text
    total_price: Text
    warnings: tuple[str, ...]


def validate_batch(batch: Batch) -> ValidatedBatch:
    """Validate everything that can be checked before submission. The settings and the clip are read only once.

    The output folder is created if there are no problems. Blocking.

    Raises:
        InvalidRequest: lists all problems at once.
    """
    kinds = batch.media_kinds
    rules = batch.request.row or MODELS[DEFAULT_MODEL]
    clips, clip_problems = _read_clips(batch, rules)
    region, settings, wrong = resolve_endpoint(batch.connection, batch.home)
    seconds = [clip.seconds for clip in clips.values()]
    known = sum(seconds) if seconds and not clip_problems else None
    problems = [*validate(batch.request, region=region, provided=kinds, clip_seconds=known), *wrong]
    others = batch.other_requests if batch.prompts else []
    for other in others:
        problems += [one for one in validate(other, region=region, provided=kinds) if one not in problems]
    problems += [*_media_problems(batch, rules), *clip_problems, *_upload_problems(batch, rules, region)]
    limits: dict[str, dict[str, float]] = {}
    unpayable = retired_problems(rules)
    if settings.limit_texts and not region.simulated:
        from ..api.limits import read_limits

        limits, unclear = read_limits(settings.limit_texts)
        unpayable += unclear
    output, wrong = resolve_output(batch.filename_prefix, output_folder=batch.output_folder)
    # The folder is only created if there are no other problems.
    problems += wrong or ([] if problems else folder_problems(output))
    if problems:
        is_told = limits and not unpayable and not clip_problems
        exceeded = _limit_problems(batch, region, settings, limits, clips=seconds) if is_told else []
        raise InvalidRequest([*problems, *unpayable, *exceeded])
    model = rules
    offer = model.offer_in(region.id)
    if offer is None:
        raise ValueError(f"{model.id} is not sold in {region.id}: validate would have reported it")
    length = audio_seconds(batch.audio) if batch.audio is not None else None
    count = len(batch.images) if FIRST_FRAME in kinds else batch.videos
    has_audio = model.has_audio(generate_audio=batch.request.generate_audio)
    billed = seconds if batch.references else ()
    cost = estimate_cost(batch.request, region=region, clips=billed, references=len(batch.references))
    given: dict[str, Any] = {"region": region, "audio_seconds": length, "is_priced": cost is not None}
    found = warnings(batch.request, **given)
    for other in others:
        found += [one for one in warnings(other, **given) if one not in found]
    price, total_price = describe_cost(cost), describe_cost(cost, videos=count)
    if batch.references:
        from ..api.references import reference_warnings

        found += reference_warnings(batch.request, model, provided=kinds)
    return ValidatedBatch(
        batch,
        endpoint=open_endpoint(batch.connection, settings, region=region),
        settings=settings,
        model=model,
        offer=offer,
        output=output,
        clips=clips,
        seconds=batch.request.duration or model.output_seconds(0, clip_seconds=sum(seconds)),
        cost=cost,
        limits=limits,
        payment_problems=unpayable,
        priced=_priced(cost, batch.request, offer, region),
        media_kinds=kinds,
        count=count,
        has_audio=has_audio,
        price=price,
        total_price=total_price,
        warnings=tuple(found),
    )


def _priced(
    cost: Mapping[str, Any] | None, request: VideoRequest, offer: RegionalOffer, region: Region
) -> dict[str, Any]:
    """Return the columns of a price. With a clip of unknown length it is known only when the video is finished."""
    if region.simulated or (cost is None and not (request.video_url and offer.price.get(request.resolution))):
        return {}
    known = cost or {"amount": 0.0, "currency": region.currency, "as_of": offer.as_of}
    return {"estimate": known["amount"], "currency": known["currency"], "price_date": known["as_of"]}


def _limit_problems(
    batch: Batch,
    region: Region,
    settings: Settings,
    limits: Mapping[str, Mapping[str, float]],
    *,
    clips: Sequence[float],
) -> list[str]:
    """Return how a batch with other problems would exceed the limits, if its cost can be told.

    `clips` are the seconds of its clips.
    """
    from .limits import predicted_problems, video_cost

    request = batch.request
    model = request.row
    if (
        model is None
        or not (request.duration or clips)
        or request.duration not in model.durations
        or request.resolution not in model.resolutions
        or model.offer_in(region.id) is None
    ):
        return []
    count = batch.count if batch.images is None or hasattr(batch.images, "__len__") else 1
    billed = clips if batch.references else ()
    priced = estimate_cost(request, region=region, clips=billed, references=len(batch.references))
    cost = video_cost(request, region, priced)
    return predicted_problems(cost, limits=limits, videos=count, home=settings.home, url=settings.ledger_url)


def _media_problems(batch: Batch, rules: Model) -> list[str]:
    """Return the problems of the images and the audio."""
    limits = rules.image_limits
    problems: list[str] = []
    for kind, images in ((FIRST_FRAME, batch.images), (LAST_FRAME, batch.last_frames)):
        if images is not None and not (kind == FIRST_FRAME and batch.open_clip):
            problems += validate_images(images, sides=limits.sides, ratio=limits.ratio, name=batch.input_name(kind))
    if not problems:
        problems += _count_problems(batch, rules)
    if batch.audio is not None:
        problems += validate_audio(batch.audio, seconds=rules.audio_seconds, max_bytes=AUDIO_BYTES)
    if not batch.references:
        return problems
    from .media import reference_problems

    return [*problems, *reference_problems(batch.media, rules)]


def _read_clips(batch: Batch, rules: Model) -> tuple[dict[str, Clip], list[str]]:
    """Return the clips by key, and their problems. Those that cannot be read are missing."""
    given = [(key, one.name, one.open_clip) for key, one in batch.media if one.open_clip]
    if batch.open_clip:
        given.append((FIRST_CLIP, batch.clip_input, batch.open_clip))
    if not given:
        return {}, []
    from .media import read_clips

    return read_clips(given, limits=rules.clip_limits)


def _upload_problems(batch: Batch, rules: Model, region: Region) -> list[str]:
    """Return the problems of the media that have to be uploaded, where they cannot be."""
    if region.temporary_storage and rules.uploads:
        return []
    from .media import storage_problem

    given = [(one.kind, one.name) for _, one in batch.media if one.image is None or not rules.inline_images]
    given += [(FIRST_CLIP, batch.clip_input)] if batch.open_clip else []
    given += [(DRIVING_AUDIO, INPUT_NAMES[DRIVING_AUDIO])] if batch.audio is not None else []
    return [storage_problem(kind, name, rules, region) for kind, name in given if rules.accepts(kind)]


def _count_problems(batch: Batch, rules: Model) -> list[str]:
    most = rules.queue_limit
    if batch.count > most:
        return [
            Message(
                "image: a batch of {count} images makes as many videos, but DashScope queues at most {most}; for one "
                "video pass one image",
                count=batch.count,
                most=most,
            )
        ]
    if len(batch.prompts) not in (0, 1, batch.count):
        return [
            Message(
                "prompt: a list of {count} texts for {images} images; pass one text for all images, or one per image",
                count=len(batch.prompts),
                images=batch.count,
            )
        ]
    if batch.last_frames is not None and len(batch.last_frames) not in (1, batch.count):
        return [
            Message(
                "last_frame: a batch of {count} images for {videos} videos; pass one image for all videos, or one "
                "per video",
                count=len(batch.last_frames),
                videos=batch.count,
            )
        ]
    return []
