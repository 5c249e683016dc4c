"""`<python> cli run|offline|key|ledger|tasks|spend|fetch ...`, started by dev.py by its path."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

_ROOT = str(Path(__file__).resolve().parent.parent)
# For this import only: the pack's own folders (`nodes`, `tests`) are no top-level packages in ComfyUI either.
sys.path.insert(0, _ROOT)
from cli import fetch, key, ledger, offline, run, spend, tasks  # noqa: E402

sys.path.remove(_ROOT)

if __name__ == "__main__":
    # A text may have letters that the terminal's encoding lacks: on Windows most do, where the output goes to a file.
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    commands: dict[str, Callable[[Sequence[str]], int]]
    # By the path that this was called by: custom_nodes may hold a link to the pack.
    called = Path(__file__).absolute().parent.parent
    commands = {"run": run.main, "offline": offline.main}
    for module in (key, ledger, tasks, spend, fetch):
        commands[module.__name__.removeprefix("cli.")] = partial(module.main, root=called)
    sys.exit(commands[sys.argv[1]](sys.argv[2:]))
