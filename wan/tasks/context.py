"""One run's tools: the service's client, the ledger and the limits."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from ..api.client import Client
from ..api.endpoint import (
    Connection,
    Endpoint,
    offline_endpoint,
    open_endpoint,
    resolve_endpoint,
)
from ..api.errors import AuthenticationError
from ..api.settings import Settings
from ..catalog.regions import OFFLINE, Region
from ..errors import InvalidRequest
from ..ledger.database import LedgerUnavailable
from ..ledger.ledger import Ledger, open_ledger
from ..ledger.record import TASK_TTL, Record
from ..threads import run_in_thread

logger = logging.getLogger("dashscope_wan")

T = TypeVar("T")


@dataclass(frozen=True)
class RunContext:
    """What the steps of a run share. `max_wait` limits the seconds that a task may be rendered.

    `create_lock` lets one create call of the run leave at a time: when a run is killed, at most one response is
    missing. `sent_at` has when the create calls of the run's records left, in seconds of `retry.now`. `unwritten` has
    the tasks whose records could not be written.
    """

    region: Region
    client: Client
    ledger: Ledger
    account: str
    max_wait: float
    create_lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    sent_at: dict[str, float] = field(default_factory=dict)
    unwritten: set[str] = field(default_factory=set)

    async def to_thread(self, call: Callable[..., T], *args: Any, **named: Any) -> T:
        """Run a blocking call in a thread.

        Until it ends the run stays alive, even when nobody waits for it any more.
        """
        self.ledger.hold()

        def held() -> T:
            try:
                return call(*args, **named)
            finally:
                self.ledger.close()

        return await run_in_thread(held)

    async def update(self, record: Record, **changes: object) -> None:
        """Change a record and write it down, as `update_sync` does."""
        _change(record, changes)
        await self.to_thread(self.update_sync, replace(record))

    def update_sync(self, record: Record, **changes: object) -> None:
        """Change a record and write it down. For threads: it blocks.

        Where the ledger cannot be written, the log says so and the run goes on: what is paid is brought to its end.
        """
        _change(record, changes)
        try:
            self.ledger.save(record)
        except LedgerUnavailable as error:
            if record.task_id not in self.unwritten:
                self.unwritten.add(record.task_id)
                logger.warning(
                    "%s The run goes on without it. Should ComfyUI be closed before the video is saved, use Wan Fetch "
                    "Task with the id %s.",
                    error.message,
                    record.task_id or "of the task, which the console lists",
                )

    def persist(self, record: Record, **changes: object) -> None:
        """Change a record and write it down, which a request must not leave without. For threads: it blocks.

        Raises:
            LedgerUnavailable: nothing may be sent.
        """
        _change(record, changes)
        self.ledger.save(record)

    def age(self, record: Record) -> float:
        """Return how many seconds ago the task of a record was submitted."""
        return max(0.0, time.time() - record.submitted_at)

    @property
    def is_free(self) -> bool:
        """Whether requests cost nothing."""
        return self.region.id == OFFLINE

    @property
    def task_ttl(self) -> float:
        """For how many seconds the service knows a task. The mock server forgets all when it is started anew."""
        return 0.0 if self.is_free else TASK_TTL


@asynccontextmanager
async def open_run_context(connection: Connection, home: Path, *, pays: bool = True) -> AsyncIterator[RunContext]:
    """Open what a run needs and close it at the end. A run that `pays` needs a ledger.

    Raises:
        InvalidRequest: the connection has problems; callers that collect problems ask `resolve_endpoint` first.
        LedgerUnavailable: the ledger of a run that pays cannot be used.
    """
    region, settings, problems = await run_in_thread(resolve_endpoint, connection, home)
    if problems:
        raise InvalidRequest(problems)
    endpoint = await run_in_thread(_endpoint, connection, settings, region=region)
    ledger = open_ledger(settings.home)
    client = Client(endpoint)
    try:
        try:
            salt = await run_in_thread(ledger.salt)
            account = _account(endpoint, salt)
        except LedgerUnavailable:
            if pays:
                raise
            account = ""
        yield RunContext(region, client, ledger, account, connection.max_wait_minutes * 60.0)
    except AuthenticationError as error:
        error.hint = f"{settings.keys_elsewhere(region.id)} {error.hint}".strip()
        raise
    finally:
        client.close()
        await run_in_thread(ledger.close)


def _account(endpoint: Endpoint, salt: str) -> str:
    """Return what stands for an account in the ledger: a salted hash, never the key itself."""
    # The mock server's key is new in every process, its videos are not.
    who = (OFFLINE,) if endpoint.region.id == OFFLINE else (endpoint.base_url, endpoint.key.reveal())
    return hashlib.sha256("\0".join((salt, *who)).encode()).hexdigest()[:24]


def _change(record: Record, changes: dict[str, object]) -> None:
    for name, value in changes.items():
        setattr(record, name, value)


def _endpoint(connection: Connection, settings: Settings, *, region: Region) -> Endpoint:
    if region.id != OFFLINE:
        return open_endpoint(connection, settings, region=region)
    return offline_endpoint(region)
