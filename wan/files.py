"""Files that another program has open: Windows neither replaces nor removes them meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

RETRY_DELAYS = (0.05, 0.1, 0.2, 0.4, 0.8, 1.5, 2.0)
"""Seconds before each new try. A virus scanner reads a new file for about a second."""

# ERROR_ACCESS_DENIED, ERROR_SHARING_VIOLATION, ERROR_LOCK_VIOLATION: Windows answers any of them, by what is open.
_IN_USE = (5, 32, 33)


def is_in_use(error: OSError) -> bool:
    """Tell whether an error can mean that another program has the file open; on Windows alone."""
    return getattr(error, "winerror", None) in _IN_USE


def how_to_free(error: OSError, path: Path) -> str:
    """Return what to do about a file that another program may have open; "" if the error is of another kind."""
    if not is_in_use(error):
        return ""
    return f"Close the program that has {path} open, such as a video player or a virus scanner."


def retry_in_use(error: OSError, work: Callable[..., T], *arguments: object) -> T:
    """Call `work` again, which has raised `error`, for as long as another program may have its file open. Blocks.

    Raises:
        OSError: `error`, or that of the last try.
    """
    for delay in RETRY_DELAYS:
        if not is_in_use(error):
            break
        time.sleep(delay)
        try:
            return work(*arguments)
        except OSError as again:
            error = again
    raise error
