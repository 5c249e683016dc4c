"""The mock server with faults that a test can order, and whose Date header it can bend."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aiohttp import web
from mock_faults import (
    Fault,
    FixedStatus,
    ListEmpty,
    ListLag,
    NoRange,
    OtherResult,
    TaskFails,
    TaskFault,
    TaskStuck,
    UnknownStatus,
)
from wanpack.offline.server import OfflineServer
from wanpack.offline.tasks import TaskStore

if TYPE_CHECKING:
    from wanpack.offline.state import On
    from wanpack.offline.task import MockTask

ALWAYS = 1_000_000_000
"""`times` of a fault that does not pass."""

_ONLY_ON: Mapping[type[Fault], frozenset[On]] = {
    NoRange: frozenset({"download"}),
    UnknownStatus: frozenset({"query"}),
    FixedStatus: frozenset({"query"}),
    OtherResult: frozenset({"query"}),
    ListLag: frozenset({"list"}),
    ListEmpty: frozenset({"list"}),
    TaskFails: frozenset({"create", "query"}),
    TaskStuck: frozenset({"create", "query"}),
}


@dataclass
class _Rule:
    on: On
    fault: Fault
    times: int
    after: int


class Faults:
    """The faults that are still to happen, in the order in which they were added."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rules: list[_Rule] = []

    def add(self, *, on: On, fault: Fault, times: int = 1, after: int = 0) -> None:
        """Let `fault` happen to `times` calls of the kind `on`, when `after` calls of that kind have passed.

        Where several faults wait for the same call, the one added first has it and the others wait for the next.
        Raises ValueError where the fault means nothing for that kind of call.
        """
        if on not in _ONLY_ON.get(type(fault), frozenset({on})):
            raise ValueError(f"{type(fault).__name__} means nothing for a {on} call.")
        with self._lock:
            self._rules.append(_Rule(on, fault, times=times, after=after))

    def clear(self) -> None:
        """Forget every fault that has not happened yet."""
        with self._lock:
            self._rules.clear()

    @property
    def waiting(self) -> int:
        """How many calls are still going to be spoiled."""
        with self._lock:
            return sum(rule.times for rule in self._rules)

    def take(self, on: On) -> Fault | None:
        """Return the fault for a call of the kind `on` that has just come, and count the call."""
        taken: _Rule | None = None
        with self._lock:
            for rule in self._rules:
                if rule.on != on:
                    continue
                if rule.after > 0:
                    rule.after -= 1
                elif taken is None:
                    taken = rule
            if taken is None:
                return None
            taken.times -= 1
            self._rules = [rule for rule in self._rules if rule.times > 0]
            return taken.fault


_FAULT: ContextVar[Fault | None] = ContextVar("fault", default=None)
"""What is to go wrong with the call that is being answered."""


class _Tasks(TaskStore):
    def add(self, task: MockTask) -> None:
        fault = _FAULT.get()
        if isinstance(fault, TaskFault):
            fault.on_task(task)
        super().add(task)

    def all(self) -> list[MockTask]:
        fault, tasks = _FAULT.get(), super().all()
        if isinstance(fault, ListLag):
            return [task for task in tasks if task.submitted + fault.seconds <= self._clock()]
        return tasks


class MockServer(OfflineServer):
    """The mock server with `faults`. `date`, where it is set, writes the Date header for a time in epoch seconds.

    It lets any number of calls through in a second, unless a test asks for the service's rates: it counts them by the
    real clock, while most tests skip what the client waits between its calls.
    """

    task_store = _Tasks

    def __init__(self, **settings: Any) -> None:
        super().__init__(**{"enforce_rates": False, **settings})
        self.faults = Faults()
        self.date: Callable[[float], str] | None = None
        self.middlewares = [self._inject]

    @web.middleware
    async def _inject(self, request: web.Request, handler: Any) -> web.StreamResponse:
        fault = self.faults.take(request.match_info.route.name)
        _FAULT.set(fault)
        response = await (fault.around(request, handler) if fault else handler(request))
        if self.date is not None:
            response.headers["Date"] = self.date(self._clock())
        return response
