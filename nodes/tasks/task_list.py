"""The account's list of tasks, read whole."""

from __future__ import annotations

from functools import partial

from ..errors import WanError
from ..service.errors import OutcomeUnknown
from ..service.task import ListedTask
from . import pace
from .pauses import Patience, Say
from .session import Session

_PAGE = 50
_PAGES = 40


async def list_tasks(model_name: str, *, session: Session, say: Say) -> list[ListedTask]:
    """Return the account's tasks of the last 24 hours by the service's own clock, of one model or, "", of all.

    Raises:
        OutcomeUnknown: the list cannot be read.
    """
    patience = Patience()
    tasks: list[ListedTask] = []
    page = 1
    while page <= _PAGES:
        await pace.turn("list", session.account, per_second=pace.QUERIES_PER_SECOND)
        asked = partial(session.client.list, model_name=model_name, page_no=page, page_size=_PAGE)
        try:
            answer = await session.in_thread(asked)
        except WanError as error:
            await _bear(error, patience, say=say)
            continue
        patience.answered()
        tasks += answer.tasks
        # Where it does not say how many pages there are, a full one is not the last.
        if page >= answer.total_pages and (answer.total_pages or len(answer.tasks) < _PAGE):
            return tasks
        page += 1
    raise _unreadable("it has more than 2,000 tasks of a day.")


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
