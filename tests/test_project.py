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


MODULES = [path for name in ("nodes", "wan", "offline", "cli") for path in (ROOT / name).rglob("*.py")]
MAX_LINES = 320


def test_every_module_can_be_read_in_one_go():
    assert len(MODULES) > 50
    lengths = {path.relative_to(ROOT).as_posix(): len(path.read_text("utf-8").splitlines()) for path in MODULES}
    assert {name: lines for name, lines in lengths.items() if lines > MAX_LINES} == {}


def test_one_module_moves_records_from_state_to_state():
    writing = re.compile(r"record.state = |update(_sync)?\([^()]*state=|replace\([^()]*state=")
    found = {path.relative_to(ROOT).as_posix() for path in MODULES if writing.search(path.read_text("utf-8"))}
    assert found == {"wan/tasks/generation.py"}


def test_a_public_class_has_a_name_of_its_own():
    names = [name for path in MODULES for name in re.findall(r"(?m)^class ([A-Z]\w*)", path.read_text("utf-8"))]
    assert sorted(names) == sorted(set(names))
