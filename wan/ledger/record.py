"""The ledger's record of a request."""

from __future__ import annotations

import enum
from dataclasses import dataclass, fields
from pathlib import Path


class State(str, enum.Enum):
    """The state of a request. OUTCOME_UNKNOWN: it was sent, and whether a task was created is unknown."""

    PENDING_SUBMIT = "submitting"
    SUBMITTED = "submitted"
    SUCCEEDED = "succeeded"
    SAVED = "saved"
    FAILED = "failed"
    CANCELED = "canceled"
    EXPIRED = "expired"
    OUTCOME_UNKNOWN = "uncertain"


class Claim(enum.Enum):
    """What a run must do with a request: send it, resume it, wait for the run that has it, or reuse the video.

    A request that may have been charged is never sent again. FAILED: the run that was waited for failed.
    """

    NEW = "send"
    RESUME = "resume"
    WAIT = "follow"
    REUSE = "reuse"
    FAILED = "failed"


@dataclass
class Record:
    """One request. Times are epoch seconds, 0 until the step is done; `duration` is in seconds.

    `sent_at` is set just before the create request is sent, by the local clock, which decides nothing.
    `service_sent_at` is the same moment by the service's clock, 0 if unknown. `account` is a hash of the URL and the
    key. Requests with the same `subject` have the same model and image. `rendered` is the rendering time in seconds, by
    the service's clock. `owner` is the run that processes the request. `part` is the partial download, `path` the saved
    file. `model` is empty for a task that is only known by its id. `id` is empty until the ledger has the record.
    """

    fingerprint: str
    account: str = ""
    region: str = ""
    model: str = ""
    resolution: str = ""
    duration: int = 0
    state: str = State.PENDING_SUBMIT.value
    owner: str = ""
    task_id: str = ""
    request_id: str = ""
    created_at: float = 0.0
    sent_at: float = 0.0
    service_sent_at: float = 0.0
    submitted_at: float = 0.0
    finished_at: float = 0.0
    rendered: float = 0.0
    part: str = ""
    path: str = ""
    bytes: int = 0
    error: str = ""
    receipt: str = ""
    id: str = ""
    subject: str = ""
    host: str = ""
    folder: str = ""
    digest: str = ""

    @property
    def is_terminal(self) -> bool:
        """Whether the request can have no further result."""
        return self.is_unbilled or self.state == State.EXPIRED.value

    @property
    def is_unbilled(self) -> bool:
        """Whether the request was certainly not charged."""
        return self.state in (State.FAILED.value, State.CANCELED.value)

    @property
    def is_outcome_unknown(self) -> bool:
        """Whether the request may have been sent, and has no task."""
        return (
            not self.task_id
            and self.sent_at > 0
            and self.state in (State.PENDING_SUBMIT.value, State.OUTCOME_UNKNOWN.value)
        )

    @property
    def is_adopted(self) -> bool:
        """Whether the task was found in the service's task list, without a response to its create request."""
        return bool(self.task_id) and self.sent_at > 0 and not self.request_id

    @property
    def has_video_file(self) -> bool:
        """Whether the saved video still exists with its full size."""
        try:
            return bool(self.path) and 0 < self.bytes == Path(self.path).stat().st_size
        except OSError:
            return False


COLUMNS = tuple(field.name for field in fields(Record))
