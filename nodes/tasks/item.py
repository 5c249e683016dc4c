"""One video's life: found in the ledger or written down, submitted once, waited for, brought home."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import time
from dataclasses import dataclass, field
from typing import Any

from ..media.first_frame import FirstFrame, encode_first_frame
from ..service.client import to_json
from ..service.errors import ServiceError, TaskCanceled, TaskUnknown
from ..service.models import CURRENCY, IMAGE_SIDE, MODELS
from ..service.regions import OFFLINE
from ..service.request import BODY_BYTES, VideoRequest, build_body, cost
from ..service.task import Task
from .claiming import claim
from .fetch import fetch
from .ledger import Entry, Role, State
from .lost import find_lost
from .order import Order, fingerprint
from .pauses import Say
from .receipt import make_receipt, reused
from .saving import SavedVideo
from .session import Session
from .submit import Call, cancel_if_queued, submit
from .threads import in_thread
from .upload import SoundUpload
from .wait import wait
from .watch import CLEAN_UP_SECONDS

logger = logging.getLogger("dashscope_wan")

ADDRESS_CHARS = 2000
"""Room kept in the body for the address of the sound."""


@dataclass
class Item:
    """One picture of an order on its way to a video."""

    order: Order
    index: int
    session: Session
    sound: SoundUpload
    warnings: list[str]
    _resumed: bool = field(default=False, init=False)

    async def make(self, say: Say) -> SavedVideo:
        """Make the video, or go on with what an earlier run began, and return it saved."""
        say(0.0, "preparing")
        request = self.order.request_of(self.index)
        sound = await self.sound.content_id()
        frame = await in_thread(self._encode, request)
        body = build_body(request, region=self.session.region, image=frame.data_uri, audio_url=sound)
        draft = self._draft(request, body)
        while True:
            entry, role = await claim(draft, session=self.session, say=say)
            if role is Role.REUSE:
                say(1.0, "already saved: returned without paying; change the seed for a new video")
                return reused(entry)
            self._resumed = role is Role.RESUME
            try:
                return await self._carry_on(entry, request, body=body, say=say)
            except TaskUnknown:
                self.session.note(entry, state=State.EXPIRED.value)
                if role is not Role.RESUME:
                    raise
                logger.warning("Task %s is no longer known to the service; asking for the video anew", entry.task_id)

    def _encode(self, request: VideoRequest) -> FirstFrame:
        empty = build_body(request, region=self.session.region, image="", audio_url="")
        room = BODY_BYTES - len(to_json(empty)) - ADDRESS_CHARS
        frame = encode_first_frame(self.order.images[self.index], max_chars=room, sides=IMAGE_SIDE)
        if frame.scaled:
            logger.warning("The picture is sent as %dx%d: the service takes no larger one", frame.width, frame.height)
        return frame

    def _draft(self, request: VideoRequest, body: dict[str, Any]) -> Entry:
        """Return the entry of a request that is not yet in the ledger."""
        picture = hashlib.sha256(body["input"]["img_url"].encode("ascii")).hexdigest()
        named = body | {"input": body["input"] | {"img_url": picture}}
        return Entry(
            fingerprint=fingerprint(named, self.session.region.id, self.session.account),
            account=self.session.account,
            region=self.session.region.id,
            model=request.model,
            resolution=request.resolution,
            duration=request.duration,
            created_at=time.time(),
        )

    async def _carry_on(self, entry: Entry, request: VideoRequest, *, body: dict[str, Any], say: Say) -> SavedVideo:
        """Take a claimed entry from where it is to a saved video."""
        if not entry.task_id and entry.sent_at:
            await find_lost(entry, model_name=body["model"], session=self.session, say=say)
        if not entry.task_id:
            await self._submit(entry, request, body=body, say=say)
        task = await self._wait(entry, say)
        film, facts = await fetch(
            task,
            entry,
            place=self.order.place,
            metadata=self.order.metadata,
            session=self.session,
            say=say,
        )
        receipt = make_receipt(
            task,
            facts,
            entry=entry,
            request=request,
            region=self.session.region,
            resumed=self._resumed,
            warnings=self.warnings,
        )
        self.session.note(entry, receipt=json.dumps(receipt), finished_at=entry.finished_at or time.time())
        say(1.0, f"saved {film.name}")
        return SavedVideo(film, task.task_id, receipt)

    async def _submit(self, entry: Entry, request: VideoRequest, *, body: dict[str, Any], say: Say) -> None:
        address = await self.sound.address(say)
        if "audio_url" in body["input"]:
            body["input"]["audio_url"] = address
        price = cost(request, region=self.session.region)
        call = Call(
            body=await in_thread(to_json, body),
            uses_uploads="audio_url" in body["input"] and address.lower().startswith("oss://"),
            submit_rate=MODELS[request.model].submit_rate,
            model=request.model,
            price=f", about {CURRENCY} {price['amount']:.2f}" if price and price["amount"] else "",
        )
        await submit(entry, call, session=self.session, say=say)

    async def _wait(self, entry: Entry, say: Say) -> Task:
        # How long the stand-in takes is not what the model's row says.
        usual = (0, 0) if self.session.region.id == OFFLINE else MODELS[entry.model].usual_wait
        try:
            task = await wait(entry.task_id, session=self.session, say=say, usual=usual, age=self.session.age(entry))
        except asyncio.CancelledError:
            await self._stop(entry, say)
            raise
        except TaskCanceled as error:
            self.session.note(entry, state=State.CANCELED.value, error=str(error))
            raise
        except ServiceError as error:
            if error.http_status == 200:
                self.session.note(entry, state=State.FAILED.value, error=str(error))
            raise
        self.session.note(entry, state=State.SUCCEEDED.value, finished_at=time.time())
        return task

    async def _stop(self, entry: Entry, say: Say) -> None:
        """On Stop: cancel the task where that is still possible, and say whether it goes on costing."""
        say(0.1, f"stopped; task {entry.task_id} goes on at the service and is charged when it succeeds")
        self.session.ledger.hold()

        def cancel() -> bool:
            try:
                return cancel_if_queued(entry, session=self.session)
            finally:
                self.session.ledger.close()

        done = asyncio.ensure_future(in_thread(cancel))
        await asyncio.wait({done}, timeout=CLEAN_UP_SECONDS / 2)
        if done.done() and done.result():
            say(0.1, f"stopped; task {entry.task_id} was still queued and is cancelled, nothing is charged")
