"""What the Chinese texts take from the pack's tables, already worded."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from . import chinese


def choices(values: Any) -> str:
    """Say a set of allowed values in Chinese: "5", "3、4 或 5", "2 至 15"."""
    words = [str(value) for value in values]
    numbers = [value for value in values if isinstance(value, int)]
    if len(numbers) == len(words) > 3 and numbers == list(range(numbers[0], numbers[-1] + 1)):
        return f"{words[0]} 至 {words[-1]}"
    if len(words) < 2:
        return "".join(words)
    return f"{'、'.join(words[:-1])} 或 {words[-1]}"


def chinese_facts(models: ModuleType, effects: ModuleType, regions: ModuleType) -> dict[str, str]:
    """Return the words for the braces of `chinese.NODES`."""
    rows = list(models.MODELS.values())
    with_effects = [row for row in rows if row.effects]
    low, high = models.AUDIO_SECONDS
    return {
        "summaries": "\n".join(map(summary, rows)),
        "effect_summaries": "\n".join(map(summary, with_effects)),
        "resolutions": _by_model(rows, "resolutions"),
        "effect_resolutions": _by_model(with_effects, "resolutions"),
        "durations": _by_model(rows, "durations"),
        "effect_durations": _by_model(with_effects, "durations"),
        "prompt_limits": "；".join(
            f"{'、'.join(row.id for row in rows if row.prompt_limit == limit)} 为 {limit}"
            for limit in sorted({row.prompt_limit for row in rows}, reverse=True)
        ),
        "negative_limit": str(models.NEGATIVE_PROMPT_LIMIT),
        "shot_models": choices(models.models_with("shot_types")),
        "switch_models": choices(models.models_with("audio_switch")),
        "silent_models": "、".join(row.id for row in rows if row.always_silent),
        "sound_rule": f"WAV 或 MP3，{low} 至 {high} 秒。比视频长会被截断，比视频短则结尾无声。"
        f"仅限 {choices(models.models_with('audio_input'))}。",
        "effects": "\n".join(map(_effect, effects.EFFECTS.values())),
        "workspace_regions": "、".join(
            chinese.REGIONS[row.id] for row in regions.REGIONS.values() if row.needs_workspace
        ),
    }


def summary(row: Any) -> str:
    """Say in a line what a model can do."""
    sound = "无声" if row.always_silent else "有声或无声" if row.audio_switch else "有声"
    extra = "，特效" if row.effects else ""
    return f"{row.id}：{choices(row.resolutions)}，{choices(row.durations)} 秒，{sound}{extra}"


def _by_model(rows: list[Any], name: str) -> str:
    return "\n".join(f"{row.id}：{choices(getattr(row, name))}" for row in rows)


def _effect(row: Any) -> str:
    only = "" if len(row.models) > 1 else f"（仅 {row.models[0]}）"
    return f"{row.id}：{row.zh}；{chinese.PICTURES[row.picture]}{only}"
