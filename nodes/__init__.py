"""The nodes of the pack."""

from .connection import DashScopeWanConnection
from .continue_video import DashScopeWanContinueVideo
from .fetch_task import DashScopeWanFetchTask
from .image_to_video import DashScopeWanImageToVideo
from .join_videos import DashScopeWanJoinVideos
from .last_frame import DashScopeWanLastFrame
from .reference_to_video import DashScopeWanReferenceToVideo
from .text_to_video import DashScopeWanTextToVideo
from .video_edit import DashScopeWanVideoEdit
from .video_effect import DashScopeWanVideoEffect

NODES = (
    DashScopeWanImageToVideo,
    DashScopeWanVideoEffect,
    DashScopeWanFetchTask,
    DashScopeWanLastFrame,
    DashScopeWanConnection,
    DashScopeWanContinueVideo,
    DashScopeWanJoinVideos,
    DashScopeWanTextToVideo,
    DashScopeWanReferenceToVideo,
    DashScopeWanVideoEdit,
)

__all__ = ["NODES"]
