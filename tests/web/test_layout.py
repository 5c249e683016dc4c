"""How a node is laid out, and what a run shows on it: the text boxes, the status text and the video."""

import pytest
from webpage.pages import in_classic, in_one_page

MAIN = "DashScopeWanImageToVideo"
KINDS = [MAIN, *(f"DashScopeWan{kind}" for kind in ("TextToVideo", "ReferenceToVideo", "VideoEdit"))]
TASK = "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"
ERROR = f"""No API key is configured for Beijing. Run python dev.py key in the pack's folder, or set DASHSCOPE_API_KEY
in the environment that starts ComfyUI, or write this line into /home/me/ComfyUI/user/__dashscope_wan/credentials.toml:
      api_key = "sk-..."
To try the graph without a key, free of charge, set region to "offline" in a DashScope Connection.
Nothing was submitted; nothing was charged.
(task {TASK}, request id {TASK})"""
RUN = """
  const api = steps.app.api ?? window.comfyAPI.api.api;
  const say = (node, text) => {
    api.dispatchEvent(new CustomEvent("progress_text", { detail: { nodeId: String(node.id), text } }));
  };
  const play = (node) => {
    const widget = node.addDOMWidget("video-preview", "video", document.createElement("div"), {
      hideOnZoom: false, getMinHeight: () => 256,
    });
    widget.serialize = false;
  };
  const named = (node, name) => node.widgets.find((widget) => widget.name === name);
  const heights = (node) => [named(node, "prompt").computedHeight, named(node, "negative_prompt").computedHeight];
  const box = (node) => named(node, "$$node-text-preview").element;
  steps.app.canvas.ds.scale = 1;
  steps.app.canvas.ds.offset = [60, 60];
"""


@in_classic
@pytest.mark.parametrize("kind", KINDS)
def test_a_new_prompt_has_room_for_three_lines_and_the_negative_prompt_for_no_more(page, kind):
    prompt, negative, line = page.run(
        RUN
        + """
        const node = steps.add(given);
        await steps.frames();
        const area = (name) => named(node, name).element.clientHeight;
        const { fontSize } = getComputedStyle(named(node, "prompt").element);
        return [area("prompt"), area("negative_prompt"), 1.2 * parseFloat(fontSize)];
        """,
        kind,
    )
    assert prompt >= 3 * line
    assert negative <= prompt


@in_classic
@pytest.mark.parametrize("kind", KINDS)
def test_the_prompt_keeps_its_height_when_a_run_shows_its_text_and_its_video(page, kind):
    before, *after, sizes = page.run(
        RUN
        + """
        const node = steps.add(given[0]), seen = [], sizes = [];
        node.setSize([420, node.size[1] + 60]);
        const see = async () => {
          await steps.frames();
          seen.push(heights(node));
          sizes.push(node.size[1]);
        };
        await see();
        say(node, "rendering 3 s"); await see();
        say(node, given[1]); await see();
        play(node); await see();
        say(node, "saved a.mp4"); await see();
        const saved = steps.saved().nodes[0].size;
        return [...seen, [...sizes, saved[1]]];
        """,
        [kind, ERROR],
    )
    assert after == [before] * 4
    new, short, long, *_, saved = sizes
    assert new < short < long
    assert saved == pytest.approx(new, abs=2)


@in_classic
def test_all_of_an_error_is_in_sight(page):
    shown = page.run(
        RUN
        + """
        const node = steps.add(given[0]);
        say(node, given[1]);
        await steps.frames();
        await steps.frames();
        const { scrollHeight, clientHeight, innerText } = box(node);
        return [scrollHeight - clientHeight, innerText];
        """,
        [MAIN, ERROR],
    )
    assert shown[0] <= 0
    assert shown[1].split() == ERROR.split()


def test_a_task_id_stays_in_its_line_and_is_whole_where_it_is_copied(page):
    node = page.add(MAIN)
    text = page.run(
        RUN + "say(steps.node(given[0]), given[1]); return box(steps.node(given[0])).textContent", [node, ERROR]
    )
    assert text == ERROR
    task = page.page.locator(f".dashscope-wan-status [title='{TASK}']").first
    task.wait_for()
    height, width, whole = task.evaluate("(one) => [one.offsetHeight, one.clientWidth, one.scrollWidth]")
    assert height < 20
    assert width < whole / 2


@in_one_page
@pytest.mark.parametrize("first", ["text", "video"])
def test_the_text_is_above_the_video_whichever_comes_first(page, first):
    names = page.run(
        RUN
        + """
        const node = steps.add(given[0]), acts = [() => say(node, "saved a.mp4"), () => play(node)];
        for (const act of given[1] === "text" ? acts : acts.reverse()) act();
        return node.widgets.map(({ name }) => name).slice(-2);
        """,
        [MAIN, first],
    )
    assert names == ["$$node-text-preview", "video-preview"]


def test_the_text_stays_when_the_page_takes_its_texts_away(page):
    texts = page.run(
        RUN
        + """
        const node = steps.add(given), isOnNode = (one) => node.widgets.some(({ element }) => element === one);
        const shown = () => [...document.querySelectorAll(".dashscope-wan-status")].filter(isOnNode)
          .map((one) => one.innerText);
        say(node, "saved a.mp4");
        await steps.frames();
        const widget = named(node, "$$node-text-preview");
        widget.onRemove?.();
        node.widgets.splice(node.widgets.indexOf(widget), 1);
        await steps.frames();
        await steps.frames();
        return shown();
        """,
        MAIN,
    )
    assert texts == ["saved a.mp4"]


@in_one_page
def test_a_ratio_stands_beside_the_resolution_and_is_saved_last(page):
    node = page.add(MAIN)
    page.set(node, "model", "wan3.0-video")
    page.set(node, "ratio", "9:16")
    names = page.run("return steps.node(given).widgets.map(({ name }) => name)", node)
    assert names[2:5] == ["resolution", "ratio", "duration"]
    saved = page.saved()
    assert saved["nodes"][0]["widgets_values"][-2:] == ["wan/i2v", "9:16"]
    page.load(saved)
    widgets = page.state(node)["widgets"]
    assert (widgets["ratio"]["value"], widgets["filename_prefix"]["value"]) == ("9:16", "wan/i2v")


@in_one_page
def test_a_file_without_a_ratio_opens(page):
    page.add(MAIN)
    saved = page.saved()
    saved["nodes"][0]["widgets_values"].pop()
    saved["nodes"][0].pop("widgets_values_named", None)
    saved["nodes"][0]["widgets_values"][-1] = "mine"
    page.load(saved)
    widgets = page.state(saved["nodes"][0]["id"])["widgets"]
    assert (widgets["ratio"]["value"], widgets["filename_prefix"]["value"]) == ("adaptive", "mine")
