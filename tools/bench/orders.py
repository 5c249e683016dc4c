"""What the bench asks the pack for, and a user who only looks on."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cli.loading import ROOT
from cli.pack import load_pack


@dataclass(frozen=True)
class Kind:
    """A kind of task: those of a kind usually take the same time."""

    model: str
    resolution: str
    duration: int


QUICK_KIND = Kind("wanx2.1-i2v-turbo", "480P", 3)
"""What the mock server renders soonest."""

FIVE_AT_ONCE = Kind("wan2.6-i2v-flash", "720P", 2)
"""Of which the service runs five at once."""

KINDS = (
    Kind("wan2.6-i2v-flash", "720P", 2),
    Kind("wan2.6-i2v-flash", "720P", 3),
    Kind("wan2.6-i2v", "720P", 2),
    Kind("wan2.5-i2v-preview", "480P", 5),
    Kind("wan2.2-i2v-flash", "480P", 5),
    Kind("wan2.2-i2v-plus", "480P", 5),
    Kind("wanx2.1-i2v-turbo", "480P", 3),
    Kind("wanx2.1-i2v-turbo", "480P", 5),
)


class Onlooker:
    """A user who does not press Stop."""

    def report(self, fraction: float, text: str) -> None:
        """Look at the progress."""

    def raise_if_interrupted(self) -> None:
        """Go on."""

    async def wait_for_interrupt(self) -> None:
        """Wait for ever."""
        await asyncio.Event().wait()


def order(kind: Kind, images: Any, *, home: Path, seed: int = 0, **clock: Any) -> Any:
    """A batch of one video for each image; `clock` has the scale and the source of the time that it waits by."""
    pack = load_pack(ROOT)
    request = pack.module("wan.catalog.fields").VideoRequest(
        model=kind.model, resolution=kind.resolution, duration=kind.duration, prompt="a cat looks up", seed=seed
    )
    waiting = pack.module("wan.tasks.retry").Clock(**clock)
    return pack.module("wan.tasks.batch").Batch(request, images, home / "output", "wan/bench", home, clock=waiting)


async def make(wanted: Any) -> Any:
    """Let the pack make the videos of a batch."""
    return await load_pack(ROOT).module("wan.tasks.runner").make_videos(wanted, monitor=Onlooker())
