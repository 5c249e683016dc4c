"""The saved MP4 carries its graph, so that dropping it on ComfyUI's canvas brings the workflow back."""

from __future__ import annotations

import json

import av
import pytest

GRAPH = {
    "1": {"class_type": "LoadImage", "inputs": {"image": "example.png"}},
    "7": {"class_type": "DashScopeWanImageToVideo", "inputs": {"prompt": '一只猫 "跑"\n', "image": ["1", 0]}},
}
WORKFLOW = {"version": 0.4, "nodes": [{"id": 7, "widgets_values": ["一只猫", 5, None, True]}], "links": []}
HANDED = {"unique_id": "7", "graph": GRAPH, "extra_pnginfo": {"workflow": WORKFLOW}}
WITH_AUDIO = {"model": "wan2.6-i2v-flash", "resolution": "720P", "duration": 2}


def carried(path):
    """What the file says about itself, as ComfyUI's page reads it."""
    with av.open(str(path)) as container:
        return dict(container.metadata)


def packets(path):
    """Every packet of every stream, bit for bit, with its times."""
    with av.open(str(path)) as container:
        bases = [stream.time_base for stream in container.streams]
        found = [[] for _ in bases]
        for packet in container.demux():
            if packet.dts is not None:
                found[packet.stream_index].append((bytes(packet), packet.pts, packet.dts, packet.is_keyframe))
        headers = [bytes(stream.codec_context.extradata or b"") for stream in container.streams]
    return bases, headers, found


@pytest.fixture
def downloaded(live_server):
    """The file as the service hands it out."""

    def of(task_id):
        return next(task.video for task in live_server.tasks if task.id == task_id)

    return of


def test_it_carries_prompt_and_workflow_as_comfyuis_own_files_do(live_server, nodes, quick, comfy):
    found = carried(nodes.image_to_video(**HANDED).path)
    assert json.loads(found["prompt"]) == GRAPH
    assert json.loads(found["workflow"]) == WORKFLOW


def test_the_nodes_that_save_all_do_it(live_server, nodes, quick, comfy):
    made = nodes.effect(**HANDED)
    assert json.loads(carried(made.path)["workflow"]) == WORKFLOW
    made.path.unlink()
    fetched = nodes.fetch(made.task_id, **HANDED)
    assert json.loads(carried(fetched.path)["workflow"]) == WORKFLOW


@pytest.mark.parametrize("settings", [{}, WITH_AUDIO], ids=["silent", "with sound"])
def test_its_streams_are_those_of_the_download_bit_for_bit(live_server, nodes, quick, comfy, downloaded, settings):
    made = nodes.image_to_video(**settings, **HANDED)
    original = downloaded(made.task_id)
    assert made.path.read_bytes() != original.read_bytes()
    assert packets(made.path) == packets(original)
    assert len(packets(made.path)[0]) == (2 if settings else 1)


def test_a_large_graph_is_carried_whole(live_server, nodes, quick, comfy):
    workflow = {"nodes": [{"id": number, "title": "猫" * 20} for number in range(5000)]}
    made = nodes.image_to_video(unique_id="7", graph=GRAPH, extra_pnginfo={"workflow": workflow})
    assert json.loads(carried(made.path)["workflow"]) == workflow


def test_it_can_be_played_while_it_loads(live_server, nodes, quick, comfy):
    data = nodes.image_to_video(**HANDED).path.read_bytes()
    assert 0 < data.index(b"moov") < data.index(b"mdat")


def test_where_comfyui_is_set_to_keep_graphs_out_the_file_is_the_download_itself(
    live_server, nodes, quick, comfy, downloaded
):
    comfy.args.disable_metadata = True
    made = nodes.image_to_video(**HANDED)
    assert not {"prompt", "workflow"} & set(carried(made.path))
    assert made.path.read_bytes() == downloaded(made.task_id).read_bytes()


def test_without_comfyui_the_file_is_the_download_itself(live_server, nodes, quick, downloaded):
    made = nodes.image_to_video(**HANDED)
    assert made.path.read_bytes() == downloaded(made.task_id).read_bytes()


def test_a_graph_that_was_not_saved_by_a_browser_is_carried_alone(live_server, nodes, quick, comfy):
    found = carried(nodes.image_to_video(unique_id="7", graph=GRAPH, extra_pnginfo=None).path)
    assert json.loads(found["prompt"]) == GRAPH
    assert "workflow" not in found


def test_it_never_carries_a_key(live_server, nodes, quick, comfy):
    made = nodes.image_to_video(**HANDED, connection=nodes.connection("beijing"))
    data = made.path.read_bytes()
    assert live_server.key.encode() not in data
    assert b"Bearer" not in data
    assert live_server.base_url.encode() not in data


def test_the_receipt_counts_the_bytes_of_the_file_with_its_graph(live_server, nodes, quick, comfy, downloaded):
    made = nodes.image_to_video(**HANDED)
    assert made.receipt["bytes"] == made.path.stat().st_size > downloaded(made.task_id).stat().st_size


WORDS = 'The flag bearer approaching the gate; {"policy": "keep"}, sk-0123456789abcdef, data:image/png;base64,AAAA'


def test_prompts_and_other_nodes_values_are_saved_as_they_are(live_server, nodes, quick, comfy):
    graph = {"7": {"inputs": {"prompt": WORDS}}, "8": {"inputs": {"policy": "keep", "Authorization": "Basic dXNlcg=="}}}
    made = nodes.image_to_video(prompt=WORDS, unique_id="7", graph=graph, extra_pnginfo={"workflow": graph})
    found = carried(made.path)
    assert json.loads(found["prompt"]) == json.loads(found["workflow"]) == graph
    assert made.receipt["prompt"] == WORDS
    assert made.receipt["actual_prompt"].startswith(f"{WORDS}, ")
    fetched = nodes.fetch(made.task_id, unique_id="7", graph=graph, extra_pnginfo=None)
    assert fetched.receipt["prompt"] == WORDS


def test_of_the_owners_key_in_another_node_nothing_is_saved(live_server, nodes, quick, comfy):
    graph = {"8": {"class_type": "Other", "inputs": {"token": live_server.key, "text": f"a {live_server.key} b"}}}
    found = carried(nodes.image_to_video(unique_id="7", graph=graph, extra_pnginfo={"workflow": graph}).path)
    for name in ("prompt", "workflow"):
        assert json.loads(found[name])["8"]["inputs"] == {"token": "***", "text": "a *** b"}


def test_what_json_does_not_have_is_null_in_the_graph(live_server, nodes, quick, comfy):
    odd = [float("nan"), float("inf"), -float("inf"), 1.5]
    graph = {"7": {"inputs": {"prompt": "NaN"}, "is_changed": odd}}
    found = carried(nodes.image_to_video(unique_id="7", graph=graph, extra_pnginfo={"workflow": {"odd": odd}}).path)

    def strictly(text):
        return json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))

    assert strictly(found["prompt"])["7"] == {"inputs": {"prompt": "NaN"}, "is_changed": [None, None, None, 1.5]}
    assert strictly(found["workflow"]) == {"odd": [None, None, None, 1.5]}
