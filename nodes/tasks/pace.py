"""Keeping all tasks of this process together under the service's rates."""

from __future__ import annotations

import asyncio
import threading

from .pauses import TEMPO, now

QUERIES_PER_SECOND = 20
"""The service's limit for queries of one main account."""

_lock = threading.Lock()
_next_turn: dict[tuple[str, ...], float] = {}


def _reserve(key: tuple[str, ...], per_second: float) -> float:
    """Take the next free moment and return how many seconds away it is."""
    with _lock:
        moment = now()
        at = max(moment, _next_turn.get(key, 0.0))
        _next_turn[key] = at + 1.0 / per_second
        return at - moment


async def turn(*key: str, per_second: float) -> None:
    """Wait for this caller's turn. Callers with the same key come `per_second` a second, in the order they came."""
    seconds = _reserve(key, per_second)
    if seconds > 0:
        await asyncio.sleep(seconds * TEMPO.scale)
