"""Matching of colours: a chain of clips drifts away from its first picture with every clip."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# OKLab, by Bjoern Ottosson: linear sRGB to cone responses, and their cube roots to lightness and two opponent colours.
_TO_CONES = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)
_FROM_CONES, _FROM_LAB = np.linalg.inv(_TO_CONES), np.linalg.inv(_TO_LAB)

_LEAST_SPREAD = 1e-3
"""The spread of a channel that is plain: stretched, it would show noise."""


def match_colours(image: NDArray[np.float32], reference: NDArray[np.float32]) -> NDArray[np.float32]:
    """Give an image the colours of another: the mean and the spread of each channel in OKLab, a perceptual space.

    Args:
        image: float [H,W,3] in sRGB, 0..1.
        reference: the same, of any size.

    Returns:
        The image, float32 [H,W,3], 0..1.
    """
    own, wanted = _to_lab(image), _to_lab(reference)
    means, spreads = _statistics(own)
    wanted_means, wanted_spreads = _statistics(wanted)
    # What is plain has nothing to stretch. A plain reference has a colour to give, but would leave nothing to see.
    is_kept = (spreads < _LEAST_SPREAD) | (wanted_spreads < _LEAST_SPREAD).all()
    scale = np.where(is_kept, 1.0, wanted_spreads / np.maximum(spreads, _LEAST_SPREAD))
    return _from_lab((own - means) * scale + wanted_means)


def _statistics(lab: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return lab.mean(axis=(0, 1)), lab.std(axis=(0, 1))


def _to_lab(image: NDArray[np.float32]) -> NDArray[np.float64]:
    shown = np.clip(np.asarray(image, np.float64), 0, 1)
    linear = np.where(shown <= 0.04045, shown / 12.92, ((shown + 0.055) / 1.055) ** 2.4)
    lab: NDArray[np.float64] = np.cbrt(linear @ _TO_CONES.T) @ _TO_LAB.T
    return lab


def _from_lab(lab: NDArray[np.float64]) -> NDArray[np.float32]:
    linear = np.clip((lab @ _FROM_LAB.T) ** 3 @ _FROM_CONES.T, 0, 1)
    shown = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.asarray(shown, np.float32)
