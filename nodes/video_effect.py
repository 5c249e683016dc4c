"""The effect node: animates an image with a template, without a prompt."""

from __future__ import annotations

from typing import Any

from ..wan.api.endpoint import Connection
from ..wan.catalog.fields import VideoRequest
from ..wan.catalog.models import DEFAULT_DURATION
from ..wan.catalog.spec import IMAGE_TO_VIDEO
from ..wan.tasks.batch import Batch
from ..wan.tasks.runner import make_videos
from . import host, inputs
from .model_rules import models_of


class DashScopeWanVideoEffect(inputs.VideoOutputs):
    """Animates an image with one of the service's effect templates."""

    NODE_ID = "DashScopeWanVideoEffect"
    DISPLAY_NAME = "Wan Video Effect (DashScope)"
    SEARCH_ALIASES = (
        *("i2v", "effect", "template", "image to video", "special effects", "dance"),
        *("特效", "视频特效", "图生视频", "模板"),
        *inputs.VENDOR_ALIASES,
    )
    DESCRIPTION = (
        "Animates an image with one of DashScope's effect templates, without a prompt, and saves the video. Every "
        "second of video is charged. Region Beijing only."
    )
    FUNCTION = "generate"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802 - ComfyUI's name
        """Return the inputs in ComfyUI's format. Append only: saved workflows store them by position."""
        rows = [row for row in models_of(IMAGE_TO_VIDEO) if row.effects]
        return {
            "required": {
                "image": inputs.image(),
                "template": inputs.template(),
                "model": inputs.model(rows, effects=True),
                "resolution": inputs.resolution(rows, default=rows[0].default_resolution),
            },
            "optional": {
                "duration": inputs.duration(rows),
                "seed": inputs.seed("Image i"),
                "watermark": inputs.watermark(),
                "filename_prefix": inputs.filename_prefix("wan/effect"),
                "connection": inputs.connection(),
            },
            "hidden": inputs.HIDDEN,
        }

    async def generate(  # noqa: PLR0913 - one parameter an input, as ComfyUI passes them by name
        self,
        *,
        image: Any,
        template: str,
        model: str,
        resolution: str,
        duration: int = DEFAULT_DURATION,
        seed: int = 0,
        watermark: bool = False,
        filename_prefix: str = "wan/effect",
        connection: Connection | None = None,
        unique_id: Any = "",
        graph: Any = None,
        extra_pnginfo: Any = None,
    ) -> dict[str, Any]:
        """Generate and save the videos.

        Args:
            image: IMAGE, float [B,H,W,C] from 0 to 1, for B videos.
            template: an id of the table of effects, supported by the model.
            model: one of the two models that support effects.
            resolution: as the model allows.
            duration: seconds, as the model allows.
            seed: 0 to 2147483647; image i uses seed + i.
            watermark: whether the service adds its watermark.
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
            model=model,
            # Without a template the request would be valid as a plain video, and charged.
            template=template or "(none)",
            resolution=resolution,
            duration=duration,
            seed=seed,
            watermark=watermark,
        )
        with host.NodeMonitor(unique_id) as monitor:
            batch = Batch(
                request,
                image,
                **host.batch_settings(graph, extra_pnginfo),
                filename_prefix=filename_prefix,
                connection=Connection.of(connection),
            )
            return self.to_result(await make_videos(batch, monitor=monitor))
