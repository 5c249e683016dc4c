"""What users do with nodes: undo, copy and paste, clone, bypass, subgraphs, and the page in Chinese or without us."""

import pytest
from wanpack.wan.catalog.spec import PRICES_AS_OF
from webpage.pages import in_one_page, on_canvas

MAIN = "DashScopeWanImageToVideo"
CHANGED = {"model": "wanx2.1-i2v-turbo", "resolution": "480P", "duration": 3}


@pytest.fixture
def node(page):
    """A node of the narrowest kind: a model with limits of its own, not at its defaults."""
    number = page.add(MAIN)
    for widget, value in CHANGED.items():
        page.set(number, widget, value)
    return number


def narrowed(state):
    widgets = state["widgets"]
    assert {name: widgets[name]["value"] for name in CHANGED} == CHANGED
    assert widgets["resolution"]["values"] == ["480P", "720P"]
    assert (widgets["duration"]["min"], widgets["duration"]["max"]) == (3, 5)
    assert widgets["shot_type"]["hidden"] and widgets["audio_url"]["hidden"]
    assert state["price"] == f"about CNY 0.72 in Beijing (list of {PRICES_AS_OF})"
    return True


def test_undo_and_redo_bring_both_values_and_limits_back(page):
    number = page.add(MAIN)
    page.set(number, "shot_type", "multi")
    page.run("await steps.noted()")
    before = page.state(number)
    for widget, value in CHANGED.items():
        page.set(number, widget, value)
    page.run("await steps.noted(); await steps.tracker().undo(); await steps.frames()")
    assert page.state(number) == before
    page.run("await steps.tracker().redo(); await steps.frames()")
    assert narrowed(page.state(number))


@on_canvas
def test_copies_are_like_the_original(page, node):
    copies = page.run(
        """
        const { app } = steps, node = steps.node(given);
        app.canvas.copyToClipboard([node]);
        app.canvas.pasteFromClipboard();
        const clone = node.clone();
        steps.root().add(clone);
        await steps.frames();
        return steps.root().nodes.filter((other) => other !== node).map((other) => steps.state(other));
        """,
        node,
    )
    assert len(copies) == 2
    assert all(narrowed(state) for state in copies)


@in_one_page
def test_a_copy_is_free_of_its_original(page, node):
    states = page.run(
        """
        const node = steps.node(given), clone = node.clone();
        steps.root().add(clone);
        steps.set(clone, "model", "wan2.6-i2v-flash");
        return [steps.state(node), steps.state(clone)];
        """,
        node,
    )
    assert narrowed(states[0])
    assert states[1]["widgets"]["resolution"]["values"] == ["720P", "1080P"]


@on_canvas
def test_a_bypassed_node_goes_on_following(page, node):
    page.run("steps.node(given).mode = 4", node)
    assert narrowed(page.state(node))
    page.set(node, "model", "wan2.2-i2v-plus")
    assert page.state(node)["widgets"]["resolution"]["values"] == ["480P", "1080P"]
    assert str(node) not in page.prompt()


def test_in_a_subgraph(page, node):
    state = page.run(
        """
        const node = steps.node(given), connection = steps.add("DashScopeWanConnection", 600);
        steps.set(connection, "region", "offline");
        steps.link(connection, 0, node, "connection");
        steps.root().convertToSubgraph(new Set([node]));
        await steps.noted();
        const inside = () => steps.root().nodes.find((other) => other.subgraph).subgraph.nodes[0];
        const free = steps.state(inside()).price;
        steps.set(connection, "region", "beijing");
        await steps.app.loadGraphData(steps.saved());
        return { free, ...steps.state(inside()) };
        """,
        node,
    )
    assert state["free"] == "free of charge (Offline)"
    assert narrowed(state)


@on_canvas
def test_a_node_in_a_subgraph_is_sent_as_it_was(page, node):
    before = page.prompt()[str(node)]["inputs"]
    page.run("steps.root().convertToSubgraph(new Set([steps.node(given)])); await steps.frames()", node)
    (after,) = page.prompt().values()
    assert after["inputs"] == before


@on_canvas
def test_a_hidden_widget_takes_no_room(page, node):
    heights = page.run(
        """
        const node = steps.node(given), heights = [];
        for (const model of ["wan2.6-i2v-flash", "wan2.2-i2v-plus", "wan2.6-i2v-flash"]) {
          steps.set(node, "model", model);
          await steps.frames();
          heights.push([node.size[1], node.computeSize()[1]]);
        }
        return heights;
        """,
        node,
    )
    (size_all, least_all), (size_few, least_few), again = heights
    assert least_all - least_few == 3 * 24
    assert size_all - size_few == 3 * 24
    assert again == [size_all, least_all]
