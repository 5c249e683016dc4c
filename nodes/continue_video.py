"""The Continue Video node: extends a clip."""

from __future__ import annotations

from functools import partial
from typing import Any

from ..wan.api.endpoint import Connection
from ..wan.catalog.fields import VideoRequest, rows_of
from ..wan.catalog.media import FIRST_CLIP, REFERENCE_VIDEO
from ..wan.catalog.spec import IMAGE_TO_VIDEO, VIDEO_EXTENSION
from ..wan.tasks.batch import Batch
from ..wan.tasks.runner import make_videos
from . import host, inputs, video_input
from .model_rules import models_of

_DURATION = 10


class DashScopeWanContinueVideo(inputs.VideoOutputs, video_input.ReadsFiles):
    """Extends a clip with one of Alibaba's Wan models."""

    NODE_ID = "DashScopeWanContinueVideo"
    JOBS = (VIDEO_EXTENSION, IMAGE_TO_VIDEO)
    DISPLAY_NAME = "Wan Continue Video (DashScope)"
    SEARCH_ALIASES = (
        *("extend", "extend video", "video continuation", "longer", "v2v", "video to video", "first clip"),
        *("视频续写", "续写", "延长视频", "视频延长"),
        *inputs.VENDOR_ALIASES,
    )
    DESCRIPTION = (
        "Extends a clip and saves the complete video, with Alibaba's Wan models at DashScope. The duration includes "
        "the clip, and every second is charged; wan3.0 charges the clip's seconds once more."
    )
    FUNCTION = "generate"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802 - ComfyUI's name
        """Return the inputs in ComfyUI's format. Append only: saved workflows store them by position."""
        rows = [row for row in models_of(IMAGE_TO_VIDEO) if row.accepts(FIRST_CLIP)]
        rows += models_of(VIDEO_EXTENSION)
        return {
            "required": {
                "prompt": inputs.prompt(
                    "What happens next, how the camera moves and, with audio, what is heard. The clip shows the scene."
                ),
                "model": inputs.model(rows, media=FIRST_CLIP, references=("video",)),
                "resolution": inputs.resolution(rows, default=rows[0].default_resolution),
                "duration": inputs.duration(rows, default=_DURATION, extra="the clip counts; "),
                "prompt_extend": inputs.prompt_extend(),
            },
            "optional": {
                "video": inputs.clip(),
                "video_path": inputs.clip_path(),
                "last_frame": inputs.last_frame(batch=""),
                "negative_prompt": inputs.negative_prompt(),
                "seed": inputs.seed(),
                "watermark": inputs.watermark(),
                "filename_prefix": inputs.filename_prefix("wan/continue"),
                "connection": inputs.connection(),
                "generate_audio": inputs.generate_audio(),
            },
            "hidden": inputs.HIDDEN,
        }

    async def generate(  # noqa: PLR0913 - one parameter an input, as ComfyUI passes them by name
        self,
        *,
        prompt: str,
        model: str,
        resolution: str,
        duration: int,
        prompt_extend: bool = True,
        video: Any = None,
        video_path: str = "",
        last_frame: Any = None,
        negative_prompt: str = "",
        seed: int = 0,
        watermark: bool = False,
        filename_prefix: str = "wan/continue",
        connection: Connection | None = None,
        generate_audio: bool = True,
        unique_id: Any = "",
        graph: Any = None,
        extra_pnginfo: Any = None,
    ) -> dict[str, Any]:
        """Generate and save the video.

        Args:
            prompt: what happens next; the service truncates it to the model's limit.
            model: one of the models that extend a clip.
            resolution: as the model allows.
            duration: seconds of the complete video, more than the clip has.
            prompt_extend: whether the service may rewrite the prompt.
            video: VIDEO, the clip: MP4 or MOV of 2 to 10 s, or of 1 to 15 s for wan3.0.
            video_path: the clip as a file in ComfyUI's input, output or temp folder, instead of `video`.
            last_frame: IMAGE with one image, with which the video ends.
            negative_prompt: content to avoid.
            seed: 0 to 2147483647.
            watermark: whether the service adds its watermark.
            filename_prefix: where to save inside the output folder.
            connection: from the Connection node.
            generate_audio: False for a silent video, if the model supports that.
            unique_id: this node's id in the graph.
            graph: the graph in API format.
            extra_pnginfo: the graph as the browser saved it.

        Raises:
            InvalidRequest: the request is invalid; nothing was sent or charged.
            WanError: any later error, with the task's id if there is one.
        """
        from ..wan.api.references import with_lead_in
        from .reference_input import clip_reference

        row = rows_of(VIDEO_EXTENSION).get(model) if isinstance(model, str) else None
        request = VideoRequest(
            job=VIDEO_EXTENSION if row else IMAGE_TO_VIDEO,
            model=model,
            prompt=with_lead_in(prompt, row),
            resolution=resolution,
            duration=duration,
            prompt_extend=prompt_extend,
            negative_prompt=negative_prompt,
            seed=seed,
            generate_audio=generate_audio,
            watermark=watermark,
        )
        path = inputs.strip(video_path)
        open_clip = None if row else partial(video_input.resolve_video, video, path, cut=True)
        with host.NodeMonitor(unique_id) as monitor:
            batch = Batch(
                request,
                None,
                **host.batch_settings(graph, extra_pnginfo),
                filename_prefix=filename_prefix,
                connection=Connection.of(connection),
                last_frames=last_frame,
                open_clip=open_clip,
                clip_input="video_path" if path else "video",
                references=[clip_reference(REFERENCE_VIDEO, video, path)] if row else [],
            )
            return self.to_result(await make_videos(batch, monitor=monitor))
