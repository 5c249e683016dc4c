"""The main node: generates a video from an image and a prompt."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import wraps
from typing import Any

from ..wan.api.endpoint import Connection
from ..wan.catalog.fields import VideoRequest
from ..wan.catalog.media import FIRST_FRAME
from ..wan.catalog.models import ADAPTIVE, DEFAULT_MODEL, MODELS, SHOT_TYPES
from ..wan.catalog.spec import IMAGE_TO_VIDEO
from ..wan.errors import InvalidRequest, WanError
from ..wan.messages import Message
from ..wan.tasks.batch import Batch
from ..wan.tasks.interrupt import cancel
from ..wan.tasks.runner import PartialFailure, make_videos, text_of
from . import host, inputs
from .model_rules import models_of

Generate = Callable[..., Awaitable[dict[str, Any]]]


def pairs_prompts(generate: Generate) -> Generate:
    """Let a node with INPUT_IS_LIST generate once for each entry of its lists, as ComfyUI calls other nodes.

    But a list of prompts beside one batch of several images is one call, with a tuple of prompts.
    """

    @wraps(generate)
    async def generate_each(self: Any, **given: Any) -> dict[str, Any]:
        # An empty list is no list of values, but a value for the checks to report.
        calls = _calls({name: value if isinstance(value, list) and value else [value] for name, value in given.items()})
        if len(calls) == 1:
            return await generate(self, **calls[0])
        from ..wan.tasks.budget import shared_budgets

        with shared_budgets():
            running = [asyncio.ensure_future(generate(self, **one)) for one in calls]
        await _finish(running)
        failures = {number: error for number, one in enumerate(running, 1) if (error := one.exception())}
        results = [one.result() for one in running if not one.exception()]
        if failures:
            raise _failure(failures, results)
        return _together(results)

    return generate_each


async def _finish(running: Sequence[asyncio.Future[Any]]) -> None:
    """Wait for all calls. An error of one leaves the others to their end, as their videos may be paid for.

    But ComfyUI tells only one of them of Stop, which is for all.

    Raises:
        BaseException: that with which a call was stopped.
    """
    pending = set(running)
    try:
        while pending:
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            for one in done:
                if (error := one.exception()) and not isinstance(error, WanError):
                    raise error
    finally:
        await cancel(running)


def _calls(lists: Mapping[str, list[Any]]) -> list[dict[str, Any]]:
    """Return the inputs of each call: the i-th entries, or a list's last one."""
    prompts, images = lists.get("prompt", []), lists.get("image", [])
    others = max((len(values) for name, values in lists.items() if name != "prompt"), default=1)
    is_batch = len(images) == 1 and len(getattr(images[0], "shape", ())) > 1 and len(images[0]) > 1
    if len(prompts) > 1 and others == 1 and is_batch:
        return [{**{name: values[0] for name, values in lists.items()}, "prompt": tuple(prompts)}]
    most = max(others, len(prompts))
    return [{name: values[min(i, len(values) - 1)] for name, values in lists.items()} for i in range(most)]


def _failure(failures: Mapping[int, BaseException], results: Sequence[dict[str, Any]]) -> WanError:
    """Return the error of a list of which some entries failed. That nothing was submitted is said where it holds."""
    seen = {(one.message, one.task_id): one for one in failures.values() if isinstance(one, WanError)}
    # Equal messages are told once, whatever their request ids.
    if not results and len(seen) == 1:
        return next(iter(seen.values()))
    if not results and all(isinstance(one, InvalidRequest) for one in failures.values()):
        told = (problem for one in failures.values() if isinstance(one, InvalidRequest) for problem in one.problems)
        return InvalidRequest(list(dict.fromkeys(told)))
    return PartialFailure(
        Message(
            "{failed} of {count} entries of the list failed.", failed=len(failures), count=len(failures) + len(results)
        ),
        [Message("- entry {number}: {error}", number=number, error=text_of(one)) for number, one in failures.items()],
        [path for one in results for path in one["result"][0]],
    )


def _together(results: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the results of several calls as one, with the previews of all."""
    shown = [image for one in results for image in one["ui"]["images"]]
    outputs = zip(*(one["result"] for one in results), strict=True)
    return {
        "ui": {**results[0]["ui"], "images": shown},
        "result": tuple([value for output in lists for value in output] for lists in outputs),
    }


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
    INPUT_IS_LIST = True

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802 - ComfyUI's name
        """Return the inputs in ComfyUI's format. Append only: saved workflows store them by position."""
        rows = [row for row in models_of(IMAGE_TO_VIDEO) if row.accepts(FIRST_FRAME)]
        return {
            "required": {
                "image": inputs.image(),
                "prompt": inputs.prompt(inputs.FOR_EACH_IMAGE),
                "model": inputs.model(rows),
                "resolution": inputs.resolution(rows, default=MODELS[DEFAULT_MODEL].default_resolution),
                "duration": inputs.duration(rows),
                "shot_type": inputs.shot_type(),
                "prompt_extend": inputs.prompt_extend(),
            },
            "optional": {
                "negative_prompt": inputs.negative_prompt(),
                "seed": inputs.seed("Image i"),
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

    @pairs_prompts
    async def generate(  # noqa: PLR0913 - one parameter an input, as ComfyUI passes them by name
        self,
        *,
        image: Any,
        prompt: str | tuple[str, ...],
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
            prompt: what happens; the service truncates it to the model's limit. A tuple has one for each image.
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
            prompt=prompt[0] if isinstance(prompt, tuple) else prompt,
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
                prompts=prompt if isinstance(prompt, tuple) else (),
            )
            return self.to_result(await make_videos(batch, monitor=monitor))
