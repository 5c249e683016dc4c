"""Loads the pack by its path, whatever its folder is called, as ComfyUI does."""

from __future__ import annotations

import importlib
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import StandaloneError, described
from .loading import imported, module_name
from .messages import Message
from .schema import NodeClass


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
    name = module_name(root)
    try:
        module = imported(name, root)
        return Pack(name, dict(module.NODE_CLASS_MAPPINGS))
    except (ImportError, SyntaxError, AttributeError, OSError) as error:
        sys.modules.pop(name, None)
        raise StandaloneError(
            Message("The pack in {path} does not load:\n{reason}", path=root, reason=described(error))
        ) from error
