"""The price line of a node in a subgraph: promoted widgets, images and the region come from outside."""

from webpage.pages import in_one_page, on_canvas

MAIN, CONNECTION = "DashScopeWanImageToVideo", "DashScopeWanConnection"
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


def about(amount, region="Beijing"):
    return f"about CNY {amount} in {region}"


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
        f"3 videos, {about('8.26', 'Singapore')}",
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
