"""The service's time, taken from its responses: the local clock may be wrong, and may be set at any moment."""

from __future__ import annotations

import threading
import time

from ..frozen import frozen

FRESH_SECONDS = 60.0
"""Seconds for which a response's time is extrapolated: system sleep stops the monotonic clock."""


@frozen
class _Reading:
    server_time: float
    monotonic: float
    wall: float


class ServiceClock:
    """The service's time in epoch seconds, known after the first response. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._reading: _Reading | None = None

    def observe(self, server_time: float) -> None:
        """Take the time of a response that has just arrived; 0 if it has none."""
        if server_time > 0:
            with self._lock:
                self._reading = _Reading(server_time, time.monotonic(), time.time())

    def now(self) -> float:
        """Return the service's time; 0 if no recent response had one."""
        with self._lock:
            reading = self._reading
        if reading is None:
            return 0.0
        passed = time.monotonic() - reading.monotonic
        # Sleep stops the monotonic clock, and setting the time moves the wall clock. If they differ, neither counts.
        steady = abs(time.time() - reading.wall - passed) < FRESH_SECONDS
        return reading.server_time + passed if steady and passed < FRESH_SECONDS else 0.0
