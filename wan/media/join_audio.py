"""The sound of a joined video: one AAC track, aligned to the pictures of each video."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.packet import Packet
    from numpy.typing import NDArray

    Mux = Callable[[list[Packet[Any]]], None]

_LAYOUT = "stereo"
_SILENCE_SAMPLES = 48_000


class AudioTrack:
    """Writes the sound of one video after another, each as long as its pictures.

    `stream` is the AAC track of the file, whose packets go to `mux`.
    """

    def __init__(self, stream: Any, mux: Mux) -> None:
        self._stream = stream
        self._rate: int = stream.rate
        self._mux = mux
        self._written = 0
        self._begin = self._end = Fraction(0)
        self._resampler: Any = None

    def begin(self, start: Fraction, end: Fraction) -> None:
        """Begin with a video that is shown from `start` to `end`, in seconds of the joined video."""
        import av

        self._begin, self._end = start, end
        self._is_placed = False
        self._resampler = av.AudioResampler(format="fltp", layout=_LAYOUT, rate=self._rate)

    def add(self, frame: AudioFrame, *, at: Fraction) -> None:
        """Add decoded sound; `at` is its second in the video, 0 with the first picture."""
        if not self._is_placed:
            self._is_placed = True
            self._skip = max(0, self._written - self._sample(self._begin + at))
            self._fill(self._sample(min(self._begin + at, self._end)))
        for part in self._resampler.resample(frame):
            self._write(part.to_ndarray())

    def finish(self) -> None:
        """End a video: what its sound lacks is silence."""
        if self._is_placed:
            for part in self._resampler.resample(None):
                self._write(part.to_ndarray())
        self._fill(self._sample(self._end))

    def close(self) -> None:
        """Write what the encoder still holds."""
        self._mux(self._stream.encode(None))

    def _sample(self, seconds: Fraction) -> int:
        return round(seconds * self._rate)

    def _fill(self, until: int) -> None:
        while (missing := until - self._written) > 0:
            self._encode(np.zeros((2, min(missing, _SILENCE_SAMPLES)), np.float32))

    def _write(self, samples: NDArray[np.float32]) -> None:
        skipped = min(self._skip, samples.shape[1])
        self._skip -= skipped
        room = self._sample(self._end) - self._written
        kept = samples[:, skipped : skipped + max(0, room)]
        if kept.shape[1]:
            self._encode(kept)

    def _encode(self, samples: NDArray[np.float32]) -> None:
        import av

        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), format="fltp", layout=_LAYOUT)
        frame.rate, frame.time_base, frame.pts = self._rate, Fraction(1, self._rate), self._written
        self._written += samples.shape[1]
        self._mux(self._stream.encode(frame))
