"""What happens on Stop, and what the user is told: whether a task still runs and costs, and its id."""

from __future__ import annotations

import asyncio
import logging

from .entry import Entry, State
from .pauses import Say
from .session import Session
from .submit import cancel_if_queued
from .watch import CLEAN_UP_SECONDS, settled

logger = logging.getLogger("dashscope_wan")


def stopped_unsent(say: Say) -> None:
    """Tell that nothing had been sent yet."""
    _tell(say, "stopped before anything was sent; nothing is charged")


def stopped_following(entry: Entry, say: Say) -> None:
    """Tell that another run goes on with the same request."""
    task = f" as task {entry.task_id}" if entry.task_id else ""
    _tell(say, f"stopped; the same request goes on{task} in the run that has it, and is charged when it succeeds")


async def stopped(entry: Entry, *, session: Session, say: Say, cancel: bool = True) -> None:
    """Tell what goes on of a claimed request. Its task is cancelled where `cancel` says so and it is still queued."""
    if entry.state in (State.SUCCEEDED.value, State.SAVED.value):
        _tell(say, f"stopped; the video of task {entry.task_id} is made and paid: run the same graph again to save it")
    elif entry.task_id and not entry.is_over:
        goes_on = f"stopped; task {entry.task_id} goes on at the service and is charged when it succeeds"
        # A task that was only found in the list may be somebody else's.
        if not cancel or entry.is_adopted:
            _tell(say, goes_on)
            return
        say(0.1, goes_on)
        done = asyncio.ensure_future(session.in_thread(cancel_if_queued, entry, session=session))
        await settled([done], seconds=CLEAN_UP_SECONDS / 2)
        if not done.done() or done.cancelled():
            return
        if done.result():
            say(0.1, f"stopped; task {entry.task_id} was still queued and is cancelled, nothing is charged")
        elif done.result() is None:
            say(
                0.1,
                f"stopped; whether task {entry.task_id} was cancelled is not known: it may go on and is then charged",
            )
    elif entry.is_open:
        _tell(say, "stopped; whether a task was created is not known: run the same graph again and it is looked for")
    else:
        stopped_unsent(say)


def _tell(say: Say, text: str) -> None:
    say(0.1, text)
    logger.warning("%s.", text[0].upper() + text[1:])
