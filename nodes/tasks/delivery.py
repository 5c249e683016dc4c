"""From a submitted task to its saved video: waited for, judged, brought home."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path

from ..errors import WanError
from ..service.errors import TaskCanceled, TaskUnknown
from ..service.regions import OFFLINE
from ..service.task import Task, TaskStatus
from .entry import Entry, State
from .fetch import Fetch, Terms
from .lost import is_anothers, prompt_told
from .pauses import Say
from .rhythm import rendered_seconds, rhythm_of
from .saving import SavedVideo, discard
from .session import Session
from .wait import wait


class NotOurTask(WanError):
    """The task that was taken for a request's own was made for another prompt. The request is UNCERTAIN again."""


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
        NotOurTask: the task was found in the service's list, and now says that it is another request's.
        ServiceError: the task failed, or the service refuses the query for good.
        TaskUnknown, TaskCanceled, WaitExceeded, NetworkError, DownloadFailed: as their names say.
    """
    past = await session.in_thread(session.ledger.rendering_times, entry)
    rhythm = rhythm_of(past, usual=usual)
    born = entry.service_sent_at
    task = await wait(entry.task_id, session=session, say=say, rhythm=rhythm, age=age, born=born)
    if entry.is_adopted and terms.request and is_anothers(task, prompt_told(terms.request)):
        await session.note(entry, state=State.UNCERTAIN.value, task_id="", submitted_at=0.0)
        raise NotOurTask(
            f"Task {task.task_id}, which was taken for this request's own, was made for another prompt.",
            do="Run the same graph again: it looks for its own task before it pays for a new one.",
        )
    on_over()
    await _judge(task, entry, session=session, age=age)
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


async def _judge(task: Task, entry: Entry, *, session: Session, age: float) -> None:
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
    raise _unknown(task.task_id, session=session, age=age)


def _unknown(task_id: str, *, session: Session, age: float) -> TaskUnknown:
    """Say why the service does not know a task, as far as that can be told."""
    if session.region.id == OFFLINE:
        return TaskUnknown(
            "The offline stand-in does not know the task: it forgets all of them when ComfyUI is closed.",
            do="Run the graph that made it again; that costs nothing.",
            task_id=task_id,
        )
    if age < math.inf:
        return TaskUnknown(
            f"The task has expired: it was created {age / 3600:.0f} hours ago, and the service keeps a task and its "
            "video for 24 hours.",
            do="Run the graph that made it again for a new video, which is paid anew.",
            task_id=task_id,
        )
    return TaskUnknown(
        "The service does not know the task: it is older than 24 hours, or belongs to another account or region.",
        do="Check the id and the region in DashScope Connection. A video older than 24 hours is gone: run again.",
        task_id=task_id,
    )
