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

from ..media.video import REMUX_SUFFIX
from ..redaction import contains_secret

logger = logging.getLogger("dashscope_wan")

PARTIAL_SUFFIX = ".part"
RECORD_ID_CHARS = 16
MAX_NAME = 150
MAX_PREFIX = 300
WINDOWS_MAX_PATH = 259
"""Characters of a whole path: `MAX_PATH` without the zero that ends it, in units of UTF-16."""

# The characters that a terminal obeys, among them those that turn the direction of what follows.
_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f-\x9f<>:"|?*\ud800-\udfff\u202a-\u202e\u2066-\u2069]')
_RESERVED = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9\u00b9\u00b2\u00b3]) *(\..*)?", re.IGNORECASE)
_TIMES = {"year": "%Y", "month": "%m", "day": "%d", "hour": "%H", "minute": "%M", "second": "%S"}


@dataclass(frozen=True)
class OutputTarget:
    """A folder inside the output folder, and how the names of the files in it begin."""

    folder: Path
    stem: str

    def partial_path(self, record_id: str) -> Path:
        """Return the file that the video of a request is downloaded into: always the same one."""
        return self.folder / f"{self.stem}_{record_id}.mp4{PARTIAL_SUFFIX}"

    def commit(self, partial: Path, *, on_name: Callable[[Path], None]) -> Path:
        """Give a whole video the next free name, `STEM_00001_.mp4`, and return it.

        The name is claimed with an empty file that must not be there yet: so two processes never take the same.
        `on_name` hears the name just before.

        Raises:
            OSError: the folder cannot be written.
        """
        number = self._next_number()
        while True:
            path = self.folder / f"{self.stem}_{number:05}_.mp4"
            number += 1
            if path.exists():
                continue
            on_name(path)
            try:
                path.touch(exist_ok=False)
            except FileExistsError:
                continue
            try:
                return partial.replace(path)
            except OSError:
                discard(path)
                raise

    def _next_number(self) -> int:
        """Return the number after the highest one in use, as ComfyUI's own save nodes count."""
        used = re.compile(re.escape(self.stem) + r"_(\d+)_")
        numbers = [int(match[1]) for path in self.folder.iterdir() if (match := used.match(path.name))]
        return max(numbers, default=0) + 1


def move(part: Path, target: Path) -> None:
    """Move the beginning of a video, to another disk too; what is there is overwritten.

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


def remove_placeholder(path: Path) -> None:
    """Remove what a killed run left under the name that it had just claimed: an empty file."""
    if path.is_file() and path.stat().st_size == 0:
        discard(path)


def resolve_output(prefix: str, *, output_folder: Path) -> tuple[OutputTarget, list[str]]:
    """Return the place that a `filename_prefix` means, and the problems of the prefix.

    A prefix is a name, with folders before it where wanted: "wan/i2v". `%year%`, `%month%`, `%day%`, `%hour%`,
    `%minute%` and `%second%` stand for the time. It never leads out of the output folder.
    """
    output = output_folder.resolve()
    if not isinstance(prefix, str):
        return OutputTarget(output, "video"), [f"filename_prefix: must be a text, not {type(prefix).__name__}"]
    filled = re.sub(rf"%({'|'.join(_TIMES)})%", lambda match: time.strftime(_TIMES[match[1]]), prefix)
    names = filled.replace("\\", "/").split("/")
    problems = _prefix_problems(filled, names)
    if contains_secret(filled):
        problems = ["filename_prefix: it holds your API key, which would be in the names of files; take it out"]
    if problems:
        return OutputTarget(output, "video"), problems
    safe_name = [_windows_name(name) for name in names]
    folder = output.joinpath(*[name for name in safe_name[:-1] if name])
    if not _is_inside(output, folder):
        return OutputTarget(output, "video"), ["filename_prefix: it leads out of the output folder through a link"]
    target = OutputTarget(folder, safe_name[-1] or "video")
    return target, _length_problems(target)


def max_path_length() -> int | None:
    """Return how many characters a path may have on this system; None where only its names have a limit.

    On Windows it is what this process is allowed: the registry's `LongPathsEnabled` and Python's own manifest.
    """
    if sys.platform != "win32":
        return None
    import ctypes

    try:
        enabled = ctypes.windll.ntdll.RtlAreLongPathsEnabled
    except AttributeError:  # Windows before 10, 1607.
        return WINDOWS_MAX_PATH
    enabled.restype = ctypes.c_ubyte
    return None if enabled() else WINDOWS_MAX_PATH


def folder_problems(output: OutputTarget) -> list[str]:
    """Make the folder of a place, and return what stands against writing into it."""
    try:
        output.folder.mkdir(parents=True, exist_ok=True)
        writable = os.access(output.folder, os.W_OK)
    except OSError as error:
        return [f"filename_prefix: the folder {output.folder} cannot be made ({error.strerror or error})"]
    return [] if writable else [f"filename_prefix: the folder {output.folder} cannot be written; choose another"]


def _prefix_problems(prefix: str, names: list[str]) -> list[str]:
    """Problems of a prefix on any system, so that a workflow works on all of them."""
    if prefix.startswith(("/", "\\")) or re.match(r"[A-Za-z]:", prefix):
        return ["filename_prefix: give a name inside the output folder, such as wan/i2v, not a whole path"]
    if any(name.strip() == ".." for name in names):
        return ["filename_prefix: it must not lead out of the output folder (..)"]
    if _FORBIDDEN.search(prefix):
        dates = "; instead of %date:...% write %year%-%month%-%day%" if "%date:" in prefix else ""
        return [f'filename_prefix: it must not have control characters, broken ones, or any of < > : " | ? *{dates}']
    if any(_RESERVED.fullmatch(_windows_name(name)) for name in names):
        return ["filename_prefix: it has a name that Windows keeps for itself, such as CON or COM1; choose another"]
    if len(prefix) > MAX_PREFIX or any(len(name.encode("utf-8", "replace")) > MAX_NAME for name in names):
        return [f"filename_prefix: it is too long; {MAX_NAME} bytes for each name is the limit"]
    return []


def _length_problems(output: OutputTarget) -> list[str]:
    """Problems of the longest path that saving needs: that of the part's copy that the graph is written into."""
    most = max_path_length()
    max_length = str(output.partial_path("0" * RECORD_ID_CHARS)) + REMUX_SUFFIX
    characters = len(max_length.encode("utf-16-le", "surrogatepass")) // 2
    if most is None or characters <= most:
        return []
    return [
        f"filename_prefix: in {output.folder} it makes a path of {characters} characters, and Windows takes {most}; "
        f"make it {characters - most} shorter, choose another output folder, or enable long paths in Windows"
    ]


def _is_inside(output: Path, folder: Path) -> bool:
    try:
        return folder.resolve().is_relative_to(output)
    except (OSError, RuntimeError):  # Links in a circle.
        return False


def _windows_name(name: str) -> str:
    """Return what Windows keeps of a name: nothing of it may be lost, or two names would be one."""
    return name.strip().rstrip(". ")
