"""Why a task fails, in the service's words (dashscope.md section 2.2, newer-models.md section 9)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..wan.catalog.spec import Model

_TYPES: dict[type, str] = {
    bool: "a valid boolean",
    dict: "a valid dictionary",
    int: "a valid integer",
    list: "a valid list",
    str: "a valid string",
}

BAD_MEDIA = "The media format is not supported or incorrect for the data inspection."


@dataclass(frozen=True)
class TaskFailure:
    """The code and message that a failed task shows; what is empty is left out.

    `outside` puts them beside `output` instead of into it.
    """

    code: str
    message: str
    outside: bool = False


class TaskRejected(Exception):
    """The body, or a file it names, does not fit. The task will fail with `failure`."""

    def __init__(self, *problems: str, code: str = "InvalidParameter") -> None:
        message = " & ".join(problems)
        super().__init__(message)
        self.failure = TaskFailure(code, message)


def required(name: str) -> str:
    """Say that a field is missing."""
    return f"Field required: {name}"


def wrong_type(name: str, kind: type) -> str:
    """Say that a field has to be of another type."""
    return f"Input should be {_TYPES[kind]}: {name}"


def one_of(name: str, values: Sequence[object]) -> str:
    """Say which values a field may have."""
    words = [repr(value) for value in values]
    return f"Input should be {' or '.join(filter(None, (', '.join(words[:-1]), words[-1])))}: {name}"


def not_made(what: str, model: Model) -> TaskRejected:
    """Say that the service has something which the mock server has not."""
    return TaskRejected(f"Offline mode makes no {what} with {model.id}; DashScope does.")


def together(kinds: Sequence[str]) -> str:
    """Name several types of media."""
    return " + ".join(kinds)
