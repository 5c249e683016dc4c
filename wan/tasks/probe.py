"""Which of the owner's other keys work: looked up when the service refuses a key, so that the error can name a region.

The usual cause of a refused key is that it belongs to another region. The query for a task that does not exist costs
nothing and tells a good key from a bad one (dashscope.md section 3).
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

from ..api.client import Client
from ..api.endpoint import Connection, Endpoint, connection_problems, open_endpoint
from ..api.errors import AuthenticationError
from ..api.settings import Settings, read_settings
from ..catalog.regions import API_PATH, OFFLINE, REGIONS, Region
from ..errors import WanError
from ..text import format_choices
from ..threads import run_in_thread

logger = logging.getLogger("dashscope_wan")

NO_TASK = "00000000-0000-0000-0000-000000000000"
PROBE_SECONDS = 4.0
"""How long all regions together are waited for."""


def working_regions(
    settings: Settings, *, but: str, address_of: Callable[[Region], str] | None = None, seconds: float = PROBE_SECONDS
) -> list[str]:
    """Return the regions, `but` the one that refused its key, whose own key the service takes. Blocks.

    Only regions that the owner gave a key of their own are asked, each with that key, at its shared host; at the
    owner's workspace where there is none. No region is asked where `DASHSCOPE_BASE_URL` is set: the keys are then not
    meant for the regions' own hosts. What does not answer within `seconds` in all does not count.

    `as_url` gives another base URL for a region.
    """
    if settings.get("base_url"):
        return []
    rows = [REGIONS[name] for name in settings.keyed_regions() if name not in (but, OFFLINE)]
    asked = [endpoint for row in rows if (endpoint := _endpoint(row, settings, address_of))]
    working: set[str] = set()
    threads = [threading.Thread(target=_ask, args=(one, working), name="wan-probe", daemon=True) for one in asked]
    for thread in threads:
        thread.start()
    until = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
    return [row.id for row in rows if row.id in working]


async def point_to_working_regions(refused: AuthenticationError, *, home: Path, region: str) -> None:
    """Add to the error of a refused key in which other regions a key of the owner's works. Never raises a WanError."""
    try:
        found = await run_in_thread(lambda: working_regions(read_settings(home), but=region))
    except WanError as error:
        logger.debug("no other key was tried: %s", error.message)
        return
    if found:
        titles = " and ".join(REGIONS[name].title for name in found)
        works = f"Your key for {titles} works" if len(found) == 1 else f"Your keys for {titles} work"
        refused.hint = f"{works}: choose region {format_choices(found)} in DashScope Connection. {refused.hint}"


def _endpoint(region: Region, settings: Settings, address_of: Callable[[Region], str] | None) -> Endpoint | None:
    """Return where a region is asked, or None where it cannot be or where calls would use another key."""
    key, own = settings.key(region.id), settings.own_key(region.id)
    if key is None or own is None or key.reveal() != own.reveal():
        return None
    if connection_problems(Connection(region.id), settings, region=region):
        return None
    if address_of:
        return Endpoint(region, address_of(region), own)
    if region.shared_host:
        return Endpoint(region, f"https://{region.shared_host}{API_PATH}", own)
    return open_endpoint(Connection(region.id), settings, region=region)


def _ask(endpoint: Endpoint, working: set[str]) -> None:
    client = Client(endpoint)
    try:
        client.get_task(NO_TASK)
    except WanError as error:
        logger.debug("no key for %s that works: %s", endpoint.region.title, error.message)
    else:
        working.add(endpoint.region.id)
    finally:
        client.close()
