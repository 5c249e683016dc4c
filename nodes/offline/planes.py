"""Frames in yuv420p, plane by plane: that costs half of RGB frames and their conversion."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Plane = npt.NDArray[np.uint8]
Planes = Sequence[Plane]
"""Brightness [H,W], and two of colour [H/2,W/2]."""


def split_planes(whole: npt.NDArray[Any], *, size: tuple[int, int]) -> Planes:
    """Split a yuv420p frame, uint8 [H * 3 / 2, W], into its planes. `size` is its width and height in pixels."""
    width, height = size
    quarter = height // 4
    half = (height // 2, width // 2)
    return [whole[:height], whole[height : height + quarter].reshape(half), whole[height + quarter :].reshape(half)]


def join_planes(planes: Planes) -> Plane:
    """Join planes to a yuv420p frame, uint8 [H * 3 / 2, W]."""
    luma, *colours = planes
    height, width = luma.shape
    return np.concatenate([luma, *(plane.reshape(height // 4, width) for plane in colours)])
