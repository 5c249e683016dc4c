"""Widgets follow the model: what they offer is what the server's check lets through, and nothing less."""

import functools
import itertools
import json

from wanpack.wan.api.request import build_body
from wanpack.wan.api.validation import INPUT_NAMES, validate
from wanpack.wan.catalog.effects import EFFECTS
from wanpack.wan.catalog.fields import VideoRequest
from wanpack.wan.catalog.media import FIRST_CLIP, FIRST_FRAME, LAST_FRAME
from wanpack.wan.catalog.models import CLIP_SECONDS, MODELS, RATIOS, RESOLUTIONS, SHOT_TYPES
from wanpack.wan.catalog.regions import REGIONS
from webpage.pages import in_one_page, on_canvas

OFFLINE = REGIONS["offline"]
URL = "https://example.com/sound.mp3"
MAIN, EFFECT, CONTINUE = "DashScopeWanImageToVideo", "DashScopeWanVideoEffect", "DashScopeWanContinueVideo"
CONTINUE_MODELS = [row.id for row in MODELS.values() if row.accepts(FIRST_CLIP)]
EFFECT_MODELS = [row.id for row in MODELS.values() if row.effects]

# The widgets' states for every model, with each shot type it offers, and with every choice of links that it leaves.
COLLECT = """
  const [type, models] = given, found = [];
  const node = steps.add(type);
  const others = { audio: steps.add("LoadAudio", 600), last_frame: steps.add("LoadImage", 900) };
  // What a widget has when it is hidden must not be what it has by chance.
  const awkward = {
    prompt_extend: false,
    generate_audio: false,
    audio_url: "https://example.com/sound.mp3",
    negative_prompt: "blur",
    ratio: "16:9",
  };
  for (const [name, value] of Object.entries(awkward)) {
    if (steps.state(node).widgets[name]) steps.set(node, name, value);
  }
  // Whether a socket may be linked, as its label says.
  const choices = (name) => {
    const slot = node.inputs.find((slot) => slot.name === name);
    if (!slot || slot.localized_name.includes("not supported")) return [false];
    return slot.localized_name.includes("required") ? [true] : [false, true];
  };
  for (const model of models) {
    steps.set(node, "model", model);
    const [sounds, lasts] = [choices("audio"), choices("last_frame")];
    for (const audio of sounds) for (const last_frame of lasts) {
      const linked = Object.entries({ audio, last_frame }).filter(([, is]) => is).map(([name]) => name);
      for (const name of linked) steps.link(others[name], 0, node, name);
      const shots = steps.state(node).widgets.shot_type;
      for (const shot of shots && !shots.hidden ? shots.values : [null]) {
        if (shot) steps.set(node, "shot_type", shot);
        found.push({ model, linked, ...steps.state(node) });
      }
      for (const name of linked) steps.cut(node, name);
    }
  }
  return found;
"""

# A new node, and its state after each widget was set.
SET_EACH = """
  const [type, values] = given, node = steps.add(type), found = [];
  for (const [widget, value] of values) {
    steps.set(node, widget, value);
    await Promise.resolve();
    found.push(steps.state(node));
  }
  return found;
"""


def values_of(widget):
    """What the user can choose in a widget."""
    if widget["hidden"]:
        return [widget["value"]]
    if widget["values"]:
        return widget["values"]
    if isinstance(widget["value"], bool):
        return [True, False]
    if widget["step"]:
        return list(range(widget["min"], widget["max"] + 1, widget["step"]))
    return ["", URL]


def offered(states, names):
    """Every request that the widgets offer, each with the names of the linked inputs."""
    for state in states:
        widgets = state["widgets"]
        choices = {name: values_of(widgets[name]) for name in names if name in widgets}
        if names.get("duration") == SOME_SECONDS:
            choices["duration"] = [seconds for seconds in choices["duration"] if seconds in SOME_SECONDS]
        if "shot_type" in widgets:
            choices["shot_type"] = [widgets["shot_type"]["value"]]
        for values in itertools.product(*choices.values()):
            request = VideoRequest(model=state["model"], **dict(zip(choices, values, strict=True)))
            yield request, tuple(state["linked"])


def kinds_of(linked, *, begin=FIRST_FRAME):
    return [begin, *(kind for kind, name in INPUT_NAMES.items() if name in linked)]


def asked_for(request, linked):
    """What the service is asked for: a widget that does nothing makes no difference here."""
    media = {kind: kind for kind in kinds_of(linked)}
    if request.audio_url and MODELS[request.model].has_audio(generate_audio=request.generate_audio):
        media["driving_audio"] = request.audio_url
    return json.dumps(build_body(request, region=OFFLINE, media=media), sort_keys=True)


SOME_SECONDS = (1, 4, 5, 10, 15, 31)
"""Every model has some of them, and none all."""
LENGTHS = {
    "resolution": RESOLUTIONS,
    "duration": range(1, 32),
    "shot_type": SHOT_TYPES,
}
SETTINGS = {
    "resolution": RESOLUTIONS,
    "duration": SOME_SECONDS,
    "shot_type": SHOT_TYPES,
    "prompt_extend": (True, False),
    "generate_audio": (True, False),
    "audio_url": ("", URL),
}
SHAPES = {
    "resolution": RESOLUTIONS,
    "shot_type": SHOT_TYPES,
    "ratio": RATIOS,
    "negative_prompt": ("", URL),
}
LINKS = [(), ("audio",), ("last_frame",), ("audio", "last_frame")]
CHOICES = {"lengths": LENGTHS, "settings": SETTINGS, "shapes": SHAPES}


@functools.cache
def allowed_by_the_server(name):
    """What each request of these choices asks for that the server's check lets through: the same for every page."""
    choices = CHOICES[name]
    return {
        asked_for(request, linked)
        for model in MODELS
        for values in itertools.product(*choices.values())
        for linked in LINKS
        if not validate(
            request := VideoRequest(model=model, **dict(zip(choices, values, strict=True))),
            region=OFFLINE,
            provided=kinds_of(linked),
        )
    }


@functools.cache
def judged(request, linked):
    """What the server's check has against a request, and what it asks for."""
    return tuple(validate(request, region=OFFLINE, provided=kinds_of(linked))), asked_for(request, linked)


@on_canvas
def test_what_the_widgets_offer_is_what_the_server_allows(page):
    states = page.run(COLLECT, [MAIN, list(MODELS)])
    for name, choices in CHOICES.items():
        found = {judged(request, linked) for request, linked in offered(states, choices)}
        assert {fault for faults, _ in found for fault in faults} == set()
        assert {asked for _, asked in found} == allowed_by_the_server(name)


@on_canvas
def test_what_the_continue_node_offers_is_what_the_server_allows(page):
    choices = {"resolution": RESOLUTIONS, "duration": range(1, 32), "prompt_extend": (True, False)}
    states = page.run(COLLECT, [CONTINUE, CONTINUE_MODELS])
    requests = list(offered(states, choices))
    least = {"region": OFFLINE, "clip_seconds": CLIP_SECONDS[0]}
    given = {linked: kinds_of(linked, begin=FIRST_CLIP) for linked in LINKS}
    assert {
        fault for request, linked in requests for fault in validate(request, provided=given[linked], **least)
    } == set()
    allowed = {
        (request, linked)
        for model in CONTINUE_MODELS
        for values in itertools.product(*choices.values())
        for linked in LINKS
        if not validate(
            request := VideoRequest(model=model, **dict(zip(choices, values, strict=True))),
            provided=given[linked],
            **least,
        )
    }
    assert set(requests) == allowed


@on_canvas
def test_what_the_effect_node_offers_is_what_the_server_allows(page):
    choices = {"template": list(EFFECTS), "resolution": RESOLUTIONS, "duration": range(1, 17)}
    requests = list(offered(page.run(COLLECT, [EFFECT, EFFECT_MODELS]), choices))
    assert {fault for request, _ in requests for fault in validate(request, region=OFFLINE)} == set()
    allowed = {
        request
        for model in EFFECT_MODELS
        for values in itertools.product(*choices.values())
        if not validate(request := VideoRequest(model=model, **dict(zip(choices, values, strict=True))), region=OFFLINE)
    }
    assert {request for request, _ in requests} == allowed


@on_canvas
def test_what_a_model_does_not_have_is_hidden_and_labelled(page):
    for state in page.run(SET_EACH, [MAIN, [["model", model] for model in MODELS]]):
        row = MODELS[state["widgets"]["model"]["value"]]
        used = {
            "shot_type": bool(row.shot_types),
            "generate_audio": row.audio_switch,
            "audio_url": row.audio_input,
            "prompt_extend": row.prompt_extend,
            "negative_prompt": row.negative_prompt,
            "ratio": bool(row.ratios),
        }
        for name, widget in state["widgets"].items():
            assert widget["hidden"] == widget["hiddenInOptions"] == (not used.get(name, True)), (row.id, name)
        assert state["labels"]["audio"] == ("audio" if row.audio_input else "audio (not supported by this model)")
        last = "" if row.accepts(LAST_FRAME) else " (not supported by this model)"
        needed = " (required by this model)" if row.missing_media(FIRST_FRAME) else ""
        assert state["labels"]["last_frame"] == f"last_frame{last or needed}"


@in_one_page
def test_the_nearest_value_is_taken(page):
    cases = [
        ("resolution", "720P", "wan2.2-i2v-plus", "480P"),
        ("resolution", "1080P", "wanx2.1-i2v-turbo", "720P"),
        ("duration", 12, "wan2.6-i2v-us", 10),
        ("duration", 13, "wan2.6-i2v-us", 15),
        ("duration", 2, "wanx2.1-i2v-turbo", 3),
        ("duration", 15, "wan2.2-i2v-flash", 5),
        ("duration", 9, "wan2.6-i2v", 9),
    ]
    for widget, before, model, after in cases:
        *_, state = page.run(SET_EACH, [MAIN, [[widget, before], ["model", model]]])
        assert state["widgets"][widget]["value"] == after, (before, model)


@on_canvas
def test_a_typed_duration_becomes_one_that_the_model_has(page):
    typed = {7: 5, 8: 10, 14: 15, 1: 5, 99: 15}
    _, *states = page.run(SET_EACH, [MAIN, [["model", "wan2.6-i2v-us"], *(["duration", value] for value in typed)]])
    assert [state["widgets"]["duration"]["value"] for state in states] == list(typed.values())


@on_canvas
def test_hidden_widgets_get_their_values_back(page):
    node = page.add(MAIN)
    mine = {"prompt_extend": False, "generate_audio": False, "audio_url": URL}
    for widget, value in mine.items():
        page.set(node, widget, value)
    page.set(node, "shot_type", "multi")
    assert (
        page.state(node)["widgets"]["prompt_extend"] | {"value": True, "hidden": True}
        == (page.state(node)["widgets"]["prompt_extend"])
    )
    page.set(node, "model", "wan2.2-i2v-flash")
    widgets = page.state(node)["widgets"]
    assert (widgets["shot_type"]["value"], widgets["audio_url"]["value"]) == ("single", "")
    page.set(node, "model", "wan2.6-i2v")
    page.set(node, "model", "wan2.6-i2v-flash")
    widgets = page.state(node)["widgets"]
    assert {name: widgets[name]["value"] for name in ("generate_audio", "audio_url", "shot_type")} == {
        "generate_audio": False,
        "audio_url": URL,
        "shot_type": "multi",
    }
    page.set(node, "shot_type", "single")
    assert page.state(node)["widgets"]["prompt_extend"]["value"] is False


def test_linked_widgets_are_left_alone(page):
    states = page.run(
        """
        const node = steps.add(given), primitive = steps.add("PrimitiveNode", 600);
        steps.set(node, "shot_type", "multi");
        steps.link(primitive, 0, node, "shot_type");
        steps.set(node, "model", "wan2.2-i2v-plus");
        const shot = steps.state(node);
        steps.cut(node, "shot_type");
        steps.link(steps.add("PrimitiveNode", 900), 0, node, "model");
        return [shot, steps.state(node)];
        """,
        MAIN,
    )
    shot = states[0]["widgets"]["shot_type"]
    assert (shot["hidden"], shot["value"], shot["values"]) == (False, "multi", list(SHOT_TYPES))
    whole = states[1]["widgets"]
    assert not any(widget["hidden"] for widget in whole.values())
    assert whole["resolution"]["values"] == list(RESOLUTIONS)
    assert (whole["duration"]["min"], whole["duration"]["max"], whole["duration"]["step"]) == (2, 30, 1)
    assert states[1]["price"] == "The price depends on linked values"


@on_canvas
def test_a_hidden_value_does_not_come_back_for_a_model_that_is_linked(page):
    node = page.add(MAIN)
    page.set(node, "shot_type", "multi")
    page.set(node, "model", "wan2.2-i2v-plus")
    page.run("const node = steps.node(given); steps.link(steps.add('PrimitiveNode', 600), 0, node, 'model')", node)
    shot_type = page.state(node)["widgets"]["shot_type"]
    assert (shot_type["value"], shot_type["hidden"]) == ("single", False)


@on_canvas
def test_refreshing_the_lists_does_not_widen_them(page):
    node = page.add(MAIN)
    page.set(node, "model", "wanx2.1-i2v-plus")
    page.run("await steps.app.refreshComboInNodes()")
    assert page.state(node)["widgets"]["resolution"]["values"] == ["720P"]


@in_one_page
def test_an_unknown_model_changes_nothing(page):
    node = page.add(MAIN)
    page.set(node, "duration", 13)
    page.set(node, "model", "wan9.9-i2v")
    widgets = page.state(node)["widgets"]
    assert widgets["duration"]["value"] == 13
    assert widgets["resolution"]["values"] == list(RESOLUTIONS)
