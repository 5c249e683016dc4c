"""Inputs and outputs that several nodes have, made from the tables: no rule is written here."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from ..wan.catalog.effects import EFFECTS, Effect
from ..wan.catalog.models import (
    ADAPTIVE,
    CLIP_SECONDS,
    DEFAULT_DURATION,
    MODELS,
    NEGATIVE_PROMPT_LIMIT,
    RATIOS,
    RESOLUTIONS,
    SEED_MAX,
    SHOT_TYPES,
    models_where,
)
from ..wan.catalog.spec import FIRST_FRAME, LAST_FRAME, Model
from ..wan.tasks.receipt import SavedVideo
from ..wan.text import format_choices
from . import host
from .model_rules import KEY as TABLE
from .model_rules import model_rules

CATEGORY = "video/DashScope Wan"
CONNECTION = "DASHSCOPE_CONNECTION"
HIDDEN = {"unique_id": "UNIQUE_ID", "graph": "PROMPT", "extra_pnginfo": "EXTRA_PNGINFO"}

Widget = tuple[Any, dict[str, Any]]

_CLIP_RULE = f"MP4 or MOV of {CLIP_SECONDS[0]} to {CLIP_SECONDS[1]} s, uploaded to the service's temporary storage."


class VideoOutputs:
    """The outputs of the nodes that save videos: lists, one entry a video."""

    CATEGORY = CATEGORY
    OUTPUT_NODE = True
    RETURN_TYPES = ("STRING", "VIDEO", "STRING", "STRING")
    RETURN_NAMES = ("video_path", "video", "task_id", "receipt")
    OUTPUT_IS_LIST = (True, True, True, True)
    OUTPUT_TOOLTIPS = (
        "Absolute path of the saved MP4; one for each image of the batch.",
        "The saved video, for Save Video, Get Video Components and other VIDEO nodes.",
        "The id of the task at the service, for Wan Fetch Task within 24 hours.",
        "What was asked, made and charged, as JSON.",
    )

    @staticmethod
    def to_result(videos: Sequence[SavedVideo]) -> dict[str, Any]:
        """Return the outputs for saved videos, and what makes ComfyUI play them on the node."""
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
    """The first frame."""
    return (
        "IMAGE",
        {"tooltip": "The first frame of the video. A batch makes one video for each image, each of them paid."},
    )


def last_frame(rows: Sequence[Model]) -> Widget:
    """The last frame."""
    needed = [row.id for row in rows if row.missing_media(FIRST_FRAME) == [LAST_FRAME]]
    return (
        "IMAGE",
        {
            "tooltip": "The frame that the video ends with; for a batch, one for all videos or one for each."
            + _only_with([row.id for row in rows if row.accepts(LAST_FRAME)], rows)
            + (f" {format_choices(needed)} needs one." if needed else "")
        },
    )


def model(rows: Sequence[Model], *, media: str = FIRST_FRAME, effects: bool = False) -> Widget:
    """The model, out of the given rows; the first is the default. Carries the table for the browser extension.

    `media` is the kind that the node's videos begin with.
    """
    return (
        [row.id for row in rows],
        {
            "default": rows[0].id,
            "tooltip": _by_model(rows, _summary),
            TABLE: model_rules(rows, connection=CONNECTION, media=media, effects=effects),
        },
    )


def template() -> Widget:
    """The effect."""
    return (
        list(EFFECTS),
        {
            "default": next(iter(EFFECTS)),
            "tooltip": "What happens, and what the picture should show.\n"
            + "\n".join(_effect(row) for row in EFFECTS.values()),
        },
    )


def resolution(rows: Sequence[Model], *, default: str) -> Widget:
    """The resolution tier: all that any of the models has. What the chosen one lacks is reported when the node runs."""
    return (
        [tier for tier in RESOLUTIONS if any(tier in row.resolutions for row in rows)],
        {
            "default": default,
            "tooltip": "About this many lines in the picture's own shape. The price depends on it.\n"
            + _by_model(rows, lambda row: format_choices(row.resolutions)),
        },
    )


def duration(rows: Sequence[Model], *, default: int = DEFAULT_DURATION, extra: str = "") -> Widget:
    """The length in seconds. `extra` is what its tooltip says besides."""
    every = [seconds for row in rows for seconds in row.durations]
    return (
        "INT",
        {
            "default": default,
            "min": min(every),
            "max": max(every),
            "tooltip": f"Seconds of video; each is paid.{extra}\n"
            + _by_model(rows, lambda row: format_choices(row.durations)),
        },
    )


def shot_type() -> Widget:
    """One shot or several."""
    return (
        list(SHOT_TYPES),
        {
            "default": SHOT_TYPES[0],
            "tooltip": "multi cuts between several shots; it needs prompt_extend. Only with "
            f"{format_choices(models_where(lambda row: bool(row.shot_types)))}.",
        },
    )


def ratio() -> Widget:
    """The video's shape."""
    return (
        list(RATIOS),
        {
            "default": ADAPTIVE,
            "tooltip": f"The video's shape; {ADAPTIVE} is the image's own. Others only with "
            f"{format_choices(models_where(lambda row: bool(row.ratios)))}.",
        },
    )


def clip() -> Widget:
    """The clip to go on from."""
    return ("VIDEO", {"tooltip": f"The clip that the video begins with; give this or video_path. {_CLIP_RULE}"})


def clip_path() -> Widget:
    """The clip to go on from, by its path."""
    return (
        "STRING",
        {
            "default": "",
            "tooltip": "Path of the clip in ComfyUI's input, output or temp folder, such as the video_path of a Wan "
            f"node; give this or video. {_CLIP_RULE}",
        },
    )


def prompt_extend(rows: Sequence[Model]) -> Widget:
    """Whether the service rewrites the prompt."""
    return (
        "BOOLEAN",
        {
            "default": True,
            "tooltip": "The service rewrites the prompt: better for short prompts, slower."
            + _not_with([row.id for row in rows if not row.prompt_extend]),
        },
    )


def seed() -> Widget:
    """The seed. A new one is a new payment, so it stays as it is until the user changes it."""
    return (
        "INT",
        {
            "default": 0,
            "min": 0,
            "max": SEED_MAX,
            "control_after_generate": "fixed",
            "tooltip": "Image i of a batch uses seed + i. The same request with the same seed returns the saved video "
            "without paying again; a new seed is a new video and a new payment.",
        },
    )


def negative_prompt(rows: Sequence[Model]) -> Widget:
    """What should not be in the video."""
    return (
        "STRING",
        {
            "default": "",
            "multiline": True,
            "tooltip": f"What should not be in the video; at most {NEGATIVE_PROMPT_LIMIT} characters."
            + _not_with([row.id for row in rows if not row.negative_prompt]),
        },
    )


def prompt(rows: Sequence[Model]) -> Widget:
    """What happens in the video."""
    return (
        "STRING",
        {
            "default": "",
            "multiline": True,
            "tooltip": "What moves and how the camera moves; the picture already shows the scene. With models that "
            "make sound, describe that too. The service cuts what is longer than this many characters.\n"
            + _by_model(rows, _prompt_limit),
        },
    )


def generate_audio() -> Widget:
    """Whether the video has audio."""
    silent = [row.id for row in MODELS.values() if row.always_silent]
    return (
        "BOOLEAN",
        {
            "default": True,
            "tooltip": f"Off makes a silent video: {format_choices(models_where(lambda row: row.audio_switch))}. "
            f"Always silent: {', '.join(silent)}. The others always have sound.",
        },
    )


def audio_url() -> Widget:
    """An audio file by its URL."""
    return ("STRING", {"default": "", "tooltip": f"Address (http, https or oss) of a sound, {_audio_rule()}"})


def audio() -> Widget:
    """An audio file from the graph."""
    return (
        "AUDIO",
        {"tooltip": f"A sound for the video, uploaded to the service's temporary storage: {_audio_rule()}"},
    )


def watermark() -> Widget:
    """The service's mark."""
    return (
        "BOOLEAN",
        {"default": False, "tooltip": "The service's mark at the bottom right."},
    )


def filename_prefix(default: str) -> Widget:
    """Where the videos are saved."""
    return (
        "STRING",
        {
            "default": default,
            "tooltip": "Where the MP4 is saved inside ComfyUI's output folder; %year%, %month%, %day%, %hour%, "
            "%minute% and %second% stand for the time.",
        },
    )


def connection() -> Widget:
    """The region and workspace, from the Connection node."""
    return (
        CONNECTION,
        {"tooltip": "Region, workspace and waiting limit, from DashScope Connection; else this machine's own."},
    )


def strip(value: Any) -> Any:
    """Return a text as it is meant, without blanks around it. What is no text is left for the checks to refuse."""
    return value.strip() if isinstance(value, str) else value


def _audio_rule() -> str:
    return (
        "WAV or MP3. What is longer than the video is cut, what is shorter leaves its end silent. Seconds, by the "
        "models that take one:\n"
        + _by_model(
            [row for row in MODELS.values() if row.audio_input],
            lambda row: f"{row.audio_seconds[0]} to {row.audio_seconds[1]}",
        )
    )


def _only_with(models: Sequence[str], rows: Sequence[Model]) -> str:
    return f" Only with {format_choices(models)}." if len(models) < len(rows) else ""


def _not_with(models: Sequence[str]) -> str:
    return f" Not with {format_choices(models)}." if models else ""


def _by_model(rows: Sequence[Model], rule: Callable[[Model], str]) -> str:
    """Say a rule of each model, a line for all models that share it."""
    models: dict[str, list[str]] = {}
    for row in rows:
        models.setdefault(rule(row), []).append(row.id)
    return "\n".join(f"{said}: {', '.join(names)}" for said, names in models.items())


def _effect(row: Effect) -> str:
    only = "" if len(row.models) > 1 else f" (only {row.models[0]})"
    return f"{row.id}: {row.en}; {row.image}{only}"


def _prompt_limit(row: Model) -> str:
    chinese = f", in Chinese {row.prompt_limit // row.chinese_weight}" if row.chinese_weight > 1 else ""
    return f"{row.prompt_limit}{chinese}"


def _summary(row: Model) -> str:
    audio = "silent" if row.always_silent else "sound or silent" if row.audio_switch else "with sound"
    last = (
        ", first and last frame"
        if row.missing_media(FIRST_FRAME)
        else ", last frame"
        if row.accepts(LAST_FRAME)
        else ""
    )
    extra = ", effects" if row.effects else ""
    return f"Up to {row.resolutions[-1]}, {row.durations[-1]} s, {audio}{last}{extra}"
