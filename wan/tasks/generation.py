"""The generation of one video: claim its record, submit the request once, wait for the task, save the video."""

from __future__ import annotations

import asyncio
import io
import logging
import time
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..api.client import to_json
from ..api.errors import BadRequest, PermissionDenied, ServiceError, TaskCanceled, TaskUnknown
from ..api.request import BODY_BYTES, VideoRequest, build_body, estimate_cost, expected_prompt, splice_data_uris
from ..catalog.models import MODELS
from ..catalog.spec import FIRST_FRAME
from ..errors import WanError
from ..ledger.record import Claim, Record, State, earlier_fingerprints, fingerprint, subject_fingerprint
from ..media.likeness import first_image, to_image
from ..threads import run_in_thread
from .attachments import RESERVED_URL_CHARS, Attachments, RequestMedia
from .batch import Batch
from .context import RunContext
from .interrupt import report_interrupt, report_interrupt_unsent
from .lifecycle import claim, wait_and_save
from .progress import Progress
from .receipt import SavedVideo, cached_video
from .reconcile import RESPONSE_LOST_SECONDS, OwnTask, reconcile
from .save_video import SaveOptions
from .submit import CreateRequest, submit

if TYPE_CHECKING:
    from PIL import Image

logger = logging.getLogger("dashscope_wan")


@dataclass(frozen=True)
class _PreparedRequest:
    """The media of a create request, and the draft of its record, whose fingerprint includes them.

    `earlier` returns the request's fingerprints in older formats for an account.
    """

    media: RequestMedia
    draft: Record
    earlier: Callable[[str], Iterable[str]]


@dataclass
class Generation:
    """The generation of one video of a batch. `on_finished` is called when its task has finished at the service."""

    batch: Batch
    index: int
    context: RunContext
    attachments: Attachments
    warnings: list[str]
    on_finished: Callable[[], None]

    async def run(self, report: Progress) -> SavedVideo:
        """Submit the request, or resume the task of an earlier run, and return the saved video."""
        request = self.batch.request_for(self.index)
        try:
            prepared = await self._prepare(request, report)
        except asyncio.CancelledError:
            report_interrupt_unsent(report)
            raise
        while True:
            record, role = await claim(prepared.draft, context=self.context, report=report, earlier=prepared.earlier)
            if role is Claim.REUSE:
                report(1.0, "already saved: reused free of charge; change the seed for a new video")
                return cached_video(record)
            try:
                return await self._resume_from(record, request, prepared=prepared, report=report)
            except asyncio.CancelledError:
                await report_interrupt(record, context=self.context, report=report)
                raise
            except WanError as error:
                # Release the record: another run of the same request need not wait for the rest of this batch.
                await self.context.update(record, owner="")
                anew = isinstance(error, TaskCanceled) or (self.context.is_free and isinstance(error, TaskUnknown))
                if role is not Claim.RESUME or not anew or not record.is_terminal:
                    raise
                logger.warning(
                    "Task %s is %s and was not charged; submitting a new request", record.task_id, record.state
                )
            except Exception:
                # An unexpected error names no task, and the task may be charged.
                if record.task_id:
                    logger.warning("Task %s exists at DashScope; use Wan Fetch Task to save its video.", record.task_id)
                raise

    async def _prepare(self, request: VideoRequest, report: Progress) -> _PreparedRequest:
        """Encode the media and draft the record of the request."""
        report(0.0, "preparing")
        body_without_media = to_json(build_body(request, region=self.context.region, media={}))
        media = await self.attachments.for_request(
            self.index, max_chars=BODY_BYTES - len(body_without_media) - RESERVED_URL_CHARS
        )
        for note in media.notes:
            logger.warning("%s", note)
        contents = {kind: attachment.content_hash for kind, attachment in media.by_kind.items()}
        body = build_body(request, region=self.context.region, media=contents)
        region = self.context.region.id

        def earlier(account: str) -> Iterable[str]:
            return earlier_fingerprints(body, region=region, account=account, duration=request.duration)

        return _PreparedRequest(media, self._new_record(request, body), earlier)

    def _new_record(self, request: VideoRequest, body: dict[str, Any]) -> Record:
        """Return a record for a request that is not in the ledger yet."""
        return Record(
            fingerprint=fingerprint(body, region=self.context.region.id),
            subject=subject_fingerprint(body, region=self.context.region.id),
            account=self.context.account,
            region=self.context.region.id,
            model=request.model,
            resolution=request.resolution,
            duration=request.duration,
            created_at=time.time(),
        )

    async def _resume_from(
        self, record: Record, request: VideoRequest, *, prepared: _PreparedRequest, report: Progress
    ) -> SavedVideo:
        """Continue a claimed record from its current state to a saved video."""
        resumed = bool(record.task_id or record.sent_at)
        own = OwnTask(
            self._model_name(request), expected_prompt(request), self._first_image, request.duration, self.batch.output
        )
        if record.is_adopted and not record.subject and not record.bytes and not record.is_terminal:
            # A record without a subject was given a listed task whose video was never compared: reconcile it again.
            await self.context.update(record, state=State.OUTCOME_UNKNOWN.value, task_id="")
        if record.is_outcome_unknown and self.context.is_free:
            await self.context.update(record, state=State.PENDING_SUBMIT.value, sent_at=0.0, service_sent_at=0.0)
        if record.is_outcome_unknown:
            await reconcile(record, own, seconds=RESPONSE_LOST_SECONDS, context=self.context, report=report)
        if not record.task_id:
            create = await self._create_request(request, prepared.media, report)
            try:
                await submit(record, create, own, context=self.context, report=report)
            except (BadRequest, PermissionDenied) as error:
                self._point_to_workspace(error, request)
                raise
        notes = [*self.warnings, *prepared.media.notes]
        resumed = resumed or record.is_adopted
        terms = SaveOptions(self.batch.output, self.batch.metadata, request=request, warnings=notes, resumed=resumed)
        # The model's typical wait does not apply to the mock server.
        usual = (0, 0) if self.context.is_free else MODELS[record.model].typical_wait
        age = self.context.age(record)
        return await wait_and_save(
            record, terms, context=self.context, report=report, typical=usual, age=age, on_finished=self.on_finished
        )

    def _first_image(self) -> Image.Image:
        """Return the image that the video begins with."""
        if clip := self.batch.clip:
            return first_image(io.BytesIO(clip.data))
        return to_image(self.batch.images_for(self.index)[FIRST_FRAME])

    def _point_to_workspace(self, error: ServiceError, request: VideoRequest) -> None:
        """Add a hint to the error: some models are only documented for workspace hosts."""
        if MODELS[request.model].workspace_hosts_only and not self.context.client.endpoint.at_workspace:
            error.hint = (
                f"{error.hint} DashScope documents {request.model} for workspace hosts only: enter the workspace_id in "
                "DashScope Connection, or set DASHSCOPE_BASE_URL to the workspace's URL."
            ).lstrip()

    async def _create_request(self, request: VideoRequest, media: RequestMedia, report: Progress) -> CreateRequest:
        """Return the create request with its inline images and the URLs of its uploads."""
        urls, images = {}, {}
        for kind, attachment in media.by_kind.items():
            urls[kind] = await attachment.resolve_url(report)
            if attachment.frame:
                urls[kind] = uuid.uuid4().hex
                images[urls[kind]] = attachment.frame.iter_chunks()
        body = build_body(request, region=self.context.region, media=urls)
        row, price = MODELS[request.model], estimate_cost(request, region=self.context.region)
        return CreateRequest(
            body=await run_in_thread(splice_data_uris, to_json(body), images),
            path=row.request_format.path,
            uses_uploads=any(url.lower().startswith("oss://") for url in urls.values()),
            rate_limit=row.rate_limit,
            model_name=self._model_name(request),
            price=f", about {price['currency']} {price['amount']:.2f}" if price and price["amount"] else "",
        )

    def _model_name(self, request: VideoRequest) -> str:
        return MODELS[request.model].model_id_in(self.context.region.id) or ""
