"""The shared context of one run: the API client, the ledger, the clock and the limits, and its threads."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, TypeVar

from ..api.client import Client
from ..api.endpoint import Connection, Endpoint
from ..api.errors import AuthenticationError
from ..api.settings import Settings
from ..api.task import Task
from ..catalog.regions import Region
from ..ledger.errors import LedgerUnavailable
from ..ledger.ledger import Ledger
from ..ledger.record import Record
from ..messages import sentences
from ..redaction import Secret
from .retry import AccountLimits, Clock

logger = logging.getLogger("dashscope_wan")

T = TypeVar("T")

OnChange = Callable[[Record], None]
"""Is told of each change of a record, with a copy of it, in any thread."""


def run_in_thread(
    call: Callable[..., T], *args: Any, finally_: Callable[[], None] | None = None, **named: Any
) -> asyncio.Future[T]:
    """Run a blocking call in a thread of its own. `finally_` is called when it has ended, before the result is set.

    Unlike `asyncio.to_thread`, nobody waits for the thread when the waiting coroutine is cancelled: Stop is heard at
    once, also while a socket is silent. The call runs to its end and what it returns is then dropped.
    """
    outcome: Future[T] = Future()
    # A running call cannot be cancelled, so that cancelling the future never races with its result.
    outcome.set_running_or_notify_cancel()

    def run() -> None:
        try:
            try:
                value = call(*args, **named)
            finally:
                if finally_:
                    finally_()
        except StopIteration as error:  # No future takes it.
            outcome.set_exception(RuntimeError(f"{error!r} in a thread"))
        except BaseException as error:  # noqa: BLE001 - passed on to the waiting thread
            outcome.set_exception(error)
        else:
            outcome.set_result(value)

    threading.Thread(target=run, name=f"wan-{getattr(call, '__name__', 'call')}", daemon=True).start()
    return asyncio.wrap_future(outcome)


class RunContext:
    """The state that the steps of a run share.

    `region` is where calls go to. `max_wait` limits a task's rendering time in seconds. `create_lock` lets one create
    request of the run leave at a time: if the run is killed, at most one response is lost. `sent_at` holds the send
    times of the create requests by record, in seconds of `clock`. `unwritten` holds the tasks whose records could not
    be written. `on_change` is told of each change of a record. `on_release` is called after the ledger is closed. The
    run stays alive until `release`, and until its threads have ended.
    """

    def __init__(
        self, client: Client, ledger: Ledger, *, max_wait: float, clock: Clock, on_change: OnChange | None = None
    ) -> None:
        self.client = client
        self.region: Region = client.endpoint.region
        self.ledger = ledger
        self.max_wait = max_wait
        self.clock = clock
        self.limits = AccountLimits(ledger, clock=clock, to_thread=self.to_thread)
        self.create_lock = asyncio.Lock()
        self.sent_at: dict[str, float] = {}
        self.on_release: list[Callable[[], None]] = []
        self.unwritten: set[str] = set()
        self.on_change = on_change
        self._counting = threading.Lock()
        self._holders = 1

    def to_thread(self, call: Callable[..., T], *args: Any, **named: Any) -> asyncio.Future[T]:
        """Run a blocking call in a thread.

        The run stays alive until the call ends, even if its caller is cancelled.
        """
        with self._counting:
            self._holders += 1
        try:
            return run_in_thread(call, *args, finally_=self.release, **named)
        except RuntimeError:  # No thread can be started.
            self.release()
            raise

    def release(self) -> None:
        """Let the run end as soon as none of its threads works any more. Blocking."""
        with self._counting:
            self._holders -= 1
            if self._holders:
                return
        self.ledger.close()
        for call in self.on_release:
            call()

    async def get_task(self, task_id: str, *, seconds: float = 0.0) -> Task:
        """Query a task, within the account's query limit. Raises the errors of `Client.get_task`.

        `seconds` is how long more queries of the task are likely to follow.
        """
        await self.limits.wait_to_query(task_id, seconds=seconds)
        return await self.to_thread(self.client.get_task, task_id)

    async def update(self, record: Record, **changes: object) -> None:
        """Change a record and save it, as `update_sync` does."""
        _change(record, changes)
        await self.to_thread(self.update_sync, replace(record))

    def update_sync(self, record: Record, **changes: object) -> None:
        """Change a record and save it. For threads: it blocks.

        If the ledger cannot be written, a warning is logged and the run continues, so that the paid video is saved. The
        record is written when the ledger is back.
        """
        _change(record, changes)
        try:
            self.ledger.save(record)
        except LedgerUnavailable as error:
            self.ledger.keep(record)
            if record.task_id not in self.unwritten:
                self.unwritten.add(record.task_id)
                logger.warning(
                    "%s The run continues without it. If ComfyUI closes before the video is saved, use Wan Fetch Task "
                    "with the task id %s.",
                    error.message,
                    record.task_id or "from the DashScope console",
                )
        else:
            self.note_change(record)

    def note_change(self, record: Record) -> None:
        """Tell of a record that was written. An error of who is told is not the run's."""
        if self.on_change:
            try:
                self.on_change(replace(record))
            except Exception:
                logger.debug("a change of a record was not told", exc_info=True)

    def age(self, record: Record) -> float:
        """Return the seconds since the task of a record was submitted."""
        return max(0.0, time.time() - record.submitted_at)


@asynccontextmanager
async def open_run_context(  # noqa: PLR0913 - all of a run's settings
    endpoint: Endpoint,
    settings: Settings,
    connection: Connection,
    *,
    clock: Clock,
    pays: bool = True,
    on_change: OnChange | None = None,
) -> AsyncIterator[RunContext]:
    """Open the run's client and ledger, and close them at the end. A run that `pays` needs a ledger.

    Raises:
        LedgerUnavailable: the ledger of a run that pays cannot be used.
    """
    # The mock server has a new key in every process, but its saved videos stay valid.
    region = endpoint.region
    identity = Secret(region.id if region.simulated else f"{endpoint.base_url}\0{endpoint.key.reveal()}")
    # What costs nothing is no other machine's concern.
    url = None if region.simulated else settings.ledger_url
    ledger = Ledger(settings.home, url=url, identity=identity, scale=clock.scale)
    client = Client(endpoint)
    max_wait = connection.max_wait_minutes * 60.0
    context = RunContext(client, ledger, max_wait=max_wait, clock=clock, on_change=on_change)
    try:
        try:
            await context.to_thread(ledger.open)
        except LedgerUnavailable:
            if pays:
                raise
        yield context
    except AuthenticationError as error:
        error.hint = sentences(settings.keys_elsewhere(region.id), error.hint)
        raise
    finally:
        client.close()
        await run_in_thread(context.release)


def _change(record: Record, changes: dict[str, object]) -> None:
    for name, value in changes.items():
        setattr(record, name, value)
