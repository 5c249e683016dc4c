"""Which runs live: each holds a file lock, which the operating system gives back even when the process is killed."""

from __future__ import annotations

import logging
import secrets
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from .store import LedgerUnavailable

if TYPE_CHECKING:
    from filelock import FileLock

logger = logging.getLogger("dashscope_wan")

_here: set[str] = set()


class Life:
    """The life of one run, seen by others from `begin` to `end` under the name `owner`."""

    def __init__(self, folder: Path) -> None:
        self.owner = secrets.token_hex(8)
        self._folder = folder
        self._guard = threading.Lock()
        self._lock: FileLock | None = None

    def begin(self) -> None:
        """Take the lock, once.

        Raises:
            LedgerUnavailable: there can be none. Other processes would take this run for dead and pay for its requests.
        """
        from filelock import FileLock

        with self._guard:
            if self._lock is not None:
                return
            try:
                self._folder.mkdir(parents=True, exist_ok=True)
                lock = FileLock(_path(self._folder, self.owner), thread_local=False)
                lock.acquire(timeout=0)
            except (OSError, NotImplementedError) as error:
                raise LedgerUnavailable(
                    f"No file in {self._folder} can be locked ({error or type(error).__name__}).",
                    do="Nothing was sent. Make it a writable folder, or set DASHSCOPE_WAN_HOME to a folder on a local "
                    "disk, then run again.",
                ) from error
            self._lock = lock
            _here.add(self.owner)

    def end(self) -> None:
        """Give the lock back."""
        with self._guard:
            if self._lock is not None:
                self._lock.release()
                _remove(_path(self._folder, self.owner))
                self._lock = None
            _here.discard(self.owner)


def lives(folder: Path, owner: str) -> bool:
    """Tell whether a run lives, in this process or in another."""
    from filelock import FileLock

    path = _path(folder, owner)
    if owner in _here or not owner or not path.exists():
        return owner in _here
    lock = FileLock(path, thread_local=False)
    try:
        lock.acquire(timeout=0)
    except (OSError, NotImplementedError) as error:
        # Held; or not to be tried, and then better waited for than run beside.
        logger.debug("run %s counts as alive: %s", owner, error)
        return True
    lock.release()
    _remove(path)
    return False


def _path(folder: Path, owner: str) -> Path:
    return folder / f"{owner}.lock"


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        logger.debug("%s stays: %s", path, error)
