"""From a submitted task to its saved video: waited for, judged, brought home."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from ..errors import WanError
from ..service.errors import TaskCanceled, TaskUnknown
from ..service.task import Task, TaskStatus
from .entry import Entry, State
from .fetch import Fetch, Terms
from .pauses import Say
from .rhythm import estimate, rendered_seconds
from .saving import SavedVideo, discard
from .session import Session
from .store import LedgerUnavailable
from .wait import wait


async def deliver(  # noqa: PLR0913 - all by name
    entry: Entry,
    terms: Terms,
    *,
    session: Session,
    say: Say,
    usual: tuple[int, int],
    age: float,
    on_over: Callable[[], None] = lambda: None,
) -> SavedVideo:
    """Wait for the task of a claimed entry and save its video.

    `usual` is the documented span of seconds until such a task is finished, (0, 0) where there is none; `age` how many
    seconds ago it was submitted. `on_over` hears when it no longer runs at the service.

    Raises:
        ServiceError: the task failed, or the service refuses the query for good.
        TaskUnknown, TaskCanceled, WaitExceeded, NetworkError, DownloadFailed: as their names say.
    """
    try:
        past = await session.in_thread(session.ledger.rendering_times, entry)
    except LedgerUnavailable:
        past = []
    try:
        likely = estimate(past, usual=usual)
        task = await wait(entry.task_id, session=session, say=say, likely=likely, age=age, born=entry.service_sent_at)
    except TaskUnknown as error:
        raise _unknown(entry, session=session, otherwise=error) from error
    on_over()
    await _judge(task, entry, session=session)
    finished = entry.finished_at or time.time()
    rendered = rendered_seconds(task) or 0.0
    await session.note(entry, state=State.SUCCEEDED.value, finished_at=finished, rendered=rendered, error="")
    try:
        video = await Fetch(task, entry, terms=terms, session=session, say=say).run()
    except WanError as error:
        error.task_id = error.task_id or task.task_id
        raise
    say(1.0, f"saved {video.path.name}")
    return video


async def _judge(task: Task, entry: Entry, *, session: Session) -> None:
    """Write down and raise what became of a task that did not succeed."""
    if task.status is TaskStatus.SUCCEEDED:
        return
    if task.status is TaskStatus.FAILED:
        failure = task.failure()
        await session.note(entry, state=State.FAILED.value, error=f"{failure.what}\n{failure.do}".strip())
        raise failure
    if task.status is TaskStatus.CANCELED:
        await session.note(entry, state=State.CANCELED.value)
        raise TaskCanceled(
            "The task was cancelled at the service; nothing is charged.",
            do="Run again to make the video.",
            task_id=task.task_id,
        )
    if entry.part:
        await session.in_thread(discard, Path(entry.part))
    await session.note(entry, state=State.EXPIRED.value, part="")
    raise _unknown(entry, session=session, otherwise=_expired(entry))


def _unknown(entry: Entry, *, session: Session, otherwise: TaskUnknown) -> TaskUnknown:
    """Say why the service does not know a task, as far as that can be told. No request is paid for once more."""
    task_id = entry.task_id
    if session.is_free:
        return TaskUnknown(
            "The offline stand-in does not know the task: it forgets all of them when ComfyUI is closed.",
            do="Run the graph that made it again; that costs nothing.",
            task_id=task_id,
        )
    if entry.path:
        return TaskUnknown(
            f"The video of this request was saved as {entry.path} and is no longer there, and the service keeps a "
            "video for 24 hours only.",
            do="Put the file back, or change the seed for a new video, which is paid anew.",
            task_id=task_id,
        )
    if entry.account != session.account:
        return TaskUnknown(
            "This request was submitted with another API key or address, and the account of the present key does not "
            "know its task.",
            do="Set the former key again to get its video, or change the seed for a new video, which is paid anew.",
            task_id=task_id,
        )
    return otherwise


def _expired(entry: Entry) -> TaskUnknown:
    if entry.model:
        return TaskUnknown(
            "The task has expired: the service keeps a task and its video for 24 hours. If it succeeded, it was "
            "charged.",
            do="Change the seed for a new video, which is paid anew.",
            task_id=entry.task_id,
        )
    return TaskUnknown(
        "The service does not know the task: it is older than 24 hours, or belongs to another account or region.",
        do="Check the id and the region in DashScope Connection. A video older than 24 hours is gone.",
        task_id=entry.task_id,
    )
