"""Joining of videos into one MP4: pictures are copied where they fit, sound is aligned to them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import MediaError
from ..frozen import frozen
from ..messages import Message
from ..redaction import without_secrets
from .container import Source, display_name, first_video_stream, open_video
from .join_audio import AudioTrack
from .join_video import CopiedTrack, EncodedTrack, Pictures, Track, mux, writing
from .last_frame import square_size, to_image

if TYPE_CHECKING:
    from av.container import OutputContainer

OnProgress = Callable[[float], None]

_COPIED_CODECS = frozenset({"h264", "hevc"})
_AUDIO_BITS = 192_000
_AUDIO_RATES = frozenset(
    {8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 64_000, 88_200, 96_000}
)
_USUAL_RATE = 48_000


@frozen
class Joined:
    """A joined video: its number of frames, its seconds, and whether its pictures were copied without re-encoding."""

    frames: int
    seconds: float
    is_copied: bool


def join_videos(  # noqa: PLR0913 - all but two by name
    sources: Sequence[Source],
    target: Path,
    *,
    names: Sequence[str] = (),
    drop_repeated: bool = False,
    metadata: Mapping[str, str] | None = None,
    on_progress: OnProgress = lambda _fraction: None,
) -> Joined:
    """Write videos one after another into an MP4 file.

    If all have the codec, size and rate of the first, and its encoder's settings, their pictures are copied. Otherwise
    all pictures are encoded once, in the first one's size and rate, with black bars where the shape differs. The sound
    is encoded once, as AAC, and each video's is cut or filled with silence to the length of its pictures: audio packets
    that are copied side by side click, and drift from the pictures with every video.

    Args:
        sources: paths or seekable binary file objects, in the order of playback.
        target: the file to write; it is overwritten.
        names: the inputs of the sources, for messages.
        drop_repeated: leave out the last frame of each video but the last, with which the next one begins.
        metadata: texts for the file, such as "workflow"; API keys are taken out.
        on_progress: called with a fraction from 0 to 1. What it raises ends the work.

    Raises:
        MediaError: a video cannot be read, or the file cannot be written. `target` may be left incomplete.
    """
    import av

    last = len(sources) - 1
    videos = []
    for index, source in enumerate(sources):
        with _named(names[index] if names else ""):
            videos.append(_read(source, drop_last=drop_repeated and index < last))
    is_copied = all(one.form is not None and one.form == videos[0].form for one in videos)
    # Where a video's frames are reordered further than those before it, its packets would come before theirs.
    is_copied = is_copied and all(one.decoding[1] - one.seconds < two.decoding[0] for one, two in pairwise(videos))
    options = {"movflags": "use_metadata_tags+faststart"}
    with writing(), av.open(str(target), "w", format="mp4", container_options=options) as container:
        container.metadata.update({name: without_secrets(text) for name, text in (metadata or {}).items()})
        track = CopiedTrack(container, videos[0]) if is_copied else EncodedTrack(container, videos[0])
        sound = _audio_track(container, videos)
        lengths = [track.length(video) for video in videos]
        for index, video in enumerate(videos):
            start = sum(lengths[:index], Fraction(0))
            for at in _write_video(video, track, sound, start=start, end=start + lengths[index]):
                on_progress(min(1.0, float((start + at) / sum(lengths))))
        track.close()
        if sound:
            sound.close()
    return Joined(track.frames, float(sum(lengths)), is_copied)


@contextlib.contextmanager
def _named(name: str) -> Iterator[None]:
    """Let errors of a source begin with its input, if it has a name."""
    try:
        yield
    except MediaError as error:
        if not name:
            raise
        raise MediaError(Message("{input}: {problem}", input=name, problem=error.message)) from error


def _read(source: Source, *, drop_last: bool) -> Pictures:
    """Read a video's index, and decode its first frame."""
    name = display_name(source)
    with open_video(source) as container:
        stream = first_video_stream(container, name=name)
        every = [packet for packet in container.demux(stream) if packet.size]
        # An edit list hides frames that only others need.
        packets = [packet for packet in every if not packet.is_discard]
        container.seek(0)
        frame = next(container.decode(stream), None)
        if frame is None:
            raise MediaError(Message("{name} has no frames that can be decoded.", name=name))
        rate = stream.average_rate or stream.guessed_rate or Fraction(30)
        unit = stream.time_base or 1 / rate
        stamps = [packet.pts for packet in packets if packet.pts is not None]
        has_times = len(stamps) == len(packets)
        if not has_times:  # AVI has none.
            unit, stamps = 1 / rate, list(range(len(packets)))
        final = max(stamps)
        is_dropped = drop_last and len(stamps) > 1
        shown = has_times and packets[stamps.index(final)].duration
        ends = final if is_dropped else final + (shown or round(1 / (rate * unit)))
        decoded = [
            packet.dts for packet in packets if packet.dts is not None and not (is_dropped and packet.pts == final)
        ]
        context, sound = stream.codec_context, container.streams.audio
        is_upright = frame.side_data.get("DISPLAYMATRIX") is None
        form = (context.name, stream.width, stream.height, context.pix_fmt, rate, stream.sample_aspect_ratio)
        can_copy = (
            context.name in _COPIED_CODECS
            and "mp4" in container.format.name
            and is_upright
            and len(packets) == len(every)
            # The last frame can go if no later one needs it.
            and not (is_dropped and packets[-1].pts != final)
        )
        size = square_size(frame, stream.sample_aspect_ratio, name=name)
        return Pictures(
            source=source,
            name=name,
            size=size if is_upright else to_image(frame, size=size).shape[1::-1],
            rate=rate,
            form=(*form, bytes(context.extradata or b"")) if can_copy else None,
            colours=(int(frame.colorspace), int(frame.color_range)),
            first=min(stamps),
            dropped=final if is_dropped else None,
            seconds=(ends - min(stamps)) * unit,
            decoding=tuple((at - min(stamps)) * unit for at in (decoded[0], decoded[-1])) if can_copy else (),
            audio_rate=sound[0].rate if sound else 0,
        )


def _write_video(
    video: Pictures, track: Track, sound: AudioTrack | None, *, start: Fraction, end: Fraction
) -> Iterator[Fraction]:
    """Write one video from `start` to `end`, in seconds of the joined one, and yield the seconds that are written."""
    from av.audio.frame import AudioFrame

    with open_video(video.source) as container:
        stream = first_video_stream(container, name=video.name)
        unit = stream.time_base or 1 / video.rate
        heard = container.streams.audio[0] if sound and container.streams.audio else None
        track.begin(video, start=start, unit=unit, aspect=stream.sample_aspect_ratio)
        if sound:
            sound.begin(start, end)
        for packet in container.demux(*(one for one in (stream, heard) if one)):
            if packet.stream_index == stream.index:
                track.add(packet)
                if packet.pts is not None:
                    yield max(Fraction(0), (packet.pts - video.first) * unit)
            elif sound:
                for frame in packet.decode():
                    if isinstance(frame, AudioFrame) and frame.time_base:
                        sound.add(frame, at=(frame.pts or 0) * frame.time_base - video.first * unit)
        track.finish()
        if sound:
            sound.finish()


def _audio_track(container: OutputContainer, videos: Sequence[Pictures]) -> AudioTrack | None:
    """Add the sound's track, with the rate of the first sound; None if all videos are silent."""
    rate = next((video.audio_rate for video in videos if video.audio_rate), 0)
    if not rate:
        return None
    stream = container.add_stream("aac", rate=rate if rate in _AUDIO_RATES else _USUAL_RATE, layout="stereo")
    stream.bit_rate = _AUDIO_BITS
    return AudioTrack(stream, partial(mux, container))
