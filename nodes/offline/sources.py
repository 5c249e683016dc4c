"""Fetching and judging the files that a create body names: pictures, a sound, a clip.

Nothing is fetched from anywhere, this machine included: a stranger's workflow could name any address. An http(s)
address stands for a drawn picture or a tone. Limits and messages: dashscope.md sections 0.1 and 2.2, newer-models.md.
"""

from __future__ import annotations

import base64
import binascii
import io
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import SplitResult, urlsplit

import av
from PIL import Image, UnidentifiedImageError

from ..service.model import DRIVING_AUDIO, FIRST_CLIP, FIRST_FRAME, LAST_FRAME, Model, PictureLimits
from ..service.models import AUDIO_BYTES
from .checks import Order
from .clip import BAD_MEDIA, check_clip
from .families import is_wan_3
from .scene import DRAWN_SIZE, Clip, Sources
from .storage import Storage
from .unfit import UnfitError

_DATA_URI = re.compile(r"data:(image/[a-z]+);base64,", re.ASCII)
_MIME_OF = {"JPEG": "image/jpeg", "PNG": "image/png", "BMP": "image/bmp", "WEBP": "image/webp"}
_SLACK = 0.1
"""Seconds by which a sound may be longer than allowed: encoders of mp3 fill up to whole frames."""

ONLY_SOUNDS = {"format_whitelist": "wav,mp3", "protocol_whitelist": ""}
"""For FFmpeg: a playlist, for one, could name files and addresses, which it would open."""

_ORIENTATION = 0x0112
_LYING = 5
"""EXIF's orientation, and from which value on width and height are the other way round."""

_BAD_URL = "The provided URL does not appear to be valid. Ensure it is correctly formatted."
_BAD_URL_OF_WAN_3 = "media.url scheme must be http/https, got: 'oss'"
_GONE = "Failed to find the requested media resource during the data inspection process."
_FORBIDDEN = "Don't have authorization to access the media resource during the data inspection process."
_UNDECODABLE = "Failed to decode the image during the data inspection."
_WRONG_FORMAT = "The input image is in invalid format."

_INSTEAD = {
    FIRST_FRAME: "replaced by a drawn picture",
    LAST_FRAME: "the video does not end with it",
    DRIVING_AUDIO: "replaced by a tone",
    FIRST_CLIP: "replaced by a drawn picture",
}


@dataclass(frozen=True)
class Finder:
    """Finds files for one create call. `oss` tells whether the call asked for oss:// addresses to be resolved."""

    storage: Storage
    model: Model
    model_name: str
    oss: bool

    def sources(self, order: Order) -> Sources:
        """Fetch and check what the order names. Raises UnfitError."""
        media = order.media
        picture = self._picture(media[FIRST_FRAME]) if FIRST_FRAME in media else None
        clip = self._clip(media[FIRST_CLIP], order) if FIRST_CLIP in media else None
        ending = self._picture(media[LAST_FRAME]) if LAST_FRAME in media else None
        sound = self._sound(media[DRIVING_AUDIO]) if DRIVING_AUDIO in media else None
        found = {FIRST_FRAME: picture, LAST_FRAME: ending, DRIVING_AUDIO: sound, FIRST_CLIP: clip}
        return Sources(
            picture=picture.data if picture else None,
            sound=sound,
            ending=ending.data if ending else None,
            clip=clip,
            size=clip.size if clip else picture.size if picture else DRAWN_SIZE,
            notes=[
                f"{self.model.schema.fields.get(kind, kind)} could not be fetched offline: {_INSTEAD[kind]}"
                for kind in media
                if found[kind] is None and (order.audio or kind != DRIVING_AUDIO)
            ],
        )

    def _picture(self, address: str) -> Picture | None:
        limits = self.model.pictures
        if address.startswith("data:"):
            data, mime = _decode_data_uri(address)
            return check_picture(data, mime=mime, limits=limits)
        stored = self._find(address)
        if stored is None:
            return None
        _check_bytes(stored.stat().st_size, limits=limits)
        return check_picture(stored.read_bytes(), mime=None, limits=limits)

    def _sound(self, address: str) -> bytes | None:
        # The service judges by the extension (dashscope.md section 2.2, InvalidURL).
        if PurePosixPath(_parts(address).path).suffix.lower() not in (".wav", ".mp3"):
            raise UnfitError("File type is not supported. Allowed types are: .wav, .mp3.", code="InvalidURL")
        stored = self._find(address)
        if stored is None:
            return None
        data = stored.read_bytes()
        check_sound(data, span=self.model.audio_seconds)
        return data

    def _clip(self, address: str, order: Order) -> Clip | None:
        stored = self._find(address)
        if stored is None:
            return None
        clip = check_clip(stored)
        # The page does not say what happens to a clip that is not shorter (newer-models.md section 1.3).
        if clip.seconds >= order.duration:
            raise UnfitError(f"The duration must be longer than the first clip of {clip.seconds:.2f} s.")
        return clip

    def _find(self, address: str) -> Path | None:
        """Return the file behind an oss address, and None for an http(s) one."""
        if address.startswith("oss://"):
            return self._stored(address)
        parts = _parts(address)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UnfitError(_BAD_URL)
        return None

    def _stored(self, address: str) -> Path:
        if not self.oss:
            raise UnfitError(_BAD_URL_OF_WAN_3 if is_wan_3(self.model) else _BAD_URL)
        stored = self.storage.find(address)
        if stored is None:
            raise UnfitError(_GONE)
        if stored.model != self.model_name:
            raise UnfitError(_FORBIDDEN)
        return stored.path


@dataclass(frozen=True)
class Picture:
    """An encoded picture, and its width and height in pixels as it is shown."""

    data: bytes
    size: tuple[int, int]


def check_picture(data: bytes, *, mime: str | None, limits: PictureLimits) -> Picture:
    """Refuse a picture that the service would refuse. Raises UnfitError."""
    _check_bytes(len(data), limits=limits)
    try:
        with Image.open(io.BytesIO(data)) as picture:
            if picture.format not in limits.formats:
                raise UnfitError(_WRONG_FORMAT, code="InvalidImageFormat")
            _check_shape(picture, limits=limits)
            if picture.format == "PNG" and picture.has_transparency_data:
                raise UnfitError(_WRONG_FORMAT, code="InvalidImageFormat")
            if mime is not None and mime != _MIME_OF[picture.format]:
                raise UnfitError("Invalid image format or corrupted file")
            picture.load()
            lying = picture.getexif().get(_ORIENTATION, 1) >= _LYING
            return Picture(data, picture.size[::-1] if lying else picture.size)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise UnfitError("the size of input image is too small or too large.") from error
    except (UnidentifiedImageError, OSError, SyntaxError, TypeError, ValueError) as error:
        raise UnfitError(_UNDECODABLE) from error


def _check_bytes(size: int, *, limits: PictureLimits) -> None:
    if size > limits.bytes:
        most = limits.bytes // 1024 // 1024
        raise UnfitError(f"Invalid file size. The image file size must be less than {most}MB.", code="InvalidFile.Size")


def _check_shape(picture: Image.Image, *, limits: PictureLimits) -> None:
    small, large = sorted(picture.size)
    if small < limits.sides[0] or large > limits.sides[1]:
        raise UnfitError("the size of input image is too small or too large.")
    if limits.ratio and large > limits.ratio * small:
        message = f"Invalid file aspect ratio. The image aspect ratio must be 1:{limits.ratio:g} ~ {limits.ratio:g}:1."
        raise UnfitError(message, code="InvalidFile.AspectRatio")


def check_sound(data: bytes, *, span: tuple[int, int]) -> None:
    """Refuse a sound that the service would refuse. Raises UnfitError."""
    if len(data) > AUDIO_BYTES:
        raise UnfitError(f"File size is larger than {AUDIO_BYTES // 1024 // 1024}MB.", code="InvalidURL")
    shortest, longest = span
    seconds = _sound_seconds(data, most=longest)
    if seconds > longest + _SLACK:
        raise UnfitError(f"The input audio is longer than {longest}s.", code="InvalidURL")
    if seconds < shortest:
        message = f"Invalid file duration. The file duration must be {shortest} s ~ {longest} s."
        raise UnfitError(message, code="InvalidFile.Duration")


def _sound_seconds(data: bytes, *, most: float) -> float:
    try:
        with av.open(io.BytesIO(data), container_options=dict(ONLY_SOUNDS)) as container:
            if not container.streams.audio:
                raise UnfitError(BAD_MEDIA)
            seconds = 0.0
            for frame in container.decode(audio=0):
                seconds += frame.samples / frame.sample_rate
                if seconds > most + 2 * _SLACK:
                    break
            return seconds
    except (av.error.FFmpegError, ValueError) as error:
        raise UnfitError(BAD_MEDIA) from error


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
