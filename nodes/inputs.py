"""Inputs and outputs that several nodes share. Their values come from the tables of models and effects."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from ..wan.catalog.effects import EFFECTS
from ..wan.catalog.models import (
    ADAPTIVE,
    DEFAULT_DURATION,
    MORE_RATIOS,
    NEGATIVE_PROMPT_LIMIT,
    RATIOS,
    RESOLUTIONS,
    SEED_MAX,
    SHOT_TYPES,
)
from ..wan.catalog.spec import IMAGE_TO_VIDEO, Model
from ..wan.errors import InvalidRequest
from ..wan.messages import Message
from ..wan.tasks.receipt import SavedVideo
from ..wan.text import format_value
from ..wan.values import whole
from . import host
from .model_rules import KEY as RULES
from .model_rules import model_rules

CATEGORY = "video/DashScope Wan"
CONNECTION = "DASHSCOPE_CONNECTION"
VENDOR_ALIASES = (
    *("wan", "wanx", "alibaba", "dashscope", "bailian", "model studio", "qwen", "tongyi"),
    *("万相", "通义", "通义万相", "百炼", "阿里云", "千问"),
)
"""What users type in the node search for any node that speaks with DashScope."""

MAX_COUNT = 4

HIDDEN = {"unique_id": "UNIQUE_ID", "graph": "PROMPT", "extra_pnginfo": "EXTRA_PNGINFO"}

Widget = tuple[Any, dict[str, Any]]

_OFFERED = "only what the model supports is offered."


class VideoOutputs:
    """The outputs of the nodes that save videos: lists with one entry per video."""

    JOBS: tuple[str, ...] = (IMAGE_TO_VIDEO,)
    """The jobs whose tables have the models, the first one that has a model decides."""
    CATEGORY = CATEGORY
    OUTPUT_NODE = True
    RETURN_TYPES = ("STRING", "VIDEO", "STRING", "STRING")
    RETURN_NAMES = ("video_path", "video", "task_id", "receipt")
    OUTPUT_IS_LIST = (True, True, True, True)
    OUTPUT_TOOLTIPS = (
        "Absolute path of the saved MP4, one per video.",
        "The saved video, for Save Video, Get Video Components and other VIDEO nodes.",
        "The id of the task at DashScope, valid for Wan Fetch Task for 24 hours.",
        "The request, the result, the estimated and the billed cost, as JSON.",
    )

    @staticmethod
    def to_result(videos: Sequence[SavedVideo]) -> dict[str, Any]:
        """Return the outputs for saved videos, and the preview that ComfyUI plays on the node."""
        return {
            "ui": host.preview([video.path for video in videos]),
            "result": (
                [str(video.path) for video in videos],
                [host.video_from_file(video.path) for video in videos],
                [video.task_id for video in videos],
                [json.dumps(video.receipt, ensure_ascii=False) for video in videos],
            ),
        }


def image() -> Widget:
    """Return the first frame."""
    return (
        "IMAGE",
        {"tooltip": "The first frame of the video. A batch makes one video per image, each of which is charged."},
    )


def last_frame(batch: str = ": one for all videos of a batch, or one per video") -> Widget:
    """Return the last frame. `batch` tells what several images are."""
    return ("IMAGE", {"tooltip": f"The frame that the video ends with{batch}."})


def model(rows: Sequence[Model], *, default: str = "", **node: Any) -> Widget:
    """Return the model, out of the given rows; the first is the default, or the one that is named.

    Carries the rules for the browser extension: `node` are what `model_rules` wants to know of the node.
    """
    return (
        [row.id for row in rows],
        {
            "default": default or rows[0].id,
            "tooltip": "Decides on resolutions, durations, inputs and price; the help page compares the models.",
            RULES: model_rules(rows, connection=CONNECTION, **node),
        },
    )


def template() -> Widget:
    """Return the effect."""
    return (
        list(EFFECTS),
        {
            "default": next(iter(EFFECTS)),
            "tooltip": "The effect; the help page says what the image must show.",
        },
    )


def resolution(rows: Sequence[Model], *, default: str) -> Widget:
    """Return the resolution tier: those of all models. An unsupported one is reported when the node runs."""
    return (
        [tier for tier in RESOLUTIONS if any(tier in row.resolutions for row in rows)],
        {
            "default": default,
            "tooltip": f"Approximate height; the price depends on it; {_OFFERED}",
        },
    )


def duration(rows: Sequence[Model], *, default: int = DEFAULT_DURATION, extra: str = "") -> Widget:
    """Return the length in seconds. `extra` is added to the tooltip."""
    every = [seconds for row in rows for seconds in row.durations]
    return (
        "INT",
        {
            "default": default,
            "min": min(every),
            "max": max(every),
            "tooltip": f"Seconds of video; every second is charged; {extra}{_OFFERED}",
        },
    )


def shot_type(rule: str = "; it requires prompt_extend") -> Widget:
    """Return one shot or several, under a rule of the models."""
    return (
        list(SHOT_TYPES),
        {
            "default": SHOT_TYPES[0],
            "advanced": True,
            "tooltip": f"multi cuts between several shots{rule}.",
        },
    )


def ratio(rows: Sequence[Model] = (), *, default: str = ADAPTIVE) -> Widget:
    """Return the video's aspect ratio: those of the given rows, or those of image to video."""
    if not rows:
        tooltip = f"Aspect ratio of the video; {ADAPTIVE} follows the image."
        return list(RATIOS), {"default": default, "tooltip": tooltip}
    tooltip = f"Aspect ratio of the video; {_OFFERED}"
    if default == ADAPTIVE:
        tooltip = f"Aspect ratio of the video; {ADAPTIVE} follows the clip; {_OFFERED}"
    values = [one for one in (*RATIOS, *MORE_RATIOS) if any(one in row.ratios for row in rows)]
    return values, {"default": default, "tooltip": tooltip}


def clip() -> Widget:
    """Return the clip to extend."""
    tooltip = "The clip that the video begins with, MP4 or MOV; its length depends on the model. Or use video_path."
    return "VIDEO", {"tooltip": tooltip}


def clip_path(clip: str = "Path of the clip") -> Widget:
    """Return the path of what the tooltip calls `clip`."""
    tooltip = f"{clip} in ComfyUI's input, output or temp folder; use this or video."
    return "STRING", {"default": "", "tooltip": tooltip}


def count() -> Widget:
    """Return the number of videos."""
    tooltip = "How many videos, each with its own seed and each charged."
    return "INT", {"default": 1, "min": 1, "max": MAX_COUNT, "tooltip": tooltip}


def video_count(value: Any) -> int:
    """Return a number of videos.

    Raises:
        InvalidRequest: it is not one of those that the node offers.
    """
    number = whole(value)
    if type(number) is not int or not 1 <= number <= MAX_COUNT:
        raise InvalidRequest(
            [Message("count: {value} is not supported; choose 1 to {most}", value=format_value(value), most=MAX_COUNT)]
        )
    return number


def prompt_extend() -> Widget:
    """Return whether the service rewrites the prompt."""
    return (
        "BOOLEAN",
        {
            "default": True,
            "advanced": True,
            "tooltip": "DashScope rewrites the prompt: better results for short prompts, but slower.",
        },
    )


def seed(numbered: str = "") -> Widget:
    """Return the seed. A new seed is charged, so it only changes when the user changes it.

    `numbered` is what the videos of a run are numbered by: "Image i".
    """
    return (
        "INT",
        {
            "default": 0,
            "min": 0,
            "max": SEED_MAX,
            "control_after_generate": "fixed",
            "tooltip": "A new seed makes a new video, which is charged; the same again returns the saved one."
            + (f" {numbered} uses seed + i." if numbered else ""),
        },
    )


def negative_prompt() -> Widget:
    """Return the content to avoid."""
    return (
        "STRING",
        {
            "default": "",
            "multiline": True,
            "tooltip": f"Content to avoid, at most {NEGATIVE_PROMPT_LIMIT} characters.",
        },
    )


FOR_EACH_IMAGE = "What moves, and what is heard; the image shows the scene. A list of texts has one per image."


def prompt(tooltip: str) -> Widget:
    """Return the prompt."""
    return ("STRING", {"default": "", "multiline": True, "tooltip": tooltip})


def generate_audio() -> Widget:
    """Return whether the video has audio."""
    return (
        "BOOLEAN",
        {"default": True, "tooltip": "Off makes a silent video."},
    )


def audio_url() -> Widget:
    """Return the URL of an audio file."""
    return (
        "STRING",
        {
            "default": "",
            "advanced": True,
            "tooltip": "URL (http, https or oss) of a WAV or MP3 file for the video's audio; longer audio is cut.",
        },
    )


def audio() -> Widget:
    """Return an audio file from the graph."""
    return (
        "AUDIO",
        {
            "tooltip": "The video's audio, uploaded to DashScope; longer audio is cut, after shorter audio the video "
            "is silent."
        },
    )


def watermark() -> Widget:
    """Return whether the service adds its watermark."""
    return (
        "BOOLEAN",
        {"default": False, "advanced": True, "tooltip": "DashScope's watermark in the bottom right corner."},
    )


def filename_prefix(default: str) -> Widget:
    """Return where the videos are saved."""
    return (
        "STRING",
        {
            "default": default,
            "advanced": True,
            "tooltip": "Name of the MP4 in the output folder, with subfolders, %year%, %month%, %day%, %hour%, "
            "%minute%, %second%.",
        },
    )


def connection() -> Widget:
    """Return the region and workspace, from the Connection node."""
    return (
        CONNECTION,
        {"tooltip": "Region, workspace and wait limit, from DashScope Connection; otherwise this machine's defaults."},
    )


def strip(value: Any) -> Any:
    """Return a text without surrounding spaces; any other value unchanged, for validation to reject."""
    return value.strip() if isinstance(value, str) else value
