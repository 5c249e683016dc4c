"""What a create body may hold: everything else becomes a failed task."""

from __future__ import annotations

import pytest
from wanpack.nodes.service.effects import EFFECTS
from wanpack.nodes.service.models import MODELS

SILENT = ("wan2.2-i2v-flash", "wan2.2-i2v-plus", "wanx2.1-i2v-turbo", "wanx2.1-i2v-plus", "wan2.2-kf2v-flash")
NO_EFFECTS = [model for model in MODELS if model not in ("wanx2.1-i2v-turbo", "wanx2.1-i2v-plus")]
AUDIO_SWITCH = ("wan2.6-i2v-flash", "wan3.0-video", "wan3.0-video-prime")
LOUD = ("wan2.6-i2v", "wan2.6-i2v-us", "wan2.5-i2v-preview", "wan2.7-i2v", "wan2.7-i2v-2026-04-25")
HORSES = ("happyhorse-1.1-i2v", "happyhorse-1.0-i2v")
WAN_3 = ("wan3.0-video", "wan3.0-video-prime")
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
    assert order.audio == (model in (*AUDIO_SWITCH, *LOUD, *HORSES))
    assert order.watermark == (model in HORSES)
    assert order.prompt_extend == (model not in HORSES)
    assert order.ratio == "adaptive"


@pytest.mark.parametrize(
    ("model", "resolution"),
    [
        ("wan2.6-i2v-flash", "480P"),
        ("wan2.2-i2v-plus", "720P"),
        ("wanx2.1-i2v-turbo", "1080P"),
        ("wanx2.1-i2v-plus", "480P"),
        ("wan2.6-i2v", "720p"),
        ("wan2.7-i2v", "480P"),
        ("happyhorse-1.0-i2v", "480P"),
        ("wan3.0-video", "4K"),
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
        ("wan2.7-i2v", 16),
        ("wan2.7-i2v-2026-04-25", 1),
        ("wan3.0-video", 31),
        ("happyhorse-1.1-i2v", 2),
        ("wan2.2-kf2v-flash", 10),
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


@pytest.mark.parametrize("model", [model for model in MODELS if not model.startswith("wan2.6")])
def test_shot_type_is_for_wan26_only(api, kit, model):
    code, message = api.failure(kit.body(model, parameters={"shot_type": "multi"}))
    assert code == "InvalidParameter"
    assert message == f"Required parameter(parameters.shot_type) missing or invalid: {model} does not take it."


def test_shot_type_has_two_values(api, kit):
    assert "(shot_type)" in api.failure(kit.body("wan2.6-i2v", parameters={"shot_type": "double"}))[1]


@pytest.mark.parametrize("model", [model for model in MODELS if model not in AUDIO_SWITCH])
def test_the_audio_switch_is_for_flash_and_wan3_only(api, kit, model):
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


@pytest.mark.parametrize("model", [*HORSES, *WAN_3])
def test_a_negative_prompt_is_not_for_every_model(api, kit, model):
    assert "input.negative_prompt" in api.failure(kit.body(model, input={"negative_prompt": "rain"}))[1]


@pytest.mark.parametrize("model", HORSES)
def test_happyhorse_rewrites_no_prompt(api, kit, model):
    assert "parameters.prompt_extend" in api.failure(kit.body(model, parameters={"prompt_extend": True}))[1]


@pytest.mark.parametrize("model", [model for model in MODELS if model not in WAN_3])
def test_a_ratio_is_for_wan3_only(api, kit, model):
    assert "parameters.ratio" in api.failure(kit.body(model, parameters={"ratio": "16:9"}))[1]


@pytest.mark.parametrize("ratio", ["adaptive", "21:9", "16:9", "4:3", "1:1", "3:4", "9:16", "2:1", "16:10", ""])
def test_wan3_has_seven_ratios(api, kit, ratio):
    body = kit.body("wan3.0-video", parameters={"ratio": ratio})
    if ratio in ("2:1", "16:10", ""):
        assert "(ratio)" in api.failure(body)[1]
    else:
        api.submit(body)
        assert api.server.tasks[0].order.ratio == ratio


@pytest.mark.parametrize("model", MODELS)
def test_a_seed_below_zero_is_for_wan3_only(api, kit, model):
    body = kit.body(model, parameters={"seed": -1})
    if model in WAN_3:
        api.submit(body)
        assert api.server.tasks[0].failure is None
    else:
        assert "(seed)" in api.failure(body)[1]
    assert "(seed)" in api.failure(kit.body(model, parameters={"seed": -2}))[1]


def test_first_and_last_frame_may_say_that_they_make_five_seconds(api, kit):
    api.submit(kit.body("wan2.2-kf2v-flash", parameters={"duration": 5}))
    assert api.server.tasks[0].order.duration == 5


def test_a_length_that_the_model_chooses_is_not_made_here(api, kit):
    parameters = {"duration": -1}
    message = api.failure(kit.body("wan3.0-video", parameters=parameters))[1]
    assert message == (
        "The offline stand-in makes no video of a length that the model chooses with wan3.0-video; "
        "the service itself does."
    )
    assert "(duration)" in api.failure(kit.body("wan2.7-i2v", parameters=parameters))[1]


@pytest.mark.parametrize(
    ("part", "name"), [("parameters", "size"), ("parameters", "enable_thinking"), ("input", "first_frame_url")]
)
def test_an_unknown_field_fails_and_is_named(api, kit, part, name):
    assert f"{part}.{name}" in api.failure(kit.body(**{part: {name: "x"}}))[1]


def test_an_unknown_field_beside_input_fails(api, kit):
    assert "(callback)" in api.failure({**kit.body(), "callback": "x"})[1]


@pytest.mark.parametrize(
    ("model", "limit"),
    [
        ("wanx2.1-i2v-turbo", 800),
        ("wan2.6-i2v-flash", 1500),
        ("wan2.7-i2v", 5000),
        ("wan3.0-video", 20_000),
        ("happyhorse-1.1-i2v", 2500),
        ("wan2.2-kf2v-flash", 800),
    ],
)
def test_a_long_prompt_is_cut_without_a_word(api, kit, model, limit):
    prompt = "\u732b" * (limit + 1)
    assert api.ended(kit.body(model, input={"prompt": prompt}))["output"]["orig_prompt"] == prompt[:limit]


@pytest.mark.parametrize(
    ("prompt", "kept"),
    [
        ("a" * 5001, 5000),
        ("\u732b" * 2499 + "abc", 2501),
        ("abc" + "\u732b" * 2499, 2501),
        ("a" + "\u732b" * 2500, 2500),
    ],
)
def test_happyhorse_counts_a_chinese_character_twice(api, kit, prompt, kept):
    reply = api.ended(kit.body("happyhorse-1.0-i2v", input={"prompt": prompt}))
    assert reply["output"]["orig_prompt"] == prompt[:kept]


def test_a_long_negative_prompt_is_cut_without_a_word(api, kit):
    api.submit(kit.body(input={"negative_prompt": "y" * 501}))
    assert len(api.server.tasks[0].order.negative_prompt) == 500
