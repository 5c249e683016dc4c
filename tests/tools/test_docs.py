"""What is made from the tables and the node definitions is as it should be: run `python dev.py docs` when it is not."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from cli.loading import ROOT
from cli.pack import load_pack
from tools.docs import chinese
from tools.docs.write import files

PACK = load_pack(ROOT)
FILES = files(PACK, ROOT)
MODELS = PACK.module("wan.catalog.models").MODELS
REGIONS = PACK.module("wan.catalog.regions").REGIONS
EFFECTS = PACK.module("wan.catalog.effects").EFFECTS
REGIONS = PACK.module("wan.catalog.regions").REGIONS


@pytest.mark.parametrize("path", FILES, ids=str)
def test_the_file_is_what_the_pack_says(path):
    assert (ROOT / path).read_text(encoding="utf-8") == FILES[path]


def test_there_is_nothing_else_in_the_folders():
    there = {
        path.relative_to(ROOT) for folder in ("locales", "nodes/web/docs") for path in (ROOT / folder).rglob("*.*")
    }
    written_by_hand = {Path("locales/zh/messages.json")}
    assert there - written_by_hand == {path for path in FILES if path.parent != Path("docs")}


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


JOBS = ("image_to_video", "text_to_video", "reference_to_video", "video_edit", "video_extension")


@pytest.mark.parametrize("file", ["docs/models.md", "docs/models.zh-CN.md"])
def test_the_pages_tables_have_every_model_of_a_job_once_with_its_first_price_and_that_lists_day(file):
    tables = re.search(r"<!-- models.*?/models -->", (ROOT / file).read_text(encoding="utf-8"), re.DOTALL)[0]
    for job, table in zip(JOBS, re.split("^## .*$", tables, flags=re.MULTILINE)[1:], strict=True):
        for row in PACK.module("wan.catalog.fields").rows_of(job).values():
            [line] = [line for line in table.splitlines() if line.startswith("|") and f"`{row.id}`" in line]
            region, offer = next(iter(row.offers.items()))
            prices = " / ".join(str(offer.price.get(tier, "–")) for tier in row.resolutions)
            assert f"| {REGIONS[region].currency} {prices}" in line
            assert offer.as_of in table
            assert all(tier in line for tier in row.resolutions)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_help_page_says_how_many_references_a_model_has_how_long_they_are_and_what_it_calls_them(language):
    text = (ROOT / "nodes/web/docs/DashScopeWanReferenceToVideo" / f"{language}.md").read_text(encoding="utf-8")
    notes = [line for line in text.splitlines() if line.startswith("- ") and not line.startswith(("- `", "- **"))]
    counts, names, clips, sounds, voices, with_clip, together, billed = notes
    said = {
        "en": (
            "9 images (",
            "Image 1, Video 1, Audio 1",
            "1 to 30 s",
            "1 to 15 s, 15 s at most",
            "1 to 10 s",
            "2 to 10 s",
        ),
        "zh": (
            "9 张图像（",
            "图1、视频1、音频1",
            "1 至 30 秒",
            "1 至 15 秒，合计不超过 15 秒",
            "1 至 10 秒",
            "2 至 10 秒",
        ),
    }[language]
    for text, line in zip(said, (counts, names, clips, sounds, voices, with_clip), strict=True):
        assert text in line
    assert "[Image 1]" in names
    assert "character1" in names
    assert "30" in together
    assert "5" in billed
    every = {row.id for row in rows_of(PACK.classes["DashScopeWanReferenceToVideo"])}
    for line in (counts, names, billed):
        assert {model for model in every if re.search(rf"(?<![\w.-]){re.escape(model)}(?![\w.-])", line)} == every


def rows_of(node):
    tables = [PACK.module("wan.catalog.fields").rows_of(job) for job in node.JOBS]
    names = node.INPUT_TYPES()["required"]["model"][0]
    return [next(rows[name] for rows in tables if name in rows) for name in names]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_tooltip_is_one_line_and_names_no_model(language):
    defs = json.loads((ROOT / "locales" / language / "nodeDefs.json").read_text(encoding="utf-8"))
    tooltips = [words["tooltip"] for node in defs.values() for words in node["inputs"].values()]
    assert not [text for text in tooltips if "\n" in text or any(model in text for model in MODELS)]


@pytest.mark.parametrize(("language", "most"), [("en", 110), ("zh", 65)])
def test_a_tooltip_is_read_at_a_glance(language, most):
    defs = json.loads((ROOT / "locales" / language / "nodeDefs.json").read_text(encoding="utf-8"))
    tooltips = [words["tooltip"] for node in defs.values() for words in node["inputs"].values()]
    assert {text: len(text) for text in tooltips if len(text) > most} == {}


@pytest.mark.parametrize("path", [path for path in FILES if path.suffix == ".md" and path.parts[0] == "nodes"], ids=str)
def test_a_help_page_fits_a_panel_of_any_width(path):
    assert not [line for line in FILES[path].splitlines() if line.startswith("|")]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_help_page_says_of_each_template_what_its_image_must_show_and_which_models_have_it(language):
    text = (ROOT / "nodes/web/docs/DashScopeWanVideoEffect" / f"{language}.md").read_text(encoding="utf-8")
    for row in EFFECTS.values():
        content = chinese.IMAGES[row.image] if language == "zh" else row.image
        name = row.zh if language == "zh" else row.en
        colon, models = (
            ("：", f"（{', '.join(row.models)}）") if language == "zh" else (": ", f" ({', '.join(row.models)})")
        )
        assert f"- `{row.id}` {name}{colon}{content}{models}\n" in text


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_help_page_names_the_models_without_a_field_and_the_lengths_of_audio(language):
    text = (ROOT / "nodes/web/docs/DashScopeWanImageToVideo" / f"{language}.md").read_text(encoding="utf-8")
    notes = [line for line in text[: text.rindex("\n## ")].splitlines() if not line.startswith("-")]
    for field in ("negative_prompt", "prompt_extend"):
        [line] = [line for line in notes if f"`{field}`" in line]
        assert models_in(line) == {row.id for row in MODELS.values() if not getattr(row, field)}
    [line] = [line for line in notes if "2 to 30 s" in line or "2 至 30 秒" in line]
    assert models_in(line) == {row.id for row in MODELS.values() if row.audio_input}


def models_in(text):
    return set(MODELS) & set(re.findall(r"[a-z][\w.-]+", text, re.ASCII))


def test_every_region_has_a_chinese_name():
    assert all(re.search("[\u4e00-\u9fff]", region.title_zh) for region in REGIONS.values())


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_help_page_has_the_models_of_its_node_and_no_others(language):
    every_model = {row.id for row in PACK.module("wan.catalog.jobs").ALL_ROWS}
    for node_id, node in PACK.classes.items():
        text = (ROOT / "nodes/web/docs" / node_id / f"{language}.md").read_text(encoding="utf-8")
        named = set(re.findall(r"^- `([^`]+)`", text, re.MULTILINE))
        wanted = rows_of(node) if "model" in node.INPUT_TYPES().get("required", {}) else []
        assert named & every_model == {row.id for row in wanted}


def test_chinese_texts_are_chinese():
    defs = json.loads((ROOT / "locales/zh/nodeDefs.json").read_text(encoding="utf-8"))
    for node in defs.values():
        for words in node["inputs"].values():
            assert re.search(r"[\u4e00-\u9fff]", words["name"] + words["tooltip"])


def test_the_page_says_a_region_by_its_chinese_name():
    # Descriptions of inputs are ASCII: the page has the names in a table of its own.
    page = (ROOT / "nodes" / "web" / "i18n.js").read_text(encoding="utf-8")
    assert dict(re.findall(r'^    (\w+): "([^"]+)",$', page, re.MULTILINE)) == {
        region.id: region.title_zh for region in REGIONS.values()
    }
