"""Making the offline video: a real MP4, H.264, that looks from outside as the service's do.

Its length is exact, its size follows the tier and the shape of what it begins with, it has an AAC track exactly when
the model would have audio (dashscope.md section 0.1), and it can be played while it loads (faststart). It begins with
the clip, where there is one, and ends with the last frame that was asked for. Frames are made one at a time.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Generator
from contextlib import closing
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np
import numpy.typing as npt

from ..wan.catalog.models import ADAPTIVE
from ..wan.media.container import open_video
from .clip import clip_frames
from .frames import KenBurns, Overlays, Planes, YuvFrame, decode, tinted, to_yuv_frame
from .media import AUDIO_ONLY
from .pictures import picture_of_words, side_by_side, tint_of
from .scene import DRAWN_SIZE, Interrupted, Scene, frame_size

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer, OutputContainer
    from av.video.stream import VideoStream
    from PIL import Image

Samples = npt.NDArray[np.float32]

RATE = 48_000
CHANNELS = 2
_TONE_HZ = 220.0
_TONE_LEVEL = 0.08
_FADE_SECONDS = 0.25
_HOLD = 2
"""Frames that show the same place of the move: 12 or 15 places a second look smooth and cost half."""


def render(scene: Scene, path: Path, *, wanted: Callable[[], bool] = lambda: True) -> None:
    """Write the scene's video to `path`.

    Asks `wanted` before every frame and raises Interrupted, leaving an unfinished file, as soon as it says no. Raises
    MediaError where the clip is damaged.
    """
    source = _Video(scene)
    track = _track(scene) if scene.has_audio else None
    with (
        av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as container,
        closing(source.frames()) as frames,
    ):
        video = _video_stream(container, source.size, fps=scene.fps)
        audio = container.add_stream("aac", rate=RATE, layout="stereo") if track is not None else None
        for second in range(math.ceil(scene.duration)):
            for planes in islice(frames, scene.fps):
                if not wanted():
                    raise Interrupted
                container.mux(video.encode(av.VideoFrame.from_ndarray(planes, format="yuv420p")))
            if audio is not None and track is not None:
                _write_audio(
                    container, audio, samples=track[:, second * RATE : (second + 1) * RATE], start=second * RATE
                )
        for stream in (video, audio):
            if stream is not None:
                container.mux(stream.encode(None))


class _Video:
    """The frames of a scene. `size` is their width and height in pixels."""

    def __init__(self, scene: Scene) -> None:
        images = [] if scene.clip else _images(scene)
        begin = scene.clip.size if scene.clip else images[0].size if images else DRAWN_SIZE
        self._scene = scene
        self.size = frame_size(*begin, resolution=scene.resolution, ratio=scene.ratio, named=scene.size)
        self._tint = tint_of(scene.prompt) if scene.edited else None
        self._first = None if scene.clip else self._first_frame(images)

    def _first_frame(self, images: list[Image.Image]) -> Planes:
        """Return what a video without a clip begins with: an image, references, or the prompt's words."""
        whole = self._scene.ratio == ADAPTIVE
        if not images:
            image = picture_of_words(self._scene.prompt, size=self.size)
        elif self._scene.image is None and self._scene.pictures:
            image = side_by_side(images, size=self.size)
        else:
            image = images[0]
        return to_yuv_frame(image, size=self.size, whole=whole)

    def frames(self) -> Generator[YuvFrame, None, None]:
        """Make the frames one after another, in yuv420p."""
        scene = self._scene
        marks = Overlays(self.size, text=f"OFFLINE {scene.template}".strip(), watermark=scene.watermark)
        left, first = round(scene.duration * scene.fps), self._first
        if scene.clip:
            # What goes on to a last frame has to have room for it.
            most = left - _HOLD if scene.ending is not None else left
            with closing(clip_frames(scene.clip, size=self.size, fps=scene.fps)) as played:
                for planes in islice(played, most):
                    first = self._tinted(planes)
                    yield marks.on(first)
                    left -= 1
        elif first is not None:
            first = self._tinted(first)
        if first is None:
            raise ValueError("there is nothing to begin with")
        places = -(-left // _HOLD)
        scenery = KenBurns(first, ending=self._ending())
        for place in range(places):
            frame = marks.on(scenery.at(place / (places - 1) if places > 1 else 1))
            for _ in range(min(_HOLD, left - place * _HOLD)):
                yield frame

    def _tinted(self, planes: Planes) -> Planes:
        return tinted(planes, colour=self._tint) if self._tint else planes

    def _ending(self) -> Planes | None:
        ending = self._scene.ending
        return to_yuv_frame(decode(ending), size=self.size, whole=False) if ending is not None else None


def _images(scene: Scene) -> list[Image.Image]:
    """Return the images that a video without a clip begins with; none where it is made of words."""
    if scene.image is None and scene.pictures:
        return [decode(data) for data in scene.pictures]
    return [] if scene.image is None and scene.prompt else [decode(scene.image)]


def _track(scene: Scene) -> Samples:
    """Return a video's audio: the clip's own or the file's, or else a tone."""
    if scene.clip and scene.clip_sound:
        with open_video(scene.clip.path, format="mov") as container:
            return _fitted(container, samples=round(scene.duration * RATE))
    return audio_track(scene.audio, seconds=scene.duration)


def _video_stream(container: OutputContainer, size: tuple[int, int], *, fps: int) -> VideoStream:
    # Without B-frames the first image stands at time 0 and no edit list is needed. A short lookahead saves memory.
    options = {"preset": "veryfast", "crf": "23", "bf": "0", "rc-lookahead": "3"}
    stream = container.add_stream("libx264", rate=fps, options=options)
    stream.width, stream.height = size
    stream.pix_fmt = "yuv420p"
    return stream


def _write_audio(container: OutputContainer, stream: AudioStream, *, samples: Samples, start: int) -> None:
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), format="fltp", layout="stereo")
    frame.sample_rate = RATE
    frame.pts = start
    container.mux(stream.encode(frame))


def audio_track(data: bytes | None, *, seconds: float) -> Samples:
    """Return exactly `seconds` of audio, float32 [2, seconds * 48000] in -1..1.

    Longer audio files are cut and shorter ones end in silence, as the service does it (dashscope.md section 0.1).
    Without data it is a tone.
    """
    wanted = round(seconds * RATE)
    if data is None:
        return _tone(wanted)
    with av.open(io.BytesIO(data), container_options=dict(AUDIO_ONLY)) as container:
        return _fitted(container, samples=wanted)


def _fitted(container: InputContainer, *, samples: int) -> Samples:
    """Return the beginning of a file's audio, with silence after its end or where it has none."""
    track = np.zeros((CHANNELS, samples), np.float32)
    have = 0
    with closing(_pieces(container)) as given:
        for piece in given:
            kept = piece[:, : samples - have]
            # One channel is heard on both.
            track[:, have : have + kept.shape[1]] = kept
            have += kept.shape[1]
            if have >= samples:
                break
    return track


def _pieces(container: InputContainer) -> Generator[Samples, None, None]:
    if not container.streams.audio:
        return
    # The resampler would make one channel softer for two.
    mono = container.streams.audio[0].layout.nb_channels == 1
    resampler = av.AudioResampler(format="fltp", layout="mono" if mono else "stereo", rate=RATE)
    for frame in chain(container.decode(audio=0), (None,)):
        for resampled in resampler.resample(frame):
            yield resampled.to_ndarray().astype(np.float32, copy=False)


def _tone(samples: int) -> Samples:
    time = np.arange(samples, dtype=np.float32) / RATE
    fade = np.minimum(1, np.minimum(time, time[::-1]) / _FADE_SECONDS)
    wave = _TONE_LEVEL * fade * np.sin(2 * np.pi * _TONE_HZ * time)
    return np.stack([wave, wave]).astype(np.float32)
