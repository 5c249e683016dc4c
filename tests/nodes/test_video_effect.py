"""The effect node: the 39 pairs of template and model that there are, and no other."""

from __future__ import annotations

import itertools
import re

import av
import pytest
from wanpack.nodes.video_effect import DashScopeWanVideoEffect
from wanpack.wan.api.request import build_body
from wanpack.wan.api.validation import validate
from wanpack.wan.catalog.fields import VideoRequest
from wanpack.wan.catalog.regions import REGIONS

TURBO, PLUS = "wanx2.1-i2v-turbo", "wanx2.1-i2v-plus"
# Written out here once more, from the service's page: the table must not be able to agree with itself only.
BOTH = (
    *("squish", "rotation", "poke", "inflate", "dissolve", "carousel", "singleheart", "flying"),
    *("rose", "crystalrose", "hug", "frenchkiss", "coupleheart"),
)
PLUS_ONLY = (
    *("melt", "icecream", "dance1", "dance2", "dance3", "dance4", "dance5"),
    *("mermaid", "graduation", "dragon", "money", "jellyfish", "pupil"),
)
PAIRS = [*itertools.product(BOTH, (TURBO, PLUS)), *((name, PLUS) for name in PLUS_ONLY)]
NO_PAIRS = [(name, TURBO) for name in PLUS_ONLY]


def settings_for(template, model):
    duration = 3 if model == TURBO else 5
    return {"template": template, "model": model, "resolution": "720P", "duration": duration}


def inputs():
    kinds = DashScopeWanVideoEffect.INPUT_TYPES()
    return {**kinds["required"], **kinds["optional"]}


def test_there_are_39_pairs():
    assert len(PAIRS) == 39


def test_the_widgets_offer_all_26_templates_and_the_two_models_that_have_them():
    assert sorted(inputs()["template"][0]) == sorted(BOTH + PLUS_ONLY)
    assert inputs()["model"][0] == [TURBO, PLUS]


@pytest.mark.parametrize(("template", "model"), PAIRS)
def test_every_pair_is_allowed_and_its_body_has_the_template_and_no_prompt(template, model):
    request = VideoRequest(**settings_for(template, model))
    assert validate(request, region=REGIONS["beijing"]) == []
    body = build_body(request, region=REGIONS["beijing"], media={"first_frame": "data:,"})
    assert body["input"] == {"template": template, "img_url": "data:,"}
    assert body["model"] == model
    # A model that has one duration only is not reported it.
    assert set(body["parameters"]) == {"resolution", "seed", "watermark"} | ({"duration"} if model == TURBO else set())


@pytest.mark.parametrize(("template", "model"), [("flying", TURBO), ("squish", PLUS), ("pupil", PLUS), ("hug", TURBO)])
def test_the_node_sends_it(live_server, nodes, asked, template, model):
    create = asked(live_server, nodes.effect, **settings_for(template, model), seed=7, watermark=True)
    assert set(create.body["input"]) == {"template", "img_url"}
    assert create.body["input"]["template"] == template
    duration = {"duration": settings_for(template, model)["duration"]} if model == TURBO else {}
    assert create.body["parameters"] == {"resolution": "720P", **duration, "seed": 7, "watermark": True}


@pytest.mark.parametrize(("template", "model"), NO_PAIRS)
def test_no_other_pair_is_sent(live_server, nodes, refused, template, model):
    faults = refused(live_server, nodes.effect, **settings_for(template, model))
    assert faults == [f"template: {template} is not supported by {model}; choose {PLUS}"]


@pytest.mark.parametrize("template", ["hanfu-1", "Flying", " flying", "", None])
def test_a_template_of_another_kind_is_not_sent(live_server, nodes, refused, template):
    [fault] = refused(live_server, nodes.effect, **settings_for(template, TURBO))
    assert fault.startswith("template: ")
    assert "choose" in fault
    assert "squish" in fault


@pytest.mark.parametrize("model", ["wan2.6-i2v-flash", "wan2.2-i2v-plus", "wan2.1-i2v-turbo"])
def test_a_model_without_effects_is_not_sent(live_server, nodes, refused, model):
    faults = refused(live_server, nodes.effect, **{**settings_for("flying", TURBO), "model": model})
    [fault] = [fault for fault in faults if fault.startswith(("template: ", "model: "))]
    assert model in fault
    assert {TURBO, PLUS} <= set(re.findall(r"[\w.-]+", fault))


def test_a_region_that_has_the_model_but_no_effects_is_reported(serve, nodes, refused):
    faults = refused(serve("singapore"), nodes.effect)
    assert faults == ["template: effects are not available in Singapore, only in Beijing"]


@pytest.mark.parametrize("region", ["virginia", "frankfurt"])
def test_a_region_that_has_neither_is_reported_with_both(serve, nodes, refused, region):
    model, template = refused(serve(region), nodes.effect)
    assert model.startswith(f"model: {TURBO} is not available in {REGIONS[region].title}, only in Beijing or Singapore")
    assert template == f"template: effects are not available in {REGIONS[region].title}, only in Beijing"


@pytest.mark.parametrize(
    ("settings", "reported"),
    [
        ({"duration": 6}, f"duration: 6 is not supported by {TURBO}; choose 3, 4 or 5"),
        ({"resolution": "1080P"}, f"resolution: 1080P is not supported by {TURBO}; choose 480P or 720P"),
        ({"model": PLUS}, f"duration: 3 is not supported by {PLUS}; choose 5"),
        ({"seed": -1}, "seed: -1 is not supported; choose 0 to 2147483647"),
    ],
)
def test_the_models_other_limits_hold_too(live_server, nodes, refused, settings, reported):
    assert refused(live_server, nodes.effect, **{**settings_for("flying", TURBO), **settings}) == [reported]


def test_an_effect_becomes_a_silent_video_with_a_receipt(live_server, nodes, quick, tmp_path):
    made = nodes.effect(template="hug")
    assert made.path.parent == tmp_path / "output" / "wan"
    assert made.path.name == "effect_00001_.mp4"
    asked = {name: made.receipt[name] for name in ("template", "model", "resolution", "duration", "prompt")}
    assert asked == {"template": "hug", "model": TURBO, "resolution": "480P", "duration": 3, "prompt": ""}
    assert made.receipt["estimated_cost"]["amount"] == 0.72
    with av.open(str(made.path)) as container:
        assert (container.streams.video[0].frames, len(container.streams.audio)) == (90, 0)
