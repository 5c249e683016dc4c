"""What the user sees and clicks in the two renderers, and the page in Chinese and without the extension."""

from itertools import pairwise

import pytest
from wanpack.nodes import NODES
from wanpack.wan.catalog.models import MODELS
from wanpack.wan.catalog.spec import PRICES_AS_OF
from webpage.pages import in_chinese_nowhere, in_nodes2, in_one_page, on_canvas, without_extension

MAIN = "DashScopeWanImageToVideo"
SHOWN = [
    "prompt",
    "model",
    "resolution",
    "duration",
    "prompt_extend",
    "negative_prompt",
    "seed",
    "watermark",
    "filename_prefix",
]


ADVANCED = ("prompt_extend", "watermark", "filename_prefix")


def click(page, node, widget, *, right):
    """Click a widget of the canvas: its arrow to the right, or its middle."""
    x, y = page.run(
        """
        const [id, name, right] = given, node = steps.node(id), { canvas } = steps.app;
        canvas.ds.scale = 1;
        canvas.ds.offset = [150 - node.pos[0], 40 - node.pos[1]]; // above the minimap
        canvas.setDirty(true, true);
        await steps.frames();
        const widget = node.widgets.find((one) => one.name === name);
        const box = canvas.canvas.getBoundingClientRect();
        const across = right ? node.size[0] - 22 : node.size[0] / 2;
        return [box.x + 150 + across, box.y + 40 + widget.last_y + 10];
        """,
        [node, widget, right],
    )
    page.page.mouse.move(x, y)
    page.run("await steps.frames()")
    page.page.mouse.click(x, y, delay=20)
    page.run("await steps.frames()")


@on_canvas
def test_a_click_on_the_canvas_chooses_the_next_model(page):
    node = page.add(MAIN)
    models = list(MODELS)
    for expected in models[1:4]:
        click(page, node, "model", right=True)
        assert page.state(node)["widgets"]["model"]["value"] == expected
    assert page.state(node)["widgets"]["resolution"]["values"] == list(MODELS[models[3]].resolutions)
    click(page, node, "duration", right=True)
    assert page.state(node)["widgets"]["duration"]["value"] == 10
    click(page, node, "duration", right=True)
    assert page.state(node)["widgets"]["duration"]["value"] == 10


@on_canvas
def test_the_canvas_draws_what_is_left_without_gaps(page):
    node = page.add(MAIN)
    page.set(node, "model", "wan2.2-i2v-plus")
    rows = page.run(
        """
        await steps.frames();
        const shown = steps.node(given).widgets.filter((widget) => !widget.hidden);
        return shown.map((widget) => [widget.name, widget.y, widget.computedHeight]);
        """,
        node,
    )
    assert [name for name, _, _ in rows] == [*SHOWN[:7], "control_after_generate", *SHOWN[7:], "price"]
    for (_, top, height), (name, below, _) in pairwise(rows):
        assert below == pytest.approx(top + height, abs=1), name


def rows_of(body):
    return [text.split("\n")[0] for text in body.locator(".lg-node-widget").all_inner_texts()]


@in_nodes2
def test_nodes2_shows_what_the_model_has(page):
    node = page.add(MAIN)
    body = page.page.locator(f"[data-node-id='{node}']")
    body.get_by_role("combobox", name="model").click()
    page.page.get_by_role("option", name="wan2.2-i2v-plus", exact=True).click()
    page.run("await steps.frames()")
    price = f"about CNY 3.50 in Beijing (list of {PRICES_AS_OF})"
    assert rows_of(body) == [*(name for name in SHOWN if name not in ADVANCED), price]
    page.run("steps.node(given).showAdvanced = true; await steps.frames()", node)
    assert rows_of(body) == [*SHOWN, price]
    assert body.get_by_text("audio (not supported by this model)").count() == 1
    body.get_by_role("combobox", name="resolution").click()
    assert page.page.get_by_role("option").all_inner_texts() == ["480P", "1080P"]
    page.page.get_by_role("option", name="480P").click()
    assert body.locator(".dashscope-wan-price").inner_text() == f"about CNY 0.70 in Beijing (list of {PRICES_AS_OF})"
    duration = body.get_by_label("duration", exact=True).get_by_role("spinbutton")
    assert (duration.get_attribute("aria-valuemin"), duration.get_attribute("aria-valuemax")) == ("5", "5")


@in_nodes2
def test_nodes2_snaps_a_typed_duration(page):
    node = page.add(MAIN)
    page.set(node, "model", "wan2.6-i2v-us")
    duration = page.page.locator(f"[data-node-id='{node}']").get_by_label("duration", exact=True)
    spin = duration.get_by_role("spinbutton")
    spin.fill("8")
    spin.press("Enter")
    page.run("await steps.frames()")
    assert page.state(node)["widgets"]["duration"]["value"] == 10
    assert spin.input_value() == "10"


@in_nodes2
def test_nodes2_shows_the_widgets_again(page):
    node = page.add(MAIN)
    body = page.page.locator(f"[data-node-id='{node}']")
    everything = body.locator(".lg-node-widget").count()
    page.set(node, "model", "wan2.2-i2v-plus")
    assert body.locator(".lg-node-widget").count() == everything - 1
    page.set(node, "model", "wan2.6-i2v-flash")
    assert body.locator(".lg-node-widget").count() == everything
    assert body.get_by_text("audio (not supported by this model)").count() == 0


@in_one_page
def test_what_the_nodes_show_is_a_video(page):
    # Nodes 2.0 of ComfyUI 0.8.0 takes it for an image otherwise.
    kinds = [node.NODE_ID for node in NODES if "video_path" in node.RETURN_NAMES]
    assert page.run("return given.map((kind) => steps.add(kind).previewMediaType)", kinds) == ["video"] * len(kinds)


@in_chinese_nowhere
def test_the_page_speaks_chinese_and_knows_that_the_machines_own_region_is_none_that_there_is(page):
    node, connection = page.add(MAIN), page.add("DashScopeWanConnection")
    page.set(node, "model", "wan2.2-i2v-plus")
    state, prices = page.state(node), []
    hints = page.run(
        "return ['prompt', 'negative_prompt'].map((name) => steps.node(given).widgets"
        ".find((one) => one.name === name).element.placeholder)",
        node,
    )
    page.run("steps.link(steps.node(given[1]), 0, steps.node(given[0]), 'connection')", [node, connection])
    for region in ("default", "beijing"):
        page.set(connection, "region", region)
        prices.append(page.state(node)["price"])
    unknown = "价格取决于地域"
    assert [state["price"], *prices] == [unknown, unknown, f"约 CNY 3.50，北京（{PRICES_AS_OF} 价目）"]
    assert state["labels"]["audio"].endswith("(此模型不支持)")
    assert hints == ["提示词", "反向提示词"]


@without_extension
def test_without_the_extension_the_nodes_work(page):
    node = page.add(MAIN)
    page.set(node, "model", "wan2.2-i2v-plus")
    state, prompt = page.state(node), page.prompt()
    assert state["price"] is None
    assert state["widgets"]["resolution"]["values"] == ["480P", "720P", "1080P"]
    assert not any(widget["hidden"] for widget in state["widgets"].values())
    assert prompt[str(node)]["inputs"]["model"] == "wan2.2-i2v-plus"
