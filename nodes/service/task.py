"""A task as the service describes it. Readers are lenient: fields may be missing, numbers may come as text."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .errors import ServiceError, UnexpectedAnswer, service_error


class TaskStatus(enum.Enum):
    """The states of a task. UNKNOWN: the service does not know the id, or no longer (24 h)."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    SUSPENDED = "SUSPENDED"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELED = "CANCELED"
    UNKNOWN = "UNKNOWN"

    @property
    def waiting(self) -> bool:
        """Whether the task is still under way."""
        return self in (TaskStatus.PENDING, TaskStatus.RUNNING, TaskStatus.SUSPENDED)


@dataclass(frozen=True)
class Task:
    """One answer to a query. Times are the service's own texts (`YYYY-MM-DD HH:mm:ss.SSS`, UTC+8)."""

    task_id: str
    status: TaskStatus
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

    def failure(self) -> ServiceError:
        """Return the error that a FAILED task stands for."""
        return service_error(
            code=self.code or "Unknown",
            message=self.message,
            http_status=200,
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
    """One page of the task list."""

    tasks: tuple[ListedTask, ...]
    total_pages: int


def read_task(body: Mapping[str, Any], *, task_id: str) -> Task:
    """Read the answer to a query for `task_id`.

    Raises:
        UnexpectedAnswer: there is no `output` with a known `task_status`, or a success without a video's address.
    """
    output = body.get("output")
    if not isinstance(output, Mapping):
        raise UnexpectedAnswer("The service's answer describes no task.", http_status=200, task_id=task_id)
    try:
        status = TaskStatus(str(output.get("task_status", "")).upper())
    except ValueError:
        raise UnexpectedAnswer(
            "The service's answer names no known task state.", http_status=200, task_id=task_id
        ) from None
    texts = {
        name: value if isinstance(value := output.get(name), str) else ""
        for name in (
            *("submit_time", "scheduled_time", "end_time", "orig_prompt", "actual_prompt", "video_url"),
            *("code", "message"),
        )
    }
    if status is TaskStatus.SUCCEEDED and not texts["video_url"]:
        raise UnexpectedAnswer("The task succeeded but its answer names no video.", http_status=200, task_id=task_id)
    usage = body.get("usage")
    return Task(
        task_id=task_id,
        status=status,
        request_id=str(body.get("request_id") or ""),
        usage=dict(usage) if isinstance(usage, Mapping) else {},
        **texts,
    )


def read_page(body: Mapping[str, Any]) -> TaskPage:
    """Read a page of the task list; rows that make no sense are left out."""
    rows = body.get("data")
    if not isinstance(rows, list):
        raise UnexpectedAnswer("The service's answer lists no tasks.", http_status=200)
    tasks = tuple(
        ListedTask(
            task_id=str(row["task_id"]),
            status=str(row.get("status", "")),
            model_name=str(row.get("model_name", "")),
            created=_number(row.get("gmt_create")) / 1000,
            request_id=str(row.get("request_id") or ""),
        )
        for row in rows
        if isinstance(row, Mapping) and row.get("task_id")
    )
    return TaskPage(tasks, int(_number(body.get("total_page"))))


def _number(value: object) -> float:
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return 0.0
