"""Work on a task that the ledger knows, without a graph: find it, save its video, cancel it."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from ..api.client import Client
from ..api.endpoint import Connection, Endpoint, open_endpoint, resolve_endpoint
from ..api.settings import Settings, read_settings
from ..errors import UnusableTask
from ..ledger.database import FILE_NAME
from ..ledger.ledger import Ledger
from ..ledger.record import Record
from ..messages import Message
from .context import OnChange, open_run_context, run_in_thread
from .fetch_task import FetchRequest
from .generation import Generation
from .output import PARTIAL_SUFFIX
from .retry import Clock

DEFAULT_PREFIX = "wan/task"


def find_record(record_id: str, *, home: Path) -> Record | None:
    """Return the record with an id, None if this machine's ledger has no such record. Blocking.

    Raises:
        LedgerUnavailable: the ledger cannot be used.
        InvalidRequest: the owner's settings cannot be read.
    """
    settings = read_settings(home)
    # What costs nothing is in the file, also where several machines share a ledger.
    for url in dict.fromkeys((settings.ledger_url, None)):
        if url is None and not (settings.home / FILE_NAME).exists():
            continue
        ledger = Ledger(settings.home, url=url)
        try:
            if found := ledger.find(id=record_id):
                return found[0]
        finally:
            ledger.close()
    return None


def fetch_request(record: Record, request: FetchRequest) -> FetchRequest:
    """Return the request that saves a record's video, in the task's own region and under the name it was to have."""
    prefix = _prefix(record, request.output_folder.resolve())
    return replace(request, task_id=record.task_id, filename_prefix=prefix, connection=Connection(region=record.region))


async def cancel_known_task(record: Record, *, home: Path, clock: Clock, on_change: OnChange | None = None) -> bool:
    """Cancel a task if it is still queued, and record that. Return False if it has left the queue.

    Raises:
        UnusableTask: the record has no task, or its task is finished; nothing was sent.
        InvalidRequest: the connection has problems; nothing was sent.
        WanError: whether the task was cancelled is unknown.
    """
    if not record.task_id or record.is_terminal or record.finished_at:
        raise UnusableTask([Message("task_id: the task is finished, or was never created; there is nothing to cancel")])
    connection = Connection(region=record.region)
    endpoint, settings = await run_in_thread(_resolve, connection, home)
    async with open_run_context(
        endpoint, settings, connection, clock=clock, pays=False, on_change=on_change
    ) as context:
        generation = Generation(context, lambda *_: None)
        return bool(await context.to_thread(generation.cancel_if_queued, record, _cancel))


def _cancel(task_id: str, client: Client) -> bool:
    return client.cancel_task(task_id)


def _resolve(connection: Connection, home: Path) -> tuple[Endpoint, Settings]:
    region, settings, problems = resolve_endpoint(connection, home)
    if problems:
        raise UnusableTask(problems)
    return open_endpoint(connection, settings, region=region), settings


def _prefix(record: Record, output: Path) -> str:
    """Return the `filename_prefix` that a record's file has, or was to have, in an output folder."""
    for path, ending in (
        (Path(record.part), rf"_{re.escape(record.id)}\.mp4{re.escape(PARTIAL_SUFFIX)}"),
        (Path(record.path), r"_\d+_\.mp4"),
    ):
        stem = re.fullmatch(rf"(.+){ending}", path.name)
        if stem and path.is_relative_to(output):
            return (path.relative_to(output).parent / stem[1]).as_posix()
    return DEFAULT_PREFIX
