"""The reference node: generates a video of who and what its references show."""

from __future__ import annotations

from typing import Any

from ..wan.api.endpoint import Connection
from ..wan.catalog.fields import VideoRequest
from ..wan.catalog.models import DEFAULT_DURATION, SHOT_TYPES
from ..wan.catalog.spec import REFERENCE_TO_VIDEO
from ..wan.tasks.batch import Batch
from ..wan.tasks.runner import make_videos
from . import host, inputs
from .model_rules import models_of

REFERENCES = tuple(f"reference_{number}" for number in range(1, 9))
VOICES = tuple(f"voice_{number}" for number in range(1, 6))
_RATIO = "16:9"


class DashScopeWanReferenceToVideo(inputs.VideoOutputs):
    """Generates a video from reference images, clips and sounds with one of Alibaba's Wan models."""

    NODE_ID = "DashScopeWanReferenceToVideo"
    JOBS = (REFERENCE_TO_VIDEO,)
    DISPLAY_NAME = "Wan Reference to Video (DashScope)"
    SEARCH_ALIASES = (
        *(
            "r2v",
            "ref2vid",
            "reference to video",
            "subject",
            "character",
            "consistent character",
            "voice",
            "storyboard",
        ),
        *("参考生视频", "参考图", "主体参考", "角色一致", "音色"),
        *inputs.VENDOR_ALIASES,
    )
    DESCRIPTION = (
        "Generates a video of the people and things in reference images and clips, with Alibaba's Wan models at "
        "DashScope, and saves it. The prompt calls them by names that depend on the model. Every second is charged, "
        "and seconds of clips as well."
    )
    FUNCTION = "generate"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802 - ComfyUI's name
        """Return the inputs in ComfyUI's format. Append only: saved workflows store them by position."""
        from ..wan.catalog.jobs import DEFAULT_REFERENCE_MODEL
        from . import reference_widgets

        rows = models_of(REFERENCE_TO_VIDEO)
        return {
            "required": {
                "prompt": inputs.prompt(
                    "Calls the references Image 1, Video 1, Audio 1; with happyhorse [Image 1], with wan2.6 character1."
                ),
                "model": inputs.model(rows, default=DEFAULT_REFERENCE_MODEL, references=REFERENCES, voices=VOICES),
                "resolution": inputs.resolution(rows, default="720P"),
                "ratio": inputs.ratio(rows, default=_RATIO),
                "duration": inputs.duration(rows),
                "prompt_extend": inputs.prompt_extend(),
            },
            "optional": {
                **{name: reference_widgets.reference() for name in REFERENCES},
                "first_frame": reference_widgets.first_frame(),
                **{name: reference_widgets.voice(number) for number, name in enumerate(VOICES, 1)},
                "negative_prompt": inputs.negative_prompt(),
                "seed": inputs.seed(),
                "generate_audio": inputs.generate_audio(),
                "shot_type": inputs.shot_type(rule=""),
                "watermark": inputs.watermark(),
                "filename_prefix": inputs.filename_prefix("wan/r2v"),
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
        reference_1: Any = None,
        reference_2: Any = None,
        reference_3: Any = None,
        reference_4: Any = None,
        reference_5: Any = None,
        reference_6: Any = None,
        reference_7: Any = None,
        reference_8: Any = None,
        first_frame: Any = None,
        voice_1: Any = None,
        voice_2: Any = None,
        voice_3: Any = None,
        voice_4: Any = None,
        voice_5: Any = None,
        negative_prompt: str = "",
        seed: int = 0,
        generate_audio: bool = True,
        shot_type: str = SHOT_TYPES[0],
        watermark: bool = False,
        filename_prefix: str = "wan/r2v",
        connection: Connection | None = None,
        unique_id: Any = "",
        graph: Any = None,
        extra_pnginfo: Any = None,
    ) -> dict[str, Any]:
        """Generate and save the video.

        Args:
            prompt: what happens; the service truncates it to the model's limit.
            model: an id of the table of reference to video.
            resolution: "480P", "720P" or "1080P", as the model allows.
            ratio: the video's aspect ratio, as the model allows.
            duration: seconds, as the model allows; with a clip it may be fewer.
            prompt_extend: whether the service may rewrite the prompt.
            reference_1: IMAGE, VIDEO or AUDIO; a batch is as many references as it has images.
            reference_2: the next ones, and so on.
            reference_3: as above.
            reference_4: as above.
            reference_5: as above.
            reference_6: as above.
            reference_7: as above.
            reference_8: as above.
            first_frame: IMAGE with one image, with which the video begins.
            voice_1: AUDIO, the voice of reference_1.
            voice_2: AUDIO, that of reference_2.
            voice_3: AUDIO, that of reference_3.
            voice_4: AUDIO, that of reference_4.
            voice_5: AUDIO, that of reference_5.
            negative_prompt: content to avoid.
            seed: 0 to 2147483647.
            generate_audio: False for a silent video, if the model supports that.
            shot_type: "single" or "multi".
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
        from .reference_input import one_image, references

        request = VideoRequest(
            job=REFERENCE_TO_VIDEO,
            model=model,
            prompt=prompt,
            resolution=resolution,
            ratio=ratio,
            duration=duration,
            prompt_extend=prompt_extend,
            negative_prompt=negative_prompt,
            seed=seed,
            generate_audio=generate_audio,
            shot_type=shot_type,
            watermark=watermark,
        )
        with host.NodeMonitor(unique_id) as monitor:
            first = [reference_1, reference_2, reference_3, reference_4]
            given = dict(zip(REFERENCES, [*first, reference_5, reference_6, reference_7, reference_8], strict=True))
            batch = Batch(
                request,
                one_image("first_frame", first_frame),
                **host.batch_settings(graph, extra_pnginfo),
                filename_prefix=filename_prefix,
                connection=Connection.of(connection),
                references=references(given, [voice_1, voice_2, voice_3, voice_4, voice_5]),
            )
            return self.to_result(await make_videos(batch, monitor=monitor))
