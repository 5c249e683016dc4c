"""Child processes that are to be sent Ctrl-C."""

from __future__ import annotations

import signal
import subprocess
from typing import Any


def start(command: list[str], **options: Any) -> subprocess.Popen[Any]:
    """Start a process in which Ctrl-C has its default effect; `options` are Popen's.

    A shell starts its background jobs with Ctrl-C ignored, and a child inherits that from the tests. A signal that has
    a handler here is one of default effect there.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return subprocess.Popen(command, **options)  # noqa: S603 - the tests' own commands
    finally:
        signal.signal(signal.SIGINT, before)
