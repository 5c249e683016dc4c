"""Claiming a request in the ledger, after whoever has it now."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial

from ..errors import WanError
from .entry import Entry, Role, State
from .pauses import Say, pause
from .session import Session
from .stopping import stopped_following, stopped_unsent

FOLLOW_LOOKS_EVERY = 0.5


async def claim(
    draft: Entry, *, session: Session, say: Say, earlier: Callable[[str], Iterable[str]] = lambda _: ()
) -> tuple[Entry, Role]:
    """Claim a request: SEND, RESUME or REUSE it. While another run has it, wait for that run.

    `earlier` returns the fingerprints that earlier versions gave the request under an account.

    Raises:
        LedgerUnavailable: it cannot be written down; nothing may be sent.
        WanError: the run that was waited for failed.
    """
    call = partial(session.ledger.claim, earlier=earlier, free=session.is_free)
    followed: Entry | None = None
    try:
        while True:
            following = followed.id if followed else ""
            entry, role = await session.in_thread(call, replace(draft), following=following)
            if role is not Role.FOLLOW:
                break
            followed = entry
            await pause(FOLLOW_LOOKS_EVERY, partial(_show, entry, say))
    except asyncio.CancelledError:
        if followed:
            stopped_following(followed, say)
        else:
            stopped_unsent(say)
        raise
    if role is Role.FAILED:
        raise WanError(entry.error, task_id=entry.task_id, request_id=entry.request_id)
    if role is Role.REUSE and entry.state != State.SAVED.value:
        # The run that saved it was killed before it could write that down.
        await session.note(entry, state=State.SAVED.value, part="")
    return entry, role


def _show(entry: Entry, say: Say, _left: float) -> None:
    task = f" (task {entry.task_id})" if entry.task_id else ""
    say(0.1, f"the same request is under way{task}; waiting for its video")
