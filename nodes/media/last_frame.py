"""A video's last frame as a picture, to go on from it with the next clip."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import numpy as np

from ..errors import MediaError
from .container import Source, film_stream, name_of, open_film

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream
    from numpy.typing import NDArray

# Every thread holds frames of its own.
DECODER_THREADS = 4
LARGE_PIXELS = 4096 * 2304

# swscale's flags for cubic scaling (4), exact rounding and colour for every pixel. Without them each block of 2x2
# pixels gets one colour: 7 dB lost, and lost again with every clip that goes on from the last.
BEST_COLOUR = 4 | 0x40000 | 0x2000
# What PyAV takes for granted: BT.601, and levels 16 to 235. RGB itself has neither.
USUAL_MATRIX = 5
USUAL_RANGE = 1


def last_frame(source: Source, *, until: float | None = None) -> NDArray[np.float32]:
    """Decode the frame that a video shows last.

    Only what follows the last key frame is decoded, one frame at a time. A rotation that the file asks for is done.

    Args:
        source: a path, or a seekable binary file object.
        until: the second at which the video is cut off, for one that is only a part of its file.

    Returns:
        The picture, float32 [H,W,3], 0..1.

    Raises:
        MediaError: the file is missing, damaged, no video, or without frames.
    """
    name = name_of(source)
    with open_film(source) as container:
        stream = film_stream(container, name=name)
        stream.codec_context.thread_type = "AUTO"
        stream.codec_context.thread_count = DECODER_THREADS if stream.width * stream.height <= LARGE_PIXELS else 1
        _seek_to_last_key(container, stream, until=until)
        frame = _last_of(container, stream, until=until)
        # A transport stream, for one, is searched for times and not for key frames.
        if frame is None and _seek_to_start(container):
            frame = _last_of(container, stream, until=until)
        if frame is None:
            raise MediaError(f"{name} has no frames that can be shown.")
        return _picture(frame)


def _seek_to_last_key(container: InputContainer, stream: VideoStream, *, until: float | None) -> None:
    """Go to the last key frame, or stay at the start of a file that cannot be searched."""
    import av

    with contextlib.suppress(av.error.FFmpegError):
        if until is not None:
            container.seek(int(until * av.time_base))
        elif stream.duration:
            container.seek((stream.start_time or 0) + stream.duration, stream=stream)
        elif container.duration:
            container.seek(container.duration)


def _seek_to_start(container: InputContainer) -> bool:
    """Go to the start. Returns False where there is nothing to search: a film without frames."""
    import av

    try:
        container.seek(0)
    except av.error.FFmpegError:
        return False
    return True


def _last_of(container: InputContainer, stream: VideoStream, *, until: float | None) -> VideoFrame | None:
    """Decode to the end and return the frame with the latest time."""
    last: VideoFrame | None = None
    for frame in container.decode(stream):
        if until is not None and frame.time is not None and frame.time >= until:
            break
        if last is None or frame.pts is None or last.pts is None or frame.pts >= last.pts:
            last = frame
    return last


def _picture(frame: VideoFrame) -> NDArray[np.float32]:
    """Convert a frame to upright RGB [H,W,3], 0..1.

    The film's own matrix and range are named beside the usual ones because PyAV 14 follows them only where they differ.
    """
    rgb = frame.reformat(
        format="rgb24",
        interpolation=BEST_COLOUR,
        src_colorspace=frame.colorspace,
        dst_colorspace=USUAL_MATRIX,
        src_color_range=frame.color_range,
        dst_color_range=USUAL_RANGE,
    )
    upright = np.rot90(rgb.to_ndarray(), k=round(frame.rotation / 90))
    return np.divide(upright, 255, dtype=np.float32, order="C")
