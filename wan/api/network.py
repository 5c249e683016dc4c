"""Network failures as errors."""

from __future__ import annotations

from ..net.cause import cause_of
from ..net.http import Deadline
from .errors import NetworkError


def network_error(error: Exception, url: str, *, limit: Deadline, task_id: str = "") -> NetworkError:
    """Return the error of a failed request, which says whether the request may have been sent.

    Raise it outside of the `except` block: the exception holds the request with the key.
    """
    cause = cause_of(error, url, limit=limit)
    return NetworkError(cause.message, sent=limit.sent, permanent=cause.permanent, hint=cause.hint, task_id=task_id)
