"""The images, audio files and clips of a batch, inline in the request or uploaded."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping
from functools import partial

from ..api.validation import INPUT_NAMES
from ..catalog.spec import DRIVING_AUDIO, FIRST_CLIP
from ..errors import WanError
from ..frozen import frozen
from ..media.audio import encode_wav
from ..media.image import EncodedFrame, encode_frame
from ..threads import run_in_thread
from .batch import ValidatedBatch
from .context import RunContext
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

    async def resolve_url(self, report: Progress) -> str:
        """Return the URL for the request, "" for an inline frame, uploading the file first if necessary."""
        return await self.upload.url(report) if self.upload else self.url


@frozen
class RequestMedia:
    """The media of one request by kind, and notes for the user on changes to them."""

    by_kind: dict[str, Attachment]
    notes: list[str]


class Attachments:
    """All media of a batch. Media that several videos share are encoded and uploaded once."""

    def __init__(self, plan: ValidatedBatch, *, context: RunContext) -> None:
        self._plan = plan
        self._context = context
        self._uploads: dict[str, Upload] = {}
        # A silent video uses no audio, so none is sent.
        request, audio = plan.batch.request, plan.batch.audio
        has_audio = plan.model.has_audio(generate_audio=request.generate_audio)
        self._audio_url = request.audio_url if has_audio else ""
        if has_audio and audio is not None:
            self._upload(DRIVING_AUDIO, partial(encode_wav, audio), WAV)
        if clip := plan.clip:
            self._upload(FIRST_CLIP, lambda: clip.data, FileType("clip", clip.suffix, clip.mime))

    @property
    def kinds(self) -> list[str]:
        """The kinds of media that each request has."""
        frames = [kind for kind in self._plan.batch.media_kinds if kind != DRIVING_AUDIO]
        has_audio = bool(self._audio_url) or DRIVING_AUDIO in self._uploads
        return [*frames, *([DRIVING_AUDIO] if has_audio else [])]

    async def for_request(self, index: int, *, max_chars: int) -> RequestMedia:
        """Return the media of one request; its images get at most `max_chars` characters of the body."""
        media: dict[str, Attachment] = {}
        if clip := self._uploads.get(FIRST_CLIP):
            media[FIRST_CLIP] = Attachment(await clip.digest(), upload=clip)
        images, notes = await run_in_thread(self._encode_images, index, max_chars)
        media |= images
        if audio := self._uploads.get(DRIVING_AUDIO):
            media[DRIVING_AUDIO] = Attachment(await audio.digest(), upload=audio)
        elif self._audio_url:
            media[DRIVING_AUDIO] = Attachment(self._audio_url, url=self._audio_url)
        return RequestMedia(media, notes)

    def _encode_images(self, index: int, max_chars: int) -> tuple[dict[str, Attachment], list[str]]:
        """Encode the images of one request. If they are too large together, the larger one is uploaded."""
        images = self._plan.batch.images_for(index)
        encode = partial(encode_frame, sides=self._plan.model.image_limits.sides)
        frames = {kind: encode(image, max_chars=max_chars) for kind, image in images.items()}
        notes, outside = [], ""
        if sum(frame.data_uri_length for frame in frames.values()) > max_chars:
            if self._context.region.temporary_storage:
                outside = max(frames, key=lambda kind: frames[kind].data_uri_length)
                notes.append(f"{INPUT_NAMES[outside]}: uploaded to temporary storage, as both images are large")
            else:
                shares = _split_budget(frames, max_chars)
                frames = {kind: encode(image, max_chars=shares[kind]) for kind, image in images.items()}
                notes.append("image, last_frame: compressed further to fit both into one request")
        notes += [
            f"{INPUT_NAMES[kind]}: scaled down to {frame.width}x{frame.height} to fit into the request"
            for kind, frame in frames.items()
            if frame.scaled
        ]
        return {kind: self._attachment(frame, uploaded=kind == outside) for kind, frame in frames.items()}, notes

    def _attachment(self, frame: EncodedFrame, *, uploaded: bool) -> Attachment:
        content = _hash_of(frame)
        if not uploaded:
            return Attachment(content, frame=frame)
        kind = FileType("image", _SUFFIXES[frame.mime], frame.mime)
        return Attachment(content, upload=self._upload(content, lambda: frame.data, kind))

    def _upload(self, key: str, make: Callable[[], bytes], kind: FileType) -> Upload:
        """Return the upload for a key; the same key always has the same upload."""
        made = Upload(make, kind, model_name=self._plan.offer.name, context=self._context)
        return self._uploads.setdefault(key, made)


def _split_budget(frames: Mapping[str, EncodedFrame], max_chars: int) -> dict[str, int]:
    """Split the character budget between the images: small images keep their size, the largest gets the rest."""
    shares: dict[str, int] = {}
    for kind in sorted(frames, key=lambda kind: frames[kind].data_uri_length):
        shares[kind] = min(frames[kind].data_uri_length, max_chars // (len(frames) - len(shares)))
        max_chars -= shares[kind]
    return shares


def _hash_of(frame: EncodedFrame) -> str:
    """Return the hash of an image's data URI."""
    whole = hashlib.sha256()
    for piece in frame.iter_chunks():
        whole.update(piece)
    return whole.hexdigest()


@frozen
class FileType:
    """A file's label in messages, its file name suffix and its MIME type."""

    label: str
    suffix: str
    mime: str


WAV = FileType("audio", ".wav", "audio/wav")


class Upload:
    """A file for the service's temporary storage, created on first use and uploaded when its URL is requested."""

    def __init__(self, make: Callable[[], bytes], file_type: FileType, *, model_name: str, context: RunContext) -> None:
        self._make = make
        self._file_type = file_type
        self._model_name = model_name
        self._context = context
        self._lock = asyncio.Lock()
        self._data = b""
        self._url = ""

    async def digest(self) -> str:
        """Return the file's content hash for the fingerprint."""
        async with self._lock:
            return content_id(await self._get_data())

    async def url(self, report: Progress) -> str:
        """Return the file's `oss://` URL, uploading the file on the first call."""
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
        retries = RetryBudget(self._context.clock, OUTAGE_TIMEOUT)
        while True:
            report(0.03, f"uploading the {kind.label}, {len(data) / 1e6:.1f} MB")
            try:
                return await run_in_thread(upload, data)
            except WanError as error:
                # If the response is lost, the file is uploaded twice. That is free, and both copies expire in 48 h.
                await retries.wait_or_raise(error, partial(report, 0.03))


def content_id(data: bytes) -> str:
    """Return a file's content hash for the fingerprint."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"
