"""What a video is to be made of. Light to import: what renders it is loaded with the first create call."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Sources:
    """The encoded picture and sound of an order, each None where there is none or it could not be fetched offline."""

    picture: bytes | None = None
    sound: bytes | None = None
    notes: list[str] = field(default_factory=list)


class StoppedError(Exception):
    """The rendering was given up, because nobody wants the video any more."""


@dataclass(frozen=True)
class Scene:
    """What to make a video of. `picture` and `sound` are encoded files; None means a drawn picture and a tone."""

    picture: bytes | None
    resolution: str
    duration: int
    has_sound: bool
    sound: bytes | None = None
    template: str = ""
    watermark: bool = False

    @property
    def name(self) -> str:
        """A name that two scenes share where their videos are equal."""
        facts = [self.resolution, self.duration, self.has_sound, self.template, self.watermark]
        files = [hashlib.sha256(data).hexdigest() if data is not None else "" for data in (self.picture, self.sound)]
        return hashlib.sha256(json.dumps(facts + files).encode()).hexdigest()[:32]
