"""Makes the folder `cli` importable under that name, whatever the repository's folder is called."""

import importlib.util
import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def _load_cli():
    # By path and not through sys.path: `nodes` must not become a top-level module by the way.
    folder = ROOT / "cli"
    spec = importlib.util.spec_from_file_location(
        "cli", folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    module = importlib.util.module_from_spec(spec)
    sys.modules["cli"] = module
    spec.loader.exec_module(module)


if "cli" not in sys.modules:
    _load_cli()


@pytest.fixture(autouse=True)
def environment_restored():
    """A command sets variables in its own process, which here is that of the tests."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)
