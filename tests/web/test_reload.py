"""After the page was reloaded, nodes show the video of their last run in this workflow again."""

import pytest

MAIN = "DashScopeWanImageToVideo"
VIDEO = {"filename": "i2v_00001_.mp4", "subfolder": "wan", "type": "output"}


def run_of(workflow, node, *, video=VIDEO, kind=MAIN):
    """What `/history` keeps of a run."""
    prompt = {str(node): {"class_type": kind, "inputs": {}}}
    extra = {"extra_pnginfo": {"workflow": {"id": workflow}}}
    return {
        "prompt": [0, "run", prompt, extra, [str(node)]],
        "outputs": {str(node): {"images": [video], "animated": [True]}},
        "status": {"status_str": "success", "completed": True, "messages": []},
    }


@pytest.fixture
def saved(page):
    page.add(MAIN)
    return page.saved()


def shown(page, node=1):
    """The video that a node shows."""
    page.run("await new Promise((done) => setTimeout(done, 150))")
    return page.run("return steps.app.nodeOutputs[given]?.images ?? null", str(node))


def test_the_last_video_comes_back(page, saved):
    number = saved["nodes"][0]["id"]
    page.server.history = {
        "older": run_of(saved["id"], number, video=VIDEO | {"filename": "older.mp4"}),
        "newer": run_of(saved["id"], number),
    }
    page.load(saved)
    assert shown(page, number) == [VIDEO]


@pytest.mark.parametrize("other", [{"workflow": "another"}, {"node": 77}, {"kind": "DashScopeWanVideoEffect"}])
def test_what_another_workflow_or_node_made_does_not(page, saved, other):
    number = saved["nodes"][0]["id"]
    page.server.history = {"one": run_of(**({"workflow": saved["id"], "node": number} | other))}
    page.load(saved)
    assert shown(page, number) is None


def test_what_the_nodes_show_is_a_video(page):
    # Nodes 2.0 of ComfyUI 0.8.0 takes it for an image otherwise.
    kinds = [MAIN, "DashScopeWanVideoEffect", "DashScopeWanFetchTask"]
    assert page.run("return given.map((kind) => steps.add(kind).previewMediaType)", kinds) == ["video"] * 3
