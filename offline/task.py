"""One task of the mock server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ..wan.catalog.spec import Model
from .failures import TaskFailure
from .scene import Scene
from .validation import TaskInputs

State = Literal["PENDING", "RUNNING", "SUCCEEDED", "FAILED", "CANCELED"]


@dataclass
class MockTask:
    """One task. Times are seconds of the server's clock; `inputs` is None where the body did not fit.

    `model_name` is the id that the caller used. `body` is what was sent, data URIs cut short. `clip_seconds` are
    the seconds of clips that are billed, `ratio` the named ratio that the video's shape is nearest to. `ready_at` is
    when the video file was finished or the failure known; until then, `scene` is what is to be rendered. `notes` say
    what the mock server did differently from the service.
    """

    id: str
    request_id: str
    model: Model
    model_name: str
    body: Mapping[str, Any]
    submitted: float
    inputs: TaskInputs | None = None
    clip_seconds: float = 0.0
    ratio: str = ""
    notes: list[str] = field(default_factory=list)
    state: State = "PENDING"
    scheduled: float | None = None
    ended: float | None = None
    failure: TaskFailure | None = None
    video: Path | None = None
    ready_at: float | None = None
    frozen_in: State | None = None
    scene: Scene | None = None
