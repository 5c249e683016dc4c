"""`python dev.py fetch TASK_ID`: saves the video of a task, as the node Wan Fetch Task does."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .engine import INTERRUPTED, add_home, answered, opened_engine, output_folder
from .errors import StandaloneError
from .loading import ROOT
from .messages import Message, say, shown
from .run import until_stopped
from .terminal import terminal_for

PREFIX = "wan/task"
"""Where the video is saved in the folder, as the node's default."""


class _Monitor:
    """The terminal in the place of a node. Ctrl-C cancels the run."""

    def __init__(self, task_id: str) -> None:
        self._terminal = terminal_for(sys.stderr, titles={task_id: task_id})
        self._name = task_id

    def report(self, fraction: float, text: Any) -> None:
        """Show the progress."""
        self._terminal.progress(self._name, fraction, shown(text))

    def raise_if_interrupted(self) -> None:
        """Do nothing."""

    async def wait_for_interrupt(self) -> None:
        """Wait for ever."""
        await asyncio.Event().wait()

    def close(self) -> None:
        """Show the last text."""
        self._terminal.settle(self._name)


def main(arguments: Sequence[str], *, root: Path = ROOT) -> int:
    """Save the video and print its path. Returns the exit status. `root` is the pack's folder as it was called."""
    parser = argparse.ArgumentParser(
        prog="dev.py fetch",
        description=shown(Message("Saves the video of a task, waiting while the task still runs. Free of charge.")),
    )
    parser.add_argument(
        "task_id", metavar="TASK_ID", help=shown(Message("as in `dev.py tasks`, an error or a receipt"))
    )
    default = output_folder(root)
    parser.add_argument("--out", type=Path, metavar="DIR", default=default, help=shown(Message("default: %(default)s")))
    add_home(parser)
    options = parser.parse_args(arguments)
    try:
        return answered(lambda: _run(options, root=root), root=root)
    except asyncio.CancelledError:
        say(Message("Interrupted. Run the same command again to go on."))
        return INTERRUPTED


def _run(options: argparse.Namespace, *, root: Path) -> int:
    modules, settings = opened_engine(options.home, root=root)
    fetch, endpoint = modules("tasks.fetch_task"), modules("api.endpoint")
    known = modules("tasks.history").find_task(settings.home, options.task_id, url=settings.ledger_url)
    if known and modules("catalog.regions").REGIONS[known.region].simulated:
        raise StandaloneError(
            Message("The task was made in offline mode, whose videos end with ComfyUI. Run its graph again.")
        )
    request = fetch.FetchRequest(
        options.task_id,
        output_folder=options.out.expanduser().absolute(),
        filename_prefix=PREFIX,
        home=settings.home,
        connection=endpoint.Connection(region=known.region) if known else endpoint.Connection(),
    )
    # A key may be pasted in its place.
    monitor = _Monitor(modules("redaction").redact(options.task_id))
    try:
        video = until_stopped(fetch.fetch_video(request, monitor=monitor))
    finally:
        monitor.close()
    print(video.path)
    return 0
