"""Files that a request names instead of holding: stored with the service for two days, each once for all videos."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from ..errors import WanError
from .pauses import Progress, RetryBudget
from .session import RunContext
from .threads import run_in_thread

OUTAGE_TIMEOUT = 30.0
"""How long the service's storage may be out of reach. Nothing is paid yet, so it need not be long."""


@dataclass(frozen=True)
class FileType:
    """What a file is: in words, and by the ending of its name and its MIME type."""

    label: str
    suffix: str
    mime: str


WAV = FileType("sound", ".wav", "audio/wav")


class Upload:
    """A file for the service's temporary storage. It is made when it is first asked about, and stored when needed."""

    def __init__(self, make: Callable[[], bytes], file_type: FileType, *, model_name: str, context: RunContext) -> None:
        self._make = make
        self._file_type = file_type
        self._model_name = model_name
        self._context = context
        self._lock = asyncio.Lock()
        self._data = b""
        self._url = ""

    async def digest(self) -> str:
        """Return what stands for the file in a fingerprint: its content."""
        async with self._lock:
            return content_id(await self._get_data())

    async def url(self, report: Progress) -> str:
        """Return the file's `oss://` URL. Uploads it the first time."""
        async with self._lock:
            if not self._url:
                self._url = await self._upload(await self._get_data(), report)
        return self._url

    async def _get_data(self) -> bytes:
        if not self._data:
            self._data = await run_in_thread(self._make)
        return self._data

    async def _upload(self, data: bytes, report: Progress) -> str:
        kind = self._file_type
        upload = partial(
            self._context.client.upload_file, model_name=self._model_name, suffix=kind.suffix, mime=kind.mime
        )
        retries = RetryBudget(OUTAGE_TIMEOUT)
        while True:
            report(0.03, f"uploading the {kind.label}, {len(data) / 1e6:.1f} MB")
            try:
                return await run_in_thread(upload, data)
            except WanError as error:
                # A file that was stored but not answered for is stored twice: that costs nothing, it is gone in 48 h.
                await retries.wait_or_raise(error, partial(report, 0.03))


def content_id(data: bytes) -> str:
    """Return what stands for a file's content in a fingerprint."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"
