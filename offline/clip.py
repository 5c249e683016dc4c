"""The clip that a video goes on from: whether the service would take it, and its frames.

Limits: newer-models.md section 1.3. The messages are those of dashscope.md section 2.2.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from ..wan.catalog.media import ClipLimits
from ..wan.errors import MediaError
from ..wan.media.container import first_video_stream, open_video
from .failures import BAD_MEDIA, TaskRejected
from .frames import Planes, split_planes
from .pictures import jpeg
from .scene import CheckedClip

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

_SLACK = 0.1
"""Seconds by which a clip may be longer or shorter than allowed: its last frame's length is anybody's guess."""

_FPS_SLACK = 0.1
_MOST_FPS = 240
"""The mock server's own limit: it decodes every frame."""

_THREADS = 2
"""For decoding. Every thread holds frames of its own."""

_EARLY = 0.001
"""Seconds by which a frame may come too late and still be in time: clocks of videos are not exact."""


def check_clip(path: Path, *, limits: ClipLimits) -> CheckedClip:
    """Refuse a clip that the service would refuse. The first frame is decoded, of the others the times are read.

    Raises TaskRejected.
    """
    if path.stat().st_size > limits.bytes:
        most = limits.bytes // 1024 // 1024
        raise TaskRejected(
            f"Invalid file size. The video file size must be less than {most}MB.", code="InvalidFile.Size"
        )
    try:
        with open_video(path, format="mov") as container:
            stream = first_video_stream(container, name=path.name)
            _check_size(stream.width, stream.height, limits)
            seconds, frames = _length(container, stream, limits)
            _check_fps(frames / seconds, limits)
            container.seek(0)
            first = next(_decoded(container, stream), None)
            if first is None:
                raise TaskRejected(BAD_MEDIA)
            size = (first.width, first.height)
            _check_size(*size, limits)
            return CheckedClip(path, size[::-1] if _quarters(first) % 2 else size, seconds)
    except MediaError as error:
        raise TaskRejected(BAD_MEDIA) from error


def first_picture(clip: CheckedClip) -> bytes:
    """Return the first frame of a clip, upright and encoded. Raises TaskRejected where the file is damaged."""
    try:
        with open_video(clip.path, format="mov") as container:
            frame = next(_decoded(container, first_video_stream(container, name=clip.path.name)), None)
            if frame is None:
                raise TaskRejected(BAD_MEDIA)
            picture = Image.fromarray(frame.to_ndarray(format="rgb24"))
            return jpeg(picture.rotate(90 * _quarters(frame), expand=True))
    except MediaError as error:
        raise TaskRejected(BAD_MEDIA) from error


def clip_frames(clip: CheckedClip, *, size: tuple[int, int], fps: int) -> Generator[Planes, None, None]:
    """Give out the clip's frames, upright, scaled to `size` and at `fps` frames a second. Frames may be repeated.

    Raises MediaError where the file is damaged.
    """
    count = round(clip.seconds * fps)
    done = 0
    with open_video(clip.path, format="mov") as container:
        stream = first_video_stream(container, name=clip.path.name)
        begin, frame = 0.0, None
        for following in _decoded(container, stream):
            if frame is None:
                begin = following.time or 0.0
            else:
                # Until the next one is due, this one is seen.
                due = min(count, _frames_before((following.time or 0.0) - begin, fps=fps))
                if due > done:
                    shown = _scaled(frame, size=size)
                    for _ in range(due - done):
                        yield shown
                    done = due
            frame = following
            if done >= count:
                return
        if frame is not None:
            shown = _scaled(frame, size=size)
            for _ in range(count - done):
                yield shown


def _frames_before(seconds: float, *, fps: int) -> int:
    """Count the frames that are shown before a time."""
    return int(np.ceil((seconds - _EARLY) * fps))


def _check_size(width: int, height: int, limits: ClipLimits) -> None:
    small, large = sorted((width, height))
    if small < limits.sides[0] or large > limits.sides[1]:
        raise TaskRejected(
            "The video resolution is invalid, please make sure that the largest length of video is not larger than "
            f"{limits.sides[1]}, and the smallest not smaller than {limits.sides[0]}.",
            code="InvalidFile.Resolution",
        )
    if large > limits.ratio * small:
        message = f"Invalid file aspect ratio. The video aspect ratio must be 1:{limits.ratio:g} ~ {limits.ratio:g}:1."
        raise TaskRejected(message, code="InvalidFile.AspectRatio")


def _check_fps(fps: float, limits: ClipLimits) -> None:
    least, most = limits.fps
    if fps < least - _FPS_SLACK or (most and fps > most + _FPS_SLACK):
        allowed = f"{least:g} ~ {most:g}" if most else f"at least {least:g}"
        raise TaskRejected(f"Invalid file fps. The video fps must be {allowed}.", code="InvalidFile.FPS")


def _length(container: InputContainer, stream: VideoStream, limits: ClipLimits) -> tuple[float, int]:
    """Return a video's seconds and frames by what it really holds, not by what its header says."""
    shortest, longest = limits.seconds
    end, frames = 0, 0
    for packet in container.demux(stream):
        if packet.pts is not None:
            end = max(end, packet.pts + (packet.duration or 0))
            frames += 1
        if frames > _MOST_FPS * (longest + 1):
            raise TaskRejected(BAD_MEDIA)
    seconds = float((end - (stream.start_time or 0)) * (stream.time_base or 0))
    if not shortest - _SLACK <= seconds <= longest + _SLACK:
        message = f"Invalid file duration. The file duration must be {shortest:g} s ~ {longest:g} s."
        raise TaskRejected(message, code="InvalidFile.Duration")
    return seconds, frames


def _decoded(container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
    stream.codec_context.thread_count = _THREADS
    yield from container.decode(stream)


def _quarters(frame: VideoFrame) -> int:
    """Return by how many quarters of a turn, against the clock, a frame is to be shown."""
    return round(frame.rotation / 90) % 4


def _scaled(frame: VideoFrame, *, size: tuple[int, int]) -> Planes:
    turns = _quarters(frame)
    planes = split_planes(frame, size=size[::-1] if turns % 2 else size)
    return [plane.rotate(90 * turns, expand=True) for plane in planes]
