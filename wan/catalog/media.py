"""The media of requests: their kinds, the formats that send them, and the types of their limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from ..frozen import frozen

MB = 1024 * 1024

FIRST_FRAME = "first_frame"
LAST_FRAME = "last_frame"
DRIVING_AUDIO = "driving_audio"
FIRST_CLIP = "first_clip"
REFERENCE_IMAGE = "reference_image"
REFERENCE_VIDEO = "reference_video"
REFERENCE_AUDIO = "reference_audio"
EDITED_VIDEO = "video"
"""The kinds of media in a request, by the service's names for `input.media[].type`."""

VOICE = "reference_voice"
"""The field of a medium's item that has the URL of its voice."""


@frozen
class RequestFormat:
    """A format of the create request: its path, and the field of `input` for each kind of media.

    Without fields, media go into the list `input.media` as `{type, url}`; or into the list named `urls` as URLs.
    """

    path: str
    fields: Mapping[str, str] = field(default_factory=dict)
    urls: str = ""


_SYNTHESIS = "/services/aigc/video-generation/video-synthesis"

IMG_URL = RequestFormat(_SYNTHESIS, {FIRST_FRAME: "img_url", DRIVING_AUDIO: "audio_url"})
AUDIO_URL = RequestFormat(_SYNTHESIS, {DRIVING_AUDIO: "audio_url"})
REFERENCE_URLS = RequestFormat(_SYNTHESIS, urls="reference_urls")
MEDIA = RequestFormat(_SYNTHESIS)
FRAME_URLS = RequestFormat(
    "/services/aigc/image2video/video-synthesis", {FIRST_FRAME: "first_frame_url", LAST_FRAME: "last_frame_url"}
)


@frozen
class ImageLimits:
    """A model's limits for images.

    `sides` are the minimum and maximum pixels of a side; a larger image is scaled down. `ratio` is the maximum ratio of
    longer to shorter side, 0 if none is documented. `bytes` is the maximum file size, `formats` are the allowed file
    formats by Pillow's names.
    """

    sides: tuple[int, int] = (240, 8000)
    ratio: float = 0.0
    bytes: int = 20 * MB
    formats: tuple[str, ...] = ("JPEG", "PNG", "BMP", "WEBP")


@frozen
class ClipLimits:
    """The limits of a clip: minimum and maximum seconds and pixels of a side, maximum aspect ratio and bytes.

    `fps` are the minimum and maximum frames a second, 0 for any. `total` is the maximum of all clips' seconds
    together, 0 for any.
    """

    seconds: tuple[float, float]
    sides: tuple[int, int] = (240, 4096)
    ratio: float = 8
    bytes: int = 100 * MB
    fps: tuple[float, float] = (0, 0)
    total: float = 0
