"""The task panel's answers: tasks and spending from the ledger, posters, and work on a task without a graph.

What it returns holds no key, no signed URL and no absolute path.
"""

from __future__ import annotations

import asyncio
import logging
import platform
import re
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..wan.errors import WanError
from ..wan.frozen import frozen
from ..wan.messages import Message, Text
from ..wan.redaction import redact
from . import host

if TYPE_CHECKING:
    from ..wan.ledger.record import Record

logger = logging.getLogger("dashscope_wan")

TASK_EVENT = "dashscope_wan.task"
"""The message with a task that has changed: its row."""
FETCH_EVENT = "dashscope_wan.fetch"
"""The message with the progress of a video that is brought home."""

MAX_POSTERS = 300
"""Posters in memory, of about 10 KB each."""
DECODERS = 2
"""Posters that are made at once."""

_FREE_TEXTS = ("prompt", "task_id", "model", "resolution", "host")
_RECORD_ID = r"[0-9a-f]{16}"
_POSIX_PATH = r"""(?<![\w/:.~-])/(?:[^/\s'"<>|;,()]+/)+"""
_WINDOWS_PATH = r"""\b[A-Za-z]:[\\/](?:[^\\/\s'"<>|;,()]+[\\/])+"""

Send = Callable[[str, Mapping[str, Any]], None]


class UnknownRecord(WanError):
    """The ledger has no such task, or the task has no such file."""


@frozen
class Poster:
    """A poster's JPEG, and the tag of the video that it was made of."""

    data: bytes = field(repr=False)
    tag: str


def public_text(text: str) -> str:
    """Return a text of an error without secrets, and without the folders before a file's name."""
    text = redact(text)
    for folder in (host.output_folder(), host.data_dir()):
        for one in (folder.absolute(), folder.resolve()):
            text = text.replace(str(one), one.name)
    return re.sub(_WINDOWS_PATH, ".../", re.sub(_POSIX_PATH, ".../", text))


def public_row(record: Record) -> dict[str, Any]:
    """Return a task as the panel shows it. Blocking: it looks for the task's file."""
    from ..wan.tasks.history import task_row

    return _public(task_row(record, output_folder=host.output_folder()))


def _public(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row without secrets and folders. "host" is another machine, "" for this one."""
    clean = {name: redact(str(row[name] or "")) for name in _FREE_TEXTS}
    if clean["host"] == platform.node():
        clean["host"] = ""
    return {**row, **clean, "error": public_text(host.in_language(row["error"]))}


def send_task(record: Record) -> None:
    """Tell the pages that a task has changed. From any thread; a run goes on whatever becomes of it."""
    try:
        host.send_event(TASK_EVENT, public_row(record))
    except Exception as error:  # noqa: BLE001 - the task is paid, the message is not worth a run
        logger.debug("the page is not told of a task: %s", redact(str(error)))


@dataclass
class FetchMonitor:
    """The monitor of a video that is brought home: it tells the pages what it reports, and nobody interrupts it."""

    record: Record
    send: Send
    progress: dict[str, Any] = field(default_factory=dict)

    def report(self, fraction: float, text: Text) -> None:
        """Report the progress, 0 to 1, and the current step."""
        task = host.in_language(Message("; task {task}", task=self.record.task_id))
        shown = host.in_language(text).replace(task, "")
        progress = {"fraction": round(fraction, 2), "text": public_text(shown)}
        # A signed URL is for a node's own text only.
        if progress != self.progress and "://" not in shown:
            self.progress = progress
            self.send(FETCH_EVENT, {"id": self.record.id, "state": "running", **progress})

    def raise_if_interrupted(self) -> None:
        """Do nothing."""

    async def wait_for_interrupt(self) -> None:
        """Wait for ever."""
        await asyncio.Event().wait()


class TaskPanel:
    """The answers to one server's pages. Its methods belong to one event loop; `send` sends a message to all pages."""

    def __init__(self, send: Send = host.send_event) -> None:
        self._send = send
        self._fetches: dict[str, tuple[FetchMonitor, asyncio.Task[None]]] = {}
        self._posters: OrderedDict[str, Poster] = OrderedDict()
        self._decoding = asyncio.Semaphore(DECODERS)

    async def tasks(
        self, *, before: int = 0, limit: int = 100, states: Sequence[str] = (), models: Sequence[str] = ()
    ) -> dict[str, Any]:
        """Return a page of tasks, newest first: "tasks", "next" (the next page's `before`, 0 at the end), "total".

        Raises:
            LedgerUnavailable: the ledger cannot be read.
        """
        options = {"before": before, "limit": limit, "states": states, "models": models}
        page: dict[str, Any] = await _in_thread(_list, options)
        for row in page["tasks"]:
            if row["id"] in self._fetches:
                row["fetch"] = {"state": "running", **self._fetches[row["id"]][0].progress}
        return page

    async def spending(self) -> dict[str, Any]:
        """Return what was spent today and this month, the limits, and the last 30 days, by currency.

        Raises:
            LedgerUnavailable: the ledger cannot be read.
        """
        spent: dict[str, Any] = await _in_thread(_spending)
        return spent

    async def poster(self, record_id: str) -> Poster:
        """Return the poster of a task's saved video.

        Raises:
            UnknownRecord: the ledger has no such task, or its video is not in the output folder.
            MediaError: the video cannot be read.
        """
        path, tag = await _in_thread(_video_of, record_id)
        found = self._posters.get(record_id)
        if found is None or found.tag != tag:
            async with self._decoding:
                found = Poster(await _in_thread(_poster, path), tag)
            self._posters[record_id] = found
            while len(self._posters) > MAX_POSTERS:
                self._posters.popitem(last=False)
        self._posters.move_to_end(record_id)
        return found

    async def fetch(self, record_id: str) -> dict[str, Any]:
        """Begin to bring a task's video home, if that is not under way, and return its progress.

        It goes on in the background. The pages get messages about it.

        Raises:
            UnknownRecord: the ledger has no such task, or nothing of it is left to fetch.
        """
        if record_id not in self._fetches:
            record = await _in_thread(_record, record_id)
            if not record.task_id:
                raise UnknownRecord(Message("This request has no task at DashScope, so there is no video to fetch."))
            if record_id not in self._fetches:  # another click may have come first
                monitor = FetchMonitor(record, self._send)
                running = asyncio.ensure_future(self._bring_home(record, monitor))
                self._fetches[record_id] = (monitor, running)
        return {"id": record_id, "state": "running", **self._fetches[record_id][0].progress}

    async def cancel(self, record_id: str) -> dict[str, Any]:
        """Cancel a task if it is still queued: "canceled" says whether it was, "task" is its row.

        Raises:
            UnknownRecord: the ledger has no such task.
            WanError: the task is finished, or whether it was cancelled is unknown.
        """
        from ..wan.tasks.known_task import cancel_known_task

        record = await _in_thread(_record, record_id)
        settings = host.batch_settings(None, None)
        told = {name: settings[name] for name in ("home", "clock", "on_change")}
        done = await cancel_known_task(record, **told)
        return {"id": record_id, "canceled": done, "task": await _in_thread(public_row, record)}

    async def wait_for_fetches(self) -> None:
        """Wait until no video is being brought home."""
        while self._fetches:
            await asyncio.wait([running for _, running in self._fetches.values()])

    async def _bring_home(self, record: Record, monitor: FetchMonitor) -> None:
        from ..wan.tasks.save_video import BY_HAND

        ended: dict[str, Any] = {"state": "failed", "text": ""}
        try:
            await _fetch(record, monitor)
            ended["state"] = "saved"
        except WanError as error:
            ended["text"] = public_text(host.in_language(error.text).replace(host.in_language(BY_HAND), "").rstrip())
        except Exception as error:
            logger.exception("a video was not brought home")
            told = Message("{error}; ComfyUI's log has the details", error=type(error).__name__)
            ended["text"] = host.in_language(told)
        finally:
            del self._fetches[record.id]
        self._send(FETCH_EVENT, {"id": record.id, "fraction": 1.0, **ended})


async def _in_thread(call: Callable[..., Any], *args: Any) -> Any:
    from ..wan.tasks.context import run_in_thread

    return await run_in_thread(call, *args)


async def _fetch(record: Record, monitor: FetchMonitor) -> None:
    from ..wan.tasks.fetch_task import FetchRequest, fetch_video
    from ..wan.tasks.known_task import fetch_request

    request = FetchRequest("", filename_prefix="", **host.batch_settings(None, None))
    await fetch_video(fetch_request(record, request), monitor=monitor)


def _record(record_id: str) -> Record:
    from ..wan.tasks.known_task import find_record

    record = find_record(record_id, home=host.data_dir()) if re.fullmatch(_RECORD_ID, record_id) else None
    if record is None:
        raise UnknownRecord(Message("The ledger has no such task."))
    return record


def _video_of(record_id: str) -> tuple[Path, str]:
    """Return the path of a task's saved video inside the output folder, and a tag of its content."""
    record, output = _record(record_id), host.output_folder().resolve()
    path = Path(record.path or ".").resolve()
    try:
        found = path.stat()
    except OSError:
        found = None
    if found is None or not record.path or not path.is_relative_to(output) or not path.is_file():
        raise UnknownRecord(Message("The task has no video in the output folder."))
    return path, f"{found.st_mtime_ns:x}-{found.st_size:x}"


def _poster(path: Path) -> bytes:
    from ..wan.media.poster import poster

    return poster(path)


def _list(options: Mapping[str, Any]) -> dict[str, Any]:
    from ..wan.api.settings import read_settings
    from ..wan.tasks.history import list_tasks

    settings = read_settings(host.data_dir())
    page = list_tasks(settings.home, url=settings.ledger_url, output_folder=host.output_folder(), **options)
    return {**page, "tasks": [_public(row) for row in page["tasks"]]}


def _spending() -> Any:
    from ..wan.api.settings import read_settings
    from ..wan.tasks.history import spending

    settings = read_settings(host.data_dir())
    return spending(settings.home, url=settings.ledger_url, settings=settings)
