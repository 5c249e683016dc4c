"""Work that is measured in a process of its own: `dev.py bench --part NAME JSON` runs one and prints what it found."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

Part = Callable[..., Any]
_MAIN = Path(__file__).resolve().parents[1] / "__main__.py"


def command(name: str, **settings: Any) -> list[str]:
    """The command that runs a part."""
    return [sys.executable, str(_MAIN), "bench", "--part", name, json.dumps(settings)]


def measured(name: str, **settings: Any) -> Any:
    """Run a part in a fresh process and return what it found."""
    done = subprocess.run(command(name, **settings), capture_output=True, text=True, check=False)  # noqa: S603 - ours
    if done.returncode:
        raise RuntimeError(f"The part {name} of the bench failed:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def run_part(parts: Mapping[str, Part], name: str, settings: str) -> int:
    """Run a part here and print what it found as the last line."""
    print(json.dumps(parts[name](**json.loads(settings))), flush=True)
    return 0


def peak_bytes() -> int:
    """The most memory that this process has held so far."""
    # Not `ru_maxrss`, which Linux lets a child inherit.
    return _memory("VmHWM:")


def fresh_peak() -> int:
    """Forget the peak so far and return what is held now."""
    gc.collect()
    with contextlib.suppress(AttributeError):
        # What was freed would otherwise be used again, and what is measured next would seem to need nothing.
        ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    return peak_bytes()


def held_bytes() -> int:
    """The memory that this process holds now."""
    return _memory("VmRSS:")


def _memory(name: str) -> int:
    return int(Path("/proc/self/status").read_text(encoding="utf-8").partition(name)[2].split()[0]) * 1024
