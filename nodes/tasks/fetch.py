"""Bringing a finished video home: download, check, save."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from ..errors import DownloadFailed, MediaError, WanError
from ..media.video import VideoFacts, embed_metadata, probe
from ..service.task import Task
from .ledger import Entry, State
from .pauses import Say, backoff, pause
from .saving import SavePlace, film_of
from .session import Session
from .threads import in_thread

logger = logging.getLogger("dashscope_wan")

TRIES = 6
"""How often a download is tried in a row without a new byte."""


async def fetch(  # noqa: PLR0913 - all by name
    task: Task, entry: Entry, *, place: SavePlace, metadata: Mapping[str, str], session: Session, say: Say
) -> tuple[Path, VideoFacts]:
    """Download a finished task's video, check it and save it under a free name.

    `metadata` is written into the file, whose streams stay as they are.

    A part that an earlier run left is gone on with. What was downloaded stays when this is interrupted.

    Raises:
        DownloadFailed: the video could not be brought home; it can be fetched again for 24 hours.
    """
    part = await in_thread(_claim_part, entry, place)
    session.note(entry, state=State.SUCCEEDED.value, part=str(part))
    try:
        await _download(task, part, session=session, say=say)
        say(0.99, "saving")
        facts = await in_thread(_finish, part, metadata)
    except BaseException:
        await asyncio.shield(in_thread(_drop_empty, part))
        raise
    film = film_of(part)
    session.note(entry, state=State.SAVED.value, part="", path=str(film), bytes=facts.bytes)
    return film, facts


def _claim_part(entry: Entry, place: SavePlace) -> Path:
    """Return the part of an earlier run where it is still there and its name is free, else a new one."""
    part = Path(entry.part) if entry.part else None
    if part and part.is_file() and not film_of(part).exists():
        return part
    try:
        return place.claim()
    except OSError as error:
        raise DownloadFailed(
            f"The video cannot be saved in {place.folder}: {error.strerror or error}.",
            do="Make room or choose another filename_prefix, then run the same graph again; it is not paid again.",
            task_id=entry.task_id,
        ) from error


async def _download(task: Task, part: Path, *, session: Session, say: Say) -> None:
    """Download into the part, going on after interruptions, with a fresh address when the old one has expired."""
    from ..media.download import DownloadInterrupted, LinkExpired

    url, tries, held = task.video_url, 0, -1
    while True:
        try:
            await _download_once(url, part, say=say)
        except (DownloadInterrupted, LinkExpired) as error:
            size = await in_thread(_size, part)
            tries = 0 if size > held else tries + 1
            held = size
            if tries >= TRIES:
                raise _unfetched(error, task.task_id) from error
            await pause(backoff(tries + 1), lambda _: say(0.9, "the download broke off; going on"))
            if isinstance(error, LinkExpired):
                url = await _fresh_address(task, session) or url
        except DownloadFailed as error:
            raise _unfetched(error, task.task_id) from error
        else:
            return


async def _download_once(url: str, part: Path, *, say: Say) -> None:
    """One try, with its progress shown twice a second."""
    from ..media.download import download

    stop = threading.Event()
    state: list[tuple[int, int | None]] = [(0, None)]

    def note(done: int, total: int | None) -> None:
        state[0] = (done, total)

    work = asyncio.ensure_future(in_thread(download, url, part, on_progress=note, stop=stop))
    try:
        while not work.done():
            done, total = state[0]
            share = done / total if total else 0.5
            say(0.9 + 0.09 * share, f"downloading {done / 1e6:.1f}{f'/{total / 1e6:.1f}' if total else ''} MB")
            await asyncio.wait({work}, timeout=0.5)
        work.result()
    finally:
        stop.set()
        work.cancel()


async def _fresh_address(task: Task, session: Session) -> str:
    """Ask for the video's address again; the service signs a new one. "" where that does not work just now."""
    try:
        return (await in_thread(session.client.query, task.task_id)).video_url
    except WanError as error:
        logger.debug("no fresh address: %s", error.what)
        return ""


def _unfetched(error: DownloadFailed, task_id: str) -> DownloadFailed:
    return DownloadFailed(
        error.what,
        do=f"{error.do} The video is paid and kept for 24 h: run the same graph again, or use Wan Fetch Task.".strip(),
        task_id=task_id,
    )


def _finish(part: Path, metadata: Mapping[str, str]) -> VideoFacts:
    """Check the downloaded film, write the metadata into it and give it its name."""
    try:
        facts = probe(part)
        if metadata:
            embed_metadata(part, metadata)
            facts = replace(facts, bytes=part.stat().st_size)
    except MediaError as error:
        part.unlink(missing_ok=True)
        raise DownloadFailed(f"What was downloaded is not the video: {error.what}") from error
    part.replace(film_of(part))
    return facts


def _size(part: Path) -> int:
    return part.stat().st_size


def _drop_empty(part: Path) -> None:
    if part.is_file() and part.stat().st_size == 0:
        part.unlink(missing_ok=True)
