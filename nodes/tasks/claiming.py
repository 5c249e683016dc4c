"""Claiming a request in the ledger, after whoever has it now."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial

from ..errors import WanError
from .entry import Claim, Record, State
from .pauses import Progress, sleep_with_countdown
from .session import RunContext
from .stopping import report_interrupt_unsent, report_interrupt_waiting

CLAIM_POLL_INTERVAL = 0.5


async def claim(
    draft: Record, *, context: RunContext, report: Progress, earlier: Callable[[str], Iterable[str]] = lambda _: ()
) -> tuple[Record, Claim]:
    """Claim a request: NEW, RESUME or REUSE it. While another run has it, wait for that run.

    `earlier` returns the fingerprints that earlier versions gave the request under an account.

    Raises:
        LedgerUnavailable: it cannot be written down; nothing may be sent.
        WanError: the run that was waited for failed.
    """
    call = partial(context.ledger.claim, earlier=earlier, free=context.is_free)
    followed: Record | None = None
    try:
        while True:
            following = followed.id if followed else ""
            record, claimed = await context.to_thread(call, replace(draft), following=following)
            if claimed is not Claim.WAIT:
                break
            followed = record
            await sleep_with_countdown(CLAIM_POLL_INTERVAL, partial(_show, record, report))
    except asyncio.CancelledError:
        if followed:
            report_interrupt_waiting(followed, report)
        else:
            report_interrupt_unsent(report)
        raise
    if claimed is Claim.FAILED:
        raise WanError(record.error, task_id=record.task_id, request_id=record.request_id)
    if claimed is Claim.REUSE and record.state != State.SAVED.value:
        # The run that saved it was killed before it could write that down.
        await context.update(record, state=State.SAVED.value, part="")
    return record, claimed


def _show(record: Record, report: Progress, _left: float) -> None:
    task = f" (task {record.task_id})" if record.task_id else ""
    report(0.1, f"the same request is under way{task}; waiting for its video")
