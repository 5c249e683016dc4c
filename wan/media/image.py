"""Encoding of a ComfyUI image as the data URI of a request's first or last frame."""

from __future__ import annotations

import base64
import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import field
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from ..errors import MediaError
from ..frozen import frozen
from ..messages import Message, clauses, enumeration, sentences
from .image_codec import JPEG, encode_image, resize

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .image_codec import Pixels

# Floats of an image that are converted together: they fit into a processor's cache.
BAND_NUMBERS = 1 << 18
# Bytes that become base64 together: a multiple of three.
CHUNK_BYTES = 3 << 14

# The limits of ComfyUI's own nodes for an image and for a batch.
MAX_PIXELS = 16384**2
MAX_IMAGES = 4096

# The range of values after sharpening, colour matching and contrast. They are clipped to 0..1, as ComfyUI's own nodes
# do. Values beyond have another scale, and would be sent as black or white.
NEAR = (-0.5, 1.5)
# The range of the largest value, and the divisor, of other scales.
WHITES = ((16.0, 255.5, 255), (255.5, 65535.5, 65535))

_IT_HAS = Message("it has")
_MOST_NAMED = 20
"""How many images of a batch a problem names by their numbers."""

NOT_NUMBERS = Message("pixels that are NaN or infinite; check the node that produced it")


@frozen
class EncodedFrame:
    """An image ready to be sent: `data` is its file.

    `width` and `height` are pixels as sent, `quality` is the JPEG quality (None for PNG, which is lossless), and
    `scaled` says whether the image was scaled down.
    """

    data: bytes = field(repr=False)
    mime: str
    width: int
    height: int
    quality: int | None
    scaled: bool

    @property
    def data_uri_length(self) -> int:
        """The length of the image's data URI."""
        return len(_head(self.mime)) + -(-len(self.data) // 3) * 4

    def iter_chunks(self) -> Iterator[bytes]:
        """Yield the image's data URI in chunks, which saves a copy of its megabytes."""
        yield _head(self.mime)
        for start in range(0, len(self.data), CHUNK_BYTES):
            yield base64.b64encode(self.data[start : start + CHUNK_BYTES])

    def content_hash(self) -> str:
        """Return the SHA-256 of the image's data URI."""
        whole = hashlib.sha256()
        for piece in self.iter_chunks():
            whole.update(piece)
        return whole.hexdigest()

    @property
    def data_uri(self) -> str:
        """The image as `data:{mime};base64,...`."""
        return b"".join(self.iter_chunks()).decode("ascii")


def validate_images(images: Any, *, sides: tuple[int, int], ratio: float = 0.0, name: str = "image") -> list[str]:
    """Return the problems of a batch of images as frames of videos.

    Args:
        images: a ComfyUI IMAGE, float [B,H,W,C] with C of 1, 3 or 4.
        sides: minimum and maximum pixels of a side. A larger image is no problem, as it is scaled down.
        ratio: maximum ratio of longer to shorter side; 0 for any.
        name: the input's name in the problems.

    Returns:
        One sentence per problem, empty when there is none.
    """
    problems = _form_problems(images) or _size_problems(images.shape)
    if not problems:
        problems = [*_shape_problems(images.shape[1:], sides=sides, ratio=ratio), *_number_problems(images)]
    return [Message("{input}: {problem}", input=name, problem=problem) for problem in problems]


def frame_size(image: Any, *, sides: tuple[int, int]) -> tuple[int, int]:
    """Return the (width, height) in pixels of an image [H,W,C] after scaling it down to the maximum of `sides`."""
    height, width = image.shape[:2]
    factor = min(1.0, sides[1] / max(width, height, 1))
    return round(width * factor), round(height * factor)


def encode_frame(image: Any, *, max_chars: int, sides: tuple[int, int]) -> EncodedFrame:
    """Encode one image as a data URI: JPEG 4:4:4, or PNG for graphics that are smaller as PNG.

    Values are clipped to 0..1 and rounded to 8 bits. An alpha channel is flattened over white. An image over the
    maximum of `sides` is scaled down. If the result is over `max_chars`, it is compressed further, then scaled down
    further.

    Args:
        image: one image of an IMAGE, float [H,W,C] with C of 1, 3 or 4.
        max_chars: maximum length of the data URI.
        sides: minimum and maximum pixels of a side.

    Raises:
        MediaError: `validate_images` finds a problem, or no encoding fits into `max_chars`.
    """
    _check_shape(image, sides=sides)
    original = (image.shape[1], image.shape[0])
    size = frame_size(image, sides=sides)
    # Passed on without a reference, so that the 8-bit image can be freed while its JPEG is encoded.
    encoded = encode_image(
        _to_rgb8_of_size(image, size), max_bytes=(max_chars - len(_head(JPEG))) // 4 * 3, min_side=sides[0]
    )
    width, height = encoded.size
    return EncodedFrame(encoded.data, encoded.mime, width, height, encoded.quality, scaled=encoded.size != original)


def _form_problems(images: Any) -> list[str]:
    """Return the problems of the value's type and shape."""
    if not is_float_tensor(images):
        return [Message("must be a ComfyUI IMAGE (floats from 0 to 1), not {type}", type=number_type(images))]
    if len(images.shape) != 4:
        return [
            Message("a batch has 4 dimensions (batch, height, width, channels), not {count}", count=len(images.shape))
        ]
    if len(images) == 0:
        return [Message("the batch is empty")]
    return []


def _size_problems(shape: Sequence[int]) -> list[str]:
    """Return the problem of a batch that is too large to process."""
    count, height, width = shape[:3]
    if width * height > MAX_PIXELS:
        return [Message("{width}x{height} is too large; scale it down", width=width, height=height)]
    if count > MAX_IMAGES:
        return [Message("a batch of {count} images is too large; for one video pass one image", count=count)]
    return []


def _shape_problems(shape: Sequence[int], *, sides: tuple[int, int], ratio: float = 0.0) -> list[str]:
    height, width, channels = shape
    problems: list[str] = []
    if channels not in (1, 3, 4):
        problems.append(
            Message("{channels} channels are not supported; use 1 (grey), 3 (RGB) or 4 (RGBA)", channels=channels)
        )
    factor = min(1.0, sides[1] / max(width, height, 1))
    small = (round(width * factor), round(height * factor))
    if min(small) < sides[0]:
        size: str = f"{width}x{height}"
        if factor < 1.0:
            size = Message(
                "{size} (scaled down to {width}x{height}, as no side may be over {most} px)",
                size=size,
                width=small[0],
                height=small[1],
                most=sides[1],
            )
        problems.append(
            Message("{size} is too small; each side must be at least {least} px", size=size, least=sides[0])
        )
    if ratio and max(width, height) > ratio * min(width, height):
        problems.append(
            Message(
                "{width}x{height} is too narrow; the longer side may be at most {ratio:g} times the shorter",
                width=width,
                height=height,
                ratio=ratio,
            )
        )
    return problems


def _check_shape(image: Any, *, sides: tuple[int, int]) -> None:
    batch = image[None] if hasattr(image, "shape") else image
    problems = _form_problems(batch) or _size_problems(batch.shape) or _shape_problems(batch.shape[1:], sides=sides)
    if problems:
        raise MediaError(Message("image: {problems}", problems=clauses(problems)))


def _number_problems(images: Any) -> list[str]:
    if 0 in images.shape:
        return []
    ranges = [extremes(as_array(images[index])) for index in range(len(images))]
    bad = [not all(map(math.isfinite, pair)) for pair in ranges]
    far = [not broken and (low < NEAR[0] or high > NEAR[1]) for broken, (low, high) in zip(bad, ranges, strict=True)]
    problems = [sentences(_which(bad), NOT_NUMBERS)] if any(bad) else []
    if any(far):
        low = min(pair[0] for pair, is_far in zip(ranges, far, strict=True) if is_far)
        high = max(pair[1] for pair, is_far in zip(ranges, far, strict=True) if is_far)
        problems.append(
            Message(
                "{which} values from {low:g} to {high:g}, but an IMAGE has 0 to 1. {advice}",
                which=_which(far),
                low=low,
                high=high,
                advice=_scale_hint(low, high),
            )
        )
    return problems


def _which(found: Sequence[bool]) -> str:
    numbers = [str(index) for index, one in enumerate(found, 1) if one]
    if len(numbers) > _MOST_NAMED:
        numbers = [*numbers[:_MOST_NAMED], "..."]
    return (
        Message("image {numbers} of {count} has", numbers=enumeration(numbers), count=len(found))
        if len(found) > 1
        else _IT_HAS
    )


def _scale_hint(low: float, high: float) -> str:
    """Return how to convert values from `low` to `high` to those of an IMAGE."""
    if -1.5 <= low < NEAR[0] and high <= NEAR[1]:
        return Message("If they range from -1 to 1, add 1 and halve them before this node")
    for least, most, white in WHITES:
        if low >= NEAR[0] and least < high <= most:
            return Message("Divide them by {white} before this node", white=white)
    return Message("Scale or clamp them before this node")


def _to_rgb8(image: Any) -> Pixels:
    """Convert an image [H,W,C] to 8-bit RGB [H,W,3], band by band, which saves a second image of floats."""
    height, width, channels = image.shape
    pixels = np.empty((height, width, 3), np.uint8)
    rows = max(1, BAND_NUMBERS // (width * channels))
    scratch = np.empty((rows, width, channels), np.float32)
    for top in range(0, height, rows):
        band = as_array(image[top : top + rows])
        levels = scratch[: len(band)]
        with np.errstate(over="ignore"):  # An overflow is infinite, and rejected below.
            np.multiply(band, 255, out=levels, dtype=np.float32)
        if not is_finite(levels):
            raise MediaError(Message("image: {problem}", problem=sentences(_IT_HAS, NOT_NUMBERS)))
        np.clip(levels, 0, 255, out=levels)
        if channels == 4:
            levels = _flatten_alpha(levels)
        np.add(levels, 0.5, out=levels)
        np.copyto(pixels[top : top + rows], levels, casting="unsafe")
    return pixels


def _flatten_alpha(rgba: NDArray[np.float32]) -> NDArray[np.float32]:
    """Flatten RGBA levels 0..255 [h,W,4] over white, the usual background of transparent images."""
    white = np.float32(255)
    flat: NDArray[np.float32] = rgba[..., :3] - white
    flat *= rgba[..., 3:] / white
    flat += white
    return flat


def _to_rgb8_of_size(image: Any, size: tuple[int, int]) -> Pixels:
    """Convert an image [H,W,C] to 8-bit RGB of the given (width, height)."""
    pixels = _to_rgb8(image)
    if size == (image.shape[1], image.shape[0]):
        return pixels
    return np.asarray(resize(Image.fromarray(pixels), size))


def _head(mime: str) -> bytes:
    return f"data:{mime};base64,".encode("ascii")


def is_float_tensor(value: Any) -> bool:
    """Whether `value` is a torch tensor or a numpy array, and holds floating point numbers."""
    if isinstance(value, np.ndarray):
        return bool(value.dtype.kind == "f")
    return hasattr(value, "detach") and bool(value.is_floating_point())


def number_type(value: Any) -> str:
    """Return the type of `value` for a message: that of its numbers if it has any."""
    dtype = getattr(value, "dtype", None)
    return Message("numbers of type {dtype}", dtype=dtype) if dtype is not None else type(value).__name__


def as_array(part: Any) -> NDArray[Any]:
    """Return a tensor, or a slice of one, as a numpy array of the same shape.

    A float32 tensor in main memory is not copied; one on a GPU or in half precision is, so take a slice first.
    """
    if hasattr(part, "detach"):
        part = part.detach().cpu().float().numpy()
    return np.asarray(part)


def extremes(array: NDArray[Any]) -> tuple[float, float]:
    """Return the minimum and the maximum of a non-empty array; NaN if it contains one."""
    return float(array.min()), float(array.max())


def is_finite(array: NDArray[Any]) -> bool:
    """Whether all numbers in a non-empty array are finite. Needs no memory, as min and max propagate NaN."""
    return all(map(math.isfinite, extremes(array)))
