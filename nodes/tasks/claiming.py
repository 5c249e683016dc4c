"""Claiming a request in the ledger, after whoever has it now."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from ..errors import WanError
from .ledger import Entry, Role
from .pauses import Say
from .session import Session
from .threads import in_thread

FOLLOW_LOOKS_EVERY = 0.5


async def claim(draft: Entry, *, session: Session, say: Say) -> tuple[Entry, Role]:
    """Claim a request: SEND, RESUME or REUSE it. While another run has it, wait for that run.

    Raises:
        WanError: the run that was waited for failed.
    """
    following = 0
    while True:
        entry, role = await in_thread(session.ledger.claim, replace(draft), following=following)
        if role is Role.FAILED:
            raise WanError(entry.error, task_id=entry.task_id)
        if role is not Role.FOLLOW:
            return entry, role
        following = entry.id
        say(0.1, "the same request is under way; waiting for its video")
        await asyncio.sleep(FOLLOW_LOOKS_EVERY)
