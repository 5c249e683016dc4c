"""Tasks on disk: what the mock server of ComfyUI knows outlives the process, as the service's tasks do."""

from __future__ import annotations

import base64
import json
import logging
import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..wan.catalog.fields import rows_of
from ..wan.catalog.spec import IMAGE_TO_VIDEO
from .failures import TaskFailure
from .scene import CheckedClip, Scene, frame_size
from .task import MockTask
from .validation import TaskInputs

if TYPE_CHECKING:
    from filelock import FileLock

logger = logging.getLogger("dashscope_wan")
MAX_VIDEO_BYTES = 1024**3
"""The bytes of the videos that are kept. The oldest go first."""

_BINARY = ("image", "audio", "ending")
_OWN_FILES = ("tasks/*.json", "tasks/*.new", "videos/*.mp4", "videos/*.part", "uploads/*")
_AHEAD = 60.0
"""Seconds by which a task may be of the future: the clock may have been set back."""


@dataclass
class TaskArchive:
    """A folder with the tasks, one JSON file each, and beside them their `videos` and `uploads`.

    A task that is not rendered carries its scene. One process at a time has the folder, by a file lock, which the
    operating system releases even if the process is killed.
    """

    folder: Path
    lock: FileLock | None = None

    def open(self) -> bool:
        """Take the folder, and tell whether that was possible: not if another process has it or it is read-only."""
        from filelock import FileLock, Timeout

        try:
            (self.folder / "tasks").mkdir(parents=True, exist_ok=True)
            self.lock = FileLock(self.folder / "lock", thread_local=False)
            self.lock.acquire(timeout=0)
        except (OSError, NotImplementedError, Timeout) as error:
            logger.info("The mock server keeps no tasks: %s cannot be locked (%s)", self.folder, type(error).__name__)
            return False
        return True

    def close(self) -> None:
        """Let another process have the folder."""
        if self.lock is not None:
            self.lock.release()

    def save(self, task: MockTask) -> None:
        """Write a task down. A full disk costs the offline task its second life, nothing else."""
        path = self._path(task.id)
        try:
            path.with_suffix(".new").write_text(json.dumps(_to_json(task)), encoding="utf-8")
            path.with_suffix(".new").replace(path)
        except OSError as error:
            logger.warning("The offline task %s cannot be kept: %s", task.id, error)

    def load(self, *, now: float) -> list[MockTask]:
        """Return the tasks that were written down, oldest first. What cannot be read is none."""
        tasks = []
        for path in (self.folder / "tasks").glob("*.json"):
            try:
                task = self._from_json(json.loads(path.read_text(encoding="utf-8")))
                if task.id != path.stem or task.submitted > now + _AHEAD or (task.video and not task.video.is_file()):
                    raise ValueError("not a task of this folder and time")  # noqa: TRY301 - as what cannot be read
                tasks.append(task)
            except (OSError, ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
                logger.warning("The offline task in %s is left out: %s", path.name, type(error).__name__)
        return sorted(tasks, key=lambda task: task.submitted)

    def keep_only(self, tasks: Iterable[MockTask]) -> None:
        """Delete the files of all other tasks. Nothing may be rendered or uploaded meanwhile."""
        tasks = list(tasks)
        scenes = [task.scene for task in tasks if task.scene]
        kept = {self._path(task.id) for task in tasks} | {task.video for task in tasks}
        kept |= {scene.clip.path for scene in scenes if scene.clip}
        for pattern in _OWN_FILES:
            folder = self.folder / pattern.partition("/")[0]
            for path in self.folder.glob(pattern) if not folder.is_symlink() else ():
                if path not in kept:
                    with suppress(OSError):
                        path.unlink()

    def surplus(self, tasks: Iterable[MockTask]) -> list[MockTask]:
        """Return the tasks whose videos exceed what is kept. The latest is none of them."""
        latest_first = sorted(tasks, key=lambda task: task.submitted, reverse=True)
        total = 0
        counted: set[Path] = set()
        found = []
        for task in latest_first:
            if task.video is not None and task.video not in counted and task.video.exists():
                counted.add(task.video)
                total += task.video.stat().st_size
            if total > MAX_VIDEO_BYTES and task.ended is not None and task is not latest_first[0]:
                found.append(task)
        return found

    def delete(self, tasks: Iterable[MockTask], *, others: Iterable[MockTask]) -> None:
        """Delete the files of tasks, but not the videos that they share with `others`."""
        shared = {task.video for task in others}
        for task in tasks:
            for path in (self._path(task.id), task.video):
                if path is not None and path not in shared:
                    with suppress(OSError):
                        path.unlink(missing_ok=True)

    def _path(self, task_id: str) -> Path:
        return self.folder / "tasks" / f"{task_id}.json"

    def _from_json(self, found: dict[str, Any]) -> MockTask:
        """Return a task. Files are named, not placed: the folder may have moved. Raises an error of any usual kind."""
        # A task without a job is of image to video.
        rows = rows_of(found.pop("job", IMAGE_TO_VIDEO))
        task = MockTask(**{**found, "model": rows[found["model"]]})
        times = (task.submitted, task.scheduled or 0.0, task.ended or 0.0, task.ready_at or 0.0)
        if not all(isinstance(time, (int, float)) for time in times) or not isinstance(task.id, str):
            raise TypeError("times are numbers")
        if found["inputs"]:
            task.inputs = TaskInputs(**{**found["inputs"], "ignored": tuple(found["inputs"]["ignored"])})
            frame_size(1, 1, resolution=task.inputs.resolution)  # Raises KeyError for what is no tier.
            if not isinstance(task.inputs.duration, (int, float)):
                raise TypeError("seconds are numbers")
        task.failure = TaskFailure(**found["failure"]) if found["failure"] else None
        task.video = self.folder / "videos" / _name(found["video"]) if found["video"] else None
        if found["scene"]:
            task.scene = _scene_from_json(found["scene"], uploads=self.folder / "uploads")
        return task


def _name(text: str) -> str:
    """Return a file's name. Raises ValueError if it is a path."""
    if not re.fullmatch(r"[0-9a-f]+(\.mp4)?", text):
        raise ValueError("not a file of the mock server")
    return text


def _to_json(task: MockTask) -> dict[str, Any]:
    found: dict[str, Any] = {field.name: getattr(task, field.name) for field in fields(task)}
    found["model"], found["job"] = task.model.id, task.model.job
    found["inputs"] = asdict(replace(task.inputs, media={})) if task.inputs else None
    found["failure"] = asdict(task.failure) if task.failure else None
    found["video"] = task.video.name if task.video else None
    found["scene"] = _scene_to_json(task.scene) if task.scene else None
    return found


def _scene_to_json(scene: Scene) -> dict[str, Any]:
    plain = {field.name: getattr(scene, field.name) for field in fields(scene)}
    for name in _BINARY:
        plain[name] = _encoded(plain[name])
    plain["pictures"] = [_encoded(data) for data in scene.pictures]
    if clip := scene.clip:
        plain["clip"] = {"path": clip.path.name, "size": clip.size, "seconds": clip.seconds}
    return plain


def _scene_from_json(plain: dict[str, Any], *, uploads: Path) -> Scene:
    for name in _BINARY:
        plain[name] = _decoded(plain[name])
    plain["pictures"] = tuple(_decoded(text) for text in plain.get("pictures", ()))
    plain["size"] = tuple(plain["size"]) if plain.get("size") else None
    if clip := plain["clip"]:
        plain["clip"] = CheckedClip(uploads / _name(clip["path"]), size=tuple(clip["size"]), seconds=clip["seconds"])
    return Scene(**plain)


def _encoded(data: bytes | None) -> str | None:
    return base64.b64encode(data).decode() if data is not None else None


def _decoded(text: str | None) -> bytes | None:
    return base64.b64decode(text) if text is not None else None
