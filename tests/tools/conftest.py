"""Makes the folders `cli` and `tools` importable under those names, whatever the repository's folder is called."""

import importlib.util
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def _load(name):
    # By path and not through sys.path: `nodes` must not become a top-level module by the way.
    folder = ROOT / name
    spec = importlib.util.spec_from_file_location(
        name, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)


for needed in ("cli", "tools"):
    if needed not in sys.modules:
        _load(needed)
