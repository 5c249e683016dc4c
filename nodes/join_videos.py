"""The Join Videos node: makes one MP4 of several videos."""

from __future__ import annotations

from typing import Any

from ..wan.errors import InvalidRequest, UnusableVideo
from ..wan.values import truth
from . import host, video_input
from .inputs import CATEGORY, filename_prefix, strip

SOCKETS = tuple(f"video_{number}" for number in range(1, 7))


class DashScopeWanJoinVideos:
    """Joins videos."""

    NODE_ID = "DashScopeWanJoinVideos"
    DISPLAY_NAME = "Join Videos"
    SEARCH_ALIASES = (
        *("join", "concat", "concatenate videos", "merge videos", "combine videos", "append", "long video"),
        *("视频拼接", "拼接", "合并视频", "连接视频", "长视频"),
    )
    CATEGORY = CATEGORY
    DESCRIPTION = (
        "Joins videos into one MP4, in the order of the inputs. Videos of one kind are copied without loss; others are "
        "encoded once, in the size and rate of the first. Free of charge."
    )
    FUNCTION = "join"
    INPUT_IS_LIST = True
    OUTPUT_NODE = True
    RETURN_TYPES = ("STRING", "VIDEO")
    RETURN_NAMES = ("video_path", "video")
    OUTPUT_TOOLTIPS = ("Absolute path of the saved MP4.", "The joined video.")

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802 - ComfyUI's name
        """Return the inputs in ComfyUI's format. Append only: saved workflows store them by position."""
        return {
            "required": {},
            "optional": {
                **{name: ("VIDEO", {"tooltip": "A video, or a list of videos in order."}) for name in SOCKETS},
                "video_paths": (
                    "STRING",
                    {
                        "default": "",
                        "multiline": True,
                        "tooltip": "More videos, one path per line, in ComfyUI's input, output or temp folder.",
                    },
                ),
                "drop_repeated_frame": (
                    "BOOLEAN",
                    {
                        "default": False,
                        "tooltip": "For chained clips: leaves out the last frame of each video, with which the next "
                        "one begins.",
                    },
                ),
                "filename_prefix": filename_prefix("wan/joined"),
            },
            "hidden": {"unique_id": "UNIQUE_ID", "graph": "PROMPT", "extra_pnginfo": "EXTRA_PNGINFO"},
        }

    async def join(  # noqa: PLR0913 - one parameter an input, as ComfyUI passes them by name
        self,
        *,
        video_1: Any = None,
        video_2: Any = None,
        video_3: Any = None,
        video_4: Any = None,
        video_5: Any = None,
        video_6: Any = None,
        video_paths: Any = "",
        drop_repeated_frame: Any = False,
        filename_prefix: Any = "wan/joined",
        unique_id: Any = "",
        graph: Any = None,
        extra_pnginfo: Any = None,
    ) -> dict[str, Any]:
        """Join the videos and save them. ComfyUI passes each input as a list.

        Args:
            video_1: VIDEO, the first ones.
            video_2: VIDEO, and so on.
            video_3: VIDEO.
            video_4: VIDEO.
            video_5: VIDEO.
            video_6: VIDEO.
            video_paths: files in ComfyUI's input, output or temp folder, one per line, after the others.
            drop_repeated_frame: whether the last frame of each video but the last is left out.
            filename_prefix: where to save inside the output folder.
            unique_id: this node's id in the graph.
            graph: the graph in API format.
            extra_pnginfo: the graph as the browser saved it.

        Raises:
            UnusableVideo: there are no videos, a path is outside ComfyUI's folders, or the file cannot be saved there.
            MediaError: a video cannot be read, or the file cannot be written.
        """
        from ..wan.tasks.context import run_in_thread
        from ..wan.tasks.join_videos import JoinRequest, join_and_save

        videos = [one for given in (video_1, video_2, video_3, video_4, video_5, video_6) for one in _listed(given)]
        paths = [strip(line) for text in _listed(video_paths) for line in str(text).splitlines() if strip(line)]
        with host.NodeMonitor(_first(unique_id)) as monitor:
            request = JoinRequest(
                sources=await run_in_thread(_sources, videos, paths),
                filename_prefix=_first(filename_prefix),
                output_folder=host.output_folder(),
                drop_repeated=bool(truth(_first(drop_repeated_frame))),
                metadata=host.workflow_metadata(_first(graph), _first(extra_pnginfo)),
            )
            path, _ = await join_and_save(request, monitor=monitor)
        return {"ui": host.preview([path]), "result": (str(path), host.video_from_file(path))}


def _listed(given: Any) -> list[Any]:
    return [one for one in (given if isinstance(given, list) else [given]) if one is not None]


def _first(given: Any) -> Any:
    return given[0] if isinstance(given, list) and given else given


def _sources(videos: list[Any], paths: list[str]) -> list[Any]:
    """Return the files of videos and paths, in that order. Blocking: a trimmed VIDEO is encoded.

    Raises:
        UnusableVideo: with every problem at once.
    """
    problems: list[str] = []
    sources = []
    for video, path in [*((video, "") for video in videos), *((None, path) for path in paths)]:
        try:
            sources.append(video_input.resolve_video(video, path, cut=True, path_name="video_paths"))
        except InvalidRequest as error:
            problems += error.problems
    if problems:
        raise UnusableVideo(problems)
    return sources
