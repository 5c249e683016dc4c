"""The service's own time, as its responses tell it: this machine's clock may be wrong, and may be set at any moment."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

FRESH_SECONDS = 60.0
"""For how long a response's time is counted on from: a machine that sleeps stops one of its clocks."""


@dataclass(frozen=True)
class _Reading:
    server_time: float
    monotonic: float
    wall: float


class ServiceClock:
    """Tells the service's time, in epoch seconds, once a response has given it. May be used from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._reading: _Reading | None = None

    def observe(self, server_time: float) -> None:
        """Take the time of a response that has just come; 0 where it tells none."""
        if server_time > 0:
            with self._lock:
                self._reading = _Reading(server_time, time.monotonic(), time.time())

    def now(self) -> float:
        """Return the service's time; 0 where no recent response has given it."""
        with self._lock:
            reading = self._reading
        if reading is None:
            return 0.0
        passed = time.monotonic() - reading.monotonic
        # Asleep, the one clock stands still; set by hand, the other one jumps. Where they differ, neither counts.
        steady = abs(time.time() - reading.wall - passed) < FRESH_SECONDS
        return reading.server_time + passed if steady and passed < FRESH_SECONDS else 0.0
