"""Keeping all tasks of this process together under the service's rates."""

from __future__ import annotations

import asyncio
import threading

from .pauses import TEMPO

QUERIES_PER_SECOND = 20
"""The service's limit for queries of one main account: all keys together, so one limit for this process."""

SPACING = 1.1
"""How much further apart calls are than a rate allows: one that leaves late must not meet the next ones."""

_lock = threading.Lock()
_next_slot: dict[tuple[str, ...], float] = {}


def _reserve(key: tuple[str, ...], per_second: float) -> float:
    """Take the next free moment and return how many seconds of real time it is away."""
    with _lock:
        moment = TEMPO.clock()
        at = max(moment, _next_slot.get(key, 0.0))
        _next_slot[key] = at + SPACING / per_second * TEMPO.scale
        return at - moment


async def acquire_rate_limit(*key: str, per_second: float) -> None:
    """Wait for this caller's turn. Those with the same key never get more than `per_second` a second, in order."""
    seconds = _reserve(key, per_second)
    if seconds > 0:
        await asyncio.sleep(seconds)
