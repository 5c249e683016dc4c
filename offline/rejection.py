"""What is found wrong in a create call only after it was taken: the task then fails, in the service's own style.

Fields are judged as recorded of the service: "Field required: input.media", "Input should be '1080P' or '720P':
parameters.resolution", "Duration should be between 2 and 15"; all of them at once, joined by " & ".
"""

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


@dataclass(frozen=True)
class Failure:
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
        self.failure = Failure(code, message)


def required(name: str) -> str:
    """Say that a field is missing."""
    return f"Field required: {name}"


def mistyped(name: str, kind: type) -> str:
    """Say that a field has a value of another type than `kind`."""
    return f"Input should be {_TYPES[kind]}: {name}"


def one_of(name: str, values: Sequence[object]) -> str:
    """Say that a field has another value than these."""
    words = [repr(value) for value in values]
    return f"Input should be {' or '.join(filter(None, (', '.join(words[:-1]), words[-1])))}: {name}"


def not_made(what: str, model: Model) -> TaskRejected:
    """Say that the service has something which the mock server has not."""
    return TaskRejected(f"Offline mode makes no {what} with {model.id}; DashScope does.")
