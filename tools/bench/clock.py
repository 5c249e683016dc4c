"""Time that does not pass while work is done, and jumps ahead while everybody waits.

So a wait of minutes takes milliseconds, and how late something is noticed comes out exactly, on a busy machine too.
"""

from __future__ import annotations

import asyncio
import selectors
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

_LOOKS_EVERY = 0.0005
_BEGINNING = 1_800_000_000.0


@dataclass
class Clock:
    """Seconds that have passed, moved by hand."""

    passed: float = 0.0

    def read(self) -> float:
        """The seconds that have passed: small enough that none of their fractions get lost."""
        return self.passed

    def epoch(self) -> float:
        """The same as a date."""
        return _BEGINNING + self.passed

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.passed += seconds


class JumpingLoop(asyncio.SelectorEventLoop):
    """An event loop that goes by such a clock, and moves it on when nothing else is to be done.

    `busy` tells that something outside is under way which takes no time, such as a call in a thread.
    """

    def __init__(self, clock: Clock, busy: Callable[[], bool]) -> None:
        self._own_clock = clock
        super().__init__(_JumpingSelector(clock, busy))

    def time(self) -> float:
        """What time it is."""
        return self._own_clock.passed


class _JumpingSelector(selectors.DefaultSelector):
    def __init__(self, clock: Clock, busy: Callable[[], bool]) -> None:
        super().__init__()
        self._clock = clock
        self._busy = busy

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Wait for what comes from outside while somebody is busy there; else let the time pass at once."""
        if timeout is None or timeout <= 0:
            return super().select(timeout)
        while True:
            busy = self._busy()
            if events := super().select(_LOOKS_EVERY if busy else 0):
                return events
            if not busy:
                self._clock.advance(timeout)
                return []


def pack_is_calling() -> bool:
    """Whether one of the pack's threads is at work."""
    return any(thread.name.startswith("wan-") for thread in threading.enumerate())


def run(main: Any, clock: Clock, *, busy: Callable[[], bool]) -> Any:
    """Run a coroutine to its end on such a loop."""
    loop = JumpingLoop(clock, busy)
    try:
        return loop.run_until_complete(main)
    finally:
        loop.close()
