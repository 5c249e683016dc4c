"""Making the offline video: a real MP4, H.264 at 30 fps, that looks from outside as the service's do.

Its length is exact, its size follows the tier and the picture's aspect, it has an AAC track exactly when the model
would have sound (dashscope.md section 0.1), and it can be played while it loads (faststart).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np

from .picture import Scenery, decode, frame_size
from .scene import Scene, StoppedError
from .sound import RATE, Samples, sound_track

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import OutputContainer
    from av.video.stream import VideoStream

FPS = 30
WATERMARK = "AI generated"
_HOLD = 2
"""Frames that show the same place of the move: 15 places a second look smooth and cost half."""


def render(scene: Scene, path: Path, *, wanted: Callable[[], bool] = lambda: True) -> None:
    """Write the scene's video to `path`.

    Asks `wanted` before every frame and raises StoppedError, leaving an unfinished file, as soon as it says no.
    """
    picture = decode(scene.picture)
    scenery = Scenery(
        picture,
        size=frame_size(*picture.size, resolution=scene.resolution),
        mark=f"OFFLINE {scene.template}".strip(),
        watermark=WATERMARK if scene.watermark else "",
    )
    track = sound_track(scene.sound, seconds=scene.duration) if scene.has_sound else None
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as container:
        video = _video_stream(container, scenery.size)
        audio = container.add_stream("aac", rate=RATE, layout="stereo") if track is not None else None
        for second in range(scene.duration):
            _write_pictures(container, video, scenery=scenery, second=second, scene=scene, wanted=wanted)
            if audio is not None and track is not None:
                _write_sound(
                    container, audio, samples=track[:, second * RATE : (second + 1) * RATE], start=second * RATE
                )
        for stream in (video, audio):
            if stream is not None:
                container.mux(stream.encode(None))


def _video_stream(container: OutputContainer, size: tuple[int, int]) -> VideoStream:
    # Without B-frames the first picture stands at time 0 and no edit list is needed. A short lookahead saves memory.
    options = {"preset": "veryfast", "crf": "23", "bf": "0", "rc-lookahead": "3"}
    stream = container.add_stream("libx264", rate=FPS, options=options)
    stream.width, stream.height = size
    stream.pix_fmt = "yuv420p"
    return stream


def _write_pictures(  # noqa: PLR0913 - one second of one film, all by name
    container: OutputContainer,
    stream: VideoStream,
    *,
    scenery: Scenery,
    scene: Scene,
    second: int,
    wanted: Callable[[], bool],
) -> None:
    last = scene.duration * FPS - _HOLD
    for index in range(second * FPS, (second + 1) * FPS):
        if not wanted():
            raise StoppedError
        if index % _HOLD == 0:
            planes = scenery.at(index / last)
        frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
        container.mux(stream.encode(frame))


def _write_sound(container: OutputContainer, stream: AudioStream, *, samples: Samples, start: int) -> None:
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), format="fltp", layout="stereo")
    frame.sample_rate = RATE
    frame.pts = start
    container.mux(stream.encode(frame))
