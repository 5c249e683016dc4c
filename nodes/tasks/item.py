"""One video's life: found in the ledger or written down, submitted once, waited for, brought home."""

from __future__ import annotations

import asyncio
import io
import logging
import time
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import WanError
from ..media.likeness import opening_of, picture_of
from ..service.client import to_json
from ..service.errors import AccessRefused, RequestRefused, ServiceError, TaskCanceled, TaskUnknown
from ..service.model import FIRST_FRAME
from ..service.models import MODELS
from ..service.request import BODY_BYTES, VideoRequest, build_body, cost, prompt_told, put_pictures
from .claiming import claim
from .delivery import deliver
from .entry import Entry, Role, State, earlier_fingerprints, fingerprint, subject_of
from .fetch import Terms
from .lost import LOST_SECONDS, Own, reconcile
from .material import ADDRESSES_CHARS, Material, Media
from .order import Order
from .pauses import Say
from .receipt import reused
from .saving import SavedVideo
from .session import Session
from .stopping import stopped, stopped_unsent
from .submit import Call, submit
from .threads import in_thread

if TYPE_CHECKING:
    from PIL import Image

logger = logging.getLogger("dashscope_wan")


@dataclass(frozen=True)
class _Prepared:
    """What a create call is made of: its media, and the entry whose fingerprint they are in.

    `earlier` returns the fingerprints that earlier versions gave the request under an account.
    """

    media: Media
    draft: Entry
    earlier: Callable[[str], Iterable[str]]


@dataclass
class Item:
    """One picture of an order on its way to a video. `on_over` hears when its task no longer runs at the service."""

    order: Order
    index: int
    session: Session
    material: Material
    warnings: list[str]
    on_over: Callable[[], None]

    async def make(self, say: Say) -> SavedVideo:
        """Make the video, or go on with what an earlier run began, and return it saved."""
        request = self.order.request_of(self.index)
        try:
            made = await self._prepare(request, say)
        except asyncio.CancelledError:
            stopped_unsent(say)
            raise
        while True:
            entry, role = await claim(made.draft, session=self.session, say=say, earlier=made.earlier)
            if role is Role.REUSE:
                say(1.0, "already saved: returned without paying; change the seed for a new video")
                return reused(entry)
            try:
                return await self._carry_on(entry, request, made=made, say=say)
            except asyncio.CancelledError:
                await stopped(entry, session=self.session, say=say)
                raise
            except WanError as error:
                # So that another run of the same request need not wait for the rest of this one's batch.
                await self.session.note(entry, owner="")
                anew = isinstance(error, TaskCanceled) or (self.session.is_free and isinstance(error, TaskUnknown))
                if role is not Role.RESUME or not anew or not entry.is_over:
                    raise
                logger.warning("Task %s is %s and cost nothing; submitting a new request", entry.task_id, entry.state)
            except Exception:
                # A mistake of our own, or of a library: it names no task, and the task may be paid.
                if entry.task_id:
                    logger.warning("Task %s is at the service; Wan Fetch Task brings its video.", entry.task_id)
                raise

    async def _prepare(self, request: VideoRequest, say: Say) -> _Prepared:
        """Return what the create call is made of."""
        say(0.0, "preparing")
        words = to_json(build_body(request, region=self.session.region, media={}))
        media = await self.material.of(self.index, room=BODY_BYTES - len(words) - ADDRESSES_CHARS)
        for note in media.notes:
            logger.warning("%s", note)
        contents = {kind: medium.content for kind, medium in media.by_kind.items()}
        body = build_body(request, region=self.session.region, media=contents)
        region = self.session.region.id

        def earlier(account: str) -> Iterable[str]:
            return earlier_fingerprints(body, region=region, account=account, duration=request.duration)

        return _Prepared(media, self._draft(request, body), earlier)

    def _draft(self, request: VideoRequest, body: dict[str, Any]) -> Entry:
        """Return the entry of a request that is not yet in the ledger."""
        return Entry(
            fingerprint=fingerprint(body, region=self.session.region.id),
            subject=subject_of(body, region=self.session.region.id),
            account=self.session.account,
            region=self.session.region.id,
            model=request.model,
            resolution=request.resolution,
            duration=request.duration,
            created_at=time.time(),
        )

    async def _carry_on(self, entry: Entry, request: VideoRequest, *, made: _Prepared, say: Say) -> SavedVideo:
        """Take a claimed entry from where it is to a saved video."""
        resumed = bool(entry.task_id or entry.sent_at)
        own = Own(self._model_name(request), prompt_told(request), self._picture, request.duration, self.order.place)
        if entry.is_adopted and not entry.subject and not entry.bytes and not entry.is_over:
            # An earlier version took a listed task for the request's own before its video could prove it.
            await self.session.note(entry, state=State.UNCERTAIN.value, task_id="")
        if entry.is_open and self.session.is_free:
            await self.session.note(entry, state=State.SUBMITTING.value, sent_at=0.0, service_sent_at=0.0)
        if entry.is_open:
            await reconcile(entry, own, seconds=LOST_SECONDS, session=self.session, say=say)
        if not entry.task_id:
            call = await self._call(request, made.media, say)
            try:
                await submit(entry, call, own, session=self.session, say=say)
            except (RequestRefused, AccessRefused) as error:
                self._point_to_workspace(error, request)
                raise
        told = [*self.warnings, *made.media.notes]
        resumed = resumed or entry.is_adopted
        terms = Terms(self.order.place, self.order.metadata, request=request, warnings=told, resumed=resumed)
        # How long the stand-in takes is not what the model's row says.
        usual = (0, 0) if self.session.is_free else MODELS[entry.model].usual_wait
        age = self.session.age(entry)
        return await deliver(entry, terms, session=self.session, say=say, usual=usual, age=age, on_over=self.on_over)

    def _picture(self) -> Image.Image:
        """Return the picture that the video begins with."""
        if clip := self.order.clip:
            return opening_of(io.BytesIO(clip.data))
        return picture_of(self.order.pictures_of(self.index)[FIRST_FRAME])

    def _point_to_workspace(self, error: ServiceError, request: VideoRequest) -> None:
        """Add to a refusal what may be behind it: not every model is on the hosts that all workspaces share."""
        if MODELS[request.model].workspace_hosts_only and not self.session.client.endpoint.at_workspace:
            error.do = (
                f"{error.do} The service documents {request.model} for workspaces' own addresses only: give "
                "workspace_id in DashScope Connection, or set DASHSCOPE_BASE_URL to a workspace's address."
            ).lstrip()

    async def _call(self, request: VideoRequest, media: Media, say: Say) -> Call:
        """Return the create call, with the pictures and the addresses of what is uploaded in it."""
        addresses, pictures = {}, {}
        for kind, medium in media.by_kind.items():
            addresses[kind] = await medium.address(say)
            if medium.frame:
                addresses[kind] = uuid.uuid4().hex
                pictures[addresses[kind]] = medium.frame.pieces()
        body = build_body(request, region=self.session.region, media=addresses)
        row, price = MODELS[request.model], cost(request, region=self.session.region)
        return Call(
            body=await in_thread(put_pictures, to_json(body), pictures),
            path=row.schema.path,
            uses_uploads=any(address.lower().startswith("oss://") for address in addresses.values()),
            submit_rate=row.submit_rate,
            model_name=self._model_name(request),
            price=f", about {price['currency']} {price['amount']:.2f}" if price and price["amount"] else "",
        )

    def _model_name(self, request: VideoRequest) -> str:
        return MODELS[request.model].name_in(self.session.region.id) or ""
