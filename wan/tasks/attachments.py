"""The images, audio files and clips of a batch, inline in the request or uploaded."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from ..api.validation import INPUT_NAMES
from ..catalog.spec import DRIVING_AUDIO, FIRST_CLIP
from ..errors import WanError
from ..frozen import frozen
from ..media.audio import encode_wav
from ..media.image import EncodedFrame, encode_frame
from ..messages import Message
from .batch import ValidatedBatch
from .context import RunContext, run_in_thread
from .progress import Progress
from .retry import RetryBudget

_SUFFIXES = {"image/jpeg": ".jpg", "image/png": ".png"}

RESERVED_URL_CHARS = 8000
"""Characters of the body reserved for the URLs of media that are not inline."""

OUTAGE_TIMEOUT = 30.0
"""Seconds to retry an upload. Nothing is charged yet, so the time is short."""


@frozen
class Attachment:
    """One medium of a request: an inline `frame`, an `upload`, or the `url` of an existing file.

    `content_hash` represents it in the fingerprint.
    """

    content_hash: str
    frame: EncodedFrame | None = None
    upload: Upload | None = None
    url: str = ""


class Attachments:
    """All media of a batch. Media that several videos share are encoded and uploaded once.

    `kinds` are the kinds of media that each request has.
    """

    def __init__(self, plan: ValidatedBatch) -> None:
        self._plan = plan
        self._uploads: dict[str, Upload] = {}
        # A silent video uses no audio, so none is sent.
        request, audio = plan.batch.request, plan.batch.audio
        self._audio_url = request.audio_url if plan.has_audio else ""
        if plan.has_audio and audio is not None:
            self._upload(DRIVING_AUDIO, partial(encode_wav, audio), WAV)
        if clip := plan.clip:
            self._upload(FIRST_CLIP, lambda: clip.data, FileType("clip", clip.suffix, clip.mime))
        has_audio = bool(self._audio_url) or DRIVING_AUDIO in self._uploads
        self.kinds = [kind for kind in plan.media_kinds if kind != DRIVING_AUDIO] + [DRIVING_AUDIO] * has_audio

    def for_request(self, images: Mapping[str, Any], *, max_chars: int) -> tuple[dict[str, Attachment], list[str]]:
        """Return the media of one request by kind, and notes for the user on changes to them.

        Its `images` are float [H,W,C] by kind. They get at most `max_chars` characters of the body. Blocking.
        """
        media: dict[str, Attachment] = {}
        if clip := self._uploads.get(FIRST_CLIP):
            media[FIRST_CLIP] = Attachment(content_id(clip.data()), upload=clip)
        encoded, notes = self._encode_images(images, max_chars)
        media |= encoded
        if audio := self._uploads.get(DRIVING_AUDIO):
            media[DRIVING_AUDIO] = Attachment(content_id(audio.data()), upload=audio)
        elif self._audio_url:
            media[DRIVING_AUDIO] = Attachment(self._audio_url, url=self._audio_url)
        return media, notes

    def _encode_images(self, images: Mapping[str, Any], max_chars: int) -> tuple[dict[str, Attachment], list[str]]:
        """Encode the images of one request. If they are too large together, the larger one is uploaded."""
        encode = partial(encode_frame, sides=self._plan.model.image_limits.sides)
        frames = {kind: encode(image, max_chars=max_chars) for kind, image in images.items()}
        notes: list[str] = []
        outside = ""
        if len(frames) > 1 and sum(frame.data_uri_length for frame in frames.values()) > max_chars:
            if self._plan.endpoint.region.temporary_storage:
                outside = max(frames, key=lambda kind: frames[kind].data_uri_length)
                notes.append(
                    Message(
                        "{input}: uploaded to temporary storage, as both images are large", input=INPUT_NAMES[outside]
                    )
                )
            else:
                shares = _split_budget(frames, max_chars)
                frames = {kind: encode(image, max_chars=shares[kind]) for kind, image in images.items()}
                notes.append(Message("image, last_frame: compressed further to fit both into one request"))
        notes += [
            Message(
                "{input}: scaled down to {width}x{height} to fit into the request",
                input=INPUT_NAMES[kind],
                width=frame.width,
                height=frame.height,
            )
            for kind, frame in frames.items()
            if frame.scaled
        ]
        return {kind: self._attachment(frame, uploaded=kind == outside) for kind, frame in frames.items()}, notes

    def _attachment(self, frame: EncodedFrame, *, uploaded: bool) -> Attachment:
        content = frame.content_hash()
        if not uploaded:
            return Attachment(content, frame=frame)
        kind = FileType(Message("image"), _SUFFIXES[frame.mime], frame.mime)
        return Attachment(content, upload=self._upload(content, lambda: frame.data, kind))

    def _upload(self, key: str, make: Callable[[], bytes], kind: FileType) -> Upload:
        """Return the upload for a key; the same key always has the same upload."""
        return self._uploads.setdefault(key, Upload(make, kind, model_name=self._plan.offer.name))


def _split_budget(frames: Mapping[str, EncodedFrame], max_chars: int) -> dict[str, int]:
    """Split the character budget between the images: small images keep their size, the largest gets the rest."""
    shares: dict[str, int] = {}
    for kind in sorted(frames, key=lambda kind: frames[kind].data_uri_length):
        shares[kind] = min(frames[kind].data_uri_length, max_chars // (len(frames) - len(shares)))
        max_chars -= shares[kind]
    return shares


@frozen
class FileType:
    """A file's label in messages, its file name suffix and its MIME type."""

    label: str
    suffix: str
    mime: str


WAV = FileType(Message("audio"), ".wav", "audio/wav")


class Upload:
    """A file for the service's temporary storage, created on first use and uploaded when its URL is requested."""

    def __init__(self, make: Callable[[], bytes], file_type: FileType, *, model_name: str) -> None:
        self._make = make
        self._file_type = file_type
        self._model_name = model_name
        self._making = threading.Lock()
        self._uploading = asyncio.Lock()
        self._data = b""
        self._url = ""

    def data(self) -> bytes:
        """Return the file's content. Blocking on the first call."""
        with self._making:
            self._data = self._data or self._make()
            return self._data

    async def url(self, context: RunContext, report: Progress) -> str:
        """Return the file's `oss://` URL, uploading the file on the first call."""
        async with self._uploading:
            if not self._url:
                self._url = await self._upload(context, report)
        return self._url

    async def _upload(self, context: RunContext, report: Progress) -> str:
        kind, data = self._file_type, self.data()
        upload = partial(context.client.upload_file, model_name=self._model_name, suffix=kind.suffix, mime=kind.mime)
        retries = RetryBudget(context.clock, OUTAGE_TIMEOUT)
        while True:
            size = len(data) / 1e6
            report(0.03, partial(Message, "uploading the {file}, {size:.1f} MB", file=kind.label, size=size))
            try:
                return await run_in_thread(upload, data)
            except WanError as error:
                # If the response is lost, the file is uploaded twice. That is free, and both copies expire in 48 h.
                await retries.wait_or_raise(error, partial(report, 0.03))


def content_id(data: bytes) -> str:
    """Return a file's content hash for the fingerprint."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"
