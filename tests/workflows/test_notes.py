"""What a workflow says about itself before it is run: its note, and its picture in the list of templates."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import wanpack
from PIL import Image
from wanpack.nodes.service.effects import EFFECTS
from wanpack.nodes.service.model import PRICES_AS_OF
from wanpack.nodes.service.models import MODELS

FOLDER = Path(wanpack.__file__).parent / "workflows"
COST = re.compile(r"Costs about CNY (\d+\.\d\d) in Beijing \(list price of (\d{4}-\d\d-\d\d)\)\.")
MAKERS = ("DashScopeWanImageToVideo", "DashScopeWanVideoEffect")
MOST_BYTES = 60_000
LEAST_WIDTH = 300


def pictures_into(node, graph):
    """How many pictures come into a node's `image`."""
    source = graph[node["inputs"]["image"][0]]
    return source["inputs"]["amount"] if source["class_type"] == "RepeatImageBatch" else 1


def price(graph):
    """What a graph costs in Beijing by the table of models."""
    total = 0.0
    for node in graph.values():
        if node["class_type"] in MAKERS:
            settings = node["inputs"]
            rate = MODELS[settings["model"]].price_per_second(
                region="beijing",
                resolution=settings["resolution"],
                generate_audio=settings.get("generate_audio", True),
            )
            total += rate * settings["duration"] * pictures_into(node, graph)
    return total


def test_a_note_says_what_it_costs_by_the_price_list_and_of_which_day_that_is(flow):
    [note] = flow.notes
    [(amount, day)] = COST.findall(note)
    assert amount == f"{price(flow.api):.2f}"
    assert day == PRICES_AS_OF


def test_a_note_says_what_is_shown_and_how_to_run_it_without_a_key(flow):
    [note] = flow.notes
    title, what, costs = note.split("\n\n")
    assert re.fullmatch(r"## \w.{5,}", title)
    assert len(what) > 60
    assert "set `region` to **offline** in *DashScope Connection* and run, at no cost." in costs


def test_a_note_names_only_models_inputs_and_nodes_that_there_are(flow):
    [note] = flow.notes
    nodes = wanpack.NODE_CLASS_MAPPINGS.values()
    inputs = {name for node in nodes for part in node.INPUT_TYPES().values() for name in part}
    assert set(re.findall(r"`([a-z_]+)`", note)) <= inputs
    assert set(re.findall(r"wan[x\d][\w.]*-[\w.-]*\w", note)) <= set(MODELS)


def test_the_note_on_effects_says_what_its_picture_should_show(read_flow):
    flow = read_flow("video_effect")
    [effect] = {node["inputs"]["template"] for node in flow.api.values() if "template" in node["inputs"]}
    assert f"**{effect}** wants {EFFECTS[effect].picture}." in flow.notes[0]


def test_the_note_on_silence_is_right_that_it_halves_the_price():
    model = MODELS["wan2.6-i2v-flash"]
    for tier in model.resolutions:
        loud, silent = (
            model.price_per_second(region="beijing", resolution=tier, generate_audio=sound) for sound in (True, False)
        )
        assert silent == loud / 2


def test_a_workflow_has_a_thumbnail_that_loads_quickly(flow):
    path = FOLDER / f"{flow.name}.jpg"
    assert path.stat().st_size <= MOST_BYTES
    with Image.open(path) as picture:
        assert picture.format == "JPEG"
        assert picture.width >= LEAST_WIDTH
        picture.load()


def test_no_thumbnail_is_left_over():
    assert {path.stem for path in FOLDER.glob("*.jpg")} == {path.stem for path in FOLDER.glob("*.json")}


@pytest.mark.parametrize("folder", [FOLDER, FOLDER / "api"])
def test_there_is_nothing_of_the_makers_machine_in_a_workflow(folder):
    for path in folder.glob("*.json"):
        text = path.read_text("utf-8")
        assert not re.search(r"sk-|/home/|/Users/|/work/|[A-Z]:\\\\", text), path.name
