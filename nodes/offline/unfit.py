"""What is found wrong in a create call only after it was taken: the task then fails, in the service's own style."""

from __future__ import annotations

from dataclasses import dataclass

from ..service.model import Model


@dataclass(frozen=True)
class Failure:
    """The code and message that a failed task shows."""

    code: str
    message: str


class UnfitError(Exception):
    """The body, or a file it names, does not fit. The task will fail with `failure`."""

    def __init__(self, message: str, *, code: str = "InvalidParameter") -> None:
        super().__init__(message)
        self.failure = Failure(code, message)


def required(name: str) -> UnfitError:
    """Say that a field is missing."""
    return UnfitError(f"Field required: {name}")


def invalid(name: str) -> UnfitError:
    """Say that a field has a value of a wrong type, or one that is not allowed."""
    return UnfitError(f"Required parameter({name}) missing or invalid, please check the request parameters.")


def not_taken(name: str, model: Model) -> UnfitError:
    """Say that a model has no such field."""
    return UnfitError(f"Required parameter({name}) missing or invalid: {model.id} does not take it.")


def not_made(what: str, model: Model) -> UnfitError:
    """Say that the service has something which the stand-in has not."""
    return UnfitError(f"The offline stand-in makes no {what} with {model.id}; the service itself does.")
