"""Writing all that is made from the tables and the node definitions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..pack import ROOT, Pack, load_pack
from . import facts, help_pages, locales, readme

READMES = {"en": "README.md", "zh": "README.zh-CN.md"}


def files(pack: Pack, root: Path) -> dict[Path, str]:
    """Return every such file, by its path in the pack, as it should be. `root` is the pack's folder."""
    models = pack.module("nodes.service.models")
    words = facts.chinese_facts(models, pack.module("nodes.service.effects"), pack.module("nodes.service.regions"))
    made = locales.files(pack.classes, words)
    defs = {"en": locales.english(pack.classes), "zh": locales.in_chinese(pack.classes, words)}
    made |= help_pages.files(defs, models)
    for language, name in READMES.items():
        if (root / name).is_file():
            text = (root / name).read_text(encoding="utf-8")
            made[Path(name)] = readme.with_table(text, models, language=language)
    return made


def write_docs(pack: Pack, root: Path) -> list[Path]:
    """Write every such file that is not as it should be, and return which."""
    changed = []
    for path, text in files(pack, root).items():
        target = root / path
        if not target.is_file() or target.read_text(encoding="utf-8") != text:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
            changed.append(path)
    return changed


def main(_arguments: Sequence[str]) -> int:
    """Write them and say which were not as they should be."""
    for path in write_docs(load_pack(ROOT), ROOT):
        print(path)
    return 0
