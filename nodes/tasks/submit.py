"""Submitting a request: at most one task comes of it, whatever happens on the way."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from ..errors import WanError
from ..service.errors import NetworkError, OutcomeUnknown, ServiceFault, Throttled, UnexpectedAnswer
from . import pace
from .entry import Entry, State
from .lost import find_lost
from .pauses import Say, backoff, now, pause
from .session import Session

logger = logging.getLogger("dashscope_wan")

SENDS = 3
"""How often a request is sent that was found, each time, to have created nothing."""

ATTEMPTS_TO_REACH = 5
"""How often a connection that cannot even be made is tried."""

THROTTLED_SECONDS = 15 * 60.0
"""How long throttling is waited out; it normally clears within a minute."""


@dataclass(frozen=True)
class Call:
    """A create call that is ready to be sent: its JSON body, the path for it, and whether it names an upload.

    `model_name` is the model's name in the region, `prompt` what the task will tell as its prompt, `price` what the
    status line adds about the cost.
    """

    body: bytes
    path: str
    uses_uploads: bool
    submit_rate: int
    model_name: str
    prompt: str = ""
    price: str = ""


async def submit(entry: Entry, call: Call, *, session: Session, say: Say) -> None:
    """Create the task of an entry and write its id down.

    What certainly did not arrive is sent again. What may have arrived is looked for at the service, and only sent again
    when it is not there.

    Raises:
        OutcomeUnknown: whether a task was created cannot be told. The entry stays UNCERTAIN, for the next run to look.
        ServiceError: the service refused; nothing was created.
        NetworkError: the service cannot be reached; nothing was created.
    """
    for sends_left in reversed(range(SENDS)):
        try:
            await _send_until_answered(entry, call, session=session, say=say)
        except OutcomeUnknown as error:
            known = {"model_name": call.model_name, "prompt": call.prompt}
            if await find_lost(entry, **known, session=session, say=say):
                return
            if not sends_left and isinstance(error.__cause__, WanError):
                cause = error.__cause__
                cause.do = "The service lists no task for the request: nothing was created or charged. Run again later."
                raise cause from None
        else:
            return


async def _send_until_answered(entry: Entry, call: Call, *, session: Session, say: Say) -> None:
    unreached = throttled = 0
    since = now()
    while True:
        try:
            async with session.sending:
                await pace.turn("submit", session.account, call.model_name, per_second=call.submit_rate)
                say(0.05, f"submitting{call.price}")
                await _post(entry, call, session=session)
        except NetworkError as error:
            unreached += 1
            if unreached >= ATTEMPTS_TO_REACH:
                raise
            await pause(backoff(unreached), _telling(say, f"{error.what} Trying again in"))
        except Throttled as error:
            throttled += 1
            if now() - since > THROTTLED_SECONDS:
                raise
            wait = backoff(throttled, asked=error.retry_after)
            await pause(wait, _telling(say, "the service asks to slow down; trying again in"))
        else:
            return


def _telling(say: Say, text: str) -> Callable[[float], None]:
    return lambda left: say(0.05, f"{text} {left:.0f} s")


async def _post(entry: Entry, call: Call, *, session: Session) -> None:
    """Send the create call once, in a thread that goes on to its end even when nobody waits for it any more.

    The thread and the one who waits for it both take the baton at their end. Who finds it taken is the last: the one
    who waited then takes over what came of the call, and a thread that nobody waited for tidies up by itself.
    """
    baton = threading.Lock()
    entry.state, entry.sent_at, entry.service_sent_at = State.SUBMITTING.value, time.time(), 0.0
    session.sent[entry.id] = time.monotonic()
    sent = replace(entry)
    try:
        await session.in_thread(_send, sent, call, session=session, baton=baton)
    finally:
        if not baton.acquire(blocking=False):
            vars(entry).update(vars(sent))


def _send(entry: Entry, call: Call, *, session: Session, baton: threading.Lock) -> None:
    """Write down that the call leaves, make it, and write down what came of it."""
    session.note_now(entry)
    try:
        submitted = session.client.submit(call.body, path=call.path, uses_uploads=call.uses_uploads)
    except WanError as error:
        meant = _note_failure(entry, error, session=session)
        if not baton.acquire(blocking=False):
            logger.warning("The request that was on its way when it was stopped: %s", meant)
        if meant is error:
            raise
        raise meant from error
    passed = time.monotonic() - session.sent[entry.id]
    session.note_now(
        entry,
        state=State.SUBMITTED.value,
        task_id=submitted.task_id,
        request_id=submitted.request_id,
        submitted_at=time.time(),
        service_sent_at=max(0.0, submitted.answered_at - passed),
    )
    if not baton.acquire(blocking=False):
        cancel_if_queued(entry, session=session)


def _note_failure(entry: Entry, error: WanError, *, session: Session) -> WanError:
    """Write a failed call down as what it means for the request, and return the error to raise."""
    unsent = isinstance(error, NetworkError) and not error.sent
    if unsent or isinstance(error, Throttled):
        session.note_now(entry, sent_at=0.0)
        return error
    # A fault of the service's own, also one that it reports in good form, may have happened after the task was made.
    if isinstance(error, (NetworkError, UnexpectedAnswer, ServiceFault)):
        session.note_now(entry, state=State.UNCERTAIN.value, error=error.what)
        return OutcomeUnknown(
            f"Whether the request created a task is not known. {error.what}",
            do="Run the same graph again: it looks for the task before it pays for a new one.",
        )
    note = f"{error.what}\n{error.do}".strip()
    session.note_now(entry, state=State.FAILED.value, error=note, request_id=error.request_id)
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
