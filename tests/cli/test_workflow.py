"""Workflow files and the options that change them."""

import json

import pytest

from cli.errors import StandaloneError
from cli.workflow import kept_offline, read_workflow, with_constant, with_image

GRAPH = {
    "1": {"class_type": "LoadImage", "inputs": {"image": "example.png"}},
    "2": {"class_type": "Wan", "inputs": {"prompt": "a cat", "model": "m", "image": ["1", 0]}},
    "3": {"class_type": "Wan", "inputs": {"prompt": ["4", 0], "model": "m"}},
    "4": {"class_type": "PrimitiveString", "inputs": {"value": "linked"}},
    "5": {"class_type": "DashScopeWanConnection", "inputs": {"region": "singapore", "workspace_id": "w"}},
}


@pytest.fixture
def write(tmp_path):
    def write(content):
        path = tmp_path / "flow.json"
        path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
        return path

    return write


def read(path):
    return read_workflow(path, api_folder=path.parent / "api")


def test_a_graph_in_api_format_is_read(write):
    assert read(write(GRAPH)) == GRAPH
    assert read(write(b"\xef\xbb\xbf" + json.dumps(GRAPH).encode())) == GRAPH


@pytest.mark.parametrize(
    ("content", "reported"),
    [
        (b"{", r"flow\.json is no JSON: .*line 1 column 2"),
        pytest.param(b"[" * 200_000, "it is nested too deeply", id="deep"),
        (b"\xff\xfe\x00", r"flow\.json cannot be read"),
        ([], "holds no workflow in API format"),
        ({}, "holds no workflow in API format"),
        ({"1": 5}, "holds no workflow in API format"),
        ({"nodes": [], "links": []}, r"use File > Export \(API\)"),
    ],
)
def test_a_file_that_holds_no_such_graph_is_refused(write, content, reported):
    with pytest.raises(StandaloneError, match=reported):
        read(write(content))


@pytest.mark.parametrize(
    "beside", [{}, {"client_id": "x", "extra_data": {"extra_pnginfo": {"workflow": {"nodes": []}}}}, {"workflow": {}}]
)
def test_a_request_to_comfyui_is_read_as_its_graph(write, beside):
    graph = {"1": {"class_type": "LoadImage", "inputs": {"image": "a.png"}}}
    assert read(write({"prompt": graph, **beside})) == graph


def test_a_node_may_be_called_prompt(write):
    graph = {"prompt": {"class_type": "PrimitiveString", "inputs": {"value": "a cat"}}}
    assert read(write(graph)) == graph


@pytest.mark.parametrize("inside", [{}, [], {"1": "x"}, None])
def test_a_request_without_a_graph_is_refused(write, inside):
    with pytest.raises(StandaloneError, match="holds no workflow in API format"):
        read(write({"prompt": inside}))


def test_a_missing_file_is_reported(tmp_path):
    with pytest.raises(StandaloneError, match="There is no workflow file"):
        read(tmp_path / "nothing.json")


def test_for_one_of_our_own_workflows_the_same_in_api_format_is_named(write, tmp_path):
    (tmp_path / "api").mkdir()
    twin = tmp_path / "api" / "flow.json"
    twin.write_text("{}")
    with pytest.raises(StandaloneError) as caught:
        read(write({"nodes": []}))
    assert str(twin) in str(caught.value)


def test_another_image_is_loaded_by_its_absolute_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    image = tmp_path / "my cat.png"
    image.touch()
    changed = with_image(GRAPH, image.relative_to(tmp_path))
    assert changed["1"]["inputs"] == {"image": str(image)}
    assert changed["2"] == GRAPH["2"]
    assert GRAPH["1"]["inputs"] == {"image": "example.png"}


def test_a_missing_image_is_reported(tmp_path):
    with pytest.raises(StandaloneError, match="There is no picture"):
        with_image(GRAPH, tmp_path / "nothing.png")


def test_a_constant_is_replaced_and_a_link_is_not():
    changed = with_constant(GRAPH, "prompt", value="a dog")
    assert changed["2"]["inputs"]["prompt"] == "a dog"
    assert changed["3"]["inputs"]["prompt"] == ["4", 0]


def test_an_option_with_nothing_to_replace_is_reported(tmp_path):
    image = tmp_path / "cat.png"
    image.touch()
    with pytest.raises(StandaloneError, match="--image has nothing to replace"):
        with_image({"4": GRAPH["4"]}, image)
    with pytest.raises(StandaloneError, match="--model has nothing to replace"):
        with_constant({"4": GRAPH["4"]}, "model", value="m2")


def test_every_connection_is_kept_offline():
    assert kept_offline(GRAPH)["5"]["inputs"] == {"region": "offline", "workspace_id": "w"}
    assert kept_offline(GRAPH)["2"] == GRAPH["2"]
