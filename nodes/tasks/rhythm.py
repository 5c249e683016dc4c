"""When to ask for a task next: seldom while its end is unlikely, often around its usual end, seldom again after.

How long a kind of task takes is taken to be log-normal. For a given number of looks the mean delay is least when they
are as dense as the root of the end's hazard at each moment (J. B. Keller, "Optimum checking schedules for systems
subject to random failure", 1974).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from ..service.task import Task, TaskStatus

FIRST_LOOKS = (0.5, 1.5, 4.0)
"""Seconds after the submission: what the service only finds wrong when it looks at a request, it finds by then."""

HISTORY = 20
"""How many tasks of the same kind tell how long the next one takes."""

DELAY_WEIGHT = 0.12
"""Seconds of interval, squared, times hazard. Less of it means less delay and more queries."""

CLOSEST, CLOSEST_UNKNOWN = 1.7, 2.6
"""Most seconds between two looks around the usual end: where earlier tasks tell when that is, and where they do not.

A delay of under 2 s then is near certain; without a history it would take twice the queries of the service's SDK.
"""

LEAST_SECONDS = 0.7
LONGEST_LATE = 5.0
LONGEST = 15.0
LATE_GROWTH = 1 / 20
USUAL = 2.0
"""Standard deviations around the middle in which an end is usual: 19 in 20."""

FAILURE_HAZARD = 1 / 1500
"""A second's chance of a failure, which comes at any time."""

DOCUMENTED_SPREAD, UNKNOWN_SPREAD, UNKNOWN_SECONDS = 0.5, 1.2, 30.0
LIKELY_SPREAD, LIKELY_WEIGHT = 0.25, 2
"""The spread that tasks of a kind have before any was seen, and how many tasks that guess counts for."""

_TEN_TO_NINETY = 2.56
"""Standard deviations between the tenth and the ninetieth of a hundred."""

_STEP = 0.1


@dataclass(frozen=True)
class Rhythm:
    """How long a task is likely to be rendered: the `middle` in seconds, the `spread` as deviation of the logarithm.

    `known` tells that earlier tasks of the same kind say so; `usual` is the span of seconds that users are told.
    """

    middle: float
    spread: float
    known: bool
    usual: tuple[float, float]

    def interval(self, *, age: float, rendered: float) -> float:
        """Return the seconds until the next look at a task of `age` seconds that is rendered for `rendered` seconds."""
        for look in FIRST_LOOKS:
            if look - age >= _STEP:
                return look - age
        looks, seconds = 0.0, 0.0
        while looks < 1.0 and seconds < LONGEST:
            seconds += _STEP
            looks += _STEP * self._density(rendered + seconds)
        return seconds

    def _density(self, rendered: float) -> float:
        """Return how many looks a second an end around this moment is worth."""
        closest = CLOSEST if self.known else CLOSEST_UNKNOWN
        deviation = math.log(rendered / self.middle) / self.spread
        if deviation > USUAL:
            late = rendered - self.middle * math.exp(USUAL * self.spread)
            return 1 / min(closest + late * LATE_GROWTH, LONGEST_LATE)
        hazard = _normal_hazard(deviation) / (self.spread * rendered) + FAILURE_HAZARD
        looks = math.sqrt(hazard / DELAY_WEIGHT)
        if deviation > -USUAL:
            looks = max(looks, 1 / closest)
        return min(looks, 1 / LEAST_SECONDS)

    def told(self) -> str:
        """Say how long it usually takes; nothing where that is not known."""
        low, high = self.usual
        if high < 10:
            return ""
        if high <= 1.5 * low:
            return f", usually about {_rounded((low + high) / 2)} s"
        if high <= 120:
            return f", usually {_rounded(low)} to {_rounded(high)} s"
        return f", usually {max(1, round(low / 60))} to {round(high / 60)} min"


def rhythm_of(past: Sequence[float], *, usual: tuple[int, int]) -> Rhythm:
    """Return the rhythm for a task.

    `past` has the seconds that tasks of the same kind were rendered. `usual` is the documented span, (0, 0) where there
    is none; it counts where there is no past.
    """
    if past:
        logs = [math.log(seconds) for seconds in past]
        middle, count = math.fsum(logs) / len(logs), len(logs)
        squares = LIKELY_WEIGHT * LIKELY_SPREAD**2 + math.fsum((one - middle) ** 2 for one in logs)
        spread = math.sqrt(squares / (LIKELY_WEIGHT + count - 1))
        span = (math.exp(middle - spread), math.exp(middle + spread))
        # Of few tasks, the next one may differ more than they do among themselves.
        return Rhythm(math.exp(middle), spread * math.sqrt(1 + 1 / count), known=True, usual=span)
    low, high = usual
    if not low:
        return Rhythm(UNKNOWN_SECONDS, UNKNOWN_SPREAD, known=False, usual=(0.0, 0.0))
    spread = max(DOCUMENTED_SPREAD, math.log(high / low) / _TEN_TO_NINETY)
    return Rhythm(math.sqrt(low * high), spread, known=False, usual=usual)


def rendered_seconds(task: Task) -> float | None:
    """Return how long a finished task was rendered, by the service's own clock; None where it does not say."""
    return _between(task.scheduled_time or task.submit_time, task.end_time)


def queued_seconds(task: Task) -> float | None:
    """Return how long a task was queued before its rendering began; None where the service does not say."""
    return _between(task.submit_time, task.scheduled_time) if task.status is not TaskStatus.PENDING else None


def _normal_hazard(deviation: float) -> float:
    """Return the normal distribution's density over what is left of it, so many deviations from the middle."""
    return math.sqrt(2 / math.pi) * math.exp(-(deviation**2) / 2) / math.erfc(deviation / math.sqrt(2))


def _between(start: str, end: str) -> float | None:
    try:
        return max(0.0, (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds())
    except (ValueError, TypeError):
        return None


def _rounded(seconds: float) -> int:
    step = 5 if seconds < 60 else 10
    return max(step, round(seconds / step) * step)
