"""The Last Frame node: returns the last frame of a video, with which another video can begin."""

from __future__ import annotations

from typing import Any

from ..wan.errors import InvalidRequest, UnusableVideo
from ..wan.messages import Message
from . import host, video_input
from .inputs import CATEGORY, strip

_ANY_SIDE = (1, 16384)


class DashScopeWanLastFrame(video_input.ReadsFiles):
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
                "match": (
                    "IMAGE",
                    {
                        "tooltip": "For chains with a still camera: gives the frame this picture's mean colours and "
                        "contrast, against drift."
                    },
                ),
            },
        }

    async def extract(self, *, video: Any = None, video_path: str = "", match: Any = None) -> tuple[Any]:
        """Return the last frame as IMAGE, float [1,H,W,3] from 0 to 1.

        Args:
            video: VIDEO.
            video_path: a file in ComfyUI's input, output or temp folder; relative to one of them, or absolute.
            match: IMAGE, float [1,H,W,3], whose colours the frame gets.

        Raises:
            UnusableVideo: none or both inputs are set, the path is outside these folders, or `match` is not one image.
            MediaError: the file is not a video, or has no frames.
        """
        import torch

        from ..wan.media.colour import match_colours
        from ..wan.media.image import as_array, validate_images
        from ..wan.media.last_frame import last_frame
        from ..wan.tasks.context import run_in_thread

        with host.LocalizedErrors():
            problems: list[str] = []
            if match is not None:
                problems = validate_images(match, sides=_ANY_SIDE, name="match")
                if not problems and match.shape[0] != 1:
                    problems = [Message("match: {count} images are connected; use one", count=match.shape[0])]
            try:
                source, end = await run_in_thread(video_input.resolve_whole_video, video, strip(video_path))
            except InvalidRequest as error:
                raise UnusableVideo([*error.problems, *problems]) from None
            if problems:
                raise UnusableVideo(problems)
            frame = await run_in_thread(last_frame, source, until=end)
            if match is not None:
                picture = as_array(match[0])
                picture = picture[..., :3] if picture.shape[-1] >= 3 else picture.repeat(3, axis=-1)
                frame = await run_in_thread(match_colours, frame, picture)
        return (torch.from_numpy(frame)[None],)
