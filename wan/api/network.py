"""Calls that got no response, as errors."""

from __future__ import annotations

from ..net.cause import cause_of
from ..net.http import Deadline
from .errors import NetworkError


def network_error(error: Exception, url: str, *, limit: Deadline, task_id: str = "") -> NetworkError:
    """Say what happened on the way, and whether the request may have left.

    Raise what this returns outside of the `except` block: the exception holds the request, and that the key.
    """
    cause = cause_of(error, url, limit=limit)
    return NetworkError(cause.message, sent=limit.sent, permanent=cause.permanent, hint=cause.hint, task_id=task_id)
