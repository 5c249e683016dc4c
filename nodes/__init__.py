"""The nodes of the pack."""

from .connection import DashScopeWanConnection
from .image_to_video import DashScopeWanImageToVideo

NODES = (DashScopeWanImageToVideo, DashScopeWanConnection)

__all__ = ["NODES"]
