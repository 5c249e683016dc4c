"""The table of models in Markdown, for the README and the help pages."""

from __future__ import annotations

import re
from typing import Any

from . import chinese, facts
from .facts import Tables

_PLACE = re.compile(r"(<!-- models:.*?-->\n).*?(<!-- /models -->)", re.DOTALL)
_HEADS = {
    "en": ("model", "resolution", "seconds", "sound", "what else", "prompt", "regions", "price a second"),
    "zh": ("模型", "分辨率", "秒数", "声音", "其他能力", "提示词字数", "地域", "每秒价格"),
}
_WORDS = {
    "en": {
        "never": "never",
        "both": "yes, or silent",
        "always": "always",
        "silent": "; silent {}",
        "own sound": "own sound",
        "shots": "shots",
        "last frame": "last frame",
        "first and last frame": "first and last frame",
        "continuation": "continuation",
        "ratio": "ratio",
        "effects": "effects",
        "chinese": "{}, in Chinese {}",
        "all": "all",
        "comma": ", ",
        "and": " and ",
        "prices": "Prices are in the order of the resolutions, by {}.",
        "list": "{region}'s list of {day}",
        "others": "; {models} by {list}",
        "workspace": "The service documents {} with a `workspace_id` only.",
    },
    "zh": {
        "never": "无",
        "both": "有，可关闭",
        "always": "有",
        "silent": "；无声 {}",
        "own sound": "自定义音频",
        "shots": "多镜头",
        "last frame": "尾帧",
        "first and last frame": "首尾帧",
        "continuation": "续写",
        "ratio": "画面比例",
        "effects": "特效",
        "chinese": "{}（中文 {}）",
        "all": "全部",
        "comma": "、",
        "and": "、",
        "prices": "价格是目录价，按分辨率的顺序排列：{}。",
        "list": "{region} {day}",
        "others": "；{models} 为{list}",
        "workspace": "服务的文档只为 {} 给出业务空间自己的地址：请填写 `workspace_id`。",
    },
}


def model_table(tables: Tables, rows: list[Any], *, language: str = "en") -> str:
    """Return the table of the models of these rows as Markdown, with its notes. Models that are alike share a line."""
    heads = _HEADS[language]
    models: dict[tuple[str, ...], list[str]] = {}
    for row in rows:
        models.setdefault(_cells(row, tables, language), []).append(f"`{row.id}`")
    lines = [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
    lines += [f"| {' | '.join((', '.join(names), *cells))} |" for cells, names in models.items()]
    return "\n".join([*lines, "", _notes(rows, tables, language), ""])


def with_table(text: str, tables: Tables, *, language: str = "en") -> str:
    """Return a README's text with the table as it should be."""
    table = model_table(tables, list(tables.models.MODELS.values()), language=language)
    return _PLACE.sub(lambda match: match[1] + table + match[2], text)


def _cells(row: Any, tables: Tables, language: str) -> tuple[str, ...]:
    words = _WORDS[language]
    say = tables.text.format_choices if language == "en" else facts.choices
    limit, weight = row.prompt_limit, row.chinese_weight
    return (
        ", ".join(row.resolutions),
        say(row.durations),
        words["never" if row.always_silent else "both" if row.audio_switch else "always"],
        words["comma"].join(_abilities(row, tables, words)),
        words["chinese"].format(limit, limit // weight) if weight > 1 else str(limit),
        _regions(row, tables, language),
        _prices(row, words),
    )


def _abilities(row: Any, tables: Tables, words: dict[str, str]) -> list[str]:
    kinds = tables.spec
    able = {
        "own sound": row.audio_input,
        "shots": row.shot_types,
        "last frame": row.accepts(kinds.FIRST_FRAME, kinds.LAST_FRAME) and not row.missing_media(kinds.FIRST_FRAME),
        "first and last frame": row.missing_media(kinds.FIRST_FRAME),
        "continuation": row.accepts(kinds.FIRST_CLIP),
        "ratio": row.ratios,
        "effects": row.effects,
    }
    return [words[name] for name, there in able.items() if there]


def _regions(row: Any, tables: Tables, language: str) -> str:
    words = _WORDS[language]
    regions = tables.regions
    if set(row.offers) == set(regions.REGIONS) - {regions.OFFLINE}:
        return words["all"]
    return words["comma"].join(_title(name, tables, language) for name in row.offers)


def _title(region: str, tables: Tables, language: str) -> str:
    title: str = chinese.REGIONS[region] if language == "zh" else tables.regions.REGIONS[region].title
    return title


def _prices(row: Any, words: dict[str, str]) -> str:
    offer = next(iter(row.offers.values()))
    loud, silent = (
        " / ".join(str(prices.get(tier, "–")) for tier in row.resolutions)
        for prices in (offer.price, offer.silent_price)
    )
    return f"{offer.currency} {loud}" + (words["silent"].format(silent) if offer.silent_price else "")


def _notes(rows: list[Any], tables: Tables, language: str) -> str:
    """Say whose prices they are and of which days; and what a model wants besides."""
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
    return "\n".join(notes)
