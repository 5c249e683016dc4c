"""Videos of a part of their width and height, which are quick to render; all else about them is as it should be."""

from __future__ import annotations

from contextlib import contextmanager
from types import ModuleType
from typing import Any

import pytest
import wanpack.offline.render as offline_render

# Before any test puts something in its place.
DRAW, FRAME_SIZE = offline_render.render, offline_render.frame_size
QUARTER = 4
_drawing: list[Any] = []
_scales = [1]


def nothing_is_drawn() -> bool:
    """Whether no video is being drawn in this process just now, of those that `draw` draws."""
    return not _drawing


def scale() -> int:
    """Return what the sides of the videos are divided by just now."""
    return _scales[-1]


def draw(scene: Any, *where: Any, **more: Any) -> None:
    """Render as the mock server does."""
    _drawing.append(scene)
    try:
        DRAW(scene, *where, **more)
    finally:
        _drawing.pop()


def part_of(scale: int) -> Any:
    """A `frame_size` that gives both sides of a video divided by `scale`, as even numbers."""
    return lambda *sides, **tier: tuple(side // scale // 2 * 2 for side in FRAME_SIZE(*sides, **tier))


@contextmanager
def small_videos(scale: int = QUARTER, module: ModuleType = offline_render) -> Any:
    """Let the mock server of a module `offline.render` draw videos of a part of their width and height."""
    _scales.append(scale)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "frame_size", part_of(scale))
        if module.render is DRAW:
            patch.setattr(module, "render", draw)
        yield
    _scales.pop()
