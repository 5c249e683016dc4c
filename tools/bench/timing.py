"""Comparing two ways by turns, so that a busy machine slows both."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Turns:
    """The seconds that two ways took, turn by turn."""

    ours: list[float]
    peers: list[float]

    @property
    def ratio(self) -> float:
        """How many times faster ours is: the median over the turns."""
        return statistics.median(theirs / own for own, theirs in zip(self.ours, self.peers, strict=True))

    def label(self) -> tuple[str, str]:
        """Both medians in words."""
        return milliseconds(statistics.median(self.ours)), milliseconds(statistics.median(self.peers))


def by_turns(ours: Callable[[], object], peers: Callable[[], object], *, turns: int) -> Turns:
    """Time two ways by turns, after one call of ours to warm up. Ours counts as the median of three in each turn."""
    ours()
    taken = Turns([], [])
    for _ in range(turns):
        taken.ours.append(statistics.median(seconds(ours) for _ in range(3)))
        taken.peers.append(seconds(peers))
    return taken


def seconds(work: Callable[[], object]) -> float:
    """Time one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def milliseconds(value: float) -> str:
    """Write seconds, short ones as milliseconds."""
    return f"{value * 1000:.3g} ms" if value < 1 else f"{value:.2f} s"


def megabytes(value: float) -> str:
    """Write bytes as megabytes, many as gigabytes."""
    return f"{value / 1e6:.3g} MB" if value < 1e9 else f"{value / 1e9:.3g} GB"
