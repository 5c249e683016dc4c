"""The Last Frame node: returns the last frame of a video, with which another video can begin."""

from __future__ import annotations

from typing import Any

from ..wan.errors import InvalidRequest, UnusableVideo
from . import host, video_input
from .inputs import CATEGORY, strip


class DashScopeWanLastFrame:
    """Returns the last frame of a video."""

    NODE_ID = "DashScopeWanLastFrame"
    DISPLAY_NAME = "Video Last Frame"
    SEARCH_ALIASES = (
        *("last frame", "final frame", "end frame", "chain clips", "extract frame"),
        *("尾帧", "末帧", "最后一帧", "提取帧"),
    )
    CATEGORY = CATEGORY
    DESCRIPTION = (
        "Returns the exact last frame of a video as IMAGE: connect it to the image input of another Wan node to "
        "continue where the video ends. Only the end of the video is decoded."
    )
    FUNCTION = "extract"
    RETURN_TYPES = ("IMAGE",)
    RETURN_NAMES = ("image",)
    OUTPUT_TOOLTIPS = ("The last frame, one image.",)

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802 - ComfyUI's name
        """Return the inputs in ComfyUI's format. Append only: saved workflows store them by position."""
        return {
            "required": {},
            "optional": {
                "video": ("VIDEO", {"tooltip": "A video; use this or video_path."}),
                "video_path": (
                    "STRING",
                    {
                        "default": "",
                        "tooltip": "Path of a video in ComfyUI's input, output or temp folder; use this or video.",
                    },
                ),
            },
        }

    async def extract(self, *, video: Any = None, video_path: str = "") -> tuple[Any]:
        """Return the last frame as IMAGE, float [1,H,W,3] from 0 to 1.

        Args:
            video: VIDEO.
            video_path: a file in ComfyUI's input, output or temp folder; relative to one of them, or absolute.

        Raises:
            UnusableVideo: none or both inputs are set, or the path is outside these folders.
            MediaError: the file is not a video, or has no frames.
        """
        import torch

        from ..wan.media.last_frame import last_frame
        from ..wan.tasks.context import run_in_thread

        with host.LocalizedErrors():
            try:
                source = video_input.resolve_video(video, strip(video_path))
            except InvalidRequest as error:
                raise UnusableVideo(error.problems) from None
            frame = await run_in_thread(last_frame, source, until=video_input.trim_end(video))
        return (torch.from_numpy(frame)[None],)
