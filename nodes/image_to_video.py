"""The main node: generates a video from an image and a prompt."""

from __future__ import annotations

from typing import Any

from ..wan.api.endpoint import Connection
from ..wan.catalog.fields import VideoRequest
from ..wan.catalog.media import FIRST_FRAME
from ..wan.catalog.models import ADAPTIVE, DEFAULT_MODEL, MODELS, SHOT_TYPES
from ..wan.tasks.batch import Batch
from ..wan.tasks.runner import make_videos
from . import host, inputs

_MODELS = [row for row in MODELS.values() if row.accepts(FIRST_FRAME)]


class DashScopeWanImageToVideo(inputs.VideoOutputs):
    """Generates a video from an image with one of Alibaba's Wan models."""

    NODE_ID = "DashScopeWanImageToVideo"
    DISPLAY_NAME = "Wan Image to Video (DashScope)"
    SEARCH_ALIASES = (
        *("i2v", "img2vid", "image2video", "image to video", "first last frame", "animate"),
        *("happyhorse", "happy horse", "wan api"),
        *("图生视频", "图片转视频", "首帧", "首尾帧", "快乐马"),
        *inputs.VENDOR_ALIASES,
    )
    DESCRIPTION = (
        "Generates a video that begins with the image, with Alibaba's Wan models at DashScope, and saves it. Every "
        "second of video is charged; requests are validated before you pay. Running the same graph again resumes its "
        "task or returns the saved video, free of charge."
    )
    FUNCTION = "generate"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802 - ComfyUI's name
        """Return the inputs in ComfyUI's format. Append only: saved workflows store them by position."""
        return {
            "required": {
                "image": inputs.image(),
                "prompt": inputs.prompt(),
                "model": inputs.model(_MODELS),
                "resolution": inputs.resolution(_MODELS, default=MODELS[DEFAULT_MODEL].default_resolution),
                "duration": inputs.duration(_MODELS),
                "shot_type": inputs.shot_type(),
                "prompt_extend": inputs.prompt_extend(),
            },
            "optional": {
                "negative_prompt": inputs.negative_prompt(),
                "seed": inputs.seed(),
                "generate_audio": inputs.generate_audio(),
                "watermark": inputs.watermark(),
                "audio_url": inputs.audio_url(),
                "filename_prefix": inputs.filename_prefix("wan/i2v"),
                "audio": inputs.audio(),
                "connection": inputs.connection(),
                "last_frame": inputs.last_frame(),
                "ratio": inputs.ratio(),
            },
            "hidden": inputs.HIDDEN,
        }

    async def generate(  # noqa: PLR0913 - one parameter an input, as ComfyUI passes them by name
        self,
        *,
        image: Any,
        prompt: str,
        model: str,
        resolution: str,
        duration: int,
        shot_type: str = SHOT_TYPES[0],
        prompt_extend: bool = True,
        negative_prompt: str = "",
        seed: int = 0,
        generate_audio: bool = True,
        watermark: bool = False,
        audio_url: str = "",
        filename_prefix: str = "wan/i2v",
        audio: Any = None,
        connection: Connection | None = None,
        last_frame: Any = None,
        ratio: str = ADAPTIVE,
        unique_id: Any = "",
        graph: Any = None,
        extra_pnginfo: Any = None,
    ) -> dict[str, Any]:
        """Generate and save the videos.

        Args:
            image: IMAGE, float [B,H,W,C] from 0 to 1, for B videos, each with its own seed.
            prompt: what happens; the service truncates it to the model's limit.
            model: an id of the model table.
            resolution: "480P", "720P" or "1080P", as the model allows.
            duration: seconds, as the model allows.
            shot_type: "single" or "multi".
            prompt_extend: whether the service may rewrite the prompt.
            negative_prompt: content to avoid.
            seed: 0 to 2147483647.
            generate_audio: False for a silent video, if the model supports that.
            watermark: whether the service adds its watermark.
            audio_url: http(s) or oss URL of an audio file.
            filename_prefix: where to save inside the output folder.
            audio: AUDIO, {"waveform": float [1,C,T], "sample_rate": int}.
            connection: from the Connection node.
            last_frame: IMAGE with which the videos end, one image for all or one per video.
            ratio: the video's aspect ratio, as the model allows.
            unique_id: this node's id in the graph.
            graph: the graph in API format.
            extra_pnginfo: the graph as the browser saved it.

        Raises:
            InvalidRequest: the request is invalid; nothing was sent or charged.
            WanError: any later error, with the task's id if there is one.
        """
        request = VideoRequest(
            model=model,
            prompt=prompt,
            resolution=resolution,
            duration=duration,
            shot_type=shot_type,
            prompt_extend=prompt_extend,
            negative_prompt=negative_prompt,
            seed=seed,
            generate_audio=generate_audio,
            watermark=watermark,
            audio_url=audio_url,
            ratio=ratio,
        )
        with host.NodeMonitor(unique_id) as monitor:
            batch = Batch(
                request,
                image,
                **host.batch_settings(graph, extra_pnginfo),
                filename_prefix=filename_prefix,
                audio=audio,
                connection=Connection.of(connection),
                last_frames=last_frame,
            )
            return self.to_result(await make_videos(batch, monitor=monitor))
