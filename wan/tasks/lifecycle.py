"""Claiming a record, waiting for its task and saving the video."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path

from ..api.errors import TaskCanceled, TaskUnknown
from ..api.task import Task, TaskStatus, rendered_seconds
from ..errors import WanError
from ..ledger.database import LedgerUnavailable
from ..ledger.record import Claim, Record, State
from .context import RunContext
from .interrupt import report_interrupt_unsent, report_interrupt_waiting
from .output import discard
from .polling import estimate, poll_until_done
from .progress import Progress
from .receipt import SavedVideo
from .retry import sleep_with_countdown
from .save_video import SaveOptions, VideoDownload

CLAIM_POLL_INTERVAL = 0.5


async def wait_and_save(  # noqa: PLR0913 - all by name
    record: Record,
    options: SaveOptions,
    *,
    context: RunContext,
    report: Progress,
    typical: tuple[int, int],
    age: float,
    on_finished: Callable[[], None] = lambda: None,
) -> SavedVideo:
    """Wait for the task of a claimed record and save its video.

    `typical` is the documented range of seconds until such a task finishes, (0, 0) if there is none. `age` is the
    seconds since submission. `on_finished` is called when the task has finished at the service.

    Raises:
        ServiceError: the task failed, or the service rejects the query permanently.
        TaskUnknown, TaskCanceled, WaitExceeded, NetworkError, DownloadFailed: as their names say.
    """
    try:
        durations = await context.to_thread(context.ledger.recent_durations, record)
    except LedgerUnavailable:
        durations = []
    try:
        likely = estimate(durations, usual=typical)
        task = await poll_until_done(
            record.task_id,
            context=context,
            report=report,
            likely=likely,
            task_age=age,
            submitted_at_service=record.service_sent_at,
        )
    except TaskUnknown as error:
        raise _unknown_error(record, context=context, otherwise=error) from error
    on_finished()
    await _raise_for_status(task, record, context=context)
    finished = record.finished_at or time.time()
    rendered = rendered_seconds(task) or 0.0
    await context.update(record, state=State.SUCCEEDED.value, finished_at=finished, rendered=rendered, error="")
    try:
        video = await VideoDownload(task, record, options=options, context=context, report=report).download_and_save()
    except WanError as error:
        error.task_id = error.task_id or task.task_id
        raise
    report(1.0, f"saved {video.path.name}")
    return video


async def _raise_for_status(task: Task, record: Record, *, context: RunContext) -> None:
    """Save the outcome of a task that did not succeed, and raise its error."""
    if task.status is TaskStatus.SUCCEEDED:
        return
    if task.status is TaskStatus.FAILED:
        failure = task.failure()
        await context.update(record, state=State.FAILED.value, error=f"{failure.message}\n{failure.hint}".strip())
        raise failure
    if task.status is TaskStatus.CANCELED:
        await context.update(record, state=State.CANCELED.value)
        raise TaskCanceled(
            "The task was cancelled at DashScope; nothing was charged.",
            hint="Run the graph again to submit a new request.",
            task_id=task.task_id,
        )
    if record.part:
        await context.to_thread(discard, Path(record.part))
    await context.update(record, state=State.EXPIRED.value, part="")
    raise _unknown_error(record, context=context, otherwise=_expired_error(record))


def _unknown_error(record: Record, *, context: RunContext, otherwise: TaskUnknown) -> TaskUnknown:
    """Return the most specific error for a task that the service does not know. No new request is submitted."""
    task_id = record.task_id
    if context.is_free:
        return TaskUnknown(
            "The task is unknown: offline mode forgets its tasks when ComfyUI closes.",
            hint="Run the graph that created it again; offline mode is free of charge.",
            task_id=task_id,
        )
    if record.path:
        return TaskUnknown(
            f"The video of this request was saved as {record.path}, but that file is missing, and DashScope keeps a "
            "video for 24 hours only.",
            hint="Restore the file, or change the seed for a new video, which is charged.",
            task_id=task_id,
        )
    if record.account != context.account:
        return TaskUnknown(
            "This request was submitted with another API key or base URL, and the account of the current key does not "
            "know its task.",
            hint="Restore that key to get the video, or change the seed for a new video, which is charged.",
            task_id=task_id,
        )
    return otherwise


def _expired_error(record: Record) -> TaskUnknown:
    if record.model:
        return TaskUnknown(
            "The task has expired: DashScope keeps a task and its video for 24 hours. If it succeeded, it was charged.",
            hint="Change the seed for a new video, which is charged.",
            task_id=record.task_id,
        )
    return TaskUnknown(
        "DashScope does not know the task: it is older than 24 hours, or belongs to another account or region.",
        hint="Check the id, and the region in DashScope Connection. A video older than 24 hours is not available.",
        task_id=record.task_id,
    )


async def claim(
    draft: Record, *, context: RunContext, report: Progress, earlier: Callable[[str], Iterable[str]] = lambda _: ()
) -> tuple[Record, Claim]:
    """Claim a request: NEW, RESUME or REUSE. While another run has it, wait for that run.

    `earlier` returns the request's fingerprints in older formats for an account.

    Raises:
        LedgerUnavailable: the record cannot be saved; nothing may be sent.
        WanError: the run that was waited for failed.
    """
    call = partial(context.ledger.claim, earlier=earlier, free=context.is_free)
    followed: Record | None = None
    try:
        while True:
            following = followed.id if followed else ""
            record, claimed = await context.to_thread(call, replace(draft), following=following)
            if claimed is not Claim.WAIT:
                break
            followed = record
            await sleep_with_countdown(CLAIM_POLL_INTERVAL, partial(_show, record, report))
    except asyncio.CancelledError:
        if followed:
            report_interrupt_waiting(followed, report)
        else:
            report_interrupt_unsent(report)
        raise
    if claimed is Claim.FAILED:
        raise WanError(record.error, task_id=record.task_id, request_id=record.request_id)
    if claimed is Claim.REUSE and record.state != State.SAVED.value:
        # The run that saved the video was killed before it updated the record.
        await context.update(record, state=State.SAVED.value, part="")
    return record, claimed


def _show(record: Record, report: Progress, _left: float) -> None:
    task = f" (task {record.task_id})" if record.task_id else ""
    report(0.1, f"an identical request is already running{task}; waiting for its video")
