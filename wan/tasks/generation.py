"""The generation of one video, from claim to saved video. The only module that writes a record's state."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from ..api.errors import BadRequest, PermissionDenied, TaskCanceled, TaskUnknown
from ..api.task import Task, TaskStatus
from ..errors import WanError
from ..ledger.errors import LedgerUnavailable
from ..ledger.ledger import Reserve
from ..ledger.record import Claim, Record, State, error_columns
from .attachments import Attachments
from .batch import ValidatedBatch
from .context import RunContext
from .failures import Failure, NoResponse, classify, point_to_workspace
from .interrupt import CancelCall, cancel_queued_task, report_interrupt
from .output import discard
from .places import Place
from .polling import estimate_for, poll_until_done
from .progress import Progress
from .receipt import SavedVideo, cached_video, outcome, reused_text, saved_text
from .reconcile import RESPONSE_LOST_SECONDS, SERVER_ERROR_SECONDS, OwnTask, reconcile
from .save_video import SaveOptions, VideoDownload
from .submit import THROTTLE_TIMEOUT, CreateRequest, PreparedRequest, claim, send_with_retries
from .task_errors import canceled_error, expired_error, unknown_error

logger = logging.getLogger("dashscope_wan")

_UNSENT = {"sent_at": 0.0, "service_sent_at": 0.0}


@dataclass(eq=False, repr=False)
class Generation:
    """The generation of one video, with a run's context and the progress of this video.

    `_on_finished` is called when its task has finished at the service. In a shared ledger a new task waits for its
    `_place`. `record` is the claimed record: no other module writes its state. `reserve` is that of `Ledger.claim`.
    """

    _context: RunContext
    _report: Progress
    _on_finished: Callable[[], None] = lambda: None
    _place: Place | None = None
    record: Record = field(default_factory=partial(Record, ""))
    reserve: Reserve | None = None

    async def make(self, plan: ValidatedBatch, index: int, *, attachments: Attachments) -> SavedVideo:
        """Submit a request of a batch, or resume the task of an earlier run, and return the saved video."""
        prepared = PreparedRequest(plan, index, attachments)
        pay = {"free": self._context.region.simulated, "repay": plan.settings.repay_missing}
        resent = False
        while True:
            claimed = await self.claim(prepared.prepare, earlier=prepared.earlier, **pay)
            if claimed is Claim.REUSE:
                self._report(1.0, reused_text(self._context.region))
                return cached_video(self.record)
            resumed = resent or bool(self.record.task_id or self.record.sent_at)
            try:
                if claimed is Claim.RESUME and not await self._find_task(prepared):
                    # What is sent again is paid for now: it is claimed once more, and the owner's limits decide anew.
                    resent = True
                    continue
                return await self._finish_claimed(prepared, resumed=resumed)
            except asyncio.CancelledError:
                await self.interrupted()
                raise
            except WanError as error:
                # Release the record: another run of the same request need not wait for the rest of this batch.
                await self._update(owner="")
                if self._place:
                    self._place.leave_soon()
                anew = isinstance(error, TaskCanceled) or (any(pay.values()) and isinstance(error, TaskUnknown))
                if claimed is not Claim.RESUME or not anew or not self.record.is_terminal:
                    raise
                logger.warning("Task %s is %s; submitting a new request", self.record.task_id, self.record.state)
            except Exception:
                # An unexpected error names no task, and the task may be charged.
                if task_id := self.record.task_id:
                    logger.warning("Task %s exists at DashScope; use Wan Fetch Task to save its video.", task_id)
                raise

    async def claim(self, prepare: Callable[[], Record], **options: Any) -> Claim:
        """Claim a request: NEW, RESUME or REUSE. While another run has it, wait for that run.

        `prepare` returns the draft of its record (blocking). `options` are those of `Ledger.claim`.

        Raises:
            LedgerUnavailable: the record cannot be saved; nothing may be sent.
            WanError: the run that was waited for failed.
        """
        given: dict[str, Any] = {"place": self._place, "context": self._context, "report": self._report}
        self.record, claimed = await claim(prepare, reserve=self.reserve, **given, **options)
        if claimed is Claim.FAILED:
            raise WanError(self.record.error_text, task_id=self.record.task_id, request_id=self.record.request_id)
        if claimed is Claim.REUSE and self.record.state != State.SAVED.value:
            # The run that saved the video was killed before it updated the record.
            await self._update(state=State.SAVED.value, part="")
        if claimed is Claim.RESUME and self.record.state == State.SAVED.value:
            # The file is missing: it is downloaded again.
            await self._update(state=State.SUBMITTED.value)
        return claimed

    async def interrupted(self, *, cancel: bool = True) -> None:
        """Report the state of the stopped request. With `cancel`, its task is cancelled if it is still queued."""
        call = partial(self.cancel_if_queued, self.record) if cancel else None
        await report_interrupt(self.record, context=self._context, report=self._report, cancel=call)

    async def _finish_claimed(self, prepared: PreparedRequest, *, resumed: bool) -> SavedVideo:
        """Continue the claimed record from its current state to a saved video."""
        record, plan = self.record, prepared.plan
        if not record.task_id:
            resumed = await self._submit(prepared) or resumed
        options = SaveOptions(
            plan.output,
            plan.batch.metadata,
            request=prepared.request,
            warnings=[*plan.warnings, *prepared.notes],
            resumed=resumed,
        )
        typical = plan.model.typical_wait if self._context.region.has_typical_waits else (0, 0)
        return await self.wait_and_save(options, typical=typical, task_age=self._context.age(record))

    async def _find_task(self, prepared: PreparedRequest) -> bool:
        """Find the task of a record that an earlier run sent. Returns False if it has none: it is then unsent again."""
        record = self.record
        if record.is_adopted and not record.subject and not record.bytes and not record.is_terminal:
            # A record without a subject was given a listed task whose video was never compared: reconcile it again.
            await self._update(state=State.OUTCOME_UNKNOWN.value, task_id="")
        if record.is_outcome_unknown and self._context.region.simulated:
            await self._update(state=State.PENDING_SUBMIT.value, **_UNSENT)
        if record.is_outcome_unknown and not await self._reconcile(prepared.own_task(), seconds=RESPONSE_LOST_SECONDS):
            await self._update(owner="")
            return False
        return True

    async def _submit(self, prepared: PreparedRequest) -> bool:
        """Create the task of the record and save its id: at most one task is created.

        A request that certainly did not arrive is sent again. One that may have arrived is reconciled, and only sent
        again if it is proven that no task was created. Returns True if its task was found so.

        Raises:
            OutcomeUnknown: whether a task was created cannot be determined. The record says so for the next run.
            LedgerUnavailable: the record cannot be saved; nothing was sent.
            ServiceError: the service rejected the request; nothing was created.
            NetworkError: the service cannot be reached; nothing was created.
        """
        context = self._context
        create = await prepared.create_request(context, self._report)
        send = partial(self._create, create)
        since, trusted = 0.0, 0
        while True:
            try:
                await send_with_retries(self.record.id, create, send, context=context, report=self._report)
            except NoResponse as error:
                since = since or context.clock.now()
                # After one server error a task is unlikely, and a short search suffices. After two, a proof is needed.
                trusted += error.is_server_error
                seconds = SERVER_ERROR_SECONDS if error.is_server_error and trusted == 1 else RESPONSE_LOST_SECONDS
                if await self._reconcile(prepared.own_task(), seconds=seconds):
                    return True
                # Moderation, for example, may come as a server error: the same request would fail again.
                if error.is_hopeless or context.clock.now() - since > THROTTLE_TIMEOUT:
                    raise error.as_not_created(proven=seconds == RESPONSE_LOST_SECONDS) from None
            except (BadRequest, PermissionDenied) as error:
                point_to_workspace(error, prepared.plan)
                raise
            else:
                return False

    async def _create(self, create: CreateRequest) -> None:
        """Send the create request in a thread.

        If this is interrupted, the thread continues alone and cancels the created task if it is still queued. Thread
        and caller both take the handoff lock when they finish: whichever finishes second cleans up.
        """
        handoff, context, record = threading.Lock(), self._context, self.record
        record.state, record.sent_at, record.account = State.PENDING_SUBMIT.value, time.time(), context.ledger.account
        record.service_sent_at, context.sent_at[record.id] = context.client.clock.now(), context.clock.now()
        sent = replace(record)
        try:
            await context.to_thread(self._create_in_thread, sent, create, handoff)
        finally:
            if not handoff.acquire(blocking=False):
                vars(record).update(vars(sent))

    def _create_in_thread(self, record: Record, create: CreateRequest, handoff: threading.Lock) -> None:
        """Record that the create request is sent, send it, and record its outcome."""
        context = self._context
        # Before it counts as sent: what cannot be encoded is not.
        body = create.encode()
        try:
            context.ledger.save_before_sending(record)
        except LedgerUnavailable:
            record.sent_at = record.service_sent_at = 0.0
            handoff.acquire(blocking=False)
            raise
        try:
            created = context.client.create_task(body, path=create.path, uses_uploads=create.uses_uploads)
        except WanError as error:
            failure = self._note_failure(record, error)
            if not handoff.acquire(blocking=False):
                logger.warning("The create request in flight at Stop failed: %s", failure)
            if failure is error:
                raise
            raise failure from error
        ids = {"task_id": created.task_id, "request_id": created.request_id}
        context.update_sync(record, state=State.SUBMITTED.value, submitted_at=time.time(), **ids)
        if not handoff.acquire(blocking=False):
            self.cancel_if_queued(record)

    def _note_failure(self, record: Record, error: WanError) -> WanError:
        """Record what a failed create request means, and return the error to raise."""
        failure, update = classify(error), self._context.update_sync
        if failure is Failure.NOT_CREATED:
            update(record, **_UNSENT)
        elif failure is Failure.REJECTED:
            note = error_columns(error.message, error.hint)
            update(record, state=State.FAILED.value, request_id=error.request_id, **note)
        elif failure is Failure.UNKNOWN:
            update(record, state=State.OUTCOME_UNKNOWN.value, **error_columns(error.message))
            return NoResponse(error)
        return error

    def cancel_if_queued(self, record: Record, cancel: CancelCall = cancel_queued_task) -> bool | None:
        """Cancel the task of a record if it is still queued. Blocking; returns, and raises, as `cancel` does."""
        done = cancel(record.task_id, self._context.client)
        if done:
            self._context.update_sync(record, state=State.CANCELED.value)
        return done

    async def _reconcile(self, own: OwnTask, *, seconds: float) -> bool:
        """Look for the task of a create request that got no response, until the outcome is certain.

        Returns True if the task was found: the record is then SUBMITTED with its id. Returns False if it is proven that
        no task was created: the record is then unsent again.

        Raises:
            OutcomeUnknown: neither can be proven.
        """
        found = await reconcile(
            self.record, own, adopt=self._adopt, seconds=seconds, context=self._context, report=self._report
        )
        if not found:
            # What is sent again is paid for now.
            now = self.record.reserved_at and time.time()
            await self._update(state=State.PENDING_SUBMIT.value, error="", reserved_at=now, **_UNSENT)
        return found

    async def _adopt(self, task_id: str, rival: Callable[[Record], bool]) -> bool:
        """Assign a proven task to the record, unless it may belong to a rival request as well."""
        adopted = replace(self.record, state=State.SUBMITTED.value, task_id=task_id, error="")
        given = await self._context.to_thread(self._context.ledger.adopt, adopted, rival=rival)
        if given:
            vars(self.record).update(vars(adopted))
            self._context.note_change(adopted)
        return given

    async def wait_and_save(self, options: SaveOptions, *, typical: tuple[int, int], task_age: float) -> SavedVideo:
        """Wait for the task of the claimed record, submitted `task_age` seconds ago, and save its video.

        `typical` is the documented range of seconds until such a task finishes, (0, 0) if there is none.

        Raises:
            ServiceError: the task failed, or the service rejects the query permanently.
            TaskUnknown, TaskCanceled, WaitExceeded, NetworkError, DownloadFailed: as their names say.
        """
        record, context = self.record, self._context
        likely = await context.to_thread(estimate_for, record, context.ledger, usual=typical)
        task = await poll_until_done(record, context=context, report=self._report, likely=likely, task_age=task_age)
        self._on_finished()
        await self._finish(task, part=str(options.output.partial_path(record.id)))
        if self._place:
            self._place.leave_soon()
        download = VideoDownload(
            task, record, options=options, context=context, report=self._report, on_saved=self._note_saved
        )
        try:
            video = await download.download_and_save()
        except WanError as error:
            error.task_id = error.task_id or task.task_id
            raise
        self._report(1.0, saved_text(video))
        return video

    async def _finish(self, task: Task, *, part: str) -> None:
        """Save the outcome of a task, or raise its error. `part` is its new partial download."""
        record = self.record
        if task.status is TaskStatus.SUCCEEDED:
            known = outcome(task, record)
            await self._update(state=State.SUCCEEDED.value, part=record.part or part, error="", **known)
        elif task.status is TaskStatus.FAILED:
            failure = task.failure()
            await self._update(state=State.FAILED.value, **error_columns(failure.message, failure.hint))
            raise failure
        elif task.status is TaskStatus.CANCELED:
            await self._update(state=State.CANCELED.value)
            raise canceled_error(record, simulated=self._context.region.simulated)
        else:
            if record.part:
                await self._context.to_thread(discard, Path(record.part))
            await self._update(state=State.EXPIRED.value, part="")
            raise await unknown_error(record, context=self._context, otherwise=expired_error(record))

    def _note_saved(self, receipt: Mapping[str, Any]) -> None:
        """Record that the video is saved. For threads: it blocks."""
        self._context.update_sync(self.record, state=State.SAVED.value, part="", owner="", receipt=json.dumps(receipt))

    async def _update(self, **changes: object) -> None:
        await self._context.update(self.record, **changes)
