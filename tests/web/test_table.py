"""The table in the nodes' definitions, without a browser."""

import json
from pathlib import Path

import pytest
from wanpack.nodes import NODES
from wanpack.nodes.image_to_video import DashScopeWanImageToVideo
from wanpack.nodes.video_effect import DashScopeWanVideoEffect
from wanpack.wan.catalog.fields import rows_of
from wanpack.wan.catalog.jobs import ALL_ROWS
from wanpack.wan.catalog.regions import REGIONS

SCRIPTS = sorted((Path(__file__).resolve().parents[2] / "nodes" / "web").glob("*.js"))


def inputs_of(node):
    kinds = node.INPUT_TYPES()
    return {**kinds.get("required", {}), **kinds.get("optional", {})}


@pytest.mark.parametrize("node", [node for node in NODES if "model" in inputs_of(node)])
def test_every_offered_model_is_in_the_table_and_the_table_is_json(node):
    offered, options = inputs_of(node)["model"]
    table = json.loads(json.dumps(options["dashscope_wan"]))
    assert list(table["models"]) == offered
    for model, rules in table["models"].items():
        row = next(rows[model] for rows in map(rows_of, node.JOBS) if model in rows)
        assert rules["allowed"]["resolution"] == list(row.resolutions)
        # With a clip, which has a second at least, some are too short or too long.
        assert set(rules["allowed"]["duration"]) <= set(row.durations)
        assert len(row.durations) - len(rules["allowed"]["duration"]) <= 1
        assert all(rules["allowed"].values()), model
        assert set(rules["prices"]) <= set(table["regions"])


@pytest.mark.parametrize("node", [node for node in NODES if "model" in inputs_of(node)])
def test_references_and_voices_are_inputs_of_the_node_in_its_order(node):
    inputs = inputs_of(node)
    table = inputs["model"][1]["dashscope_wan"]
    assert table["references"] == [name for name in inputs if name in table["references"]]
    for model, rules in table["models"].items():
        names, types = rules["names"], set(rules["types"])
        assert names is None or set(names["en"]) == set(names["zh"]) == types, model
        assert {name for name in rules["unused"] if name.startswith("voice_")} <= set(inputs)


@pytest.mark.parametrize(("owner", "region"), [("", "beijing"), (" Singapore", "singapore"), ("nowhere", None)])
def test_the_table_says_which_region_the_default_is(bare_environment, standalone_host, monkeypatch, owner, region):
    monkeypatch.setenv("DASHSCOPE_REGION", owner)
    _, options = DashScopeWanImageToVideo.INPUT_TYPES()["required"]["model"]
    assert options["dashscope_wan"]["own_region"] == region


def test_a_broken_credentials_file_does_not_take_the_nodes_away(bare_environment, standalone_host, tmp_path):
    (tmp_path / ".wan").mkdir()
    (tmp_path / ".wan" / "credentials.toml").write_text('region = "singapore')
    _, options = DashScopeWanImageToVideo.INPUT_TYPES()["required"]["model"]
    assert options["dashscope_wan"]["own_region"] is None


def test_effects_are_priced_only_where_they_run():
    _, options = DashScopeWanVideoEffect.INPUT_TYPES()["required"]["model"]
    for rules in options["dashscope_wan"]["models"].values():
        assert all(REGIONS[region].effects for region in rules["prices"])


def forms_of(row):
    """What no comment of a script has by chance: names with a number or a bracket."""
    names = row.reference_names
    return [] if names is None else [form for form in names.english.values() if form[0] in "[c"]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_the_extension_knows_no_model_of_its_own(script):
    text = script.read_text(encoding="utf-8")
    assert not [row.id for row in ALL_ROWS if row.id in text]
    assert not [form for row in ALL_ROWS for form in forms_of(row) if form.split("{n}")[0] in text]
    assert not [tier for tier in ("480P", "1080P") if f'"{tier}"' in text]
