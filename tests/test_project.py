"""The project's own promises about its files that no linter holds: pyproject.toml has the others."""

from __future__ import annotations

import re
import sys
from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parent.parent


def requirements():
    lines = (ROOT / "requirements.txt").read_text("utf-8").splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def test_requirements_txt_says_what_pyproject_says():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert requirements() == project["dependencies"]


def test_torch_is_comfyuis_to_bring():
    names = {re.split(r"[^A-Za-z0-9_-]", line)[0].lower() for line in requirements()}
    assert "requests" in names
    assert not names & {"torch", "torchvision", "torchaudio"}
