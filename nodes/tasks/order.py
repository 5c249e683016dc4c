"""What one run of a node asks for, checked as a whole before anything is sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from ..errors import InvalidRequest, MediaError
from ..media.audio import audio_faults, audio_seconds
from ..media.clip import Clip, ClipLimits, clip_faults, read_clip
from ..media.container import Source
from ..media.first_frame import image_faults
from ..service.connection import Connection
from ..service.model import DRIVING_AUDIO, FIRST_CLIP, FIRST_FRAME, LAST_FRAME
from ..service.models import (
    AUDIO_BYTES,
    CLIP_BYTES,
    CLIP_RATIO,
    CLIP_SECONDS,
    CLIP_SIDE,
    DEFAULT_MODEL,
    MODELS,
    SEED_MAX,
)
from ..service.regions import Region
from ..service.request import VideoRequest
from ..service.rules import INPUT_OF, find_faults, warnings
from .saving import SavePlace, find_place, folder_faults
from .session import find_connection

CLIP_LIMITS = ClipLimits(CLIP_SECONDS, CLIP_SIDE, CLIP_RATIO, CLIP_BYTES)


@dataclass(frozen=True)
class Order:
    """Everything a run asks for: one video for each picture of `images` (IMAGE, float [B,H,W,C]), or one for a clip.

    `clip_from` returns the clip's file. `last_frames` is an IMAGE with one picture for all videos, or one for each.
    `audio` is a ComfyUI AUDIO or None. The videos go into `output_folder` under names that begin with
    `filename_prefix`; `home` is the folder of the owner's settings and of the ledger; `metadata` is what the saved
    files carry (`prompt`, `workflow`).
    """

    request: VideoRequest
    images: Any
    output_folder: Path
    filename_prefix: str
    home: Path
    audio: Mapping[str, Any] | None = None
    connection: Connection = field(default_factory=Connection)
    metadata: Mapping[str, str] = field(default_factory=dict)
    last_frames: Any = None
    clip_from: Callable[[], Source] | None = None

    @cached_property
    def clip(self) -> Clip | None:
        """The clip, read from where `clip_from` says when it is first asked for. Raises as that and `read_clip` do."""
        return read_clip(self.clip_from(), limits=CLIP_LIMITS) if self.clip_from else None

    @property
    def place(self) -> SavePlace:
        """Where the videos go. The prefix has no faults."""
        return find_place(self.filename_prefix, output_folder=self.output_folder)[0]

    @property
    def kinds(self) -> list[str]:
        """The kinds of media that come from the graph."""
        begin = FIRST_CLIP if self.clip_from else FIRST_FRAME
        more = {LAST_FRAME: self.last_frames, DRIVING_AUDIO: self.audio}
        return [begin, *(kind for kind, given in more.items() if given is not None)]

    @property
    def count(self) -> int:
        """How many videos are asked for."""
        return 1 if self.clip_from else len(self.images)

    def pictures_of(self, index: int) -> dict[str, Any]:
        """Return the pictures of one video by kind, each float [H,W,C]."""
        batches = {FIRST_FRAME: self.images, LAST_FRAME: self.last_frames}
        return {kind: batches[kind][index % len(batches[kind])] for kind in batches if kind in self.kinds}

    def request_of(self, index: int) -> VideoRequest:
        """Return the request for one picture: the seeds count up from the first, and around at the end."""
        return replace(self.request, seed=(self.request.seed + index) % (SEED_MAX + 1))


def check_order(order: Order) -> list[str]:
    """Check everything that can be known before paying. Returns warnings.

    Raises:
        InvalidRequest: with all faults at once.
    """
    region, _, faults = find_connection(order.connection, order.home)
    clip, found = _clip(order)
    seconds = clip.seconds if clip else None
    faults = [*find_faults(order.request, region=region, given=order.kinds, clip_seconds=seconds), *faults]
    faults += [*_media_faults(order), *found]
    uploads = [INPUT_OF[kind] for kind in (FIRST_CLIP, DRIVING_AUDIO) if kind in order.kinds]
    faults += [fault for name in uploads for fault in _storage_faults(name, region)]
    place, found = find_place(order.filename_prefix, output_folder=order.output_folder)
    # The folder is only made when nothing else stands in the way.
    faults += found or ([] if faults else folder_faults(place))
    if faults:
        raise InvalidRequest(faults)
    seconds = audio_seconds(order.audio) if order.audio is not None else None
    return warnings(order.request, region=region, sound_seconds=seconds)


def _media_faults(order: Order) -> list[str]:
    """Faults of the pictures, the sound and the clip themselves."""
    model = MODELS.get(order.request.model) if isinstance(order.request.model, str) else None
    rules = model or MODELS[DEFAULT_MODEL]
    faults = []
    for kind, images in ((FIRST_FRAME, order.images), (LAST_FRAME, order.last_frames)):
        if kind in order.kinds:
            name = INPUT_OF[kind]
            faults += image_faults(images, sides=rules.pictures.sides, ratio=rules.pictures.ratio, name=name)
    if not faults:
        faults += _count_faults(order)
    if order.audio is not None:
        faults += audio_faults(order.audio, seconds=rules.audio_seconds, max_bytes=AUDIO_BYTES)
    return faults


def _clip(order: Order) -> tuple[Clip | None, list[str]]:
    """Return the clip, None where there is none or it cannot be read, and its faults."""
    try:
        clip = order.clip
    except InvalidRequest as error:
        return None, list(error.faults)
    except MediaError as error:
        return None, [f"video: {error.what}"]
    return clip, clip_faults(clip, limits=CLIP_LIMITS) if clip else []


def _count_faults(order: Order) -> list[str]:
    model = MODELS.get(order.request.model) if isinstance(order.request.model, str) else None
    most = (model or MODELS[DEFAULT_MODEL]).queue_limit
    if order.count > most:
        return [
            f"image: a batch of {order.count} asks for as many videos; the service queues {most} at once. "
            "For one video give one picture"
        ]
    if order.last_frames is not None and len(order.last_frames) not in (1, order.count):
        return [
            f"last_frame: a batch of {len(order.last_frames)} for {order.count} videos; give one picture for all, or "
            "one for each"
        ]
    return []


def _storage_faults(name: str, region: Region) -> list[str]:
    if region.temporary_storage:
        return []
    instead = "; give the address of the sound in audio_url instead" if name == INPUT_OF[DRIVING_AUDIO] else ""
    return [f"{name}: {region.title} has no temporary storage to upload it to{instead}"]
