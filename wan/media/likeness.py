"""Comparing a video's first frame with an image, which identifies a request's own video."""

from __future__ import annotations

import enum
import io
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from ..errors import MediaError
from ..messages import Message
from .container import Source, display_name, first_video_stream, open_video
from .image import encode_frame

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIDE = 32
"""Pixels of a side of the compared images. A model repaints details, but keeps the layout of light and colour."""

ALIKE, UNLIKE = 0.85, 0.5
"""The minimum correlation of a video's first frame with its own image, and the maximum with another image."""

SHADE = 0.12
"""The maximum difference of the mean colours, relative to the whole range."""

FLAT = 0.02
"""The standard deviation below which correlation is meaningless."""

SPOT = 0.12
"""The standard deviation of a plain image with something small on it, such as a watermark, at most."""

_ALL_CHARS = 1 << 40
_SAME_SHAPE = 1.05


class Likeness(enum.Enum):
    """The result of a comparison. UNCLEAR proves nothing."""

    ALIKE = "alike"
    UNCLEAR = "unclear"
    UNLIKE = "unlike"


def to_image(image: Any) -> Image.Image:
    """Return one image of an IMAGE, float [H,W,C], as it is sent. Raises MediaError if it cannot be encoded."""
    frame = encode_frame(image, max_chars=_ALL_CHARS, sides=(1, 8000))
    return Image.open(io.BytesIO(frame.data)).convert("RGB")


def first_image(video: Source) -> Image.Image:
    """Return the first frame of a video.

    Raises:
        MediaError: none can be decoded.
    """
    with open_video(video) as container:
        stream = first_video_stream(container, name=display_name(video))
        for frame in container.decode(stream):
            return Image.fromarray(frame.to_ndarray(format="rgb24"))
    raise MediaError(Message("{name} has no frame that can be decoded.", name=display_name(video)))


def compare(sent: Image.Image, seen: Image.Image) -> Likeness:
    """Compare `seen`, the first frame of a video, with the image `sent`, whole or cropped to the video's shape."""
    pairs = [(sent, seen)]
    shape, other = sent.width / sent.height, seen.width / seen.height
    if max(shape / other, other / shape) > _SAME_SHAPE:
        pairs += [(_cut(sent, other), seen), (sent, _cut(seen, shape))]
    found = [_compare(_small(one), _small(two)) for one, two in pairs]
    return next((verdict for verdict in (Likeness.ALIKE, Likeness.UNCLEAR) if verdict in found), Likeness.UNLIKE)


def _compare(one: NDArray[np.float64], two: NDArray[np.float64]) -> Likeness:
    shade = float(np.abs(one.mean(axis=(0, 1)) - two.mean(axis=(0, 1))).max())
    spread = sorted((float(one.std(axis=(0, 1)).max()), float(two.std(axis=(0, 1)).max())))
    if spread[1] < FLAT:
        return Likeness.ALIKE if shade < SHADE else Likeness.UNLIKE
    # The video of a plain image may have a watermark, which is then most of what there is to compare.
    other = Likeness.UNCLEAR if shade < SHADE and spread[1] < SPOT else Likeness.UNLIKE
    if spread[0] < FLAT:
        # A video may begin black or white with any image.
        return Likeness.UNCLEAR if float(two.std(axis=(0, 1)).max()) < FLAT else other
    grey = [image.mean(axis=2).ravel() for image in (one, two)]
    correlation = float(np.corrcoef(*grey)[0, 1])
    # An image of uniform brightness differs in colour only.
    if not np.isfinite(correlation) or min(side.std() for side in grey) < FLAT:
        correlation = float(np.corrcoef((one - one.mean()).ravel(), (two - two.mean()).ravel())[0, 1])
    if correlation >= ALIKE and shade < SHADE:
        return Likeness.ALIKE
    return other if correlation < UNLIKE else Likeness.UNCLEAR


def _small(image: Image.Image) -> NDArray[np.float64]:
    return np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BOX), np.float64) / 255


def _cut(image: Image.Image, shape: float) -> Image.Image:
    """Return the centre of an image, cropped to an aspect ratio of width / height."""
    width = min(image.width, max(1, round(image.height * shape)))
    height = min(image.height, max(1, round(image.width / shape)))
    left, top = (image.width - width) // 2, (image.height - height) // 2
    return image.crop((left, top, left + width, top + height))
