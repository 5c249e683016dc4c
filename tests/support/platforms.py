"""What Windows cannot do, or Wine in its place: marks for the tests that want it, each with its reason."""

from __future__ import annotations

import ctypes
import os
import sys
import tempfile
from pathlib import Path

import pytest

WINDOWS = sys.platform == "win32"
UNDER_WINE = WINDOWS and hasattr(ctypes.windll.ntdll, "wine_get_version")


def not_on_windows(reason: str) -> pytest.MarkDecorator:
    """Skip a test on Windows."""
    return pytest.mark.skipif(WINDOWS, reason=f"Windows: {reason}")


def not_under_wine(reason: str) -> pytest.MarkDecorator:
    """Skip a test under Wine, but not on Windows itself."""
    return pytest.mark.skipif(UNDER_WINE, reason=f"Wine: {reason}")


def only_on_windows(reason: str) -> pytest.MarkDecorator:
    """Skip a test elsewhere."""
    return pytest.mark.skipif(not WINDOWS, reason=f"only Windows: {reason}")


def _can_link() -> bool:
    with tempfile.TemporaryDirectory() as folder:
        link = Path(folder, "link")
        try:
            link.symlink_to(folder, target_is_directory=True)
        except OSError:
            return False
        return os.path.lexists(link)


needs_symlinks = pytest.mark.skipif(not _can_link(), reason="symbolic links: Wine makes none, Windows for some users")
