"""Finding the task of a request whose answer was lost, so that it is neither paid twice nor lost.

The service has no idempotency key, but it lists the account's tasks by model and time. A task of the right model and
time that no request of the ledger knows is the one.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from ..errors import WanError
from ..service.errors import OutcomeUnknown
from ..service.task import ListedTask
from . import pace
from .ledger import TASK_LIFE_SECONDS, Entry, State
from .pauses import Say, pause
from .session import Session
from .threads import in_thread

LOOKS_AFTER = (2.0, 6.0, 12.0, 20.0, 30.0)
"""Seconds after the call at which the list is read; the last one decides that nothing was created."""

SKEW_SECONDS = 120.0
"""How far this machine's clock and the service's may be apart."""

ARRIVAL_SECONDS = 180.0
"""How long after its call began a task may have been created: the call's own time limit, and some more."""

_SERVICE_ZONE = timezone(timedelta(hours=8))
_PAGE = 50
_PAGES = 10


@dataclass(frozen=True)
class _Window:
    """The span of time in which the task must have been created, in epoch seconds."""

    start: float
    end: float

    def holds(self, moment: float) -> bool:
        return self.start <= moment <= self.end


async def find_lost(entry: Entry, *, model_name: str, session: Session, say: Say) -> bool:
    """Look for the task of an UNCERTAIN entry in the service's list. Returns False where none was created.

    When exactly one task fits it is adopted: the entry is then SUBMITTED with its id.

    Raises:
        OutcomeUnknown: several tasks fit, or the list cannot be read.
    """
    if time.time() - entry.sent_at > TASK_LIFE_SECONDS:
        session.note(entry, state=State.EXPIRED.value)
        return False
    window = _Window(entry.sent_at - SKEW_SECONDS, entry.sent_at + ARRIVAL_SECONDS + SKEW_SECONDS)
    found: list[ListedTask] = []
    rivals = 0
    for after in LOOKS_AFTER:
        left = entry.sent_at + after - time.time()
        await pause(min(left, after), lambda _: say(0.05, "the answer was lost; looking for the task"))
        found = await _candidates(entry, model_name=model_name, window=window, session=session)
        rivals = await in_thread(session.ledger.rivals, entry, start=window.start, end=window.end)
        if len(found) == 1 and not rivals:
            await in_thread(_adopt, entry, found[0], session)
            return True
        if len(found) > 1:
            break
    if not found:
        session.note(entry, state=State.SUBMITTING.value, sent_at=0.0, error="")
        return False
    raise OutcomeUnknown(
        "The answer to the request was lost, and more than one task may be the one it created: "
        f"{', '.join(task.task_id for task in found)}.",
        do="Use Wan Fetch Task with these ids to find your video. To make a new one, and pay for it, change the seed.",
    )


def _adopt(entry: Entry, task: ListedTask, session: Session) -> None:
    session.note(
        entry,
        state=State.SUBMITTED.value,
        task_id=task.task_id,
        request_id=task.request_id,
        submitted_at=task.created or entry.sent_at,
        error="",
    )


async def _candidates(entry: Entry, *, model_name: str, window: _Window, session: Session) -> list[ListedTask]:
    """Return the tasks of the service's list that may be the entry's: right model, right time, not yet known."""
    listed: list[ListedTask] = []
    try:
        for page in range(1, _PAGES + 1):
            await pace.turn("list", session.account, per_second=pace.QUERIES_PER_SECOND)
            answer = await in_thread(
                session.client.list,
                model_name=model_name,
                start_time=_stamp(window.start),
                end_time=_stamp(min(window.end, time.time() + SKEW_SECONDS)),
                page_no=page,
                page_size=_PAGE,
            )
            listed += answer.tasks
            if page >= answer.total_pages:
                break
    except WanError as error:
        raise OutcomeUnknown(
            f"The answer to the request was lost ({entry.error}), and the service's list of tasks cannot be read: "
            f"{error.what}",
            do="Run the same graph again when the service can be reached: it looks for the task before it pays for a "
            "new one.",
        ) from error
    return [
        task
        for task in listed
        if task.model_name == model_name
        and window.holds(task.created)
        and not await in_thread(session.ledger.knows_task, task.task_id)
    ]


def _stamp(moment: float) -> str:
    return datetime.fromtimestamp(moment, _SERVICE_ZONE).strftime("%Y%m%d%H%M%S")
