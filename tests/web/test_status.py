"""The status texts that the page adds: an unchanged node, and a run whose end the page did not see."""

import pytest
from webpage.pages import in_chinese, in_one_page, on_canvas

MAIN, FETCH = "DashScopeWanImageToVideo", "DashScopeWanFetchTask"
UNCHANGED = "unchanged: nothing was paid; change the seed for a new video"
INTERRUPTED = "interrupted; run again to go on"
FINISHED = "finished while the page was not connected; the video is saved"
SAY = """
  const api = steps.app.api ?? window.comfyAPI.api.api;
  const say = (name, detail) => api.dispatchEvent(new CustomEvent(name, { detail }));
  const text = (node, text) => say("progress_text", { nodeId: String(node), text });
  const shown = (id) => steps.node(id).widgets.find((one) => one.name === "$$node-text-preview")?.value ?? null;
  const moment = () => new Promise((done) => setTimeout(done, 50));
"""
ON_PAGE = """(given) => {
  const says = (one) => one.textContent.includes(given) && one.innerText?.includes(given);
  return [...document.querySelectorAll("*")].some((one) => says(one) && ![...one.children].some(says));
}"""


@pytest.fixture
def page(page):
    page.server.running, page.server.history = [], {}
    return page


def run(page, node, *, then, changes=True, text="rendering 14 s; task t"):
    """Let a node run and the connection get lost meanwhile, and return the node's text after `then`."""
    return page.run(
        SAY
        + """
        const [node, last, then] = given;
        say("execution_start", { prompt_id: "run" });
        text(node, last);
        for (const [name, detail] of then) say(name, detail);
        // What does not change is looked at for a moment, what does until it has.
        for (let left = given[3] ? 100 : 6; left && shown(node) === last; left--) await moment();
        return shown(node);
        """,
        [node, text, then, changes],
    )


def test_an_unchanged_node_says_that_nothing_was_paid(page):
    node = page.add(MAIN)
    page.run(SAY + 'say("execution_cached", { nodes: given, prompt_id: "run" })', [str(node)])
    page.page.wait_for_function(ON_PAGE, arg=UNCHANGED, polling=50)


@on_canvas
def test_what_costs_nothing_anyway_does_not(page):
    nodes = [page.add(FETCH), page.add("LoadImage")]
    texts = page.run(
        SAY + 'say("execution_cached", { nodes: given.map(String) }); await steps.frames(); return given.map(shown)',
        nodes,
    )
    assert texts == [None, None]


def test_a_run_that_the_server_did_not_survive_is_interrupted(page):
    node = page.add(MAIN)
    run(page, node, then=[["reconnecting", None], ["reconnected", None]])
    page.page.wait_for_function(ON_PAGE, arg=INTERRUPTED, polling=50)
    assert not page.page.evaluate(ON_PAGE, "rendering 14 s")


@on_canvas
def test_a_run_that_goes_on_keeps_its_text_and_gets_the_next_one(page):
    node = page.add(MAIN)
    page.server.running = ["run"]
    assert run(page, node, then=[["reconnected", None]], changes=False) == "rendering 14 s; task t"
    assert page.run(SAY + 'text(given, "rendering 20 s"); return shown(given)', node) == "rendering 20 s"
    # Another run of another page is none of it.
    page.server.running = ["other"]
    assert run(page, node, then=[["reconnected", None]]) == INTERRUPTED
    assert page.run(SAY + 'text(given, "queued"); return shown(given)', node) == "queued"


@in_one_page
@pytest.mark.parametrize(("status", "text"), [("success", FINISHED), ("error", INTERRUPTED)])
def test_a_run_that_ended_meanwhile_says_how(page, status, text):
    page.server.history = {"run": {"status": {"status_str": status}}}
    assert run(page, page.add(MAIN), then=[["reconnected", None]]) == text


@in_one_page
@pytest.mark.parametrize(
    "end",
    [
        ["executed", {"node": "{node}", "output": {}, "prompt_id": "run"}],
        ["execution_success", {"prompt_id": "run"}],
        ["execution_interrupted", {"prompt_id": "run"}],
    ],
    ids=lambda end: end[0],
)
def test_what_ended_before_the_connection_was_lost_keeps_its_text(page, end):
    node = page.add(MAIN)
    end[1] = {name: str(node) if value == "{node}" else value for name, value in end[1].items()}
    assert run(page, node, then=[end, ["reconnected", None]], text="saved a.mp4", changes=False) == "saved a.mp4"


@in_one_page
def test_a_node_in_a_subgraph_that_is_not_in_view_is_interrupted_too(page):
    text = page.run(
        SAY
        + """
        const { canvas } = steps.app, inner = steps.add(given);
        const { subgraph, node: host } = steps.root().convertToSubgraph(new Set([inner]));
        const [node] = subgraph.nodes;
        canvas.openSubgraph(subgraph, host);
        await steps.frames();
        say("execution_start", { prompt_id: "run" });
        text(`${host.id}:${node.id}`, "rendering 14 s");
        const current = () => node.widgets.find((one) => one.name === "$$node-text-preview")?.value;
        const before = current();
        canvas.setGraph(steps.root());
        await steps.frames();
        say("reconnected", null);
        for (let left = 100; left && current() === before; left--) await moment();
        return [before, current()];
        """,
        MAIN,
    )
    assert text == ["rendering 14 s", INTERRUPTED]


@in_one_page
def test_other_nodes_keep_their_text(page):
    node = page.add("LoadImage")
    assert run(page, node, then=[["reconnected", None]], text="1 of 3", changes=False) == "1 of 3"


@on_canvas
def test_a_node_that_plays_its_video_is_unchanged(page):
    before, after = page.run(
        """
        const node = steps.add(given), sent = async () => (await steps.app.graphToPrompt()).output[node.id].inputs;
        const before = await sent();
        node.addDOMWidget("video-preview", "video", document.createElement("div"), { hideOnZoom: false });
        return [before, await sent()];
        """,
        MAIN,
    )
    assert after == before


@in_one_page
def test_it_says_so_in_chinese(page):
    page.run("await steps.app.extensionManager.setting.set('Comfy.Locale', 'zh')")
    try:
        node = page.add(MAIN)
        assert run(page, node, then=[["reconnected", None]]) == "已中断；再次运行即可继续"
        cached = run(page, node, then=[["execution_cached", {"nodes": [str(node)]}]])
        assert cached == "未改动：未产生费用；如需新视频，请更改种子"
    finally:
        page.run("await steps.app.extensionManager.setting.set('Comfy.Locale', 'en')")


def tells(page, language):
    for _ in range(200):
        if page.server.language:
            break
        page.page.wait_for_timeout(50)
    assert page.server.language == language


@in_one_page
def test_the_server_learns_that_the_page_is_english(page):
    tells(page, "en")


@in_chinese
def test_the_server_learns_that_the_page_is_chinese(page):
    tells(page, "zh")
