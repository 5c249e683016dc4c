"""Files that another program has open: Windows neither replaces nor removes them meanwhile."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from time import sleep
from typing import TypeVar

from .messages import Message

T = TypeVar("T")

RETRY_DELAYS = (0.05, 0.1, 0.2, 0.4, 0.8, 1.5, 2.0)
"""Seconds before each new try. A virus scanner reads a new file for about a second."""

LOCKS_OPEN_FILES = os.name == "nt"


def is_in_use(error: OSError) -> bool:
    """Tell whether an error can mean that another program has the file open."""
    # A sharing violation and a denied access are both this one, in `open` without the number that Windows has for it.
    return LOCKS_OPEN_FILES and isinstance(error, PermissionError)


def how_to_free(error: OSError, path: Path) -> str:
    """Return what to do about a file that another program may have open; "" if the error is of another kind."""
    if not is_in_use(error):
        return ""
    return Message(
        "Close the program that has {path} open, such as a video player or a virus scanner; if none has, make it "
        "writable.",
        path=path,
    )


def when_free(work: Callable[[], T]) -> T:
    """Return what `work` does with a file, which is tried for as long as another program may have it open. Blocks.

    Raises:
        OSError: raised by the last try.
    """
    for delay in RETRY_DELAYS:
        try:
            return work()
        except OSError as error:
            if not is_in_use(error):
                raise
        sleep(delay)
    return work()
