"""Decoding of a video's last frame, from which another video can continue."""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import MediaError
from ..messages import Message
from .container import MAX_PIXELS, Source, display_name, first_video_stream, open_video

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream
    from numpy.typing import NDArray

# Every thread has frames of its own in memory.
DECODER_THREADS = 4
LARGE_PIXELS = 4096 * 2304

# Seconds before the end at which decoding begins, each tried if the one before found no key frame.
STEPS_BACK = (0, 2, 8, 32, 128)

# swscale's flags for cubic scaling (4), exact rounding and colour for every pixel. Without them each block of 2x2
# pixels gets one colour: a loss of 7 dB with every clip of a chain.
BEST_COLOUR = 4 | 0x40000 | 0x2000
# PyAV's defaults: BT.601, and levels 16 to 235. RGB itself has neither.
USUAL_MATRIX = 5
USUAL_RANGE = 1


def last_frame(source: Source, *, until: float | None = None) -> NDArray[np.float32]:
    """Decode the last frame of a video, as a player shows it.

    Only the frames after the last key frame are decoded, one at a time. The file's rotation and reflection are applied,
    and an image with non-square pixels is enlarged along one side.

    Args:
        source: a path, or a seekable binary file object.
        until: the second at which the video ends, if it is only a part of its file.

    Returns:
        The image, float32 [H,W,3], 0..1.

    Raises:
        MediaError: the file is missing, damaged, no video, or without frames.
    """
    name = display_name(source)
    with open_video(source) as container:
        stream = first_video_stream(container, name=name)
        stream.codec_context.thread_type = "AUTO"
        stream.codec_context.thread_count = DECODER_THREADS if stream.width * stream.height <= LARGE_PIXELS else 1
        frame = None
        for at_start in _beginnings(container, stream, until=until):
            frame = _last_of(container, stream, until=until, from_key=not at_start)
            if frame is not None:
                break
        if frame is None:
            raise MediaError(Message("{name} has no frames that can be decoded.", name=name))
        return to_image(frame, size=square_size(frame, stream.sample_aspect_ratio, name=name))


def _beginnings(container: InputContainer, stream: VideoStream, *, until: float | None) -> Iterator[bool]:
    """Seek to the last key frame, then farther and farther back, and yield whether this is the start of the file.

    A transport stream, for example, seeks by time and not by key frame. A file that cannot be searched starts over.
    """
    import av

    begin, unit, of = 0, av.time_base, None
    if until is not None:
        end = int(until * unit)
    elif stream.duration and stream.time_base:
        begin, unit, of = stream.start_time or 0, int(1 / stream.time_base), stream
        end = begin + stream.duration
    else:
        end = container.duration or 0
    for seconds in STEPS_BACK:
        at = end - seconds * unit
        if at <= begin:
            break
        try:
            container.seek(at, stream=of)
        except av.error.FFmpegError:
            break
        yield False
    with contextlib.suppress(av.error.FFmpegError):
        container.seek(0)
    yield True


def _last_of(
    container: InputContainer, stream: VideoStream, *, until: float | None, from_key: bool
) -> VideoFrame | None:
    """Decode to the end and return the last frame; None if `from_key` requires a key frame and there is none.

    Frames come in display order. Their times are not used, as AVI has none.
    """
    import av

    last: VideoFrame | None = None
    for packet in container.demux(stream):
        try:
            frames = packet.decode()
        except av.error.InvalidDataError:
            # A seek may end in the middle of a frame.
            if from_key and last is None:
                continue
            raise
        for frame in frames:
            if until is not None and frame.time is not None and frame.time >= until:
                return last
            # Without its key frame, a decoder renders a frame grey.
            if not from_key or frame.key_frame or last is not None:
                last = frame
    return last


def square_size(frame: VideoFrame, aspect: Fraction | None, *, name: str) -> tuple[int, int]:
    """Return a frame's width and height with square pixels. `aspect` is the width of its pixels over their height.

    Raises:
        MediaError: the frame would be too large.
    """
    width, height = frame.width, frame.height
    if aspect and aspect > 1:
        width = round(width * aspect)
    elif aspect and aspect > 0:
        height = round(height / aspect)
    if width * height > max(MAX_PIXELS, frame.width * frame.height):
        raise MediaError(
            Message(
                "{name} has a display size of {width}x{height} pixels; at most 8K is supported.",
                name=name,
                width=width,
                height=height,
            )
        )
    return width, height


def to_image(frame: VideoFrame, *, size: tuple[int, int] | None = None) -> NDArray[np.float32]:
    """Convert a frame to upright RGB [H,W,3], 0..1. `size` replaces its own width and height before rotation.

    The video's own matrix and range are passed with the usual ones, as PyAV 14 follows them only if they differ.
    """
    rgb = frame.reformat(
        *(size or (frame.width, frame.height)),
        format="rgb24",
        interpolation=BEST_COLOUR,
        src_colorspace=frame.colorspace,
        dst_colorspace=USUAL_MATRIX,
        src_color_range=frame.color_range,
        dst_color_range=USUAL_RANGE,
    )
    image: NDArray[np.float32] = np.divide(_upright(rgb.to_ndarray(), frame), 255, dtype=np.float32, order="C")
    return image


def _upright(image: NDArray[Any], frame: VideoFrame) -> NDArray[Any]:
    """Rotate and mirror an image [H,W,3] by its frame's display matrix, to the nearest quarter turn.

    The matrix is that of a `tkhd` box (ISO/IEC 14496-12): a b u, c d v, x y w; x' = a x + c y, y' = b x + d y.
    """
    data: Any = frame.side_data.get("DISPLAYMATRIX")
    if data is None:
        return image
    a, b, _, c, d = struct.unpack("=5i", bytes(data)[:20])
    across, down = a, d
    if abs(b) + abs(c) > abs(a) + abs(d):
        image, across, down = image.swapaxes(0, 1), c, b
    return image[:: -1 if down < 0 else 1, :: -1 if across < 0 else 1]
