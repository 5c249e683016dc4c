"""Writing all files that are generated from the tables and the node definitions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cli.loading import ROOT
from cli.pack import Pack, load_pack

from . import help_pages, locales, readme
from .facts import Tables

PAGES = {"en": "docs/models.md", "zh": "docs/models.zh-CN.md"}


def files(pack: Pack, root: Path) -> dict[Path, str]:
    """Return the contents of all generated files by their paths in the pack. `root` is the pack's folder."""
    tables = Tables(*(pack.module("wan.text" if name == "text" else f"wan.catalog.{name}") for name in Tables._fields))
    made = locales.files(pack.classes, tables)
    made |= help_pages.files(pack.classes, tables)
    for language, name in PAGES.items():
        if (root / name).is_file():
            text = (root / name).read_text(encoding="utf-8")
            made[Path(name)] = readme.with_table(text, tables, language=language)
    return made


def write_docs(pack: Pack, root: Path) -> list[Path]:
    """Write all generated files that are out of date, and return their paths."""
    changed = []
    for path, text in files(pack, root).items():
        target = root / path
        if not target.is_file() or target.read_text(encoding="utf-8") != text:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
            changed.append(path)
    return changed


def main(_arguments: Sequence[str]) -> int:
    """Write the generated files and print the paths of those that were out of date."""
    for path in write_docs(load_pack(ROOT), ROOT):
        print(path)
    return 0
