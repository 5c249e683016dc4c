"""Run locks: each run holds a file lock, which the operating system releases even if the process is killed."""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ..messages import Message
from .errors import LedgerUnavailable

if TYPE_CHECKING:
    from filelock import FileLock

logger = logging.getLogger("dashscope_wan")

RENEWAL_SECONDS = 15.0
"""Seconds between two renewals of the lease of a run, where runs have leases."""

_local: set[str] = set()


@dataclass(eq=False, repr=False)
class RunLock:
    """The lock of one run, visible to other runs as `run_id` from `acquire` to `release`. `folder` holds its file."""

    folder: Path
    run_id: str = field(default_factory=partial(secrets.token_hex, 8))
    _guard: threading.Lock = field(default_factory=threading.Lock)
    _lock: FileLock | None = None

    @property
    def is_held(self) -> bool:
        """Whether the lock is acquired."""
        return self._lock is not None

    def acquire(self, _connection: object = None) -> None:
        """Acquire the lock, once.

        Raises:
            LedgerUnavailable: no lock is possible. Other processes would consider this run dead and resubmit.
        """
        from filelock import FileLock

        with self._guard:
            if self._lock is not None:
                return
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
                lock = FileLock(_path(self.folder, self.run_id), thread_local=False)
                lock.acquire(timeout=0)
            except (OSError, NotImplementedError) as error:
                raise LedgerUnavailable(
                    Message(
                        "No file in {folder} can be locked ({reason}).",
                        folder=self.folder,
                        reason=error or type(error).__name__,
                    ),
                    hint=Message(
                        "Nothing was sent. Make that folder writable, or set DASHSCOPE_WAN_HOME to a folder on "
                        "a local disk, then run again."
                    ),
                ) from error
            self._lock = lock
            _local.add(self.run_id)

    def hold(self) -> str:
        """Acquire the lock, and return how the statement begins that writes a record of the run."""
        self.acquire()
        return ""

    def release(self, _transact: object = None) -> None:
        """Release the lock."""
        with self._guard:
            if self._lock is not None:
                self._lock.release()
                _remove(_path(self.folder, self.run_id))
                self._lock = None
            _local.discard(self.run_id)

    def is_alive(self, run_id: str, connection: object = None) -> bool:  # noqa: ARG002 - a lease needs it
        """Tell whether another run is alive, in this process or in another."""
        from filelock import FileLock

        path = _path(self.folder, run_id)
        if run_id in _local or not run_id or not path.exists():
            return run_id in _local
        lock = FileLock(path, thread_local=False)
        try:
            lock.acquire(timeout=0)
        except (OSError, NotImplementedError) as error:
            # Held, or untestable: waiting for a run is safer than running beside it.
            logger.debug("run %s counts as alive: %s", run_id, error)
            return True
        lock.release()
        _remove(path)
        return False


def _path(folder: Path, run_id: str) -> Path:
    return folder / f"{run_id}.lock"


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        logger.debug("%s cannot be removed: %s", path, error)


@dataclass(eq=False, repr=False)
class Renewal:
    """Calls `renew` every few `seconds` in a thread of its own, from `start` to `stop`. It returns whether it did."""

    renew: Callable[[], bool]
    seconds: float
    _stopped: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin, once."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="wan-lease", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End. A renewal that is under way is not waited for."""
        self._stopped.set()

    def _run(self) -> None:
        done = True
        while not self._stopped.wait(self.seconds if done else min(1.0, self.seconds)):
            done = self.renew()
