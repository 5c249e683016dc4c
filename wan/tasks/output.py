"""Output files: a free name in the output folder, claimed so that two writers never share it."""

from __future__ import annotations

import errno
import logging
import os
import re
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

from ..files import when_free
from ..frozen import frozen
from ..media.video import REMUX_SUFFIX
from ..messages import Message
from ..redaction import contains_secret

logger = logging.getLogger("dashscope_wan")

PARTIAL_SUFFIX = ".part"
RECORD_ID_CHARS = 16
MAX_NAME = 150
MAX_PREFIX = 300
WINDOWS_MAX_PATH = 259
"""UTF-16 units of an absolute path: `MAX_PATH` without the terminating null."""

# Control characters, text direction marks, lone surrogates, and what Windows forbids in names.
_FORBIDDEN = r'[\x00-\x1f\x7f-\x9f<>:"|?*\ud800-\udfff\u202a-\u202e\u2066-\u2069]'
_RESERVED = r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9\u00b9\u00b2\u00b3]) *(\..*)?"
_TIMES = {"year": "%Y", "month": "%m", "day": "%d", "hour": "%H", "minute": "%M", "second": "%S"}


@frozen
class OutputTarget:
    """A folder inside the output folder `root`, and the stem of the file names in it."""

    folder: Path
    stem: str
    root: Path = Path()

    def partial_path(self, record_id: str) -> Path:
        """Return the path of a request's partial download, always the same one."""
        return self.folder / f"{self.stem}_{record_id}.mp4{PARTIAL_SUFFIX}"

    def commit(self, partial: Path, *, on_name: Callable[[Path], None]) -> Path:
        """Move a complete video to the next free name, `STEM_00001_.mp4`, and return its path.

        An exclusively created empty file claims the name, so two processes never take the same one. `on_name` is
        called with the path before that.

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
                return _replace(partial, path)
            except OSError:
                discard(path)
                raise

    def _next_number(self) -> int:
        """Return the number after the highest one in use, as ComfyUI's own save nodes count."""
        used = re.compile(re.escape(self.stem) + r"_(\d+)_")
        numbers = [int(match[1]) for path in self.folder.iterdir() if (match := used.match(path.name))]
        return max(numbers, default=0) + 1


def move(part: Path, target: Path) -> None:
    """Move a partial download, across file systems too, and overwrite the target.

    After an interrupted copy the target is a valid partial download as well.

    Raises:
        OSError: the file cannot be moved.
    """
    try:
        _replace(part, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        with part.open("rb") as source, target.open("wb") as copy:
            shutil.copyfileobj(source, copy)
            copy.flush()
            os.fsync(copy.fileno())
        discard(part)


def _replace(source: Path, target: Path) -> Path:
    try:
        return source.replace(target)
    except PermissionError:
        return when_free(lambda: source.replace(target))


def _unlink(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except PermissionError:
        when_free(lambda: path.unlink(missing_ok=True))


def discard(path: Path) -> None:
    """Remove an unused file, if it exists and can be removed."""
    try:
        _unlink(path)
    except OSError as error:
        logger.warning("The unused file %s cannot be removed: %s", path, error)


def remove_placeholder(path: Path) -> None:
    """Remove the empty file that a killed run left under a claimed name."""
    if path.is_file() and path.stat().st_size == 0:
        discard(path)


def resolve_output(prefix: str, *, output_folder: Path) -> tuple[OutputTarget, list[str]]:
    """Return the output target of a `filename_prefix`, and the problems of the prefix.

    A prefix is a name, optionally with folders: "wan/i2v". `%year%`, `%month%`, `%day%`, `%hour%`, `%minute%` and
    `%second%` are replaced by the current time. The target is always inside the output folder.
    """
    output = resolve_folder(output_folder)
    if not isinstance(prefix, str):
        return OutputTarget(output, "video"), [
            Message("filename_prefix: must be a string, not {type}", type=type(prefix).__name__)
        ]
    filled = re.sub(rf"%({'|'.join(_TIMES)})%", lambda match: time.strftime(_TIMES[match[1]]), prefix)
    names = filled.replace("\\", "/").split("/")
    problems = _prefix_problems(filled, names)
    if contains_secret(filled):
        problems = [Message("filename_prefix: contains your API key, which would be in the file names; remove it")]
    if problems:
        return OutputTarget(output, "video"), problems
    safe_name = [_windows_name(name) for name in names]
    folder = output.joinpath(*[name for name in safe_name[:-1] if name])
    if not _is_inside(output, folder):
        return OutputTarget(output, "video"), [
            Message("filename_prefix: it escapes the output folder through a symlink")
        ]
    target = OutputTarget(folder, safe_name[-1] or "video", output)
    return target, _length_problems(target)


def resolve_folder(folder: Path) -> Path:
    """Return a folder without symlinks in its path."""
    real = folder.resolve()
    return Path(without_prefix(str(real))) if sys.platform == "win32" else real


def without_prefix(path: str) -> str:
    r"""Return a Windows path without `\\?\`, which `Path.resolve` leaves there if the folder is made meanwhile."""
    if path.startswith("\\\\?\\UNC\\"):
        return "\\\\" + path[8:]
    return path.removeprefix("\\\\?\\")


def max_path_length() -> int | None:
    """Return the maximum length of a path on this system; None if only the names in it are limited.

    On Windows it depends on the registry's `LongPathsEnabled` and on Python's manifest.
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
    """Create the folder of an output target, and return its problems."""
    try:
        output.folder.mkdir(parents=True, exist_ok=True)
        writable = os.access(output.folder, os.W_OK)
    except OSError as error:
        return [
            Message(
                "filename_prefix: the folder {folder} cannot be created ({reason})",
                folder=output.folder,
                reason=error.strerror or error,
            )
        ]
    return (
        []
        if writable
        else [Message("filename_prefix: the folder {folder} is not writable; choose another", folder=output.folder)]
    )


def _prefix_problems(prefix: str, names: list[str]) -> list[str]:
    """Return the problems of a prefix under the rules of all systems, so that a workflow is portable."""
    if prefix.startswith(("/", "\\")) or re.match(r"[A-Za-z]:", prefix):
        return [Message("filename_prefix: use a name inside the output folder, such as wan/i2v, not an absolute path")]
    if any(name.strip() == ".." for name in names):
        return [Message("filename_prefix: it must not leave the output folder (..)")]
    if re.search(_FORBIDDEN, prefix):
        dates = Message("; instead of %date:...% use %year%-%month%-%day%") if "%date:" in prefix else ""
        return [
            Message(
                'filename_prefix: it contains control characters, invalid Unicode or one of < > : " | ? *{note}',
                note=dates,
            )
        ]
    if any(re.fullmatch(_RESERVED, _windows_name(name), re.IGNORECASE) for name in names):
        return [
            Message("filename_prefix: it contains a name that Windows reserves, such as CON or COM1; choose another")
        ]
    if len(prefix) > MAX_PREFIX or any(len(name.encode("utf-8", "replace")) > MAX_NAME for name in names):
        return [
            Message(
                "filename_prefix: it is too long; use at most {most} characters, and {bytes} bytes per name",
                most=MAX_PREFIX,
                bytes=MAX_NAME,
            )
        ]
    return []


def _length_problems(output: OutputTarget) -> list[str]:
    """Return the problem of the longest path that saving needs, the copy for writing metadata, if it is too long."""
    most = max_path_length()
    max_length = str(output.partial_path("0" * RECORD_ID_CHARS)) + REMUX_SUFFIX
    characters = len(max_length.encode("utf-16-le", "surrogatepass")) // 2
    if most is None or characters <= most:
        return []
    return [
        Message(
            "filename_prefix: its path in {folder} has {count} characters, and Windows allows {most}; make it "
            "{excess} shorter, choose another output folder, or enable long paths in Windows",
            folder=output.folder,
            count=characters,
            most=most,
            excess=characters - most,
        )
    ]


def _is_inside(output: Path, folder: Path) -> bool:
    try:
        return resolve_folder(folder).is_relative_to(output)
    except (OSError, RuntimeError):  # A symlink loop.
        return False


def _windows_name(name: str) -> str:
    """Return a name as Windows stores it, so that it is the same file on every system."""
    return name.strip().rstrip(". ")
