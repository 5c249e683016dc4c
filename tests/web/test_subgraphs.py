"""The price line of a node in a subgraph: promoted widgets, images and the region come from outside."""

from webpage.pages import in_nodes2, in_one_page, on_canvas

MAIN, EFFECT, CONNECTION = "DashScopeWanImageToVideo", "DashScopeWanVideoEffect", "DashScopeWanConnection"
# What the user does with a node: make a subgraph of it, and promote widgets of it to the subgraph's node.
SUBGRAPH = """
  const enclose = async (...nodes) => {
    const made = nodes[0].graph.convertToSubgraph(new Set(nodes));
    await steps.frames();
    return made;
  };
  const promote = async (inner, ...names) => {
    for (const name of names) {
      const slot = inner.inputs.find((slot) => slot.name === name);
      if (slot.link == null) inner.graph.addInput(name, slot.type).connect(slot, inner);
    }
    await steps.frames();
  };
  const priceOf = (node) => node.widgets.find((widget) => widget.name === "price").element.textContent;
  const see = async (node) => {
    await steps.noted();
    return priceOf(node).replace(/ \\(list of .*/, "");
  };
"""


def about(amount, region="Beijing", currency="CNY"):
    return f"about {currency} {amount} in {region}"


@on_canvas
def test_promoted_widgets_count(page):
    prices, prompt, again = page.run(
        SUBGRAPH
        + """
        const { node: host, subgraph } = await enclose(steps.add(given));
        const [inner] = subgraph.nodes, seen = [await see(inner)];
        await promote(inner, "model", "resolution", "duration", "generate_audio");
        seen.push(await see(inner));
        for (const [name, value] of [["duration", 10], ["resolution", "720P"], ["generate_audio", false]]) {
          steps.set(host, name, value);
          seen.push(await see(inner));
        }
        steps.set(host, "model", "wan2.7-i2v"); seen.push(await see(inner));
        const { output } = await steps.app.graphToPrompt();
        await steps.app.loadGraphData(steps.saved());
        await steps.frames();
        const loaded = steps.root().nodes.find((node) => node.subgraph).subgraph.nodes[0];
        return [seen, Object.values(output)[0].inputs, await see(loaded)];
        """,
        MAIN,
    )
    assert prices == [*map(about, ("2.50", "2.50", "5.00", "3.00", "1.50", "6.00"))]
    assert (prompt["model"], prompt["resolution"], prompt["duration"]) == ("wan2.7-i2v", "720P", 10)
    assert again == prices[-1]


LIMITS = """
  const offered = (node, name) => {
    const { value, options } = node.widgets.find((widget) => widget.name === name);
    return [value, options.values ? [...options.values] : [options.min, options.max, options.step2]];
  };
"""


def test_a_promoted_model_limits_what_is_inside(page):
    before, after, seen, loaded, back = page.run(
        SUBGRAPH
        + LIMITS
        + """
        const { node: host, subgraph } = await enclose(steps.add(given)), [inner] = subgraph.nodes;
        await promote(inner, "model");
        steps.set(inner, "duration", 3);
        const both = (node) => [offered(node, "resolution"), offered(node, "duration")];
        const before = both(inner);
        steps.set(host, "model", "wan2.5-i2v-preview"); await see(inner);
        const after = both(inner);
        steps.set(inner, "duration", 3); await see(inner);
        const seen = [both(inner), await see(inner), steps.state(inner).widgets.shot_type.hidden];
        await steps.app.loadGraphData(steps.saved());
        await steps.frames();
        const again = steps.root().nodes.find((node) => node.subgraph), [node] = again.subgraph.nodes;
        const loaded = [both(node), await see(node)];
        steps.set(again, "model", "wan2.6-i2v-flash"); await see(node);
        return [before, after, seen, loaded, both(node)];
        """,
        MAIN,
    )
    all_tiers = ["480P", "720P", "1080P"]
    assert before == [["1080P", all_tiers[1:]], [3, [2, 15, 1]]]
    assert after == [["1080P", all_tiers], [5, [5, 10, 5]]]
    assert seen == [after, about("5.00"), True]
    assert loaded == [after, about("5.00")]
    assert back == [["1080P", all_tiers[1:]], [5, [2, 15, 1]]]


def test_a_promoted_model_limits_what_is_promoted_beside_it(page):
    seen, loaded = page.run(
        SUBGRAPH
        + LIMITS
        + """
        const { node: host, subgraph } = await enclose(steps.add(given)), [inner] = subgraph.nodes;
        await promote(inner, "model", "resolution", "duration");
        const twin = LiteGraph.createNode(host.type), seen = [];
        steps.root().add(twin);
        await steps.frames();
        const both = (node) => [offered(node, "resolution"), offered(node, "duration")];
        steps.set(host, "duration", 3); await see(inner);
        seen.push(both(host));
        steps.set(host, "model", "wan2.5-i2v-preview"); await see(inner);
        seen.push(both(host)[1], both(twin)[1]);
        steps.set(host, "duration", 3); await see(inner);
        seen.push(both(host)[1]);
        steps.root().remove(twin);
        seen.push(await see(inner));
        await steps.app.loadGraphData(steps.saved());
        await steps.frames();
        const again = steps.root().nodes.find((node) => node.subgraph);
        return [seen, [both(again), await see(again.subgraph.nodes[0])]];
        """,
        MAIN,
    )
    five = [5, [5, 10, 5]]
    assert seen == [[["1080P", ["720P", "1080P"]], [3, [2, 15, 1]]], five, [5, [2, 15, 1]], five, about("5.00")]
    assert loaded == [[["1080P", ["480P", "720P", "1080P"]], five], about("5.00")]


@on_canvas
def test_what_another_node_gives_to_a_promoted_widget_is_not_known(page):
    price = page.run(
        SUBGRAPH
        + """
        const { node: host, subgraph } = await enclose(steps.add(given));
        await promote(subgraph.nodes[0], "duration");
        steps.link(steps.add("PrimitiveNode", 600), 0, host, "duration");
        return see(subgraph.nodes[0]);
        """,
        MAIN,
    )
    assert price == "The price depends on linked values"


@on_canvas
def test_region_and_images_are_found_outside_and_in_other_subgraphs(page):
    prices = page.run(
        SUBGRAPH
        + """
        const [main, kind] = given;
        const node = steps.add(main), connection = steps.add(kind, 600), empty = steps.add("EmptyImage", 900);
        const scale = steps.add("ImageScale", 1200);
        steps.link(connection, 0, node, "connection");
        steps.link(empty, 0, scale, "image");
        steps.link(scale, 0, node, "image");
        steps.set(connection, "region", "singapore");
        steps.set(empty, "batch_size", 3);
        const outer = await enclose(node), [inner] = outer.subgraph.nodes, seen = [await see(inner)];
        steps.set(connection, "region", "offline"); seen.push(await see(inner));
        const images = await enclose(empty, scale), settings = await enclose(connection);
        seen.push(await see(inner));
        await promote(settings.subgraph.nodes[0], "region");
        steps.set(settings.node, "region", "beijing"); seen.push(await see(inner));
        const made = images.subgraph.nodes.find((one) => one.type === "EmptyImage");
        await promote(made, "batch_size");
        steps.set(images.node, "batch_size", 2); seen.push(await see(inner));
        const deeper = await enclose(outer.node, images.node);
        const host = deeper.subgraph.nodes.find((one) => one.subgraph?.nodes.some((inside) => inside.type === main));
        await promote(inner, "duration");
        await promote(host, "duration");
        steps.set(deeper.node, "duration", 10);
        seen.push(await see(host.subgraph.nodes.find((inside) => inside.type === main)));
        return seen;
        """,
        [MAIN, CONNECTION],
    )
    free = "3 videos, free of charge (Offline)"
    assert prices == [
        f"3 videos, {about('1.13', 'Singapore', 'USD')}",
        free,
        free,
        *(f"{count} videos, {about(amount)}" for count, amount in ((3, "7.50"), (2, "5.00"), (2, "10.00"))),
    ]


@on_canvas
def test_two_uses_of_a_subgraph_share_a_price_that_they_both_have(page):
    prices = page.run(
        SUBGRAPH
        + """
        const { node: host, subgraph } = await enclose(steps.add(given)), [inner] = subgraph.nodes;
        await promote(inner, "duration");
        const twin = LiteGraph.createNode(host.type);
        steps.root().add(twin);
        await steps.frames();
        const seen = [];
        for (const [first, second] of [[5, 5], [5, 10], [10, 10]]) {
          steps.set(host, "duration", first); steps.set(twin, "duration", second);
          seen.push(await see(inner));
        }
        return seen;
        """,
        MAIN,
    )
    assert prices == [about("2.50"), "The price depends on linked values", about("5.00")]


def test_the_subgraphs_node_shows_the_price_of_what_is_in_it(page):
    """It is neither saved nor sent, and the node's size stays when it is loaded."""
    prices, sizes, saved = page.run(
        SUBGRAPH
        + """
        const [main, effect] = given;
        const { node: host, subgraph } = await enclose(steps.add(main));
        await promote(subgraph.nodes[0], "duration");
        const line = (host) => host.widgets.find(({ name }) => name === "dashscope_wan_price")?.element;
        const seen = [], show = async (node) => {
          await steps.noted();
          await steps.frames();
          seen.push(line(node).isConnected && line(node).textContent.replace(/ \\(list of .*?\\)/g, ""));
        };
        await show(host);
        steps.set(host, "duration", 10); await show(host);
        const other = LiteGraph.createNode(effect);
        subgraph.add(other); await show(host);
        subgraph.remove(other); await show(host);
        const saved = steps.saved(), { output } = await steps.app.graphToPrompt();
        const sizes = [], load = async (graph) => {
          await steps.app.loadGraphData(graph);
          await show(steps.root().nodes.find((node) => node.subgraph));
          const again = steps.saved();
          sizes.push([...again.nodes[0].size]);
          return again;
        };
        await load(await load(saved));
        const last = steps.root().nodes.find((node) => node.subgraph);
        last.subgraph.remove(last.subgraph.nodes[0]);
        await show(last);
        return [seen, sizes, JSON.stringify([saved, output])];
        """,
        [MAIN, EFFECT],
    )
    assert prices == [
        about("2.50"),
        about("5.00"),
        f"{about('5.00')}; {about('1.20')}",
        *[about("5.00")] * 3,
        "",
    ]
    assert sizes[0] == sizes[1]
    assert "dashscope_wan_price" not in saved
    assert "CNY" not in saved


@in_one_page
def test_where_the_names_of_widgets_are_saved_there_is_no_line(page):
    names = page.run(
        SUBGRAPH
        + """
        const { node: host } = await enclose(steps.add(given)), twin = LiteGraph.createNode(host.type);
        twin.properties.proxyWidgets = [];
        steps.root().add(twin);
        await steps.noted();
        return [host, twin].map((node) => node.widgets.map(({ name }) => name));
        """,
        MAIN,
    )
    assert names == [["seed", "dashscope_wan_price"], ["seed"]]


@in_one_page
def test_a_saved_list_of_promoted_widgets_counts(page):
    page.run(SUBGRAPH + "await enclose(steps.add(given)); window.saved = steps.saved()", MAIN)
    saved = page.run("return window.saved")
    [host], [inner] = saved["nodes"], saved["definitions"]["subgraphs"][0]["nodes"]
    host |= {"inputs": [], "widgets_values": [], "properties": {"proxyWidgets": [[str(inner["id"]), "duration"]]}}
    host.pop("widgets_values_named", None)
    page.load(saved)
    prices = page.run(
        SUBGRAPH
        + """
        const host = steps.root().nodes.find((node) => node.subgraph), [inner] = host.subgraph.nodes;
        const seen = [await see(inner)];
        // Some versions put the inner node's id before the name.
        steps.set(host, host.widgets.find((widget) => widget.name.endsWith("duration")).name, 10);
        return [...seen, await see(inner)];
        """
    )
    assert prices == [about("2.50"), about("5.00")]


@in_nodes2
def test_what_is_chosen_on_the_subgraphs_node_is_priced_at_once(page):
    host = page.run(
        SUBGRAPH
        + """
        const { node: host, subgraph } = await enclose(steps.add(given));
        await promote(subgraph.nodes[0], "model", "resolution");
        host.pos = [0, 240]; // below what the page says of missing links
        await steps.noted();
        return host.id;
        """,
        MAIN,
    )
    body = page.page.locator(f"[data-node-id='{host}']")
    assert body.locator(".dashscope-wan-price").inner_text().startswith(about("2.50"))
    body.get_by_role("combobox", name="resolution").click()
    page.page.get_by_role("option", name="720P", exact=True).click()
    page.page.wait_for_function(
        "(given) => document.querySelector(`[data-node-id='${given[0]}'] .dashscope-wan-price`)"
        ".textContent.startsWith(given[1])",
        arg=[host, about("1.50")],
        polling=50,
        timeout=5000,
    )
