"""The two formats of a workflow say the same: what ComfyUI would export from the one is the other."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest
import wanpack

from cli.core_nodes import core_nodes
from cli.folders import Folders
from cli.schema import declared_inputs

WIDGETS = ("INT", "FLOAT", "STRING", "BOOLEAN", "COMBO")
# What the browser puts behind a widget of its own accord: option -> (name, what it may be).
COMPANIONS = {
    "control_after_generate": ("control_after_generate", {"fixed", "increment", "decrement", "randomize"}),
    "image_upload": ("upload", {"image"}),
}
EARLIER = {
    *("first_frame", "multi_shot", "auto_dubbing", "audio_file", "silent"),
    *("video_effect", "negative_prompt", "chain_clips", "batch", "image_to_frames"),
}
"""Files that were saved before the main node had the inputs of APPENDED, and stay as they are."""
APPENDED = {"DashScopeWanImageToVideo": {"last_frame", "ratio"}}
SHIPPED = EARLIER | {
    *("first_last_frame", "continue_video", "wan3_long", "happyhorse"),
    *("text_to_video", "reference_to_video", "edit_video", "long_film"),
}
POSITIONS = {
    "DashScopeWanImageToVideo": [
        *("prompt", "model", "resolution", "duration", "shot_type", "prompt_extend", "negative_prompt", "seed"),
        *("+control_after_generate", "generate_audio", "watermark", "audio_url", "filename_prefix"),
    ],
    "DashScopeWanVideoEffect": [
        *("template", "model", "resolution", "duration", "seed", "+control_after_generate"),
        *("watermark", "filename_prefix"),
    ],
    "DashScopeWanLastFrame": ["video_path"],
    "DashScopeWanConnection": ["region", "workspace_id", "max_wait_minutes"],
}
"""What the values of the earlier files stand for, in their order."""


@pytest.fixture(scope="module")
def classes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("folders")
    core = core_nodes(Folders(inputs=(folder,), output=folder, temp=folder), video_from_file=str)
    return {**core, **wanpack.NODE_CLASS_MAPPINGS}


def is_widget(declared):
    return isinstance(declared.type, list) or declared.type in WIDGETS


def inputs_of(node_class, *, flow=None):
    """A node's inputs: all there are, or those that a workflow's file can know."""
    unknown = APPENDED.get(node_class.__name__, ()) if flow and flow.name in EARLIER else ()
    return {name: declared for name, declared in declared_inputs(node_class).items() if name not in unknown}


def widget_names(node_class, *, flow=None):
    """The names of a node's stored widget values, in the order of the definition. Companions have a "+" before."""
    names = []
    for declared in inputs_of(node_class, flow=flow).values():
        if is_widget(declared):
            names.append(declared.name)
            names += [f"+{name}" for option, (name, _) in COMPANIONS.items() if declared.options.get(option)]
    return names


def stored(node, node_class, *, flow):
    """A node's widget values by name. One more or one less than the definition has is an error."""
    return dict(zip(widget_names(node_class, flow=flow), node.get("widgets_values") or [], strict=True))


def exported(flow, classes):
    """What ComfyUI's export in API format would hold of the UI format, titles aside."""
    links = {link[0]: link for link in flow.ui["links"]}
    graph = {}
    for node in flow.nodes:
        values = stored(node, classes[node["type"]], flow=flow)
        inputs = {name: value for name, value in values.items() if not name.startswith("+")}
        for socket in node["inputs"]:
            if socket["link"] is not None:
                _, source, output, *_ = links[socket["link"]]
                inputs[socket["name"]] = [str(source), output]
        graph[str(node["id"])] = {"class_type": node["type"], "inputs": inputs}
    return graph


def test_every_workflow_is_there_in_both_formats():
    folder = Path(wanpack.__file__).parent / "workflows"
    files = [path.stem for path in sorted(folder.glob("*.json"))]
    assert {name[3:] for name in files} == SHIPPED
    assert [path.stem for path in sorted((folder / "api").glob("*.json"))] == files


def test_the_names_sort_by_use():
    files = [path.stem for path in sorted((Path(wanpack.__file__).parent / "workflows").glob("*.json"))]
    assert [int(name[:2]) for name in files] == list(range(1, len(files) + 1))
    assert files[0] == "01_first_frame"


@pytest.mark.parametrize("name", sorted(EARLIER))
def test_the_values_of_an_earlier_file_fill_the_inputs_that_they_were_saved_from(name, read_flow, classes):
    ours = [node for node in read_flow(name).nodes if node["type"].startswith("DashScopeWan")]
    assert ours
    for node in ours:
        assert widget_names(classes[node["type"]])[: len(node["widgets_values"])] == POSITIONS[node["type"]]


def test_what_an_earlier_file_does_not_know_is_optional_and_comes_last(classes):
    for kind, names in APPENDED.items():
        declared = list(declared_inputs(classes[kind]).values())
        assert {each.name for each in declared[-len(names) :]} == names
        assert not any(each.required for each in declared[-len(names) :])


def test_the_api_format_is_what_comfyui_exports_from_the_ui_format(flow, classes):
    reported = {key: {name: node[name] for name in ("class_type", "inputs")} for key, node in flow.api.items()}
    assert exported(flow, classes) == reported


def test_no_input_is_left_to_a_default_that_may_change(flow, classes):
    for key, node in flow.api.items():
        names = widget_names(classes[node["class_type"]], flow=flow)
        widgets = {name for name in names if not name.startswith("+")}
        assert widgets <= set(node["inputs"]), key


def test_the_titles_of_both_formats_agree(flow, classes):
    for node in flow.nodes:
        title = flow.api[str(node["id"])]["_meta"]["title"]
        assert title
        if node.get("title"):
            assert title == node["title"]
        elif node["type"] in wanpack.NODE_DISPLAY_NAME_MAPPINGS:
            assert title == wanpack.NODE_DISPLAY_NAME_MAPPINGS[node["type"]]


def test_what_the_browser_stores_beside_a_widget_is_something_it_knows(flow, classes):
    allowed = {f"+{name}": values for name, values in COMPANIONS.values()}
    for node in flow.nodes:
        for name, value in stored(node, classes[node["type"]], flow=flow).items():
            assert value in allowed.get(name, {value})


def test_every_seed_stays_as_it_is_so_that_running_again_is_not_paid_again(flow, classes):
    stores = [stored(node, classes[node["type"]], flow=flow) for node in flow.nodes]
    seeds = [values.get("+control_after_generate") for values in stores]
    assert set(seeds) == {None, "fixed"}


def test_every_node_has_the_sockets_of_its_definition(flow, classes):
    for node in flow.nodes:
        node_class = classes[node["type"]]
        declared = inputs_of(node_class, flow=flow)
        sockets = {socket["name"]: socket for socket in node["inputs"]}
        companions = {name for name, _ in COMPANIONS.values()}
        assert set(sockets) - companions == set(declared), node["type"]
        for name, socket in sockets.items():
            if name in declared:
                kind = declared[name].type
                assert socket["type"] == ("COMBO" if isinstance(kind, list) else kind), (node["type"], name)
                assert ("widget" in socket) == is_widget(declared[name])
        assert [output["type"] for output in node["outputs"]] == list(node_class.RETURN_TYPES)
        if hasattr(node_class, "RETURN_NAMES"):
            assert [output["name"] for output in node["outputs"]] == list(node_class.RETURN_NAMES)


def test_both_ends_of_every_link_know_it(flow):
    nodes = {node["id"]: node for node in flow.ui["nodes"]}
    for link, source, output, target, slot, kind in flow.ui["links"]:
        begin, end = nodes[source]["outputs"][output], nodes[target]["inputs"][slot]
        assert link in begin["links"]
        assert end["link"] == link
        assert begin["type"] == kind
        assert kind in end["type"].split(",")
    known = {link[0] for link in flow.ui["links"]}
    ends = [socket["link"] for node in nodes.values() for socket in node["inputs"] if socket["link"] is not None]
    begins = [link for node in nodes.values() for socket in node["outputs"] for link in socket["links"] or ()]
    assert sorted(ends) == sorted(begins) == sorted(known)


def test_ids_are_used_once_and_new_ones_come_after_them(flow):
    nodes = [node["id"] for node in flow.ui["nodes"]]
    links = [link[0] for link in flow.ui["links"]]
    assert len(set(nodes)) == len(nodes)
    assert len(set(links)) == len(links)
    assert flow.ui["last_node_id"] == max(nodes)
    assert flow.ui["last_link_id"] == max(links)
    assert uuid.UUID(flow.ui["id"])


def test_a_workflow_opens_with_an_image_that_every_comfyui_has(flow):
    images = [node["inputs"]["image"] for node in flow.api.values() if node["class_type"] == "LoadImage"]
    assert images == ([] if flow.name == "text_to_video" else ["example.png"])


def test_every_workflow_lets_the_region_be_chosen_in_one_place(flow):
    connections = [key for key, node in flow.api.items() if node["class_type"] == "DashScopeWanConnection"]
    makers = [node for node in flow.api.values() if "model" in node["inputs"]]
    assert len(connections) == 1
    assert makers
    assert all(node["inputs"]["connection"] == [connections[0], 0] for node in makers)


def test_app_mode_shows_what_a_newcomer_sets_and_the_video(read_flow, classes):
    flow = read_flow("first_frame")
    app = flow.ui["extra"]["linearData"]
    nodes = {str(node["id"]): node for node in flow.nodes}
    for number, name in app["inputs"]:
        assert name in widget_names(classes[nodes[number]["type"]], flow=flow)
    names = [name for _, name in app["inputs"]]
    assert names == ["image", "prompt", "model", "resolution", "duration", "seed", "region"]
    assert [nodes[number]["type"] for number in app["outputs"]] == ["DashScopeWanImageToVideo"]
