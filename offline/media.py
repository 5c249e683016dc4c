"""Fetching and judging the files that a create body names: images, an audio file, a clip.

Nothing is fetched from anywhere, this machine included: an untrusted workflow could name any URL. An http(s)
URL stands for a drawn image or a tone. Limits and messages: dashscope.md sections 0.1 and 2.2, newer-models.md.
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

from ..wan.catalog.media import DRIVING_AUDIO, FIRST_CLIP, FIRST_FRAME, LAST_FRAME, ImageLimits
from ..wan.catalog.models import AUDIO_BYTES
from ..wan.catalog.spec import Model
from .clip import check_clip
from .failures import BAD_MEDIA, TaskRejected
from .media_inputs import WAN_3
from .scene import DRAWN_SIZE, CheckedClip, ResolvedMedia
from .storage import Storage
from .validation import TaskInputs

_DATA_URI = re.compile(r"data:(image/[a-z]+);base64,", re.ASCII)
_MIME_OF = {"JPEG": "image/jpeg", "PNG": "image/png", "BMP": "image/bmp", "WEBP": "image/webp"}
SLACK = 0.1
"""Seconds by which files may be longer than allowed: encoders of mp3, for one, fill up to whole frames."""

AUDIO_ONLY = {"format_whitelist": "wav,mp3", "protocol_whitelist": ""}
"""For FFmpeg: a playlist, for one, could name files and URLs, which it would open."""

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
class MediaResolver:
    """Finds files for one create call. `oss` tells whether the call asked for oss:// URLs to be resolved."""

    storage: Storage
    model: Model
    model_name: str
    oss: bool

    def resolve(self, inputs: TaskInputs) -> ResolvedMedia:
        """Fetch and check what the inputs name. Raises TaskRejected."""
        media = inputs.media
        image = self.image(media[FIRST_FRAME]) if FIRST_FRAME in media else None
        clip = self._first_clip(media[FIRST_CLIP], inputs) if FIRST_CLIP in media else None
        ending = self.image(media[LAST_FRAME]) if LAST_FRAME in media else None
        audio = self.audio(media[DRIVING_AUDIO], span=self.model.audio_seconds) if DRIVING_AUDIO in media else None
        begins = FIRST_FRAME in media or FIRST_CLIP in media
        found = {FIRST_FRAME: image, LAST_FRAME: ending, DRIVING_AUDIO: audio, FIRST_CLIP: clip}
        return ResolvedMedia(
            image=image.data if image else None,
            audio=audio.data if audio else None,
            ending=ending.data if ending else None,
            clip=clip,
            size=(clip.size if clip else image.size if image else DRAWN_SIZE) if begins else None,
            notes=[
                f"{self.model.request_format.fields.get(kind, kind)} could not be fetched offline: {_INSTEAD[kind]}"
                for kind in media
                if found[kind] is None and (inputs.audio or kind != DRIVING_AUDIO)
            ],
        )

    def image(self, address: str) -> FetchedImage | None:
        """Return the image at a URL, None where it cannot be fetched offline. Raises TaskRejected."""
        limits = self.model.image_limits
        if address.startswith("data:") and self.model.inline_images:
            data, mime = _decode_data_uri(address)
            return check_image(data, mime=mime, limits=limits)
        stored = self._find(address)
        if stored is None:
            return None
        _check_bytes(stored.stat().st_size, limits=limits)
        return check_image(stored.read_bytes(), mime=None, limits=limits)

    def audio(self, address: str, *, span: tuple[int, int]) -> FetchedAudio | None:
        """Return the audio file at a URL, None where it cannot be fetched offline. Raises TaskRejected."""
        # The service judges by the extension (dashscope.md section 2.2, InvalidURL).
        if PurePosixPath(_parts(address).path).suffix.lower() not in (".wav", ".mp3"):
            raise TaskRejected("File type is not supported. Allowed types are: .wav, .mp3.", code="InvalidURL")
        stored = self._find(address)
        if stored is None:
            return None
        data = stored.read_bytes()
        return FetchedAudio(data, check_audio(data, span=span))

    def clip(self, address: str) -> CheckedClip | None:
        """Return the clip at a URL, None where it cannot be fetched offline. Raises TaskRejected."""
        stored = self._find(address)
        return check_clip(stored, limits=self.model.clip_limits) if stored else None

    def _first_clip(self, address: str, inputs: TaskInputs) -> CheckedClip | None:
        clip = self.clip(address)
        # The page does not say what happens to a clip that is not shorter (newer-models.md section 1.3).
        if clip and clip.seconds >= inputs.duration:
            raise TaskRejected(f"The duration must be longer than the first clip of {clip.seconds:.2f} s.")
        return clip

    def _find(self, address: str) -> Path | None:
        """Return the file behind an oss URL, and None for an http(s) one."""
        if address.startswith("oss://"):
            return self._stored(address)
        parts = _parts(address)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise TaskRejected(_BAD_URL)
        return None

    def _stored(self, address: str) -> Path:
        if not self.oss:
            raise TaskRejected(_BAD_URL_OF_WAN_3 if self.model.family == WAN_3 else _BAD_URL)
        stored = self.storage.find(address)
        if stored is None:
            raise TaskRejected(_GONE)
        if stored.model != self.model_name:
            raise TaskRejected(_FORBIDDEN)
        return stored.path


@dataclass(frozen=True)
class FetchedImage:
    """An encoded image, and its width and height in pixels as it is shown."""

    data: bytes
    size: tuple[int, int]


@dataclass(frozen=True)
class FetchedAudio:
    """An audio file and its seconds."""

    data: bytes
    seconds: float


def check_image(data: bytes, *, mime: str | None, limits: ImageLimits) -> FetchedImage:
    """Refuse an image that the service would refuse. Raises TaskRejected."""
    _check_bytes(len(data), limits=limits)
    try:
        with Image.open(io.BytesIO(data)) as image:
            if image.format not in limits.formats:
                raise TaskRejected(_WRONG_FORMAT, code="InvalidImageFormat")
            _check_shape(image, limits=limits)
            if image.format == "PNG" and image.has_transparency_data:
                raise TaskRejected(_WRONG_FORMAT, code="InvalidImageFormat")
            if mime is not None and mime != _MIME_OF[image.format]:
                raise TaskRejected("Invalid image format or corrupted file")
            image.load()
            lying = image.getexif().get(_ORIENTATION, 1) >= _LYING
            return FetchedImage(data, image.size[::-1] if lying else image.size)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise TaskRejected("the size of input image is too small or too large.") from error
    except (UnidentifiedImageError, OSError, SyntaxError, TypeError, ValueError) as error:
        raise TaskRejected(_UNDECODABLE) from error


def _check_bytes(size: int, *, limits: ImageLimits) -> None:
    if size > limits.bytes:
        most = limits.bytes // 1024 // 1024
        raise TaskRejected(
            f"Invalid file size. The image file size must be less than {most}MB.", code="InvalidFile.Size"
        )


def _check_shape(image: Image.Image, *, limits: ImageLimits) -> None:
    small, large = sorted(image.size)
    if small < limits.sides[0] or large > limits.sides[1]:
        raise TaskRejected("the size of input image is too small or too large.")
    if limits.ratio and large > limits.ratio * small:
        message = f"Invalid file aspect ratio. The image aspect ratio must be 1:{limits.ratio:g} ~ {limits.ratio:g}:1."
        raise TaskRejected(message, code="InvalidFile.AspectRatio")


def check_audio(data: bytes, *, span: tuple[int, int]) -> float:
    """Refuse an audio file that the service would refuse, and return its seconds. Raises TaskRejected."""
    if len(data) > AUDIO_BYTES:
        raise TaskRejected(f"File size is larger than {AUDIO_BYTES // 1024 // 1024}MB.", code="InvalidURL")
    shortest, longest = span
    seconds = _audio_seconds(data, most=longest)
    if seconds > longest + SLACK:
        raise TaskRejected(f"The input audio is longer than {longest}s.", code="InvalidURL")
    if seconds < shortest:
        message = f"Invalid file duration. The file duration must be {shortest} s ~ {longest} s."
        raise TaskRejected(message, code="InvalidFile.Duration")
    return seconds


def _audio_seconds(data: bytes, *, most: float) -> float:
    try:
        with av.open(io.BytesIO(data), container_options=dict(AUDIO_ONLY)) as container:
            if not container.streams.audio:
                raise TaskRejected(BAD_MEDIA)
            seconds = 0.0
            for frame in container.decode(audio=0):
                seconds += frame.samples / frame.sample_rate
                if seconds > most + 2 * SLACK:
                    break
            return seconds
    except (av.error.FFmpegError, ValueError) as error:
        raise TaskRejected(BAD_MEDIA) from error


def _decode_data_uri(address: str) -> tuple[bytes, str]:
    found = _DATA_URI.match(address)
    if not found or found.group(1) not in _MIME_OF.values():
        raise TaskRejected(_BAD_URL)
    try:
        return base64.b64decode(address[found.end() :], validate=True), found.group(1)
    except (binascii.Error, ValueError) as error:
        raise TaskRejected(_UNDECODABLE) from error


def _parts(address: str) -> SplitResult:
    try:
        return urlsplit(address)
    except ValueError as error:
        raise TaskRejected(_BAD_URL) from error
