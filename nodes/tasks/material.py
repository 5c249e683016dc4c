"""The pictures, sounds and clips of an order, each as it goes into a request: inside it, or by an address."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from ..media.audio import encode_wav
from ..media.first_frame import FirstFrame, encode_first_frame
from ..service.model import DRIVING_AUDIO, FIRST_CLIP
from ..service.models import MODELS
from ..service.rules import INPUT_OF
from .order import Order
from .pauses import Say
from .session import Session
from .threads import in_thread
from .upload import WAV, FileKind, Upload

_ENDINGS = {"image/jpeg": ".jpg", "image/png": ".png"}

ADDRESSES_CHARS = 8000
"""Room kept in the body for the addresses of media that lie elsewhere."""


@dataclass(frozen=True)
class Medium:
    """One medium of a request. `content` stands for it in the fingerprint.

    It is a `frame` that goes into the body, or an `upload`, or lies at `url` already.
    """

    content: str
    frame: FirstFrame | None = None
    upload: Upload | None = None
    url: str = ""

    async def address(self, say: Say) -> str:
        """Return the address that goes into the request. Uploads when need be."""
        return await self.upload.address(say) if self.upload else self.url


@dataclass(frozen=True)
class Media:
    """The media of one request by kind, and what was done to them that its user should know."""

    by_kind: dict[str, Medium]
    notes: list[str]


class Material:
    """All that an order sends beside words. What several of its videos share is encoded and uploaded once."""

    def __init__(self, order: Order, *, session: Session) -> None:
        self._order = order
        self._session = session
        self._model_name = MODELS[order.request.model].name_in(session.region.id) or ""
        self._uploads: dict[str, Upload] = {}
        if order.audio is not None:
            self._upload(DRIVING_AUDIO, partial(encode_wav, order.audio), WAV)
        if clip := order.clip:
            self._upload(FIRST_CLIP, lambda: clip.data, FileKind("clip", clip.suffix, clip.mime))

    async def of(self, index: int, *, room: int) -> Media:
        """Return the media of one of the order's requests, whose pictures get `room` characters of its body."""
        media: dict[str, Medium] = {}
        if clip := self._uploads.get(FIRST_CLIP):
            media[FIRST_CLIP] = Medium(await clip.content_id(), upload=clip)
        pictures, notes = await in_thread(self._pictures, index, room)
        media |= pictures
        # A sound that a silent video has no use for goes nowhere.
        request = self._order.request
        if not MODELS[request.model].has_sound(generate_audio=request.generate_audio):
            return Media(media, notes)
        if sound := self._uploads.get(DRIVING_AUDIO):
            media[DRIVING_AUDIO] = Medium(await sound.content_id(), upload=sound)
        elif url := request.audio_url:
            media[DRIVING_AUDIO] = Medium(url, url=url)
        return Media(media, notes)

    def _pictures(self, index: int, room: int) -> tuple[dict[str, Medium], list[str]]:
        """Encode the pictures of one request. Where they are too large together, the larger one is uploaded."""
        pictures = self._order.pictures_of(index)
        encode = partial(encode_first_frame, sides=MODELS[self._order.request.model].pictures.sides)
        frames = {kind: encode(picture, max_chars=room) for kind, picture in pictures.items()}
        notes, outside = [], ""
        if sum(frame.chars for frame in frames.values()) > room:
            if self._session.region.temporary_storage:
                outside = max(frames, key=lambda kind: frames[kind].chars)
                notes.append(f"{INPUT_OF[outside]}: sent through temporary storage, as both pictures are large")
            else:
                shares = _shares(frames, room)
                frames = {kind: encode(picture, max_chars=shares[kind]) for kind, picture in pictures.items()}
                notes.append("image, last_frame: compressed more, as both must fit into one request")
        notes += [
            f"{INPUT_OF[kind]}: sent as {frame.width}x{frame.height}; larger ones do not fit"
            for kind, frame in frames.items()
            if frame.scaled
        ]
        return {kind: self._medium(frame, uploaded=kind == outside) for kind, frame in frames.items()}, notes

    def _medium(self, frame: FirstFrame, *, uploaded: bool) -> Medium:
        content = _hash_of(frame)
        if not uploaded:
            return Medium(content, frame=frame)
        kind = FileKind("picture", _ENDINGS[frame.mime], frame.mime)
        return Medium(content, upload=self._upload(content, lambda: frame.data, kind))

    def _upload(self, key: str, make: Callable[[], bytes], kind: FileKind) -> Upload:
        """Return the upload of a file, the same one for the same key."""
        made = Upload(make, kind, model_name=self._model_name, session=self._session)
        return self._uploads.setdefault(key, made)


def _shares(frames: Mapping[str, FirstFrame], room: int) -> dict[str, int]:
    """Share the room between pictures that do not fit: a small one keeps what it has, the larger one gets the rest."""
    shares: dict[str, int] = {}
    for kind in sorted(frames, key=lambda kind: frames[kind].chars):
        shares[kind] = min(frames[kind].chars, room // (len(frames) - len(shares)))
        room -= shares[kind]
    return shares


def _hash_of(frame: FirstFrame) -> str:
    """Return the hash of a picture's data URI."""
    whole = hashlib.sha256()
    for piece in frame.pieces():
        whole.update(piece)
    return whole.hexdigest()
