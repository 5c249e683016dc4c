"""The pinned frontends: wheels from the package index, unpacked once beside the environment that runs the tests."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

PINS = Path(__file__).resolve().parent.parent / "frontends.txt"
_PACKAGE = "comfyui-frontend-package"


def versions() -> list[str]:
    """Return the pinned versions, oldest first."""
    return re.findall(rf"^{_PACKAGE}==(\S+)$", PINS.read_text(encoding="ascii"), re.MULTILINE)


OLDEST, NEWEST = versions()[0], versions()[-1]
# Nodes 2.0 is a draft in the oldest version: it drops core's own text widgets.
CANVAS = ((OLDEST, "canvas"), (NEWEST, "canvas"))
NODES2 = ((NEWEST, "nodes2"),)
BETWEEN = tuple((version, renderer) for version in versions()[1:-1] for renderer in ("canvas", "nodes2"))
ONE = ((NEWEST, "canvas"),)
"""For what the pack's own code computes, whatever is around it."""
ALL = CANVAS + BETWEEN + NODES2


class NotInstalled(Exception):
    """pip could not bring a frontend."""


def static_folder(version: str) -> Path:
    """Return the folder of a frontend's files; the first call for a version lets pip download it.

    Raises:
        NotInstalled: it cannot be had.
    """
    folder = _cache() / version
    if not folder.is_dir():
        _install(version, folder)
    return folder / "comfyui_frontend_package" / "static"


def _cache() -> Path:
    inside = sys.prefix != sys.base_prefix
    return (Path(sys.prefix) if inside else PINS.parents[2] / ".venv") / "frontends"


def _install(version: str, folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(dir=folder.parent))
    command = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-input", "--no-deps"]
    try:
        done = subprocess.run(  # noqa: S603 - pinned names
            [*command, "--target", str(fresh), f"{_PACKAGE}=={version}"], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise NotInstalled(f"{_PACKAGE}=={version}: {done.stderr.strip()[-400:]}")
        for source_map in fresh.rglob("*.map"):
            source_map.unlink()
        if not folder.is_dir():
            fresh.replace(folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
