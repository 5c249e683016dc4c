"""`<.venv's python> tools bench|docs|windows ...`, started by dev.py by its path."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

_ROOT = str(Path(__file__).resolve().parent.parent)
# For these imports only: the pack's own folders (`nodes`, `tests`) are no top-level packages in ComfyUI either.
sys.path.insert(0, _ROOT)
import cli.pack  # noqa: F401, E402 - found by the line above, and by what is imported below
import tools  # noqa: F401, E402

sys.path.remove(_ROOT)


def _main(name: str) -> Callable[[Sequence[str]], int]:
    # The bench brings torch, which the others do not need.
    if name == "bench":
        from tools.bench.main import main as bench

        return bench
    if name == "windows":
        from tools.windows import main as windows

        return windows
    from tools.docs.write import main as docs

    return docs


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1])(sys.argv[2:]))
