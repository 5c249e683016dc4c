"""Interruption by Stop: cancel what can be cancelled, and report which task still runs and is charged."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

from ..api.client import Client
from ..catalog.regions import Region
from ..errors import WanError
from ..ledger.record import Record, State
from ..messages import Message
from .context import RunContext
from .progress import Progress, RunMonitor

logger = logging.getLogger("dashscope_wan")

T = TypeVar("T")

CLEANUP_TIMEOUT = 0.7

CancelCall = Callable[[str, Client], "bool | None"]
"""Cancels a task by its id if it is still queued. Blocking."""


def report_interrupt_unsent(context: RunContext, report: Progress) -> None:
    """Report that nothing was submitted."""
    nothing = context.region.if_paid(Message("; nothing is charged"))
    _report(report, Message("stopped before submission{note}", note=nothing))


def report_interrupt_waiting(record: Record, context: RunContext, report: Progress) -> None:
    """Report that another run continues the same request."""
    task = Message(" as task {task}", task=record.task_id) if record.task_id else ""
    charged = context.region.if_paid(Message(", which is charged if it succeeds"))
    _report(
        report,
        Message(
            "stopped; another run continues the same request{task}{note}: run the same graph again to get its video",
            task=task,
            note=charged,
        ),
    )


async def report_interrupt(
    record: Record, *, context: RunContext, report: Progress, cancel: Callable[[], bool | None] | None
) -> None:
    """Report the state of a stopped request. `cancel`, if given, cancels its task if it is still queued."""
    region = context.region
    if record.state in (State.SUCCEEDED.value, State.SAVED.value):
        paid = region.if_paid(Message(" and paid for"))
        text = Message(
            "stopped; the video of task {task} is finished{note}: run the same graph again to save it",
            task=record.task_id,
            note=paid,
        )
        _report(report, text)
    elif record.task_id and not record.is_terminal:
        charged = region.if_paid(Message(" and is charged if it succeeds"))
        goes_on = Message(
            "stopped; task {task} is still running {where}{note}: run the same graph again to get its video",
            task=record.task_id,
            where=_where(region),
            note=charged,
        )
        # A task found through the task list may belong to another client.
        if not cancel or record.is_adopted:
            _report(report, goes_on)
            return
        report(0.1, goes_on)
        done = asyncio.ensure_future(context.to_thread(cancel))
        await wait_settled([done], seconds=CLEANUP_TIMEOUT / 2)
        if not done.done() or done.cancelled():
            return
        if done.result():
            nothing = region.if_paid(Message("; nothing is charged"))
            report(
                0.1,
                Message(
                    "stopped; task {task} was still queued and is cancelled{note}", task=record.task_id, note=nothing
                ),
            )
        elif done.result() is None:
            charged = region.if_paid(Message("; if it runs on, it is charged"))
            report(
                0.1,
                Message(
                    "stopped; whether task {task} was cancelled is unknown{note}: run the same graph again to get its "
                    "video",
                    task=record.task_id,
                    note=charged,
                ),
            )
    elif record.is_outcome_unknown:
        text = Message("stopped; whether a task was created is unknown: run the same graph again to look for it")
        _report(report, text)
    else:
        report_interrupt_unsent(context, report)


def _where(region: Region) -> str:
    return Message("in offline mode") if region.simulated else Message("at DashScope")


def _report(report: Progress, text: str) -> None:
    report(0.1, text)
    logger.warning("%s.", text[0].upper() + text[1:])


async def run_interruptible(monitor: RunMonitor, work: Coroutine[Any, Any, T]) -> T:
    """Run `work`, checking for Stop regularly.

    On Stop, or when this coroutine is cancelled, `work` is cancelled and gets a moment to clean up before the
    interruption is raised.
    """
    task, looking = asyncio.ensure_future(work), asyncio.ensure_future(monitor.wait_for_interrupt())
    try:
        await asyncio.wait({task, looking}, return_when=asyncio.FIRST_COMPLETED)
        if looking.done():
            looking.result()
        # It may have been pressed since the last look.
        monitor.raise_if_interrupted()
        return task.result()
    finally:
        await cancel([looking, task])


async def cancel(tasks: Sequence[asyncio.Future[Any]]) -> None:
    """Cancel unfinished tasks, give them a moment to clean up, and retrieve every exception."""
    await wait_settled([task for task in tasks if task.cancel()], seconds=CLEANUP_TIMEOUT)
    for task in tasks:
        if task.done() and not task.cancelled():
            task.exception()


async def wait_settled(tasks: Sequence[asyncio.Future[Any]], *, seconds: float) -> None:
    """Wait at most `seconds` for tasks to clean up; another cancellation does not cut the wait short.

    A host that closes its event loop cancels every task in it, and each task then cancels its own.
    """
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0 and not all(task.done() for task in tasks):
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait(tasks, timeout=left)


def cancel_queued_task(task_id: str, client: Client) -> bool | None:
    """Cancel a task if it is still queued, and log the result.

    Blocking. Returns True if the task was cancelled, False if it still runs and is charged, None if that is unknown.
    """
    region = client.endpoint.region
    get = "Run the same graph again within 24 hours, or use Wan Fetch Task with this id, to get its video."
    try:
        done = client.cancel_task(task_id)
    except WanError as error:
        charged = region.if_paid(" If it runs on, it is charged.")
        logger.warning(
            "Stopped. Whether task %s was cancelled is unknown (%s)%s %s", task_id, error.message, charged, get
        )
        return None
    if done:
        nothing = region.if_paid("; nothing is charged")
        logger.warning("Stopped. Task %s was still queued and is cancelled%s.", task_id, nothing)
    else:
        charged = region.if_paid(" and is charged if it succeeds")
        logger.warning("Stopped, but task %s is still running %s%s. %s", task_id, _where(region), charged, get)
    return done
