"""A file that another program has open: Windows refuses to replace and to remove it, and so do these elsewhere."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from wanpack.wan import files

if os.name == "nt":
    import _winapi

GENERIC_READ, NOT_SHARED, SHARED_READ, OPEN_EXISTING = 0x80000000, 0, 1, 3


class Held:
    """A file that is held open from the beginning, until `let_go` is called. If `alone`, nobody else can open it."""

    def __init__(self, path: Path, *, alone: bool = False) -> None:
        self._closing = contextlib.ExitStack()
        if os.name == "nt":
            share = NOT_SHARED if alone else SHARED_READ
            handle = _winapi.CreateFile(str(path), GENERIC_READ, share, 0, OPEN_EXISTING, 0, 0)
            self._closing.callback(_winapi.CloseHandle, handle)
        else:
            self._closing.enter_context(_refused(path, alone=alone))

    def let_go(self) -> None:
        """Close the file."""
        self._closing.close()


@contextlib.contextmanager
def _refused(path: Path, *, alone: bool) -> Iterator[None]:
    """Refuse what Windows refuses."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("replace", "rename", "unlink", *(["open"] if alone else [])):
            patch.setattr(Path, name, _refusing(getattr(Path, name), path))
        patch.setattr(files, "LOCKS_OPEN_FILES", True)
        yield


def _refusing(real: Any, path: Path) -> Any:
    def refuse(first: Path, *others: Any, **named: Any) -> Any:
        if path in (first, *others):
            raise PermissionError(errno.EACCES, "The process cannot access the file", str(first))
        return real(first, *others, **named)

    return refuse


@contextlib.contextmanager
def held(path: Path, *, alone: bool = False, tries: int | None = None) -> Iterator[None]:
    """Hold a file open inside the `with` block, or until so many tries have failed.

    The pack's waiting takes no time.
    """
    holder, failed = Held(path, alone=alone), []

    def wait(_seconds: float) -> None:
        failed.append(path)
        if len(failed) == tries:
            holder.let_go()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "sleep", wait)
        try:
            yield
        finally:
            holder.let_go()
