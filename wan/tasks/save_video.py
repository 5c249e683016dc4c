"""Saving a finished video: download, verify, write the metadata, name the file."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from ..api.task import Task
from ..catalog.fields import VideoRequest
from ..errors import DownloadFailed, MediaError, WanError
from ..files import how_to_free
from ..frozen import frozen
from ..ledger.record import Record, digest
from ..media.video import REMUX_SUFFIX, VideoInfo, probe, write_metadata
from ..messages import Message, sentences
from ..net.download import STALL_SECONDS, DownloadInterrupted, UrlExpired, download
from .context import RunContext
from .output import OutputTarget, discard, move, remove_placeholder
from .progress import Progress
from .receipt import SavedVideo, build_receipt
from .retry import backoff

logger = logging.getLogger("dashscope_wan")

MAX_ATTEMPTS = 6
"""Tries in a row without a new byte."""

MIN_BYTES_PER_SECOND, GRACE_SECONDS = 4 * 1024, 15 * 60.0
"""The minimum average rate over all tries, and the seconds before it applies."""

_AGAIN_FREE = Message("The video is available for 24 hours: run the same graph again, or use Wan Fetch Task.")
_AGAIN_PAID = Message(
    "The video is already paid for and available for 24 hours: run the same graph again, or use Wan Fetch Task."
)
BY_HAND = Message("To save it by hand, open the URL shown on the node in a browser.")


@frozen
class SaveOptions:
    """Where a video is saved, the `metadata` of its file, and the fields of its receipt."""

    output: OutputTarget
    metadata: Mapping[str, str]
    request: VideoRequest | None = None
    warnings: Sequence[str] = ()
    resumed: bool = True


@dataclass(eq=False, repr=False)
class VideoDownload:
    """The download of a finished task's video. `on_saved` is called in a thread with the saved video's receipt."""

    task: Task
    record: Record
    options: SaveOptions
    context: RunContext
    report: Progress
    on_saved: Callable[[Mapping[str, Any]], None] = lambda _: None
    _partial_path: Path = field(default=Path(), init=False)
    _url: str = field(default="", init=False, repr=False)
    _info: VideoInfo | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self._url = self.task.video_url

    async def download(self) -> Path:
        """Download and verify the video, and return its partial path.

        The partial download of an earlier run is resumed, and stays when this one is interrupted.
        """
        is_complete = await self.context.to_thread(self._open_partial)
        if not is_complete:
            await self._download_with_retries()
        return self._partial_path

    async def download_and_save(self) -> SavedVideo:
        """Download and verify the video, save it under a free name and record its receipt.

        Raises:
            DownloadFailed: the video could not be downloaded; it stays available for 24 hours.
        """
        try:
            await self.download()
            self.report(0.99, partial(Message, "saving"))
            return await self.context.to_thread(self._finish)
        except (DownloadFailed, MediaError) as error:
            await self.context.to_thread(self._remove_if_empty)
            link = self._url if self._url.lower().startswith(("https://", "http://")) else ""
            by_hand = BY_HAND if link else ""
            do = sentences(error.hint, _AGAIN_FREE if self.context.region.simulated else _AGAIN_PAID, by_hand)
            raise DownloadFailed(error.message, hint=do, task_id=self.task.task_id, link=link) from error

    def _open_partial(self) -> bool:
        """Choose the partial path and move an earlier partial download there. Return whether it is complete."""
        record, place, before = self.record, self.options.output, Path(self.record.part)
        self._partial_path = place.partial_path(record.id)
        if record.path:
            remove_placeholder(Path(record.path))
        try:
            place.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._save_failed(error) from error
        if before.name and before != self._partial_path:
            self._move_from(before)
        # Recorded before the file exists, so that no partial download is orphaned.
        if record.part != str(self._partial_path):
            self.context.update_sync(record, part=str(self._partial_path))
        discard(self._partial_path.with_name(self._partial_path.name + REMUX_SUFFIX))
        is_complete = record.bytes > 0 and self._partial_path.exists() and not self._verify()
        # A missing video may be restored: its size stays recorded until there is another.
        if not is_complete and record.bytes and not record.path:
            self.context.update_sync(record, bytes=0)
        return is_complete

    def _move_from(self, before: Path) -> None:
        """Resume a partial download from another folder. If it cannot be moved, the download starts over."""
        try:
            if before.is_file():
                move(before, self._partial_path)
        except OSError as error:
            logger.warning("%s cannot be resumed (%s); restarting the download", before, error.strerror or error)
            discard(self._partial_path)
            discard(before)

    async def _download_with_retries(self) -> None:
        """Download into the partial path, resuming after interruptions, with a new URL if the old one has expired."""
        tries, held = 0, -1
        clock = self.context.clock
        since, first = clock.now(), await self.context.to_thread(self._size)
        while True:
            try:
                await self._download_once(self._url)
                await self.context.to_thread(self._check)
            except (DownloadInterrupted, UrlExpired) as error:
                size = await self.context.to_thread(self._size)
                tries = 0 if size > held else tries + 1
                held = max(size, held)
                if tries >= MAX_ATTEMPTS or clock.now() - since > GRACE_SECONDS + (held - first) / MIN_BYTES_PER_SECOND:
                    raise
                await clock.sleep_with_countdown(
                    backoff(tries + 1), lambda _: self.report(0.9, Message("download interrupted; resuming"))
                )
                if isinstance(error, UrlExpired):
                    self._url = await self._refresh_url() or self._url
            else:
                return

    async def _download_once(self, url: str) -> None:
        """Try the download once, reporting progress twice a second."""
        stop = threading.Event()
        state: list[tuple[int, int | None]] = [(0, None)]

        def note(done: int, total: int | None) -> None:
            state[0] = (done, total)

        own = self.context.client.endpoint.loopback_origin
        run = partial(
            download, own=own, on_progress=note, stop=stop, stall_seconds=STALL_SECONDS * self.context.clock.scale
        )
        work = asyncio.ensure_future(self.context.to_thread(run, url, self._partial_path))
        try:
            while not work.done():
                done, total = state[0]
                share = done / total if total else 0.5
                size = f"{done / 1e6:.1f}{f'/{total / 1e6:.1f}' if total else ''}"
                told = partial(Message, "downloading {size} MB; task {task}", size=size, task=self.task.task_id)
                self.report(0.9 + 0.09 * share, told)
                await asyncio.wait({work}, timeout=0.5)
            work.result()
        finally:
            stop.set()
            work.cancel()

    async def _refresh_url(self) -> str:
        """Return a newly signed URL of the video; "" if the query fails."""
        try:
            return (await self.context.get_task(self.task.task_id)).video_url
        except WanError as error:
            logger.debug("no new URL: %s", error.message)
            return ""

    def _check(self) -> None:
        """Note that the video is complete. An invalid file is removed and downloaded again from the start."""
        if flaw := self._verify():
            discard(self._partial_path)
            raise DownloadInterrupted(Message("The downloaded file is not a valid video: {flaw}", flaw=flaw))
        self.record.bytes = self._size()

    def _verify(self) -> str:
        """Return why the partial download is not a complete video; "" if it is."""
        try:
            self._info = probe(self._partial_path)
        except MediaError as error:
            return error.message
        return ""

    def _finish(self) -> SavedVideo:
        """Write the metadata into the video, name the file, and record that it is saved."""
        record, options, info = self.record, self.options, self._info or probe(self._partial_path)
        if options.metadata:
            try:
                info = write_metadata(self._partial_path, options.metadata)
            except (MediaError, OSError) as error:
                logger.warning("The video of task %s is saved without its graph: %s", record.task_id, error)
        try:
            # The video counts as saved once a file has this name and size.
            path = options.output.commit(
                self._partial_path,
                on_name=lambda video: self.context.update_sync(record, path=str(video), bytes=info.bytes),
            )
        except OSError as error:
            raise self._save_failed(error) from error
        receipt = build_receipt(
            self.task,
            info,
            record=record,
            request=options.request,
            region=self.context.region,
            resumed=options.resumed,
            warnings=list(options.warnings),
        )
        record.digest = digest(path) if self.context.ledger.is_shared else ""
        self.on_saved(receipt)
        return SavedVideo(path, self.task.task_id, receipt)

    def _save_failed(self, error: OSError) -> DownloadFailed:
        return DownloadFailed(
            Message(
                "The video cannot be saved in {folder}: {reason}.",
                folder=self.options.output.folder,
                reason=error.strerror or error,
            ),
            hint=how_to_free(error, self._partial_path)
            or Message("Free some space, or choose another filename_prefix."),
        )

    def _size(self) -> int:
        return self._partial_path.stat().st_size if self._partial_path.exists() else 0

    def _remove_if_empty(self) -> None:
        if self._partial_path.name and not self._size():
            discard(self._partial_path)
