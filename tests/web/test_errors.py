"""What went wrong stands on the node itself, not only behind a button."""

from webpage.pages import in_one_page, on_canvas

MAIN = "DashScopeWanImageToVideo"
FAILED = """
  const api = steps.app.api ?? window.comfyAPI.api.api;
  const detail = {
    prompt_id: "run", node_id: String(given.node), node_type: given.kind, executed: [], traceback: [],
    exception_type: "dashscope_wan.InvalidRequest", exception_message: given.text,
    current_inputs: {}, current_outputs: {}, timestamp: 0,
  };
  api.dispatchEvent(new CustomEvent("execution_error", { detail }));
"""
SHOWN = """(given) => {
  // What an element shows is slow to ask for, what is in it is not.
  const says = (one) => one.textContent.includes(given) && one.innerText?.includes(given);
  const inDialog = (one) => one.closest("[role=dialog], .p-dialog-mask, .p-toast");
  const texts = [...document.querySelectorAll("*")].filter((one) => says(one) && ![...one.children].some(says));
  const onNode = texts.find((one) => !inDialog(one));
  const inside = [...(onNode?.querySelectorAll("img, b, i") ?? [])].map((one) => one.tagName);
  return onNode ? { words: onNode.innerText.split(/\\s+/), inside } : null;
}"""


def fail(page, text, *, node=None):
    """Let a node of ours fail, a new one where none is given, and return what then stands on it."""
    page.run(FAILED, {"node": node or page.add(MAIN), "kind": MAIN, "text": text})
    shown = page.page.wait_for_function(SHOWN, arg="Nothing was sent", polling=50).json_value()
    page.page.keyboard.press("Escape")  # the page's own dialog
    return shown


def test_the_error_stands_on_its_node(page):
    text = "Nothing was sent: duration 10\nis not supported by wanx2.1-i2v-turbo"
    assert fail(page, text)["words"] == text.split()


@on_canvas
def test_its_text_is_no_html(page):
    text = "Nothing was sent: <img src=x onerror='window.hit = 1'> & <b>bold</b> &lt;i&gt;"
    assert fail(page, text) == {"words": text.split(), "inside": []}
    assert page.run("return window.hit ?? null") is None


@on_canvas
def test_the_errors_of_other_nodes_are_left_to_them(page):
    page.run(FAILED, {"node": page.add("LoadImage"), "kind": "LoadImage", "text": "No image"})
    assert fail(page, "Nothing was sent")["words"] == ["Nothing", "was", "sent"]
    assert page.page.evaluate(SHOWN, "No image") is None


LINK = "https://oss.example/video.mp4?Expires=1&OSSAccessKeyId=L&Signature=a%2Bb"
SAY = """
  const api = steps.app.api ?? window.comfyAPI.api.api;
  const text = given.text.replaceAll("&", "&amp;");
  api.dispatchEvent(new CustomEvent("progress_text", { detail: { nodeId: String(given.node), text } }));
"""


@on_canvas
def test_the_link_that_the_node_showed_stays_with_the_error(page):
    node = page.add(MAIN)
    page.run(SAY, {"node": node, "text": f"Open in a browser:\nTask t: {LINK}"})
    assert fail(page, "Nothing was sent", node=node)["words"] == ["Nothing", "was", "sent", "Task", "t:", LINK]


@in_one_page
def test_the_link_of_an_earlier_run_does_not(page):
    node = page.add(MAIN)
    page.run(SAY, {"node": node, "text": f"Task t: {LINK}"})
    page.run(SAY, {"node": node, "text": "rendering"})
    assert fail(page, "Nothing was sent", node=node)["words"] == ["Nothing", "was", "sent"]


@in_one_page
def test_no_link_is_saved_with_the_workflow(page):
    node = page.add(MAIN)
    page.run(SAY, {"node": node, "text": f"Task t: {LINK}"})
    saved = page.run("return JSON.stringify([steps.app.graph.serialize(), await steps.app.graphToPrompt()])")
    assert "Signature" not in saved
