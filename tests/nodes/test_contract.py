"""What saved workflows depend on, against the snapshot in contract.json. The snapshot is only ever appended to."""

from __future__ import annotations

import inspect
import json
from pathlib import Path

import pytest
import wanpack
from wanpack.nodes import NODES
from wanpack.nodes.model_rules import KEY as RULES

CONTRACT = json.loads((Path(__file__).parent / "contract.json").read_text("utf-8"))
KEPT_OPTIONS = ("default", "min", "max", "multiline", "control_after_generate")
CORE_IDS = {"WanImageToVideo", "WanImageToVideoApi", "Wan2ImageToVideoApi"}

of_every_node = pytest.mark.parametrize("node", NODES, ids=lambda node: node.NODE_ID)


def inputs_of(node):
    """Every input in order: required or optional, name, type or choices, the options that workflows depend on."""
    found = []
    for kind, fields in node.INPUT_TYPES().items():
        for name, (type_, options) in fields.items() if kind != "hidden" else ():
            found.append([kind, name, type_, {key: options[key] for key in KEPT_OPTIONS if key in options}])
    return found


def outputs_of(node):
    lists = getattr(node, "OUTPUT_IS_LIST", (False,) * len(node.RETURN_TYPES))
    columns = zip(node.RETURN_NAMES, node.RETURN_TYPES, lists, strict=True)
    return [[name, type_, "list" if many else "one"] for name, type_, many in columns]


def test_the_nodes_have_the_ids_and_names_of_the_contract():
    names = {name: rules["display_name"] for name, rules in CONTRACT.items()}
    assert names == wanpack.NODE_DISPLAY_NAME_MAPPINGS
    assert list(CONTRACT) == list(wanpack.NODE_CLASS_MAPPINGS)


@of_every_node
def test_a_node_is_found_under_its_id(node):
    assert wanpack.NODE_CLASS_MAPPINGS[node.NODE_ID] is node
    assert node.NODE_ID.startswith("DashScopeWan")
    assert node.NODE_ID not in CORE_IDS


@of_every_node
def test_a_nodes_inputs_are_those_of_the_contract_in_their_order(node):
    assert inputs_of(node) == CONTRACT[node.NODE_ID]["inputs"]


@of_every_node
def test_a_node_is_found_by_what_users_type(node):
    assert len(set(node.SEARCH_ALIASES)) == len(node.SEARCH_ALIASES) > 5
    assert any(not alias.isascii() for alias in node.SEARCH_ALIASES)
    if node.NODE_ID not in ("DashScopeWanLastFrame", "DashScopeWanJoinVideos"):  # They speak with nobody.
        assert {"dashscope", "alibaba", "bailian", "百炼", "通义", "qwen"} <= set(node.SEARCH_ALIASES)


def test_the_main_node_is_found_by_its_jobs():
    wanted = {"i2v", "image to video", "image2video", "图生视频", "首尾帧", "happyhorse", "first last frame"}
    assert wanted <= set(NODES[0].SEARCH_ALIASES)


@of_every_node
def test_a_nodes_outputs_are_those_of_the_contract_in_their_order(node):
    assert outputs_of(node) == CONTRACT[node.NODE_ID]["outputs"]


@of_every_node
def test_a_node_is_in_the_category_of_the_contract_and_saves_only_where_it_says(node):
    rules = CONTRACT[node.NODE_ID]
    assert (node.CATEGORY, getattr(node, "OUTPUT_NODE", False)) == (rules["category"], rules["output_node"])


@of_every_node
def test_required_inputs_come_before_optional_ones(node):
    kinds = [kind for kind, *_ in inputs_of(node)]
    assert kinds == sorted(kinds, reverse=True)


@of_every_node
def test_a_node_takes_exactly_the_inputs_that_it_describes(node):
    described = [name for fields in node.INPUT_TYPES().values() for name in fields]
    taken = inspect.signature(getattr(node(), node.FUNCTION)).parameters
    assert sorted(taken) == sorted(described)


@of_every_node
def test_an_optional_input_that_is_not_given_has_its_widgets_default(node):
    taken = inspect.signature(getattr(node(), node.FUNCTION)).parameters
    for name, (_, options) in node.INPUT_TYPES().get("optional", {}).items():
        assert taken[name].default == options.get("default"), name


@of_every_node
def test_the_nodes_that_wait_are_async(node):
    # A node that is not blocks every other node while it waits.
    waits = node.NODE_ID != "DashScopeWanConnection"
    assert inspect.iscoroutinefunction(getattr(node, node.FUNCTION)) is waits


@of_every_node
def test_every_input_and_output_is_explained(node):
    for fields in (node.INPUT_TYPES().get(kind, {}) for kind in ("required", "optional")):
        assert all(options["tooltip"] for _, options in fields.values())
    assert len(node.OUTPUT_TOOLTIPS) == len(node.RETURN_TYPES)
    assert all(node.OUTPUT_TOOLTIPS)
    assert node.DESCRIPTION


@of_every_node
def test_what_a_node_says_in_english_is_ascii(node):
    # The page's rules have the names of references in other languages as well.
    inputs = {**node.INPUT_TYPES().get("required", {}), **node.INPUT_TYPES().get("optional", {})}
    texts = {name: [type_, {**options, RULES: None}] for name, (type_, options) in inputs.items()}
    said = json.dumps([texts, node.DESCRIPTION, node.OUTPUT_TOOLTIPS], ensure_ascii=False)
    assert said.isascii()


@of_every_node
def test_what_a_node_describes_can_be_sent_to_the_browser(node):
    assert json.loads(json.dumps(node.INPUT_TYPES()))


@of_every_node
def test_a_default_is_one_of_the_choices(node):
    for _, name, type_, options in inputs_of(node):
        if isinstance(type_, list):
            assert options["default"] in type_, name
            assert len(set(type_)) == len(type_), name
        if "min" in options:
            assert options["min"] <= options["default"] <= options["max"], name


def test_a_workflow_holds_neither_a_key_nor_an_address_of_the_service():
    names = {name for node in NODES for _, name, *_ in inputs_of(node)}
    assert not {name for name in names if "key" in name or "token" in name or "host" in name}
    # These URLs lead the service to an audio file and a clip; nothing of ours is sent there.
    assert {name for name in names if "url" in name} == {"audio_url", "video_url"}
