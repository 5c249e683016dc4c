"""What happens on Stop, and what the user sees: whether a task still runs and costs, and its id."""

from __future__ import annotations

import asyncio
import logging

from .entry import Record, State
from .pauses import Progress
from .session import RunContext
from .submit import cancel_if_queued
from .watch import CLEANUP_TIMEOUT, wait_settled

logger = logging.getLogger("dashscope_wan")


def report_interrupt_unsent(report: Progress) -> None:
    """Tell that nothing had been sent yet."""
    _report(report, "stopped before anything was sent; nothing is charged")


def report_interrupt_waiting(record: Record, report: Progress) -> None:
    """Tell that another run goes on with the same request."""
    task = f" as task {record.task_id}" if record.task_id else ""
    _report(report, f"stopped; the same request goes on{task} in the run that has it, and is charged when it succeeds")


async def report_interrupt(record: Record, *, context: RunContext, report: Progress, cancel: bool = True) -> None:
    """Tell what goes on of a claimed request. Its task is cancelled where `cancel` says so and it is still queued."""
    if record.state in (State.SUCCEEDED.value, State.SAVED.value):
        _report(
            report, f"stopped; the video of task {record.task_id} is made and paid: run the same graph again to save it"
        )
    elif record.task_id and not record.is_terminal:
        goes_on = f"stopped; task {record.task_id} goes on at the service and is charged when it succeeds"
        # A task that was only found in the list may be somebody else's.
        if not cancel or record.is_adopted:
            _report(report, goes_on)
            return
        report(0.1, goes_on)
        done = asyncio.ensure_future(context.to_thread(cancel_if_queued, record, context=context))
        await wait_settled([done], seconds=CLEANUP_TIMEOUT / 2)
        if not done.done() or done.cancelled():
            return
        if done.result():
            report(0.1, f"stopped; task {record.task_id} was still queued and is cancelled, nothing is charged")
        elif done.result() is None:
            report(
                0.1,
                f"stopped; whether task {record.task_id} was cancelled is not known: it may go on and is then charged",
            )
    elif record.is_outcome_unknown:
        _report(
            report, "stopped; whether a task was created is not known: run the same graph again and it is looked for"
        )
    else:
        report_interrupt_unsent(report)


def _report(report: Progress, text: str) -> None:
    report(0.1, text)
    logger.warning("%s.", text[0].upper() + text[1:])
