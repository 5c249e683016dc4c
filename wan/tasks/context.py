"""The shared context of one run: the API client, the ledger and the limits."""

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
    """The state that the steps of a run share. `max_wait` limits a task's rendering time in seconds.

    `create_lock` lets one create request of the run leave at a time: if the run is killed, at most one response is
    lost. `sent_at` holds the send times of the create requests by record, in seconds of `retry.now`. `unwritten` holds
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

        The run stays alive until the call ends, even if its caller is cancelled.
        """
        self.ledger.hold()

        def held() -> T:
            try:
                return call(*args, **named)
            finally:
                self.ledger.close()

        return await run_in_thread(held)

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

    def persist(self, record: Record, **changes: object) -> None:
        """Change a record and save it before its request is sent. For threads: it blocks.

        Raises:
            LedgerUnavailable: the request must not be sent.
        """
        _change(record, changes)
        self.ledger.save(record)

    def age(self, record: Record) -> float:
        """Return the seconds since the task of a record was submitted."""
        return max(0.0, time.time() - record.submitted_at)

    @property
    def is_free(self) -> bool:
        """Whether requests are free of charge."""
        return self.region.id == OFFLINE

    @property
    def task_ttl(self) -> float:
        """The seconds for which the service knows a task. The mock server forgets its tasks on restart."""
        return 0.0 if self.is_free else TASK_TTL


@asynccontextmanager
async def open_run_context(connection: Connection, home: Path, *, pays: bool = True) -> AsyncIterator[RunContext]:
    """Open the run's client and ledger, and close them at the end. A run that `pays` needs a ledger.

    Raises:
        InvalidRequest: the connection has problems; to collect them call `resolve_endpoint` first.
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
    """Return the ledger's id of an account: a salted hash, never the key itself."""
    # The mock server has a new key in every process, but its saved videos stay valid.
    who = (OFFLINE,) if endpoint.region.id == OFFLINE else (endpoint.base_url, endpoint.key.reveal())
    return hashlib.sha256("\0".join((salt, *who)).encode()).hexdigest()[:24]


def _change(record: Record, changes: dict[str, object]) -> None:
    for name, value in changes.items():
        setattr(record, name, value)


def _endpoint(connection: Connection, settings: Settings, *, region: Region) -> Endpoint:
    if region.id != OFFLINE:
        return open_endpoint(connection, settings, region=region)
    return offline_endpoint(region)
