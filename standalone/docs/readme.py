"""The table of models in Markdown, for the README and the help pages."""

from __future__ import annotations

import re
from types import ModuleType
from typing import Any

from . import chinese, facts

_PLACE = re.compile(r"(<!-- models:.*?-->\n).*?(<!-- /models -->)", re.DOTALL)
_HEADS = {
    "en": ("model", "resolution", "seconds", "sound", "shots", "effects", "prompt", "CNY a second"),
    "zh": ("模型", "分辨率", "秒数", "声音", "多镜头", "特效", "提示词字数", "元/秒"),
}
_WORDS = {
    "en": {"never": "never", "both": "yes, or silent", "always": "always", "yes": "yes", "silent": "silent"},
    "zh": {"never": "无", "both": "有，可关闭", "always": "有", "yes": "是", "silent": "无声"},
}
_DATED = {"en": "Prices as of {}.", "zh": "价格截至 {}。"}
_USUAL = ["beijing", "singapore"]


def model_table(models: ModuleType, *, language: str = "en", only: str = "id") -> str:
    """Return the table of models as Markdown. `models` is the pack's module of that name.

    `only` names a field that a row must have set to be in the table.
    """
    heads = _HEADS[language]
    lines = [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
    lines += [_row(row, models, language=language) for row in models.MODELS.values() if getattr(row, only)]
    return "\n".join([*lines, "", _DATED[language].format(models.PRICES_AS_OF), ""])


def with_table(text: str, models: ModuleType, *, language: str = "en") -> str:
    """Return a README's text with the table as it should be."""
    return _PLACE.sub(lambda match: match[1] + model_table(models, language=language) + match[2], text)


def _row(row: Any, models: ModuleType, *, language: str) -> str:
    words = _WORDS[language]
    say = models.choices if language == "en" else facts.choices
    cells = (
        f"`{row.id}`" + _elsewhere(row, language),
        ", ".join(row.resolutions),
        say(row.durations),
        words["never" if row.always_silent else "both" if row.audio_switch else "always"],
        words["yes"] if row.shot_types else "",
        words["yes"] if row.effects else "",
        str(row.prompt_limit),
        _prices(row, language),
    )
    return f"| {' | '.join(cells)} |"


def _elsewhere(row: Any, language: str) -> str:
    """Say where the model is, when that is not the usual two regions."""
    return "" if list(row.offers) == _USUAL else f" ({', '.join(_title(name, language) for name in row.offers)})"


def _prices(row: Any, language: str) -> str:
    region, offer = next(iter(row.offers.items()))
    loud = " / ".join(f"{price}" for price in offer.price.values())
    silent = " / ".join(f"{price}" for price in offer.silent_price.values())
    where = "" if region == _USUAL[0] else f" ({_title(region, language)})"
    return f"{loud}; {_WORDS[language]['silent']} {silent}" if silent else f"{loud}{where}"


def _title(region: str, language: str) -> str:
    return chinese.REGIONS[region] if language == "zh" else region.title()
