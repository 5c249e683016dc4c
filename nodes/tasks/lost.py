"""Finding the task of a request whose answer was lost, so that it is neither paid twice nor lost.

The service has no idempotency key, but it lists the account's tasks, with the time of their creation, and a task that
has succeeded tells its prompt and shows its video. A task is the request's own only where these prove it. That there is
none is only proven by a list that shows what must be there, some minutes after the call.
"""

from __future__ import annotations

import enum
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import WanError
from ..media.likeness import Likeness, compare, opening_of
from ..media.video import probe
from ..service.errors import OutcomeUnknown
from ..service.task import ListedTask, Task, TaskStatus, is_anothers
from . import pace
from .entry import TASK_LIFE_SECONDS, Entry, State
from .fetch import Fetch, Terms
from .pauses import Patience, Say, now, pause
from .saving import SavePlace, discard
from .session import Session
from .store import LedgerUnavailable
from .task_list import list_tasks

if TYPE_CHECKING:
    from PIL import Image

logger = logging.getLogger("dashscope_wan")

LOST_SECONDS = 200.0
"""How long after the call its task is looked for before there is none: the gateway's own time, and some more."""

SERVER_ERROR_SECONDS = 32.0
"""The same where the service answered in good form that it had an error of its own."""

LOOKS_EVERY = 5.0

LIST_LIFE_SECONDS = TASK_LIFE_SECONDS - 1800.0
"""For how long after the call the list, which shows a day, can still prove that there is none."""

CLOCK_TOLERANCE = 60.0
"""How much two readings of the service's clock may contradict each other."""

EARLY_SECONDS, LATE_SECONDS = 120.0, 300.0
"""How long before and after its call, by the service's clock, a task may have been created to be the call's own."""

SECONDS_TOLERANCE = 0.5
"""How much longer or shorter than it was asked for a request's own video may be."""

MAX_CANDIDATES = 50

_NO_TIME = "DashScope had not told its time when the request was sent"
_TOO_OLD = "the list shows the last 24 hours only"
_FOR_GOOD = (_NO_TIME, _TOO_OLD)
_UNBILLED = ("FAILED", "CANCELED")


@dataclass(frozen=True)
class Own:
    """What tells a request's own task from others: the model's name in the region, the prompt, the picture it sent.

    `prompt` is None where its task tells none, as that of an effect. `picture` makes the picture (blocking), `seconds`
    is the video's length, `place` is where the video goes.
    """

    model_name: str
    prompt: str | None
    picture: Callable[[], Image.Image]
    seconds: float
    place: SavePlace


class Verdict(enum.Enum):
    """Whose a task is. WAITING: its video will tell."""

    OWN = "own"
    WAITING = "waiting"
    UNCLEAR = "unclear"
    FOREIGN = "foreign"


async def reconcile(entry: Entry, own: Own, *, seconds: float, session: Session, say: Say) -> bool:
    """Look for the task of an entry whose call was sent and not answered, until its outcome is certain.

    Returns True where the task was found: the entry is then SUBMITTED with its id. Returns False where it is proven
    that none was created: the entry is then as if it had not been sent. `seconds` is how long after the call at least
    none may be listed for that.

    Raises:
        OutcomeUnknown: neither can be proven.
    """
    try:
        return await _reconcile(entry, own, seconds=seconds, session=session, say=say)
    except LedgerUnavailable as error:
        raise OutcomeUnknown(
            f"The answer to the request was lost, and its task cannot be looked for. {error.what}",
            do="Mend the ledger, then run the same graph again: it looks for the task before it pays for a new one.",
        ) from error


async def _reconcile(entry: Entry, own: Own, *, seconds: float, session: Session, say: Say) -> bool:
    search = _Search(entry, own=own, session=session, say=say)
    await search.forget_part()
    while True:
        # A look may take minutes: what its list lacks, it lacked at its beginning.
        since = search.since_call()
        await search.look()
        found = search.tasks(Verdict.OWN)
        if len(found) == 1 and await search.adopt(found[0]):
            return True
        # Another request of this ledger, whose answer is still to come, may be the one.
        disputed = len(found) == 1 and search.waited() < LOST_SECONDS
        if since >= seconds and not disputed and not search.tasks(Verdict.WAITING):
            break
        if search.waited() > session.max_wait:
            break
        await pause(LOOKS_EVERY, partial(search.show, seconds))
    candidates = search.tasks(Verdict.OWN, Verdict.WAITING, Verdict.UNCLEAR)
    if candidates:
        await search.forget_part()
        raise OutcomeUnknown(
            "The connection was lost before DashScope confirmed the request. It may have created one of these tasks: "
            f"{', '.join(candidates[:20])}.",
            do="Use Wan Fetch Task with these ids to see whether one is your video. To submit the request again, and "
            "pay for it, change the seed.",
        )
    if why := await search.unproven(server_error=seconds == SERVER_ERROR_SECONDS):
        later = "" if why in _FOR_GOOD else "Run the same graph again later: it looks again, for 24 hours. "
        raise OutcomeUnknown(
            f"The connection was lost before DashScope confirmed the request. Its task is not listed, but {why}: it "
            "may exist all the same.",
            do=f"{later}Nothing is sent before it is certain. The console's list of tasks, or the bill, may tell. To "
            "submit the request now, and pay perhaps twice, change the seed.",
        )
    await session.note(entry, state=State.SUBMITTING.value, sent_at=0.0, service_sent_at=0.0, error="")
    return False


@dataclass
class _Search:
    """One search for an entry's task. `verdicts` has the tasks that may be its own, and what is known of each."""

    entry: Entry
    own: Own
    session: Session
    say: Say
    begun: float = field(default_factory=now)
    verdicts: dict[str, Verdict] = field(default_factory=dict)
    _picture: Image.Image | None = None

    def tasks(self, *verdicts: Verdict) -> list[str]:
        """Return the tasks that these verdicts stand for."""
        return [task_id for task_id, verdict in self.verdicts.items() if verdict in verdicts]

    def waited(self) -> float:
        """Return for how many seconds this search has gone on."""
        return now() - self.begun

    def since_call(self) -> float:
        """Return at least how many seconds ago the call left."""
        if self.entry.id in self.session.sent:
            return now() - self.session.sent[self.entry.id]
        told, sent = self.session.client.clock.now(), self.entry.service_sent_at
        if sent:
            return max(self.waited(), told - sent if told else 0.0)
        # By this machine's clock, which proves nothing; but without the service's time no wait proves anything either.
        return max(self.waited(), time.time() - self.entry.sent_at)

    def show(self, seconds: float, _left: float) -> None:
        """Say what is being done, and for how long."""
        if waiting := self.tasks(Verdict.WAITING):
            ids = ", ".join(waiting[:3])
            text = f"looking for this request's task, as the answer was lost: waiting for the video of {ids}"
            self.say(0.05, f"{text}, {self.waited():.0f} s")
        else:
            passed = f"{min(self.since_call(), seconds):.0f} of {seconds:.0f} s"
            self.say(0.05, f"the answer was lost; looking for the task at the service, {passed}")

    async def look(self) -> None:
        """Look at the list once, and at each task that may be the request's own and is not judged yet."""
        self.show(LOST_SECONDS, 0.0)
        tasks = await list_tasks(self.own.model_name, session=self.session, say=self.say)
        listed = [task.task_id for task in tasks if self._may_be_own(task)]
        # Those of earlier looks too: what has failed since is not listed, and what another request has is that one's.
        found = list(dict.fromkeys([*self.verdicts, *listed]))
        ids = await self.session.in_thread(self.session.ledger.unknown_tasks, found)
        before = self.verdicts
        self.verdicts = {task_id: before.get(task_id, Verdict.WAITING) for task_id in ids}
        for task_id in self.tasks(Verdict.WAITING)[:MAX_CANDIDATES]:
            self.verdicts[task_id] = await self._judge(task_id)

    async def forget_part(self) -> None:
        """Remove what was downloaded for comparing: nothing of it may get into the request's own video."""
        for part in {self.entry.part, str(self.own.place.part_of(self.entry.id))} - {""}:
            await self.session.in_thread(discard, Path(part))
        await self.session.note(self.entry, part="", bytes=0)

    async def adopt(self, task_id: str) -> bool:
        """Give the entry its task, unless it may as well be that of another request whose answer is still to come."""
        ledger, at = self.session.ledger, self.entry.service_sent_at

        def rival(other: Entry) -> bool:
            """Tell whether a task of this request may as well be the other's: it differs in nothing but the seed."""
            timed = at and other.service_sent_at
            near = not timed or abs(other.service_sent_at - at) <= EARLY_SECONDS + LATE_SECONDS
            return near and other.subject == self.entry.subject

        return await self.session.in_thread(ledger.adopt, self.entry, task_id, rival=rival)

    async def unproven(self, *, server_error: bool) -> str:
        """Say why the lack of a task proves nothing; "" where it proves that none was created."""
        told, sent = self.session.client.clock.now(), self.entry.service_sent_at
        if not sent or not told:
            return "" if server_error else _NO_TIME
        if not -CLOCK_TOLERANCE <= told - sent < LIST_LIFE_SECONDS:
            return _TOO_OLD
        created = {task.task_id: task.created for task in await list_tasks("", session=self.session, say=self.say)}
        ledger, account = self.session.ledger, self.entry.account
        due = await self.session.in_thread(
            partial(ledger.answered_tasks, account=account, since=told - LIST_LIFE_SECONDS)
        )
        # The time that answers tell may be a gateway's own: that of the tasks must agree with it.
        if any(one in created and -EARLY_SECONDS <= created[one] - at <= LATE_SECONDS for one, at in due.items()):
            return ""
        return "" if server_error and not due else "the list shows none of your other tasks either"

    def _may_be_own(self, task: ListedTask) -> bool:
        """Tell whether a task was created at the call's time; one of an unknown time may have been."""
        sent = self.entry.service_sent_at
        near = not sent or not task.created or sent - EARLY_SECONDS <= task.created <= sent + LATE_SECONDS
        # What failed or was cancelled costs nothing: it is nothing that could be paid twice.
        return near and task.status not in _UNBILLED and task.model_name in (self.own.model_name, "")

    async def _judge(self, task_id: str) -> Verdict:
        """Say whose a task is, as far as it can be told now."""
        task = await self._query(task_id)
        if task is None:
            return Verdict.UNCLEAR
        if task.status in (TaskStatus.FAILED, TaskStatus.CANCELED) or is_anothers(task, self.own.prompt or ""):
            return Verdict.FOREIGN
        if task.status is not TaskStatus.SUCCEEDED:
            # What is listed and yet unknown may be known in a moment, or never.
            late = self.since_call() > LOST_SECONDS
            return Verdict.WAITING if task.status.waiting or not late else Verdict.UNCLEAR
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
        """Compare a task's video with the picture that was sent. What was downloaded stays, to be saved."""
        await self.forget_part()
        terms = Terms(self.own.place, {})
        fetch = Fetch(task, self.entry, terms=terms, session=self.session, say=lambda _, text: self.say(0.05, text))
        try:
            part = await fetch.bring()
            if abs((await self.session.in_thread(probe, part)).duration - self.own.seconds) > SECONDS_TOLERANCE:
                return Likeness.UNCLEAR
            self._picture = self._picture or await self.session.in_thread(self.own.picture)
            seen = await self.session.in_thread(opening_of, part)
        except (WanError, OSError) as error:
            logger.warning("Task %s cannot be compared: %s", task.task_id, error)
            return Likeness.UNCLEAR
        return await self.session.in_thread(compare, self._picture, seen)

    async def _query(self, task_id: str) -> Task | None:
        """Return a task, None where the service refuses to tell of it."""
        patience = Patience()
        while True:
            await pace.turn("query", per_second=pace.QUERIES_PER_SECOND)
            try:
                return await self.session.in_thread(self.session.client.query, task_id)
            except WanError as error:
                try:
                    await patience.bear(error, partial(self.say, 0.05))
                except WanError:
                    return None
