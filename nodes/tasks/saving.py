"""Where a video goes: a free name in the output folder, claimed so that no two writers ever share it."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from pathlib import Path

PART = ".part"
LONGEST_NAME = 150
LONGEST_PREFIX = 300
_FORBIDDEN = re.compile(r'[\x00-\x1f<>:"|?*]')
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)
_TIMES = {"year": "%Y", "month": "%m", "day": "%d", "hour": "%H", "minute": "%M", "second": "%S"}


@dataclass(frozen=True)
class SavePlace:
    """A folder inside the output folder, and how the names of the files in it begin."""

    folder: Path
    stem: str

    def claim(self) -> Path:
        """Claim the next free `STEM_00001_.mp4` and return its `.part`, which now exists and is empty.

        The `.part` is created exclusively, and given back when the film itself is there by then: so two processes
        never take the same name, whichever of them is at which step.

        Raises:
            OSError: the folder cannot be written.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        number = self._next_number()
        while True:
            film = self.folder / f"{self.stem}_{number:05}_.mp4"
            part = film.with_name(film.name + PART)
            number += 1
            try:
                part.touch(exist_ok=False)
            except FileExistsError:
                continue
            if not film.exists():
                return part
            part.unlink(missing_ok=True)

    def _next_number(self) -> int:
        """Return the number after the highest one in use, as ComfyUI's own save nodes count."""
        used = re.compile(re.escape(self.stem) + r"_(\d+)_")
        numbers = [int(match[1]) for path in self.folder.iterdir() if (match := used.match(path.name))]
        return max(numbers, default=0) + 1


@dataclass(frozen=True)
class SavedVideo:
    """A video that is home: its file and its receipt."""

    path: Path
    task_id: str
    receipt: dict[str, object]


def film_of(part: Path) -> Path:
    """Return the name that a `.part` is claimed for."""
    return part.with_name(part.name.removesuffix(PART))


def find_place(prefix: str, *, output_folder: Path) -> tuple[SavePlace, list[str]]:
    """Return the place that a `filename_prefix` means, and the faults of the prefix.

    A prefix is a name, with folders before it where wanted: "wan/i2v". `%year%`, `%month%`, `%day%`, `%hour%`,
    `%minute%` and `%second%` stand for the time. It never leads out of the output folder.
    """
    output = output_folder.resolve()
    filled = re.sub(r"%(\w+)%", lambda match: time.strftime(_TIMES.get(match[1], match[0])), prefix)
    names = filled.replace("\\", "/").split("/")
    faults = _prefix_faults(filled, names)
    if faults:
        return SavePlace(output, "video"), faults
    kept = [name.strip().rstrip(".") for name in names]
    folder = output.joinpath(*[name for name in kept[:-1] if name])
    if not folder.resolve().is_relative_to(output):
        return SavePlace(output, "video"), ["filename_prefix: it leads out of the output folder through a link"]
    return SavePlace(folder, kept[-1] or "video"), []


def _prefix_faults(prefix: str, names: list[str]) -> list[str]:
    """Faults of a prefix on any system, so that a workflow works on all of them."""
    if prefix.startswith(("/", "\\")) or re.match(r"[A-Za-z]:", prefix):
        return ["filename_prefix: give a name inside the output folder, such as wan/i2v, not a whole path"]
    if any(name.strip() == ".." for name in names):
        return ["filename_prefix: it must not lead out of the output folder (..)"]
    if _FORBIDDEN.search(prefix):
        return ['filename_prefix: it must not have control characters or any of < > : " | ? *']
    if any(_RESERVED.fullmatch(name.strip().rstrip(".")) for name in names):
        return ["filename_prefix: it has a name that Windows keeps for itself, such as CON or COM1; choose another"]
    if len(prefix) > LONGEST_PREFIX or any(len(name.encode("utf-8", "replace")) > LONGEST_NAME for name in names):
        return [f"filename_prefix: it is too long; {LONGEST_NAME} bytes for each name is the limit"]
    return []
