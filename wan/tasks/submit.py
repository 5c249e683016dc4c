"""Submitting a request: at most one task comes of it, whatever happens on the way."""

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
"""How often a connection that cannot even be made is tried."""

THROTTLE_TIMEOUT = 15 * 60.0
"""How long throttling, and answers that are lost with nothing created, are waited out."""

UNKNOWN_TASK_ID = "00000000-0000-0000-0000-000000000000"


@dataclass(frozen=True)
class CreateRequest:
    """A create call that is ready to be sent: its JSON body, the path for it, and whether it names an upload.

    `rate_limit` is in calls a second for `model_name`, the model's name in the region. `price` is what the status line
    adds about the cost.
    """

    body: bytes
    path: str
    uses_uploads: bool
    rate_limit: float
    model_name: str
    price: str = ""


class _NoResponse(OutcomeUnknown):
    """A create call whose outcome is not known. `cause` says what came instead of its response."""

    def __init__(self, cause: WanError) -> None:
        super().__init__(
            f"Whether the request created a task is not known. {cause.message}",
            hint="Run the same graph again: it looks for the task before it pays for a new one.",
        )
        self.cause = cause

    @property
    def is_server_error(self) -> bool:
        """Whether the service itself says that it had an error of its own."""
        return isinstance(self.cause, ServiceError) and self.cause.is_server_error


async def submit(record: Record, create: CreateRequest, own: OwnTask, *, context: RunContext, report: Progress) -> None:
    """Create the task of a record and write its id down.

    What certainly did not arrive is sent again. What may have arrived is looked for at the service, and only sent again
    when it is proven that nothing was created. `own` tells which task is the request's.

    Raises:
        OutcomeUnknown: whether a task was created cannot be determined. The record says so, for the next run to look.
        LedgerUnavailable: the request cannot be written down; nothing was sent.
        ServiceError: the service refused; nothing was created.
        NetworkError: the service cannot be reached; nothing was created.
    """
    since, trusted = now(), 0
    while True:
        try:
            await _send_with_retries(record, create, context=context, report=report)
        except _NoResponse as error:
            # A server's own error all but says that there is no task. Twice in a row, it takes a proof.
            trusted += error.is_server_error
            seconds = SERVER_ERROR_SECONDS if error.is_server_error and trusted == 1 else RESPONSE_LOST_SECONDS
            if await reconcile(record, own, seconds=seconds, context=context, report=report):
                return
            # Moderation, say, that comes as a server's error: the same request would meet it again.
            hopeless = isinstance(error.cause, ServiceError) and error.is_server_error and not error.cause.retry
            if hopeless or now() - since > THROTTLE_TIMEOUT:
                advice = error.cause.hint if hopeless else "Run again later."
                proven = ": nothing was created or charged" if seconds == RESPONSE_LOST_SECONDS else ""
                error.cause.hint = f"DashScope lists no task for the request{proven}. {advice}"
                raise error.cause from None
        else:
            return


async def sync_service_clock(context: RunContext, *, first: bool) -> None:
    """Ask the service for the time, at no cost, where it has not given it recently. A bad key or network shows here.

    `first` tells that the request was never sent before.

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
        # The key may yet create tasks: what it may not, the create call tells.
        logger.debug("the service does not tell its time: %s", error.message)


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
            # Of the create call, none of these is left that may have arrived.
            unreached += 1
            if getattr(error, "permanent", False) or unreached >= MAX_CONNECT_ATTEMPTS:
                raise
            await sleep_with_countdown(backoff(unreached), _countdown(report, f"{error.message} Trying again in"))
        except RateLimited as error:
            throttled += 1
            if now() - since > (THROTTLE_TIMEOUT if error.known else UNKNOWN_THROTTLE_TIMEOUT):
                raise
            delay = backoff(throttled, retry_after=error.retry_after)
            await sleep_with_countdown(delay, _countdown(report, "the service asks to slow down; trying again in"))
        else:
            return


def _countdown(report: Progress, text: str) -> Callable[[float], None]:
    return lambda left: report(0.05, f"{text} {left:.0f} s")


async def _create_in_thread(record: Record, create: CreateRequest, *, context: RunContext) -> None:
    """Make the create call in a thread.

    When this is interrupted the thread goes on alone, and what is then created is cancelled while it is queued. The
    thread and its caller both take the handoff lock when they finish: whichever finishes second cleans up.
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
    """Write down that the call leaves, make it, and write down what came of it."""
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
            logger.warning("The request that was on its way when it was stopped: %s", failure)
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
    """Write a failed call down as what it means for the request, and return the error to raise."""
    unsent = isinstance(error, NetworkError) and not error.sent
    if unsent or (isinstance(error, RateLimited) and error.certain):
        context.update_sync(record, sent_at=0.0, service_sent_at=0.0)
        return error
    # Only a refusal in the service's own form proves that nothing was created.
    if isinstance(error, ServiceError) and error.certain:
        note = f"{error.message}\n{error.hint}".strip()
        context.update_sync(record, state=State.FAILED.value, error=note, request_id=error.request_id)
        return error
    if isinstance(error, (NetworkError, UnexpectedResponse, ServiceError)):
        context.update_sync(record, state=State.OUTCOME_UNKNOWN.value, error=error.message)
        return _NoResponse(error)
    return error
