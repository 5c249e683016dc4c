"""Running a batch: its generations in parallel, up to the model's running limit."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence

from ..api.errors import AuthenticationError, PermissionDenied
from ..errors import InvalidRequest, WanError
from ..ledger.errors import LedgerUnavailable
from ..messages import Message, clauses, lines
from .attachments import Attachments
from .batch import Batch, validate_batch
from .context import open_run_context, run_in_thread
from .generation import Generation
from .interrupt import cancel, run_interruptible
from .places import Queue
from .progress import BatchProgress, RunMonitor
from .receipt import SavedVideo, cost_text

logger = logging.getLogger("dashscope_wan")


class TaskSlot:
    """One of the tasks that the service runs at once, held inside the `with` block or until `release`."""

    def __init__(self, slots: asyncio.Semaphore) -> None:
        self._slots = slots
        self._is_held = False

    async def __aenter__(self) -> TaskSlot:
        await self._slots.acquire()
        self._is_held = True
        return self

    async def __aexit__(self, *_: object) -> None:
        self.release()

    def release(self) -> None:
        """Free the slot for the next task. Calling it again does nothing."""
        if self._is_held:
            self._is_held = False
            self._slots.release()


class PartialFailure(WanError):
    """Some videos of a batch, or some entries of a list, failed. `failed` has what each says; `paths` are saved."""

    def __init__(self, message: str, failed: Iterable[str], paths: Iterable[object]) -> None:
        saved = (Message("Saved: {path}", path=path) for path in paths)
        hint = Message("Run the same graph again: saved videos are not charged again.")
        super().__init__(lines(message, *failed, *saved), hint=hint)


async def make_videos(batch: Batch, *, monitor: RunMonitor) -> list[SavedVideo]:
    """Generate one video for each image of a batch and return them in order.

    Raises:
        InvalidRequest: the batch is invalid; nothing was sent.
        PartialFailure: some of several videos failed.
        WanError: the error, with the task's id if there is one.
    """
    return await run_interruptible(monitor, _run_all(batch, monitor))


async def _run_all(batch: Batch, monitor: RunMonitor) -> list[SavedVideo]:
    plan = await run_in_thread(validate_batch, batch)
    for warning in plan.warnings:
        logger.warning("%s", warning)
    async with open_run_context(
        plan.endpoint, plan.settings, batch.connection, clock=batch.clock, on_change=batch.on_change
    ) as context:
        attachments = Attachments(plan)
        progress = BatchProgress(monitor, count=plan.count, price=plan.total_price)
        queue = Queue(context)
        reserve = None
        if plan.limits or plan.payment_problems:
            from .budget import open_budget

            reserve = await open_budget(plan, attachments, context)
        slots = asyncio.Semaphore(plan.model.running_limit)
        fatal_errors: list[WanError] = []

        async def make(index: int) -> SavedVideo:
            async with TaskSlot(slots) as slot:
                # An error of the account or the ledger concerns all requests: the rest of the batch is not submitted.
                if fatal_errors:
                    raise fatal_errors[0]
                place = queue.place(plan.model.id, plan.model.running_limit) if context.ledger.is_shared else None
                generation = Generation(context, progress.items[index], slot.release, place, reserve=reserve)
                try:
                    return await generation.make(plan, index, attachments=attachments)
                except (AuthenticationError, PermissionDenied, LedgerUnavailable) as error:
                    fatal_errors.append(error)
                    raise

        futures = [asyncio.ensure_future(make(index)) for index in range(plan.count)]
        try:
            await asyncio.wait(futures)
        finally:
            # Only after an interruption does any of them still run.
            await cancel(futures)
        progress.show_links([future.exception() for future in futures])
        videos = _gather_results(futures)
        progress.show_end(cost_text(videos))
        return videos


def _gather_results(futures: Sequence[asyncio.Future[SavedVideo]]) -> list[SavedVideo]:
    """Return the videos of finished generations, or raise their errors. One failure does not hide the others."""
    failures = {index: error for index, future in enumerate(futures, 1) if (error := future.exception())}
    if not failures:
        return [future.result() for future in futures]
    seen = set()
    for error in failures.values():
        if not isinstance(error, WanError):
            raise error
        seen.add((error.message, error.task_id))
    first = next(iter(failures.values()))
    # If no task is involved, identical messages are shown once, whatever their request ids.
    if len(failures) == len(futures) and len(seen) == 1:
        raise first
    raise PartialFailure(
        Message("{failed} of {count} videos failed.", failed=len(failures), count=len(futures)),
        [Message("- video {number}: {error}", number=index, error=text_of(one)) for index, one in failures.items()],
        [future.result().path for future in futures if not future.exception()],
    ) from first


def text_of(error: BaseException) -> str:
    """Return what a failure beside others says: not that nothing was submitted."""
    if isinstance(error, InvalidRequest):
        return clauses(error.problems)
    return error.text if isinstance(error, WanError) else str(error)
