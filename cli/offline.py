"""`python dev.py offline`: the mock server for the service, on its own."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from .errors import StandaloneError
from .loading import ROOT
from .messages import Message, say, shown, tell
from .pack import load_pack

DEFAULT_PORT = 8790


def main(arguments: Sequence[str], *, root: Path = ROOT) -> int:
    """Serve until Ctrl-C."""
    parser = argparse.ArgumentParser(
        prog="dev.py offline", description=shown(Message("The mock server for DashScope."))
    )
    parser.add_argument(
        "--port", type=int, default=DEFAULT_PORT, help=shown(Message("0 takes any free one (default: %(default)s)"))
    )
    options = parser.parse_args(arguments)
    # The terminal's encoding may lack the letters of the user's language.
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        serve = load_pack(root).module("offline.server").OfflineServer
        server = serve(port=options.port)
        server.start()
    except (StandaloneError, OSError, OverflowError) as error:
        say(Message("The mock server cannot start on port {port}: {reason}", port=options.port, reason=error))
        return 1
    # Shells start background jobs deaf to Ctrl-C, and the way to end those is a signal too.
    for ending in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ending, signal.default_int_handler)
    try:
        _say_how_to_reach(server.base_url, key=server.key)
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        say(Message("Stopped."))
    finally:
        server.stop()
    return 0


def _say_how_to_reach(base_url: str, *, key: str) -> None:
    export = "set" if os.name == "nt" else "export"
    tell(Message("Mock server for DashScope at {base_url} (Ctrl-C stops it), key {key}", base_url=base_url, key=key))
    print(f"{export} DASHSCOPE_BASE_URL={base_url}")
    print(f"{export} DASHSCOPE_API_KEY={key}", flush=True)
