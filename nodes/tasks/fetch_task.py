"""Bringing the video of a known task home: for an id from an error, a status text or a receipt."""

from __future__ import annotations

import asyncio
import logging
import math
import re
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..errors import DownloadFailed, InvalidRequest, UnusableTask
from ..redaction import holds_key
from ..service.connection import Connection
from ..service.errors import KeyRefused
from .claiming import claim
from .delivery import deliver
from .entry import Entry, Role, State, fingerprint
from .fetch import Terms
from .pauses import Say
from .probe import point_to_working_regions
from .receipt import reused
from .saving import SavedVideo, find_place
from .session import Session, find_connection, open_session
from .stopping import stopped
from .store import LedgerUnavailable
from .watch import BatchProgress, ItemProgress, Watch, until_stopped

logger = logging.getLogger("dashscope_wan")

_TASK_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}", re.ASCII)


@dataclass(frozen=True)
class FetchOrder:
    """What a run of Wan Fetch Task asks for; the fields are those of `Order`."""

    task_id: str
    output_folder: Path
    filename_prefix: str
    home: Path
    connection: Connection = field(default_factory=Connection)
    metadata: Mapping[str, str] = field(default_factory=dict)


async def fetch_video(order: FetchOrder, *, watch: Watch) -> SavedVideo:
    """Wait for a task where it still runs, and return its video saved.

    Raises:
        InvalidRequest: the id cannot be one, or the connection has faults; nothing was sent.
        TaskUnknown, TaskCanceled, ServiceError, WaitExceeded, DownloadFailed: as their names say, each with what to do.
    """
    progress = BatchProgress(watch, count=1)
    try:
        return await until_stopped(watch, _fetch(order, ItemProgress(progress, index=0)))
    except DownloadFailed as error:
        progress.show_links([error])
        raise


async def _fetch(order: FetchOrder, say: Say) -> SavedVideo:
    wrong = find_connection(order.connection, order.home)[2]
    place, faults = find_place(order.filename_prefix, output_folder=order.output_folder)
    if not isinstance(order.task_id, str) or not _TASK_ID.fullmatch(order.task_id) or holds_key(order.task_id):
        faults = [
            "task_id: this is not the id of a task; it has letters, digits and hyphens only, as an error, the status "
            "text or a receipt prints it",
            *faults,
        ]
    if faults or wrong:
        raise InvalidRequest([*faults, *wrong])
    async with open_session(order.connection, order.home, pays=False) as session:
        draft = _draft(order.task_id, session)
        try:
            entry, role = await claim(draft, session=session, say=say)
        except LedgerUnavailable as error:
            # The task is paid: its video is saved, ledger or not.
            logger.warning("%s The video is fetched without it.", error.what)
            entry, role = replace(draft, id=secrets.token_hex(8)), Role.RESUME
        if role is Role.REUSE:
            say(1.0, f"already saved: {entry.path}")
            return reused(entry)
        if entry.model and entry.region != session.region.id:
            raise UnusableTask(
                [f"task_id: this task is of region {entry.region}; choose that region in DashScope Connection"]
            )
        try:
            # How old a task is that this ledger's run created is known. Of any other the service's first word counts.
            age = session.age(entry) if entry.model else math.inf
            return await deliver(entry, Terms(place, order.metadata), session=session, say=say, usual=(0, 0), age=age)
        except asyncio.CancelledError:
            await stopped(entry, session=session, say=say, cancel=False)
            raise
        except KeyRefused as error:
            await point_to_working_regions(error, home=order.home, region=session.region.id)
            raise


def _draft(task_id: str, session: Session) -> Entry:
    """Return what stands for a task that this ledger does not know."""
    return Entry(
        fingerprint=fingerprint({"task_id": task_id}, region=session.region.id),
        account=session.account,
        region=session.region.id,
        state=State.SUBMITTED.value,
        task_id=task_id,
        created_at=time.time(),
        submitted_at=time.time(),
    )
