"""What a create body may hold: everything else becomes a failed task."""

from __future__ import annotations

import pytest
from wanpack.nodes.service.effects import EFFECTS
from wanpack.nodes.service.models import MODELS

SILENT = ("wan2.2-i2v-flash", "wan2.2-i2v-plus", "wanx2.1-i2v-turbo", "wanx2.1-i2v-plus")
NO_EFFECTS = tuple(MODELS)[:6]
RAP = "https://help-static-aliyun-doc.aliyuncs.com/file-manage-files/zh-CN/20250925/wpimhv/rap.png"
RAP_SOUND = "https://help-static-aliyun-doc.aliyuncs.com/file-manage-files/zh-CN/20250925/ozwpvi/rap.mp3"
DEMO = "https://cdn.translate.alibaba.com/r/wanx-demo-1.png"

OFFICIAL = {
    "multi_shot": {
        "model": "wan2.6-i2v-flash",
        "input": {"prompt": "x", "img_url": RAP, "audio_url": RAP_SOUND},
        "parameters": {"resolution": "720P", "prompt_extend": True, "duration": 10, "shot_type": "multi"},
    },
    "auto_dubbing": {
        "model": "wan2.5-i2v-preview",
        "input": {"prompt": "x", "img_url": RAP},
        "parameters": {"resolution": "480P", "prompt_extend": True, "duration": 10},
    },
    "negative_prompt": {
        "model": "wan2.2-i2v-plus",
        "input": {"prompt": "x", "negative_prompt": "y", "img_url": DEMO},
        "parameters": {"resolution": "480P", "prompt_extend": True},
    },
    "video_effect": {
        "model": "wanx2.1-i2v-turbo",
        "input": {"img_url": DEMO, "template": "flying"},
        "parameters": {"resolution": "720P"},
    },
}


@pytest.mark.parametrize("name", OFFICIAL)
def test_the_official_samples_are_accepted(api, name):
    task_id = api.submit(OFFICIAL[name])
    assert api.state(task_id) in ("PENDING", "RUNNING", "SUCCEEDED")


@pytest.mark.parametrize("model", MODELS)
def test_every_model_takes_its_own_resolutions_and_durations(api, kit, model):
    row = MODELS[model]
    for resolution in row.resolutions:
        api.submit(kit.body(model, parameters={"resolution": resolution, "duration": row.durations[-1]}))
    assert not [task for task in api.server.tasks if task.failure]


@pytest.mark.parametrize("model", MODELS)
def test_the_defaults_are_the_models(api, kit, model):
    api.submit(kit.body(model, parameters={"resolution": None, "duration": None}))
    order = api.server.tasks[0].order
    assert (order.resolution, order.duration) == (MODELS[model].default_resolution, 5)
    assert order.audio == MODELS[model].audio_input


@pytest.mark.parametrize(
    ("model", "resolution"),
    [
        ("wan2.6-i2v-flash", "480P"),
        ("wan2.2-i2v-plus", "720P"),
        ("wanx2.1-i2v-turbo", "1080P"),
        ("wanx2.1-i2v-plus", "480P"),
        ("wan2.6-i2v", "720p"),
    ],
)
def test_a_resolution_that_the_model_lacks_fails(api, kit, model, resolution):
    body = kit.body(model, parameters={"resolution": resolution})
    assert api.failure(body) == ("InvalidParameter", f"The size is not match {resolution}")


@pytest.mark.parametrize(
    ("model", "duration"),
    [
        ("wan2.6-i2v-flash", 16),
        ("wan2.6-i2v-flash", 1),
        ("wan2.6-i2v-us", 7),
        ("wan2.5-i2v-preview", 15),
        ("wan2.2-i2v-flash", 3),
        ("wanx2.1-i2v-turbo", 2),
        ("wanx2.1-i2v-plus", 4),
        ("wanx2.1-i2v-turbo", "5"),
        ("wanx2.1-i2v-turbo", 5.0),
        ("wanx2.1-i2v-turbo", True),
    ],
)
def test_a_duration_that_the_model_lacks_fails(api, kit, model, duration):
    code, message = api.failure(kit.body(model, parameters={"duration": duration}))
    assert (code, "(duration)" in message) == ("InvalidParameter", True)


@pytest.mark.parametrize(
    ("part", "name", "value"),
    [
        ("input", "prompt", 7),
        ("input", "img_url", ["x"]),
        ("input", "negative_prompt", False),
        ("parameters", "seed", "1"),
        ("parameters", "seed", -1),
        ("parameters", "seed", 2_147_483_648),
        ("parameters", "prompt_extend", "true"),
        ("parameters", "watermark", 1),
        ("parameters", "resolution", 720),
    ],
)
def test_a_wrong_type_or_value_fails_and_is_named(api, kit, part, name, value):
    code, message = api.failure(kit.body(**{part: {name: value}}))
    assert (code, f"({name})" in message) == ("InvalidParameter", True)


@pytest.mark.parametrize("model", [*SILENT, "wan2.5-i2v-preview"])
def test_shot_type_is_for_wan26_only(api, kit, model):
    code, message = api.failure(kit.body(model, parameters={"shot_type": "multi"}))
    assert code == "InvalidParameter"
    assert message == f"Required parameter(parameters.shot_type) missing or invalid: {model} does not take it."


def test_shot_type_has_two_values(api, kit):
    assert "(shot_type)" in api.failure(kit.body("wan2.6-i2v", parameters={"shot_type": "double"}))[1]


@pytest.mark.parametrize("model", tuple(MODELS)[1:])
def test_the_audio_switch_is_for_flash_only(api, kit, model):
    assert "parameters.audio" in api.failure(kit.body(model, parameters={"audio": True}))[1]


@pytest.mark.parametrize("model", SILENT)
def test_silent_models_take_no_sound(api, kit, model):
    assert "input.audio_url" in api.failure(kit.body(model, input={"audio_url": RAP_SOUND}))[1]


@pytest.mark.parametrize("model", NO_EFFECTS)
def test_effects_are_for_the_two_oldest_models_only(api, kit, model):
    assert "input.template" in api.failure(kit.body(model, input={"template": "flying"}))[1]


@pytest.mark.parametrize("template", ["mermaid", "hanfu-1", ""])
def test_a_template_that_the_model_lacks_fails(api, kit, template):
    assert api.failure(kit.body(input={"template": template})) == (
        "InvalidFile.Template.Content",
        "Invalid template content.",
    )


def test_every_template_works_on_its_models(api, kit):
    for effect in EFFECTS.values():
        for model in effect.models:
            api.submit(kit.body(model, input={"template": effect.id}))
    assert not [task for task in api.server.tasks if task.failure]


def test_the_newer_schema_is_refused(api, kit):
    media = [{"type": "first_frame", "url": DEMO}]
    assert api.failure(kit.body(input={"img_url": None, "media": media})) == (
        "InvalidParameter",
        "Field required: input.img_url",
    )
    assert "input.media" in api.failure(kit.body(input={"media": media}))[1]


@pytest.mark.parametrize(
    ("part", "name"), [("parameters", "size"), ("parameters", "ratio"), ("input", "first_frame_url")]
)
def test_an_unknown_field_fails_and_is_named(api, kit, part, name):
    assert f"{part}.{name}" in api.failure(kit.body(**{part: {name: "x"}}))[1]


def test_an_unknown_field_beside_input_fails(api, kit):
    assert "(callback)" in api.failure({**kit.body(), "callback": "x"})[1]


@pytest.mark.parametrize(("model", "limit"), [("wanx2.1-i2v-turbo", 800), ("wan2.6-i2v-flash", 1500)])
def test_a_long_prompt_is_cut_without_a_word(api, kit, model, limit):
    prompt = "\u732b" * (limit + 1)
    output = api.ended(kit.body(model, input={"prompt": prompt, "negative_prompt": "y" * 501}))["output"]
    assert output["orig_prompt"] == prompt[:limit]
    assert len(api.server.tasks[0].order.negative_prompt) == 500
