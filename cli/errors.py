"""What goes wrong without ComfyUI around, said in words for the terminal."""

from __future__ import annotations

from collections.abc import Sequence


class StandaloneError(Exception):
    """Base of the errors whose text is enough: no traceback is needed to act on them."""


class InvalidGraphError(StandaloneError):
    """A graph cannot run. Found before any node ran, with every problem that could be found."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        listed = "\n".join(f"- {problem}" for problem in self.problems)
        super().__init__(f"The workflow cannot run, and nothing of it was run:\n{listed}")


class NodeFailedError(StandaloneError):
    """A node raised while it ran. What it raised is the cause."""

    def __init__(self, node_id: str, class_type: str, *, cause: BaseException) -> None:
        self.node_id = node_id
        self.class_type = class_type
        super().__init__(f"Node {node_id} ({class_type}) failed:\n{described(cause)}")


def described(error: BaseException) -> str:
    """An error's text; with the name of its kind where the text alone says little, as in `KeyError: 'fps'`."""
    text = str(error)
    kind = type(error)
    return text if text and kind.__module__ != "builtins" else f"{kind.__name__}: {text}"
