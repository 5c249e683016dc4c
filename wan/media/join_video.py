"""The pictures of a joined video: copied as they are, or encoded once."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from ..errors import MediaError
from ..frozen import frozen
from ..messages import Message
from .container import Source, first_video_stream, open_video
from .image_codec import resize
from .last_frame import BEST_COLOUR, square_size, to_image
from .video import KEPT_TAGS

if TYPE_CHECKING:
    from av.container import OutputContainer
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from numpy.typing import NDArray

_ENCODING = {"crf": "16", "preset": "fast"}
_UNSPECIFIED = 2


@frozen
class Pictures:
    """The pictures of one video, from its index and its first frame.

    `size` is as they are shown. `form` is equal for two videos whose pictures can follow each other in one track, None
    if they cannot be copied at all. The first one is shown at the time stamp `first`, and what is used of them takes
    `seconds`; the frame at the time stamp `dropped` is not used. `decoding` are the seconds from `first` at which the
    first and the last packet of a `form` are decoded. `colours` are the first frame's matrix and range.
    """

    source: Source
    name: str
    size: tuple[int, int]
    rate: Fraction
    form: tuple[Any, ...] | None
    colours: tuple[int, int]
    first: int
    dropped: int | None
    seconds: Fraction
    decoding: tuple[Fraction, ...]
    audio_rate: int


class Track:
    """The pictures of the joined video. `frames` counts them."""

    frames = 0

    def __init__(self, container: OutputContainer) -> None:
        self._container = container

    def length(self, video: Pictures) -> Fraction:
        """Return the seconds that a video takes in this track."""
        raise NotImplementedError

    def begin(self, video: Pictures, *, start: Fraction, unit: Fraction, aspect: Fraction | None) -> None:
        """Begin with a video at `start`, in seconds. `unit` is that of its time stamps, `aspect` its pixels' shape."""
        raise NotImplementedError

    def add(self, packet: Packet[Any]) -> None:
        """Add a packet of the video."""
        raise NotImplementedError

    def finish(self) -> None:
        """End a video."""

    def close(self) -> None:
        """End the track."""


class CopiedTrack(Track):
    """Pictures as they are, with new times."""

    def __init__(self, container: OutputContainer, first: Pictures) -> None:
        super().__init__(container)
        with open_video(first.source) as source:
            template = first_video_stream(source, name=first.name)
            self._stream = container.add_stream_from_template(template, opaque=True)
            if (tag := template.codec_context.codec_tag) in KEPT_TAGS:
                self._stream.codec_context.codec_tag = tag

    def length(self, video: Pictures) -> Fraction:
        """Return the seconds that a video takes in this track."""
        return video.seconds

    def begin(self, video: Pictures, *, start: Fraction, unit: Fraction, aspect: Fraction | None) -> None:  # noqa: ARG002
        """Begin with a video, as `Track` says."""
        self._dropped, self._shift = video.dropped, round(start / unit) - video.first

    def add(self, packet: Packet[Any]) -> None:
        """Copy a packet."""
        if not packet.size or packet.pts is None or packet.dts is None or packet.pts == self._dropped:
            return
        packet.pts += self._shift
        packet.dts += self._shift
        packet.stream = self._stream
        mux(self._container, [packet])
        self.frames += 1


class EncodedTrack(Track):
    """Pictures of one size and rate. A frame is shown from the step nearest to its time to that of the next frame."""

    def __init__(self, container: OutputContainer, first: Pictures) -> None:
        super().__init__(container)
        self._rate, self._colours = first.rate, first.colours
        self._size = (max(2, first.size[0] // 2 * 2), max(2, first.size[1] // 2 * 2))
        stream = container.add_stream("libx264", rate=first.rate, options=dict(_ENCODING))
        stream.width, stream.height = self._size
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = 1 / first.rate
        stream.codec_context.colorspace, stream.codec_context.color_range = first.colours
        self._stream = stream

    def length(self, video: Pictures) -> Fraction:
        """Return the seconds that a video takes in this track."""
        return Fraction(self._step(video.seconds)) / self._rate

    def begin(self, video: Pictures, *, start: Fraction, unit: Fraction, aspect: Fraction | None) -> None:  # noqa: ARG002
        """Begin with a video, as `Track` says."""
        self._video, self._unit, self._aspect = video, unit, aspect
        self._end = self.frames + self._step(video.seconds)
        self._start, self._decoded = self.frames, 0
        self._shown: VideoFrame | None = None

    def add(self, packet: Packet[Any]) -> None:
        """Decode a packet, and encode what is shown until then."""
        for frame in packet.decode():
            at = self._decoded / self._video.rate if frame.pts is None else (frame.pts - self._video.first) * self._unit
            self._decoded += 1
            self._show_until(self._start + round(at * self._rate))
            self._shown = frame

    def finish(self) -> None:
        """Show the last frame to the end of the video."""
        self._show_until(self._end)

    def close(self) -> None:
        """Write what the encoder still holds."""
        mux(self._container, self._stream.encode(None))

    def _step(self, seconds: Fraction) -> int:
        return max(1, round(seconds * self._rate))

    def _show_until(self, step: int) -> None:
        if self._shown is None:
            return
        picture = None
        while self.frames < min(step, self._end):
            picture = picture or self._fitted(self._shown)
            picture.pts, picture.time_base = self.frames, 1 / self._rate
            mux(self._container, self._stream.encode(picture))
            self.frames += 1

    def _fitted(self, frame: VideoFrame) -> VideoFrame:
        """Return a frame in this track's size, upright, with square pixels, and black bars where the shape differs."""
        import av
        from av.video.frame import PictureType

        colours = (int(frame.colorspace), int(frame.color_range))
        is_same = (frame.width, frame.height) == self._size == self._video.size and colours == self._colours
        if is_same and frame.format.name == "yuv420p":
            frame.pict_type = PictureType.NONE  # The encoder decides.
            return frame
        image = to_image(frame, size=square_size(frame, self._aspect, name=self._video.name))
        fitted = av.VideoFrame.from_ndarray(_boxed(image, self._size), format="rgb24").reformat(
            format="yuv420p",
            interpolation=BEST_COLOUR,
            dst_colorspace=None if self._colours[0] == _UNSPECIFIED else self._colours[0],
            dst_color_range=self._colours[1] or None,
        )
        fitted.colorspace, fitted.color_range = self._colours
        return fitted


def _boxed(image: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Return an image [H,W,3], 0..1, in 8 bits, as large as fits into a width and height, in the middle of black."""
    picture = Image.fromarray((image * 255).round().astype(np.uint8))
    scale = min(size[0] / picture.width, size[1] / picture.height)
    fitted = resize(picture, (max(1, round(picture.width * scale)), max(1, round(picture.height * scale))))
    whole = Image.new("RGB", size)
    whole.paste(fitted, ((size[0] - fitted.width) // 2, (size[1] - fitted.height) // 2))
    return np.asarray(whole)


def mux(container: OutputContainer, packets: Sequence[Packet[Any]]) -> None:
    """Write packets into a file. Raises MediaError."""
    with writing():
        container.mux(packets)


@contextlib.contextmanager
def writing() -> Iterator[None]:
    """Raise FFmpeg's errors as those of the file that is written, also where another one is being read."""
    import av

    try:
        yield
    except (av.error.FFmpegError, OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise MediaError(Message("The joined video cannot be written ({reason}).", reason=reason)) from error
