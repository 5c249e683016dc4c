"""The ledger's record of a request."""

from __future__ import annotations

import enum
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

from ..frozen import frozen
from ..messages import from_json, lines, to_json


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

    A request that may have been charged is never sent again. FAILED: the run that was waited for failed. QUEUE: the
    request is new, and the account's other tasks come first.
    """

    NEW = "send"
    RESUME = "resume"
    WAIT = "follow"
    REUSE = "reuse"
    FAILED = "failed"
    QUEUE = "queue"


NO_PRICE = -1.0
"""The `reserved_at` of a record that was written without its price: its receipt has it."""


@dataclass
class Record:
    """One request. Times are epoch seconds, 0 until the step is done; `duration` is in seconds.

    `sent_at` is set just before the create request is sent, by the local clock, which decides nothing.
    `service_sent_at` is the same moment by the service's clock, 0 if unknown. `account` is a hash of the URL and the
    key. Requests with the same `subject` have the same model and image. `rendered` is the rendering time in seconds, by
    the service's clock. `owner` is the run that processes the request. `part` is the partial download, `path` the saved
    file on `host`, in its output `folder`, with its `digest`. `model` is empty for a task that is only known by its id.
    `id` is empty until the ledger has the record. `prompt` is the prompt's first line. `estimate` is the list price in
    `currency`, by the list of `price_date`; `billed` is the price of the `billed_seconds`, None until they are known.
    `message` is the `error` by `to_json`, for other languages.
    `reserved_at` is when the price was reserved, 0 if the request costs nothing here, and NO_PRICE in a row of a schema
    without prices.
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
    prompt: str = ""
    reserved_at: float = 0.0
    estimate: float = 0.0
    currency: str = ""
    price_date: str = ""
    billed_seconds: float = 0.0
    billed: float | None = None
    message: str = ""

    @property
    def error_text(self) -> str:
        """The error, as a `Message` if it was saved as one."""
        text = from_json(self.message)
        return text if text == self.error else self.error

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

    def as_copy(self, *, is_paid: bool) -> Record:
        """Return a new record of the same video, which costs nothing unless it `is_paid` beside the other one."""
        return replace(self, id="") if is_paid else replace(self, id="", reserved_at=0.0, currency="", billed=None)

    def for_another_machine(self, draft: Record) -> Record:
        """Return the record of another machine's download of this task's video. The task is paid once."""
        own = vars(
            Record(
                "", prompt=self.prompt, id=draft.id, host=draft.host, folder=draft.folder, created_at=draft.created_at
            )
        )
        same = {"fingerprint", "account", "region", "model", "resolution", "duration", "task_id", "subject"}
        same |= {"submitted_at", "service_sent_at", "finished_at"}
        values = {**own, **{name: getattr(self, name) for name in same}, "state": State.SUBMITTED.value}
        return Record(**values)


def error_columns(*parts: str) -> dict[str, str]:
    """Return the columns of a record with an error, of its lines."""
    text = lines(*parts)
    return {"error": str.__str__(text), "message": to_json(text)}


def digest(path: Path) -> str:
    """Return a hash of a video's beginning, end and size, which tells it from others of its name; "" if unreadable."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(0)
            begin = file.read(_DIGEST_BYTES)
            file.seek(max(0, size - _DIGEST_BYTES))
            return hashlib.sha256(b"%d %s %s" % (size, begin, file.read())).hexdigest()[:32]
    except OSError:
        return ""


_DIGEST_BYTES = 64 * 1024

COLUMNS = tuple(field.name for field in fields(Record))


@frozen
class ClaimRules:
    """The rules by which a run claims a request. `is_alive` tells whether a run is alive.

    `is_shared` is whether several machines share the ledger; `following` and `free` are those of `Ledger.claim`.
    """

    is_alive: Callable[[str], bool]
    is_shared: bool
    following: str = ""
    free: bool = False

    def choose(self, found: Sequence[Record], draft: Record) -> Record:
        """Return the record to go on with, of those that were found for a draft, newest first.

        One that cost nothing hides none that is paid. A video that is here comes first.
        """

        def rank(record: Record) -> tuple[bool, ...]:
            is_here = _is_here(record, draft) if self.is_shared else record.has_video_file
            is_own = _is_own(record, draft) or not self.is_shared
            return (record.is_unbilled and not draft.task_id, not is_here, not is_own)

        return min(found, key=rank)

    def decide(self, draft: Record, found: Record) -> tuple[Record, Claim]:
        """Return the record of a draft and the claim on it: of the draft itself, or of what was found for it."""
        # The draft itself was found: a connection was lost while it was inserted, with a task or without one.
        if found.id == draft.id:
            return found, Claim.RESUME if found.task_id else Claim.NEW
        has_video = _is_here(found, draft) if self.is_shared else found.has_video_file
        # A dead run's video is taken over, with what it had of it.
        is_finished = found.state == State.SAVED.value or (
            found.state == State.SUCCEEDED.value and self.is_shared and self.is_alive(found.owner)
        )
        if found.state == State.FAILED.value and found.id == self.following:
            claim = Claim.FAILED
        elif found.state in (State.SAVED.value, State.EXPIRED.value) and has_video:
            claim = Claim.REUSE
        elif not draft.task_id and (found.is_unbilled or (self.free and found.is_terminal)):
            found, claim = draft, Claim.NEW
        elif self.is_shared and is_finished and not _is_own(found, draft):
            found, claim = found.for_another_machine(draft), Claim.RESUME
        elif not found.is_terminal and self.is_alive(found.owner):
            claim = Claim.WAIT
        else:
            # The record of a dead run, which may have saved the video.
            claim = Claim.REUSE if has_video else Claim.RESUME
        return found, claim


def _is_own(record: Record, draft: Record) -> bool:
    """Tell whether a record's video belongs into the draft's folder on this machine."""
    return (record.host or draft.host, record.folder or draft.folder) == (draft.host, draft.folder)


def _is_here(record: Record, draft: Record) -> bool:
    """Tell whether a record's video is in the draft's folder, which several machines may share."""
    path = Path(record.path)
    if record.host == draft.host and not record.folder:
        # Copied from a file, whose records name no folder.
        return record.has_video_file
    if not draft.folder or not path.is_relative_to(draft.folder) or not record.has_video_file:
        return False
    return record.host == draft.host or (record.digest != "" and record.digest == digest(path))
