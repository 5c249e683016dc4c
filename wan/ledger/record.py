"""A request as the ledger knows it."""

from __future__ import annotations

import enum
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any


class State(str, enum.Enum):
    """Where a request is. OUTCOME_UNKNOWN: it was sent, and whether a task was created is not known."""

    PENDING_SUBMIT = "submitting"
    SUBMITTED = "submitted"
    SUCCEEDED = "succeeded"
    SAVED = "saved"
    FAILED = "failed"
    CANCELED = "canceled"
    EXPIRED = "expired"
    OUTCOME_UNKNOWN = "uncertain"


class Claim(enum.Enum):
    """What a run is to do about a request: send it, go on with it, wait for the run that has it, or take the video.

    A request that was ever paid is never sent again. FAILED: the run that was waited for failed, and so does this one.
    """

    NEW = "send"
    RESUME = "resume"
    WAIT = "follow"
    REUSE = "reuse"
    FAILED = "failed"


@dataclass
class Record:
    """One request. Times are epoch seconds, 0 where the step is still to come; `duration` is in seconds.

    `sent_at` is set just before the create call leaves, by this machine's clock; `service_sent_at` is the same moment
    by the service's, 0 where that is not known: what this machine's clock says decides nothing. `account` is a hash of
    the URL and the key that it was sent with. Requests of one `subject` have the same model and image. `rendered`
    is how many seconds the service took, by its own clock.
    `part` is the half-downloaded file, `path` the saved one.
    `model` is empty for a task that is only known by its id. `id` is empty until the ledger has the request.
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

    @property
    def is_terminal(self) -> bool:
        """Whether nothing will come of the request any more."""
        return self.is_unbilled or self.state == State.EXPIRED.value

    @property
    def is_unbilled(self) -> bool:
        """Whether the request certainly cost nothing."""
        return self.state in (State.FAILED.value, State.CANCELED.value)

    @property
    def is_outcome_unknown(self) -> bool:
        """Whether the request was sent, as far as is known, and has no task yet."""
        return (
            not self.task_id
            and self.sent_at > 0
            and self.state in (State.PENDING_SUBMIT.value, State.OUTCOME_UNKNOWN.value)
        )

    @property
    def is_adopted(self) -> bool:
        """Whether the task was found in the service's list: the response to its create call was never seen."""
        return bool(self.task_id) and self.sent_at > 0 and not self.request_id

    @property
    def has_video_file(self) -> bool:
        """Whether the video was saved and is still there, whole."""
        try:
            return bool(self.path) and 0 < self.bytes == Path(self.path).stat().st_size
        except OSError:
            return False


COLUMNS = tuple(field.name for field in fields(Record))

FINGERPRINT_VERSION = "2:"
"""What the fingerprints of this version begin with."""


def fingerprint(body: Mapping[str, Any], *, region: str) -> str:
    """Return what makes two requests the same: their body and region, whatever key they are sent with.

    `body` has content hashes in the places of its media.
    """
    return FINGERPRINT_VERSION + _digest(region, body)


def subject_fingerprint(body: Mapping[str, Any], *, region: str) -> str:
    """Return what the tasks of a request show of it: the model, and the image or clip that the video begins with."""
    given = body["input"]
    listed = [one["url"] for one in given.get("media", ()) if one["type"] in ("first_frame", "first_clip")]
    first = given.get("img_url") or given.get("first_frame_url") or listed
    return fingerprint({"model": body["model"], "first": first}, region=region)


def earlier_fingerprints(body: Mapping[str, Any], *, region: str, account: str, duration: int) -> Iterator[str]:
    """Yield the fingerprints that earlier versions gave a request of `duration` seconds under an account."""
    yield _digest(region, account, body)
    # They sent the duration of models that have only one.
    if "duration" not in body.get("parameters", {"duration": 0}):
        parameters = {**body["parameters"], "duration": duration}
        yield _digest(region, account, {**body, "parameters": parameters})


def _digest(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True, ensure_ascii=True).encode("ascii")).hexdigest()
