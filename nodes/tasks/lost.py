"""Finding the task of a request whose answer was lost, so that it is neither paid twice nor lost.

The service has no idempotency key, but it lists the account's tasks by model, with the time of their creation, and a
task that has succeeded tells its prompt.
"""

from __future__ import annotations

import time
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial

from ..errors import WanError
from ..service.errors import OutcomeUnknown
from ..service.request import VideoRequest
from ..service.task import ListedTask, Task, TaskPage
from ..service.texts import LONGEST_PROMPT, text_of
from . import pace
from .clocks import Span, span_of
from .entry import TASK_LIFE_SECONDS, Entry, State
from .pauses import Patience, Say, pause
from .session import Session

LOOKS_AFTER = (0.0, 2.0, 4.0, 6.0, 8.0, 10.0)
"""Seconds of waiting before each look at the list; the last look decides that nothing was created."""

MOST_ASKED = 50
"""How many tasks are asked for their prompts at each look."""

SHORTEST_CUT = 500
"""How many letters at least are left of a prompt that the service cuts."""

_PAGE = 50
_PAGES = 40
_LATE = 30.0
_FREE = ("FAILED", "CANCELED")


async def find_lost(entry: Entry, *, model_name: str, prompt: str, session: Session, say: Say) -> bool:
    """Look for the task of an entry whose call was sent and not answered. Returns False where none was created.

    When exactly one task fits it is adopted: the entry is then SUBMITTED with its id. `prompt` is what the request's
    task tells of itself, "" where that is nothing.

    Raises:
        OutcomeUnknown: several tasks may be it, or the list cannot be read.
    """
    search = _Search(entry, model_name=model_name, prompt=prompt, session=session, say=say)
    for seconds in LOOKS_AFTER:
        say(0.05, "the answer was lost; looking for the task at the service")
        await pause(seconds, lambda _: None)
        await search.look()
        if entry.task_id:
            return True
    candidates = await search.candidates()
    if not candidates:
        await session.note(entry, state=State.SUBMITTING.value, sent_at=0.0, service_sent_at=0.0, error="")
        return False
    raise OutcomeUnknown(
        "The answer to the request was lost, and which task it created, if any, is not certain. It may be one of: "
        f"{', '.join(candidates[:20])}.",
        do="Use Wan Fetch Task with these ids to find your video. To make a new one, and pay for it, change the seed.",
    )


def prompt_told(request: VideoRequest) -> str:
    """Return what the task of a request will tell as its prompt, "" where that is not known."""
    return "" if request.template else request.prompt


def is_anothers(task: Task, prompt: str) -> bool:
    """Tell whether a task says of itself that it was made for another prompt."""
    told, own = _letters(task.orig_prompt), _letters(prompt)
    cut = len(told) >= SHORTEST_CUT and own.startswith(told)
    return bool(told and own) and told != own and not cut


def _letters(prompt: str) -> str:
    """Return what is left of a prompt however the service may write it down."""
    text = unicodedata.normalize("NFKC", text_of(prompt, at_most=LONGEST_PROMPT)).casefold()
    return "".join(filter(str.isalnum, text))


@dataclass
class _Search:
    """One search. `near` are the strangers among the tasks of the call's time, `elsewhere` those of other times."""

    entry: Entry
    model_name: str
    prompt: str
    session: Session
    say: Say
    near: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)
    span: Span | None = None
    _anothers: set[str] = field(default_factory=set)

    async def look(self) -> None:
        """Look at the list once, and adopt the one task that fits, where it was the only one at the last look too."""
        before = self.near
        tasks, ahead = await self._list()
        span = self.span = await self.session.in_thread(self._span, ahead)
        # What failed or was cancelled costs nothing: it is nothing that could be paid twice.
        created = {task.task_id: task.created for task in tasks if task.status not in _FREE}
        strangers = await self.session.in_thread(self.session.ledger.strangers, created)
        self.elsewhere = [task_id for task_id in strangers if not span.holds(created[task_id])]
        self.near = await self._without_anothers(task_id for task_id in strangers if span.holds(created[task_id]))
        if len(self.near) == 1 and self.near == before:
            found = self.near[0]
            ledger = self.session.ledger
            await self.session.in_thread(ledger.adopt, self.entry, found, created=created[found], span=span)

    async def candidates(self) -> list[str]:
        """Return the tasks that may be the call's after the last look."""
        # What was sent a day ago cannot be among them: its task is gone.
        if self.span is None or self.span.sure or time.time() - self.entry.sent_at > TASK_LIFE_SECONDS:
            return self.near
        # A task of another time counts as well: were it only a clock that is wrong, sending again would pay twice.
        return self.near + await self._without_anothers(self.elsewhere)

    def _span(self, ahead: float | None) -> Span:
        """Return when the task was created, and write it down where it is certain: another run may have to know."""
        entry, left = self.entry, self.session.sent.get(self.entry.id)
        span = span_of(entry, ahead=ahead, left=left, ahead_before=self.session.ledger.ahead_before(entry))
        if span.sure and not entry.service_sent_at:
            self.session.note_now(entry, service_sent_at=span.sent_at)
        return span

    async def _without_anothers(self, task_ids: Iterable[str]) -> list[str]:
        """Leave the tasks out that tell another prompt. What tells none may be the call's."""
        known = [task_id for task_id in task_ids if task_id not in self._anothers]
        for task_id in known[:MOST_ASKED] if self.prompt else ():
            task = await self._ask(task_id)
            if task and is_anothers(task, self.prompt):
                self._anothers.add(task_id)
        return [task_id for task_id in known if task_id not in self._anothers]

    async def _ask(self, task_id: str) -> Task | None:
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

    async def _list(self) -> tuple[list[ListedTask], float | None]:
        """Return the account's tasks of the model in the last 24 hours, and how far the service's clock is ahead.

        It is the service's own 24 hours, whatever this machine's clock says.
        """
        patience = Patience()
        tasks: list[ListedTask] = []
        page = 1
        while page <= _PAGES:
            await pace.turn("list", self.session.account, per_second=pace.QUERIES_PER_SECOND)
            try:
                answer, ahead = await self.session.in_thread(self._page, page)
            except WanError as error:
                await _bear(error, patience, say=self.say)
                continue
            patience.answered()
            tasks += [task for task in answer.tasks if task.model_name in (self.model_name, "")]
            if page >= answer.total_pages:
                # A clock by which tasks will be created in the future is not the one that they are created by.
                sound = all(task.created <= answer.answered_at + _LATE for task in tasks)
                return tasks, ahead if answer.answered_at and sound else None
            page += 1
        raise _unreadable("it is too long.")

    def _page(self, page: int) -> tuple[TaskPage, float]:
        answer = self.session.client.list(model_name=self.model_name, page_no=page, page_size=_PAGE)
        return answer, answer.answered_at - time.time()


async def _bear(error: WanError, patience: Patience, *, say: Say) -> None:
    try:
        await patience.bear(error, partial(say, 0.05))
    except WanError:
        raise _unreadable(error.what) from error


def _unreadable(why: str) -> OutcomeUnknown:
    return OutcomeUnknown(
        f"The answer to the request was lost, and the service's list of tasks cannot be read: {why}",
        do="Run the same graph again when the service can be reached: it looks for the task before it pays for a new "
        "one.",
    )
