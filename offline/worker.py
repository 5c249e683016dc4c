"""The one thread that renders: videos are made one after another, so that two cores stay usable."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ..wan.files import when_free
from .scene import Interrupted, Scene

logger = logging.getLogger("dashscope_wan")


@dataclass(frozen=True)
class _Job:
    scene: Scene
    wanted: Callable[[], bool]
    done: Callable[[Path | None], None]


class RenderWorker:
    """Renders scenes into `folder`. Scenes that are equal share one file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._changed = threading.Condition()
        self._jobs: deque[_Job] = deque()
        self._busy = False
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="offline-render", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Give up what is being rendered and end the thread."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join()

    def enqueue(self, scene: Scene, *, wanted: Callable[[], bool], done: Callable[[Path | None], None]) -> None:
        """Queue a scene.

        `done` gets the video's path, or None where it could not be made. It is not called where `wanted` says no.
        """
        with self._changed:
            self._jobs.append(_Job(scene, wanted=wanted, done=done))
            self._changed.notify_all()

    def settle(self, timeout: float) -> bool:
        """Wait until nothing is left to render, at most `timeout` seconds. Return whether that is so."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._jobs and not self._busy, timeout)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._busy = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._jobs or self._stopping)
                if self._stopping:
                    return
                job = self._jobs.popleft()
                self._busy = True
            self._make(job)

    def _make(self, job: _Job) -> None:
        from .render import render  # Brings the codecs, which only a create call needs.

        path = self._folder / f"{job.scene.name}.mp4"
        part = path.with_suffix(".part")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            if not path.exists():
                render(job.scene, part, wanted=lambda: job.wanted() and not self._stopping)
                try:
                    part.replace(path)
                except PermissionError:
                    when_free(lambda: part.replace(path))
        except Interrupted:
            _remove(part)
        except Exception:
            logger.exception("The mock server could not render a video")
            _remove(part)
            job.done(None)
        else:
            job.done(path)


def _remove(part: Path) -> None:
    with suppress(OSError):
        part.unlink(missing_ok=True)
