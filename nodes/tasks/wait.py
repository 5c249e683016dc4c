"""Waiting for a task: asking for its state until it is over."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import partial

from ..errors import WanError
from ..service.errors import NetworkError, ServiceError, TaskCanceled, TaskUnknown, UnexpectedAnswer, WaitExceeded
from ..service.task import Task, TaskStatus
from . import pace
from .pauses import Say, backoff, pause
from .session import Session
from .threads import in_thread

PATIENCE_SECONDS = 15 * 60.0
"""How long the service may be out of reach while a task is waited for."""

SETTLING_SECONDS = 10.0
"""How long a new task may be unknown to a query before it counts as lost."""

LONGEST_INTERVAL = 5.0


@dataclass
class _Clock:
    """When the waiting began, and what the time went into. Seconds."""

    begun: float = field(default_factory=time.monotonic)
    rendering_since: float | None = None
    rendered: float = 0.0
    out_of_reach_since: float | None = None
    tries: int = 0

    @property
    def passed(self) -> float:
        """Seconds since the waiting began."""
        return time.monotonic() - self.begun

    def count(self, status: TaskStatus) -> None:
        """Count the time since the last answer as rendering where the task is being rendered."""
        now = time.monotonic()
        if self.rendering_since is not None:
            self.rendered += now - self.rendering_since
        self.rendering_since = now if status is TaskStatus.RUNNING else None

    def failed(self) -> float:
        """Count a failed try and return for how long there was no answer."""
        now = time.monotonic()
        self.tries += 1
        self.out_of_reach_since = self.out_of_reach_since or now
        return now - self.out_of_reach_since

    def answered(self) -> None:
        """Forget the failed tries."""
        self.tries, self.out_of_reach_since = 0, None


async def wait(task_id: str, *, session: Session, say: Say, usual: tuple[int, int], age: float = 1e9) -> Task:
    """Wait until a task has succeeded and return it. `usual` is the usual span of seconds until it is finished.

    `age` is how many seconds ago it was submitted. A network that is gone for minutes is survived.

    Raises:
        ServiceError: the task failed, or the service refuses the query for good.
        TaskUnknown, TaskCanceled, WaitExceeded: as their names say.
        NetworkError: the service stayed out of reach.
    """
    clock = _Clock()
    while True:
        await pace.turn("query", session.account, per_second=pace.QUERIES_PER_SECOND)
        try:
            task = await in_thread(session.client.query, task_id)
        except WanError as error:
            await _bear(error, clock, say=say)
            continue
        clock.answered()
        clock.count(task.status)
        if not task.status.waiting:
            if task.status is TaskStatus.UNKNOWN and age + clock.passed < SETTLING_SECONDS:
                await pause(1.0, lambda _: say(0.06, "submitted"))
                continue
            return _finished(task, task_id)
        if clock.rendered > session.max_wait:
            raise WaitExceeded(
                f"The task has been rendered for {clock.rendered / 60:.0f} minutes, the limit of this connection.",
                do="It goes on at the service. Run the same graph again to go on waiting, or use Wan Fetch Task.",
                task_id=task_id,
            )
        await pause(_interval(clock.passed), partial(_show, task, clock, usual, say))


def _finished(task: Task, task_id: str) -> Task:
    """Return a task that succeeded, or raise what became of it."""
    if task.status is TaskStatus.SUCCEEDED:
        return task
    if task.status is TaskStatus.FAILED:
        raise task.failure()
    if task.status is TaskStatus.CANCELED:
        raise TaskCanceled(
            "The task was cancelled at the service; nothing is charged.",
            do="Run again to make the video.",
            task_id=task_id,
        )
    raise TaskUnknown(
        "The service does not know the task: it is older than 24 hours, or belongs to another account or region.",
        do="Check the id and the region in DashScope Connection. A video older than 24 hours is gone: run again.",
        task_id=task_id,
    )


async def _bear(error: WanError, clock: _Clock, *, say: Say) -> None:
    """Wait before the next try when an error may pass, else raise it."""
    passing = isinstance(error, (NetworkError, UnexpectedAnswer)) or (isinstance(error, ServiceError) and error.retry)
    if not passing or clock.failed() > PATIENCE_SECONDS:
        error.do = f"{error.do} The task goes on: run the same graph again, or use Wan Fetch Task.".strip()
        raise error
    asked = error.retry_after if isinstance(error, ServiceError) else None
    await pause(backoff(clock.tries, asked=asked), lambda _: say(0.1, f"{error.what} Asking again"))


def _interval(passed: float) -> float:
    """Return the seconds until the next query: short at first, so that a quick end is seen at once."""
    return min(1.0 + passed / 15.0, LONGEST_INTERVAL)


def _show(task: Task, clock: _Clock, usual: tuple[int, int], say: Say, _left: float) -> None:
    """Show how far a waiting task is likely to be."""
    if task.status is not TaskStatus.RUNNING:
        say(0.06, f"queued {clock.passed:.0f} s")
        return
    expected = sum(usual) / 2 or 10.0
    # Towards 0.9 and never there: nobody knows when it ends.
    fraction = 0.1 + 0.8 * (clock.passed / (clock.passed + expected / 2))
    say(fraction, f"rendering {clock.passed:.0f} s{_usually(usual)}")


def _usually(usual: tuple[int, int]) -> str:
    """Say how long it usually takes; nothing where that is not known."""
    low, high = usual
    if not high:
        return ""
    if high <= 1.5 * low:
        return f", usually about {round((low + high) / 20) * 10} s"
    return f", usually {round(low / 60)} to {round(high / 60)} min"
