"""Loads the pack by its path, whatever its folder is called, as ComfyUI does."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from .errors import StandaloneError, described
from .schema import NodeClass

ROOT = Path(__file__).resolve().parent.parent
"""The pack's folder."""


@dataclass(frozen=True)
class Pack:
    """A loaded pack."""

    name: str
    classes: dict[str, NodeClass]

    def module(self, name: str) -> Any:
        """One of its modules, such as "nodes.host"."""
        return importlib.import_module(f"{self.name}.{name}")


def load_pack(root: Path) -> Pack:
    """Import the package in a folder.

    Raises:
        StandaloneError: it cannot be imported.
    """
    # ComfyUI names a pack's module after its path too; a dot would split the name.
    name = str(root).replace(".", "_")
    try:
        module = _imported(name, root)
        return Pack(name, dict(module.NODE_CLASS_MAPPINGS))
    except (ImportError, SyntaxError, AttributeError, OSError) as error:
        sys.modules.pop(name, None)
        raise StandaloneError(f"The pack in {root} does not load:\n{described(error)}") from error


def load_engine(root: Path) -> Callable[[str], Any]:
    """Return what imports a module of the pack's engine, such as "ledger.ledger". The nodes and PyTorch stay out.

    Raises:
        ImportError: it cannot be imported.
    """
    name = str(root / "wan").replace(".", "_")
    _imported(name, root / "wan")
    return lambda module: importlib.import_module(f"{name}.{module}")


def _imported(name: str, root: Path) -> ModuleType:
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, root / "__init__.py", submodule_search_locations=[str(root)])
    if spec is None or spec.loader is None:
        raise ImportError(f"{root} holds no package")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
