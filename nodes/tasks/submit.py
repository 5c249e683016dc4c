"""Submitting a request: at most one task comes of it, whatever happens on the way."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from ..errors import WanError
from ..service.errors import KeyRefused, NetworkError, OutcomeUnknown, ServiceError, Throttled, UnexpectedAnswer
from . import pace
from .entry import Entry, State
from .lost import LOST_SECONDS, SERVER_ERROR_SECONDS, Own, reconcile
from .pauses import UNKNOWN_THROTTLED_SECONDS, Say, backoff, now, pause
from .session import Session
from .store import LedgerUnavailable

logger = logging.getLogger("dashscope_wan")

ATTEMPTS_TO_REACH = 5
"""How often a connection that cannot even be made is tried."""

THROTTLED_SECONDS = 15 * 60.0
"""How long throttling, and answers that are lost with nothing created, are waited out."""

NO_TASK = "00000000-0000-0000-0000-000000000000"


@dataclass(frozen=True)
class Call:
    """A create call that is ready to be sent: its JSON body, the path for it, and whether it names an upload.

    `submit_rate` is in calls a second for `model_name`, the model's name in the region. `price` is what the status line
    adds about the cost.
    """

    body: bytes
    path: str
    uses_uploads: bool
    submit_rate: float
    model_name: str
    price: str = ""


class _NoAnswer(OutcomeUnknown):
    """A create call whose outcome is not known. `cause` says what came instead of its answer."""

    def __init__(self, cause: WanError) -> None:
        super().__init__(
            f"Whether the request created a task is not known. {cause.what}",
            do="Run the same graph again: it looks for the task before it pays for a new one.",
        )
        self.cause = cause

    @property
    def is_server_error(self) -> bool:
        """Whether the service itself says that it had an error of its own."""
        return isinstance(self.cause, ServiceError) and self.cause.is_server_error


async def submit(entry: Entry, call: Call, own: Own, *, session: Session, say: Say) -> None:
    """Create the task of an entry and write its id down.

    What certainly did not arrive is sent again. What may have arrived is looked for at the service, and only sent again
    when it is proven that nothing was created. `own` tells which task is the request's.

    Raises:
        OutcomeUnknown: whether a task was created cannot be told. The entry stays UNCERTAIN, for the next run to look.
        LedgerUnavailable: the request cannot be written down; nothing was sent.
        ServiceError: the service refused; nothing was created.
        NetworkError: the service cannot be reached; nothing was created.
    """
    since, trusted = now(), 0
    while True:
        try:
            await _send_until_answered(entry, call, session=session, say=say)
        except _NoAnswer as error:
            # A server's own error all but says that there is no task. Twice in a row, it takes a proof.
            trusted += error.is_server_error
            seconds = SERVER_ERROR_SECONDS if error.is_server_error and trusted == 1 else LOST_SECONDS
            if await reconcile(entry, own, seconds=seconds, session=session, say=say):
                return
            if now() - since > THROTTLED_SECONDS or getattr(error.cause, "permanent", False):
                error.cause.do = (
                    "DashScope lists no task for the request: nothing was created or charged. Run again later."
                )
                raise error.cause from None
        else:
            return


async def learn_time(session: Session, *, first: bool) -> None:
    """Ask the service for the time, at no cost, where it has not told it lately. A bad key or network shows here.

    `first` tells that the request was never sent before.

    Raises:
        KeyRefused, Throttled, NetworkError, UnexpectedAnswer: nothing was sent.
    """
    if session.is_free or session.client.clock.now():
        return
    await pace.turn("query", per_second=pace.QUERIES_PER_SECOND)
    try:
        await session.in_thread(session.client.query, NO_TASK)
    except (KeyRefused, Throttled, NetworkError, UnexpectedAnswer) as error:
        error.task_id = ""
        error.do = f"{error.do} Nothing was sent.".strip() if first else error.do
        raise
    except ServiceError as error:
        # The key may yet create tasks: what it may not, the create call tells.
        logger.debug("the service does not tell its time: %s", error.what)


async def _send_until_answered(entry: Entry, call: Call, *, session: Session, say: Say) -> None:
    unreached = throttled = 0
    since = now()
    while True:
        try:
            async with session.sending:
                await learn_time(session, first=entry.id not in session.sent)
                await pace.turn("submit", session.account, call.model_name, per_second=call.submit_rate)
                say(0.05, f"submitting{call.price}")
                await _post(entry, call, session=session)
        except (NetworkError, UnexpectedAnswer) as error:
            # Of the create call, none of these is left that may have arrived.
            unreached += 1
            if getattr(error, "permanent", False) or unreached >= ATTEMPTS_TO_REACH:
                raise
            await pause(backoff(unreached), _telling(say, f"{error.what} Trying again in"))
        except Throttled as error:
            throttled += 1
            if now() - since > (THROTTLED_SECONDS if error.known else UNKNOWN_THROTTLED_SECONDS):
                raise
            wait = backoff(throttled, asked=error.retry_after)
            await pause(wait, _telling(say, "the service asks to slow down; trying again in"))
        else:
            return


def _telling(say: Say, text: str) -> Callable[[float], None]:
    return lambda left: say(0.05, f"{text} {left:.0f} s")


async def _post(entry: Entry, call: Call, *, session: Session) -> None:
    """Make the create call in a thread.

    When this is interrupted the thread goes on alone, and what is then created is cancelled while it is queued. The
    thread and the one who waits for it both take the baton at their end: who finds it taken is the last.
    """
    baton = threading.Lock()
    entry.state, entry.sent_at, entry.account = State.SUBMITTING.value, time.time(), session.account
    entry.service_sent_at = session.client.clock.now()
    session.sent[entry.id] = now()
    sent = replace(entry)
    try:
        await session.in_thread(_send, sent, call, session=session, baton=baton)
    finally:
        if not baton.acquire(blocking=False):
            vars(entry).update(vars(sent))


def _send(entry: Entry, call: Call, *, session: Session, baton: threading.Lock) -> None:
    """Write down that the call leaves, make it, and write down what came of it."""
    try:
        session.note_before_sending(entry)
    except LedgerUnavailable:
        entry.sent_at = entry.service_sent_at = 0.0
        baton.acquire(blocking=False)
        raise
    try:
        submitted = session.client.submit(call.body, path=call.path, uses_uploads=call.uses_uploads)
    except WanError as error:
        meant = _note_failure(entry, error, session=session)
        if not baton.acquire(blocking=False):
            logger.warning("The request that was on its way when it was stopped: %s", meant)
        if meant is error:
            raise
        raise meant from error
    session.note_now(
        entry,
        state=State.SUBMITTED.value,
        task_id=submitted.task_id,
        request_id=submitted.request_id,
        submitted_at=time.time(),
    )
    if not baton.acquire(blocking=False):
        cancel_if_queued(entry, session=session)


def _note_failure(entry: Entry, error: WanError, *, session: Session) -> WanError:
    """Write a failed call down as what it means for the request, and return the error to raise."""
    unsent = isinstance(error, NetworkError) and not error.sent
    if unsent or (isinstance(error, Throttled) and error.certain):
        session.note_now(entry, sent_at=0.0, service_sent_at=0.0)
        return error
    # Only a refusal in the service's own form proves that nothing was created.
    if isinstance(error, ServiceError) and error.certain:
        note = f"{error.what}\n{error.do}".strip()
        session.note_now(entry, state=State.FAILED.value, error=note, request_id=error.request_id)
        return error
    if isinstance(error, (NetworkError, UnexpectedAnswer, ServiceError)):
        session.note_now(entry, state=State.UNCERTAIN.value, error=error.what)
        return _NoAnswer(error)
    return error


def cancel_if_queued(entry: Entry, *, session: Session) -> bool | None:
    """Cancel the task of an entry while it is still queued; later the service refuses. The log says how it went.

    Blocking. Returns whether the task was cancelled; if not, it goes on, and so does its cost. None where that is not
    known.
    """
    try:
        done = session.client.cancel(entry.task_id)
    except WanError as error:
        logger.warning(
            "Stopped. Whether task %s was cancelled is not known (%s) It may go on and is then charged. Run the same "
            "graph again within 24 h, or use Wan Fetch Task with this id, to get its video.",
            entry.task_id,
            error.what,
        )
        return None
    if done:
        session.note_now(entry, state=State.CANCELED.value)
        logger.warning("Stopped. Task %s was still queued and is cancelled; nothing is charged.", entry.task_id)
    else:
        logger.warning(
            "Stopped, but task %s goes on at the service and is charged when it succeeds. Run the same graph again "
            "within 24 h, or use Wan Fetch Task with this id, to get its video.",
            entry.task_id,
        )
    return done
