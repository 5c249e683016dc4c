"""Files that a request names instead of holding: stored with the service for two days, each once for all videos."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from ..errors import WanError
from .pauses import Patience, Say
from .session import Session
from .threads import in_thread

PATIENCE_SECONDS = 30.0
"""How long the service's storage may be out of reach. Nothing is paid yet, so it need not be long."""


@dataclass(frozen=True)
class FileKind:
    """What a file is: in words, and by the ending of its name and its MIME type."""

    what: str
    suffix: str
    mime: str


WAV = FileKind("sound", ".wav", "audio/wav")


class Upload:
    """A file for the service's temporary storage. It is made when it is first asked about, and stored when needed."""

    def __init__(self, make: Callable[[], bytes], kind: FileKind, *, model_name: str, session: Session) -> None:
        self._make = make
        self._kind = kind
        self._model_name = model_name
        self._session = session
        self._turn = asyncio.Lock()
        self._data = b""
        self._address = ""

    async def content_id(self) -> str:
        """Return what stands for the file in a fingerprint: its content."""
        async with self._turn:
            return content_id(await self._made())

    async def address(self, say: Say) -> str:
        """Return the file's `oss://` address. Uploads it the first time."""
        async with self._turn:
            if not self._address:
                self._address = await self._upload(await self._made(), say)
        return self._address

    async def _made(self) -> bytes:
        if not self._data:
            self._data = await in_thread(self._make)
        return self._data

    async def _upload(self, data: bytes, say: Say) -> str:
        kind = self._kind
        upload = partial(self._session.client.upload, model_name=self._model_name, suffix=kind.suffix, mime=kind.mime)
        patience = Patience(PATIENCE_SECONDS)
        while True:
            say(0.03, f"uploading the {kind.what}, {len(data) / 1e6:.1f} MB")
            try:
                return await in_thread(upload, data)
            except WanError as error:
                # A file that was stored but not answered for is stored twice: that costs nothing, it is gone in 48 h.
                await patience.bear(error, partial(say, 0.03))


def content_id(data: bytes) -> str:
    """Return what stands for a file's content in a fingerprint."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"
