"""What a create body may hold: everything else becomes a failed task."""

from __future__ import annotations

import pytest
from wanpack.wan.api.request import build_body
from wanpack.wan.catalog.effects import EFFECTS
from wanpack.wan.catalog.fields import VideoRequest
from wanpack.wan.catalog.models import MODELS
from wanpack.wan.catalog.regions import REGIONS

SILENT = ("wan2.2-i2v-flash", "wan2.2-i2v-plus", "wanx2.1-i2v-turbo", "wanx2.1-i2v-plus", "wan2.2-kf2v-flash")
NO_EFFECTS = [model for model in MODELS if model not in ("wanx2.1-i2v-turbo", "wanx2.1-i2v-plus")]
AUDIO_SWITCH = ("wan2.6-i2v-flash", "wan3.0-video", "wan3.0-video-prime")
LOUD = ("wan2.6-i2v", "wan2.6-i2v-us", "wan2.5-i2v-preview", "wan2.7-i2v", "wan2.7-i2v-2026-04-25")
HORSES = ("happyhorse-1.1-i2v", "happyhorse-1.0-i2v")
WAN_3 = ("wan3.0-video", "wan3.0-video-prime")
RAP = "https://help-static-aliyun-doc.aliyuncs.com/file-manage-files/zh-CN/20250925/wpimhv/rap.png"
RAP_AUDIO = "https://help-static-aliyun-doc.aliyuncs.com/file-manage-files/zh-CN/20250925/ozwpvi/rap.mp3"
DEMO = "https://cdn.translate.alibaba.com/r/wanx-demo-1.png"

OFFICIAL = {
    "multi_shot": {
        "model": "wan2.6-i2v-flash",
        "input": {"prompt": "x", "img_url": RAP, "audio_url": RAP_AUDIO},
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
    order = api.server.tasks[0].inputs
    assert (order.resolution, order.duration) == (MODELS[model].default_resolution, 5)
    assert order.audio == (model in (*AUDIO_SWITCH, *LOUD, *HORSES))
    assert order.watermark == (model in HORSES)
    assert order.prompt_extend == (model not in HORSES)
    assert order.ratio == "adaptive"


@pytest.mark.parametrize(
    ("model", "resolution", "allowed"),
    [
        ("wan2.6-i2v-flash", "480P", "'1080P' or '720P'"),
        ("wan2.2-i2v-plus", "720P", "'1080P' or '480P'"),
        ("wanx2.1-i2v-turbo", "1080P", "'720P' or '480P'"),
        ("wanx2.1-i2v-plus", "480P", "'720P'"),
        ("wan2.6-i2v", "720p", "'1080P' or '720P'"),
        ("wan2.7-i2v", "480P", "'1080P' or '720P'"),
        ("happyhorse-1.0-i2v", "1280*720", "'1080P' or '720P'"),
        ("wan3.0-video", "4K", "'1080P', '720P' or '480P'"),
    ],
)
def test_a_resolution_that_the_model_lacks_fails(api, kit, model, resolution, allowed):
    body = kit.body(model, parameters={"resolution": resolution})
    assert api.failure(body) == ("InvalidParameter", f"Input should be {allowed}: parameters.resolution")


FIXED = "duration customization is not supported"
NO_INTEGER = "Input should be a valid integer: parameters.duration"


@pytest.mark.parametrize(
    ("model", "duration", "message"),
    [
        ("wan2.6-i2v-flash", 16, "Duration should be between 2 and 15"),
        ("wan2.6-i2v-flash", 1, "Duration should be between 2 and 15"),
        ("wan2.6-i2v-us", 7, "Input should be 5, 10 or 15: parameters.duration"),
        ("wan2.5-i2v-preview", 15, "Input should be 5 or 10: parameters.duration"),
        ("wan2.2-i2v-flash", 3, FIXED),
        ("wan2.2-i2v-plus", 8, FIXED),
        ("wanx2.1-i2v-plus", 4, FIXED),
        ("wan2.2-kf2v-flash", 10, FIXED),
        ("wanx2.1-i2v-turbo", 2, "Duration should be between 3 and 5"),
        ("wan2.7-i2v", 16, "Duration should be between 2 and 15"),
        ("wan2.7-i2v-2026-04-25", 1, "Duration should be between 2 and 15"),
        ("wan3.0-video", 31, "Duration should be between 2 and 30"),
        ("happyhorse-1.1-i2v", 2, "Duration should be between 3 and 15"),
        ("wanx2.1-i2v-turbo", "5", NO_INTEGER),
        ("wanx2.1-i2v-turbo", 5.0, NO_INTEGER),
        ("wanx2.1-i2v-turbo", True, NO_INTEGER),
    ],
)
def test_a_duration_that_the_model_lacks_fails(api, kit, model, duration, message):
    assert api.failure(kit.body(model, parameters={"duration": duration})) == ("InvalidParameter", message)


FIXED_MODELS = [model for model, row in MODELS.items() if len(row.durations) == 1]


@pytest.mark.parametrize("model", FIXED_MODELS)
@pytest.mark.parametrize("duration", [None, 5])
def test_a_fixed_length_may_be_left_out_or_said(api, kit, model, duration):
    api.submit(kit.body(model, parameters={"duration": duration}))
    assert api.server.tasks[0].inputs.duration == 5


@pytest.mark.parametrize(
    ("part", "name", "value", "message"),
    [
        ("input", "prompt", 7, "Input should be a valid string: input.prompt"),
        ("input", "img_url", ["x"], "Input should be a valid string: input.img_url"),
        ("input", "negative_prompt", False, "Input should be a valid string: input.negative_prompt"),
        ("parameters", "seed", "1", "Input should be a valid integer: parameters.seed"),
        ("parameters", "seed", -1, "Input should be greater than or equal to 0: parameters.seed"),
        ("parameters", "seed", 2_147_483_648, "Input should be less than or equal to 2147483647: parameters.seed"),
        ("parameters", "prompt_extend", "true", "Input should be a valid boolean: parameters.prompt_extend"),
        ("parameters", "watermark", 1, "Input should be a valid boolean: parameters.watermark"),
        ("parameters", "resolution", 720, "Input should be a valid string: parameters.resolution"),
    ],
)
def test_a_wrong_type_or_value_fails_and_is_named(api, kit, part, name, value, message):
    assert api.failure(kit.body(**{part: {name: value}})) == ("InvalidParameter", message)


def test_a_failure_names_all_that_is_wrong(api, kit):
    wrong = {"resolution": "480P", "duration": 1, "seed": "x"}
    assert api.failure(kit.body("wan2.7-i2v", input={"media": None}, parameters=wrong)) == (
        "InvalidParameter",
        "Field required: input.media & Input should be a valid integer: parameters.seed & "
        "Input should be '1080P' or '720P': parameters.resolution & Duration should be between 2 and 15",
    )


def test_shot_type_has_two_values(api, kit):
    message = api.failure(kit.body("wan2.6-i2v", parameters={"shot_type": "double"}))[1]
    assert message == "Input should be 'single' or 'multi': parameters.shot_type"


def lacking(model, *fields):
    """Cases of one model with fields that it does not have."""
    return [pytest.param(model, *field.split("."), id=f"{model}-{field}") for field in fields]


LACKING = [
    *lacking("wan2.5-i2v-preview", "parameters.audio", "parameters.shot_type", "parameters.ratio"),
    *lacking("wan2.6-i2v", "parameters.audio", "input.template", "parameters.ratio"),
    *lacking("wan2.7-i2v", "parameters.shot_type", "parameters.audio", "input.img_url", "input.audio_url"),
    *lacking("happyhorse-1.1-i2v", "parameters.prompt_extend", "input.negative_prompt", "parameters.audio"),
    *lacking("wan3.0-video", "input.negative_prompt", "parameters.shot_type", "input.img_url"),
    *lacking("wan2.2-i2v-plus", "input.audio_url", "input.template", "parameters.audio", "parameters.shot_type"),
    *lacking("wan2.2-kf2v-flash", "input.img_url", "input.template", "parameters.audio"),
    *lacking("wanx2.1-i2v-turbo", "parameters.size", "parameters.enable_thinking", "input.first_frame_url"),
    *lacking("wan2.6-i2v-flash", "input.reference_urls", "parameters.audio_setting", "parameters.n"),
]


@pytest.mark.parametrize(("model", "part", "name"), LACKING)
def test_a_field_that_the_model_does_not_have_is_ignored_and_noted(api, kit, model, part, name):
    for value in ("x", True, None):
        body = kit.body(model)
        body[part][name] = value
        task_id = api.submit(body)
        assert api.server.tasks[-1].failure is None
        assert api.server.notes_of(task_id) == [f"{part}.{name} is ignored: {model} has no such field"]


@pytest.mark.parametrize("model", MODELS)
def test_the_pack_sends_nothing_that_its_model_does_not_have(make_server, kit, model):
    api = make_server(running_limit=0)
    row = MODELS[model]
    words = {"prompt": "a cat", "negative_prompt": "rain" if row.negative_prompt else ""}
    effects = [{"template": effect.id} for effect in EFFECTS.values() if model in effect.models]
    for kinds in row.media_combinations:
        media = {kind: f"https://example.com/{kind}.mp3" for kind in kinds}
        for more in (words, *effects):
            asked = VideoRequest(model=model, resolution=row.resolutions[0], duration=row.durations[-1], **more)
            api.submit(build_body(asked, region=REGIONS["offline"], media=media))
    assert [task.failure for task in api.server.tasks if task.failure] == []
    assert {task.inputs.ignored for task in api.server.tasks} == {()}


def test_an_ignored_field_changes_nothing(api, kit):
    silent = kit.body("wan2.6-i2v", parameters={"audio": False})
    horse = kit.body("happyhorse-1.1-i2v", parameters={"prompt_extend": True})
    effect = kit.body("wan2.6-i2v", input={"template": "flying"})
    for body in (silent, horse, effect):
        api.submit(body)
    loud, plain, whole = (task.inputs for task in api.server.tasks)
    assert (loud.audio, plain.prompt_extend, whole.template) == (True, False, "")


def test_a_video_is_made_where_a_field_was_ignored(api, kit):
    reply = api.ended(kit.body("wan2.5-i2v-preview", parameters={"audio": True}))
    assert reply["output"]["task_status"] == "SUCCEEDED"
    assert reply["usage"] == {"duration": 5, "SR": 480, "video_count": 1}


def test_a_field_beside_input_is_ignored_and_noted(api, kit):
    task_id = api.submit({**kit.body(), "callback": "x"})
    assert api.server.notes_of(task_id) == ["callback is ignored: wanx2.1-i2v-turbo has no such field"]


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


@pytest.mark.parametrize("ratio", ["adaptive", "21:9", "16:9", "4:3", "1:1", "3:4", "9:16", "2:1", "16:10", ""])
def test_wan3_has_seven_ratios(api, kit, ratio):
    body = kit.body("wan3.0-video", parameters={"ratio": ratio})
    if ratio in ("2:1", "16:10", ""):
        allowed = "'adaptive', '21:9', '16:9', '4:3', '1:1', '3:4' or '9:16'"
        assert api.failure(body)[1] == f"Input should be {allowed}: parameters.ratio"
    else:
        api.submit(body)
        assert api.server.tasks[0].inputs.ratio == ratio


@pytest.mark.parametrize("model", MODELS)
def test_a_seed_below_zero_is_for_wan3_only(api, kit, model):
    body = kit.body(model, parameters={"seed": -1})
    if model in WAN_3:
        api.submit(body)
        assert api.server.tasks[0].failure is None
    else:
        assert api.failure(body)[1] == "Input should be greater than or equal to 0: parameters.seed"
    lowest = -1 if model in WAN_3 else 0
    message = api.failure(kit.body(model, parameters={"seed": -2}))[1]
    assert message == f"Input should be greater than or equal to {lowest}: parameters.seed"


def test_a_length_that_the_model_chooses_is_not_made_here(api, kit):
    parameters = {"duration": -1}
    message = api.failure(kit.body("wan3.0-video", parameters=parameters))[1]
    assert message == (
        "Offline mode makes no video of a length that the model chooses with wan3.0-video; DashScope does."
    )
    assert api.failure(kit.body("wan2.7-i2v", parameters=parameters))[1] == "Duration should be between 2 and 15"


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
    assert len(api.server.tasks[0].inputs.negative_prompt) == 500
