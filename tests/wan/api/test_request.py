"""Every setting of every model against the documents' rules, written down here a second time by hand."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from wanpack.offline.validation import parse_inputs
from wanpack.wan.api.request import build_body, earlier_fingerprints, estimate_cost, to_json, warnings
from wanpack.wan.api.validation import validate
from wanpack.wan.catalog.fields import VideoRequest
from wanpack.wan.catalog.models import MODELS
from wanpack.wan.catalog.regions import REGIONS

TIERS = ("480P", "720P", "1080P")
SECONDS = range(1, 17)
SHOTS = ("single", "multi")
AUDIOS = ("none", "audio_url", "off")
REGION_NAMES = ("beijing", "singapore", "virginia", "frankfurt", "offline")
# One effect of each class: both models have the first, only plus has the second.
TEMPLATES = {"flying": ("wanx2.1-i2v-turbo", "wanx2.1-i2v-plus"), "dance1": ("wanx2.1-i2v-plus",)}
AUDIO_URL = "https://example.com/rap.mp3"


@dataclass(frozen=True)
class Rules:
    """dashscope.md 0.1 and 6 for one model, and how its allowed values are said."""

    tiers: tuple[str, ...]
    seconds: tuple[int, ...]
    said: tuple[str, str]
    regions: tuple[str, ...]
    takes_audio: bool = False
    has_switch: bool = False
    has_shots: bool = False


TWO_TO_FIFTEEN = (2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
RULES = {
    "wan2.6-i2v-flash": Rules(
        ("720P", "1080P"),
        TWO_TO_FIFTEEN,
        ("720P or 1080P", "2 to 15"),
        ("beijing", "singapore"),
        takes_audio=True,
        has_switch=True,
        has_shots=True,
    ),
    "wan2.6-i2v": Rules(
        ("720P", "1080P"),
        TWO_TO_FIFTEEN,
        ("720P or 1080P", "2 to 15"),
        ("beijing", "singapore", "virginia", "frankfurt"),
        takes_audio=True,
        has_shots=True,
    ),
    "wan2.6-i2v-us": Rules(
        ("720P", "1080P"),
        (5, 10, 15),
        ("720P or 1080P", "5, 10 or 15"),
        ("virginia",),
        takes_audio=True,
        has_shots=True,
    ),
    "wan2.5-i2v-preview": Rules(
        ("480P", "720P", "1080P"),
        (5, 10),
        ("480P, 720P or 1080P", "5 or 10"),
        ("beijing", "singapore"),
        takes_audio=True,
    ),
    "wan2.2-i2v-flash": Rules(("480P", "720P", "1080P"), (5,), ("480P, 720P or 1080P", "5"), ("beijing", "singapore")),
    "wan2.2-i2v-plus": Rules(("480P", "1080P"), (5,), ("480P or 1080P", "5"), ("beijing", "singapore")),
    "wanx2.1-i2v-turbo": Rules(("480P", "720P"), (3, 4, 5), ("480P or 720P", "3, 4 or 5"), ("beijing", "singapore")),
    "wanx2.1-i2v-plus": Rules(("720P",), (5,), ("720P", "5"), ("beijing", "singapore")),
}

# What a body of each model has under `parameters`; the last line is an effect's.
PARAMETERS = {
    "wan2.6-i2v-flash": {"resolution", "duration", "prompt_extend", "seed", "watermark", "shot_type", "audio"},
    "wan2.6-i2v": {"resolution", "duration", "prompt_extend", "seed", "watermark", "shot_type"},
    "wan2.6-i2v-us": {"resolution", "duration", "prompt_extend", "seed", "watermark", "shot_type"},
    "wan2.5-i2v-preview": {"resolution", "duration", "prompt_extend", "seed", "watermark"},
    "wan2.2-i2v-flash": {"resolution", "prompt_extend", "seed", "watermark"},
    "wan2.2-i2v-plus": {"resolution", "prompt_extend", "seed", "watermark"},
    "wanx2.1-i2v-turbo": {"resolution", "duration", "prompt_extend", "seed", "watermark"},
    "wanx2.1-i2v-plus": {"resolution", "prompt_extend", "seed", "watermark"},
}
EFFECT_PARAMETERS = {"resolution", "duration", "seed", "watermark"}


def a_request(model, tier, seconds, *, shot="single", audio="none", template=""):
    return VideoRequest(
        model=model,
        prompt="a cat runs",
        resolution=tier,
        duration=seconds,
        shot_type=shot,
        audio_url=AUDIO_URL if audio == "audio_url" else "",
        generate_audio=audio != "off",
        template=template,
    )


def media_of(request, image="I"):
    audio = {"driving_audio": request.audio_url} if request.audio_url else {}
    return {"first_frame": image} | audio


def cheapest(model, **changes):
    rules = RULES[model]
    return replace(a_request(model, rules.tiers[0], rules.seconds[0]), **changes)


def named(faults):
    return sorted(fault.partition(":")[0] for fault in faults)


def faults_of(request, region="offline", **given):
    return validate(request, region=REGIONS[region], **given)


def wrong_settings(model, tier, seconds, *, shot, audio, template, region):
    """What the documents say against one combination."""
    rules = RULES[model]
    wrong = []
    if region not in (*rules.regions, "offline"):
        wrong.append("model")
    if tier not in rules.tiers:
        wrong.append("resolution")
    if seconds not in rules.seconds:
        wrong.append("duration")
    if template and model not in TEMPLATES[template]:
        wrong.append("template")
    if template and region not in ("beijing", "offline"):
        wrong.append("template")
    if shot == "multi" and not rules.has_shots:
        wrong.append("shot_type")
    if audio == "audio_url" and not rules.takes_audio:
        wrong.append("audio_url")
    if audio == "off" and rules.takes_audio and not rules.has_switch:
        wrong.append("generate_audio")
    return sorted(wrong)


@pytest.mark.parametrize("model", RULES)
def test_exactly_what_the_documents_allow_passes(model):
    tier_said, seconds_said = RULES[model].said
    every = itertools.product(TIERS, SECONDS, SHOTS, AUDIOS, ("", *TEMPLATES), REGION_NAMES)
    for tier, seconds, shot, audio, template, region in every:
        asked = {"shot": shot, "audio": audio, "template": template}
        faults = faults_of(a_request(model, tier, seconds, **asked), region)
        wrong = wrong_settings(model, tier, seconds, region=region, **asked)
        assert named(faults) == wrong, (tier, seconds, asked, region)
        if "resolution" in wrong:
            assert f"resolution: {tier} is not supported by {model}; choose {tier_said}" in faults
        if "duration" in wrong:
            assert f"duration: {seconds} is not supported by {model}; choose {seconds_said}" in faults


@pytest.mark.parametrize("model", RULES)
def test_the_other_side_takes_every_body_that_passes(model):
    every = itertools.product(TIERS, SECONDS, SHOTS, AUDIOS, ("", *TEMPLATES))
    taken = 0
    for tier, seconds, shot, audio, template in every:
        request = a_request(model, tier, seconds, shot=shot, audio=audio, template=template)
        if faults_of(request):
            continue
        body = build_body(request, region=REGIONS["offline"], media=media_of(request, "data:image/png;base64,"))
        order = parse_inputs(body, model=MODELS[model], effects=True)
        assert (order.resolution, order.duration, order.template) == (tier, seconds, template)
        taken += 1
    assert taken > 0


def test_39_pairs_of_effect_and_model_are_allowed():
    from wanpack.wan.catalog.effects import EFFECTS

    allowed = [
        (template, model)
        for template, model in itertools.product(EFFECTS, RULES)
        if not faults_of(cheapest(model, template=template), "beijing")
    ]
    assert len(allowed) == 39


@pytest.mark.parametrize(
    ("request_", "region", "fault"),
    [
        (
            a_request("wanx2.1-i2v-turbo", "480P", 10),
            "beijing",
            "duration: 10 is not supported by wanx2.1-i2v-turbo; choose 3, 4 or 5",
        ),
        (
            a_request("wan2.2-i2v-plus", "720P", 5),
            "beijing",
            "resolution: 720P is not supported by wan2.2-i2v-plus; choose 480P or 1080P",
        ),
        (
            a_request("wan2.6-i2v-us", "720P", 5),
            "beijing",
            "model: wan2.6-i2v-us is not available in Beijing, only in Virginia (choose the region in DashScope "
            "Connection). Beijing offers wan2.6-i2v-flash, wan2.6-i2v, wan2.5-i2v-preview, wan2.2-i2v-flash, "
            "wan2.2-i2v-plus, wanx2.1-i2v-turbo, wanx2.1-i2v-plus, wan2.7-i2v, wan2.7-i2v-2026-04-25, wan3.0-video, "
            "wan3.0-video-prime, happyhorse-1.1-i2v, happyhorse-1.0-i2v, wan2.2-kf2v-flash",
        ),
        (
            a_request("wan2.5-i2v-preview", "480P", 5),
            "frankfurt",
            "model: wan2.5-i2v-preview is not available in Frankfurt, only in Beijing or Singapore (choose the region "
            "in DashScope Connection). Frankfurt offers wan2.6-i2v, wan3.0-video, wan3.0-video-prime, "
            "happyhorse-1.1-i2v, happyhorse-1.0-i2v",
        ),
        (
            a_request("wan2.5-i2v-preview", "480P", 5, shot="multi"),
            "beijing",
            "shot_type: multi is not supported by wan2.5-i2v-preview; choose single, or the model wan2.6-i2v-flash, "
            "wan2.6-i2v or wan2.6-i2v-us",
        ),
        (
            replace(a_request("wan2.6-i2v", "720P", 5, shot="multi"), prompt_extend=False),
            "beijing",
            "shot_type: multi requires prompt_extend; switch it on, or choose single",
        ),
        (
            a_request("wan2.2-i2v-plus", "480P", 5, audio="audio_url"),
            "beijing",
            "audio_url: wan2.2-i2v-plus makes silent videos; remove it, or choose wan2.6-i2v-flash, wan2.6-i2v, "
            "wan2.6-i2v-us, wan2.5-i2v-preview, wan2.7-i2v or wan2.7-i2v-2026-04-25",
        ),
        (
            a_request("wan2.6-i2v", "720P", 5, audio="off"),
            "beijing",
            "generate_audio: wan2.6-i2v cannot make silent videos; switch it on, or choose wan2.6-i2v-flash, "
            "wan3.0-video, wan3.0-video-prime, wan2.2-i2v-flash, wan2.2-i2v-plus, wanx2.1-i2v-turbo, "
            "wanx2.1-i2v-plus or wan2.2-kf2v-flash",
        ),
        (
            a_request("wanx2.1-i2v-turbo", "480P", 5, template="dance1"),
            "beijing",
            "template: dance1 is not supported by wanx2.1-i2v-turbo; choose wanx2.1-i2v-plus",
        ),
        (
            a_request("wanx2.1-i2v-turbo", "480P", 5, template="flying"),
            "singapore",
            "template: effects are not available in Singapore, only in Beijing",
        ),
        (
            replace(a_request("wan2.6-i2v", "720P", 5), seed=-1),
            "beijing",
            "seed: -1 is not supported; choose 0 to 2147483647",
        ),
    ],
)
def test_a_fault_names_the_setting_and_what_is_allowed(request_, region, fault):
    assert faults_of(request_, region) == [fault]


def test_all_problems_are_reported_at_once():
    request = a_request("wanx2.1-i2v-plus", "1080P", 10, shot="multi", audio="audio_url", template="wave")
    faults = faults_of(replace(request, seed=-1), "virginia")
    assert named(faults) == ["audio_url", "duration", "model", "resolution", "seed", "shot_type", "template"]


def test_an_unknown_model_is_answered_with_the_list():
    [fault] = faults_of(VideoRequest(model="wan9"))
    assert fault.startswith("model: 'wan9' is not known; choose wan2.6-i2v-flash, wan2.6-i2v, ")
    assert fault.endswith(" or wan2.2-kf2v-flash")


def test_an_unknown_effect_is_answered_with_the_list():
    [fault] = faults_of(cheapest("wanx2.1-i2v-plus", template="hanfu-1"))
    assert fault.startswith("template: 'hanfu-1' is not known; choose squish, rotation, ")


def test_an_unknown_shot_type_is_answered_with_the_list():
    assert faults_of(cheapest("wan2.6-i2v", shot_type="double")) == [
        "shot_type: 'double' is not known; choose single or multi"
    ]


def test_an_unknown_resolution_is_answered_with_the_models_own():
    assert faults_of(cheapest("wan2.2-i2v-plus", resolution="4K")) == [
        "resolution: 4K is not supported by wan2.2-i2v-plus; choose 480P or 1080P"
    ]


@pytest.mark.parametrize("seed", [-1, -2147483648, -1.0, 1.5, float("nan"), float("inf"), True, "7", None])
def test_a_seed_is_a_whole_number_from_0_on(seed):
    assert named(faults_of(cheapest("wan2.6-i2v", seed=seed))) == ["seed"]


@pytest.mark.parametrize("seed", [0, 2147483647])
def test_the_least_and_the_largest_seed_pass(seed):
    assert faults_of(cheapest("wan2.6-i2v", seed=seed)) == []


@pytest.mark.parametrize(
    ("seed", "sent"),
    [
        (2147483648, 0),
        (2147483653, 5),
        (2**64 - 1, 2147483647),
        (np.uint64(2**63 + 7), 7),
        (torch.tensor(2**40 + 3), 3),
        (4294967296.0, 0),
    ],
)
def test_a_seed_over_the_largest_is_taken_by_its_remainder_and_reported(seed, sent):
    request = cheapest("wan2.6-i2v", seed=seed)
    assert faults_of(request) == []
    assert warnings(request, region=REGIONS["beijing"]) == [
        f"seed: {int(seed)} exceeds the maximum of 2147483647; {sent} is sent (modulo 2147483648)"
    ]


def test_numbers_and_truths_of_other_types_are_taken():
    plain = cheapest("wan2.6-i2v-flash", duration=5, seed=7, watermark=True, generate_audio=False, prompt_extend=True)
    of_nodes = cheapest(
        "wan2.6-i2v-flash",
        duration=5.0,
        seed=np.int64(7),
        watermark=np.bool_(True),
        generate_audio=0,
        prompt_extend=torch.tensor(1),
    )
    assert of_nodes == plain
    assert faults_of(of_nodes) == []
    bodies = [to_json(build_body(one, region=REGIONS["beijing"], media={})) for one in (plain, of_nodes)]
    assert bodies[0] == bodies[1]


@pytest.mark.parametrize("duration", [5.5, "5", True, None])
def test_a_duration_is_a_whole_number(duration):
    assert named(faults_of(cheapest("wan2.6-i2v", duration=duration))) == ["duration"]


@pytest.mark.parametrize("name", ["prompt", "negative_prompt"])
def test_a_prompt_is_a_text(name):
    assert faults_of(cheapest("wan2.6-i2v", **{name: 5})) == [f"{name}: must be a string, not int"]


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/a.mp3",
        "https://example.com/a.wav",
        "HTTPS://example.com/A.MP3",
        "https://example.com/a.mp3?Expires=1&Signature=x.y/z",
        "https://example.com/sound",
        "oss://dashscope-instant/x/a.wav",
    ],
)
def test_an_address_of_an_audio_passes(url):
    assert faults_of(cheapest("wan2.6-i2v", audio_url=url)) == []


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("ftp://example.com/a.mp3", "audio_url: must start with http://, https:// or oss://"),
        ("file:///etc/passwd", "audio_url: must start with http://, https:// or oss://"),
        ("data:audio/mp3;base64,AAAA", "audio_url: must start with http://, https:// or oss://"),
        ("example.com/a.mp3", "audio_url: must start with http://, https:// or oss://"),
        ("https:///a.mp3", "audio_url: must start with http://, https:// or oss://"),
        ("http://[bad/a.mp3", "audio_url: is not a valid URL"),
        ("https://example.com/a.flac", "audio_url: .flac is not supported; use .wav or .mp3 of 3 to 30 s"),
    ],
)
def test_what_is_no_address_of_an_audio_is_reported(url, fault):
    assert faults_of(cheapest("wan2.6-i2v", audio_url=url)) == [fault]


def test_two_audios_are_one_too_many():
    request = cheapest("wan2.6-i2v", audio_url=AUDIO_URL)
    assert faults_of(request, provided=("first_frame", "driving_audio")) == [
        "audio: use either audio or audio_url, not both"
    ]


def test_an_audio_that_will_be_uploaded_needs_a_model_that_takes_one():
    [fault] = faults_of(cheapest("wan2.2-i2v-plus"), provided=("first_frame", "driving_audio"))
    assert fault.startswith("audio: wan2.2-i2v-plus makes silent videos; ")


@pytest.mark.parametrize("model", RULES)
def test_only_what_the_models_row_allows_is_sent(model):
    request = cheapest(model, negative_prompt="rain")
    body = build_body(request, region=REGIONS["offline"], media={"first_frame": "IMAGE"})
    assert set(body) == {"model", "input", "parameters"}
    assert body["input"] == {"prompt": "a cat runs", "negative_prompt": "rain", "img_url": "IMAGE"}
    assert set(body["parameters"]) == PARAMETERS[model]


@pytest.mark.parametrize("model", TEMPLATES["flying"])
def test_an_effect_is_sent_without_a_prompt_and_without_what_belongs_to_prompts(model):
    request = cheapest(model, template="flying", negative_prompt="rain")
    body = build_body(request, region=REGIONS["beijing"], media={"first_frame": "IMAGE"})
    assert body["input"] == {"template": "flying", "img_url": "IMAGE"}
    assert set(body["parameters"]) == EFFECT_PARAMETERS & PARAMETERS[model]


def test_the_settings_arrive_under_the_services_names():
    request = VideoRequest(
        model="wan2.6-i2v-flash",
        prompt="p",
        resolution="720P",
        duration=7,
        shot_type="multi",
        prompt_extend=True,
        negative_prompt="n",
        seed=42,
        generate_audio=True,
        watermark=True,
    )
    media = {"first_frame": "I", "driving_audio": "oss://a/b.wav"}
    assert build_body(request, region=REGIONS["beijing"], media=media) == {
        "model": "wan2.6-i2v-flash",
        "input": {"prompt": "p", "negative_prompt": "n", "img_url": "I", "audio_url": "oss://a/b.wav"},
        "parameters": {
            "resolution": "720P",
            "duration": 7,
            "prompt_extend": True,
            "shot_type": "multi",
            "audio": True,
            "seed": 42,
            "watermark": True,
        },
    }


@pytest.mark.parametrize("name", ["prompt_extend", "watermark"])
@pytest.mark.parametrize("value", [True, False])
def test_a_switch_is_sent_whichever_way_it_is(name, value):
    request = cheapest("wan2.2-i2v-plus", **{name: value})
    body = build_body(request, region=REGIONS["beijing"], media=media_of(request))
    assert body["parameters"][name] is value


def test_empty_prompts_are_left_out():
    body = build_body(cheapest("wan2.6-i2v", prompt=""), region=REGIONS["beijing"], media={"first_frame": "I"})
    assert body["input"] == {"img_url": "I"}


@pytest.mark.parametrize(
    ("region", "name"), [("beijing", "wanx2.1-i2v-turbo"), ("singapore", "wan2.1-i2v-turbo"), ("offline", None)]
)
def test_the_model_goes_by_the_regions_name(region, name):
    body = build_body(cheapest("wanx2.1-i2v-turbo"), region=REGIONS[region], media={"first_frame": "I"})
    assert body["model"] == (name or "wanx2.1-i2v-turbo")


def test_a_body_is_compact_utf_8_with_chinese_as_it_is():
    assert to_json({"prompt": "一只猫", "seed": 0}) == '{"prompt":"一只猫","seed":0}'.encode()


def test_half_a_character_in_a_prompt_does_not_stop_the_body():
    # JavaScript can hand over one half of a surrogate pair.
    assert json.loads(to_json({"prompt": "cat \ud83d"}).decode("utf-8", "replace"))["prompt"].startswith("cat ")


@pytest.mark.parametrize(("model", "limit"), [("wan2.6-i2v", 1500), ("wan2.2-i2v-plus", 800)])
def test_a_prompt_over_the_limit_is_a_warning_and_no_fault(model, limit):
    fits, longer = cheapest(model, prompt="猫" * limit), cheapest(model, prompt="猫" * (limit + 1))
    assert faults_of(longer) == []
    assert warnings(fits, region=REGIONS["beijing"]) == []
    assert warnings(longer, region=REGIONS["beijing"]) == [
        f"prompt: DashScope truncates it to {limit} characters; this one has {limit + 1}"
    ]


def test_a_negative_prompt_over_500_characters_is_a_warning():
    assert warnings(cheapest("wan2.6-i2v", negative_prompt="x" * 501), region=REGIONS["beijing"]) == [
        "negative_prompt: DashScope truncates it to 500 characters; this one has 501"
    ]


def test_an_effect_is_not_warned_of_a_prompt_that_is_not_sent():
    request = cheapest("wanx2.1-i2v-turbo", template="flying", prompt="x" * 900)
    assert warnings(request, region=REGIONS["beijing"]) == []


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (5.0, []),
        (7.5, ["audio: 7.5 s of audio for 5 s of video; the rest of the audio is cut"]),
        (3.25, ["audio: 3.2 s of audio for 5 s of video; the end of the video is silent"]),
    ],
)
def test_an_audio_of_another_length_than_the_video_is_a_warning(seconds, said):
    request = cheapest("wan2.5-i2v-preview")
    assert warnings(request, region=REGIONS["beijing"], audio_seconds=seconds) == said


def test_an_audio_that_a_silent_video_does_not_use_is_a_warning():
    request = cheapest("wan2.6-i2v-flash", generate_audio=False, audio_url=AUDIO_URL)
    assert warnings(request, region=REGIONS["beijing"]) == [
        "audio: generate_audio is off, so the audio is not used and the video is silent"
    ]


def test_a_tier_that_the_region_does_not_price_is_a_warning():
    request = cheapest("wan2.2-i2v-flash", resolution="1080P")
    for region, priced in (("beijing", True), ("singapore", False)):
        assert (estimate_cost(request, region=REGIONS[region]) is not None) is priced
    assert warnings(request, region=REGIONS["singapore"], is_priced=False) == [
        "wan2.2-i2v-flash at 1080P is not in the price list of Singapore"
    ]


@pytest.mark.parametrize(
    ("request_", "region", "amount", "currency"),
    [
        (a_request("wan2.6-i2v-flash", "1080P", 10), "beijing", 5.0, "CNY"),
        (a_request("wan2.6-i2v-flash", "1080P", 10, audio="off"), "beijing", 2.5, "CNY"),
        (a_request("wanx2.1-i2v-turbo", "480P", 3), "singapore", 0.108, "USD"),
        (a_request("wan2.6-i2v-us", "720P", 5), "virginia", 3.6696, "CNY"),
        (a_request("wan2.6-i2v-us", "720P", 5), "offline", 0.0, "CNY"),
    ],
)
def test_a_video_costs_its_seconds_at_the_list_price(request_, region, amount, currency):
    assert estimate_cost(request_, region=REGIONS[region]) == {
        "amount": amount,
        "currency": currency,
        "as_of": "2026-05-26",
    }


def test_what_the_list_does_not_price_has_no_cost():
    assert estimate_cost(cheapest("wan2.2-i2v-flash", resolution="1080P"), region=REGIONS["singapore"]) is None


@pytest.mark.parametrize(
    ("region", "duration", "reported"), [("virginia", 7, True), ("frankfurt", 10, False), ("beijing", 7, False)]
)
def test_a_duration_that_the_pages_differ_about_is_a_warning(region, duration, reported):
    request = VideoRequest(model="wan2.6-i2v", resolution="720P", duration=duration)
    said = warnings(request, region=REGIONS[region])
    assert bool([text for text in said if text.startswith("duration:") and "5, 10 or 15" in text]) is reported


@pytest.mark.parametrize(
    ("request_", "found"),
    [
        (
            VideoRequest(prompt="一只猫", resolution="720P", seed=7, audio_url="https://a.example/a.mp3"),
            "eb7db8ede6131441c0f6b9dd95cba570f619df7570c3edc664e063e34c0364c3",
        ),
        (
            VideoRequest(model="wanx2.1-i2v-turbo", template="flying", resolution="480P", duration=3),
            "b347ca6d4b9b7e5eb1e9ae5612fc7931f0e4527e93a8c28d08a2eefdc57e5f48",
        ),
        # It sent the duration of this model, which has only one.
        (
            VideoRequest(model="wan2.2-i2v-flash", prompt="a cat", resolution="480P"),
            "3a5d3644f31782c710f7dfb0241f7be1f4b6e302dc617d354d0f9d4952941f7e",
        ),
    ],
)
def test_a_request_of_an_earlier_version_is_known_again(request_, found):
    # What the first version wrote into its ledger: its tasks and videos must be found by it.
    body = build_body(request_, region=REGIONS["beijing"], media=media_of(request_, "ab" * 32))
    old = earlier_fingerprints(body, region="beijing", account="me", duration=request_.duration)
    assert found in old
