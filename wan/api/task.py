"""A task as the service reports it. Parsing is lenient: fields may be missing, numbers may be text."""

from __future__ import annotations

import enum
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from typing import Any

from ..frozen import frozen
from ..messages import Message
from .advice import service_error
from .errors import ServiceError, UnexpectedResponse
from .response import MAX_CODE, as_id, as_number, as_prompt, as_scalars, as_text, as_url

MIN_TRUNCATED_PROMPT = 500
"""The minimum number of letters that the service keeps of a truncated prompt."""

MAX_BILLED_SECONDS = 3600.0
"""What is longer is no length of a video that a model makes."""


class TaskStatus(enum.Enum):
    """The states of a task.

    UNKNOWN: the service does not know the id, or the task has expired (24 h). OTHER: an undocumented state.
    """

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    SUSPENDED = "SUSPENDED"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELED = "CANCELED"
    UNKNOWN = "UNKNOWN"
    OTHER = ""

    @property
    def is_waiting(self) -> bool:
        """Whether the task is queued or running."""
        return self in (TaskStatus.PENDING, TaskStatus.RUNNING, TaskStatus.SUSPENDED)


_STATE = r"[A-Z][A-Z_]{0,49}"
_STATES = {status.value: status for status in TaskStatus}


@frozen
class Task:
    """The response to a query. Times are the service's own strings (`YYYY-MM-DD HH:mm:ss.SSS`, UTC+8).

    `server_time` is the service's time of the response: epoch seconds, 0 if unknown. `state` is the status as the
    service spells it. A task that succeeded without a video has no `video_url`.
    """

    task_id: str
    status: TaskStatus
    state: str = ""
    request_id: str = ""
    submit_time: str = ""
    scheduled_time: str = ""
    end_time: str = ""
    orig_prompt: str = ""
    actual_prompt: str = ""
    video_url: str = field(default="", repr=False)
    code: str = ""
    message: str = ""
    usage: Mapping[str, Any] = field(default_factory=dict)
    server_time: float = 0.0

    def failure(self) -> ServiceError:
        """Return the error of a FAILED task."""
        return service_error(
            code=self.code,
            message=self.message,
            http_status=200,
            failed=True,
            task_id=self.task_id,
            request_id=self.request_id,
        )


@frozen
class ListedTask:
    """A row of the task list. `created` is in epoch seconds, 0 if unknown."""

    task_id: str
    status: str
    model_name: str
    created: float
    request_id: str = ""


@frozen
class TaskPage:
    """One page of the task list. `server_time` is the service's time in epoch seconds, 0 if unknown."""

    tasks: tuple[ListedTask, ...]
    total_pages: int
    server_time: float = 0.0


def parse_task(body: Mapping[str, Any], *, task_id: str, server_time: float) -> Task:
    """Parse the response to a query for `task_id`.

    Raises:
        UnexpectedResponse: the response has no `output` with a `task_status`.
    """
    output = body.get("output")
    if not isinstance(output, Mapping):
        raise UnexpectedResponse(Message("DashScope's response contains no task."), http_status=200, task_id=task_id)
    state = as_text(output.get("task_status"), at_most=50).upper()
    if not re.fullmatch(_STATE, state):
        raise UnexpectedResponse(
            Message("DashScope's response contains no task state."), http_status=200, task_id=task_id
        )
    return Task(
        task_id=task_id,
        status=_STATES.get(state, TaskStatus.OTHER),
        state=state,
        request_id=as_id(body.get("request_id")),
        video_url=_video_url(output),
        code=as_text(output.get("code"), at_most=MAX_CODE) or as_text(body.get("code"), at_most=MAX_CODE),
        message=as_text(output.get("message")) or as_text(body.get("message")),
        usage=as_scalars(body.get("usage")),
        server_time=server_time,
        **{name: as_text(output.get(name), at_most=100) for name in ("submit_time", "scheduled_time", "end_time")},
        **{name: as_prompt(output.get(name)) for name in ("orig_prompt", "actual_prompt")},
    )


def _video_url(output: Mapping[str, Any]) -> str:
    """Return the video's URL, which some models report in `results`; "" if there is none."""
    results = output.get("results")
    rows = results if isinstance(results, list) else [results]
    found = [output, *(row for row in rows if isinstance(row, Mapping))]
    return next((url for one in found if (url := as_url(one.get("video_url")))), "")


def prompt_differs(task: Task, prompt: str) -> bool:
    """Tell whether a task reports another prompt than this one."""
    reported, own = normalized_prompt(task.orig_prompt), normalized_prompt(prompt)
    is_truncated = len(reported) >= MIN_TRUNCATED_PROMPT and own.startswith(reported)
    return bool(reported and own) and reported != own and not is_truncated


def normalized_prompt(prompt: str) -> str:
    """Return the letters and digits of a prompt, which stay the same however the service formats it."""
    text = unicodedata.normalize("NFKC", as_prompt(prompt)).casefold()
    return "".join(filter(str.isalnum, text))


def parse_page(body: Mapping[str, Any], *, server_time: float) -> TaskPage:
    """Parse a page of the task list; malformed rows are skipped."""
    rows = body.get("data")
    if not isinstance(rows, list):
        raise UnexpectedResponse(Message("DashScope's response contains no task list."), http_status=200)
    tasks = tuple(
        ListedTask(
            task_id=as_id(row["task_id"]),
            status=as_text(row.get("status"), at_most=50),
            model_name=as_text(row.get("model_name"), at_most=100),
            created=as_number(row.get("gmt_create")) / 1000,
            request_id=as_id(row.get("request_id")),
        )
        for row in rows
        if isinstance(row, Mapping) and as_id(row.get("task_id"))
    )
    return TaskPage(tasks, int(as_number(body.get("total_page"))), server_time)


def billed_seconds(task: Task) -> float:
    """Return the seconds of video that a finished task was billed for, a clip's with the new ones; 0 if unknown."""
    found = [as_number(task.usage.get(name)) for name in ("duration", "video_duration", "total_seconds")]
    found.append(sum(as_number(task.usage.get(f"{way}_video_duration")) for way in ("input", "output")))
    return next((seconds for seconds in found if 0 < seconds <= MAX_BILLED_SECONDS), 0.0)


def rendered_seconds(task: Task) -> float | None:
    """Return a finished task's rendering time by the service's clock; None if it is unknown."""
    start, end = task.scheduled_time or task.submit_time, task.end_time
    try:
        return max(0.0, (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds())
    except (ValueError, TypeError):
        return None
