"""The notes on models with references and clips: how many, how long, what the prompt calls them, what is billed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from . import facts
from .facts import Tables

_WORDS: dict[str, dict[str, Any]] = {
    "en": {
        "comma": ", ",
        "stop": "; ",
        "of": "{} ({})",
        "span": "{:g} to {:g} s",
        "together": "{}, {:g} s at most together",
        "kinds": {"image": ("1 image", "{} images"), "clip": ("1 clip", "{} clips"), "sound": ("1 sound", "{} sounds")},
        "most": "{} together",
        "by kind": "{}, counted by kind",
        "jointly": "{}, counted through all kinds",
        "counts": "References, at most: {}.",
        "names": "The prompt calls the references {}.",
        "clips": "Clips: {}.",
        "sounds": "Sounds: {}.",
        "voices": "Voices: {}.",
        "with_clip": "Video with a clip: {}.",
        "total": "Clips and video together: at most {}.",
        "longest": "Video with the clip's length: at most {}.",
        "seconds": "{} s",
        "billed": "Billed seconds: {}.",
        "output": "the video's",
        "input and output": "the clip's and the video's",
        "share of clips": "the video's, and of each clip at most {:g} s divided by the number of clips",
        "share of references": "the video's, and of each clip at most {:g} s divided by the number of references",
    },
    "zh": {
        "comma": "、",
        "stop": "；",
        "of": "{}（{}）",
        "span": "{:g} 至 {:g} 秒",
        "together": "{}，合计不超过 {:g} 秒",
        "kinds": {
            "image": ("1 张图像", "{} 张图像"),
            "clip": ("1 段视频", "{} 段视频"),
            "sound": ("1 段音频", "{} 段音频"),
        },
        "most": "合计 {}",
        "by kind": "{}，各类分别编号",
        "jointly": "{}，各类统一编号",
        "counts": "参考的数量上限：{}。",
        "names": "提示词中参考的称呼：{}。",
        "clips": "片段时长：{}。",
        "sounds": "参考音频时长：{}。",
        "voices": "音色时长：{}。",
        "with_clip": "有片段时的视频时长：{}。",
        "total": "片段与视频的总时长上限：{}。",
        "longest": "与片段等长时的视频时长上限：{}。",
        "seconds": "{} 秒",
        "billed": "计费秒数：{}。",
        "output": "视频的秒数",
        "input and output": "片段和视频的秒数",
        "share of clips": "视频的秒数，另加每段片段不超过 {:g} 秒除以片段数的秒数",
        "share of references": "视频的秒数，另加每段片段不超过 {:g} 秒除以参考数的秒数",
    },
}


def reference_notes(rows: list[Any], tables: Tables, language: str) -> Iterator[str]:
    """Yield the notes on those of the rows that have references or clips, as the items of a list.

    Each names the models that it is true of, if it is not of all.
    """
    words = _WORDS[language]
    having = [row for row in rows if row.slots]
    with_clips = [row for row in rows if _clip_seconds(row, tables, words)]
    named = [row for row in having if not _is_extension(row, tables)]
    notes: tuple[tuple[str, list[Any], Callable[[Any], str]], ...] = (
        ("counts", named, lambda row: _counts(row, tables, words)),
        ("names", named, lambda row: _names(row, language)),
        ("clips", with_clips if having else [], lambda row: _clip_seconds(row, tables, words)),
        ("sounds", having, lambda row: _sound_seconds(row, tables, words)),
        ("voices", having, lambda row: words["span"].format(*row.voice_seconds) if row.voice_seconds else ""),
        ("with_clip", having, lambda row: words["seconds"].format(_choices(row.clip_durations, tables, language))),
        ("total", having, lambda row: words["seconds"].format(row.total_seconds or "")),
        ("longest", having, lambda row: words["seconds"].format(row.most_seconds or "")),
        ("billed", rows if having else [], lambda row: _billed(row, tables, words)),
    )
    for name, some, text in notes:
        groups: dict[str, list[str]] = {}
        for row in some:
            groups.setdefault(text(row), []).append(row.id)
        parts = [
            said if len(ids) == len(rows) else words["of"].format(said, words["comma"].join(ids))
            for said, ids in groups.items()
            if said.strip(" s秒")
        ]
        if parts:
            yield "- " + words[name].format(words["stop"].join(parts))


def _is_extension(row: Any, tables: Tables) -> bool:
    return bool(row.job == tables.spec.VIDEO_EXTENSION)


def _labels(tables: Tables) -> dict[str, str]:
    kinds = tables.media
    return {
        kinds.EDITED_VIDEO: "clip",
        kinds.REFERENCE_IMAGE: "image",
        kinds.REFERENCE_VIDEO: "clip",
        kinds.REFERENCE_AUDIO: "sound",
    }


def _counts(row: Any, tables: Tables, words: dict[str, Any]) -> str:
    labels = _labels(tables)
    slots = [slot for slot in row.slots if slot.kind in labels and slot.most]
    parts = [words["kinds"][labels[slot.kind]][slot.most > 1].format(slot.most) for slot in slots]
    if row.most_media < sum(slot.most for slot in slots):
        parts.append(words["most"].format(row.most_media))
    return str(words["comma"].join(parts))


def _names(row: Any, language: str) -> str:
    words, names = _WORDS[language], row.reference_names
    if names is None:
        return ""
    table = (language == "zh" and names.chinese) or names.english
    forms = list(dict.fromkeys(form for kind, form in table.items() if row.accepts(kind)))
    if len(forms) > 1:
        return str(words["by kind"].format(words["comma"].join(form.format(n=1) for form in forms)))
    said = words["comma"].join(forms[0].format(n=number) for number in (1, 2))
    return str(words["jointly"].format(said) if names.jointly else said)


def _clip_seconds(row: Any, tables: Tables, words: dict[str, Any]) -> str:
    kinds = tables.media
    if not any(row.accepts(kind) for kind in (kinds.FIRST_CLIP, kinds.REFERENCE_VIDEO, kinds.EDITED_VIDEO)):
        return ""
    limits = row.clip_limits
    return _span(limits.seconds, limits.total, words)


def _sound_seconds(row: Any, tables: Tables, words: dict[str, Any]) -> str:
    return _span(row.audio_seconds, row.audio_total, words) if row.accepts(tables.media.REFERENCE_AUDIO) else ""


def _span(seconds: tuple[float, float], total: float, words: dict[str, Any]) -> str:
    said = words["span"].format(*seconds)
    return str(words["together"].format(said, total) if total else said)


def _choices(values: Any, tables: Tables, language: str) -> str:
    return str(tables.text.format_choices(values) if language == "en" else facts.choices(values))


def _billed(row: Any, tables: Tables, words: dict[str, Any]) -> str:
    return str(words[row.billing].format(tables.spec.SHARED_SECONDS[1]))
