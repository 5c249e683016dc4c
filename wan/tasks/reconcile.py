"""Finding the task of a request whose response was lost, so that it is neither paid twice nor lost.

The service has no idempotency key, but it lists the account's tasks, with the time of their creation, and a task that
has succeeded tells its prompt and shows its video. A task is the request's own only where these prove it. That there is
none is only proven by a list that shows what must be there, some minutes after the call.
"""

from __future__ import annotations

import enum
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ..api.errors import OutcomeUnknown
from ..api.task import ListedTask, Task, TaskStatus, prompt_differs
from ..catalog.regions import TASK_TTL
from ..errors import WanError
from ..ledger.database import LedgerUnavailable
from ..ledger.record import Record
from ..media.likeness import Likeness, compare, first_image
from ..media.video import probe
from .context import RunContext
from .output import OutputTarget, discard
from .progress import Progress
from .retry import RetryBudget
from .save_video import SaveOptions, VideoDownload
from .task_list import list_tasks

if TYPE_CHECKING:
    from PIL import Image

logger = logging.getLogger("dashscope_wan")

RESPONSE_LOST_SECONDS = 200.0
"""How long after the call its task is looked for before there is none: the gateway's own time, and some more."""

SERVER_ERROR_SECONDS = 32.0
"""The same where the service answered in good form that it had an error of its own."""

SCAN_INTERVAL = 5.0

LIST_TTL = TASK_TTL - 1800.0
"""For how long after the call the list, which shows a day, can still prove that there is none."""

CLOCK_TOLERANCE = 60.0
"""How much two readings of the service's clock may contradict each other."""

MAX_EARLY_SECONDS, MAX_LATE_SECONDS = 120.0, 300.0
"""How long before and after its call, by the service's clock, a task may have been created to be the call's own."""

SECONDS_TOLERANCE = 0.5
"""How much longer or shorter than it was asked for a request's own video may be."""

MAX_CANDIDATES = 50

_NO_TIME = "DashScope had not told its time when the request was sent"
_TOO_OLD = "the list shows the last 24 hours only"
_FOR_GOOD = (_NO_TIME, _TOO_OLD)
_UNBILLED = ("FAILED", "CANCELED")


@dataclass(frozen=True)
class OwnTask:
    """What tells a request's own task from others: the model's name in the region, the prompt, the image it sent.

    `prompt` is None where its task tells none, as that of an effect. `first_image` makes the image (blocking),
    `seconds` is the video's length, `output` is where the video goes.
    """

    model_name: str
    prompt: str | None
    first_image: Callable[[], Image.Image]
    seconds: float
    output: OutputTarget


class Verdict(enum.Enum):
    """Whose a task is. WAITING: its video will tell."""

    OWN = "own"
    WAITING = "waiting"
    UNCLEAR = "unclear"
    FOREIGN = "foreign"


Adopt = Callable[[str, Callable[[Record], bool]], Awaitable[bool]]
"""Gives the record a task, by its id. Returns False, and gives none, where a rival request may be the task's too."""


async def reconcile(  # noqa: PLR0913 - all by name
    record: Record, own: OwnTask, *, adopt: Adopt, seconds: float, context: RunContext, report: Progress
) -> bool:
    """Look for the task of a record whose call was sent and not answered, until its outcome is certain.

    Returns True where the task was found and adopted, False where it is proven that none was created. `seconds` is how
    long after the call at least none may be listed for that.

    Raises:
        OutcomeUnknown: neither can be proven.
    """
    try:
        search = _Reconciliation(record, own=own, adopt=adopt, context=context, report=report)
        return await _reconcile(search, seconds=seconds)
    except LedgerUnavailable as error:
        raise OutcomeUnknown(
            f"The answer to the request was lost, and its task cannot be looked for. {error.message}",
            hint="Mend the ledger, then run the same graph again: it looks for the task before it pays for a new one.",
        ) from error


async def _reconcile(search: _Reconciliation, *, seconds: float) -> bool:
    await search.forget_part()
    while True:
        # A look may take minutes: what its list lacks, it lacked at its beginning.
        since = search.seconds_since_create()
        await search.scan()
        found = search.tasks(Verdict.OWN)
        if len(found) == 1 and await search.adopt_found(found[0]):
            return True
        # Another request of this ledger, whose response is still to come, may be the one.
        disputed = len(found) == 1 and search.waited() < RESPONSE_LOST_SECONDS
        if since >= seconds and not disputed and not search.tasks(Verdict.WAITING):
            break
        if search.waited() > search.context.max_wait:
            break
        await search.context.clock.sleep_with_countdown(SCAN_INTERVAL, partial(search.show, seconds))
    candidates = search.tasks(Verdict.OWN, Verdict.WAITING, Verdict.UNCLEAR)
    if candidates:
        await search.forget_part()
        raise OutcomeUnknown(
            "The connection was lost before DashScope confirmed the request. It may have created one of these tasks: "
            f"{', '.join(candidates[:20])}.",
            hint="Use Wan Fetch Task with these ids to see whether one is your video. To submit the request again, and "
            "pay for it, change the seed.",
        )
    if why := await search.why_unproven(server_error=seconds == SERVER_ERROR_SECONDS):
        later = "" if why in _FOR_GOOD else "Run the same graph again later: it looks again, for 24 hours. "
        raise OutcomeUnknown(
            f"The connection was lost before DashScope confirmed the request. Its task is not listed, but {why}: it "
            "may exist all the same.",
            hint=f"{later}Nothing is sent before it is certain. The console's list of tasks, or the bill, may tell. To "
            "submit the request now, and pay perhaps twice, change the seed.",
        )
    return False


@dataclass
class _Reconciliation:
    """One search for a record's task. `verdicts` has the tasks that may be its own, and what is known of each."""

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
        """Return the tasks that these verdicts stand for."""
        return [task_id for task_id, verdict in self.verdicts.items() if verdict in verdicts]

    def waited(self) -> float:
        """Return for how many seconds this search has gone on."""
        return self.context.clock.now() - self.started

    def seconds_since_create(self) -> float:
        """Return at least how many seconds ago the call left."""
        if self.record.id in self.context.sent_at:
            return self.context.clock.now() - self.context.sent_at[self.record.id]
        service_now, sent = self.context.client.clock.now(), self.record.service_sent_at
        if sent:
            return max(self.waited(), service_now - sent if service_now else 0.0)
        # By this machine's clock, which proves nothing; but without the service's time no wait proves anything either.
        return max(self.waited(), time.time() - self.record.sent_at)

    def show(self, seconds: float, _left: float) -> None:
        """Say what is being done, and for how long."""
        if waiting := self.tasks(Verdict.WAITING):
            ids = ", ".join(waiting[:3])
            text = f"looking for this request's task, as the answer was lost: waiting for the video of {ids}"
            self.report(0.05, f"{text}, {self.waited():.0f} s")
        else:
            passed = f"{min(self.seconds_since_create(), seconds):.0f} of {seconds:.0f} s"
            self.report(0.05, f"the answer was lost; looking for the task at the service, {passed}")

    async def scan(self) -> None:
        """Look at the list once, and at each task that may be the request's own and is not judged yet."""
        self.show(RESPONSE_LOST_SECONDS, 0.0)
        tasks = await list_tasks(self.own.model_name, context=self.context, report=self.report)
        listed = [task.task_id for task in tasks if self._may_be_own(task)]
        # Those of earlier looks too: what has failed since is not listed, and what another request has is that one's.
        found = list(dict.fromkeys([*self.verdicts, *listed]))
        ids = await self.context.to_thread(self.context.ledger.unknown_tasks, found)
        before = self.verdicts
        self.verdicts = {task_id: before.get(task_id, Verdict.WAITING) for task_id in ids}
        for task_id in self.tasks(Verdict.WAITING)[:MAX_CANDIDATES]:
            self.verdicts[task_id] = await self._judge(task_id)

    async def forget_part(self) -> None:
        """Remove what was downloaded for comparing: nothing of it may get into the request's own video."""
        for part in {self.record.part, str(self.own.output.partial_path(self.record.id))} - {""}:
            await self.context.to_thread(discard, Path(part))
        await self.context.update(self.record, part="", bytes=0)

    async def adopt_found(self, task_id: str) -> bool:
        """Give the record its task, unless it may be the task of another request that still waits for its response."""
        at = self.record.service_sent_at

        def rival(other: Record) -> bool:
            """Tell whether a task of this request may as well be the other's: it has the same model and image."""
            timed = at and other.service_sent_at
            near = not timed or abs(other.service_sent_at - at) <= MAX_EARLY_SECONDS + MAX_LATE_SECONDS
            return near and other.subject == self.record.subject

        return await self.adopt(task_id, rival)

    async def why_unproven(self, *, server_error: bool) -> str:
        """Say why the lack of a task proves nothing; "" where it proves that none was created."""
        service_now, sent = self.context.client.clock.now(), self.record.service_sent_at
        if not sent or not service_now:
            return "" if server_error else _NO_TIME
        if not -CLOCK_TOLERANCE <= service_now - sent < LIST_TTL:
            return _TOO_OLD
        created = {
            task.task_id: task.created for task in await list_tasks("", context=self.context, report=self.report)
        }
        ledger, account = self.context.ledger, self.record.account
        due = await self.context.to_thread(
            partial(ledger.acknowledged_tasks, account=account, since=service_now - LIST_TTL)
        )
        # The time that answers tell may be a gateway's own: that of the tasks must agree with it.
        if any(
            one in created and -MAX_EARLY_SECONDS <= created[one] - at <= MAX_LATE_SECONDS for one, at in due.items()
        ):
            return ""
        return "" if server_error and not due else "the list shows none of your other tasks either"

    def _may_be_own(self, task: ListedTask) -> bool:
        """Tell whether a task was created at the call's time; one of an unknown time may have been."""
        sent = self.record.service_sent_at
        near = not sent or not task.created or sent - MAX_EARLY_SECONDS <= task.created <= sent + MAX_LATE_SECONDS
        # What failed or was cancelled costs nothing: it is nothing that could be paid twice.
        return near and task.status not in _UNBILLED and task.model_name in (self.own.model_name, "")

    async def _judge(self, task_id: str) -> Verdict:
        """Say whose a task is, as far as is known now."""
        task = await self._query(task_id)
        if task is None:
            return Verdict.UNCLEAR
        if task.status in (TaskStatus.FAILED, TaskStatus.CANCELED) or prompt_differs(task, self.own.prompt or ""):
            return Verdict.FOREIGN
        if task.status is not TaskStatus.SUCCEEDED:
            # What is listed and yet unknown may be known in a moment, or never.
            late = self.seconds_since_create() > RESPONSE_LOST_SECONDS
            return Verdict.WAITING if task.status.is_waiting or not late else Verdict.UNCLEAR
        # A request without a prompt has no task that tells one, as far as the documents go.
        strange = self.own.prompt == "" and task.orig_prompt
        likeness = await self._likeness(task) if task.video_url and not strange else Likeness.UNCLEAR
        if likeness is Likeness.ALIKE:
            return Verdict.OWN
        await self.forget_part()
        if likeness is Likeness.UNLIKE:
            logger.warning("Task %s shows another picture: it is not the one that was lost.", task_id)
            return Verdict.FOREIGN
        return Verdict.UNCLEAR

    async def _likeness(self, task: Task) -> Likeness:
        """Compare a task's video with the image that was sent. What was downloaded stays, to be saved."""
        await self.forget_part()
        terms = SaveOptions(self.own.output, {})
        fetch = VideoDownload(
            task, self.record, options=terms, context=self.context, report=lambda _, text: self.report(0.05, text)
        )
        try:
            part = await fetch.download()
            if abs((await self.context.to_thread(probe, part)).duration - self.own.seconds) > SECONDS_TOLERANCE:
                return Likeness.UNCLEAR
            self._first_image = self._first_image or await self.context.to_thread(self.own.first_image)
            seen = await self.context.to_thread(first_image, part)
        except (WanError, OSError) as error:
            logger.warning("Task %s cannot be compared: %s", task.task_id, error)
            return Likeness.UNCLEAR
        return await self.context.to_thread(compare, self._first_image, seen)

    async def _query(self, task_id: str) -> Task | None:
        """Return a task, None where the service refuses to tell of it."""
        retries = RetryBudget(self.context.clock)
        while True:
            try:
                return await self.context.get_task(task_id)
            except WanError as error:
                try:
                    await retries.wait_or_raise(error, partial(self.report, 0.05))
                except WanError:
                    return None
