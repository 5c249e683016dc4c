"""Loads the pack as ComfyUI does: by its path, under a name that is no import name, so that only relative imports work."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

if "wanpack" not in sys.modules:
    spec = importlib.util.spec_from_file_location(
        "wanpack", ROOT / "__init__.py", submodule_search_locations=[str(ROOT)]
    )
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["wanpack"] = module
    spec.loader.exec_module(module)
