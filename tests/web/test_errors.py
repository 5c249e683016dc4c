"""What went wrong stands on the node itself, not only behind a button."""

MAIN = "DashScopeWanImageToVideo"
FAILED = """
  const api = steps.app.api ?? window.comfyAPI.api.api;
  const detail = {
    prompt_id: "run", node_id: String(given.node), node_type: given.kind, executed: [], traceback: [],
    exception_type: "dashscope_wan.InvalidRequest", exception_message: given.text,
    current_inputs: {}, current_outputs: {}, timestamp: 0,
  };
  api.dispatchEvent(new CustomEvent("execution_error", { detail }));
  await new Promise((done) => setTimeout(done, 300));
"""
SHOWN = """
  const says = (one) => one.innerText?.includes("Nothing was sent");
  const inDialog = (one) => one.closest("[role=dialog], .p-dialog-mask, .p-toast");
  const texts = [...document.querySelectorAll("*")].filter((one) => says(one) && ![...one.children].some(says));
  const onNode = texts.find((one) => !inDialog(one));
  const inside = [...(onNode?.querySelectorAll("img, b, i") ?? [])].map((one) => one.tagName);
  return { words: onNode?.innerText.split(/\\s+/) ?? null, inside };
"""


def fail(page, text, *, kind=MAIN):
    """Let a node of a kind fail, and return what stands on it."""
    page.run(FAILED, {"node": page.add(kind), "kind": kind, "text": text})
    shown = page.run(SHOWN)
    page.page.keyboard.press("Escape")  # the page's own dialog
    return shown


def test_the_error_stands_on_its_node(page):
    text = "Nothing was sent and nothing was paid: duration 10 is not possible\nwith wanx2.1-i2v-turbo"
    assert fail(page, text)["words"] == text.split()


def test_its_text_is_no_html(page):
    text = "Nothing was sent: <img src=x onerror='window.hit = 1'> & <b>bold</b> &lt;i&gt;"
    assert fail(page, text) == {"words": text.split(), "inside": []}
    assert page.run("return window.hit ?? null") is None


def test_the_errors_of_other_nodes_are_left_to_them(page):
    assert fail(page, "Nothing was sent", kind="LoadImage")["words"] is None
