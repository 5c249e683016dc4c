"""The edit node: changes a clip as the prompt says."""

from __future__ import annotations

from typing import Any

from ..wan.api.endpoint import Connection
from ..wan.catalog.fields import AUDIO_SETTINGS, VideoRequest, rows_of
from ..wan.catalog.models import ADAPTIVE
from ..wan.catalog.spec import VIDEO_EDIT
from ..wan.tasks.batch import Batch
from ..wan.tasks.runner import make_videos
from . import host, inputs, video_input
from .model_rules import models_of

IMAGES = tuple(f"image_{number}" for number in range(1, 6))


class DashScopeWanVideoEdit(inputs.VideoOutputs, video_input.ReadsFiles):
    """Changes a clip with one of Alibaba's Wan models."""

    NODE_ID = "DashScopeWanVideoEdit"
    JOBS = (VIDEO_EDIT,)
    DISPLAY_NAME = "Wan Video Edit (DashScope)"
    SEARCH_ALIASES = (
        *("v2v", "video to video", "edit video", "videoedit", "restyle", "style transfer", "replace", "remove"),
        *("视频编辑", "视频修改", "视频转视频", "换装", "风格转换"),
        *inputs.VENDOR_ALIASES,
    )
    DESCRIPTION = (
        "Changes a clip as the prompt says, with Alibaba's Wan models at DashScope, and saves the video. The seconds "
        "of the clip and those of the video are charged."
    )
    FUNCTION = "generate"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802 - ComfyUI's name
        """Return the inputs in ComfyUI's format. Append only: saved workflows store them by position."""
        from . import reference_widgets

        rows = models_of(VIDEO_EDIT)
        return {
            "required": {
                "prompt": inputs.prompt(
                    "What to change in the clip; wan3.0 calls the images Image 1, Image 2 and so on."
                ),
                "model": inputs.model(rows, references=("video", *IMAGES)),
                "resolution": inputs.resolution(rows, default="720P"),
                "duration": inputs.duration(rows, default=0, extra="0 is the clip's length; "),
                "prompt_extend": inputs.prompt_extend(),
            },
            "optional": {
                "video": reference_widgets.edited_clip(),
                **{name: reference_widgets.edit_image() for name in IMAGES},
                "audio_setting": reference_widgets.audio_setting(),
                "generate_audio": inputs.generate_audio(),
                "ratio": inputs.ratio(rows, default=ADAPTIVE),
                "negative_prompt": inputs.negative_prompt(),
                "seed": inputs.seed(),
                "watermark": inputs.watermark(),
                "video_path": inputs.clip_path("The clip as a file"),
                "video_url": reference_widgets.video_url(),
                "filename_prefix": inputs.filename_prefix("wan/edit"),
                "connection": inputs.connection(),
            },
            "hidden": inputs.HIDDEN,
        }

    async def generate(  # noqa: PLR0913 - one parameter an input, as ComfyUI passes them by name
        self,
        *,
        prompt: str,
        model: str,
        resolution: str,
        duration: int = 0,
        prompt_extend: bool = True,
        video: Any = None,
        image_1: Any = None,
        image_2: Any = None,
        image_3: Any = None,
        image_4: Any = None,
        image_5: Any = None,
        audio_setting: str = AUDIO_SETTINGS[0],
        generate_audio: bool = True,
        ratio: str = ADAPTIVE,
        negative_prompt: str = "",
        seed: int = 0,
        watermark: bool = False,
        video_path: str = "",
        video_url: str = "",
        filename_prefix: str = "wan/edit",
        connection: Connection | None = None,
        unique_id: Any = "",
        graph: Any = None,
        extra_pnginfo: Any = None,
    ) -> dict[str, Any]:
        """Generate and save the video.

        Args:
            prompt: what to change; the service truncates it to the model's limit.
            model: an id of the table of video edit.
            resolution: as the model allows.
            duration: seconds, as the model allows; 0 for the clip's.
            prompt_extend: whether the service may rewrite the prompt.
            video: VIDEO, the clip.
            image_1: IMAGE of what the prompt speaks of; a batch is several images.
            image_2: IMAGE.
            image_3: IMAGE.
            image_4: IMAGE.
            image_5: IMAGE.
            audio_setting: "auto", or "origin" to keep the clip's sound.
            generate_audio: False for a silent video, if the model supports that.
            ratio: the video's aspect ratio, as the model allows.
            negative_prompt: content to avoid.
            seed: 0 to 2147483647.
            watermark: whether the service adds its watermark.
            video_path: the clip as a file in ComfyUI's input, output or temp folder, instead of `video`.
            video_url: public URL of the clip, instead of both.
            filename_prefix: where to save inside the output folder.
            connection: from the Connection node.
            unique_id: this node's id in the graph.
            graph: the graph in API format.
            extra_pnginfo: the graph as the browser saved it.

        Raises:
            InvalidRequest: the request is invalid; nothing was sent or charged.
            WanError: any later error, with the task's id if there is one.
        """
        from ..wan.api.references import with_lead_in
        from .reference_input import edit_references

        row = rows_of(VIDEO_EDIT).get(model) if isinstance(model, str) else None
        request = VideoRequest(
            job=VIDEO_EDIT,
            model=model,
            prompt=with_lead_in(prompt, row),
            resolution=resolution,
            duration=duration,
            prompt_extend=prompt_extend,
            audio_setting=audio_setting,
            generate_audio=generate_audio,
            ratio=ratio,
            negative_prompt=negative_prompt,
            seed=seed,
            watermark=watermark,
            video_url=video_url,
        )
        with host.NodeMonitor(unique_id) as monitor:
            images = dict(zip(IMAGES, (image_1, image_2, image_3, image_4, image_5), strict=True))
            given = edit_references(row, video, inputs.strip(video_path), request.video_url, images)
            batch = Batch(
                request,
                None,
                **host.batch_settings(graph, extra_pnginfo),
                filename_prefix=filename_prefix,
                connection=Connection.of(connection),
                references=given,
            )
            return self.to_result(await make_videos(batch, monitor=monitor))
