"""Video files: properties, ComfyUI's metadata, and validation of clips."""

from __future__ import annotations

import contextlib
import math
import os
import shutil
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..catalog.media import ClipLimits
from ..errors import MediaError
from ..files import when_free
from ..frozen import frozen
from ..messages import Message
from ..redaction import without_secrets
from .container import Source, check_mp4, display_name, first_video_stream, open_video

if TYPE_CHECKING:
    from av.container import InputContainer, OutputContainer
    from av.stream import Stream
    from av.video.stream import VideoStream

MICROSECONDS = 1_000_000
REMUX_SUFFIX = ".tagging"
MAX_CLOCK = 2**31 - 1

# Written by every MP4 muxer about its own file, so not copied.
OWN_KEYS = frozenset({"major_brand", "minor_version", "compatible_brands", "encoder"})


# Players distinguish variants of a codec by these: QuickTime plays HEVC as hvc1 only, and FFmpeg would write hev1.
KEPT_TAGS = frozenset({"avc1", "avc3", "hvc1", "hev1", "dvh1", "vvc1", "vvi1"})

_MOV_BRAND = b"qt  "


@frozen
class VideoInfo:
    """The properties of a video file.

    `width` and `height` are pixels as stored, `fps` is the mean rate, `duration` is seconds, `bytes` the file's size.
    """

    width: int
    height: int
    fps: float
    duration: float
    frames: int
    has_audio: bool
    bytes: int


def probe(path: str | os.PathLike[str]) -> VideoInfo:
    """Read the properties of an MP4 or MOV file from its index; nothing is decoded.

    Raises:
        MediaError: the file is missing, empty, truncated, not an MP4 or MOV, or without video.
    """
    path = Path(path)
    size = check_mp4(path)
    with open_video(path, format="mov") as container:
        stream = first_video_stream(container, name=path.name)
        # A fragmented file does not store its number of frames.
        frames = stream.frames or sum(1 for packet in container.demux(stream) if packet.size)
        if not frames:
            raise MediaError(Message("{name} has a video track without frames.", name=path.name))
        duration = seconds_of(container, stream)
        rate = stream.average_rate
        return VideoInfo(
            width=stream.width,
            height=stream.height,
            fps=float(rate) if rate else frames / duration if duration else 0.0,
            duration=duration,
            frames=frames,
            has_audio=bool(container.streams.audio),
            bytes=size,
        )


def write_metadata(path: str | os.PathLike[str], metadata: Mapping[str, str]) -> VideoInfo:
    """Write texts such as "prompt" and "workflow" into an MP4 file, as ComfyUI's SaveVideo does, without API keys.

    The streams are copied unchanged, and the index comes first in the file. The file is replaced atomically by its
    complete copy. Returns the properties of that.

    Raises:
        MediaError: the file cannot be read or written. It is unchanged.
    """
    path = Path(path)
    before = probe(path)
    copy = path.with_name(path.name + REMUX_SUFFIX)
    try:
        _remux(path, copy, metadata=metadata)
        after = probe(copy)
        if not _same_content(after, before):
            raise MediaError(Message("The copy of {name} is incomplete.", name=path.name))
        shutil.copymode(path, copy)
        try:
            copy.replace(path)
        except PermissionError:
            when_free(lambda: copy.replace(path))
    except OSError as error:
        raise MediaError(
            Message("{name} cannot be replaced: {reason}", name=path.name, reason=error.strerror or error)
        ) from error
    finally:
        copy.unlink(missing_ok=True)
    return after


def read_metadata(path: str | os.PathLike[str]) -> dict[str, str]:
    """Return the metadata of a video file.

    Raises:
        MediaError: the file cannot be read.
    """
    with open_video(path) as container:
        return dict(container.metadata)


def _same_content(one: VideoInfo, other: VideoInfo) -> bool:
    """Whether two files have the same content; their durations may differ by less than half a frame."""
    late = abs(one.duration - other.duration) * other.fps
    return late < 0.5 and (one.frames, one.has_audio) == (other.frames, other.has_audio)


def seconds_of(container: InputContainer, stream: VideoStream) -> float:
    """Return a video's length in seconds, by its index."""
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    return (container.duration or 0) / MICROSECONDS


def _remux(path: Path, copy: Path, *, metadata: Mapping[str, str]) -> None:
    """Write the MP4 file `copy` with the streams and metadata of `path`, and with `metadata`."""
    import av

    with open_video(path, format="mov") as source:
        try:
            with av.open(str(copy), "w", format="mp4", container_options=_muxer_options(source)) as target:
                kept = {key: value for key, value in source.metadata.items() if key not in OWN_KEYS}
                target.metadata.update({**kept, **{name: without_secrets(text) for name, text in metadata.items()}})
                _copy_streams(source, target)
        except (av.error.FFmpegError, OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise MediaError(
                Message("{name} cannot be rewritten ({reason}).", name=path.name, reason=reason)
            ) from error


def _copy_streams(source: InputContainer, target: OutputContainer) -> None:
    twins: dict[int, Stream] = {}
    for stream in source.streams:
        if stream.type in ("video", "audio", "subtitle"):
            twin = target.add_stream_from_template(stream, opaque=True)
            _copy_display_properties(stream, twin)
            twin.metadata.update(stream.metadata)
            twins[stream.index] = twin
    begins: dict[int, int] = {}
    for packet in source.demux():
        # A packet without a time marks the end of its stream.
        if packet.dts is None or packet.stream_index not in twins:
            continue
        begin = begins.setdefault(packet.stream_index, packet.dts)
        if not packet.duration:
            # FFmpeg before 8 loses the lengths of uneven frames, and players then skip a last frame of length 0.
            packet.duration = max(0, begin + (packet.stream.duration or 0) - packet.dts)
        packet.stream = twins[packet.stream_index]
        target.mux(packet)


def _copy_display_properties(stream: Stream, twin: Any) -> None:
    """Copy the codec tag and aspect ratio of a stream, which FFmpeg would change."""
    if (tag := stream.codec_context.codec_tag) in KEPT_TAGS:
        twin.codec_context.codec_tag = tag
    # For VP9 and AV1 only the container stores it.
    if aspect := getattr(stream, "sample_aspect_ratio", None):
        twin.codec_context.sample_aspect_ratio = aspect


def _muxer_options(source: InputContainer) -> dict[str, str]:
    """Return the muxer's options: metadata by name, index first, and time bases that keep all times exact."""
    options = {"movflags": "use_metadata_tags+faststart"}
    clock = math.lcm(*(stream.time_base.denominator for stream in source.streams if stream.time_base))
    if clock <= MAX_CLOCK:
        options["movie_timescale"] = str(clock)
    if time_base := source.streams.video[0].time_base:
        options["video_track_timescale"] = str(time_base.denominator)
    return options


@frozen
class Clip:
    """An MP4 or MOV file: its bytes, file name suffix, MIME type, pixels as stored, seconds and frames a second."""

    data: bytes = field(repr=False)
    suffix: str
    mime: str
    width: int
    height: int
    seconds: float
    fps: float = 0.0


def read_clip(source: Source, *, limits: ClipLimits) -> Clip:
    """Read a clip from a file, or from a binary file object.

    Raises:
        MediaError: the file is not an MP4 or MOV, cannot be read, or is too large.
    """
    data = _read(source, most=limits.bytes)
    if data[4:8] != b"ftyp":
        raise MediaError(
            Message("{name} is not an MP4 or MOV video, as DashScope requires.", name=display_name(source))
        )
    mov = data[8:12] == _MOV_BRAND
    with open_video(source, format="mov") as container:
        stream = first_video_stream(container, name=display_name(source))
        size, seconds, rate = (stream.width, stream.height), seconds_of(container, stream), stream.average_rate
    kind = (".mov", "video/quicktime") if mov else (".mp4", "video/mp4")
    return Clip(data, *kind, *size, seconds, float(rate or 0))


def validate_clip(clip: Clip, *, limits: ClipLimits, name: str = "video") -> list[str]:
    """Return the problems of a clip, one sentence per problem; empty if it is valid. `name` is the input's."""
    problems: list[str] = []
    least, most = limits.seconds
    if not least <= round(clip.seconds, 2) <= most:
        wrong = Message("short") if clip.seconds < least else Message("long")
        problems.append(
            Message(
                "{input}: {seconds:.2f} s is too {problem}; DashScope accepts {least:g} to {most:g} s",
                input=name,
                seconds=clip.seconds,
                problem=wrong,
                least=least,
                most=most,
            )
        )
    small, large = sorted((clip.width, clip.height))
    if small < limits.sides[0] or large > limits.sides[1]:
        problems.append(
            Message(
                "{input}: {width}x{height} is not supported; each side must have {least} to {most} px",
                input=name,
                width=clip.width,
                height=clip.height,
                least=limits.sides[0],
                most=limits.sides[1],
            )
        )
    if large > limits.ratio * small:
        problems.append(
            Message(
                "{input}: {width}x{height} is too narrow; the longer side may be at most {ratio:g} times the shorter",
                input=name,
                width=clip.width,
                height=clip.height,
                ratio=limits.ratio,
            )
        )
    slowest, fastest = limits.fps
    if clip.fps and (round(clip.fps, 2) < slowest or round(clip.fps, 2) > (fastest or clip.fps)):
        problems.append(
            Message(
                "{input}: {fps:g} frames a second are not supported; DashScope accepts {least:g}{most}",
                input=name,
                fps=round(clip.fps, 2),
                least=slowest,
                most=Message(" to {most:g}", most=fastest) if fastest else Message(" and more"),
            )
        )
    return problems


def _read(source: Source, *, most: int) -> bytes:
    name = display_name(source)
    try:
        with contextlib.ExitStack() as closing:
            if isinstance(source, (str, os.PathLike)):
                source = closing.enter_context(Path(source).open("rb"))
            source.seek(0)
            data = source.read(most + 1)
    except OSError as error:
        raise MediaError(
            Message("{name} cannot be read ({reason}).", name=name, reason=error.strerror or error)
        ) from error
    if len(data) > most:
        raise MediaError(
            Message("{name} is larger than {most:.0f} MB, DashScope's limit.", name=name, most=most / 2**20)
        )
    return data
