"""What a workflow says about itself before it is run: its note, and its image in the list of templates."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import wanpack
from PIL import Image
from wanpack.wan.catalog.effects import EFFECTS
from wanpack.wan.catalog.fields import rows_of
from wanpack.wan.catalog.jobs import ALL_ROWS
from wanpack.wan.catalog.models import CLIP_SECONDS, MODELS
from wanpack.wan.catalog.regions import REGIONS

ROOT = Path(wanpack.__file__).parent
FOLDER = ROOT / "workflows"
SAMPLES = ROOT / "tests" / "wan" / "api" / "requests"
COST = re.compile(r"Costs about ([A-Z]{3} \d+\.\d\d) in Beijing \(list price of (\d{4}-\d\d-\d\d)\)\.")
COST_ZH = re.compile(r"北京地域约 ([A-Z]{3} \d+\.\d\d)（(\d{4}-\d\d-\d\d) 目录价）。")
BOLD = re.compile(r"\*\*(.+?)\*\*")
CHINESE = re.compile(r"[\u3400-\u9fff]")
MODEL = re.compile(r"(?:wan[x\d]|happyhorse-)[\w.]*-[\w.-]*\w")
ALL_MODELS = {row.id for row in ALL_ROWS}
MOST_BYTES = 60_000
LEAST_WIDTH = 300


def makers(graph):
    """The settings of the nodes that make videos, each with its model's row."""
    found = []
    for node in graph.values():
        if "model" in node["inputs"]:
            tables = [rows_of(job) for job in wanpack.NODE_CLASS_MAPPINGS[node["class_type"]].JOBS]
            model = node["inputs"]["model"]
            found.append((node["inputs"], next(rows[model] for rows in tables if model in rows)))
    return found


def videos_of(settings, graph):
    """How many videos a node makes: one for each image that comes into its `image`, or one."""
    source = graph[settings["image"][0]] if "image" in settings else None
    return source["inputs"]["amount"] if source and source["class_type"] == "RepeatImageBatch" else 1


def clips_of(settings, row, graph):
    """The seconds of the clips that a request of references or an edit has."""
    return [graph[settings["video"][0]]["inputs"]["duration"]] if row.slots and "video" in settings else []


def price(graph):
    """What a graph costs in Beijing by the table of models: its currency and amount, and the day of the list."""
    lists, total = set(), 0.0
    for settings, row in makers(graph):
        offer = row.offers["beijing"]
        lists.add((REGIONS["beijing"].currency, offer.as_of))
        rate = row.price_per_second(
            region="beijing",
            resolution=settings["resolution"],
            generate_audio=settings.get("generate_audio", True),
        )
        clips = clips_of(settings, row, graph)
        seconds = row.billed_seconds(settings["duration"], clips=clips, references=len(clips))
        total += rate * seconds * videos_of(settings, graph)
    [(currency, day)] = lists
    return f"{currency} {total:.2f}", day


def halves(flow):
    """A workflow's note in English, and after it in Chinese."""
    [note] = flow.notes
    return re.split(r"\n\n(?=## )", note)


def known_names(language):
    """The names of the nodes' inputs in a language, and the values that a note may name."""
    texts = json.loads((ROOT / "locales" / language / "nodeDefs.json").read_text("utf-8")).values()
    inputs = {name if language == "en" else shown["name"] for node in texts for name, shown in node["inputs"].items()}
    return inputs | ALL_MODELS | set(EFFECTS) | {"offline", "multi"}


def test_a_note_says_what_it_costs_by_the_price_list_and_of_which_day_that_is(flow):
    english, chinese = halves(flow)
    assert COST.findall(english) == COST_ZH.findall(chinese) == [price(flow.api)]


def test_a_note_says_what_is_shown_and_how_to_run_it_without_a_key_in_both_languages(flow):
    for half, least, free in zip(
        halves(flow),
        (60, 18),
        (
            "set **region** to **offline** in *DashScope Connection* and run, free of charge.",
            "在“百炼 连接”节点中把**地域**设为 **offline** 后运行，不产生费用。",
        ),
        strict=True,
    ):
        title, what, *_, costs = half.split("\n\n")
        assert re.fullmatch(r"## \w.{2,}", title)
        assert len(what) > least
        assert free in costs


def test_a_note_names_only_inputs_models_and_values_that_there_are(flow):
    for half, language in zip(halves(flow), ("en", "zh"), strict=True):
        assert set(BOLD.findall(half)) <= known_names(language)
        assert set(MODEL.findall(re.sub(r"\(https:[^)]+\)", "", half))) <= ALL_MODELS


def test_both_languages_name_the_same_values(flow):
    values = known_names("en") & known_names("zh")
    english, chinese = (set(BOLD.findall(half)) & values for half in halves(flow))
    assert english == chinese


def test_an_official_sample_keeps_its_chinese_prompt_and_all_others_are_english_each_with_the_other_language(flow):
    official = {json.loads(path.read_text("utf-8"))["input"].get("prompt") for path in SAMPLES.glob("*.json")}
    prompts = [node["inputs"]["prompt"] for node in flow.api.values() if "prompt" in node["inputs"]]
    english, chinese = halves(flow)
    if official.intersection(prompts):
        assert len(prompts) == 1
        assert "official sample for [this picture](https://" in english
        assert re.search(r"In English: [A-Z][^\n]+\.$", english, re.MULTILINE)
        assert "官方示例" in chinese
        assert "提示词：" not in chinese
    else:
        assert not CHINESE.search("".join(prompts))
        told = re.findall(r"提示词(?: \d)?：", chinese)
        assert len(told) == len(prompts)


def test_titles_are_in_both_languages(flow):
    for node in flow.ui["nodes"]:
        if title := node.get("title"):
            english, chinese = title.split(" · ")
            assert not CHINESE.search(english)
            assert CHINESE.search(chinese)


def test_the_note_on_effects_says_what_its_image_should_show(read_flow):
    flow = read_flow("video_effect")
    [effect] = {node["inputs"]["template"] for node in flow.api.values() if "template" in node["inputs"]}
    english, chinese = halves(flow)
    assert f"**{effect}** requires {EFFECTS[effect].image}." in english
    help_page = (ROOT / "nodes/web/docs/DashScopeWanVideoEffect/zh.md").read_text("utf-8")
    [content] = re.findall(rf"^- `{effect}` [^：]+：([^（]+)（", help_page, re.MULTILINE)
    assert f"**{effect}** 对图像的要求：{content}。" in chinese


def test_the_note_on_silence_is_right_that_it_halves_the_price():
    model = MODELS["wan2.6-i2v-flash"]
    for tier in model.resolutions:
        loud, silent = (
            model.price_per_second(region="beijing", resolution=tier, generate_audio=audio) for audio in (True, False)
        )
        assert silent == loud / 2


def test_the_note_on_a_last_frame_names_a_cheaper_model_that_is_silent_and_takes_one(read_flow):
    flow = read_flow("first_last_frame")
    [(settings, row)] = makers(flow.api)
    [other] = {name: MODELS[name] for name in MODEL.findall(flow.notes[0])}.values()
    assert "costs less, but makes silent videos" in flow.notes[0]
    assert other.accepts("first_frame", "last_frame")
    assert other.always_silent
    assert other.offers["beijing"].price[settings["resolution"]] < row.offers["beijing"].price[settings["resolution"]]


def test_the_note_on_continuing_says_how_many_of_the_seconds_are_the_clips(read_flow):
    flow = read_flow("continue_video")
    [(clip, _), (whole, _)] = makers(flow.api)
    clip, whole = clip["duration"], whole["duration"]
    assert f"here, {clip} of its {whole} seconds, and all {whole} are charged." in flow.notes[0]
    assert f"这里 {whole} 秒中有 {clip} 秒是原片段，{whole} 秒全部计费。" in flow.notes[0]
    assert "MP4 or MOV of {} to {} s".format(*CLIP_SECONDS) in flow.notes[0]
    assert "{} 至 {} 秒的 MP4 或 MOV".format(*CLIP_SECONDS) in flow.notes[0]


def test_the_note_on_a_long_video_says_how_long_it_can_be_how_long_one_waits_and_what_it_needs(read_flow):
    flow = read_flow("wan3_long")
    [(_, row)] = makers(flow.api)
    minutes = [s / 60 for s in row.typical_wait]
    assert f"**{row.id}** makes up to {max(row.durations)} seconds" in flow.notes[0]
    assert f"**{row.id}** 最长生成 {max(row.durations)} 秒" in flow.notes[0]
    assert "It renders for {:.0f} to {:.0f} minutes.".format(*minutes) in flow.notes[0]
    assert "渲染需要 {:.0f} 至 {:.0f} 分钟。".format(*minutes) in flow.notes[0]
    assert row.workspace_hosts_only
    assert "enter a **workspace_id** in *DashScope Connection*" in flow.notes[0]


def test_the_note_on_happyhorse_says_what_its_row_says(read_flow):
    flow = read_flow("happyhorse")
    [(_, row)] = makers(flow.api)
    assert f"**{row.id}** always generates audio" in flow.notes[0]
    assert (row.has_audio(generate_audio=False), row.negative_prompt, row.prompt_extend) == (True, False, False)
    assert f"Each side of the image must have at least {row.image_limits.sides[0]} pixels." in flow.notes[0]
    assert f"图像的每条边至少 {row.image_limits.sides[0]} 像素。" in flow.notes[0]


def test_a_workflow_has_a_thumbnail_that_loads_quickly(flow):
    [path] = FOLDER.glob(f"??_{flow.name}.jpg")
    assert path.stat().st_size <= MOST_BYTES
    with Image.open(path) as image:
        assert image.format == "JPEG"
        assert image.width >= LEAST_WIDTH
        image.load()


def test_no_thumbnail_is_left_over():
    assert {path.stem for path in FOLDER.glob("*.jpg")} == {path.stem for path in FOLDER.glob("*.json")}


@pytest.mark.parametrize("folder", [FOLDER, FOLDER / "api"])
def test_there_is_nothing_of_the_makers_machine_in_a_workflow(folder):
    for path in folder.glob("*.json"):
        text = path.read_text("utf-8")
        assert not re.search(r"sk-|/home/|/Users/|/work/|[A-Z]:\\\\", text), path.name
