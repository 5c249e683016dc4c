"""The mock server's tasks and how their states follow from the clock.

PENDING for a while, RUNNING for a while, then SUCCEEDED or FAILED; what exceeds a model's running limit waits as
PENDING (dashscope.md section 5). Nothing ticks: the states are brought up to the clock whenever somebody asks.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..wan.catalog.models import DEFAULT_DURATION
from .archive import TaskArchive
from .failures import TaskFailure
from .task import MockTask

TASK_LIFE = 24 * 3600
"""Seconds from its end after which a task is UNKNOWN and its video is gone (dashscope.md section 0.1)."""

_REVIEW_SECONDS = 0.1
"""How soon a body that does not fit is found out (newer-models.md section 9)."""

_TIER_WEIGHT = {"480P": 0.5, "720P": 1.0, "1080P": 2.0}


@dataclass(frozen=True)
class Timing:
    """How long tasks take, in seconds of the server's clock.

    A task is PENDING for `queued` seconds. It is RUNNING for `rendering` seconds where it makes 5 s of 720P, and longer
    or shorter with the length and the tier (480P half, 1080P double). `scale` stretches both; 0 makes tasks end
    at once.
    """

    queued: float = 0.5
    rendering: float = 3.0
    scale: float = 1.0

    def queue_seconds(self) -> float:
        """Return the seconds from submission to the start, where nothing else runs."""
        return self.queued * self.scale

    def review_seconds(self) -> float:
        """Return the seconds from submission to the failure of what does not fit."""
        return min(self.queued, _REVIEW_SECONDS) * self.scale

    def run_seconds(self, resolution: str, duration: float, *, task_id: str = "") -> float:  # noqa: ARG002 - see below
        """Return the seconds from the start to the end for `duration` seconds of video.

        `task_id` is for timings that tests and benches put in this one's place, in which each task takes its own time.
        """
        return self.rendering * _TIER_WEIGHT[resolution] * duration / DEFAULT_DURATION * self.scale


def _end_of_life(task: MockTask) -> float:
    return (task.submitted if task.ended is None else task.ended) + TASK_LIFE


class TaskStore:
    """All tasks by id, also on disk where an `archive` is set. Safe to use from several threads."""

    def __init__(self, timing: Timing, *, clock: Callable[[], float], running_limit: int | None) -> None:
        self.timing = timing
        self.archive: TaskArchive | None = None
        self._clock = clock
        self._running_limit = running_limit
        self._lock = threading.RLock()
        self._tasks: dict[str, MockTask] = {}
        self._slot_free: dict[str, float] = {}

    def add(self, task: MockTask) -> None:
        """Take a new task in."""
        with self._lock:
            self._advance()
            self._tasks[task.id] = task
            self._save(task)

    def restore(self, archive: TaskArchive) -> list[MockTask]:
        """Take in the tasks of an archive, which is kept up from now on. Return those that are not rendered."""
        with self._lock:
            self._tasks = {task.id: task for task in archive.load(now=self._clock())}
            self._advance()
            archive.keep_only(self._tasks.values())
            self.archive = archive
            return [task for task in self._tasks.values() if task.scene]

    def get(self, task_id: str) -> MockTask | None:
        """Return the task in its present state, or None where the id is unknown or over 24 h old."""
        with self._lock:
            self._advance()
            return self._tasks.get(task_id)

    def all(self) -> list[MockTask]:
        """Return every task in its present state, oldest first."""
        with self._lock:
            self._advance()
            return list(self._tasks.values())

    def cancel(self, task_id: str) -> bool:
        """Cancel a task that is PENDING, and tell whether it was."""
        with self._lock:
            task = self.get(task_id)
            if task is None or task.state != "PENDING":
                return False
            task.state = "CANCELED"
            task.ended = self._clock()
            self._save(task)
            return True

    def finish(self, task: MockTask, *, video: Path | None = None, failure: TaskFailure | None = None) -> None:
        """Record that the video file is there, or what the task fails with. A failure that was set before stays."""
        with self._lock:
            task.video = video
            task.failure = task.failure or failure
            task.ready_at = self._clock()
            task.scene = None
            if task.id in self._tasks:
                self._save(task)
            if self.archive:
                self._advance()
                self._forget(self.archive.surplus(self._tasks.values()))

    def _save(self, task: MockTask) -> None:
        if self.archive:
            self.archive.save(task)

    def _forget(self, tasks: list[MockTask]) -> None:
        for task in tasks:
            del self._tasks[task.id]
        if self.archive and tasks:
            self.archive.delete(tasks, others=self._tasks.values())

    def _advance(self) -> None:
        now = self._clock()
        self._forget([task for task in self._tasks.values() if now >= _end_of_life(task)])
        by_model: dict[str, list[MockTask]] = {}
        for task in self._tasks.values():
            by_model.setdefault(task.model.id, []).append(task)
            self._fail_invalid(task, now)
            self._time_out(task, now)
        for tasks in by_model.values():
            while self._start_one(tasks, now) or self._end_one(tasks, now):
                pass

    def _fail_invalid(self, task: MockTask, now: float) -> None:
        """End a task whose body does not fit: it never waits for its turn, nor takes another's."""
        if task.state != "PENDING" or task.inputs is not None or task.frozen_in is not None or task.ready_at is None:
            return
        end = max(task.submitted + self.timing.review_seconds(), task.ready_at)
        if end <= now:
            task.state = "FAILED"
            task.scheduled = task.ended = end

    def _time_out(self, task: MockTask, now: float) -> None:
        """Give up a task that came to nothing in the hours of its model, frozen or not."""
        end = task.submitted + task.model.timeout_hours * 3600
        if task.state in ("PENDING", "RUNNING") and end <= now:
            task.state, task.ended = "FAILED", end
            task.failure = TaskFailure(
                "InternalError.Timeout", "An internal timeout error has occured during execution."
            )

    def _start_one(self, tasks: list[MockTask], now: float) -> bool:
        """Start the first waiting task whose time has come, where there is room. Tell whether there was one."""
        model = tasks[0].model
        limit = self._running_limit if self._running_limit is not None else model.running_limit
        if sum(task.state == "RUNNING" for task in tasks) >= limit:
            return False
        for task in tasks:
            due = task.submitted + self.timing.queue_seconds()
            if task.state == "PENDING" and task.frozen_in != "PENDING" and due <= now:
                task.scheduled = max(due, self._slot_free.get(model.id, 0.0))
                task.state = "RUNNING"
                return True
        return False

    def _end_one(self, tasks: list[MockTask], now: float) -> bool:
        """End the running task whose end comes first, where that is past. Tell whether there was one."""
        ends = [(end, task) for task in tasks if (end := self._end_of(task)) is not None and end <= now]
        if not ends:
            return False
        end, task = min(ends, key=lambda pair: pair[0])
        task.state = "FAILED" if task.failure else "SUCCEEDED"
        task.ended = self._slot_free[task.model.id] = end
        return True

    def _end_of(self, task: MockTask) -> float | None:
        if task.state != "RUNNING" or task.frozen_in == "RUNNING" or task.scheduled is None or task.ready_at is None:
            return None
        if task.inputs is None:  # What does not fit was rejected before, or is stuck.
            return None
        seconds = self.timing.run_seconds(task.inputs.resolution, task.inputs.duration, task_id=task.id)
        return max(task.scheduled + seconds, task.ready_at)
