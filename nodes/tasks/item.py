"""One video's life: found in the ledger or written down, submitted once, waited for, brought home."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..errors import WanError
from ..media.first_frame import FirstFrame, encode_first_frame
from ..service.client import to_json
from ..service.errors import TaskCanceled, TaskUnknown
from ..service.models import CURRENCY, IMAGE_SIDE, MODELS
from ..service.regions import OFFLINE
from ..service.request import BODY_BYTES, VideoRequest, build_body, cost, put_picture
from .claiming import claim
from .delivery import NotOurTask, deliver
from .entry import Entry, Role
from .fetch import Terms
from .lost import find_lost, prompt_told
from .order import Order, fingerprint
from .pauses import Say
from .receipt import reused
from .saving import SavedVideo
from .session import Session
from .stopping import stopped, stopped_unsent
from .submit import Call, submit
from .threads import in_thread
from .upload import SoundUpload

logger = logging.getLogger("dashscope_wan")

ADDRESS_CHARS = 2000
"""Room kept in the body for the address of the sound."""


@dataclass(frozen=True)
class _Prepared:
    """What a create call is made of: the first frame, its hash, the body in which that stands for it, the entry."""

    frame: FirstFrame
    mark: str
    body: dict[str, Any]
    draft: Entry


@dataclass
class Item:
    """One picture of an order on its way to a video. `on_over` hears when its task no longer runs at the service."""

    order: Order
    index: int
    session: Session
    sound: SoundUpload
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
            entry, role = await claim(made.draft, session=self.session, say=say)
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
                if role is not Role.RESUME or not isinstance(error, TaskUnknown | TaskCanceled) or not entry.is_over:
                    raise
                logger.warning("Task %s is %s; asking for the video anew", entry.task_id, entry.state)
            except Exception:
                # A mistake of our own, or of a library: it names no task, and the task may be paid.
                if entry.task_id:
                    logger.warning("Task %s is at the service; Wan Fetch Task brings its video.", entry.task_id)
                raise

    async def _prepare(self, request: VideoRequest, say: Say) -> _Prepared:
        """Return what the create call is made of, with what stands for the sound, and the entry for the ledger."""
        say(0.0, "preparing")
        sound = await self.sound.content_id()
        frame = await in_thread(self._encode, request)
        mark = await in_thread(_hash_of, frame)
        body = build_body(request, region=self.session.region, image=mark, audio_url=sound)
        return _Prepared(frame, mark, body, self._draft(request, body))

    def _encode(self, request: VideoRequest) -> FirstFrame:
        empty = build_body(request, region=self.session.region, image="", audio_url="")
        room = BODY_BYTES - len(to_json(empty)) - ADDRESS_CHARS
        frame = encode_first_frame(self.order.images[self.index], max_chars=room, sides=IMAGE_SIDE)
        if frame.scaled:
            logger.warning("The picture is sent as %dx%d: the service takes no larger one", frame.width, frame.height)
        return frame

    def _draft(self, request: VideoRequest, body: dict[str, Any]) -> Entry:
        """Return the entry of a request that is not yet in the ledger."""
        return Entry(
            fingerprint=fingerprint(body, self.session.region.id, self.session.account),
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
        if entry.is_open:
            known = {"model_name": made.body["model"], "prompt": prompt_told(request)}
            await find_lost(entry, **known, session=self.session, say=say)
        if not entry.task_id:
            await submit(entry, await self._call(request, made, say), session=self.session, say=say)
        terms = Terms(self.order.place, self.order.metadata, request=request, warnings=self.warnings, resumed=resumed)
        # How long the stand-in takes is not what the model's row says.
        usual = (0, 0) if self.session.region.id == OFFLINE else MODELS[entry.model].usual_wait
        age = self.session.age(entry)
        try:
            return await deliver(
                entry, terms, session=self.session, say=say, usual=usual, age=age, on_over=self.on_over
            )
        except NotOurTask as error:
            logger.warning("%s Looking for its own", error.what)
            return await self._carry_on(entry, request, made=made, say=say)

    async def _call(self, request: VideoRequest, made: _Prepared, say: Say) -> Call:
        """Return the create call, with the picture and the address of the sound in it."""
        address, body = "", made.body
        if "audio_url" in body["input"]:
            address = await self.sound.address(say)
            body = body | {"input": body["input"] | {"audio_url": address}}
        price = cost(request, region=self.session.region)
        return Call(
            body=await in_thread(put_picture, to_json(body), mark=made.mark, picture=made.frame.pieces()),
            uses_uploads=address.lower().startswith("oss://"),
            submit_rate=MODELS[request.model].submit_rate,
            model_name=body["model"],
            prompt=prompt_told(request),
            price=f", about {CURRENCY} {price['amount']:.2f}" if price and price["amount"] else "",
        )


def _hash_of(frame: FirstFrame) -> str:
    """Return the hash of a picture's data URI."""
    whole = hashlib.sha256()
    for piece in frame.pieces():
        whole.update(piece)
    return whole.hexdigest()
