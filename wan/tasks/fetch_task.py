"""Fetching the video of a task by its id, as printed in an error, a status text or a receipt."""

from __future__ import annotations

import asyncio
import logging
import math
import re
import secrets
import time
from collections.abc import Mapping
from dataclasses import field, replace
from pathlib import Path

from ..api.endpoint import Connection, Endpoint, open_endpoint, resolve_endpoint
from ..api.request import fingerprint
from ..api.settings import Settings
from ..errors import DownloadFailed, InvalidRequest, UnusableTask
from ..frozen import frozen
from ..ledger.errors import LedgerUnavailable
from ..ledger.record import Claim, Record, State
from ..messages import Message
from ..redaction import contains_secret
from .context import OnChange, RunContext, open_run_context, run_in_thread
from .generation import Generation
from .interrupt import run_interruptible
from .output import OutputTarget, resolve_output
from .progress import BatchProgress, Progress, RunMonitor
from .receipt import SavedVideo, cached_video
from .retry import Clock
from .save_video import SaveOptions

logger = logging.getLogger("dashscope_wan")

_TASK_ID = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}"


@frozen
class FetchRequest:
    """The inputs of Wan Fetch Task; the other fields are those of `Batch`."""

    task_id: str
    output_folder: Path
    filename_prefix: str
    home: Path
    connection: Connection = field(default_factory=Connection)
    metadata: Mapping[str, str] = field(default_factory=dict)
    clock: Clock = field(default_factory=Clock)
    on_change: OnChange | None = None


async def fetch_video(request: FetchRequest, *, monitor: RunMonitor) -> SavedVideo:
    """Wait for a task if it is still running, and return its saved video.

    Raises:
        InvalidRequest: the id is malformed, or the connection has problems; nothing was sent.
        TaskUnknown, TaskCanceled, ServiceError, WaitExceeded, DownloadFailed: as their names say, each with a hint.
    """
    progress = BatchProgress(monitor, count=1)
    try:
        return await run_interruptible(monitor, _fetch(request, progress.items[0]))
    except DownloadFailed as error:
        progress.show_links([error])
        raise


def _resolve(request: FetchRequest) -> tuple[Endpoint, Settings, OutputTarget]:
    """Return the endpoint, the owner's settings and the output target. Blocking."""
    region, settings, connection_problems = resolve_endpoint(request.connection, request.home)
    output, problems = resolve_output(request.filename_prefix, output_folder=request.output_folder)
    if (
        not isinstance(request.task_id, str)
        or not re.fullmatch(_TASK_ID, request.task_id)
        or contains_secret(request.task_id)
    ):
        problems = [
            Message(
                "task_id: not a task id; copy it from an error, the status text or a receipt (letters, digits and "
                "hyphens only)"
            ),
            *problems,
        ]
    if problems or connection_problems:
        raise InvalidRequest([*problems, *connection_problems])
    return open_endpoint(request.connection, settings, region=region), settings, output


async def _fetch(request: FetchRequest, report: Progress) -> SavedVideo:
    endpoint, settings, output = await run_in_thread(_resolve, request)
    async with open_run_context(
        endpoint, settings, request.connection, clock=request.clock, pays=False, on_change=request.on_change
    ) as context:
        generation = Generation(context, report)
        draft = _new_record(request.task_id, request.output_folder, context)
        try:
            claimed = await generation.claim(lambda: replace(draft))
        except LedgerUnavailable as error:
            # The task is paid for: its video is saved even without the ledger.
            logger.warning("%s The video is downloaded without it.", error.message)
            generation.record, claimed = replace(draft, id=secrets.token_hex(8)), Claim.RESUME
        record = generation.record
        if claimed is Claim.REUSE:
            report(1.0, Message("already saved: {path}", path=record.path))
            return cached_video(record)
        if record.model and record.region != context.region.id:
            raise UnusableTask(
                [
                    Message(
                        "task_id: the task belongs to region {region}; choose that region in DashScope Connection",
                        region=record.region,
                    )
                ]
            )
        try:
            # The age of a task from this ledger is known. For any other task the service's first response counts.
            age = context.age(record) if record.model else math.inf
            options = SaveOptions(output, request.metadata)
            return await generation.wait_and_save(options, typical=(0, 0), task_age=age)
        except asyncio.CancelledError:
            await generation.interrupted(cancel=False)
            raise


def _new_record(task_id: str, folder: Path, context: RunContext) -> Record:
    """Return a record for a task that this ledger does not know."""
    return Record(
        fingerprint=fingerprint({"task_id": task_id}, region=context.region.id),
        account=context.ledger.account,
        region=context.region.id,
        state=State.SUBMITTED.value,
        task_id=task_id,
        created_at=time.time(),
        submitted_at=time.time(),
        folder=str(folder.resolve()),
    )
