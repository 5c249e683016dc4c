"""The shared context of one run: the API client, the ledger, the clock and the limits."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import field, replace
from typing import Any, TypeVar

from ..api.client import Client
from ..api.endpoint import Connection, Endpoint
from ..api.errors import AuthenticationError
from ..api.settings import Settings
from ..api.task import Task
from ..catalog.regions import Region
from ..frozen import frozen
from ..ledger.database import LedgerUnavailable
from ..ledger.ledger import Ledger
from ..ledger.record import Record
from ..threads import run_in_thread
from .retry import QUERIES_PER_SECOND, RATE_LIMITER, Clock

logger = logging.getLogger("dashscope_wan")

T = TypeVar("T")


@frozen
class RunContext:
    """The state that the steps of a run share. `max_wait` limits a task's rendering time in seconds.

    `create_lock` lets one create request of the run leave at a time: if the run is killed, at most one response is
    lost. `sent_at` holds the send times of the create requests by record, in seconds of `clock`. `unwritten` holds the
    tasks whose records could not be written.
    """

    client: Client
    ledger: Ledger
    account: str
    max_wait: float
    clock: Clock
    create_lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    sent_at: dict[str, float] = field(default_factory=dict)
    unwritten: set[str] = field(default_factory=set)

    @property
    def region(self) -> Region:
        """The region that calls go to."""
        return self.client.endpoint.region

    async def to_thread(self, call: Callable[..., T], *args: Any, **named: Any) -> T:
        """Run a blocking call in a thread.

        The run stays alive until the call ends, even if its caller is cancelled.
        """
        self.ledger.hold()
        return await run_in_thread(call, *args, finally_=self.ledger.close, **named)

    async def get_task(self, task_id: str) -> Task:
        """Query a task, within the account's query limit. Raises the errors of `Client.get_task`."""
        await RATE_LIMITER.acquire("query", per_second=QUERIES_PER_SECOND, clock=self.clock)
        return await self.to_thread(self.client.get_task, task_id)

    async def update(self, record: Record, **changes: object) -> None:
        """Change a record and save it, as `update_sync` does."""
        _change(record, changes)
        await self.to_thread(self.update_sync, replace(record))

    def update_sync(self, record: Record, **changes: object) -> None:
        """Change a record and save it. For threads: it blocks.

        If the ledger cannot be written, a warning is logged and the run continues, so that the paid video is saved.
        """
        _change(record, changes)
        try:
            self.ledger.save(record)
        except LedgerUnavailable as error:
            if record.task_id not in self.unwritten:
                self.unwritten.add(record.task_id)
                logger.warning(
                    "%s The run continues without it. If ComfyUI closes before the video is saved, use Wan Fetch Task "
                    "with the task id %s.",
                    error.message,
                    record.task_id or "from the DashScope console",
                )

    def age(self, record: Record) -> float:
        """Return the seconds since the task of a record was submitted."""
        return max(0.0, time.time() - record.submitted_at)


@asynccontextmanager
async def open_run_context(
    endpoint: Endpoint, settings: Settings, connection: Connection, *, clock: Clock, pays: bool = True
) -> AsyncIterator[RunContext]:
    """Open the run's client and ledger, and close them at the end. A run that `pays` needs a ledger.

    Raises:
        LedgerUnavailable: the ledger of a run that pays cannot be used.
    """
    ledger = Ledger(settings.home)
    client = Client(endpoint)
    try:
        account = await run_in_thread(_account, endpoint, ledger, required=pays)
        yield RunContext(client, ledger, account, connection.max_wait_minutes * 60.0, clock)
    except AuthenticationError as error:
        error.hint = f"{settings.keys_elsewhere(endpoint.region.id)} {error.hint}".strip()
        raise
    finally:
        client.close()
        await run_in_thread(ledger.close)


def _account(endpoint: Endpoint, ledger: Ledger, *, required: bool) -> str:
    """Return the ledger's id of an account: a salted hash, never the key itself.

    It is "" if the ledger cannot be read and is not required.
    """
    try:
        salt = ledger.salt()
    except LedgerUnavailable:
        if required:
            raise
        return ""
    # The mock server has a new key in every process, but its saved videos stay valid.
    region = endpoint.region
    who = (region.id,) if region.simulated else (endpoint.base_url, endpoint.key.reveal())
    return hashlib.sha256("\0".join((salt, *who)).encode()).hexdigest()[:24]


def _change(record: Record, changes: dict[str, object]) -> None:
    for name, value in changes.items():
        setattr(record, name, value)
