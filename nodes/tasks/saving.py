"""Where a video goes: a free name in the output folder, claimed so that no two writers ever share it."""

from __future__ import annotations

import errno
import logging
import os
import re
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..media.video import TAGGING
from ..redaction import holds_key

logger = logging.getLogger("dashscope_wan")

PART = ".part"
ENTRY_ID_CHARS = 16
LONGEST_NAME = 150
LONGEST_PREFIX = 300
WINDOWS_LONGEST = 259
"""Characters of a whole path: `MAX_PATH` without the zero that ends it, in units of UTF-16."""

# The characters that a terminal obeys, among them those that turn the direction of what follows.
_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f-\x9f<>:"|?*\ud800-\udfff\u202a-\u202e\u2066-\u2069]')
_RESERVED = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9\u00b9\u00b2\u00b3]) *(\..*)?", re.IGNORECASE)
_TIMES = {"year": "%Y", "month": "%m", "day": "%d", "hour": "%H", "minute": "%M", "second": "%S"}


@dataclass(frozen=True)
class SavePlace:
    """A folder inside the output folder, and how the names of the files in it begin."""

    folder: Path
    stem: str

    def part_of(self, entry_id: str) -> Path:
        """Return the file that the video of a request is downloaded into: always the same one."""
        return self.folder / f"{self.stem}_{entry_id}.mp4{PART}"

    def take(self, part: Path, *, on_name: Callable[[Path], None]) -> Path:
        """Give a whole film the next free name, `STEM_00001_.mp4`, and return it.

        The name is claimed with an empty file that must not be there yet: so two processes never take the same.
        `on_name` hears the name just before.

        Raises:
            OSError: the folder cannot be written.
        """
        number = self._next_number()
        while True:
            film = self.folder / f"{self.stem}_{number:05}_.mp4"
            number += 1
            if film.exists():
                continue
            on_name(film)
            try:
                film.touch(exist_ok=False)
            except FileExistsError:
                continue
            try:
                return part.replace(film)
            except OSError:
                discard(film)
                raise

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


def move(part: Path, target: Path) -> None:
    """Move the beginning of a film, to another disk too; what is there is overwritten.

    What is copied when this breaks off is a beginning too.

    Raises:
        OSError: it cannot be moved.
    """
    try:
        part.replace(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        with part.open("rb") as source, target.open("wb") as copy:
            shutil.copyfileobj(source, copy)
            copy.flush()
            os.fsync(copy.fileno())
        discard(part)


def discard(path: Path) -> None:
    """Remove a file that is of no use, where it is there and that is possible."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        logger.warning("%s is of no use and cannot be removed: %s", path, error)


def discard_placeholder(film: Path) -> None:
    """Remove what a killed run left under the name that it had just claimed: an empty file."""
    if film.is_file() and film.stat().st_size == 0:
        discard(film)


def find_place(prefix: str, *, output_folder: Path) -> tuple[SavePlace, list[str]]:
    """Return the place that a `filename_prefix` means, and the faults of the prefix.

    A prefix is a name, with folders before it where wanted: "wan/i2v". `%year%`, `%month%`, `%day%`, `%hour%`,
    `%minute%` and `%second%` stand for the time. It never leads out of the output folder.
    """
    output = output_folder.resolve()
    if not isinstance(prefix, str):
        return SavePlace(output, "video"), [f"filename_prefix: must be a text, not {type(prefix).__name__}"]
    filled = re.sub(rf"%({'|'.join(_TIMES)})%", lambda match: time.strftime(_TIMES[match[1]]), prefix)
    names = filled.replace("\\", "/").split("/")
    faults = _prefix_faults(filled, names)
    if holds_key(filled):
        faults = ["filename_prefix: it holds your API key, which would be in the names of files; take it out"]
    if faults:
        return SavePlace(output, "video"), faults
    kept = [_kept(name) for name in names]
    folder = output.joinpath(*[name for name in kept[:-1] if name])
    if not _leads_into(output, folder):
        return SavePlace(output, "video"), ["filename_prefix: it leads out of the output folder through a link"]
    place = SavePlace(folder, kept[-1] or "video")
    return place, _length_faults(place)


def longest_path() -> int | None:
    """Return how many characters a path may have on this system; None where only its names have a limit.

    On Windows it is what this process is allowed: the registry's `LongPathsEnabled` and Python's own manifest.
    """
    if sys.platform != "win32":
        return None
    import ctypes

    try:
        enabled = ctypes.windll.ntdll.RtlAreLongPathsEnabled
    except AttributeError:  # Windows before 10, 1607.
        return WINDOWS_LONGEST
    enabled.restype = ctypes.c_ubyte
    return None if enabled() else WINDOWS_LONGEST


def folder_faults(place: SavePlace) -> list[str]:
    """Make the folder of a place, and return what stands against writing into it."""
    try:
        place.folder.mkdir(parents=True, exist_ok=True)
        writable = os.access(place.folder, os.W_OK)
    except OSError as error:
        return [f"filename_prefix: the folder {place.folder} cannot be made ({error.strerror or error})"]
    return [] if writable else [f"filename_prefix: the folder {place.folder} cannot be written; choose another"]


def _prefix_faults(prefix: str, names: list[str]) -> list[str]:
    """Faults of a prefix on any system, so that a workflow works on all of them."""
    if prefix.startswith(("/", "\\")) or re.match(r"[A-Za-z]:", prefix):
        return ["filename_prefix: give a name inside the output folder, such as wan/i2v, not a whole path"]
    if any(name.strip() == ".." for name in names):
        return ["filename_prefix: it must not lead out of the output folder (..)"]
    if _FORBIDDEN.search(prefix):
        dates = "; instead of %date:...% write %year%-%month%-%day%" if "%date:" in prefix else ""
        return [f'filename_prefix: it must not have control characters, broken ones, or any of < > : " | ? *{dates}']
    if any(_RESERVED.fullmatch(_kept(name)) for name in names):
        return ["filename_prefix: it has a name that Windows keeps for itself, such as CON or COM1; choose another"]
    if len(prefix) > LONGEST_PREFIX or any(len(name.encode("utf-8", "replace")) > LONGEST_NAME for name in names):
        return [f"filename_prefix: it is too long; {LONGEST_NAME} bytes for each name is the limit"]
    return []


def _length_faults(place: SavePlace) -> list[str]:
    """Faults of the longest path that saving needs: that of the part's copy that the graph is written into."""
    most = longest_path()
    longest = str(place.part_of("0" * ENTRY_ID_CHARS)) + TAGGING
    characters = len(longest.encode("utf-16-le", "surrogatepass")) // 2
    if most is None or characters <= most:
        return []
    return [
        f"filename_prefix: in {place.folder} it makes a path of {characters} characters, and Windows takes {most}; "
        f"make it {characters - most} shorter, choose another output folder, or enable long paths in Windows"
    ]


def _leads_into(output: Path, folder: Path) -> bool:
    try:
        return folder.resolve().is_relative_to(output)
    except (OSError, RuntimeError):  # Links in a circle.
        return False


def _kept(name: str) -> str:
    """Return what Windows keeps of a name: nothing of it may be lost, or two names would be one."""
    return name.strip().rstrip(". ")
