"""The nodes of text, references and clips: what they offer, what the prompt calls references, and what clips cost."""

import functools
import itertools

import pytest
from wanpack.wan.api.validation import validate
from wanpack.wan.catalog.fields import VideoRequest, rows_of
from wanpack.wan.catalog.models import MORE_RATIOS, RATIOS, RESOLUTIONS
from wanpack.wan.catalog.regions import REGIONS
from webpage.pages import in_chinese, in_one_page, on_canvas

OFFLINE = REGIONS["offline"]
TEXT, REFERENCE, EDIT = "DashScopeWanTextToVideo", "DashScopeWanReferenceToVideo", "DashScopeWanVideoEdit"
CONTINUE = "DashScopeWanContinueVideo"

# Everything that a node's widgets offer of resolutions, ratios and durations for each model.
OFFERED = """
  const [type, models, socket, kind] = given, node = steps.add(type), found = [];
  if (socket) steps.link(steps.add(kind, 600), 0, node, socket);
  await steps.noted();
  const valuesOf = ({ values, min, max, step, hidden, value }) => {
    if (hidden) return [value];
    return values ?? Array.from({ length: Math.floor((max - min) / step) + 1 }, (_, place) => min + place * step);
  };
  for (const model of models) {
    steps.set(node, "model", model);
    for (const resolution of steps.state(node).widgets.resolution.values) {
      steps.set(node, "resolution", resolution);
      const { widgets } = steps.state(node);
      const ratios = widgets.ratio ? valuesOf(widgets.ratio) : [null];
      found.push({ model, resolution, ratios, durations: valuesOf(widgets.duration) });
    }
  }
  return found;
"""


@functools.cache
def allowed(job, media, clip_seconds):
    """The combinations that the server lets through, by model and resolution: ratios and durations."""
    every = {}
    for row in rows_of(job).values():
        ratios = dict.fromkeys((*row.ratios, *RATIOS, *MORE_RATIOS))
        for resolution, ratio, duration in itertools.product(RESOLUTIONS, ratios, range(31)):
            request = VideoRequest(
                job=job, model=row.id, prompt="a cat", resolution=resolution, ratio=ratio, duration=duration
            )
            if not validate(request, region=OFFLINE, provided=media, clip_seconds=clip_seconds):
                ratios_there, durations = every.setdefault((row.id, resolution), (set(), set()))
                ratios_there.add(ratio)
                durations.add(duration)
    return every


@on_canvas
@pytest.mark.parametrize(
    ("node", "job", "media", "link"),
    [
        (TEXT, "text_to_video", (), None),
        (REFERENCE, "reference_to_video", ("reference_image#1",), ("reference_1", "LoadImage")),
        (REFERENCE, "reference_to_video", ("reference_video#1",), ("reference_3", "LoadVideo")),
    ],
    ids=["text", "image", "clip"],
)
def test_what_a_node_offers_is_what_the_server_allows(page, node, job, media, link):
    expected = allowed(job, media, 1.0 if "reference_video#1" in media else None)
    models = list(dict.fromkeys(model for model, _ in expected))
    found = page.run(OFFERED, [node, models, *(link or (None, None))])
    assert {(row["model"], row["resolution"]): ({*row["ratios"]}, {*row["durations"]}) for row in found} == expected


@on_canvas
@pytest.mark.parametrize(
    ("node", "job"), [(EDIT, "video_edit"), (CONTINUE, "video_extension")], ids=["edit", "extension"]
)
def test_what_a_node_with_a_clip_offers_is_what_the_server_allows(page, node, job):
    expected = {}
    for row in rows_of(job).values():
        kind = next(slot.kind for slot in row.slots if slot.least)
        # The page knows no clip's length, and offers what is right for some: a long one to cut, a short one to extend.
        seconds = row.clip_limits.seconds[1 if kind == "video" else 0]
        expected |= {
            key: value for key, value in allowed(job, (f"{kind}#1",), float(seconds)).items() if key[0] == row.id
        }
    found = page.run(OFFERED, [node, list(rows_of(job)), "video", "LoadVideo"])
    assert {(row["model"], row["resolution"]) for row in found} == set(expected)
    for row in found:
        ratios, durations = expected[row["model"], row["resolution"]]
        # 1 s lies between 0, the clip's length, and 2 s: the widget makes 0 or 2 of it.
        assert {*row["durations"]} - ({1} if 0 in durations else set()) == durations
        assert node == CONTINUE or {*row["ratios"]} == ratios


@on_canvas
def test_the_ratios_of_a_small_resolution_are_narrowed_not_hidden(page):
    node = page.add(TEXT)
    page.set(node, "model", "wan2.5-t2v-preview")
    page.set(node, "ratio", "4:3")
    page.set(node, "resolution", "480P")
    ratio = page.state(node)["widgets"]["ratio"]
    assert (ratio["hidden"], ratio["values"]) == (False, ["16:9", "1:1", "9:16"])
    assert ratio["value"] in ratio["values"]


@on_canvas
def test_what_a_model_does_not_have_is_hidden_and_its_sockets_say_so(page):
    no = " (not supported by this model)"
    node = page.add(REFERENCE)
    page.set(node, "model", "happyhorse-1.1-r2v")
    state = page.state(node)
    hidden = {name for name, widget in state["widgets"].items() if widget["hidden"]}
    assert hidden == {"prompt_extend", "negative_prompt", "generate_audio", "shot_type"}
    for name in ("first_frame", "voice_1", "voice_5"):
        assert state["labels"][name] == f"{name}{no}"
    page.set(node, "model", "wan2.7-r2v")
    labels = page.state(node)["labels"]
    assert (labels["first_frame"], labels["voice_1"]) == ("first_frame", "voice_1")
    page.run("steps.link(steps.add('LoadImage', 600), 0, steps.node(given), 'first_frame')", node)
    assert page.state(node)["widgets"]["ratio"]["hidden"]

    edit = page.add(EDIT)
    hidden = {}
    for model in rows_of("video_edit"):
        page.set(edit, "model", model)
        hidden[model] = {name for name, widget in page.state(edit)["widgets"].items() if widget["hidden"]}
    assert hidden == {
        "wan2.7-videoedit": {"generate_audio"},
        "wan3.0-video": {"audio_setting", "negative_prompt", "video_url"},
        "wan3.0-video-prime": {"audio_setting", "negative_prompt", "video_url"},
        "happyhorse-1.0-video-edit": {"generate_audio", "negative_prompt", "prompt_extend", "ratio"},
    }

    extension = page.add(CONTINUE)
    page.set(extension, "model", "wan3.0-video")
    state = page.state(extension)
    assert state["labels"]["last_frame"] == f"last_frame{no}"
    assert {name for name, widget in state["widgets"].items() if widget["hidden"]} == {"negative_prompt"}


@on_canvas
def test_a_duration_of_an_edit_goes_from_the_clips_length_to_seconds_and_back(page):
    node = page.add(EDIT)
    seen = []
    for seconds in (1, 1, 0, 3):
        page.set(node, "duration", seconds)
        seen.append(page.state(node)["widgets"]["duration"]["value"])
    assert seen == [2, 0, 0, 3]


NAMES = """
  const [type, models, links, renderer] = given, node = steps.add(type), found = {};
  for (const [socket, kind, amount] of links) {
    const origin = steps.add(kind, 600);
    let last = origin;
    if (amount) {
      last = steps.add("RepeatImageBatch", 900);
      steps.link(origin, 0, last, "image");
      steps.set(last, "amount", amount);
    }
    steps.link(last, 0, node, socket);
  }
  await steps.noted();
  for (const model of models) {
    steps.set(node, "model", model);
    const { labels } = steps.state(node);
    found[model] = links.map(([socket]) => labels[socket].replace(/^.*? \\(/, "").replace(/\\)$/, ""));
  }
  return found;
"""
LINKS = [
    ("reference_1", "LoadVideo", 0),
    ("reference_2", "LoadImage", 3),
    ("reference_3", "LoadAudio", 0),
    ("reference_4", "LoadImage", 0),
    ("reference_5", "LoadVideo", 0),
]
NO = "not supported by this model"
CALLED = {
    "wan3.0-video": ["Video 1", "Image 1 - Image 3", "Audio 1", "Image 4", "Video 2"],
    "wan2.7-r2v": ["Video 1", "Image 1 - Image 3", NO, "Image 4", "Video 2"],
    "happyhorse-1.1-r2v": [NO, "[Image 1] - [Image 3]", NO, "[Image 4]", NO],
    "wan2.6-r2v-flash": ["character1", "character2 - character4", NO, "character5", "character6"],
}


def test_sockets_say_what_the_prompt_calls_their_references(page):
    assert page.run(NAMES, [REFERENCE, list(CALLED), LINKS]) == CALLED


@on_canvas
def test_names_follow_the_links_and_are_not_saved(page):
    before, cut, saved, loaded, prompt = page.run(
        """
        const node = steps.add(given), video = steps.add("LoadVideo", 600), image = steps.add("LoadImage", 600);
        const { id } = node;
        const labels = (one) => [1, 2].map((number) => steps.state(one).labels[`reference_${number}`]);
        steps.set(node, "model", "wan2.6-r2v");
        steps.link(video, 0, node, "reference_1");
        steps.link(image, 0, node, "reference_2");
        const before = labels(node);
        steps.cut(node, "reference_1");
        const cut = labels(node);
        const saved = steps.saved();
        const sockets = saved.nodes.find((one) => String(one.id) === String(id)).inputs.map((slot) => slot.name);
        await steps.app.loadGraphData(saved);
        await steps.frames();
        const { output } = await steps.app.graphToPrompt();
        return [before, cut, sockets, labels(steps.node(id)), output[id].inputs];
        """,
        REFERENCE,
    )
    assert before == ["reference_1 (character1)", "reference_2 (character2)"]
    assert cut == loaded == ["reference_1", "reference_2 (character1)"]
    assert [name for name in saved if name.startswith("reference_")] == [f"reference_{n}" for n in range(1, 9)]
    assert "reference_1" not in prompt
    assert prompt["reference_2"][1] == 0


@on_canvas
def test_a_reference_from_outside_a_subgraph_has_its_name(page):
    label = page.run(
        """
        if (!steps.root().convertToSubgraph) return null;
        const node = steps.add(given), image = steps.add("LoadImage", 600), video = steps.add("LoadVideo", 900);
        steps.set(node, "model", "wan3.0-video");
        steps.link(image, 0, node, "reference_1");
        steps.link(video, 0, node, "reference_2");
        const { subgraph } = steps.root().convertToSubgraph(new Set([node]));
        await steps.noted();
        const inside = subgraph.nodes.find((one) => one.comfyClass === given);
        return [1, 2].map((number) => steps.state(inside).labels[`reference_${number}`]);
        """,
        REFERENCE,
    )
    assert label in (None, ["reference_1 (Image 1)", "reference_2 (Video 1)"])


@in_one_page
def test_the_edit_node_names_clip_and_images_where_the_model_has_names(page):
    links = [("video", "LoadVideo", 0), ("image_1", "LoadImage", 2), ("image_3", "LoadImage", 0)]
    assert page.run(NAMES, [EDIT, ["wan3.0-video", "wan2.7-videoedit"], links]) == {
        "wan3.0-video": ["Video 1", "Image 1 - Image 2", "Image 3"],
        "wan2.7-videoedit": ["video", "image_1", "image_3"],
    }


@in_chinese
def test_names_and_prices_are_chinese_on_a_chinese_page(page):
    called = page.run(NAMES, [REFERENCE, ["wan3.0-video", "wan2.6-r2v"], LINKS])
    edit = page.add(EDIT)
    prices = []
    for duration in (0, 5):
        page.set(edit, "duration", duration)
        prices.append(page.state(edit)["price"].split("，")[0])
    assert called == {
        "wan3.0-video": ["视频1", "图1 - 图3", "音频1", "图4", "视频2"],
        "wan2.6-r2v": ["character1", "character2 - character4", "此模型不支持", "character5", "character6"],
    }
    assert prices == ["约 CNY 1.20/秒（片段）", "约 CNY 3.00 + 0.60/秒（片段）"]


PRICES = """
  const [type, model, links, values] = given, node = steps.add(type);
  for (const [socket, kind] of links) steps.link(steps.add(kind, 600), 0, node, socket);
  await steps.noted();
  for (const [name, value] of [["model", model], ["resolution", "720P"], ...values]) steps.set(node, name, value);
  return steps.state(node).price.split(" in ")[0];
"""
CLIP, PICTURE = ("reference_1", "LoadVideo"), ("reference_2", "LoadImage")
SECOND_CLIP = ("reference_3", "LoadVideo")


@on_canvas
@pytest.mark.parametrize(
    ("node", "model", "links", "values", "price"),
    [
        (TEXT, "wan2.2-t2v-plus", [], {"resolution": "480P", "count": 3}, "3 videos, about CNY 2.10"),
        (TEXT, "wan3.0-video", [], {"duration": 10}, "about CNY 6.00"),
        (REFERENCE, "wan3.0-video", [PICTURE], {}, "about CNY 3.00"),
        (REFERENCE, "wan3.0-video", [CLIP, PICTURE], {}, "about CNY 3.00 + 0.60/s of clips"),
        (REFERENCE, "wan2.7-r2v", [CLIP, PICTURE], {}, "about CNY 3.00 to 6.00"),
        (REFERENCE, "wan2.7-r2v", [CLIP, SECOND_CLIP, PICTURE], {}, "about CNY 3.00 to 6.00"),
        (REFERENCE, "wan2.6-r2v", [CLIP, PICTURE], {}, "about CNY 3.00 to 4.50"),
        (REFERENCE, "wan2.6-r2v-flash", [CLIP], {"generate_audio": False}, "about CNY 0.75 to 1.50"),
        (REFERENCE, "happyhorse-1.1-r2v", [PICTURE], {}, "about CNY 4.50"),
        (EDIT, "wan2.7-videoedit", [], {}, "about CNY 1.20/s of the clip"),
        (EDIT, "wan2.7-videoedit", [], {"duration": 5}, "about CNY 3.00 + 0.60/s of the clip"),
        (EDIT, "happyhorse-1.0-video-edit", [], {}, "about CNY 1.80/s of the clip"),
        (CONTINUE, "wan3.0-video", [], {}, "about CNY 6.00 + 0.60/s of the clip"),
        (CONTINUE, "wan2.7-i2v", [], {}, "about CNY 6.00"),
    ],
)
def test_the_price_tells_what_is_billed(page, node, model, links, values, price):
    assert page.run(PRICES, [node, model, links, list(values.items())]) == price


@in_one_page
@pytest.mark.parametrize("node", [TEXT, REFERENCE, EDIT])
def test_a_ratio_stands_beside_the_resolution(page, node):
    page.add(node)
    names = page.run("return steps.root().nodes.at(-1).widgets.map(({ name }) => name)")
    assert names[names.index("resolution") + 1] == "ratio"
