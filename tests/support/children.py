"""Child processes that are to be sent Ctrl-C."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import Any

# Windows has no such signal, but an event for all processes of a console: the child gets a console of its own, and a
# process that has none joins it for as long as it sends the event.
_OWN_CONSOLE, _NO_CONSOLE = 0x08000000, 0x8
_SEND = """
import ctypes, sys
windows = ctypes.windll.kernel32
windows.SetConsoleCtrlHandler(None, True)
sys.exit(not (windows.AttachConsole(int(sys.argv[1])) and windows.GenerateConsoleCtrlEvent(0, 0)))
"""


def start(command: list[str], **options: Any) -> subprocess.Popen[Any]:
    """Start a process in which Ctrl-C has its default effect; `options` are Popen's.

    A shell starts its background jobs with Ctrl-C ignored, and a child inherits that from the tests. A signal that has
    a handler here is one of default effect there.
    """
    if os.name == "nt":
        options["creationflags"] = _OWN_CONSOLE
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return subprocess.Popen(command, **options)  # noqa: S603 - the tests' own commands
    finally:
        signal.signal(signal.SIGINT, before)


def interrupt(child: subprocess.Popen[Any]) -> None:
    """Send Ctrl-C to a process that was started here."""
    if os.name == "nt":
        command = [sys.executable, "-c", _SEND, str(child.pid)]
        subprocess.run(command, creationflags=_NO_CONSOLE, check=True)  # noqa: S603 - the program above
    else:
        child.send_signal(signal.SIGINT)
