"""Submitting a request: it is sent again only if it certainly created no task."""

from __future__ import annotations

import asyncio
import io
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from ..api.errors import (
    AuthenticationError,
    NetworkError,
    RateLimited,
    ServiceError,
    UnexpectedResponse,
)
from ..api.request import (
    BODY_BYTES,
    CreateBody,
    earlier_fingerprints,
    expected_prompt,
    fingerprint,
    subject_fingerprint,
    url_chunks,
)
from ..catalog.fields import VideoRequest
from ..catalog.media import FIRST_CLIP, FIRST_FRAME
from ..errors import WanError
from ..frozen import frozen
from ..ledger.errors import NOTHING_SENT, RecordsLost
from ..ledger.record import Claim, Record
from ..media.likeness import first_image, to_image
from ..messages import Message, Text, sentences
from .attachments import RESERVED_URL_CHARS, Attachment, Attachments
from .batch import ValidatedBatch
from .context import RunContext
from .interrupt import report_interrupt_unsent, report_interrupt_waiting
from .places import Place
from .progress import Progress
from .reconcile import OwnTask
from .retry import UNKNOWN_THROTTLE_TIMEOUT, backoff, retrying

if TYPE_CHECKING:
    from PIL import Image

logger = logging.getLogger("dashscope_wan")

CLAIM_POLL_INTERVAL, SHARED_CLAIM_POLL_INTERVAL = 0.5, 3.0
"""Seconds between two looks at the run that has the same request, on this machine or on any."""

MAX_CONNECT_ATTEMPTS = 5
"""Tries to open a connection."""

THROTTLE_TIMEOUT = 15 * 60.0
"""Seconds to retry a request that is throttled, or whose response was lost without a task."""

LISTED_CHARS = 200
"""What the ledger has of the prompt's first line."""

UNKNOWN_TASK_ID = "00000000-0000-0000-0000-000000000000"


@frozen
class CreateRequest:
    """A create request ready to be sent: `encode` returns its JSON body (blocking), `path` is its path.

    `uses_uploads` is whether it names an upload. `rate_limit` is in requests a second for `model_name`, the model's
    name in the region. `price` is the status text's note on the cost.
    """

    encode: Callable[[], bytes]
    path: str
    uses_uploads: bool
    rate_limit: float
    model_name: str
    price: Text = ""


@dataclass(eq=False, repr=False)
class PreparedRequest:
    """One request of a batch. `prepare` makes its `request`, body, media and `notes`, and the draft of its record."""

    plan: ValidatedBatch
    index: int
    attachments: Attachments
    request: VideoRequest = field(init=False)
    notes: list[str] = field(init=False)
    _body: CreateBody = field(init=False)
    _media: dict[str, Attachment] = field(init=False)
    _hashed: Mapping[str, Any] = field(init=False)
    _draft: Record | None = field(init=False, default=None)

    def prepare(self) -> Record:
        """Encode the media, build the body and return the draft of the record. Blocking on the first call."""
        if self._draft is None:
            region, images = self.plan.endpoint.region, self.plan.batch.images_for(self.index)
            request = self.plan.batch.request.numbered(self.index)
            if prompts := self.plan.batch.prompts:
                request = replace(request, prompt=prompts[self.index])
            self.request = request
            self._body = CreateBody(request, region=region, kinds=self.attachments.kinds)
            room = BODY_BYTES - self._body.size - RESERVED_URL_CHARS
            self._media, self.notes = self.attachments.for_request(images, max_chars=room)
            for note in self.notes:
                logger.warning("%s", note)
            self._hashed = self._body.with_hashes({kind: one.content_hash for kind, one in self._media.items()})
            self._draft = Record(
                fingerprint=fingerprint(self._hashed, region=region.id),
                subject=subject_fingerprint(self._hashed, region=region.id),
                region=region.id,
                created_at=time.time(),
                folder=str(self.plan.output.root),
                prompt=(request.prompt.strip() or request.template).partition("\n")[0][:LISTED_CHARS],
                duration=request.duration or round(self.plan.seconds),
                **{name: getattr(request, name) for name in ("model", "resolution")},
                **self.plan.priced,
            )
        return replace(self._draft)

    def earlier(self, account: str) -> Iterable[str]:
        """Return the request's fingerprints in older formats for an account."""
        region, duration = self.plan.endpoint.region.id, self.request.duration
        return earlier_fingerprints(self._hashed, region=region, account=account, duration=duration)

    def own_task(self) -> OwnTask:
        """Return what identifies the request's task."""
        name, prompt = self.plan.offer.name, expected_prompt(self.request)
        begin = next((kind for kind in (FIRST_CLIP, FIRST_FRAME) if kind in self._media), None)
        image = partial(self._first_image, begin) if begin else None
        return OwnTask(name, prompt, image, self.request.duration or self.plan.seconds, self.plan.output)

    def _first_image(self, kind: str) -> Image.Image:
        """Return the image that the video begins with."""
        if clip := self.plan.clips.get(kind):
            return first_image(io.BytesIO(clip.data))
        return to_image(self.plan.batch.images_for(self.index)[kind])

    async def create_request(self, context: RunContext, report: Progress) -> CreateRequest:
        """Return the create request, uploading its files first."""
        plan, urls, chunks = self.plan, [], {}
        for kind, attachment in self._media.items():
            url = await attachment.upload.url(context, report) if attachment.upload else attachment.url
            urls.append(url)
            chunks[kind] = attachment.frame.iter_chunks if attachment.frame else partial(url_chunks, url)
        return CreateRequest(
            encode=partial(self._body.encode, chunks),
            path=plan.model.request_format.path,
            uses_uploads=any(url.lower().startswith("oss://") for url in urls),
            rate_limit=plan.model.rate_limit,
            model_name=plan.offer.name,
            price=plan.price,
        )


async def claim(
    prepare: Callable[[], Record],
    *,
    place: Place | None,
    context: RunContext,
    report: Progress,
    **options: Any,
) -> tuple[Record, Claim]:
    """Claim a request in the ledger, and return its record. While another run has it, wait for that run.

    `prepare` returns the draft of its record (blocking). A new request first waits for its `place`. `options` are those
    of `Ledger.claim`. If the run that was waited for failed, the claim is FAILED.

    Raises:
        LedgerUnavailable: the record cannot be saved; nothing may be sent.
    """
    record, followed = Record(""), ""
    interval, admit = (SHARED_CLAIM_POLL_INTERVAL, place.admit) if place else (CLAIM_POLL_INTERVAL, None)

    def claim_once() -> tuple[Record, Claim]:
        (draft := prepare()).account = context.ledger.account
        if place and not followed and place.must_wait(draft.fingerprint):
            return draft, Claim.QUEUE
        found = context.ledger.claim(draft, following=followed, admit=admit, **options)
        if context.on_change and found[1] in (Claim.NEW, Claim.RESUME):
            context.note_change(found[0])
        return found

    def show_waiting(_left: float) -> None:
        told: Text = Message("an identical request is already running; waiting for its video")
        if record.task_id:
            told = Message(
                "an identical request is already running (task {task}); waiting for its video", task=record.task_id
            )
        report(0.1, told)

    try:
        while True:
            record, claimed = await context.to_thread(claim_once)
            if place and claimed not in (Claim.NEW, Claim.QUEUE):
                place.leave_soon(counts=claimed is Claim.RESUME)
            if claimed is Claim.QUEUE and place:
                await place.wait(report)
            elif claimed is Claim.WAIT:
                followed = record.id
                await context.clock.sleep_with_countdown(interval, show_waiting)
            else:
                return record, claimed
    except RecordsLost:
        await context.to_thread(context.ledger.note_loss_reported)
        raise
    except asyncio.CancelledError:
        report_interrupt_waiting(record, context, report) if followed else report_interrupt_unsent(context, report)
        raise


async def sync_service_clock(context: RunContext, *, record_id: str) -> None:
    """Query the service's time, free of charge, if it is not known. A bad key or network fails here.

    `record_id` is the record of the request that is sent next.

    Raises:
        AuthenticationError, RateLimited, NetworkError, UnexpectedResponse: nothing was sent.
    """
    if context.region.simulated or context.client.clock.now():
        return
    await context.limits.wait_to_query()
    try:
        await context.to_thread(context.client.get_task, UNKNOWN_TASK_ID)
    except (AuthenticationError, RateLimited, NetworkError, UnexpectedResponse) as error:
        error.task_id = ""
        if record_id not in context.sent_at:
            error.hint = sentences(error.hint, NOTHING_SENT)
        raise
    except ServiceError as error:
        # The key may still be allowed to create tasks: the create request will show.
        logger.debug("the service's time is unknown: %s", error.message)


async def send_with_retries(
    record_id: str, create: CreateRequest, send: Callable[[], Awaitable[None]], *, context: RunContext, report: Progress
) -> None:
    """Send a record's create request by `send`. Retry transient errors while it certainly created no task.

    Raises:
        NoResponse: whether a task was created is unknown.
        ServiceError: the service rejected the request; nothing was created.
        NetworkError, UnexpectedResponse: the service cannot be reached; nothing was created.
    """
    clock = context.clock
    unreached = throttled = 0
    since: float | None = None
    while True:
        try:
            async with context.create_lock:
                await sync_service_clock(context, record_id=record_id)
                await context.limits.wait_to_submit(create.model_name, per_second=create.rate_limit, report=report)
                report(0.05, partial(Message, "submitting{price}", price=create.price))
                await send()
        except (NetworkError, UnexpectedResponse) as error:
            # A create request that may have arrived raises NoResponse instead.
            unreached += 1
            if getattr(error, "permanent", False) or unreached >= MAX_CONNECT_ATTEMPTS:
                raise
            await clock.sleep_with_countdown(backoff(unreached), partial(_show_retry, report, error))
        except RateLimited as error:
            throttled += 1
            since = clock.now() if since is None else since
            if clock.now() - since > (THROTTLE_TIMEOUT if error.known else UNKNOWN_THROTTLE_TIMEOUT):
                raise
            delay = backoff(throttled, retry_after=error.retry_after)
            await clock.sleep_with_countdown(delay, partial(_show_throttled, report))
        else:
            return


def _show_retry(report: Progress, error: WanError, left: float) -> None:
    report(0.05, retrying(error, left))


def _show_throttled(report: Progress, left: float) -> None:
    report(0.05, Message("rate limited by DashScope; retrying in {seconds:.0f} s", seconds=left))
