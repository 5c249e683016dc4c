"""The hint for each error of the service, by its code and message.

Source: the service's error-code page (2026-05-25) and recorded responses.
"""

from __future__ import annotations

import re

from ..frozen import frozen
from ..messages import Message, sentences
from .errors import (
    AuthenticationError,
    BadRequest,
    ContentRejected,
    PermissionDenied,
    RateLimited,
    ServerError,
    ServiceError,
)


@frozen
class _Advice:
    """The meaning of an error code. `contains`, if set, must occur in the message; the first matching row counts."""

    code: str
    error: type[ServiceError]
    hint: str
    contains: str = ""


_FREE = Message("Nothing was charged.")
_CHECK_KEY = Message(
    "Check the key: it must belong to the region in use, be complete and without spaces. A key works in one "
    "region only; choose the region in DashScope Connection."
)
_ACTIVATE = Message(
    "Activate Model Studio and the model in the region's console with the main account, then run again."
)
_BUDGET = Message(
    "The account's budget or quota is used up, or a bill is overdue: raise the budget in the console (Budget "
    "Management, Model Studio) or settle the bill, then run again."
)
_WORKSPACE = Message(
    "The key belongs to another workspace than the URL: enter the key's own workspace_id in DashScope "
    "Connection, or check DASHSCOPE_BASE_URL."
)
_HEADER_LOST = Message(
    "A proxy or gateway removed an X-DashScope header from the request. Configure it to pass these headers on."
)
_NO_PERSON = Message(
    "The image must show a person (or as many as the effect needs) clearly and from the front: use another image."
)
_TOP_UP = Message("Settle the bill in the console, wait a few minutes, then run again.")
_RIGHTS = Message(
    "Use a key of the default workspace, or have an administrator grant this workspace access to the model."
)
_OTHER_CONTENT = Message("Change the prompt or the image; the same request would be rejected again.")
_OWN_RULE = Message("A rule of your own account blocked this request. Change the rule or the input.")
_NEW_FILE = Message("Use another file: the message names the limit.")
_MODEL_NAME = Message(
    "This region does not offer the model. Choose another model, or another region in DashScope Connection."
)
_EXPIRED = Message("Run again: the upload policy had expired.")
_LATER = Message("Wait a minute and run again.")
_AGAIN = Message("This is an error at DashScope. Run again.")
_UNREACHABLE = Message(
    "DashScope could not load a file that the request names: run again. If it is the audio of audio_url, connect "
    "an AUDIO instead, or use a URL that can be reached from the region."
)

_ADVICE = (
    _Advice("InvalidApiKey", AuthenticationError, _CHECK_KEY),
    _Advice(
        "NOT AUTHORIZED",
        AuthenticationError,
        Message("Check workspace_id in DashScope Connection: it must be the key's own."),
    ),
    _Advice("invalid access token", AuthenticationError, _CHECK_KEY),
    _Advice(
        "AccessDenied",
        PermissionDenied,
        Message("Run again: the upload policy had expired."),
        contains="policy expired",
    ),
    _Advice("AccessDenied", PermissionDenied, _MODEL_NAME, contains="asynchronous calls"),
    _Advice("AccessDenied", PermissionDenied, _HEADER_LOST, contains="synchronous calls"),
    _Advice("AccessDenied.Unpurchased", PermissionDenied, _ACTIVATE),
    _Advice("AccessDenied", PermissionDenied, _ACTIVATE),
    _Advice("Model.AccessDenied", PermissionDenied, _RIGHTS),
    _Advice("App.AccessDenied", PermissionDenied, _RIGHTS),
    _Advice("Workspace.AccessDenied", PermissionDenied, _RIGHTS),
    _Advice("Endpoint.AccessDenied", PermissionDenied, _WORKSPACE),
    _Advice(
        "AllocationQuota.FreeTierOnly",
        PermissionDenied,
        Message(
            "The model's free quota is used up: switch off 'use free tier only' in the console, or choose another "
            "model."
        ),
    ),
    _Advice("Arrearage", PermissionDenied, _TOP_UP),
    _Advice("CommodityNotPurchased", PermissionDenied, _TOP_UP),
    _Advice("PrepaidBillOverdue", PermissionDenied, _TOP_UP),
    _Advice("PostpaidBillOverdue", PermissionDenied, _TOP_UP),
    _Advice("ModelNotFound", BadRequest, _MODEL_NAME),
    _Advice("model_not_supported", BadRequest, _MODEL_NAME),
    _Advice("WorkSpaceNotFound", BadRequest, Message("Check workspace_id in DashScope Connection.")),
    _Advice("InvalidParameter", BadRequest, _MODEL_NAME, contains="model not exist"),
    _Advice("InvalidParameter", BadRequest, _MODEL_NAME, contains="url error"),
    _Advice("InvalidParameter", ContentRejected, _OTHER_CONTENT, contains="green network"),
    _Advice("InvalidParameter", BadRequest, _HEADER_LOST, contains="scheme must be"),
    _Advice("InvalidParameter", BadRequest, _UNREACHABLE, contains="download"),
    _Advice("InvalidParameter", BadRequest, _UNREACHABLE, contains="media resource"),
    _Advice("InvalidParameter", BadRequest, _NEW_FILE, contains="image"),
    _Advice("InvalidParameter", BadRequest, Message("Change the named parameter and run again.")),
    _Advice("InvalidURL.ConnectionRefused", BadRequest, _UNREACHABLE),
    _Advice("InvalidURL.Timeout", BadRequest, _UNREACHABLE),
    _Advice("InvalidURL", BadRequest, _NEW_FILE, contains="audio"),
    _Advice("InvalidURL", BadRequest, _NEW_FILE, contains="file"),
    _Advice("InvalidURL", BadRequest, _UNREACHABLE),
    _Advice("InvalidImageResolution", BadRequest, _NEW_FILE),
    _Advice("InvalidImageFormat", BadRequest, _NEW_FILE),
    _Advice("DownloadFailed", BadRequest, _UNREACHABLE),
    *(_Advice(code, BadRequest, _NO_PERSON) for code in ("NoHuman", "MultiHuman", "FullBody", "FacePose", "BodyPose")),
    _Advice("InvalidImage", BadRequest, _NEW_FILE),
    _Advice("InvalidFile", BadRequest, _NEW_FILE),
    _Advice("BadRequest.TooLarge", BadRequest, Message("The request is too large: use a smaller image.")),
    _Advice("BadRequest", BadRequest, Message("Please report this: DashScope could not parse the request body.")),
    _Advice("DataInspectionFailed", ContentRejected, _OTHER_CONTENT),
    _Advice("IPInfringementSuspect", ContentRejected, _OTHER_CONTENT),
    _Advice("CustomRoleBlocked", ContentRejected, _OWN_RULE),
    _Advice("FaqRuleBlocked", ContentRejected, _OWN_RULE),
    _Advice("UnsupportedOperation", BadRequest, Message("Only a task that is still queued can be cancelled.")),
    _Advice("Throttling.AllocationQuota", PermissionDenied, _BUDGET, contains="free allocated quota"),
    _Advice("insufficient_quota", PermissionDenied, _BUDGET),
    _Advice("Throttling", RateLimited, _LATER),
    _Advice("LimitRequests", RateLimited, _LATER),
    _Advice("limit_burst_rate", RateLimited, _LATER),
    _Advice("ResourceExhausted", RateLimited, _LATER),
    _Advice(
        "RewriteFailed",
        ServerError,
        Message("DashScope could not rewrite the prompt: run again, or switch prompt_extend off."),
    ),
    _Advice(
        "InternalError.Timeout",
        ServerError,
        Message("DashScope abandoned the task after hours without a result. Run again."),
    ),
    _Advice("ModelServingError", ServerError, _LATER),
    _Advice("ServiceUnavailable", ServerError, _LATER),
    _Advice("ModelUnavailable", ServerError, _LATER),
    _Advice("InternalError", ServerError, _AGAIN),
    _Advice("SystemError", ServerError, _AGAIN),
    _Advice("ModelServiceFailed", ServerError, _AGAIN),
    _Advice("RequestTimeOut", ServerError, _AGAIN),
    _Advice("ResponseTimeout", ServerError, _AGAIN),
)

_ACCOUNT_WORDS = (
    "budget|overdue|arrear|free quota|free allocated quota|commodity|insufficient balance"
    "|\u4f59\u989d|\u903e\u671f|\u9884\u7b97|\u989d\u5ea6|\u6b20\u8d39"
)
"""Budget, used-up quota and debt, in English and Chinese."""

_BY_STATUS: dict[int, tuple[type[ServiceError], str]] = {
    401: (AuthenticationError, _CHECK_KEY),
    403: (
        PermissionDenied,
        Message(
            "A firewall or proxy may have blocked the request, or the account may not use this model: check the "
            "network and DASHSCOPE_BASE_URL, then the model in the region's console."
        ),
    ),
    404: (BadRequest, Message("Check DASHSCOPE_BASE_URL and workspace_id: there is no API at this URL.")),
    413: (BadRequest, Message("The request is too large: use a smaller image.")),
    429: (RateLimited, _LATER),
}


def service_error(  # noqa: PLR0913 - the fields of the service's error, all by name
    *,
    code: str,
    message: str,
    http_status: int,
    failed: bool = False,
    formed: bool = False,
    task_id: str = "",
    request_id: str = "",
) -> ServiceError:
    """Return the error of a rejected call, or of a task that `failed`, from the service's code and message.

    A code is looked up whole, then by its parts, the last ones first (`InternalError.Algo.InvalidParameter` by
    `InvalidParameter`, `InternalError.Algo.InvalidFile.Size` by `InvalidFile`), in any spelling (`InvalidApiKey`,
    `invalid_api_key`). An unknown code is classified by its HTTP status.
    """
    known = _account_matter(code, message, http_status=http_status) or _look_up(code, message)
    kind, hint = known or _BY_STATUS.get(http_status) or _fallback(message, http_status=http_status)
    # A 429 with the code of another error is unknown throttling.
    recognised = known is not None and (http_status != 429 or kind in (RateLimited, PermissionDenied))
    if http_status == 429 and kind not in (RateLimited, PermissionDenied):
        kind = RateLimited
    if 400 <= http_status < 500 and http_status != 429 and kind.retry:
        # A client error is permanent, whatever family its code belongs to.
        kind = BadRequest
    error = kind(
        code=code,
        service_message=message,
        http_status=http_status,
        hint=hint,
        failed=failed,
        formed=formed,
        task_id=task_id,
        request_id=request_id,
    )
    error.known = recognised
    # Failed tasks and rejected create requests are free. An error of a query says nothing about its task.
    if failed or (error.certain and not task_id):
        error.hint = sentences(hint, _FREE)
    return error


def _account_matter(code: str, message: str, *, http_status: int) -> tuple[type[ServiceError], str] | None:
    """Tell budget and debt errors, which no retry solves, from throttling: both come as 429."""
    said = f"{code} {message}".lower()
    return (PermissionDenied, _BUDGET) if http_status in (403, 429) and re.search(_ACCOUNT_WORDS, said) else None


def _look_up(code: str, message: str) -> tuple[type[ServiceError], str] | None:
    text = message.lower()
    name = _plain(code)
    parts = name.split(".")
    for one in (".".join(parts[first:last]) for last in range(len(parts), 0, -1) for first in range(last)):
        for row in _ADVICE:
            if one and _plain(row.code) == one and row.contains in text:
                return row.error, row.hint
    return None


def _plain(code: str) -> str:
    return code.lower().replace("_", "")


def _fallback(message: str, *, http_status: int) -> tuple[type[ServiceError], str]:
    if http_status >= 500:
        return ServerError, _AGAIN
    if message:
        return BadRequest, Message("DashScope's message names the problem.")
    return BadRequest, Message("Run again; if it happens again, look up the request in the DashScope console.")
