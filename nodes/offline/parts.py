"""What the mock server consists of behind its HTTP side."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .rates import RateLimiter
from .storage import Storage
from .tasks import TaskStore
from .worker import RenderWorker


@dataclass(frozen=True)
class ServerState:
    """The parts that the calls work on. `base_url` is the server's `http://host:port`."""

    base_url: str
    key: str
    region: str
    clock: Callable[[], float]
    rates: RateLimiter
    tasks: TaskStore
    storage: Storage
    worker: RenderWorker
