"""Polling: querying a task until it is finished."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

from ..api.errors import NoVideo, TaskUnknown, WaitExceeded
from ..api.task import Task, TaskStatus
from ..errors import WanError
from ..frozen import frozen
from ..ledger.errors import LedgerUnavailable
from ..ledger.ledger import Ledger
from ..ledger.record import Record
from ..messages import Message, sentences
from .context import RunContext
from .progress import Progress
from .retry import Clock, RetryBudget
from .task_errors import unknown_error

UNKNOWN_TASK_TIMEOUT = 60.0
"""Seconds that a recent task may stay unknown to the service before polling ends."""

STRANGE_SECONDS = 120.0
"""Seconds that a task in an undocumented state is polled."""

_GOES_ON = Message("The task still runs at DashScope: run the same graph again, or use Wan Fetch Task.")

FIRST_POLLS = (0.5, 1.5)
"""Seconds after submission: by then the service has rejected an invalid request."""

POLL_INTERVAL = 1.7
"""Seconds between two polls: the end is seen 0.85 s late on average, at 2.9 times the queries of the vendor's SDK,
whose interval grows to 5 s."""

UNKNOWN_SECONDS = 30.0
LATE = 1.25
"""The part of the longest usual time from which on a task takes longer than usual."""

PRIOR_SIGMA, PRIOR_WEIGHT = 0.25, 2
"""The assumed spread of durations of one kind, and the number of tasks that the assumption counts for."""


@dataclass(eq=False, repr=False)
class _WaitState:
    """The start of a wait, and how its time was spent. Seconds."""

    clock: Clock
    task_age: float
    started: float = field(init=False)
    rendering_since: float | None = None
    rendered: float = 0.0
    rendered_before: float | None = None
    unknown_since: float | None = None
    strange_since: float | None = None

    def __post_init__(self) -> None:
        self.started = self.clock.now()

    @property
    def passed(self) -> float:
        """Seconds since the wait began."""
        return self.clock.now() - self.started

    @property
    def since_submission(self) -> float:
        """Seconds since the task was submitted, or since the wait began if that is unknown."""
        return self.passed + (self.task_age if math.isfinite(self.task_age) else 0.0)

    @property
    def rendering(self) -> float:
        """Seconds that the task has been rendering, since its submission if it rendered before this wait began."""
        now = self.clock.now()
        return (self.rendered_before or 0.0) + self.rendered + now - (self.rendering_since or now)

    def observe(self, status: TaskStatus) -> None:
        """Count the time since the previous response as rendering time if the task was running."""
        at = self.clock.now()
        if self.rendered_before is None:
            self.rendered_before = self.since_submission if status is TaskStatus.RUNNING else 0.0
        if self.rendering_since is not None:
            self.rendered += at - self.rendering_since
        self.rendering_since = at if status is TaskStatus.RUNNING else None
        self.unknown_since = (self.unknown_since or at) if status is TaskStatus.UNKNOWN else None
        self.strange_since = (self.strange_since or at) if status is TaskStatus.OTHER else None


async def poll_until_done(
    record: Record, *, context: RunContext, report: Progress, likely: Estimate, task_age: float
) -> Task:
    """Poll a record's task until it is finished: return it SUCCEEDED, FAILED, CANCELED, or UNKNOWN if it has expired.

    `likely` is the estimated duration, `task_age` the seconds since submission. A network outage of some minutes is
    retried.

    Raises:
        ServiceError: the service rejects the query permanently.
        NoVideo: the task succeeded without a video, or stays in an undocumented state.
        TaskUnknown: the service does not know the task although it should; the task may still run.
        WaitExceeded: the task renders for longer than the connection allows.
        NetworkError, UnexpectedResponse: the service stayed unreachable.
    """
    task_id, clock = record.task_id, context.clock
    state, retries = _WaitState(clock, task_age), RetryBudget(clock)
    first = _not_before(likely, context) or FIRST_POLLS[0]
    if task_age < first:
        await clock.sleep_with_countdown(
            first - task_age, lambda _: report(0.06, partial(Message, "queued; task {task}", task=task_id))
        )
    while True:
        try:
            task = await context.get_task(task_id, seconds=likely.span[1] - state.since_submission)
        except WanError as error:
            error.task_id = error.task_id or task_id
            await _retry(error, retries, report=report)
            continue
        retries.reset()
        state.observe(task.status)
        if (
            task.status is TaskStatus.UNKNOWN
            and _task_age(task, state, submitted_at_service=record.service_sent_at) < context.region.task_ttl
        ):
            await _raise_if_unknown(record, state, context)
        elif task.status is TaskStatus.OTHER:
            _check_strange(task, state)
        elif task.status is TaskStatus.SUCCEEDED and not task.video_url:
            raise NoVideo(
                Message("The task succeeded without a video. It may be an image task."),
                hint=Message("Check the task id; the DashScope console shows the task's result."),
                task_id=task_id,
            )
        elif not task.status.is_waiting:
            return task
        elif state.rendered > context.max_wait:
            raise WaitExceeded(
                Message(
                    "The task has been rendering for {minutes:.0f} minutes, the limit of this connection.",
                    minutes=state.rendered / 60,
                ),
                hint=Message(
                    "It still runs at DashScope. Run the same graph again to keep waiting, or use Wan Fetch Task."
                ),
                task_id=task_id,
            )
        seconds = max(poll_interval(state.since_submission), _not_before(likely, context) - state.since_submission)
        await clock.sleep_with_countdown(seconds, partial(_show, task, state, likely, report))


def _not_before(likely: Estimate, context: RunContext) -> float:
    """Return the age of a task before which no query is spent on it, where the account's queries are scarce."""
    return likely.soonest if context.limits.queries_are_scarce else 0.0


def _task_age(task: Task, state: _WaitState, *, submitted_at_service: float) -> float:
    """Return a task's age in seconds by the service's clock; the local clock proves nothing.

    It is 0 if unknown, and infinite for a task that this ledger did not create.
    """
    if math.isinf(state.task_age):
        return state.task_age
    return task.server_time - submitted_at_service if submitted_at_service and task.server_time else 0.0


async def _retry(error: WanError, retries: RetryBudget, *, report: Progress) -> None:
    """Wait before the next query if the error is transient, otherwise raise it."""
    try:
        await retries.wait_or_raise(error, partial(report, 0.1))
    except WanError:
        error.hint = sentences(error.hint, _GOES_ON)
        raise


async def _raise_if_unknown(record: Record, state: _WaitState, context: RunContext) -> None:
    """Raise if a recent task stays unknown. One such response proves nothing, and a new task is charged."""
    if state.unknown_since is None or state.clock.now() - state.unknown_since < UNKNOWN_TASK_TIMEOUT:
        return
    error = TaskUnknown(
        Message("DashScope does not recognise this task although it is less than 24 hours old."),
        hint=Message(
            "Check that the region and workspace in DashScope Connection and DASHSCOPE_BASE_URL are the task's "
            "own, and run the same graph again later to query it again. To give it up and pay for a new video, "
            "change the seed."
        ),
        task_id=record.task_id,
    )
    raise await unknown_error(record, context=context, otherwise=error)


def _check_strange(task: Task, state: _WaitState) -> None:
    """Raise if a task stays in an undocumented state."""
    if state.strange_since is None or state.clock.now() - state.strange_since < STRANGE_SECONDS:
        return
    raise NoVideo(
        Message(
            "DashScope reports the task state {state}, which this version of the pack does not know.", state=task.state
        ),
        hint=Message(
            "Check the task in the DashScope console, or update the pack. Once it has succeeded, run the same "
            "graph again or use Wan Fetch Task."
        ),
        task_id=task.task_id,
    )


def _show(task: Task, state: _WaitState, likely: Estimate, report: Progress, _left: float) -> None:
    """Report the estimated progress of a task."""
    if task.status is not TaskStatus.RUNNING:
        report(0.06, partial(Message, "queued {seconds:.0f} s; task {task}", seconds=state.passed, task=task.task_id))
        return
    # Approaches 0.9 and never reaches it: the end is unknown.
    fraction = 0.1 + 0.8 * (state.passed / (state.passed + likely.median / 2))
    note, seconds = partial(likely.text, state.rendering), state.rendering
    told = partial(
        Message, "rendering {seconds:.0f} s{note}; task {task}", seconds=seconds, note=note, task=task.task_id
    )
    report(fraction, told)


def poll_interval(age: float) -> float:
    """Return the seconds until the next poll of a task that was submitted `age` seconds ago."""
    return next((first - age for first in FIRST_POLLS if first - age >= 0.1), POLL_INTERVAL)


@frozen
class Estimate:
    """The estimated rendering time of a task, in seconds: the `median`, and the `span` of the usual times.

    `soonest` is the time before which earlier tasks of the kind hardly ended, 0 if there are none. From `latest` on it
    takes unusually long.
    """

    median: float
    span: tuple[float, float] = (0.0, 0.0)
    soonest: float = 0.0
    latest: float = math.inf

    def text(self, rendered: float) -> str:
        """Return the status text's note on a task that has been rendering for some seconds; "" if nothing is known.

        The time that is left is only told from earlier tasks of the kind: the documented range is too wide for that.
        """
        low, high = self.span
        if high < 10:
            return ""
        if rendered > self.latest:
            return Message(", taking longer than usual")
        if self.soonest and rendered < self.median:
            return Message(", about {time} left", time=_duration(self.median - rendered))
        if high <= 1.5 * low:
            return Message(", usually about {time}", time=_duration((low + high) / 2))
        if high <= 120:
            return Message(", usually {least} to {most} s", least=_rounded(low), most=_rounded(high))
        return Message(", usually {least} to {most} min", least=max(1, round(low / 60)), most=round(high / 60))


def estimate(past: Sequence[float], *, usual: tuple[int, int]) -> Estimate:
    """Return the estimate for a task.

    `past` holds the rendering times of earlier tasks of the same kind, in seconds. `usual` is the documented range,
    (0, 0) if there is none; it is used if `past` is empty.
    """
    if not past:
        return Estimate(math.sqrt(usual[0] * usual[1]) or UNKNOWN_SECONDS, usual, latest=LATE * usual[1])
    logs = [math.log(seconds) for seconds in past]
    median = math.fsum(logs) / len(logs)
    squares = PRIOR_WEIGHT * PRIOR_SIGMA**2 + math.fsum((one - median) ** 2 for one in logs)
    spread = math.sqrt(squares / (PRIOR_WEIGHT + len(logs) - 1))
    low, high = math.exp(median - spread), math.exp(median + spread)
    return Estimate(math.exp(median), (low, high), soonest=low, latest=max(LATE * high, math.exp(median + 2 * spread)))


def estimate_for(record: Record, ledger: Ledger, *, usual: tuple[int, int]) -> Estimate:
    """Return the estimate for the task of a record, from the ledger's history if there is any. Blocking."""
    try:
        return estimate(ledger.recent_durations(record), usual=usual)
    except LedgerUnavailable:
        return estimate([], usual=usual)


def _duration(seconds: float) -> str:
    if seconds <= 120:
        return Message("{seconds} s", seconds=_rounded(seconds))
    return Message("{minutes} min", minutes=round(seconds / 60))


def _rounded(seconds: float) -> int:
    step = 5 if seconds < 60 else 10
    return max(step, round(seconds / step) * step)
