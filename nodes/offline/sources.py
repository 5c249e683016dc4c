"""Fetching and judging the files that a create body names: the picture and the sound.

Nothing is fetched from anywhere, this machine included: a stranger's workflow could name any address. An http(s)
address stands for a drawn picture or a tone. Limits and messages: dashscope.md sections 0.1 and 2.2.
"""

from __future__ import annotations

import base64
import binascii
import io
import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import SplitResult, urlsplit

import av
from PIL import Image, UnidentifiedImageError

from ..service.models import AUDIO_BYTES, AUDIO_SECONDS, IMAGE_SIDE, Model
from .checks import Order, UnfitError
from .scene import Sources
from .storage import Storage

_DATA_URI = re.compile(r"data:(image/[a-z]+);base64,", re.ASCII)
_MIME_OF = {"JPEG": "image/jpeg", "PNG": "image/png", "BMP": "image/bmp", "WEBP": "image/webp"}
_SLACK = 0.1
"""Seconds by which a sound may be longer than allowed: encoders of mp3 fill up to whole frames."""

ONLY_SOUNDS = {"format_whitelist": "wav,mp3", "protocol_whitelist": ""}
"""For FFmpeg: a playlist, for one, could name files and addresses, which it would open."""

_BAD_URL = "The provided URL does not appear to be valid. Ensure it is correctly formatted."
_GONE = "Failed to find the requested media resource during the data inspection process."
_FORBIDDEN = "Don't have authorization to access the media resource during the data inspection process."
_UNDECODABLE = "Failed to decode the image during the data inspection."
_BAD_MEDIA = "The media format is not supported or incorrect for the data inspection."


@dataclass(frozen=True)
class Finder:
    """Finds files for one create call. `oss` tells whether the call asked for oss:// addresses to be resolved."""

    storage: Storage
    model: Model
    model_name: str
    oss: bool

    def sources(self, order: Order) -> Sources:
        """Fetch and check what the order names. Raises UnfitError."""
        notes: list[str] = []
        picture = self._picture(order.img_url)
        if picture is None:
            notes.append("img_url could not be fetched offline: replaced by a drawn picture")
        sound = self._sound(order.audio_url) if order.audio_url else None
        if order.audio_url and order.audio and sound is None:
            notes.append("audio_url could not be fetched offline: replaced by a tone")
        return Sources(picture=picture, sound=sound, notes=notes)

    def _picture(self, address: str) -> bytes | None:
        limit = self.model.image_bytes
        if address.startswith("data:"):
            data, mime = _decode_data_uri(address)
            check_picture(data, mime=mime, limit=limit)
            return data
        stored = self._find(address)
        if stored is not None:
            check_picture(stored, mime=None, limit=limit)
        return stored

    def _sound(self, address: str) -> bytes | None:
        # The service judges by the extension (dashscope.md section 2.2, InvalidURL).
        if PurePosixPath(_parts(address).path).suffix.lower() not in (".wav", ".mp3"):
            raise UnfitError("File type is not supported. Allowed types are: .wav, .mp3.", code="InvalidURL")
        data = self._find(address)
        if data is not None:
            check_sound(data)
        return data

    def _find(self, address: str) -> bytes | None:
        """Return the bytes behind an oss address, and None for an http(s) one."""
        if address.startswith("oss://"):
            return self._stored(address)
        parts = _parts(address)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UnfitError(_BAD_URL)
        return None

    def _stored(self, address: str) -> bytes:
        if not self.oss:
            raise UnfitError(_BAD_URL)
        stored = self.storage.find(address)
        if stored is None:
            raise UnfitError(_GONE)
        if stored.model != self.model_name:
            raise UnfitError(_FORBIDDEN)
        return stored.path.read_bytes()


def check_picture(data: bytes, *, mime: str | None, limit: int) -> None:
    """Refuse a picture that the service would refuse. `limit` is in bytes. Raises UnfitError."""
    if len(data) > limit:
        raise UnfitError(_too_big("image", limit), code="InvalidFile.Size")
    try:
        with Image.open(io.BytesIO(data)) as picture:
            if picture.format not in _MIME_OF:
                raise UnfitError("The input image is in invalid format.", code="InvalidImageFormat")
            if not all(IMAGE_SIDE[0] <= side <= IMAGE_SIDE[1] for side in picture.size):
                raise UnfitError("the size of input image is too small or too large.")
            if picture.format == "PNG" and picture.has_transparency_data:
                raise UnfitError("The input image is in invalid format.", code="InvalidImageFormat")
            if mime is not None and mime != _MIME_OF[picture.format]:
                raise UnfitError("Invalid image format or corrupted file")
            picture.load()
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise UnfitError("the size of input image is too small or too large.") from error
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise UnfitError(_UNDECODABLE) from error


def check_sound(data: bytes) -> None:
    """Refuse a sound that the service would refuse. Raises UnfitError."""
    if len(data) > AUDIO_BYTES:
        raise UnfitError(f"File size is larger than {AUDIO_BYTES // 1024 // 1024}MB.", code="InvalidURL")
    shortest, longest = AUDIO_SECONDS
    seconds = _sound_seconds(data)
    if seconds > longest + _SLACK:
        raise UnfitError(f"The input audio is longer than {longest}s.", code="InvalidURL")
    if seconds < shortest:
        message = f"Invalid file duration. The file duration must be {shortest} s ~ {longest} s."
        raise UnfitError(message, code="InvalidFile.Duration")


def _sound_seconds(data: bytes) -> float:
    try:
        with av.open(io.BytesIO(data), container_options=dict(ONLY_SOUNDS)) as container:
            if not container.streams.audio:
                raise UnfitError(_BAD_MEDIA)
            seconds = 0.0
            for frame in container.decode(audio=0):
                seconds += frame.samples / frame.sample_rate
                if seconds > AUDIO_SECONDS[1] + 2 * _SLACK:
                    break
            return seconds
    except (av.error.FFmpegError, ValueError) as error:
        raise UnfitError(_BAD_MEDIA) from error


def _decode_data_uri(address: str) -> tuple[bytes, str]:
    found = _DATA_URI.match(address)
    if not found or found.group(1) not in _MIME_OF.values():
        raise UnfitError(_BAD_URL)
    try:
        return base64.b64decode(address[found.end() :], validate=True), found.group(1)
    except (binascii.Error, ValueError) as error:
        raise UnfitError(_UNDECODABLE) from error


def _parts(address: str) -> SplitResult:
    try:
        return urlsplit(address)
    except ValueError as error:
        raise UnfitError(_BAD_URL) from error


def _too_big(kind: str, limit: int) -> str:
    return f"Invalid file size. The {kind} file size must be less than {limit // 1024 // 1024}MB."
