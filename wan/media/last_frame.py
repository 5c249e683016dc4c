"""A video's last frame as an image, to go on from it with the next clip."""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import MediaError
from .container import MAX_PIXELS, Source, display_name, first_video_stream, open_video

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream
    from numpy.typing import NDArray

# Every thread holds frames of its own.
DECODER_THREADS = 4
LARGE_PIXELS = 4096 * 2304

# How many seconds before the end decoding begins, where the search before did not lead to a key frame.
STEPS_BACK = (0, 2, 8, 32, 128)

# swscale's flags for cubic scaling (4), exact rounding and colour for every pixel. Without them each block of 2x2
# pixels gets one colour: 7 dB lost, and lost again with every clip that goes on from the last.
BEST_COLOUR = 4 | 0x40000 | 0x2000
# What PyAV takes for granted: BT.601, and levels 16 to 235. RGB itself has neither.
USUAL_MATRIX = 5
USUAL_RANGE = 1


def last_frame(source: Source, *, until: float | None = None) -> NDArray[np.float32]:
    """Decode the frame that a video shows last, as a player shows it.

    Only what follows the last key frame is decoded, one frame at a time. A rotation and a reflection that the file asks
    for are done, and pixels that are not square become so: the image is enlarged along one side.

    Args:
        source: a path, or a seekable binary file object.
        until: the second at which the video is cut off, for one that is only a part of its file.

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
            raise MediaError(f"{name} has no frames that can be shown.")
        return to_image(frame, size=_square_size(frame, stream.sample_aspect_ratio, name=name))


def _beginnings(container: InputContainer, stream: VideoStream, *, until: float | None) -> Iterator[bool]:
    """Go to the last key frame, then ever farther back, and yield whether this is the start of the file.

    A transport stream, for one, is searched for times and not for key frames. A file that cannot be searched is at its
    start.
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
    """Decode to the end and return the last frame; None where `from_key` asks for a key frame and none came.

    Frames come in the order in which they are shown. Their times are no guide: AVI has none.
    """
    import av

    last: VideoFrame | None = None
    for packet in container.demux(stream):
        try:
            frames = packet.decode()
        except av.error.InvalidDataError:
            # A search may end in the middle of a frame.
            if from_key and last is None:
                continue
            raise
        for frame in frames:
            if until is not None and frame.time is not None and frame.time >= until:
                return last
            # What a decoder makes of changes to an image that it never had is grey.
            if not from_key or frame.key_frame or last is not None:
                last = frame
    return last


def _square_size(frame: VideoFrame, aspect: Fraction | None, *, name: str) -> tuple[int, int]:
    """Return the width and height that a frame has when its pixels, `aspect` times as wide as high, are square.

    Raises:
        MediaError: it would be too large.
    """
    width, height = frame.width, frame.height
    if aspect and aspect > 1:
        width = round(width * aspect)
    elif aspect and aspect > 0:
        height = round(height / aspect)
    if width * height > max(MAX_PIXELS, frame.width * frame.height):
        raise MediaError(f"{name} is to be shown at {width}x{height} pixels; at most 8K.")
    return width, height


def to_image(frame: VideoFrame, *, size: tuple[int, int] | None = None) -> NDArray[np.float32]:
    """Convert a frame to upright RGB [H,W,3], 0..1; `size` is its width and height before it is turned, if not its own.

    The video's own matrix and range are named beside the usual ones because PyAV 14 follows them only where they
    differ.
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
    """Turn and mirror an image [H,W,3] as its frame's display matrix says, to the nearest quarter turn.

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
