"""What a workflow says about itself before it is run: its note, and its image in the list of templates."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import wanpack
from PIL import Image
from wanpack.wan.catalog.effects import EFFECTS
from wanpack.wan.catalog.models import CLIP_SECONDS, MODELS
from wanpack.wan.catalog.regions import REGIONS

FOLDER = Path(wanpack.__file__).parent / "workflows"
COST = re.compile(r"Costs about ([A-Z]{3} \d+\.\d\d) in Beijing \(list price of (\d{4}-\d\d-\d\d)\)\.")
MODEL = re.compile(r"(?:wan[x\d]|happyhorse-)[\w.]*-[\w.-]*\w")
MOST_BYTES = 60_000
LEAST_WIDTH = 300


def makers(graph):
    """The settings of the nodes that make videos, each with its model's row."""
    return [(node["inputs"], MODELS[node["inputs"]["model"]]) for node in graph.values() if "model" in node["inputs"]]


def videos_of(settings, graph):
    """How many videos a node makes: one for each image that comes into its `image`, or one for its clip."""
    source = graph[settings.get("image", settings.get("video"))[0]]
    return source["inputs"]["amount"] if source["class_type"] == "RepeatImageBatch" else 1


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
        total += rate * settings["duration"] * videos_of(settings, graph)
    [(currency, day)] = lists
    return f"{currency} {total:.2f}", day


def test_a_note_says_what_it_costs_by_the_price_list_and_of_which_day_that_is(flow):
    [note] = flow.notes
    assert COST.findall(note) == [price(flow.api)]


def test_a_note_says_what_is_shown_and_how_to_run_it_without_a_key(flow):
    [note] = flow.notes
    title, what, costs = note.split("\n\n")
    assert re.fullmatch(r"## \w.{5,}", title)
    assert len(what) > 60
    assert "set **region** to **offline** in *DashScope Connection* and run, free of charge." in costs


def test_a_note_names_only_models_inputs_and_nodes_that_there_are(flow):
    [note] = flow.notes
    nodes = wanpack.NODE_CLASS_MAPPINGS.values()
    inputs = {name for node in nodes for part in node.INPUT_TYPES().values() for name in part}
    assert set(re.findall(r"`([a-z_]+)`", note)) <= inputs
    assert set(MODEL.findall(note)) <= set(MODELS)


def test_the_note_on_effects_says_what_its_image_should_show(read_flow):
    flow = read_flow("video_effect")
    [effect] = {node["inputs"]["template"] for node in flow.api.values() if "template" in node["inputs"]}
    assert f"**{effect}** requires {EFFECTS[effect].image}." in flow.notes[0]


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
    [other] = [MODELS[name] for name in MODEL.findall(flow.notes[0])]
    assert "costs less, but makes silent videos" in flow.notes[0]
    assert other.accepts("first_frame", "last_frame")
    assert other.always_silent
    assert other.offers["beijing"].price[settings["resolution"]] < row.offers["beijing"].price[settings["resolution"]]


def test_the_note_on_continuing_says_how_many_of_the_seconds_are_the_clips(read_flow):
    flow = read_flow("continue_video")
    [(clip, _), (whole, _)] = makers(flow.api)
    clip, whole = clip["duration"], whole["duration"]
    assert f"here, {clip} of its {whole} seconds, and all {whole} are charged." in flow.notes[0]
    assert "MP4 or MOV of {} to {} s".format(*CLIP_SECONDS) in flow.notes[0]


def test_the_note_on_a_long_video_says_how_long_it_can_be_how_long_one_waits_and_what_it_needs(read_flow):
    flow = read_flow("wan3_long")
    [(_, row)] = makers(flow.api)
    assert f"**{row.id}** makes up to {max(row.durations)} seconds" in flow.notes[0]
    assert "It renders for {:.0f} to {:.0f} minutes.".format(*(s / 60 for s in row.typical_wait)) in flow.notes[0]
    assert row.workspace_hosts_only
    assert "enter a **workspace_id** in *DashScope Connection*" in flow.notes[0]


def test_the_note_on_happyhorse_says_what_its_row_says(read_flow):
    flow = read_flow("happyhorse")
    [(_, row)] = makers(flow.api)
    assert f"**{row.id}** always generates audio" in flow.notes[0]
    assert (row.has_audio(generate_audio=False), row.negative_prompt, row.prompt_extend) == (True, False, False)
    assert f"Each side of the image must have at least {row.image_limits.sides[0]} pixels." in flow.notes[0]


def test_a_workflow_has_a_thumbnail_that_loads_quickly(flow):
    path = FOLDER / f"{flow.name}.jpg"
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
