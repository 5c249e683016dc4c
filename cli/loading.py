"""Loads the pack's modules by their path, whatever its folder is called."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
"""The pack's folder."""


def load_engine(root: Path) -> Callable[[str], Any]:
    """Return what imports a module of the pack's engine, such as "ledger.ledger". The nodes and PyTorch stay out.

    Raises:
        ImportError: it cannot be imported.
    """
    name = module_name(root / "wan")
    imported(name, root / "wan")
    return lambda module: importlib.import_module(f"{name}.{module}")


def module_name(root: Path) -> str:
    """Return the name of a folder's module. ComfyUI names a pack's after its path too; a dot would split the name."""
    return str(root).replace(".", "_")


def imported(name: str, root: Path) -> ModuleType:
    """Import the package in a folder under a name.

    Raises:
        ImportError: it cannot be imported.
    """
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, root / "__init__.py", submodule_search_locations=[str(root)])
    if spec is None or spec.loader is None:
        raise ImportError(f"{root} holds no package")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
