"""Reconciliation after a lost response: find the request's task, so that it is neither charged twice nor lost.

The service has no idempotency key, but it lists the account's tasks with their creation times, and a finished task
reports its prompt and its video. A task is the request's own only if these prove it. That no task was created is only
proven some minutes after the request, by a list that shows the account's other tasks.
"""

from __future__ import annotations

import enum
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ..api.task import ListedTask, Task, TaskStatus, prompt_differs
from ..catalog.regions import TASK_TTL
from ..errors import WanError
from ..frozen import frozen
from ..ledger.errors import LedgerUnavailable
from ..ledger.record import Record
from ..media.likeness import Likeness, compare, first_image
from ..media.video import probe
from ..messages import Message, enumeration
from .context import RunContext
from .failures import ambiguous_error, ledger_error, unproven_error
from .output import OutputTarget, discard
from .progress import Progress
from .retry import RetryBudget
from .save_video import SaveOptions, VideoDownload
from .task_list import list_tasks

if TYPE_CHECKING:
    from PIL import Image

logger = logging.getLogger("dashscope_wan")

RESPONSE_LOST_SECONDS = 200.0
"""Seconds after the create request until a missing task can prove anything: the gateway's timeout and a margin."""

SERVER_ERROR_SECONDS = 32.0
"""The same if the service itself reported an internal error."""

SCAN_INTERVAL = 5.0

LIST_TTL = TASK_TTL - 1800.0
"""Seconds after the create request for which the list, which covers 24 hours, can prove that no task exists."""

CLOCK_TOLERANCE = 60.0
"""Seconds by which two readings of the service's clock may disagree."""

MAX_EARLY_SECONDS, MAX_LATE_SECONDS = 120.0, 300.0
"""Seconds before and after the create request, by the service's clock, in which its task may be created."""

SECONDS_TOLERANCE = 0.5
"""Seconds by which a video's length may differ from the requested duration."""

MAX_CANDIDATES = 50

_NO_TIME = Message("DashScope's clock was unknown when the request was sent")
_TOO_OLD = Message("the list covers the last 24 hours only")
_FOR_GOOD = (_NO_TIME, _TOO_OLD)
_UNBILLED = ("FAILED", "CANCELED")


@frozen
class OwnTask:
    """The properties of a request's own task: the model's name in the region, the prompt and the first image.

    `prompt` is None if the task reports none, as for an effect. `first_image` returns the image (blocking); it is None
    if the video begins with none, and the prompt decides. `seconds` is the video's length, 0 if it is unknown, `output`
    the output target.
    """

    model_name: str
    prompt: str | None
    first_image: Callable[[], Image.Image] | None
    seconds: float
    output: OutputTarget


class Verdict(enum.Enum):
    """Whether a task is the request's own. WAITING: its finished video will decide."""

    OWN = "own"
    WAITING = "waiting"
    UNCLEAR = "unclear"
    FOREIGN = "foreign"


Adopt = Callable[[str, Callable[[Record], bool]], Awaitable[bool]]
"""Assigns a task to the record by its id. Returns False, and assigns none, if it may belong to a rival request."""


def acknowledged(records: Sequence[Record], *, since: float) -> dict[str, float]:
    """Return the tasks that the service confirmed, with the send times of their requests by its clock, from `since`."""
    return {one.task_id: one.service_sent_at for one in records if one.request_id and one.service_sent_at >= since}


async def reconcile(  # noqa: PLR0913 - all by name
    record: Record, own: OwnTask, *, adopt: Adopt, seconds: float, context: RunContext, report: Progress
) -> bool:
    """Look for the task of a record whose create request got no response, until the outcome is certain.

    Returns True if the task was found and adopted, False if it is proven that no task was created. For that proof the
    task must be missing `seconds` after the request.

    Raises:
        OutcomeUnknown: neither can be proven.
    """
    try:
        search = _Reconciliation(record, own=own, adopt=adopt, context=context, report=report)
        return await _reconcile(search, seconds=seconds)
    except LedgerUnavailable as error:
        raise ledger_error(error) from error


async def _reconcile(search: _Reconciliation, *, seconds: float) -> bool:
    await search.forget_part()
    while True:
        # A scan may take minutes: its result is as old as its beginning.
        since = search.seconds_since_create()
        await search.scan()
        found = search.tasks(Verdict.OWN)
        if len(found) == 1 and await search.adopt_found(found[0]):
            return True
        # The task may belong to another request of this ledger that still waits for its response.
        disputed = len(found) == 1 and search.waited() < RESPONSE_LOST_SECONDS
        if since >= seconds and not disputed and not search.tasks(Verdict.WAITING):
            break
        if search.waited() > search.context.max_wait:
            break
        await search.context.clock.sleep_with_countdown(SCAN_INTERVAL, partial(search.show, seconds))
    candidates = search.tasks(Verdict.OWN, Verdict.WAITING, Verdict.UNCLEAR)
    if candidates:
        await search.forget_part()
        raise ambiguous_error(candidates)
    if why := await search.why_unproven(server_error=seconds == SERVER_ERROR_SECONDS):
        raise unproven_error(why, is_final=why in _FOR_GOOD)
    return False


@dataclass(eq=False, repr=False)
class _Reconciliation:
    """One search for a record's task. `verdicts` holds the candidates and the verdict on each."""

    record: Record
    own: OwnTask
    adopt: Adopt
    context: RunContext
    report: Progress
    started: float = field(init=False)
    verdicts: dict[str, Verdict] = field(default_factory=dict)
    _first_image: Image.Image | None = None

    def __post_init__(self) -> None:
        self.started = self.context.clock.now()

    def tasks(self, *verdicts: Verdict) -> list[str]:
        """Return the tasks with one of these verdicts."""
        return [task_id for task_id, verdict in self.verdicts.items() if verdict in verdicts]

    def waited(self) -> float:
        """Return the seconds since the search began."""
        return self.context.clock.now() - self.started

    def seconds_since_create(self) -> float:
        """Return a lower bound of the seconds since the create request was sent."""
        if self.record.id in self.context.sent_at:
            return self.context.clock.now() - self.context.sent_at[self.record.id]
        service_now, sent = self.context.client.clock.now(), self.record.service_sent_at
        if sent:
            return max(self.waited(), service_now - sent if service_now else 0.0)
        # The local clock proves nothing, but without the service's time no wait proves anything either.
        return max(self.waited(), time.time() - self.record.sent_at)

    def show(self, seconds: float, _left: float) -> None:
        """Report the current step and its duration."""
        if waiting := self.tasks(Verdict.WAITING):
            ids = enumeration(waiting[:3])
            text = Message(
                "connection lost; looking for the task of this request: waiting for the video of {tasks}, "
                "{seconds:.0f} s",
                tasks=ids,
                seconds=self.waited(),
            )
        else:
            text = Message(
                "connection lost; looking for the task of this request, {seconds:.0f} of {most:.0f} s",
                seconds=min(self.seconds_since_create(), seconds),
                most=seconds,
            )
        self.report(0.05, text)

    async def scan(self) -> None:
        """Read the task list once, and judge each candidate that has no final verdict."""
        self.show(RESPONSE_LOST_SECONDS, 0.0)
        tasks = await list_tasks(self.own.model_name, context=self.context, report=self.report)
        listed = [task.task_id for task in tasks if self._may_be_own(task)]
        # Earlier candidates stay, as failed tasks are not listed; tasks of other requests drop out.
        found = list(dict.fromkeys([*self.verdicts, *listed]))
        ids = await self.context.to_thread(self.context.ledger.unknown_tasks, found)
        before = self.verdicts
        self.verdicts = {task_id: before.get(task_id, Verdict.WAITING) for task_id in ids}
        for task_id in self.tasks(Verdict.WAITING)[:MAX_CANDIDATES]:
            self.verdicts[task_id] = await self._judge(task_id)

    async def forget_part(self) -> None:
        """Remove the video downloaded for comparison: none of it may get into the request's own video."""
        for part in {self.record.part, str(self.own.output.partial_path(self.record.id))} - {""}:
            await self.context.to_thread(discard, Path(part))
        await self.context.update(self.record, part="", bytes=0)

    async def adopt_found(self, task_id: str) -> bool:
        """Assign a task to the record, unless it may belong to another request that still waits for its response."""
        at = self.record.service_sent_at

        def rival(other: Record) -> bool:
            """Tell whether the task may belong to the other record of the model, which has the same image.

            Where the prompt decides, one with the same prompt is enough.
            """
            timed = at and other.service_sent_at
            near = not timed or abs(other.service_sent_at - at) <= MAX_EARLY_SECONDS + MAX_LATE_SECONDS
            alike = self.own.first_image is None and other.prompt == self.record.prompt
            return near and (alike or other.subject == self.record.subject)

        return await self.adopt(task_id, rival)

    async def why_unproven(self, *, server_error: bool) -> str:
        """Return why the missing task proves nothing; "" if it proves that no task was created."""
        service_now, sent = self.context.client.clock.now(), self.record.service_sent_at
        if not sent or not service_now:
            return "" if server_error else _NO_TIME
        if not -CLOCK_TOLERANCE <= service_now - sent < LIST_TTL:
            return _TOO_OLD
        created = {
            task.task_id: task.created for task in await list_tasks("", context=self.context, report=self.report)
        }
        known = await self.context.to_thread(self.context.ledger.find, account=self.record.account)
        due = acknowledged(known, since=service_now - LIST_TTL)
        # The time of a response may be a gateway's: the creation times of known tasks must agree with it.
        if any(
            one in created and -MAX_EARLY_SECONDS <= created[one] - at <= MAX_LATE_SECONDS for one, at in due.items()
        ):
            return ""
        return "" if server_error and not due else Message("the list lacks your other tasks as well")

    def _may_be_own(self, task: ListedTask) -> bool:
        """Tell whether a task may have been created by this request; one without a creation time may."""
        sent = self.record.service_sent_at
        near = not sent or not task.created or sent - MAX_EARLY_SECONDS <= task.created <= sent + MAX_LATE_SECONDS
        # A failed or cancelled task is not charged, so it cannot be charged twice.
        return near and task.status not in _UNBILLED and task.model_name in (self.own.model_name, "")

    async def _judge(self, task_id: str) -> Verdict:
        """Return the current verdict on a task."""
        task = await self._query(task_id)
        if task is None:
            return Verdict.UNCLEAR
        if task.status in (TaskStatus.FAILED, TaskStatus.CANCELED) or prompt_differs(task, self.own.prompt or ""):
            return Verdict.FOREIGN
        if task.status is not TaskStatus.SUCCEEDED:
            # A listed task that is unknown to queries may become known in a moment, or never.
            late = self.seconds_since_create() > RESPONSE_LOST_SECONDS
            return Verdict.WAITING if task.status.is_waiting or not late else Verdict.UNCLEAR
        # As documented, the task of a request without a prompt reports none.
        strange = self.own.prompt == "" and task.orig_prompt
        likeness = await self._likeness(task) if task.video_url and not strange else Likeness.UNCLEAR
        if likeness is Likeness.ALIKE:
            return Verdict.OWN
        await self.forget_part()
        if likeness is Likeness.UNLIKE:
            logger.warning("Task %s shows another image: it does not belong to the lost request.", task_id)
            return Verdict.FOREIGN
        return Verdict.UNCLEAR

    async def _likeness(self, task: Task) -> Likeness:
        """Compare a task's video with the image sent. The downloaded video stays, to be saved."""
        await self.forget_part()
        terms = SaveOptions(self.own.output, {})
        fetch = VideoDownload(
            task, self.record, options=terms, context=self.context, report=lambda _, text: self.report(0.05, text)
        )
        try:
            part = await fetch.download()
            length = (await self.context.to_thread(probe, part)).duration
            if self.own.seconds and abs(length - self.own.seconds) > SECONDS_TOLERANCE:
                return Likeness.UNCLEAR
            if self.own.first_image is None:
                # The reported prompt does not differ. Without one nothing is proven.
                return Likeness.ALIKE if task.orig_prompt and self.own.prompt else Likeness.UNCLEAR
            self._first_image = self._first_image or await self.context.to_thread(self.own.first_image)
            seen = await self.context.to_thread(first_image, part)
        except (WanError, OSError) as error:
            logger.warning("Task %s cannot be compared: %s", task.task_id, error)
            return Likeness.UNCLEAR
        return await self.context.to_thread(compare, self._first_image, seen)

    async def _query(self, task_id: str) -> Task | None:
        """Return a task, None if the service rejects the query."""
        retries = RetryBudget(self.context.clock)
        while True:
            try:
                return await self.context.get_task(task_id)
            except WanError as error:
                try:
                    await retries.wait_or_raise(error, partial(self.report, 0.05))
                except WanError:
                    return None
