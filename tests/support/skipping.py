"""A clock whose waits take no time."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from wanpack.wan.tasks.retry import Clock

PAUSE = 0.001
"""Real seconds of each wait, so that threads and other runs get their turn."""


class _Skipped:
    """The seconds that were waited for and did not pass. Safe to use from several threads."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._lock = threading.Lock()

    def until(self, moment: float) -> None:
        with self._lock:
            self.seconds = max(self.seconds, moment - time.monotonic())


@dataclass
class SkippingClock(Clock):
    """A clock that a wait moves on. Work takes as long as it takes, so that a busy machine ends no wait early.

    Waits of several runs are one beside the other, not one after the other. `ready` tells whether what a wait is for
    can have happened: as long as a video is rendered, in real time, no time is skipped. A wait lasts for `shortest`
    seconds at least, as on a machine that wakes late: of a long wait in many steps few are made. `scale` counts for
    what is waited for without this clock.
    """

    scale: float = 0.002
    shortest: float = 15.0
    ready: Callable[[], bool] = lambda: True
    _skipped: _Skipped = field(default_factory=_Skipped)

    def now(self) -> float:
        return self.monotonic() + self._skipped.seconds

    def wall(self) -> float:
        """Return the epoch seconds of somebody whose clock is right: the mock server's."""
        return _wall() + self._skipped.seconds

    async def sleep(self, seconds: float) -> None:
        until = self.now() + max(seconds, self.shortest)
        await asyncio.sleep(PAUSE)
        while not self.ready():  # noqa: ASYNC110 - the renderer is a thread of its own
            await asyncio.sleep(PAUSE)
        self._skipped.until(until)

    async def sleep_with_countdown(self, seconds: float, on_tick: Callable[[float], None]) -> None:
        left = seconds
        while left > 0:
            on_tick(left)
            left -= 1.0
        await self.sleep(seconds)


_wall = time.time
"""The machine's own time, whatever a test puts in its place."""
