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

from ..errors import InvalidRequest
from ..service.client import Client
from ..service.connection import (
    LONGEST_WAIT_MINUTES,
    Connection,
    Endpoint,
    choose_region,
    connection_faults,
    open_endpoint,
)
from ..service.credentials import Secret, Settings, read_settings
from ..service.regions import OFFLINE, Region
from ..service.rules import shown
from .entry import TASK_LIFE_SECONDS, Entry
from .ledger import Ledger, open_ledger
from .store import LedgerUnavailable
from .threads import in_thread

logger = logging.getLogger("dashscope_wan")

T = TypeVar("T")


@dataclass(frozen=True)
class Session:
    """What the steps of a run share. `max_wait` limits the seconds that a task may be rendered.

    `sending` lets one create call of the run leave at a time: when a run is killed, at most one answer is missing.
    `sent` has when the create calls of the run's entries left, in seconds of `pauses.now`. `troubled` has the tasks
    whose records could not be written.
    """

    region: Region
    client: Client
    ledger: Ledger
    account: str
    max_wait: float
    sending: asyncio.Lock = field(default_factory=asyncio.Lock)
    sent: dict[str, float] = field(default_factory=dict)
    troubled: set[str] = field(default_factory=set)

    async def in_thread(self, call: Callable[..., T], *args: Any, **named: Any) -> T:
        """Run a blocking call in a thread. Until it ends the run lives on, even when nobody waits for it any more."""
        self.ledger.hold()

        def held() -> T:
            try:
                return call(*args, **named)
            finally:
                self.ledger.close()

        return await in_thread(held)

    async def note(self, entry: Entry, **changes: object) -> None:
        """Change an entry and write it down, as `note_now` does."""
        _change(entry, changes)
        await self.in_thread(self.note_now, replace(entry))

    def note_now(self, entry: Entry, **changes: object) -> None:
        """Change an entry and write it down. For threads: it blocks.

        Where the ledger cannot be written, the log says so and the run goes on: what is paid is brought to its end.
        """
        _change(entry, changes)
        try:
            self.ledger.save(entry)
        except LedgerUnavailable as error:
            if entry.task_id not in self.troubled:
                self.troubled.add(entry.task_id)
                logger.warning(
                    "%s The run goes on without it. Should ComfyUI be closed before the video is saved, use Wan Fetch "
                    "Task with the id %s.",
                    error.what,
                    entry.task_id or "of the task, which the console lists",
                )

    def note_before_sending(self, entry: Entry, **changes: object) -> None:
        """Change an entry and write it down, which a request must not leave without. For threads: it blocks.

        Raises:
            LedgerUnavailable: nothing may be sent.
        """
        _change(entry, changes)
        self.ledger.save(entry)

    def age(self, entry: Entry) -> float:
        """Return how many seconds ago the task of an entry was submitted."""
        return max(0.0, time.time() - entry.submitted_at)

    @property
    def is_free(self) -> bool:
        """Whether requests cost nothing."""
        return self.region.id == OFFLINE

    @property
    def task_life(self) -> float:
        """For how many seconds the service knows a task. The stand-in forgets all when it is started anew."""
        return 0.0 if self.is_free else TASK_LIFE_SECONDS


def find_connection(connection: Connection, home: Path) -> tuple[Region, Settings, list[str]]:
    """Return the region that a connection means, the owner's settings, and all that stands in the way of calls."""
    settings = read_settings(home)
    region, faults = choose_region(connection, settings)
    if not faults:
        faults = connection_faults(connection, settings, region=region)
    if type(connection.max_wait_minutes) is not int or not 1 <= connection.max_wait_minutes <= LONGEST_WAIT_MINUTES:
        wait = shown(connection.max_wait_minutes)
        faults.append(f"max_wait_minutes: {wait} is not possible; choose 1 to {LONGEST_WAIT_MINUTES}")
    return region, settings, faults


@asynccontextmanager
async def open_session(connection: Connection, home: Path, *, pays: bool = True) -> AsyncIterator[Session]:
    """Open what a run needs and close it at the end. A run that `pays` needs a ledger.

    Raises:
        InvalidRequest: the connection has faults; callers that collect faults ask `find_connection` first.
        LedgerUnavailable: the ledger of a run that pays cannot be used.
    """
    region, settings, faults = await in_thread(find_connection, connection, home)
    if faults:
        raise InvalidRequest(faults)
    endpoint = await in_thread(_endpoint, connection, settings, region=region)
    ledger = open_ledger(settings.home)
    client = Client(endpoint)
    try:
        try:
            salt = await in_thread(ledger.salt)
            account = _account(endpoint, salt)
        except LedgerUnavailable:
            if pays:
                raise
            account = ""
        yield Session(region, client, ledger, account, connection.max_wait_minutes * 60.0)
    finally:
        client.close()
        await in_thread(ledger.close)


def _account(endpoint: Endpoint, salt: str) -> str:
    """Return what stands for an account in the ledger: a salted hash, never the key itself."""
    # The stand-in's key is new in every process, its films are not.
    who = (OFFLINE,) if endpoint.region.id == OFFLINE else (endpoint.base_url, endpoint.key.reveal())
    return hashlib.sha256("\0".join((salt, *who)).encode()).hexdigest()[:24]


def _change(entry: Entry, changes: dict[str, object]) -> None:
    for name, value in changes.items():
        setattr(entry, name, value)


def _endpoint(connection: Connection, settings: Settings, *, region: Region) -> Endpoint:
    if region.id != OFFLINE:
        return open_endpoint(connection, settings, region=region)
    from ..offline.server import shared_server

    server = shared_server()
    return Endpoint(region, server.base_url, Secret(server.key))
