"""The images, audio files and clips of a batch, inline in the request or uploaded."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from ..catalog.media import DRIVING_AUDIO, EDITED_VIDEO
from ..errors import WanError
from ..frozen import frozen
from ..media.audio import encode_wav
from ..media.image import EncodedFrame, encode_frame
from ..media.video import Clip
from ..messages import Message, enumeration
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

    `kinds` are the media that each request has, by kind or `media_key`.
    """

    def __init__(self, plan: ValidatedBatch) -> None:
        self._plan = plan
        self._uploads: dict[str, Upload] = {}
        request = plan.batch.request
        audios = {DRIVING_AUDIO: plan.batch.audio}
        if plan.batch.references:
            audios |= {key: one.audio for key, one in plan.batch.media}
        urls = {EDITED_VIDEO: request.video_url, DRIVING_AUDIO: request.audio_url}
        # A silent video uses no audio, so none is sent.
        silent = () if plan.has_audio else (DRIVING_AUDIO,)
        self._urls = {kind: url for kind, url in urls.items() if url and kind not in silent}
        for key, audio in audios.items():
            if audio is not None and key not in silent:
                self._upload(key, partial(encode_wav, audio), WAV)
        for key, clip in plan.clips.items():
            self._upload(key, partial(_data_of, clip), FileType(Message("clip"), clip.suffix, clip.mime))
        given = [EDITED_VIDEO, *(kind for kind in plan.media_kinds if kind != DRIVING_AUDIO), DRIVING_AUDIO]
        sent = {*plan.media_kinds, *self._urls} - {*silent}
        self.kinds = [kind for kind in dict.fromkeys(given) if kind in sent]

    def for_request(self, images: Mapping[str, Any], *, max_chars: int) -> tuple[dict[str, Attachment], list[str]]:
        """Return the media of one request by kind, and notes for the user on changes to them.

        Its `images` are float [H,W,C] by kind. They get at most `max_chars` characters of the body. Blocking.
        """
        media = {key: Attachment(url, url=url) for key, url in self._urls.items()}
        uploads = {key: self._uploads[key] for key in self.kinds if key in self._uploads}
        media |= {key: Attachment(content_id(one.data()), upload=one) for key, one in uploads.items()}
        encoded, notes = self._encode_images(images, max_chars)
        return media | encoded, notes

    def _encode_images(self, images: Mapping[str, Any], max_chars: int) -> tuple[dict[str, Attachment], list[str]]:
        """Encode the images of one request. If they are too large together, the largest ones are uploaded."""
        model = self._plan.model
        encode = partial(encode_frame, sides=model.image_limits.sides)
        frames = {kind: encode(image, max_chars=max_chars) for kind, image in images.items()}
        notes: list[str] = []
        input_name = self._plan.batch.input_name
        outside = set() if model.inline_images else set(frames)
        several = len(frames) > 1 and model.inline_images
        left = sum(frame.data_uri_length for frame in frames.values()) if several else 0
        if left > max_chars:
            if self._plan.endpoint.region.temporary_storage and model.uploads:
                for kind in sorted(frames, key=lambda kind: -frames[kind].data_uri_length):
                    if left <= max_chars:
                        break
                    outside.add(kind)
                    left -= frames[kind].data_uri_length
                notes += [
                    Message(
                        "{input}: uploaded to temporary storage, as the images are large",
                        input=input_name(kind),
                    )
                    for kind in frames
                    if kind in outside
                ]
            else:
                shares = _split_budget(frames, max_chars)
                # An image that fits is not encoded again: as PNG it might need one byte more than its share.
                large = [kind for kind, frame in frames.items() if frame.data_uri_length > shares[kind]]
                frames |= {kind: encode(images[kind], max_chars=shares[kind]) for kind in large}
                inputs = dict.fromkeys(input_name(kind) for kind in large)
                names = enumeration(Message("{input}", input=name) for name in inputs)
                notes.append(Message("{names}: compressed further to fit into one request", names=names))
        notes += [
            Message(
                "{input}: scaled down to {width}x{height} to fit into the request",
                input=input_name(kind),
                width=frame.width,
                height=frame.height,
            )
            for kind, frame in frames.items()
            if frame.scaled
        ]
        attachments = {kind: self._attachment(frame, uploaded=kind in outside) for kind, frame in frames.items()}
        # Images of one batch have the name of their input.
        return attachments, list(dict.fromkeys(notes))

    def _attachment(self, frame: EncodedFrame, *, uploaded: bool) -> Attachment:
        content = frame.content_hash()
        if not uploaded:
            return Attachment(content, frame=frame)
        kind = FileType(Message("image"), _SUFFIXES[frame.mime], frame.mime)
        return Attachment(content, upload=self._upload(content, lambda: frame.data, kind))

    def _upload(self, key: str, make: Callable[[], bytes], kind: FileType) -> Upload:
        """Return the upload for a key; the same key always has the same upload."""
        return self._uploads.setdefault(key, Upload(make, kind, model_name=self._plan.offer.name))


def _data_of(clip: Clip) -> bytes:
    return clip.data


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
