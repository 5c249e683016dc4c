"""What the Chinese texts take from the pack's tables, already worded."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any, NamedTuple

from . import chinese


class Tables(NamedTuple):
    """The pack's modules that hold its tables."""

    spec: ModuleType
    models: ModuleType
    effects: ModuleType
    regions: ModuleType
    text: ModuleType


def choices(values: Any) -> str:
    """Say a set of allowed values in Chinese: "5", "3、4 或 5", "2 至 15"."""
    words = [str(value) for value in values]
    numbers = [value for value in values if isinstance(value, int)]
    if len(numbers) == len(words) > 3 and numbers == list(range(numbers[0], numbers[-1] + 1)):
        return f"{words[0]} 至 {words[-1]}"
    if len(words) < 2:
        return "".join(words)
    return f"{'、'.join(words[:-1])} 或 {words[-1]}"


def rows_of(node: Any, tables: Tables) -> list[Any]:
    """Return the rows of the models that a node offers, in its order; none where it has no such input."""
    offered = node.INPUT_TYPES().get("required", {}).get("model", ([], {}))[0]
    return [tables.models.MODELS[name] for name in offered]


def chinese_facts(tables: Tables, rows: list[Any]) -> dict[str, str]:
    """Return the words for the braces of `chinese.NODES`, for a node that offers the models of these rows."""
    models, regions = tables.models, tables.regions.REGIONS.values()
    first, last, audio = tables.spec.FIRST_FRAME, tables.spec.LAST_FRAME, tables.spec.DRIVING_AUDIO
    sounding = [row for row in rows if row.accepts(first, audio)]
    needing = [row.id for row in rows if last in row.missing_media(first)]
    return {
        "summaries": by_model(rows, lambda row: _summary(row, tables)),
        "resolutions": by_model(rows, lambda row: choices(row.resolutions)),
        "durations": by_model(rows, lambda row: choices(row.durations)),
        "prompt_limits": by_model(rows, prompt_limit),
        "negative_limit": str(models.NEGATIVE_PROMPT_LIMIT),
        "no_negative": _not_with(row.id for row in rows if not row.negative_prompt),
        "no_extend": _not_with(row.id for row in rows if not row.prompt_extend),
        "last_frame_rule": _only_with([row.id for row in rows if row.accepts(last)], rows)
        + (f"{choices(needing)} 必须有尾帧。" if needing else ""),
        "shot_models": choices(models.models_where(lambda row: bool(row.shot_types))),
        "ratio_models": choices(models.models_where(lambda row: bool(row.ratios))),
        "switch_models": choices(models.models_where(lambda row: row.audio_switch)),
        "silent_models": "、".join(row.id for row in rows if row.always_silent),
        "sound_rule": "WAV 或 MP3。比视频长会被截断，比视频短则结尾无声。支持的模型及秒数：\n"
        + by_model(sounding, lambda row: "{} 至 {}".format(*row.audio_seconds)),
        "clip_rule": "MP4 或 MOV，{} 至 {} 秒，会上传到服务的临时存储。".format(*models.CLIP_SECONDS),
        "effects": "\n".join(map(_effect, tables.effects.EFFECTS.values())),
        "workspace_regions": "、".join(chinese.REGIONS[row.id] for row in regions if row.needs_workspace),
        "workspace_models": "、".join(models.models_where(lambda row: row.workspace_hosts_only)),
    }


def by_model(rows: list[Any], rule: Callable[[Any], str]) -> str:
    """Say a rule of each model, a line for all models that share it."""
    models: dict[str, list[str]] = {}
    for row in rows:
        models.setdefault(rule(row), []).append(row.id)
    return "\n".join(f"{said}：{'、'.join(names)}" for said, names in models.items())


def prompt_limit(row: Any) -> str:
    """Say how long a prompt may be."""
    weight = row.chinese_weight
    return f"{row.prompt_limit}（中文 {row.prompt_limit // weight}）" if weight > 1 else str(row.prompt_limit)


def _summary(row: Any, tables: Tables) -> str:
    """Say in a line what a model can do."""
    first, last = tables.spec.FIRST_FRAME, tables.spec.LAST_FRAME
    audio = "无声" if row.always_silent else "有声或无声" if row.audio_switch else "有声"
    frames = "，首尾帧" if row.missing_media(first) else "，可加尾帧" if row.accepts(last) else ""
    extra = "，特效" if row.effects else ""
    return f"最高 {row.resolutions[-1]}，最长 {row.durations[-1]} 秒，{audio}{frames}{extra}"


def _only_with(models: list[str], rows: list[Any]) -> str:
    return f"仅限 {choices(models)}。" if len(models) < len(rows) else ""


def _not_with(models: Iterable[str]) -> str:
    named = "、".join(models)
    return f"{named} 不支持。" if named else ""


def _effect(row: Any) -> str:
    only = "" if len(row.models) > 1 else f"（仅 {row.models[0]}）"
    return f"{row.id}：{row.zh}；{chinese.IMAGES[row.image]}{only}"
