"""When a task is polled, and how long it is likely to take.

The two have nothing to do with each other: a query costs nothing and lateness is the user's time, so the polls come at
a steady interval, and the history of earlier tasks only serves the estimate that the user reads.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from ..service.task import Task

FIRST_POLLS = (0.5, 1.5)
"""Seconds after the submission: what the service finds wrong when it looks at a request, it finds by then."""

POLL_INTERVAL = 1.7
"""Seconds between two polls: an end is seen 0.85 s late on average, for 2.9 times the queries of the vendor's SDK,
which polls every 5 s in the end."""

HISTORY = 20
"""How many tasks of the same kind tell how long the next one takes."""

UNKNOWN_SECONDS = 30.0
PRIOR_SIGMA, PRIOR_WEIGHT = 0.25, 2
"""The spread that tasks of a kind have before any was seen, and how many tasks that guess counts for."""


def poll_interval(age: float) -> float:
    """Return the seconds until the next poll of a task that was submitted `age` seconds ago."""
    return next((first - age for first in FIRST_POLLS if first - age >= 0.1), POLL_INTERVAL)


@dataclass(frozen=True)
class Estimate:
    """How long a task is likely to be rendered, in seconds: the `median`, and the `span` that users see."""

    median: float
    span: tuple[float, float] = (0.0, 0.0)

    def text(self) -> str:
        """Say how long it usually takes; nothing where that is not known."""
        low, high = self.span
        if high < 10:
            return ""
        if high <= 1.5 * low:
            return f", usually about {_rounded((low + high) / 2)} s"
        if high <= 120:
            return f", usually {_rounded(low)} to {_rounded(high)} s"
        return f", usually {max(1, round(low / 60))} to {round(high / 60)} min"


def estimate(past: Sequence[float], *, usual: tuple[int, int]) -> Estimate:
    """Return the estimate for a task.

    `past` has the seconds that tasks of the same kind were rendered. `usual` is the documented span, (0, 0) where there
    is none; it counts where there is no past.
    """
    if not past:
        return Estimate(math.sqrt(usual[0] * usual[1]) or UNKNOWN_SECONDS, usual)
    logs = [math.log(seconds) for seconds in past]
    median = math.fsum(logs) / len(logs)
    squares = PRIOR_WEIGHT * PRIOR_SIGMA**2 + math.fsum((one - median) ** 2 for one in logs)
    spread = math.sqrt(squares / (PRIOR_WEIGHT + len(logs) - 1))
    return Estimate(math.exp(median), (math.exp(median - spread), math.exp(median + spread)))


def rendered_seconds(task: Task) -> float | None:
    """Return how long a finished task was rendered, by the service's own clock; None where it does not say."""
    start, end = task.scheduled_time or task.submit_time, task.end_time
    try:
        return max(0.0, (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds())
    except (ValueError, TypeError):
        return None


def _rounded(seconds: float) -> int:
    step = 5 if seconds < 60 else 10
    return max(step, round(seconds / step) * step)
