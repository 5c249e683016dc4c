"""What goes wrong without ComfyUI around, said in words for the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from .messages import Message, lines


class StandaloneError(Exception):
    """Base of the errors whose text is enough: no traceback is needed to act on them."""


class InvalidGraphError(StandaloneError):
    """A graph cannot run. Found before any node ran, with every problem that could be found."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        listed = (Message("- {problem}", problem=problem) for problem in self.problems)
        super().__init__(lines(Message("The workflow cannot run, and nothing of it was run:"), *listed))


class NodeFailedError(StandaloneError):
    """A node raised while it ran. What it raised is the cause."""

    def __init__(self, node_id: str, class_type: str, *, cause: BaseException) -> None:
        self.node_id = node_id
        self.class_type = class_type
        super().__init__(
            Message("Node {node} ({type}) failed:\n{reason}", node=node_id, type=class_type, reason=described(cause))
        )


def described(error: BaseException) -> str:
    """An error's text; with the name of its kind where the text alone says little, as in `KeyError: 'fps'`."""
    kind = type(error)
    # The pack's own errors have another class in each process.
    text = error.text if kind.__module__ == "dashscope_wan" else text_of(error)  # type: ignore[attr-defined]
    return text if text and kind.__module__ != "builtins" else f"{kind.__name__}: {text}"


def text_of(error: BaseException) -> str:
    """An error's text, as a `Message` where it was made of one."""
    first = error.args[0] if error.args else None
    return first if isinstance(first, str) and hasattr(first, "template") else str(error)
