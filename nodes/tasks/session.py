"""One run's tools: the service's client, the ledger and the limits."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..errors import InvalidRequest
from ..service.client import Client
from ..service.connection import Connection, Endpoint, choose_region, connection_faults, open_endpoint
from ..service.credentials import Secret, Settings, read_settings
from ..service.regions import OFFLINE, Region
from .ledger import Entry, Ledger, open_ledger


@dataclass(frozen=True)
class Session:
    """What the steps of a run share. `max_wait` limits the seconds that a task may be rendered."""

    region: Region
    client: Client
    ledger: Ledger
    account: str
    max_wait: float

    def note(self, entry: Entry, **changes: object) -> None:
        """Change an entry and write it down."""
        for name, value in changes.items():
            setattr(entry, name, value)
        self.ledger.save(entry)

    def age(self, entry: Entry) -> float:
        """Return how many seconds ago the task of an entry was submitted."""
        return max(0.0, time.time() - entry.submitted_at)


def find_connection(connection: Connection, home: Path) -> tuple[Region, Settings, list[str]]:
    """Return the region that a connection means, the owner's settings, and all that stands in the way of calls."""
    settings = read_settings(home)
    region, faults = choose_region(connection, settings)
    if not faults:
        faults = connection_faults(connection, settings, region=region)
    if connection.max_wait_minutes < 1:
        faults.append(f"max_wait_minutes: {connection.max_wait_minutes} is not possible; choose 1 or more")
    return region, settings, faults


@contextmanager
def open_session(connection: Connection, home: Path) -> Iterator[Session]:
    """Open what a run needs and close it at the end.

    Raises:
        InvalidRequest: the connection has faults; callers that collect faults ask `find_connection` first.
    """
    region, settings, faults = find_connection(connection, home)
    if faults:
        raise InvalidRequest(faults)
    endpoint = _endpoint(connection, settings, region=region)
    ledger = open_ledger(settings.home)
    client = Client(endpoint)
    try:
        # The stand-in's key is new in every process, its films are not.
        who = (OFFLINE,) if region.id == OFFLINE else (endpoint.base_url, endpoint.key.reveal())
        yield Session(region, client, ledger, ledger.account_of(*who), connection.max_wait_minutes * 60.0)
    finally:
        ledger.close()
        client.close()


def _endpoint(connection: Connection, settings: Settings, *, region: Region) -> Endpoint:
    if region.id != OFFLINE:
        return open_endpoint(connection, settings, region=region)
    from ..offline.server import shared_server

    server = shared_server()
    return Endpoint(region, server.base_url, Secret(server.key))
