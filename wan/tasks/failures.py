"""Failed create requests: what a failure means, and whether the request created a task."""

from __future__ import annotations

import enum
from collections.abc import Sequence

from ..api.errors import NetworkError, OutcomeUnknown, RateLimited, ServiceError, UnexpectedResponse
from ..errors import WanError
from ..messages import Message, enumeration, sentences
from .batch import ValidatedBatch


class NoResponse(OutcomeUnknown):
    """A create request whose outcome is unknown. `cause` is the error that replaced its response."""

    def __init__(self, cause: WanError) -> None:
        super().__init__(
            sentences(Message("Whether the request created a task is unknown."), cause.message),
            hint=Message("Run the same graph again: it looks for the task before it submits a new one."),
        )
        self.cause = cause

    @property
    def is_server_error(self) -> bool:
        """Whether the service itself reported an internal error."""
        return isinstance(self.cause, ServiceError) and self.cause.is_server_error

    @property
    def is_hopeless(self) -> bool:
        """Whether the same request would fail again."""
        return isinstance(self.cause, ServiceError) and self.cause.is_server_error and not self.cause.retry

    def as_not_created(self, *, proven: bool) -> WanError:
        """Return the cause, for a request whose task is not listed. `proven` is whether it certainly created none."""
        advice = self.cause.hint if self.is_hopeless else Message("Run again later.")
        certain = Message(": nothing was created or charged") if proven else ""
        self.cause.hint = sentences(
            Message("DashScope lists no task for the request{certain}.", certain=certain), advice
        )
        return self.cause


class Failure(enum.Enum):
    """The meaning of a failed create request: certainly no task, rejected, or unknown."""

    NOT_CREATED = "not created"
    REJECTED = "rejected"
    UNKNOWN = "unknown"


def classify(error: WanError) -> Failure | None:
    """Return what the error of a create request means for it; None if it means nothing."""
    unsent = isinstance(error, NetworkError) and not error.sent
    if unsent or (isinstance(error, RateLimited) and error.certain):
        return Failure.NOT_CREATED
    # Only an error in the service's own form proves that nothing was created.
    if isinstance(error, ServiceError) and error.certain:
        return Failure.REJECTED
    if isinstance(error, (NetworkError, UnexpectedResponse, ServiceError)):
        return Failure.UNKNOWN
    return None


def point_to_workspace(error: ServiceError, plan: ValidatedBatch) -> None:
    """Add a hint to the error: some models are only documented for workspace hosts."""
    if plan.model.workspace_hosts_only and not plan.endpoint.at_workspace:
        documented = Message(
            "DashScope documents {model} for workspace hosts only: enter the workspace_id in DashScope Connection, or "
            "set DASHSCOPE_BASE_URL to the workspace's URL.",
            model=plan.model.id,
        )
        error.hint = sentences(error.hint, documented)


_LOST = Message("The connection was lost before DashScope confirmed the request.")


def ledger_error(error: WanError) -> OutcomeUnknown:
    """Return the error for a lost response whose task cannot be looked for, as the ledger fails."""
    hint = Message("Fix the ledger, then run the same graph again: it looks for the task before it submits a new one.")
    return OutcomeUnknown(sentences(_LOST, error.message), hint=hint)


def ambiguous_error(tasks: Sequence[str]) -> OutcomeUnknown:
    """Return the error for a lost response after which several tasks may be the request's own."""
    return OutcomeUnknown(
        sentences(_LOST, Message("It may have created one of these tasks: {tasks}.", tasks=enumeration(tasks[:20]))),
        hint=Message(
            "Use Wan Fetch Task with these ids to check whether one is your video. To submit the request again, which "
            "is charged, change the seed."
        ),
    )


def unproven_error(reason: str, *, is_final: bool) -> OutcomeUnknown:
    """Return the error for a lost response whose task is not listed, which proves nothing for this reason."""
    missing = Message("Its task is not listed, but {reason}, so it may still exist.", reason=reason)
    later = "" if is_final else Message("Run the same graph again within 24 hours to look again.")
    until = Message(
        "The request is not submitted again until that is certain. Check the task list or the bill in the DashScope "
        "console. To submit it now, and possibly pay twice, change the seed."
    )
    return OutcomeUnknown(sentences(_LOST, missing), hint=sentences(later, until))
