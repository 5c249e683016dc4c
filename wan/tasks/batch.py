"""A batch: everything that one run of a node requests, validated before submission."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import Any

from ..api.endpoint import Connection, Endpoint, open_endpoint, resolve_endpoint
from ..api.request import describe_cost, estimate_cost, warnings
from ..api.settings import Settings
from ..api.validation import INPUT_NAMES, validate
from ..catalog.fields import VideoRequest
from ..catalog.models import (
    AUDIO_BYTES,
    CLIP_BYTES,
    CLIP_RATIO,
    CLIP_SECONDS,
    CLIP_SIDE,
    DEFAULT_MODEL,
    MODELS,
)
from ..catalog.regions import Region
from ..catalog.spec import DRIVING_AUDIO, FIRST_CLIP, FIRST_FRAME, LAST_FRAME, Model, RegionalOffer
from ..errors import InvalidRequest, MediaError
from ..frozen import frozen
from ..media.audio import audio_seconds, validate_audio
from ..media.container import Source
from ..media.image import validate_images
from ..media.video import Clip, ClipLimits, read_clip, validate_clip
from ..messages import Message, Text
from .context import OnChange
from .output import OutputTarget, folder_problems, resolve_output
from .retry import Clock

CLIP_LIMITS = ClipLimits(CLIP_SECONDS, CLIP_SIDE, CLIP_RATIO, CLIP_BYTES)


@frozen
class Batch:
    """Everything that a run requests: one video per image of `images` (IMAGE, float [B,H,W,C]), or one for a clip.

    `open_clip` returns the clip's file. `last_frames` is an IMAGE with one image for all videos, or one per video.
    `audio` is a ComfyUI AUDIO or None. The videos go into `output_folder` under names that begin with
    `filename_prefix`. `home` is the folder of the settings and the ledger. `metadata` is written into the saved files
    (`prompt`, `workflow`). `clock` measures the run's waits and timeouts.
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
    open_clip: Callable[[], Source] | None = None
    on_change: OnChange | None = None

    @property
    def media_kinds(self) -> list[str]:
        """The kinds of media that the node's inputs provide."""
        begin = FIRST_CLIP if self.open_clip else FIRST_FRAME
        more = {LAST_FRAME: self.last_frames, DRIVING_AUDIO: self.audio}
        return [begin, *(kind for kind, given in more.items() if given is not None)]

    @property
    def count(self) -> int:
        """The number of videos requested."""
        return 1 if self.open_clip else len(self.images)

    def images_for(self, index: int) -> dict[str, Any]:
        """Return the images of one video by kind, each float [H,W,C]."""
        batches = {FIRST_FRAME: self.images, LAST_FRAME: self.last_frames}
        return {kind: batches[kind][index % len(batches[kind])] for kind in batches if kind in self.media_kinds}


@frozen
class ValidatedBatch:
    """A valid batch with the results of its validation: the endpoint, the output target and the cost.

    `offer` is the model's offer in the region. `cost` is the list price of one video, None if it has none; `priced` are
    its columns in the ledger. `limits` are the owner's spending limits by the names of their settings, each as amounts
    by currency. Both are empty where nothing is paid. `limit_problems` are those of these settings, which a saved video
    does not need.
    `media_kinds`, `count` and `has_audio` are the kinds of media that the inputs provide, the number of videos, and
    whether they have audio. `price` and `total_price` are the status texts' notes on the cost of one video and of all.
    `warnings` are the ways in which the videos will differ from the batch.
    """

    batch: Batch
    endpoint: Endpoint
    settings: Settings
    model: Model
    offer: RegionalOffer
    output: OutputTarget
    clip: Clip | None
    cost: Mapping[str, Any] | None
    limits: Mapping[str, Mapping[str, float]]
    limit_problems: Sequence[str]
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
    region, settings, wrong = resolve_endpoint(batch.connection, batch.home)
    clip, clip_problems = _read_clip(batch.open_clip) if batch.open_clip else (None, [])
    seconds = clip.seconds if clip else None
    problems = [*validate(batch.request, region=region, provided=kinds, clip_seconds=seconds), *wrong]
    problems += [*_media_problems(batch, kinds), *clip_problems]
    if not region.temporary_storage:
        problems += [_storage_problem(kind, region) for kind in (FIRST_CLIP, DRIVING_AUDIO) if kind in kinds]
    limits: dict[str, dict[str, float]] = {}
    unclear: list[str] = []
    if settings.limit_texts and not region.simulated:
        from ..api.limits import read_limits

        limits, unclear = read_limits(settings.limit_texts)
    output, wrong = resolve_output(batch.filename_prefix, output_folder=batch.output_folder)
    # The folder is only created if there are no other problems.
    problems += wrong or ([] if problems else folder_problems(output))
    if problems:
        exceeded = _limit_problems(batch, region, settings, limits) if limits and not unclear else []
        raise InvalidRequest([*problems, *unclear, *exceeded])
    model = MODELS[batch.request.model]
    offer = model.offer_in(region.id)
    if offer is None:
        raise ValueError(f"{model.id} is not sold in {region.id}: validate would have reported it")
    length = audio_seconds(batch.audio) if batch.audio is not None else None
    count = 1 if clip else len(batch.images)
    has_audio = model.has_audio(generate_audio=batch.request.generate_audio)
    cost = estimate_cost(batch.request, region=region)
    price, total_price = describe_cost(cost), describe_cost(cost, videos=count)
    return ValidatedBatch(
        batch,
        endpoint=open_endpoint(batch.connection, settings, region=region),
        settings=settings,
        model=model,
        offer=offer,
        output=output,
        clip=clip,
        cost=cost,
        limits=limits,
        limit_problems=unclear,
        priced=_priced(cost) if cost and not region.simulated else {},
        media_kinds=kinds,
        count=count,
        has_audio=has_audio,
        price=price,
        total_price=total_price,
        warnings=tuple(warnings(batch.request, region=region, audio_seconds=length, is_priced=cost is not None)),
    )


def _priced(cost: Mapping[str, Any]) -> dict[str, Any]:
    return {"estimate": cost["amount"], "currency": cost["currency"], "price_date": cost["as_of"]}


def _limit_problems(
    batch: Batch, region: Region, settings: Settings, limits: Mapping[str, Mapping[str, float]]
) -> list[str]:
    """Return how a batch with other problems would exceed the limits, if its cost can be told."""
    from .limits import predicted_problems, video_cost

    request = batch.request
    model = MODELS.get(str(request.model))
    if model is None or request.duration not in model.durations or request.resolution not in model.resolutions:
        return []
    count = batch.count if hasattr(batch.images, "__len__") else 1
    if model.offer_in(region.id) is None:
        return []
    cost = video_cost(request, region)
    return predicted_problems(cost, limits=limits, videos=count, home=settings.home, url=settings.ledger_url)


def _media_problems(batch: Batch, kinds: Sequence[str]) -> list[str]:
    """Return the problems of the images and the audio."""
    model = MODELS.get(batch.request.model) if isinstance(batch.request.model, str) else None
    rules = model or MODELS[DEFAULT_MODEL]
    problems: list[str] = []
    for kind, images in ((FIRST_FRAME, batch.images), (LAST_FRAME, batch.last_frames)):
        if kind in kinds:
            name = INPUT_NAMES[kind]
            problems += validate_images(
                images, sides=rules.image_limits.sides, ratio=rules.image_limits.ratio, name=name
            )
    if not problems:
        problems += _count_problems(batch)
    if batch.audio is not None:
        problems += validate_audio(batch.audio, seconds=rules.audio_seconds, max_bytes=AUDIO_BYTES)
    return problems


def _read_clip(open_clip: Callable[[], Source]) -> tuple[Clip | None, list[str]]:
    """Return the clip and its problems; None if it cannot be read."""
    try:
        clip = read_clip(open_clip(), limits=CLIP_LIMITS)
    except InvalidRequest as error:
        return None, list(error.problems)
    except MediaError as error:
        return None, [Message("video: {problem}", problem=error.message)]
    return clip, validate_clip(clip, limits=CLIP_LIMITS)


def _count_problems(batch: Batch) -> list[str]:
    model = MODELS.get(batch.request.model) if isinstance(batch.request.model, str) else None
    most = (model or MODELS[DEFAULT_MODEL]).queue_limit
    if batch.count > most:
        return [
            Message(
                "image: a batch of {count} images makes as many videos, but DashScope queues at most {most}; for one "
                "video pass one image",
                count=batch.count,
                most=most,
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


def _storage_problem(kind: str, region: Region) -> str:
    problem = Message(
        "{input}: {region} has no temporary storage for uploads", input=INPUT_NAMES[kind], region=region.title
    )
    if kind == DRIVING_AUDIO:
        return Message("{problem}; enter the URL of the audio in audio_url instead", problem=problem)
    return problem
