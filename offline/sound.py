"""The audio of an offline video: the given audio cut or filled to the video's length, or a soft tone."""

from __future__ import annotations

import io
from collections.abc import Generator
from contextlib import closing
from itertools import chain

import av
import numpy as np
import numpy.typing as npt

from .media import AUDIO_ONLY

Samples = npt.NDArray[np.float32]

RATE = 48_000
CHANNELS = 2
_TONE_HZ = 220.0
_TONE_LEVEL = 0.08
_FADE_SECONDS = 0.25


def audio_track(data: bytes | None, *, seconds: int) -> Samples:
    """Return exactly `seconds` of audio, float32 [2, seconds * 48000] in -1..1.

    Longer audio files are cut and shorter ones end in silence, as the service does it (dashscope.md section 0.1).
    Without data it is a tone.
    """
    wanted = seconds * RATE
    if data is None:
        return _tone(wanted)
    track = np.zeros((CHANNELS, wanted), np.float32)
    given = _decode(data, at_most=wanted)
    track[:, : given.shape[1]] = given
    return track


def _decode(data: bytes, *, at_most: int) -> Samples:
    """Return the first `at_most` samples of an audio file, float32 [2, N] at 48 kHz."""
    pieces: list[Samples] = []
    have = 0
    with closing(_pieces(data)) as given:
        for piece in given:
            pieces.append(piece)
            have += piece.shape[1]
            if have >= at_most:
                break
    if not pieces:
        return np.zeros((CHANNELS, 0), np.float32)
    whole = np.concatenate(pieces, axis=1)[:, :at_most]
    return np.broadcast_to(whole, (CHANNELS, whole.shape[1]))


def _pieces(data: bytes) -> Generator[Samples, None, None]:
    with av.open(io.BytesIO(data), container_options=dict(AUDIO_ONLY)) as container:
        # One channel is copied to both later: the resampler would make it softer.
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
