"""Conversion of ComfyUI's tensors to numpy arrays, without importing torch."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def is_float_tensor(value: Any) -> bool:
    """Whether `value` is a torch tensor or a numpy array, and holds floating point numbers."""
    if isinstance(value, np.ndarray):
        return bool(value.dtype.kind == "f")
    return hasattr(value, "detach") and bool(value.is_floating_point())


def number_type(value: Any) -> str:
    """Return the type of `value` for a message: that of its numbers if it has any."""
    dtype = getattr(value, "dtype", None)
    return f"numbers of type {dtype}" if dtype is not None else type(value).__name__


def as_array(part: Any) -> NDArray[Any]:
    """Return a tensor, or a slice of one, as a numpy array of the same shape.

    A float32 tensor in main memory is not copied; one on a GPU or in half precision is, so take a slice first.
    """
    if hasattr(part, "detach"):
        part = part.detach().cpu().float().numpy()
    return np.asarray(part)


def extremes(array: NDArray[Any]) -> tuple[float, float]:
    """Return the minimum and the maximum of a non-empty array; NaN if it contains one."""
    return float(array.min()), float(array.max())


def is_finite(array: NDArray[Any]) -> bool:
    """Whether all numbers in a non-empty array are finite. Needs no memory, as min and max propagate NaN."""
    return all(map(math.isfinite, extremes(array)))
