"""A task as the service describes it. Readers are lenient: fields may be missing, numbers may come as text."""

from __future__ import annotations

import enum
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .advice import service_error
from .errors import ServiceError, UnexpectedAnswer
from .texts import LONGEST_CODE, address_of, facts_of, id_of, number_of, prompt_of, text_of

MIN_TRUNCATED_PROMPT = 500
"""How many letters at least are left of a prompt that the service truncates."""


class TaskStatus(enum.Enum):
    """The states of a task. UNKNOWN: the service does not know the id, or no longer (24 h).

    OTHER is any state that these documents do not know.
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
    def waiting(self) -> bool:
        """Whether the task is still under way."""
        return self in (TaskStatus.PENDING, TaskStatus.RUNNING, TaskStatus.SUSPENDED)


_STATE = re.compile(r"[A-Z][A-Z_]{0,49}")
_STATES = {status.value: status for status in TaskStatus}


@dataclass(frozen=True)
class Task:
    """One answer to a query. Times are the service's own texts (`YYYY-MM-DD HH:mm:ss.SSS`, UTC+8).

    `answered_at` is when it answered, by its own clock: epoch seconds, 0 where it does not say. `state` is the status
    in the service's own word. A task that makes no video has no `video_url` when it has succeeded.
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
    answered_at: float = 0.0

    def failure(self) -> ServiceError:
        """Return the error that a FAILED task stands for."""
        return service_error(
            code=self.code,
            message=self.message,
            http_status=200,
            failed=True,
            task_id=self.task_id,
            request_id=self.request_id,
        )


@dataclass(frozen=True)
class ListedTask:
    """A row of the task list. `created` is in epoch seconds, 0 where the row does not say."""

    task_id: str
    status: str
    model_name: str
    created: float
    request_id: str = ""


@dataclass(frozen=True)
class TaskPage:
    """One page of the task list. `answered_at`: when, by the service's clock, in epoch seconds; 0 if not told."""

    tasks: tuple[ListedTask, ...]
    total_pages: int
    answered_at: float = 0.0


def read_task(body: Mapping[str, Any], *, task_id: str, answered_at: float) -> Task:
    """Read the answer to a query for `task_id`.

    Raises:
        UnexpectedAnswer: there is no `output` with a `task_status`.
    """
    output = body.get("output")
    if not isinstance(output, Mapping):
        raise UnexpectedAnswer("The service's answer describes no task.", http_status=200, task_id=task_id)
    state = text_of(output.get("task_status"), at_most=50).upper()
    if not _STATE.fullmatch(state):
        raise UnexpectedAnswer("The service's answer names no task state.", http_status=200, task_id=task_id)
    return Task(
        task_id=task_id,
        status=_STATES.get(state, TaskStatus.OTHER),
        state=state,
        request_id=id_of(body.get("request_id")),
        video_url=_video_url(output),
        code=text_of(output.get("code"), at_most=LONGEST_CODE) or text_of(body.get("code"), at_most=LONGEST_CODE),
        message=text_of(output.get("message")) or text_of(body.get("message")),
        usage=facts_of(body.get("usage")),
        answered_at=answered_at,
        **{name: text_of(output.get(name), at_most=100) for name in ("submit_time", "scheduled_time", "end_time")},
        **{name: prompt_of(output.get(name)) for name in ("orig_prompt", "actual_prompt")},
    )


def _video_url(output: Mapping[str, Any]) -> str:
    """Return the video's address, which some models' tasks have in `results`; "" where there is none."""
    results = output.get("results")
    rows = results if isinstance(results, list) else [results]
    found = [output, *(row for row in rows if isinstance(row, Mapping))]
    return next((url for one in found if (url := address_of(one.get("video_url")))), "")


def is_anothers(task: Task, prompt: str) -> bool:
    """Tell whether a task says of itself that it was made for another prompt."""
    told, own = _letters(task.orig_prompt), _letters(prompt)
    cut = len(told) >= MIN_TRUNCATED_PROMPT and own.startswith(told)
    return bool(told and own) and told != own and not cut


def _letters(prompt: str) -> str:
    """Return what is left of a prompt however the service may write it down."""
    text = unicodedata.normalize("NFKC", prompt_of(prompt)).casefold()
    return "".join(filter(str.isalnum, text))


def read_page(body: Mapping[str, Any], *, answered_at: float) -> TaskPage:
    """Read a page of the task list; rows that make no sense are left out."""
    rows = body.get("data")
    if not isinstance(rows, list):
        raise UnexpectedAnswer("The service's answer lists no tasks.", http_status=200)
    tasks = tuple(
        ListedTask(
            task_id=id_of(row["task_id"]),
            status=text_of(row.get("status"), at_most=50),
            model_name=text_of(row.get("model_name"), at_most=100),
            created=number_of(row.get("gmt_create")) / 1000,
            request_id=id_of(row.get("request_id")),
        )
        for row in rows
        if isinstance(row, Mapping) and id_of(row.get("task_id"))
    )
    return TaskPage(tasks, int(number_of(body.get("total_page"))), answered_at)
