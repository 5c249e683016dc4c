"""The tables of models in Markdown, for `docs/models.md` and the help pages."""

from __future__ import annotations

import re
from typing import Any

from . import facts
from .facts import Tables
from .reference_notes import reference_notes

_PLACE = re.compile(r"(<!-- models:.*?-->\n).*?(<!-- /models -->)", re.DOTALL)
_HEADS = {
    "en": ("model", "resolution", "seconds", "audio", "features", "prompt length", "regions", "price per second"),
    "zh": ("模型", "分辨率", "时长（秒）", "声音", "功能", "提示词长度", "地域", "每秒价格"),
}
_JOBS = {
    "image_to_video": {"en": "Image to video", "zh": "图生视频"},
    "text_to_video": {"en": "Text to video", "zh": "文生视频"},
    "reference_to_video": {"en": "Reference to video", "zh": "参考生视频"},
    "video_edit": {"en": "Video edit", "zh": "视频编辑"},
    "video_extension": {"en": "Continuation", "zh": "视频续写"},
}
_WORDS = {
    "en": {
        "never": "no",
        "both": "optional",
        "always": "yes",
        "silent": "; silent {}",
        "audio input": "audio input",
        "shots": "multiple shots",
        "last frame": "last frame",
        "first and last frame": "first and last frame",
        "continuation": "continuation",
        "first frame": "first frame",
        "reference images": "reference images",
        "reference clips": "reference clips",
        "reference sounds": "reference sounds",
        "voices": "voices",
        "ratio": "aspect ratio",
        "effects": "effects",
        "chinese": "{} ({} in Chinese)",
        "all": "all regions",
        "comma": ", ",
        "colon": ": ",
        "stop": "; ",
        "span": "{} s",
        "as clip": "the clip's length",
        "or clip": "{}, or the clip's length",
        "and": " and ",
        "prices": "Prices are list prices per second in the order of the resolutions, from {}.",
        "list": "{region}'s price list of {day}",
        "others": "; {models} from {list}",
        "workspace": "DashScope documents {} for workspace hosts only: enter a `workspace_id`.",
        "without": "Not supported: `{1}` ({0}).",
        "audio": "Audio inputs have {}.",
        "seconds": "{} to {} s ({})",
    },
    "zh": {
        "never": "无",
        "both": "可选",
        "always": "有",
        "silent": "；无声 {}",
        "audio input": "音频输入",
        "shots": "多镜头",
        "last frame": "尾帧",
        "first and last frame": "首尾帧",
        "continuation": "续写",
        "first frame": "首帧",
        "reference images": "参考图",
        "reference clips": "参考视频",
        "reference sounds": "参考音频",
        "voices": "音色",
        "ratio": "画面比例",
        "effects": "特效",
        "chinese": "{}（中文 {}）",
        "all": "全部地域",
        "comma": "、",
        "colon": "：",
        "stop": "；",
        "span": "{} 秒",
        "as clip": "与片段等长",
        "or clip": "{}，或与片段等长",
        "and": "、",
        "prices": "价格为每秒的目录价，按分辨率的顺序排列，取自{}。",
        "list": "{region} {day} 的价目表",
        "others": "；{models} 取自{list}",
        "workspace": "{} 在官方文档中只支持业务空间专属域名：请填写 `workspace_id`。",
        "without": "{} 不支持 `{}`。",
        "audio": "音频输入的时长：{}。",
        "seconds": "{} 至 {} 秒（{}）",
    },
}


def model_table(tables: Tables, rows: list[Any], *, language: str = "en") -> str:
    """Return the table of these models as Markdown, with its notes. Models with equal cells share a line."""
    heads = _HEADS[language]
    models: dict[tuple[str, ...], list[str]] = {}
    for row in rows:
        models.setdefault(_cells(row, tables, language), []).append(f"`{row.id}`")
    lines = [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
    lines += [f"| {' | '.join((', '.join(names), *cells))} |" for cells, names in models.items()]
    return "\n".join([*lines, "", _notes(rows, tables, language), ""])


def model_list(tables: Tables, rows: list[Any], *, language: str) -> str:
    """Return the same as a list, which fits the width of a panel."""
    words = _WORDS[language]
    colon, stop = words["colon"], words["stop"]
    audio, length = _HEADS[language][3], _HEADS[language][5]
    lines = []
    for row in rows:
        tiers, _, sound, abilities, limit, regions, prices = _cells(row, tables, language)
        parts = [
            tiers,
            _seconds(row, tables, language, unit=words["span"]),
            f"{audio}{colon}{sound}",
            abilities,
            f"{length}{colon}{limit}",
        ]
        lines.append(f"- `{row.id}`{colon}{stop.join(filter(None, [*parts, regions, prices]))}")
    return "\n".join([*lines, "", _notes(rows, tables, language), ""])


def with_table(text: str, tables: Tables, *, language: str = "en") -> str:
    """Return a page's text with the current tables, one for each job."""
    jobs = {job: list(tables.fields.rows_of(job).values()) for job in _JOBS}
    # Whoever continues a clip chooses among the models of both.
    job = tables.spec.VIDEO_EXTENSION
    jobs[job] = [row for row in tables.models.MODELS.values() if row.accepts(tables.media.FIRST_CLIP)] + jobs[job]
    parts = [f"## {_JOBS[job][language]}\n{model_table(tables, rows, language=language)}" for job, rows in jobs.items()]
    return _PLACE.sub(lambda match: match[1] + "\n".join(parts) + match[2], text)


def _cells(row: Any, tables: Tables, language: str) -> tuple[str, ...]:
    words = _WORDS[language]
    limit, weight = row.prompt_limit, row.chinese_weight
    return (
        ", ".join(row.resolutions),
        _seconds(row, tables, language),
        words["never" if row.always_silent else "both" if row.audio_switch else "always"],
        words["comma"].join(_abilities(row, tables, words)),
        words["chinese"].format(limit, limit // weight) if weight > 1 else str(limit),
        _regions(row, tables, language),
        _prices(row, tables, words),
    )


def _seconds(row: Any, tables: Tables, language: str, *, unit: str = "{}") -> str:
    """Return the durations. 0 is the clip's."""
    words = _WORDS[language]
    say = tables.text.format_choices if language == "en" else facts.choices
    durations = [seconds for seconds in row.durations if seconds]
    if not durations:
        return words["as clip"]
    said = unit.format(say(durations))
    return said if len(durations) == len(row.durations) else words["or clip"].format(said)


def _abilities(row: Any, tables: Tables, words: dict[str, str]) -> list[str]:
    kinds = tables.media
    able = {
        "audio input": row.audio_input,
        "shots": row.shot_types,
        "last frame": row.accepts(kinds.FIRST_FRAME, kinds.LAST_FRAME) and not row.missing_media(kinds.FIRST_FRAME),
        "first and last frame": row.missing_media(kinds.FIRST_FRAME),
        "continuation": row.accepts(kinds.FIRST_CLIP) or row.job == tables.spec.VIDEO_EXTENSION,
        **_references(row, tables),
        "ratio": len(row.ratios) > 1,
        "effects": row.effects,
    }
    return [words[name] for name, there in able.items() if there]


def _references(row: Any, tables: Tables) -> dict[str, Any]:
    """Return which references a row of another job takes."""
    kinds = tables.media
    if row.job == tables.spec.VIDEO_EXTENSION:  # its node has none but the clip
        return {}
    slots = {slot.kind: slot.most for slot in row.slots}
    return {
        "first frame": slots.get(kinds.FIRST_FRAME),
        "reference images": slots.get(kinds.REFERENCE_IMAGE),
        "reference clips": slots.get(kinds.REFERENCE_VIDEO, 0) > 1,
        "reference sounds": slots.get(kinds.REFERENCE_AUDIO),
        "voices": row.voice_seconds,
    }


def _regions(row: Any, tables: Tables, language: str) -> str:
    words = _WORDS[language]
    regions = tables.regions
    if set(row.offers) == set(regions.REGIONS) - {regions.OFFLINE}:
        return words["all"]
    return words["comma"].join(_title(name, tables, language) for name in row.offers)


def _title(region: str, tables: Tables, language: str) -> str:
    row = tables.regions.REGIONS[region]
    title: str = row.title_zh if language == "zh" else row.title
    return title


def _prices(row: Any, tables: Tables, words: dict[str, str]) -> str:
    region, offer = next(iter(row.offers.items()))
    loud, silent = (
        " / ".join(str(prices.get(tier, "–")) for tier in row.resolutions)
        for prices in (offer.price, offer.silent_price)
    )
    currency = tables.regions.REGIONS[region].currency
    return f"{currency} {loud}" + (words["silent"].format(silent) if offer.silent_price else "")


def _notes(rows: list[Any], tables: Tables, language: str) -> str:
    """Return the notes on price lists, workspace hosts, unsupported fields, audio lengths, references and clips."""
    words = _WORDS[language]
    lists: dict[str, list[str]] = {}
    for row in rows:
        region, offer = next(iter(row.offers.items()))
        named = words["list"].format(region=_title(region, tables, language), day=offer.as_of)
        lists.setdefault(named, []).append(row.id)
    usual, *others = lists
    label = [words["others"].format(models=words["comma"].join(lists[named]), list=named) for named in others]
    notes = [words["prices"].format("".join([usual, *label]))]
    if dedicated := [row.id for row in rows if row.workspace_hosts_only]:
        notes.append(words["workspace"].format(words["and"].join(dedicated)))
    for field in ("negative_prompt", "prompt_extend"):
        if lacking := [row.id for row in rows if not getattr(row, field)]:
            notes.append(words["without"].format(words["comma"].join(lacking), field))
    lengths: dict[tuple[int, int], list[str]] = {}
    for row in rows:
        if row.audio_input:
            lengths.setdefault(row.audio_seconds, []).append(row.id)
    if lengths:
        parts = [words["seconds"].format(*span, words["comma"].join(ids)) for span, ids in lengths.items()]
        notes.append(words["audio"].format(words["comma"].join(parts)))
    notes += reference_notes(rows, tables, language)
    return "\n".join(notes)
