"""What the stand-in consists of behind its HTTP side."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .rates import Rates
from .storage import Storage
from .tasks import TaskBook
from .worker import RenderWorker


@dataclass(frozen=True)
class Parts:
    """The parts that the calls work on. `address` is the server's `http://host:port`."""

    address: str
    key: str
    region: str
    clock: Callable[[], float]
    rates: Rates
    book: TaskBook
    storage: Storage
    worker: RenderWorker
