"""The account's task list, all pages."""

from __future__ import annotations

from functools import partial

from ..api.errors import OutcomeUnknown
from ..api.task import ListedTask
from ..errors import WanError
from ..messages import Message
from .context import RunContext
from .progress import Progress
from .retry import QUERIES_PER_SECOND, RATE_LIMITER, RetryBudget

_PAGE_SIZE = 50
_MAX_PAGES = 40


async def list_tasks(model_name: str, *, context: RunContext, report: Progress) -> list[ListedTask]:
    """Return the account's tasks of the last 24 hours by the service's clock, of one model, or of all for "".

    Raises:
        OutcomeUnknown: the list cannot be read.
    """
    retries = RetryBudget(context.clock)
    tasks: list[ListedTask] = []
    page = 1
    while page <= _MAX_PAGES:
        await RATE_LIMITER.acquire("list", context.ledger.account, per_second=QUERIES_PER_SECOND, clock=context.clock)
        asked = partial(context.client.list_tasks, model_name=model_name, page_no=page, page_size=_PAGE_SIZE)
        try:
            response = await context.to_thread(asked)
        except WanError as error:
            await _retry(error, retries, report=report)
            continue
        retries.reset()
        tasks += response.tasks
        # If the number of pages is unknown, a full page is not the last.
        if page >= response.total_pages and (response.total_pages or len(response.tasks) < _PAGE_SIZE):
            return tasks
        page += 1
    raise _list_unreadable(Message("it has more than 2,000 tasks of the last 24 hours."))


async def _retry(error: WanError, retries: RetryBudget, *, report: Progress) -> None:
    try:
        await retries.wait_or_raise(error, partial(report, 0.05))
    except WanError:
        raise _list_unreadable(error.message) from error


def _list_unreadable(why: str) -> OutcomeUnknown:
    return OutcomeUnknown(
        Message(
            "The connection was lost before DashScope confirmed the request, and its task list cannot be read: "
            "{reason}",
            reason=why,
        ),
        hint=Message(
            "Run the same graph again when DashScope is reachable: it looks for the task before it submits a new one."
        ),
    )
