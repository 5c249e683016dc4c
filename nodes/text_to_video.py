"""The text node: generates a video from a prompt."""

from __future__ import annotations

from typing import Any

from ..wan.api.endpoint import Connection
from ..wan.catalog.fields import VideoRequest
from ..wan.catalog.models import DEFAULT_DURATION, SHOT_TYPES
from ..wan.catalog.spec import TEXT_TO_VIDEO
from ..wan.tasks.batch import Batch
from ..wan.tasks.runner import make_videos
from . import host, inputs
from .model_rules import models_of

_RATIO = "16:9"


class DashScopeWanTextToVideo(inputs.VideoOutputs):
    """Generates a video from a prompt with one of Alibaba's Wan models."""

    NODE_ID = "DashScopeWanTextToVideo"
    JOBS = (TEXT_TO_VIDEO,)
    DISPLAY_NAME = "Wan Text to Video (DashScope)"
    SEARCH_ALIASES = (
        *("t2v", "txt2vid", "text2video", "text to video", "prompt to video", "happyhorse", "happy horse", "wan api"),
        *("文生视频", "文字转视频", "文本生成视频", "快乐马"),
        *inputs.VENDOR_ALIASES,
    )
    DESCRIPTION = (
        "Generates a video from a prompt, with Alibaba's Wan models at DashScope, and saves it. Every second of video "
        "is charged; requests are validated before you pay. Running the same graph again resumes its task or returns "
        "the saved video, free of charge."
    )
    FUNCTION = "generate"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802 - ComfyUI's name
        """Return the inputs in ComfyUI's format. Append only: saved workflows store them by position."""
        from ..wan.catalog.text_models import DEFAULT_TEXT_MODEL

        rows = models_of(TEXT_TO_VIDEO)
        return {
            "required": {
                "prompt": inputs.prompt("What the video shows and, with audio, what is heard."),
                "model": inputs.model(rows, default=DEFAULT_TEXT_MODEL),
                "resolution": inputs.resolution(rows, default="720P"),
                "ratio": inputs.ratio(rows, default=_RATIO),
                "duration": inputs.duration(rows),
                "prompt_extend": inputs.prompt_extend(),
            },
            "optional": {
                "count": inputs.count(),
                "seed": inputs.seed("Video i"),
                "negative_prompt": inputs.negative_prompt(),
                "generate_audio": inputs.generate_audio(),
                "audio": inputs.audio(),
                "shot_type": inputs.shot_type(),
                "watermark": inputs.watermark(),
                "audio_url": inputs.audio_url(),
                "filename_prefix": inputs.filename_prefix("wan/t2v"),
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
        ratio: str = _RATIO,
        duration: int = DEFAULT_DURATION,
        prompt_extend: bool = True,
        count: int = 1,
        seed: int = 0,
        negative_prompt: str = "",
        generate_audio: bool = True,
        audio: Any = None,
        shot_type: str = SHOT_TYPES[0],
        watermark: bool = False,
        audio_url: str = "",
        filename_prefix: str = "wan/t2v",
        connection: Connection | None = None,
        unique_id: Any = "",
        graph: Any = None,
        extra_pnginfo: Any = None,
    ) -> dict[str, Any]:
        """Generate and save the videos.

        Args:
            prompt: what the video shows; the service truncates it to the model's limit.
            model: an id of the table of text to video.
            resolution: "480P", "720P" or "1080P", as the model allows.
            ratio: the video's aspect ratio, as the model allows.
            duration: seconds, as the model allows.
            prompt_extend: whether the service may rewrite the prompt.
            count: how many videos, 1 to 4, each with its own seed.
            seed: 0 to 2147483647.
            negative_prompt: content to avoid.
            generate_audio: False for a silent video, if the model supports that.
            audio: AUDIO, {"waveform": float [1,C,T], "sample_rate": int}.
            shot_type: "single" or "multi".
            watermark: whether the service adds its watermark.
            audio_url: http(s) or oss URL of an audio file.
            filename_prefix: where to save inside the output folder.
            connection: from the Connection node.
            unique_id: this node's id in the graph.
            graph: the graph in API format.
            extra_pnginfo: the graph as the browser saved it.

        Raises:
            InvalidRequest: the request is invalid; nothing was sent or charged.
            WanError: any later error, with the task's id if there is one.
        """
        request = VideoRequest(
            job=TEXT_TO_VIDEO,
            model=model,
            prompt=prompt,
            resolution=resolution,
            ratio=ratio,
            duration=duration,
            prompt_extend=prompt_extend,
            seed=seed,
            negative_prompt=negative_prompt,
            generate_audio=generate_audio,
            shot_type=shot_type,
            watermark=watermark,
            audio_url=audio_url,
        )
        with host.NodeMonitor(unique_id) as monitor:
            batch = Batch(
                request,
                None,
                **host.batch_settings(graph, extra_pnginfo),
                filename_prefix=filename_prefix,
                audio=audio,
                connection=Connection.of(connection),
                videos=inputs.video_count(count),
            )
            return self.to_result(await make_videos(batch, monitor=monitor))
