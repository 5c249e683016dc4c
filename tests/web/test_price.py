"""The price line: the list's price of what the node asks for, in the region that it goes to."""

import media
import pytest
from PIL import Image
from wanpack.wan.api.request import estimate_cost
from wanpack.wan.api.validation import validate
from wanpack.wan.catalog.fields import VideoRequest
from wanpack.wan.catalog.models import MODELS
from wanpack.wan.catalog.regions import REGIONS
from wanpack.wan.catalog.spec import PRICES_AS_OF
from webpage.pages import in_one_page, on_canvas

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
    kinds = ["first_frame", *MODELS[row["model"]].missing_media("first_frame")]
    if validate(request, region=REGIONS[region], provided=kinds):
        return f"{row['model']} is not available in {title}"
    price = estimate_cost(request, region=REGIONS[region])
    if price is None:
        return f"no list price in {title}"
    if not price["amount"]:
        return f"free of charge ({title})"
    return f"about {price['currency']} {price['amount'] + 1e-9:.2f} in {title} (list of {price['as_of']})"


@in_one_page
@pytest.mark.parametrize(("kind", "template"), [(MAIN, ""), (EFFECT, "squish")])
def test_every_price_is_the_lists(page, kind, template):
    models = [row.id for row in MODELS.values() if kind == MAIN or row.effects]
    found = page.run(COLLECT, [kind, models, ["default", *REGIONS]])
    assert len(found) > len(models) * len(REGIONS)
    assert [row["price"] for row in found] == [expected(row, template) for row in found]


@in_one_page
def test_without_a_connection_the_machines_own_region_is_named(page):
    node = page.add(MAIN)
    assert page.state(node)["price"] == f"about CNY 2.50 in Beijing (list of {PRICES_AS_OF})"
    page.set(node, "model", "wan2.6-i2v-us")
    assert page.state(node)["price"] == "wan2.6-i2v-us is not available in Beijing"


@on_canvas
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


def animated(kind, count, **options):
    """A file of `count` frames, with a palette, extensions and a comment where its kind has them."""
    shades = [Image.new("RGB", (16, 12), (index * 9 % 256, 80, 200)) for index in range(count)]
    return media.encoded(shades[0], kind, save_all=True, append_images=shades[1:], duration=40, loop=0, **options)


OF_THE_IMAGE = """
  const [type, file, then] = given;
  const node = steps.add(type), picture = steps.add("LoadImage", 600);
  steps.set(picture, "image", file);
  steps.link(picture, 0, node, "image");
  for (const widget of then ?? []) steps.set(node, ...widget);
  await steps.noted();
  for (let left = 50; left && steps.state(node).price.startsWith("about"); left--) await steps.noted();
  return steps.state(node).price;
"""


@in_one_page
@pytest.mark.parametrize("kind", [MAIN, EFFECT])
@pytest.mark.parametrize(
    ("file", "data"),
    [
        ("walk.gif", animated("GIF", 24, comment=b"of a cat, and;,!")),
        ("sub/walk.GIF", animated("GIF", 24)),
        ("walk.webp", animated("WEBP", 24, lossless=True)),
        ("walk.gif [input]", animated("GIF", 24)),
    ],
)
def test_the_frames_of_an_animated_image_are_counted(page, kind, file, data):
    page.server.files = {file.removesuffix(" [input]"): data}
    shown = page.run(OF_THE_IMAGE, [kind, file])
    each = "2.50" if kind == MAIN else "1.20"
    assert shown == f"24 videos, about CNY {float(each) * 24:.2f} in Beijing (list of {PRICES_AS_OF})"


@in_one_page
@pytest.mark.parametrize(
    ("file", "data"),
    [("one.gif", animated("GIF", 1)), ("one.webp", animated("WEBP", 1)), ("still.png", b""), ("no.gif", b"GIF89a")],
)
def test_a_still_image_costs_one_video(page, file, data):
    page.server.files = {file: data}
    assert page.run(OF_THE_IMAGE.replace("left = 50", "left = 3"), [MAIN, file]) == (
        f"about CNY 2.50 in Beijing (list of {PRICES_AS_OF})"
    )


@on_canvas
def test_a_batch_is_counted_through_the_nodes_that_make_it(page):
    prices = page.run(
        """
        const node = steps.add(given), seen = [];
        const kinds = ["LoadImage", "RepeatImageBatch", "ImageScale", "ImageFromBatch", "ImageBatch", "EmptyImage",
          "ImageCrop"];
        const [picture, repeat, scale, some, both, empty, crop] = kinds.map((kind) => steps.add(kind, 600));
        const see = async () => {
          await steps.noted();
          seen.push(steps.state(node).price.split(" in ")[0]);
        };
        steps.link(picture, 0, repeat, "image");
        steps.link(repeat, 0, scale, "image");
        steps.link(scale, 0, node, "image");
        steps.set(repeat, "amount", 4); await see();
        steps.set(repeat, "amount", 6); await see();
        steps.link(scale, 0, some, "image");
        steps.set(some, "batch_index", 3); steps.set(some, "length", 9);
        steps.link(some, 0, node, "image"); await see();
        steps.set(some, "length", 1); await see();
        steps.set(empty, "batch_size", 2);
        steps.link(empty, 0, both, "image1"); steps.link(scale, 0, both, "image2");
        steps.link(both, 0, crop, "image"); steps.link(crop, 0, node, "image"); await see();
        repeat.mode = 4; await see();
        return seen;
        """,
        MAIN,
    )
    alone = "about CNY 2.50"
    assert prices == [
        *("4 videos, about CNY 10.00", "6 videos, about CNY 15.00", "3 videos, about CNY 7.50", alone),
        *("8 videos, about CNY 20.00", alone),
    ]
    assert page.errors == []


@in_one_page
def test_a_batch_where_nothing_is_paid_shows_its_count(page):
    shown = page.run(
        """
        const node = steps.add(given[0]), empty = steps.add("EmptyImage", 600), connection = steps.add(given[1], 900);
        steps.set(connection, "region", "offline");
        steps.link(connection, 0, node, "connection");
        steps.set(empty, "batch_size", 3);
        steps.link(empty, 0, node, "image");
        await steps.noted();
        return steps.state(node).price;
        """,
        [MAIN, CONNECTION],
    )
    assert shown == "3 videos, free of charge (Offline)"


@in_one_page
def test_seconds_count(page):
    node = page.add(MAIN)
    page.set(node, "duration", 10)
    assert page.state(node)["price"] == f"about CNY 5.00 in Beijing (list of {PRICES_AS_OF})"


@on_canvas
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
    beijing, offline = f"about CNY 2.50 in Beijing (list of {PRICES_AS_OF})", "free of charge (Offline)"
    assert prices == [offline, beijing, offline, beijing, offline, offline]


@on_canvas
def test_the_line_is_neither_saved_nor_sent(page):
    node = page.add(MAIN)
    saved = page.saved()["nodes"][0]
    assert not any("CNY" in str(value) for value in saved["widgets_values"])
    assert len(saved["widgets_values"]) == 14
    assert "price" not in page.prompt()[str(node)]["inputs"]
