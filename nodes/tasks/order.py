"""What one run of a node asks for, checked as a whole before anything is sent."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..errors import InvalidRequest
from ..media.audio import audio_faults, audio_seconds
from ..media.first_frame import image_faults
from ..service.connection import Connection
from ..service.models import AUDIO_BYTES, AUDIO_SECONDS, IMAGE_SIDE, SEED_MAX
from ..service.regions import Region
from ..service.request import VideoRequest, find_faults, warnings
from .saving import SavePlace, find_place, folder_faults
from .session import find_connection

QUEUE_LIMIT = 500
"""How many tasks the service queues for one account."""


@dataclass(frozen=True)
class Order:
    """Everything a run asks for: one video for each picture of `images` (IMAGE, float [B,H,W,C]).

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

    @property
    def place(self) -> SavePlace:
        """Where the videos go. The prefix has no faults."""
        return find_place(self.filename_prefix, output_folder=self.output_folder)[0]

    def request_of(self, index: int) -> VideoRequest:
        """Return the request for one picture: the seeds count up from the first, and around at the end."""
        return replace(self.request, seed=(self.request.seed + index) % (SEED_MAX + 1))


def check_order(order: Order) -> list[str]:
    """Check everything that can be known before paying. Returns warnings.

    Raises:
        InvalidRequest: with all faults at once.
    """
    region, _, faults = find_connection(order.connection, order.home)
    faults = [*find_faults(order.request, region=region, sound_given=order.audio is not None), *faults]
    found = image_faults(order.images, sides=IMAGE_SIDE)
    faults += found
    if not found and len(order.images) > QUEUE_LIMIT:
        faults.append(
            f"image: a batch of {len(order.images)} asks for as many videos; the service queues {QUEUE_LIMIT} at once. "
            "For one video give one picture"
        )
    if order.audio is not None:
        faults += audio_faults(order.audio, seconds=AUDIO_SECONDS, max_bytes=AUDIO_BYTES)
        faults += _storage_faults(region)
    place, found = find_place(order.filename_prefix, output_folder=order.output_folder)
    # The folder is only made when nothing else stands in the way.
    faults += found or ([] if faults else folder_faults(place))
    if faults:
        raise InvalidRequest(faults)
    seconds = audio_seconds(order.audio) if order.audio is not None else None
    return warnings(order.request, region=region, sound_seconds=seconds)


def fingerprint(body: Mapping[str, Any], *parts: str) -> str:
    """Return what makes two requests the same: their bodies, and the account and region that `parts` name."""
    text = json.dumps([*parts, body], sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def sound_id(wav: bytes) -> str:
    """Return what stands for a sound's content in a fingerprint."""
    return f"sha256:{hashlib.sha256(wav).hexdigest()}"


def _storage_faults(region: Region) -> list[str]:
    if region.temporary_storage:
        return []
    return [
        f"audio: {region.title} has no temporary storage to upload a sound to; give the address of the sound in "
        "audio_url instead"
    ]
