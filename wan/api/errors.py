"""The errors of the service and of the connection to it.

Each says what happened, then what to do next, then the ids for support and for Wan Fetch Task.
"""

from __future__ import annotations

from ..errors import WanError
from ..messages import Message


class NetworkError(WanError):
    """The service could not be reached or did not respond.

    `sent` is False if no byte of the request left this machine, so that a retry is safe, and True if the request may
    have arrived. `permanent` says that a retry within seconds is useless: something must be changed first.
    """

    def __init__(self, message: str, *, sent: bool, permanent: bool = False, hint: str = "", task_id: str = "") -> None:
        super().__init__(message, hint=hint, task_id=task_id)
        self.sent = sent
        self.permanent = permanent


class UnexpectedResponse(WanError):
    """The service's response is not as documented. `http_status` is the response's."""

    def __init__(self, message: str, *, http_status: int, hint: str = "", task_id: str = "") -> None:
        super().__init__(message, hint=hint, task_id=task_id)
        self.http_status = http_status


class OutcomeUnknown(WanError):
    """A create request was sent and got no response: whether a task was created is unknown."""


class TaskUnknown(WanError):
    """The service does not know the task: a wrong id, another account's or region's, or one over 24 h old."""


class TaskCanceled(WanError):
    """The task was cancelled at the service."""


class WaitExceeded(WanError):
    """The task was still running when the wait limit was reached. It continues at the service."""


class ServiceError(WanError):
    """The service returned an error, or a task failed.

    `code` and `service_message` are the service's own. `failed` says that the task failed, and not a call. `formed`
    says that the response has the service's own form: JSON with a code and a request id. `retry` says that the same
    call may succeed later without a change, `retry_after` after how many seconds, if the service says so. `known` is
    False if only the HTTP status says what the error means.
    """

    retry = False
    retry_after: float | None = None
    known = True

    def __init__(  # noqa: PLR0913 - the fields of the service's error, all by name
        self,
        *,
        code: str,
        service_message: str,
        http_status: int,
        hint: str,
        failed: bool = False,
        formed: bool = False,
        task_id: str = "",
        request_id: str = "",
    ) -> None:
        self.code = code
        self.service_message = service_message
        self.http_status = http_status
        self.failed = failed
        self.formed = formed
        where = Message("The task failed")
        if not failed:
            where = Message("DashScope returned HTTP {status}", status=http_status)
        if code:
            where = Message("{where}, {code}", where=where, code=code)
        if service_message:
            what = Message("{where}: {reason}", where=where, reason=service_message)
        else:
            what = Message("{where}.", where=where) if code else Message("{where} without a reason.", where=where)
        super().__init__(what, hint=hint, task_id=task_id, request_id=request_id)

    @property
    def certain(self) -> bool:
        """Whether the response proves that the call had no effect. That of a gateway or firewall does not."""
        return self.http_status == 429 or (400 <= self.http_status < 500 and self.formed)

    @property
    def is_server_error(self) -> bool:
        """Whether the service itself reports an internal error, after which an effect of the call is unlikely."""
        return self.http_status >= 500 and self.formed


class AuthenticationError(ServiceError):
    """The key is wrong, or belongs to another region (401)."""


class PermissionDenied(ServiceError):
    """The account may not do this: permissions, activation, debt or quota."""


class BadRequest(ServiceError):
    """The request is invalid."""


class ContentRejected(ServiceError):
    """Moderation rejected the prompt, the image or the video."""


class RateLimited(ServiceError):
    """Too many calls at once. The same call may succeed later."""

    retry = True


class NoVideo(WanError):
    """The task succeeded without a video, or is in an undocumented state."""


class ServerError(ServiceError):
    """The service had an internal error. The same call may succeed later."""

    retry = True
