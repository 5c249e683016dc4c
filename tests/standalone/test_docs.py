"""What is made from the tables and the node definitions is as it should be: run `python dev.py docs` when it is not."""

from __future__ import annotations

import json
import re

import pytest

from standalone.docs.write import files
from standalone.pack import ROOT, load_pack

PACK = load_pack(ROOT)
FILES = files(PACK, ROOT)


@pytest.mark.parametrize("path", FILES, ids=str)
def test_the_file_is_what_the_pack_says(path):
    assert (ROOT / path).read_text(encoding="utf-8") == FILES[path]


def test_there_is_nothing_else_in_the_folders():
    there = {
        path.relative_to(ROOT) for folder in ("locales", "nodes/web/docs") for path in (ROOT / folder).rglob("*.*")
    }
    assert there == {path for path in FILES if path.parts[0] != path.name}


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_node_input_and_output_has_a_name_and_a_tooltip(language):
    defs = json.loads((ROOT / "locales" / language / "nodeDefs.json").read_text(encoding="utf-8"))
    assert list(defs) == list(PACK.classes)
    for node_id, node in PACK.classes.items():
        kinds = node.INPUT_TYPES()
        assert list(defs[node_id]["inputs"]) == [*kinds.get("required", {}), *kinds.get("optional", {})]
        assert list(defs[node_id]["outputs"]) == [str(index) for index in range(len(node.RETURN_TYPES))]
        for words in [*defs[node_id]["inputs"].values(), *defs[node_id]["outputs"].values()]:
            assert words["name"]
            assert words["tooltip"]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_no_text_has_a_character_that_the_browser_takes_for_a_placeholder(language):
    text = (ROOT / "locales" / language / "nodeDefs.json").read_text(encoding="utf-8")
    said = re.findall(r'": "((?:[^"\\]|\\.)*)"', text)
    assert said
    assert not [words for words in said if re.search(r"[{}@|]", words)]


def test_chinese_texts_are_chinese():
    defs = json.loads((ROOT / "locales/zh/nodeDefs.json").read_text(encoding="utf-8"))
    for node in defs.values():
        for words in node["inputs"].values():
            assert re.search(r"[\u4e00-\u9fff]", words["name"] + words["tooltip"])
