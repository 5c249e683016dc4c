"""The sound of an order, stored with the service once for all its videos."""

from __future__ import annotations

import asyncio
import logging
from functools import partial

from ..errors import WanError
from ..media.audio import encode_wav
from ..service.models import MODELS
from .order import Order, sound_id
from .pauses import Patience, Say
from .session import Session
from .threads import in_thread

logger = logging.getLogger("dashscope_wan")

PATIENCE_SECONDS = 30.0
"""How long the service's storage may be out of reach. Nothing is paid yet, so it need not be long."""


class SoundUpload:
    """The sound of an order. It is encoded when it is first asked about and uploaded when a request first needs it."""

    def __init__(self, order: Order, *, session: Session) -> None:
        self._order = order
        self._session = session
        self._turn = asyncio.Lock()
        self._wav = b""
        self._address = ""

    async def content_id(self) -> str:
        """Return what stands for the sound in a fingerprint: its content, or the address that was given."""
        if self._order.audio is None:
            return self._order.request.audio_url
        return sound_id(await self._encoded())

    async def address(self, say: Say) -> str:
        """Return the address that goes into the request, "" where there is no sound. Uploads when need be."""
        if self._order.audio is None:
            return self._order.request.audio_url
        wav = await self._encoded()
        async with self._turn:
            if not self._address:
                self._address = await self._upload(wav, say)
        return self._address

    async def _encoded(self) -> bytes:
        async with self._turn:
            if not self._wav:
                assert self._order.audio is not None  # noqa: S101 - both callers have looked
                self._wav = await in_thread(encode_wav, self._order.audio)
        return self._wav

    async def _upload(self, wav: bytes, say: Say) -> str:
        name = MODELS[self._order.request.model].name_in(self._session.region.id) or ""
        upload = partial(self._session.client.upload, model_name=name, suffix=".wav", mime="audio/wav")
        patience = Patience(PATIENCE_SECONDS)
        while True:
            say(0.03, f"uploading the sound, {len(wav) / 1e6:.1f} MB")
            try:
                return await in_thread(upload, wav)
            except WanError as error:
                # A file that was stored but not answered for is stored twice: that costs nothing, it is gone in 48 h.
                await patience.bear(error, partial(say, 0.03))
