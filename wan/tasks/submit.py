"""Submitting a request: at most one task is created, whatever happens to the connection."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from ..api.errors import (
    AuthenticationError,
    NetworkError,
    OutcomeUnknown,
    RateLimited,
    ServiceError,
    UnexpectedResponse,
)
from ..errors import WanError
from ..ledger.database import LedgerUnavailable
from ..ledger.record import Record, State
from . import retry
from .context import RunContext
from .interrupt import cancel_if_queued
from .progress import Progress
from .reconcile import RESPONSE_LOST_SECONDS, SERVER_ERROR_SECONDS, OwnTask, reconcile
from .retry import UNKNOWN_THROTTLE_TIMEOUT, backoff, now, sleep_with_countdown

logger = logging.getLogger("dashscope_wan")

MAX_CONNECT_ATTEMPTS = 5
"""Tries to open a connection."""

THROTTLE_TIMEOUT = 15 * 60.0
"""Seconds to retry a request that is throttled, or whose response was lost without a task."""

UNKNOWN_TASK_ID = "00000000-0000-0000-0000-000000000000"


@dataclass(frozen=True)
class CreateRequest:
    """A create request ready to be sent: its JSON body, its path, and whether it names an upload.

    `rate_limit` is in requests a second for `model_name`, the model's name in the region. `price` is the status text's
    note on the cost.
    """

    body: bytes
    path: str
    uses_uploads: bool
    rate_limit: float
    model_name: str
    price: str = ""


class _NoResponse(OutcomeUnknown):
    """A create request whose outcome is unknown. `cause` is the error that replaced its response."""

    def __init__(self, cause: WanError) -> None:
        super().__init__(
            f"Whether the request created a task is unknown. {cause.message}",
            hint="Run the same graph again: it looks for the task before it submits a new one.",
        )
        self.cause = cause

    @property
    def is_server_error(self) -> bool:
        """Whether the service itself reported an internal error."""
        return isinstance(self.cause, ServiceError) and self.cause.is_server_error


async def submit(record: Record, create: CreateRequest, own: OwnTask, *, context: RunContext, report: Progress) -> None:
    """Create the task of a record and save its id.

    A request that certainly did not arrive is sent again. One that may have arrived is reconciled, and only sent again
    if it is proven that no task was created. `own` identifies the request's task.

    Raises:
        OutcomeUnknown: whether a task was created cannot be determined. The record says so for the next run.
        LedgerUnavailable: the record cannot be saved; nothing was sent.
        ServiceError: the service rejected the request; nothing was created.
        NetworkError: the service cannot be reached; nothing was created.
    """
    since, trusted = now(), 0
    while True:
        try:
            await _send_with_retries(record, create, context=context, report=report)
        except _NoResponse as error:
            # After one server error a task is unlikely, and a short search suffices. After two, a proof is required.
            trusted += error.is_server_error
            seconds = SERVER_ERROR_SECONDS if error.is_server_error and trusted == 1 else RESPONSE_LOST_SECONDS
            if await reconcile(record, own, seconds=seconds, context=context, report=report):
                return
            # Moderation, for example, may come as a server error: the same request would fail again.
            hopeless = isinstance(error.cause, ServiceError) and error.is_server_error and not error.cause.retry
            if hopeless or now() - since > THROTTLE_TIMEOUT:
                advice = error.cause.hint if hopeless else "Run again later."
                proven = ": nothing was created or charged" if seconds == RESPONSE_LOST_SECONDS else ""
                error.cause.hint = f"DashScope lists no task for the request{proven}. {advice}"
                raise error.cause from None
        else:
            return


async def sync_service_clock(context: RunContext, *, first: bool) -> None:
    """Query the service's time, free of charge, if it is not known. A bad key or network fails here.

    `first` is True if the request was never sent before.

    Raises:
        AuthenticationError, RateLimited, NetworkError, UnexpectedResponse: nothing was sent.
    """
    if context.is_free or context.client.clock.now():
        return
    await retry.acquire_rate_limit("query", per_second=retry.QUERIES_PER_SECOND)
    try:
        await context.to_thread(context.client.get_task, UNKNOWN_TASK_ID)
    except (AuthenticationError, RateLimited, NetworkError, UnexpectedResponse) as error:
        error.task_id = ""
        error.hint = f"{error.hint} Nothing was sent.".strip() if first else error.hint
        raise
    except ServiceError as error:
        # The key may still be allowed to create tasks: the create request will show.
        logger.debug("the service's time is unknown: %s", error.message)


async def _send_with_retries(record: Record, create: CreateRequest, *, context: RunContext, report: Progress) -> None:
    unreached = throttled = 0
    since = now()
    while True:
        try:
            async with context.create_lock:
                await sync_service_clock(context, first=record.id not in context.sent_at)
                await retry.acquire_rate_limit(
                    "submit", context.account, create.model_name, per_second=create.rate_limit
                )
                report(0.05, f"submitting{create.price}")
                await _create_in_thread(record, create, context=context)
        except (NetworkError, UnexpectedResponse) as error:
            # A create request that may have arrived raises _NoResponse instead.
            unreached += 1
            if getattr(error, "permanent", False) or unreached >= MAX_CONNECT_ATTEMPTS:
                raise
            await sleep_with_countdown(backoff(unreached), _countdown(report, f"{error.message} Retrying in"))
        except RateLimited as error:
            throttled += 1
            if now() - since > (THROTTLE_TIMEOUT if error.known else UNKNOWN_THROTTLE_TIMEOUT):
                raise
            delay = backoff(throttled, retry_after=error.retry_after)
            await sleep_with_countdown(delay, _countdown(report, "rate limited by DashScope; retrying in"))
        else:
            return


def _countdown(report: Progress, text: str) -> Callable[[float], None]:
    return lambda left: report(0.05, f"{text} {left:.0f} s")


async def _create_in_thread(record: Record, create: CreateRequest, *, context: RunContext) -> None:
    """Send the create request in a thread.

    If this is interrupted, the thread continues alone and cancels the created task if it is still queued. The thread
    and its caller both take the handoff lock when they finish: whichever finishes second cleans up.
    """
    handoff = threading.Lock()
    record.state, record.sent_at, record.account = State.PENDING_SUBMIT.value, time.time(), context.account
    record.service_sent_at = context.client.clock.now()
    context.sent_at[record.id] = now()
    sent = replace(record)
    try:
        await context.to_thread(_create, sent, create, context=context, handoff=handoff)
    finally:
        if not handoff.acquire(blocking=False):
            vars(record).update(vars(sent))


def _create(record: Record, create: CreateRequest, *, context: RunContext, handoff: threading.Lock) -> None:
    """Record that the create request is sent, send it, and record its outcome."""
    try:
        context.persist(record)
    except LedgerUnavailable:
        record.sent_at = record.service_sent_at = 0.0
        handoff.acquire(blocking=False)
        raise
    try:
        created = context.client.create_task(create.body, path=create.path, uses_uploads=create.uses_uploads)
    except WanError as error:
        failure = _classify_failure(record, error, context=context)
        if not handoff.acquire(blocking=False):
            logger.warning("The create request in flight at Stop failed: %s", failure)
        if failure is error:
            raise
        raise failure from error
    context.update_sync(
        record,
        state=State.SUBMITTED.value,
        task_id=created.task_id,
        request_id=created.request_id,
        submitted_at=time.time(),
    )
    if not handoff.acquire(blocking=False):
        cancel_if_queued(record, context=context)


def _classify_failure(record: Record, error: WanError, *, context: RunContext) -> WanError:
    """Record what a failed create request means, and return the error to raise."""
    unsent = isinstance(error, NetworkError) and not error.sent
    if unsent or (isinstance(error, RateLimited) and error.certain):
        context.update_sync(record, sent_at=0.0, service_sent_at=0.0)
        return error
    # Only an error in the service's own form proves that nothing was created.
    if isinstance(error, ServiceError) and error.certain:
        note = f"{error.message}\n{error.hint}".strip()
        context.update_sync(record, state=State.FAILED.value, error=note, request_id=error.request_id)
        return error
    if isinstance(error, (NetworkError, UnexpectedResponse, ServiceError)):
        context.update_sync(record, state=State.OUTCOME_UNKNOWN.value, error=error.message)
        return _NoResponse(error)
    return error
