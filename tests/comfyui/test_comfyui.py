"""The pack in a real ComfyUI: nodes, workflows, live status, Stop, restart, and the files that the page asks for."""

import json
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = sorted(path.stem for path in (ROOT / "workflows").glob("*.json"))
MAIN = "DashScopeWanImageToVideo"
OURS = set(json.loads((ROOT / "tests" / "nodes" / "contract.json").read_text(encoding="utf-8")))


def api_workflow(name):
    return json.loads((ROOT / "workflows" / "api" / f"{name}.json").read_text(encoding="utf-8"))


def plain(*seeds):
    """A graph with one node for each seed, and nothing between them."""
    graph = {"1": {"class_type": "LoadImage", "inputs": {"image": "example.png"}}}
    for number, seed in enumerate(seeds, start=2):
        inputs = {
            "image": ["1", 0],
            "prompt": "a cat runs",
            "model": "wan2.2-i2v-plus",
            "resolution": "480P",
            "duration": 5,
            "shot_type": "single",
            "prompt_extend": True,
            "seed": seed,
            "filename_prefix": f"tests/{seed}",
        }
        graph[str(number)] = {"class_type": MAIN, "inputs": inputs}
    return graph


def videos(outputs):
    """The videos that our nodes show, as arguments of /view."""
    shown = [image for output in outputs.values() for image in output.get("images", [])]
    return [image for image in shown if image["filename"].endswith(".mp4")]


def task_ids(listener, node):
    return {text.partition("task ")[2].split()[0] for text in listener.texts(node) if "task " in text}


def test_the_nodes_are_there_with_their_table(comfyui):
    known = comfyui.get("/object_info")
    assert {name for name in known if name.startswith("DashScopeWan")} == OURS
    assert set(known[MAIN]["input"]["required"]["model"][1]["dashscope_wan"]["models"]) == set(
        known[MAIN]["input"]["required"]["model"][0]
    )


def test_the_pages_files_are_served(comfyui):
    listed = [path for path in comfyui.get("/extensions") if path.startswith("/extensions/dashscope-wan/")]
    written = {path.name for path in (ROOT / "nodes" / "web").glob("*.js")}
    assert {path.rpartition("/")[2] for path in listed} == written
    for path in listed:
        assert "javascript" in comfyui.response(path).headers["Content-Type"]


def test_the_workflows_are_in_the_template_browser(comfyui):
    assert sorted(comfyui.get("/workflow_templates")["dashscope-wan"]) == SHIPPED
    assert comfyui.get("/api/workflow_templates/dashscope-wan/01_first_frame.json")["nodes"]


def test_the_blueprints_are_offered_where_there_are_any(comfyui):
    answer = comfyui.response("/global_subgraphs")
    if answer.status_code == 404:
        pytest.skip("this ComfyUI has no blueprints of custom nodes")
    offered = {
        key: entry["name"] for key, entry in answer.json().items() if "dashscope-wan" in entry["info"]["node_pack"]
    }
    assert set(offered.values()) == {path.stem for path in (ROOT / "subgraphs").glob("*.json")}
    for key in offered:
        assert json.loads(comfyui.get(f"/global_subgraphs/{key}")["data"])["definitions"]["subgraphs"]


def test_translations_are_served(comfyui):
    assert isinstance(comfyui.get("/i18n"), dict)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_workflow_runs_and_its_videos_can_be_seen(comfyui, name):
    graph = api_workflow(name)
    outputs = comfyui.run(graph)
    savers = {
        number for number, node in graph.items() if node["class_type"] in OURS and "filename_prefix" in node["inputs"]
    }
    assert savers <= set(outputs)
    for video in videos({number: outputs[number] for number in savers}):
        seen = comfyui.response("/view", **video)
        assert seen.headers["Content-Type"] == "video/mp4"
        assert seen.content[4:8] == b"ftyp"
        assert outputs[next(iter(savers))]["animated"] == [True]


def test_the_page_hears_progress_and_status(comfyui):
    with comfyui.listen() as listener:
        comfyui.finished(comfyui.queue(plain(101), client=listener.client))
    texts = listener.texts("2")
    for phase in ("queued", "rendering", "saved"):
        assert any(text.startswith(phase) for text in texts), texts
    (task,) = task_ids(listener, "2")
    assert len(task) > 8
    values = [nodes["2"]["value"] / nodes["2"]["max"] for nodes in listener.states() if "2" in nodes]
    assert values == sorted(values)
    assert values[-1] == 1
    assert len(set(values)) > 3


def test_an_error_reaches_the_page_as_it_reads(comfyui):
    graph = plain(151)
    graph["2"]["inputs"] |= {"duration": 10, "resolution": "720P"}
    reported = dict(comfyui.finished(comfyui.queue(graph))["status"]["messages"])["execution_error"]
    assert reported["exception_type"] == "dashscope_wan.InvalidRequest"
    *faults, note = reported["exception_message"].strip().splitlines()
    assert note == "Nothing was submitted; nothing was charged."
    assert [fault.split(":")[0] for fault in faults] == ["- resolution", "- duration"]


def test_two_nodes_wait_together(comfyui):
    with comfyui.listen() as listener:
        outputs = comfyui.finished(comfyui.queue(plain(201, 202), client=listener.client))["outputs"]
    assert len(videos(outputs)) == 2
    running = [{number for number, node in nodes.items() if node["state"] == "running"} for nodes in listener.states()]
    assert {"2", "3"} in running


def test_stop_takes_effect_and_running_again_goes_on_with_the_task(comfyui):
    graph = plain(301)
    with comfyui.listen() as listener:
        prompt_id = comfyui.queue(graph, client=listener.client)
        listener.wait_for_text("2", "rendering")  # a task that still waits in the queue would be cancelled
        assert comfyui.post("/interrupt", {}).status_code == 200
        status = comfyui.finished(prompt_id)["status"]
        assert "execution_interrupted" in [name for name, _ in status["messages"]]
        first = task_ids(listener, "2")
        ended = comfyui.finished(comfyui.queue(graph, client=listener.client))
    assert len(videos(ended["outputs"])) == 1
    assert task_ids(listener, "2") == first


def test_after_a_restart_the_same_graph_brings_the_saved_video_without_a_new_task(comfyui):
    graph = plain(401)
    before = videos(comfyui.run(graph))
    comfyui.stop()
    comfyui.start()
    with comfyui.listen() as listener:
        ended = comfyui.finished(comfyui.queue(graph, client=listener.client))
    assert videos(ended["outputs"]) == before
    assert not any(text.startswith(("submitting", "queued", "rendering")) for text in listener.texts("2"))
    assert len(list((comfyui.base / "output" / "tests").glob("401*.mp4"))) == 1


def test_nothing_went_wrong_at_import(comfyui):
    log = comfyui.log()
    assert "IMPORT FAILED" not in log
    assert "Traceback" not in log.partition("got prompt")[0]


def test_the_task_panel_shows_a_run_plays_and_is_closed_to_other_pages(comfyui):
    with comfyui.listen() as page:
        prompt = comfyui.queue(plain(941), client=page.client)
        assert comfyui.finished(prompt)["status"]["status_str"] == "success"
        heard = [data for kind, data in list(page.events) if kind == "dashscope_wan.task"]
    [row, *_] = comfyui.get("/dashscope_wan/tasks")["tasks"]
    assert (row["state"], row["prompt"], row["file"]["subfolder"]) == ("saved", "a cat runs", "tests")
    assert {data["id"] for data in heard} == {row["id"]}
    assert [heard[0]["state"], heard[-1]["state"]] == ["submitting", "saved"]
    assert comfyui.response("/view", **row["file"]).headers["Content-Type"] == "video/mp4"
    poster = comfyui.response(f"/api/dashscope_wan/poster/{row['id']}")
    assert (poster.headers["Content-Type"], poster.content[:2]) == ("image/jpeg", b"\xff\xd8")
    assert comfyui.get("/dashscope_wan/spend")["today"] == {}
    for headers in (
        {"Origin": "http://evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ):
        for path in ("tasks", "spend", f"poster/{row['id']}"):
            assert comfyui.response(f"/dashscope_wan/{path}", headers=headers).status_code == 403
        for path in ("fetch", "cancel"):
            assert comfyui.post(f"/dashscope_wan/{path}", {"id": row["id"]}, headers=headers).status_code == 403
