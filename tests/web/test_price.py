"""The price line: the list's price of what the node asks for, in the region that it goes to."""

import pytest
from wanpack.nodes.service.model import PRICES_AS_OF
from wanpack.nodes.service.models import MODELS
from wanpack.nodes.service.regions import REGIONS
from wanpack.nodes.service.request import VideoRequest, cost
from wanpack.nodes.service.rules import find_faults
from webpage.frontends import NEWEST

MAIN, EFFECT, CONNECTION = "DashScopeWanImageToVideo", "DashScopeWanVideoEffect", "DashScopeWanConnection"

COLLECT = """
  const [type, models, regions] = given, found = [];
  const node = steps.add(type), connection = steps.add("DashScopeWanConnection", 600);
  steps.link(connection, 0, node, "connection");
  for (const model of models) {
    steps.set(node, "model", model);
    const { widgets } = steps.state(node);
    for (const resolution of widgets.resolution.values) for (const generate_audio of [true, false]) {
      if (!generate_audio && (!widgets.generate_audio || widgets.generate_audio.hidden)) continue;
      steps.set(node, "resolution", resolution);
      if (widgets.generate_audio && !widgets.generate_audio.hidden) steps.set(node, "generate_audio", generate_audio);
      for (const region of regions) {
        steps.set(connection, "region", region);
        const { price, widgets: { duration } } = steps.state(node);
        found.push({ model, resolution, generate_audio, region, price, duration: duration.value });
      }
    }
  }
  return found;
"""


def expected(row, template=""):
    """What the line has to say for a state of the node."""
    region = row["region"] if row["region"] != "default" else "beijing"
    request = VideoRequest(
        **{name: row[name] for name in ("model", "resolution", "duration", "generate_audio")}, template=template
    )
    title = REGIONS[region].title
    kinds = ["first_frame", *MODELS[row["model"]].needs_with("first_frame")]
    if find_faults(request, region=REGIONS[region], given=kinds):
        return f"{row['model']} is not in {title}"
    price = cost(request, region=REGIONS[region])
    if price is None:
        return f"no list price in {title}"
    if not price["amount"]:
        return f"no cost ({title})"
    return f"about {price['currency']} {price['amount'] + 1e-9:.2f} in {title} (list of {price['as_of']})"


@pytest.mark.parametrize(("kind", "template"), [(MAIN, ""), (EFFECT, "squish")])
def test_every_price_is_the_lists(page, kind, template):
    models = [row.id for row in MODELS.values() if kind == MAIN or row.effects]
    found = page.run(COLLECT, [kind, models, ["default", *REGIONS]])
    assert len(found) > len(models) * len(REGIONS)
    assert [row["price"] for row in found] == [expected(row, template) for row in found]


def test_without_a_connection_the_machines_own_region_is_named(page):
    node = page.add(MAIN)
    assert page.state(node)["price"] == f"about CNY 2.50 in Beijing (list of {PRICES_AS_OF})"
    page.set(node, "model", "wan2.6-i2v-us")
    assert page.state(node)["price"] == "wan2.6-i2v-us is not in Beijing"


@pytest.mark.parametrize(
    ("own", "price"),
    [
        ("virginia", f"about CNY 5.50 in Virginia (list of {PRICES_AS_OF})"),
        ("offline", "no cost (Offline stand-in)"),
        ("nowhere", "The price depends on the region"),
    ],
)
def test_the_default_is_the_region_that_the_machines_owner_has_set(open_page, own, price):
    page = open_page(NEWEST, region=own)
    node, connection = page.add(MAIN), page.add(CONNECTION)
    page.set(node, "model", "wan2.6-i2v-us")
    page.run("steps.link(steps.node(given[1]), 0, steps.node(given[0]), 'connection')", [node, connection])
    assert page.state(node)["price"] == price
    assert page.errors == []


def test_behind_a_link_the_region_is_not_known(page):
    prices = page.run(
        """
        const node = steps.add(given[0]), connection = steps.add(given[1], 600);
        const region = steps.add("PrimitiveNode", 900);
        steps.link(connection, 0, node, "connection");
        if (!connection.inputs.some((slot) => slot.name === "region")) connection.convertWidgetToInput?.(
          connection.widgets.find((widget) => widget.name === "region"));
        region.connect(0, connection, connection.inputs.findIndex((slot) => slot.name === "region"));
        await steps.noted();
        return steps.state(node).price;
        """,
        [MAIN, CONNECTION],
    )
    assert prices == "The price depends on the region"


def test_seconds_count(page):
    node = page.add(MAIN)
    page.set(node, "duration", 10)
    assert page.state(node)["price"] == f"about CNY 5.00 in Beijing (list of {PRICES_AS_OF})"


def test_the_region_is_followed_through_links_reroutes_and_bypass(page):
    prices = page.run(
        """
        const node = steps.add(given[0]), connection = steps.add(given[1], 600), reroute = steps.add("Reroute", 900);
        const seen = [], see = () => seen.push(steps.state(node).price);
        steps.set(connection, "region", "offline");
        steps.link(connection, 0, node, "connection"); see();
        steps.cut(node, "connection"); see();
        connection.connect(0, reroute, 0);
        steps.link(reroute, 0, node, "connection"); see();
        connection.mode = 4;
        await steps.noted(); see();
        connection.mode = 0;
        await steps.noted(); see();
        const saved = steps.saved();
        await steps.app.loadGraphData(saved);
        seen.push(steps.state(steps.node(node.id)).price);
        return seen;
        """,
        [MAIN, CONNECTION],
    )
    beijing, offline = f"about CNY 2.50 in Beijing (list of {PRICES_AS_OF})", "no cost (Offline stand-in)"
    assert prices == [offline, beijing, offline, beijing, offline, offline]


def test_the_line_is_neither_saved_nor_sent(page):
    node = page.add(MAIN)
    saved = page.saved()["nodes"][0]
    assert not any("CNY" in str(value) for value in saved["widgets_values"])
    assert len(saved["widgets_values"]) == 14
    assert "price" not in page.prompt()[str(node)]["inputs"]
