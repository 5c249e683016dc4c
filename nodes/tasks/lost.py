"""Finding the task of a request whose answer was lost, so that it is neither paid twice nor lost.

The service has no idempotency key, but it lists the account's tasks by model, with the time of their creation.
"""

from __future__ import annotations

import time
from functools import partial

from ..errors import WanError
from ..service.errors import OutcomeUnknown
from . import pace
from .entry import TASK_LIFE_SECONDS, Entry, State
from .pauses import Patience, Say, pause
from .session import Session

LOOKS_AFTER = (0.0, 2.0, 4.0, 6.0, 8.0, 10.0)
"""Seconds of waiting before each look at the list; the last look decides that nothing was created."""

SKEW_SECONDS = 120.0
"""How far this machine's clock and the service's may be apart for a task to count as the request's own."""

ARRIVAL_SECONDS = 180.0
"""How long after its call began a task may have been created: the call's own time limit, and some more."""

_PAGE = 50
_PAGES = 40


async def find_lost(entry: Entry, *, model_name: str, session: Session, say: Say) -> bool:
    """Look for the task of an entry whose call was sent and not answered. Returns False where none was created.

    When exactly one task fits it is adopted: the entry is then SUBMITTED with its id.

    Raises:
        OutcomeUnknown: several tasks may be it, or the list cannot be read.
    """
    earliest, latest = entry.sent_at - SKEW_SECONDS, entry.sent_at + ARRIVAL_SECONDS + SKEW_SECONDS
    near: list[str] = []
    elsewhere: list[str] = []
    for seconds in LOOKS_AFTER:
        say(0.05, "the answer was lost; looking for the task at the service")
        await pause(seconds, lambda _: None)
        created = await _list(model_name, session=session, say=say)
        near, elsewhere = await session.in_thread(session.ledger.adopt, entry, created, start=earliest, end=latest)
        if entry.task_id:
            return True
    # A task of another time counts as well: were it only a clock that is wrong, sending again would pay twice. What was
    # sent a day ago has no such excuse: its task is gone.
    candidates = near if time.time() - entry.sent_at > TASK_LIFE_SECONDS else near + elsewhere
    if not candidates:
        await session.note(entry, state=State.SUBMITTING.value, sent_at=0.0, error="")
        return False
    raise OutcomeUnknown(
        "The answer to the request was lost, and which task it created, if any, is not certain. It may be one of: "
        f"{', '.join(candidates[:20])}.",
        do="Use Wan Fetch Task with these ids to find your video. To make a new one, and pay for it, change the seed.",
    )


async def _list(model_name: str, *, session: Session, say: Say) -> dict[str, float]:
    """Return the account's tasks of a model in the last 24 hours, with the epoch seconds of their creation.

    It is the service's own 24 hours, whatever this machine's clock says.
    """
    patience = Patience()
    created: dict[str, float] = {}
    page = 1
    while page <= _PAGES:
        await pace.turn("list", session.account, per_second=pace.QUERIES_PER_SECOND)
        try:
            answer = await session.in_thread(session.client.list, model_name=model_name, page_no=page, page_size=_PAGE)
        except WanError as error:
            await _bear(error, patience, say=say)
            continue
        patience.answered()
        created |= {task.task_id: task.created for task in answer.tasks if task.model_name in (model_name, "")}
        if page >= answer.total_pages:
            return created
        page += 1
    raise _unreadable("it is too long.")


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
