"""Submitting a request: at most one task comes of it, whatever happens on the way."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from ..errors import WanError
from ..service.client import Submitted
from ..service.errors import NetworkError, OutcomeUnknown, ServiceError, Throttled, UnexpectedAnswer
from . import pace
from .ledger import Entry, State
from .pauses import Say, backoff, pause
from .session import Session
from .threads import in_thread

logger = logging.getLogger("dashscope_wan")

ATTEMPTS_TO_REACH = 5
"""How often a connection that cannot even be made is tried."""

THROTTLED_SECONDS = 15 * 60.0
"""How long throttling is waited out; it normally clears within a minute."""


@dataclass(frozen=True)
class Call:
    """A create call that is ready to be sent: its JSON body, and whether it names an upload.

    `price` is what the status line adds about the cost.
    """

    body: bytes
    uses_uploads: bool
    submit_rate: int
    model: str
    price: str = ""


async def submit(entry: Entry, call: Call, *, session: Session, say: Say) -> None:
    """Create the task of an entry and write its id down.

    What certainly did not arrive is sent again; what may have arrived never is.

    Raises:
        OutcomeUnknown: the request may have arrived, and its answer did not. The entry is then UNCERTAIN.
        ServiceError: the service refused; nothing was created.
        NetworkError: the service cannot be reached; nothing was created.
    """
    unreached = throttled = 0
    since = time.monotonic()
    while True:
        await pace.turn("submit", session.account, call.model, per_second=call.submit_rate)
        say(0.05, f"submitting{call.price}")
        try:
            await _post(entry, call, session=session)
        except NetworkError as error:
            unreached += 1
            if error.sent or unreached >= ATTEMPTS_TO_REACH:
                raise
            await pause(backoff(unreached), _telling(say, f"{error.what} Trying again in"))
        except Throttled as error:
            throttled += 1
            if time.monotonic() - since > THROTTLED_SECONDS:
                raise
            wait = backoff(throttled, asked=error.retry_after)
            await pause(wait, _telling(say, "the service asks to slow down; trying again in"))
        else:
            return


def _telling(say: Say, text: str) -> Callable[[float], None]:
    return lambda left: say(0.05, f"{text} {left:.0f} s")


async def _post(entry: Entry, call: Call, *, session: Session) -> None:
    """Send the create call once, in a thread that finishes its bookkeeping even when nobody waits for it any more."""
    left = threading.Event()
    session.ledger.hold()
    try:
        await in_thread(_send, entry, call, session=session, left=left)
    except asyncio.CancelledError:
        left.set()
        logger.warning(
            "Stopped while the request was on its way: a task that comes of it is cancelled, or resumed by a next run."
        )
        raise


def _send(entry: Entry, call: Call, *, session: Session, left: threading.Event) -> None:
    """Write down that the call leaves, make it, write down what came of it. Closes its hold on the ledger."""
    try:
        session.note(entry, state=State.SUBMITTING.value, sent_at=time.time())
        submitted = _outcome(lambda: session.client.submit(call.body, uses_uploads=call.uses_uploads), entry, session)
        session.note(
            entry,
            state=State.SUBMITTED.value,
            task_id=submitted.task_id,
            request_id=submitted.request_id,
            submitted_at=time.time(),
        )
        if left.is_set():
            cancel_if_queued(entry, session=session)
    finally:
        session.ledger.close()


def _outcome(call: Callable[[], Submitted], entry: Entry, session: Session) -> Submitted:
    """Make the call and write a failure down as what it means for the request."""
    try:
        return call()
    except (NetworkError, UnexpectedAnswer) as error:
        if isinstance(error, NetworkError) and not error.sent:
            session.note(entry, sent_at=0.0)
            raise
        session.note(entry, state=State.UNCERTAIN.value, error=error.what)
        raise OutcomeUnknown(error.what) from error
    except Throttled:
        session.note(entry, sent_at=0.0)
        raise
    except ServiceError as error:
        session.note(entry, state=State.FAILED.value, error=str(error))
        raise


def cancel_if_queued(entry: Entry, *, session: Session) -> bool:
    """Cancel the task of an entry while it is still queued; later the service refuses. The log says how it went.

    Blocking. Returns whether the task was cancelled; if not, it goes on, and so does its cost.
    """
    try:
        done = session.client.cancel(entry.task_id)
    except WanError as error:
        logger.warning("Task %s could not be cancelled: %s", entry.task_id, error.what)
        done = False
    if done:
        session.note(entry, state=State.CANCELED.value)
        logger.warning("Stopped. Task %s was still queued and is cancelled; nothing is charged.", entry.task_id)
    else:
        logger.warning(
            "Stopped, but task %s goes on at the service and is charged when it succeeds. Run the same graph again "
            "within 24 h, or use Wan Fetch Task with this id, to get its video.",
            entry.task_id,
        )
    return done
