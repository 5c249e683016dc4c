"""Inputs and outputs that several nodes have, made from the tables: no rule is written here."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from . import host
from .service.effects import EFFECTS, Effect
from .service.models import (
    AUDIO_SECONDS,
    DEFAULT_DURATION,
    MODELS,
    NEGATIVE_PROMPT_LIMIT,
    RESOLUTIONS,
    SEED_MAX,
    SHOT_TYPES,
    Model,
    choices,
    models_with,
)
from .table import KEY as TABLE
from .table import table
from .tasks.saving import SavedVideo

CATEGORY = "video/DashScope Wan"
CONNECTION = "DASHSCOPE_CONNECTION"
HIDDEN = {"unique_id": "UNIQUE_ID", "graph": "PROMPT", "extra_pnginfo": "EXTRA_PNGINFO"}

Widget = tuple[Any, dict[str, Any]]


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
    def shown(videos: Sequence[SavedVideo]) -> dict[str, Any]:
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


def model(rows: Sequence[Model], *, effects: bool = False) -> Widget:
    """The model, out of the given rows; the first is the default. Carries the table for the browser extension."""
    return (
        [row.id for row in rows],
        {
            "default": rows[0].id,
            "tooltip": "\n".join(_summary(row) for row in rows),
            TABLE: table(rows, connection=CONNECTION, effects=effects),
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
    """The resolution tier: all that any of the models has. What the chosen one lacks is told when the node runs."""
    return (
        [tier for tier in RESOLUTIONS if any(tier in row.resolutions for row in rows)],
        {
            "default": default,
            "tooltip": "About this many lines; the shape is the image's own. The price depends on it.\n"
            + _by_model(rows, lambda row: choices(row.resolutions)),
        },
    )


def duration(rows: Sequence[Model]) -> Widget:
    """The length in seconds."""
    every = [seconds for row in rows for seconds in row.durations]
    return (
        "INT",
        {
            "default": DEFAULT_DURATION,
            "min": min(every),
            "max": max(every),
            "tooltip": "Seconds of video; each is paid.\n" + _by_model(rows, lambda row: choices(row.durations)),
        },
    )


def shot_type() -> Widget:
    """One shot or several."""
    return (
        list(SHOT_TYPES),
        {
            "default": SHOT_TYPES[0],
            "tooltip": "multi cuts between several shots; it needs prompt_extend. Only with "
            f"{choices(models_with('shot_types'))}.",
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


def negative_prompt() -> Widget:
    """What should not be in the video."""
    return (
        "STRING",
        {
            "default": "",
            "multiline": True,
            "tooltip": f"What should not be in the video; at most {NEGATIVE_PROMPT_LIMIT} characters.",
        },
    )


def prompt() -> Widget:
    """What happens in the video."""
    limits = sorted({row.prompt_limit for row in MODELS.values()}, reverse=True)
    rows = MODELS.values()
    spans = [f"{limit} with {', '.join(row.id for row in rows if row.prompt_limit == limit)}" for limit in limits]
    return (
        "STRING",
        {
            "default": "",
            "multiline": True,
            "tooltip": "What moves and how the camera moves; the image already shows the scene. With models that make "
            f"sound, describe that too. Characters: {'; '.join(spans)}. The service cuts what is longer.",
        },
    )


def generate_audio() -> Widget:
    """Whether the video has sound."""
    silent = [row.id for row in MODELS.values() if row.always_silent]
    return (
        "BOOLEAN",
        {
            "default": True,
            "tooltip": f"Off makes a silent video, for less: {choices(models_with('audio_switch'))}. "
            f"Always silent: {', '.join(silent)}. The others always have sound.",
        },
    )


def audio_url() -> Widget:
    """A sound by its address."""
    return ("STRING", {"default": "", "tooltip": f"Address (http, https or oss) of a sound {_sound_rule()}"})


def audio() -> Widget:
    """A sound from the graph."""
    return (
        "AUDIO",
        {"tooltip": f"A sound for the video, uploaded to the service's temporary storage: {_sound_rule()}"},
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


def trimmed(value: Any) -> Any:
    """Return a text as it is meant, without blanks around it. What is no text is left for the checks to refuse."""
    return value.strip() if isinstance(value, str) else value


def _sound_rule() -> str:
    low, high = AUDIO_SECONDS
    return (
        f"of {low} to {high} s, WAV or MP3. What is longer than the video is cut, what is shorter leaves its end "
        f"silent. Only with {choices(models_with('audio_input'))}."
    )


def _by_model(rows: Sequence[Model], rule: Callable[[Model], str]) -> str:
    return "\n".join(f"{row.id}: {rule(row)}" for row in rows)


def _effect(row: Effect) -> str:
    only = "" if len(row.models) > 1 else f" (only {row.models[0]})"
    return f"{row.id}: {row.en}; {row.picture}{only}"


def _summary(row: Model) -> str:
    sound = "silent" if row.always_silent else "sound or silent" if row.audio_switch else "with sound"
    extra = [", effects"] if row.effects else []
    return f"{row.id}: {choices(row.resolutions)}, {choices(row.durations)} s, {sound}{''.join(extra)}"
