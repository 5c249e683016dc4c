"""What can go wrong between us and the service, and what to do about each.

Every message says what happened, then what to do next, then the ids that support or Wan Fetch Task want.
"""

from __future__ import annotations

from ..errors import WanError


class NetworkError(WanError):
    """The service could not be reached or did not answer.

    `sent` is False where no byte of the request left this machine, so that sending it again is safe, and True where it
    may have arrived. `permanent` tells that trying again within seconds is of no use: something has to be changed.
    """

    def __init__(self, message: str, *, sent: bool, permanent: bool = False, hint: str = "", task_id: str = "") -> None:
        super().__init__(message, hint=hint, task_id=task_id)
        self.sent = sent
        self.permanent = permanent


class UnexpectedResponse(WanError):
    """The service's response is not of the form its documents describe. `http_status` is the response's."""

    def __init__(self, message: str, *, http_status: int, hint: str = "", task_id: str = "") -> None:
        super().__init__(message, hint=hint, task_id=task_id)
        self.http_status = http_status


class OutcomeUnknown(WanError):
    """A create call was sent and its response did not come: whether a task was created is not known."""


class TaskUnknown(WanError):
    """The service does not know the task: a wrong id, another account's or region's, or one over 24 h old."""


class TaskCanceled(WanError):
    """The task was cancelled at the service."""


class WaitExceeded(WanError):
    """The task was still running when the waiting limit was reached. It goes on at the service."""


class ServiceError(WanError):
    """The service refused a call, or a task failed.

    `code` and `service_message` are the service's own words; `failed` tells that it is the task that failed, and no
    call. `formed` tells that the response has the service's own form: JSON with a code and a request id. `retry` tells
    whether the same call may succeed later without any change, `retry_after` after how many seconds where the service
    says so; `known` is False where nothing but its status says what it means.
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
        where = "The task failed" if failed else f"The service refused the call (HTTP {http_status})"
        text = f": {service_message}" if service_message else "." if code else "; the service gave no reason."
        what = f"{where}, {code}{text}" if code else f"{where}{text}"
        super().__init__(what, hint=hint, task_id=task_id, request_id=request_id)

    @property
    def certain(self) -> bool:
        """Whether the response proves that the call did nothing: what a gateway or a firewall says does not."""
        return self.http_status == 429 or (400 <= self.http_status < 500 and self.formed)

    @property
    def is_server_error(self) -> bool:
        """Whether the service itself says that it had an error of its own: it all but proves that nothing was done."""
        return self.http_status >= 500 and self.formed


class AuthenticationError(ServiceError):
    """The key is wrong, or belongs to another region (401)."""


class PermissionDenied(ServiceError):
    """The account may not do this: rights, activation, debt or quota."""


class BadRequest(ServiceError):
    """Something in the request does not fit."""


class ContentRejected(ServiceError):
    """Moderation refused the prompt, the image or the video."""


class RateLimited(ServiceError):
    """Too many calls at once. The same call may pass later."""

    retry = True


class NoVideo(WanError):
    """The task succeeded and there is no video, or it is in a state that this version does not know."""


class ServerError(ServiceError):
    """The service had an error of its own. The same call may pass later."""

    retry = True
