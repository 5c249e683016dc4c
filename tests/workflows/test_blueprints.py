"""The subgraphs that ComfyUI offers among its blueprints: they fit the nodes' definitions, and run offline."""

from __future__ import annotations

import json
from pathlib import Path

import av
import pytest
import wanpack
from wanpack.wan.catalog.models import MODELS

from cli.schema import declared_inputs

FOLDER = Path(wanpack.__file__).parent / "subgraphs"
LONG, TWO_FRAMES = "Image to long video (DashScope)", "First and last frame (DashScope)"
INPUT, OUTPUT = -10, -20
"""The ids of a subgraph's own ends."""


def read(name):
    return json.loads((FOLDER / f"{name}.json").read_text("utf-8"))


@pytest.fixture(params=[LONG, TWO_FRAMES])
def blueprint(request):
    return read(request.param)


def inside(blueprint):
    [subgraph] = blueprint["definitions"]["subgraphs"]
    return subgraph


def ours(subgraph):
    return [node for node in subgraph["nodes"] if node["type"] in wanpack.NODE_CLASS_MAPPINGS]


def values(node):
    """A node's widget values by the names of their inputs. What the browser puts behind a seed is left out."""
    names = []
    for socket in node["inputs"]:
        if "widget" in socket:
            names += [socket["name"], ""] if socket["name"] == "seed" else [socket["name"]]
    stored = dict(zip(names, node["widgets_values"], strict=True))
    assert stored.pop("", "fixed") == "fixed"
    return stored


def graph_of(subgraph, *, image):
    """Our nodes of a subgraph in API format; what comes from outside is this image, or left out."""
    links = {link["id"]: link for link in subgraph["links"]}
    graph = {"100": {"class_type": "LoadImage", "inputs": {"image": image}}}
    for node in ours(subgraph):
        inputs = values(node)
        for socket in node["inputs"]:
            link = links.get(socket["link"])
            if link and link["origin_id"] != INPUT:
                inputs[socket["name"]] = [str(link["origin_id"]), link["origin_slot"]]
            elif link and socket["type"] == "IMAGE":
                inputs[socket["name"]] = ["100", 0]
        graph[str(node["id"])] = {"class_type": node["type"], "inputs": inputs}
    return graph


def test_both_are_there():
    assert {path.stem for path in FOLDER.iterdir()} == {LONG, TWO_FRAMES}


def test_our_nodes_in_it_are_those_of_the_definitions(blueprint):
    for node in ours(inside(blueprint)):
        declared = declared_inputs(wanpack.NODE_CLASS_MAPPINGS[node["type"]])
        assert {socket["name"] for socket in node["inputs"]} == set(declared)
        for name, value in values(node).items():
            kind = declared[name].type
            assert not isinstance(kind, list) or value in kind, name


def test_what_it_shows_is_what_stands_inside(blueprint):
    [shown], subgraph = blueprint["nodes"], inside(blueprint)
    assert shown["type"] == subgraph["id"]
    nodes = {node["id"]: node for node in subgraph["nodes"]}
    links = {link["id"]: link for link in subgraph["links"]}
    stored = iter(shown["widgets_values"])
    for socket, outside in zip(subgraph["inputs"], shown["inputs"], strict=True):
        assert (socket["name"], socket["type"], socket["label"]) == (outside["name"], outside["type"], outside["label"])
        ends = [links[number] for number in socket["linkIds"]]
        inner = [nodes[link["target_id"]]["inputs"][link["target_slot"]] for link in ends]
        assert ends
        assert [one["type"] for one in inner] == [socket["type"]] * len(ends)
        if "widget" in outside:
            value = next(stored)
            for link, one in zip(ends, inner, strict=True):
                assert values(nodes[link["target_id"]])[one["name"]] == value
    assert next(stored, None) is None
    assert [output["name"] for output in shown["outputs"]] == [output["name"] for output in subgraph["outputs"]]


def test_both_ends_of_every_link_inside_know_it(blueprint):
    subgraph = inside(blueprint)
    nodes = {node["id"]: node for node in subgraph["nodes"]}
    for link in subgraph["links"]:
        if link["origin_id"] == INPUT:
            begin = subgraph["inputs"][link["origin_slot"]]
            assert link["id"] in begin["linkIds"]
        else:
            begin = nodes[link["origin_id"]]["outputs"][link["origin_slot"]]
            assert link["id"] in begin["links"]
        if link["target_id"] == OUTPUT:
            end = subgraph["outputs"][link["target_slot"]]
            assert end["linkIds"] == [link["id"]]
        else:
            end = nodes[link["target_id"]]["inputs"][link["target_slot"]]
            assert end["link"] == link["id"]
        assert begin["type"] == end["type"] == link["type"]


def test_labels_and_descriptions_are_in_both_languages(blueprint):
    [shown] = blueprint["nodes"]
    for label in [socket["label"] for socket in shown["inputs"] + shown["outputs"]]:
        english, chinese = label.split(" · ")
        assert english.isascii()
        assert not chinese.isascii()
    assert blueprint["extra"]["BlueprintDescription"] == inside(blueprint)["description"]
    assert "图生视频" in blueprint["extra"]["BlueprintSearchAliases"]


def test_the_model_between_two_frames_takes_both():
    [node] = ours(inside(read(TWO_FRAMES)))
    assert MODELS[values(node)["model"]].accepts("first_frame", "last_frame")


def test_the_long_video_is_joined_in_the_order_of_its_clips():
    subgraph = inside(read(LONG))
    nodes = {node["id"]: node for node in subgraph["nodes"]}
    links = {link["id"]: link for link in subgraph["links"]}

    def sources(node):
        """The ids of the nodes that a node takes from, in the order of its inputs."""
        return [links[socket["link"]]["origin_id"] for socket in node["inputs"] if socket["link"] is not None]

    [joined] = [node for node in nodes.values() if node["type"] == "DashScopeWanJoinVideos"]
    clips = sources(joined)
    assert [values(nodes[clip])["filename_prefix"] for clip in clips] == ["wan/long_1", "wan/long_2", "wan/long_3"]
    assert values(joined)["drop_repeated_frame"]


LAST = "long_00004_.mp4"


def test_its_three_clips_run_offline_each_from_the_one_before(runner, tmp_path):
    graph = graph_of(inside(read(LONG)), image="example.png")
    clips = {key: node for key, node in graph.items() if "model" in node["inputs"]}
    for key, node in clips.items():
        node["inputs"] |= {"prompt": f"clip {key}", "duration": 2}
    ran = runner.graph(graph, tmp_path / "long.json")
    assert ran.status == 0, ran.err
    assert [video.name for video in ran.videos] == [*(f"long_{number}_00001_.mp4" for number in (1, 2, 3)), LAST]
    assert [create.body["input"]["prompt"] for create in ran.creates] == [f"clip {key}" for key in clips]
    for video in ran.videos:
        with av.open(str(video)) as container:
            assert container.streams.audio


def test_a_video_between_two_frames_runs_offline(runner, tmp_path):
    graph = graph_of(inside(read(TWO_FRAMES)), image="example.png")
    [node] = [node for node in graph.values() if "model" in node["inputs"]]
    node["inputs"] |= {"prompt": "she waves", "duration": 2}
    ran = runner.graph(graph, tmp_path / "frames.json")
    assert ran.status == 0, ran.err
    [create] = ran.creates
    assert [item["type"] for item in create.body["input"]["media"]] == ["first_frame", "last_frame"]
