"""Makes the folder `cli` importable under that name, whatever the repository's folder is called."""

import importlib.util
import sys
from pathlib import Path

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
