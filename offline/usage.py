"""What a task used: the seconds that are billed, and the form in which each family tells them.

Forms: dashscope.md section 0.1, newer-models.md sections 1.4, 2.5, 3 and 4, other-jobs.md sections 1.4, 3 and 5.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..wan.catalog.spec import IMAGE_TO_VIDEO, SHARED_SECONDS, VIDEO_EDIT, Billing, Model
from .scene import ResolvedMedia
from .task import MockTask
from .validation import TaskInputs

_USUAL = ("duration", "input_video_duration", "output_video_duration", "video_count", "SR")
_OLDEST = ("video_duration", "video_ratio", "video_count")
_WAN_3 = ("video_count", "duration", "input_video_duration", "output_video_duration", "fps", "SR", "ratio")

_OF_IMAGES: Mapping[str, tuple[str, ...]] = {
    "wanx2.1": _OLDEST,
    "wan2.2-kf2v": ("video_duration", "video_count", "SR"),
    "wan2.2": ("duration", "SR", "video_count"),
    "wan2.5": ("duration", "SR", "video_count"),
    "wan3.0": _WAN_3,
}
_OF_OTHERS: Mapping[str, tuple[str, ...]] = {
    "wanx2.1": _OLDEST,
    "wan2.2": _OLDEST,
    "wan2.5": _OLDEST,
    "wan2.6": (*_USUAL, "size"),
    "wan3.0": _WAN_3,
}


def video_seconds(inputs: TaskInputs, media: ResolvedMedia, *, model: Model) -> float:
    """Return the length of the video that is made: what was asked for, or that of the clips."""
    if inputs.duration:
        return inputs.duration
    clips = sum(media.clips)
    return _number(min(clips, model.most_seconds or clips))


def input_seconds(media: ResolvedMedia, *, model: Model) -> float:
    """Return the seconds of clips that are billed: all of them, or of each its share of 5 s at most."""
    if media.clip and model.job == IMAGE_TO_VIDEO:
        return media.clip.seconds
    if model.billing == Billing.INPUT_AND_OUTPUT:
        return sum(media.clips)
    if model.billing == Billing.OUTPUT or not media.clips:
        return 0.0
    most = SHARED_SECONDS[len(media.clips) if model.billing == Billing.SHARE_OF_CLIPS else media.references]
    return sum(min(seconds, most) for seconds in media.clips)


def usage_of(task: MockTask, inputs: TaskInputs) -> dict[str, object]:
    """Return the seconds, and what else the family tells.

    A first clip's seconds are part of the video's; those of references and of an edited clip are told beside them.
    """
    number = _float if task.model.family == "wan3.0" else _number
    inside = task.model.job == IMAGE_TO_VIDEO
    facts = {
        "video_duration": number(inputs.duration),
        "duration": number(inputs.duration + (0 if inside else round(task.clip_seconds, 2))),
        "input_video_duration": number(task.clip_seconds),
        "output_video_duration": number(inputs.duration - (task.clip_seconds if inside else 0)),
        "video_count": 1,
        "video_ratio": "standard" if inside else inputs.size,
        "SR": int(inputs.resolution.removesuffix("P")),
        "fps": task.model.fps,
        "ratio": task.ratio,
        "size": inputs.size,
        "audio": inputs.audio,
    }
    return {name: facts[name] for name in _reported(task.model)}


def _reported(model: Model) -> tuple[str, ...]:
    if model.job == IMAGE_TO_VIDEO:
        told = _OF_IMAGES.get(model.family, _USUAL)
        return (*told, "audio") if model.family == "wan2.6" and model.audio_switch else told
    if model.family in _OF_OTHERS:
        return _OF_OTHERS[model.family]
    return _USUAL if model.job == VIDEO_EDIT else (*_USUAL, "ratio")


def _float(seconds: float) -> float:
    return float(_number(seconds))


def _number(seconds: float) -> float:
    return int(seconds) if seconds == int(seconds) else round(seconds, 2)
