"""What is seen and heard in a video file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np


def frames(path: Path) -> list[np.ndarray]:
    """The frames of a video, [H,W,3] of 8 bits."""
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def heard(path: Path) -> np.ndarray:
    """The audio of a video, [C,T] from -1 to 1."""
    with av.open(str(path)) as container:
        return np.concatenate([frame.to_ndarray() for frame in container.decode(audio=0)], axis=1)


def level(samples: np.ndarray) -> float:
    """How loud some audio is."""
    return float(np.sqrt(np.mean(np.square(samples))))


def colour(frame: np.ndarray, x: float, y: float) -> list[int]:
    """The colour of a small place, 0..1 from left and top."""
    high, wide, _ = frame.shape
    return [round(value) for value in frame[int(y * high) - 4 :, int(x * wide) - 4 :][:8, :8].mean((0, 1))]


def near(one: Sequence[float], other: Sequence[float], *, away: float = 12) -> bool:
    """Whether two colours are about the same."""
    return all(abs(a - b) <= away for a, b in zip(one, other, strict=True))


def levels(path: Path) -> list[float]:
    """How bright each frame of a video is, by its own plane of brightness."""
    with av.open(str(path)) as container:
        found = []
        for frame in container.decode(video=0):
            luma = frame.to_ndarray(format="yuv420p")[: frame.height]
            found.append(float(luma[frame.height // 2 :, : frame.width // 2].mean()))
        return found
