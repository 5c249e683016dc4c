"""The table in the nodes' definitions, without a browser."""

import json
from pathlib import Path

import pytest
from wanpack.nodes.image_to_video import DashScopeWanImageToVideo
from wanpack.nodes.video_effect import DashScopeWanVideoEffect
from wanpack.wan.catalog.models import MODELS
from wanpack.wan.catalog.regions import REGIONS

SCRIPTS = sorted((Path(__file__).resolve().parents[2] / "nodes" / "web").glob("*.js"))


@pytest.mark.parametrize("node", [DashScopeWanImageToVideo, DashScopeWanVideoEffect])
def test_every_offered_model_is_in_the_table_and_the_table_is_json(node):
    offered, options = node.INPUT_TYPES()["required"]["model"]
    table = json.loads(json.dumps(options["dashscope_wan"]))
    assert list(table["models"]) == offered
    for model, rules in table["models"].items():
        assert rules["allowed"]["resolution"] == list(MODELS[model].resolutions)
        assert rules["allowed"]["duration"] == list(MODELS[model].durations)
        assert set(rules["prices"]) <= set(table["regions"])


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


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_the_extension_knows_no_model_of_its_own(script):
    text = script.read_text(encoding="utf-8")
    assert not [model for model in MODELS if model in text]
    assert not [tier for tier in ("480P", "1080P") if f'"{tier}"' in text]
