"""Waiting between two tries, with something to read meanwhile."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable

Say = Callable[[float, str], None]
"""Shows how far a video is, 0 to 1, and what is being done."""

LONGEST = 30.0
LONGEST_ASKED = 120.0


def backoff(tries: int, *, asked: float | None = None) -> float:
    """Return the seconds to wait after the given number of failed tries: doubling, capped, spread by chance.

    `asked` is what the service's Retry-After says; it is obeyed up to two minutes.
    """
    if asked is not None:
        return min(max(asked, 0.0), LONGEST_ASKED)
    longest: float = min(2.0 ** min(tries - 1, 10), LONGEST)
    return longest * random.uniform(0.5, 1.0)  # noqa: S311 - chance, not secrecy


async def pause(seconds: float, tell: Callable[[float], None]) -> None:
    """Wait, telling once a second how many seconds are left."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        tell(left)
        await asyncio.sleep(min(1.0, left))
