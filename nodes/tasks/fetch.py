"""Bringing a finished video home: download, check, save."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from ..errors import DownloadFailed, MediaError, WanError
from ..media.video import TAGGING, embed_metadata, probe
from ..service.request import VideoRequest
from ..service.task import Task
from . import pace
from .entry import Entry, State
from .pauses import TEMPO, Say, backoff, now, pause
from .receipt import make_receipt
from .saving import SavedVideo, SavePlace, discard, discard_placeholder, move
from .session import Session

logger = logging.getLogger("dashscope_wan")

TRIES = 6
"""How often a download is tried in a row without a new byte."""

SLOWEST, GRACE_SECONDS = 4 * 1024, 15 * 60.0
"""Bytes a second that new ones must come at on the whole, in all tries together, and after how long that is asked."""


@dataclass(frozen=True)
class Terms:
    """Where a video is saved, what its file carries (`metadata`), and what its receipt says of how it came about."""

    place: SavePlace
    metadata: Mapping[str, str]
    request: VideoRequest | None = None
    warnings: Sequence[str] = ()
    resumed: bool = True


@dataclass
class Fetch:
    """One finished task whose video is on its way home."""

    task: Task
    entry: Entry
    terms: Terms
    session: Session
    say: Say
    _part: Path = field(default=Path(), init=False)
    _link: str = field(default="", init=False, repr=False)

    def __post_init__(self) -> None:
        self._link = self.task.video_url

    async def bring(self) -> Path:
        """Download the video, check it, and return the part that it is in.

        A part that an earlier run left is gone on with, and what was downloaded stays when this is interrupted.
        """
        whole = await self.session.in_thread(self._begin)
        if not whole:
            await self._download()
        return self._part

    async def run(self) -> SavedVideo:
        """Download the video, check it, save it under a free name and write its receipt down.

        Raises:
            DownloadFailed: the video could not be brought home; it can be fetched again for 24 hours.
        """
        try:
            await self.bring()
            self.say(0.99, "saving")
            return await self.session.in_thread(self._finish)
        except (DownloadFailed, MediaError) as error:
            await self.session.in_thread(self._drop_empty)
            link = self._link if self._link.lower().startswith(("https://", "http://")) else ""
            by_hand = " To fetch it by hand, open the link that the node shows in a browser." if link else ""
            again = f"The video is paid and kept for 24 h: run the same graph again, or use Wan Fetch Task.{by_hand}"
            do = f"{error.do} {again}".strip()
            raise DownloadFailed(error.what, do=do, task_id=self.task.task_id, link=link) from error

    def _begin(self) -> bool:
        """Choose the part to download into, with what an earlier run has of it. Tell whether it is whole."""
        entry, place, before = self.entry, self.terms.place, Path(self.entry.part)
        self._part = place.part_of(entry.id)
        if entry.path:
            discard_placeholder(Path(entry.path))
        try:
            place.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._unsaved(error) from error
        if before.name and before != self._part:
            self._move_from(before)
        # Known to the ledger before it is there, so that none is ever left behind.
        self.session.note_now(entry, part=str(self._part))
        discard(self._part.with_name(self._part.name + TAGGING))
        whole = entry.bytes > 0 and self._part.exists() and not self._flaw()
        # A saved video that is gone may yet come back: it is known until there is another.
        if not whole and not entry.path:
            self.session.note_now(entry, bytes=0)
        return whole

    def _move_from(self, before: Path) -> None:
        """Go on with a part from another folder. Where it cannot be had the download begins anew."""
        try:
            if before.is_file():
                move(before, self._part)
        except OSError as error:
            logger.warning("%s cannot be gone on with (%s); downloading anew", before, error.strerror or error)
            discard(self._part)
            discard(before)

    async def _download(self) -> None:
        """Download into the part, going on after interruptions, with a fresh address when the old one has expired."""
        from ..media.download import DownloadInterrupted, LinkExpired

        tries, held = 0, -1
        since, first = now(), await self.session.in_thread(self._size)
        while True:
            try:
                await self._download_once(self._link)
                await self.session.in_thread(self._check)
            except (DownloadInterrupted, LinkExpired) as error:
                size = await self.session.in_thread(self._size)
                tries = 0 if size > held else tries + 1
                held = max(size, held)
                if tries >= TRIES or now() - since > GRACE_SECONDS + (held - first) / SLOWEST:
                    raise
                await pause(backoff(tries + 1), lambda _: self.say(0.9, "the download broke off; going on"))
                if isinstance(error, LinkExpired):
                    self._link = await self._fresh_address() or self._link
            else:
                return

    async def _download_once(self, url: str) -> None:
        """One try, with its progress shown twice a second."""
        from ..media.download import STALL_SECONDS, download

        stop = threading.Event()
        state: list[tuple[int, int | None]] = [(0, None)]

        def note(done: int, total: int | None) -> None:
            state[0] = (done, total)

        own = self.session.client.endpoint.own_machine
        run = partial(download, own=own, on_progress=note, stop=stop, stall_seconds=STALL_SECONDS * TEMPO.scale)
        work = asyncio.ensure_future(self.session.in_thread(run, url, self._part))
        try:
            while not work.done():
                done, total = state[0]
                share = done / total if total else 0.5
                size = f"{done / 1e6:.1f}{f'/{total / 1e6:.1f}' if total else ''} MB"
                self.say(0.9 + 0.09 * share, f"downloading {size}; task {self.task.task_id}")
                await asyncio.wait({work}, timeout=0.5)
            work.result()
        finally:
            stop.set()
            work.cancel()

    async def _fresh_address(self) -> str:
        """Ask for the video's address again; the service signs a new one. "" where that does not work just now."""
        await pace.turn("query", per_second=pace.QUERIES_PER_SECOND)
        try:
            return (await self.session.in_thread(self.session.client.query, self.task.task_id)).video_url
        except WanError as error:
            logger.debug("no fresh address: %s", error.what)
            return ""

    def _check(self) -> None:
        """Write down that the film is whole. What is no film is removed, and worth another try from the start."""
        from ..media.download import DownloadInterrupted

        if flaw := self._flaw():
            discard(self._part)
            raise DownloadInterrupted(f"What was downloaded is not the video: {flaw}")
        self.session.note_now(self.entry, bytes=self._size())

    def _flaw(self) -> str:
        """Say why the part is no whole film; "" where it is one."""
        try:
            probe(self._part)
        except MediaError as error:
            return error.what
        return ""

    def _finish(self) -> SavedVideo:
        """Write the graph into the whole film, give it its name, and write down that it is home."""
        entry, terms = self.entry, self.terms
        if terms.metadata:
            try:
                embed_metadata(self._part, terms.metadata)
            except (MediaError, OSError) as error:
                logger.warning("The video of task %s is saved without its graph: %s", entry.task_id, error)
        try:
            facts = probe(self._part)
            # From here on the film counts as saved once it has this name and this size.
            film = terms.place.take(
                self._part, on_name=lambda film: self.session.note_now(entry, path=str(film), bytes=facts.bytes)
            )
        except OSError as error:
            raise self._unsaved(error) from error
        receipt = make_receipt(
            self.task,
            facts,
            entry=entry,
            request=terms.request,
            region=self.session.region,
            resumed=terms.resumed,
            warnings=list(terms.warnings),
        )
        self.session.note_now(entry, state=State.SAVED.value, part="", receipt=json.dumps(receipt))
        return SavedVideo(film, self.task.task_id, receipt)

    def _unsaved(self, error: OSError) -> DownloadFailed:
        return DownloadFailed(
            f"The video cannot be saved in {self.terms.place.folder}: {error.strerror or error}.",
            do="Make room or choose another filename_prefix.",
        )

    def _size(self) -> int:
        return self._part.stat().st_size if self._part.exists() else 0

    def _drop_empty(self) -> None:
        if self._part.name and not self._size():
            discard(self._part)
