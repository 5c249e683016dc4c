"""The errors of tasks that were cancelled, have expired, or that the service does not know."""

from __future__ import annotations

import contextlib

from ..api.errors import TaskCanceled, TaskUnknown
from ..ledger.errors import LedgerUnavailable
from ..ledger.record import Record, State
from ..messages import Message
from .context import RunContext


def canceled_error(record: Record, *, simulated: bool) -> TaskCanceled:
    """Return the error for a cancelled task, of a `simulated` region or of the service."""
    return TaskCanceled(
        Message("The task was cancelled.")
        if simulated
        else Message("The task was cancelled at DashScope; nothing was charged."),
        hint=Message("Run the graph again to submit a new request."),
        task_id=record.task_id,
    )


async def unknown_error(record: Record, *, context: RunContext, otherwise: TaskUnknown) -> TaskUnknown:
    """Return the most specific error for a task that the service does not know."""
    task_id = record.task_id
    if context.region.simulated:
        return TaskUnknown(
            Message("The offline server does not know the task: it keeps tasks for 24 hours, on this machine only."),
            hint=Message("Run the graph that created it again; offline mode is free of charge."),
            task_id=task_id,
        )
    found: list[Record] = []
    with contextlib.suppress(LedgerUnavailable):
        found = await context.to_thread(context.ledger.find, task_id=task_id) if context.ledger.is_shared else []
    if saved := next((one for one in found if one.state == State.SAVED.value and one.id != record.id), None):
        return TaskUnknown(
            Message(
                "The video of this request was saved on {host} as {path}, and DashScope keeps a video for 24 hours "
                "only.",
                host=saved.host or Message("another machine"),
                path=saved.path,
            ),
            hint=Message(
                "Copy it from there. For a new video, which is charged, change the seed, or set repay_missing = "
                "true in credentials.toml (DASHSCOPE_WAN_REPAY_MISSING) to have every such video made anew."
            ),
            task_id=task_id,
        )
    if record.path:
        return TaskUnknown(
            Message(
                "The video of this request was saved as {path}, but that file is missing, and DashScope keeps a "
                "video for 24 hours only.",
                path=record.path,
            ),
            hint=Message("Restore the file, or change the seed for a new video, which is charged."),
            task_id=task_id,
        )
    if record.account != context.ledger.account:
        return TaskUnknown(
            Message(
                "This request was submitted with another API key or base URL, and the account of the current key "
                "does not know its task."
            ),
            hint=Message("Restore that key to get the video, or change the seed for a new video, which is charged."),
            task_id=task_id,
        )
    return otherwise


def expired_error(record: Record) -> TaskUnknown:
    """Return the error for a task that the service does not know."""
    if record.model:
        return TaskUnknown(
            Message(
                "The task has expired: DashScope keeps a task and its video for 24 hours. If it succeeded, it was "
                "charged."
            ),
            hint=Message("Change the seed for a new video, which is charged."),
            task_id=record.task_id,
        )
    return TaskUnknown(
        Message(
            "DashScope does not know the task: it is older than 24 hours, or belongs to another account or region."
        ),
        hint=Message(
            "Check the id, and the region in DashScope Connection. A video older than 24 hours is not available."
        ),
        task_id=record.task_id,
    )
