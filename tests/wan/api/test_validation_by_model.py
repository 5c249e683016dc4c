"""Every setting of the models with a list of media against the documents' rules, written down here by hand."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import pytest
from wanpack.wan.api.request import build_body, estimate_cost, warnings
from wanpack.wan.api.validation import validate
from wanpack.wan.catalog.fields import VideoRequest
from wanpack.wan.catalog.models import MODELS
from wanpack.wan.catalog.regions import REGIONS

MIB = 1024 * 1024
TIERS = ("480P", "720P", "1080P")
SECONDS = range(1, 32)
RATIOS = ("adaptive", "21:9", "16:9", "4:3", "1:1", "3:4", "9:16")
REGION_NAMES = ("beijing", "singapore", "virginia", "frankfurt", "tokyo", "hongkong", "offline")
KINDS = ("first_clip", "first_frame", "last_frame", "driving_audio")
AUDIO_URL = "https://example.com/rap.mp3"

FIRST = frozenset({"first_frame"})
BOTH = FIRST | {"last_frame"}
WAN_2_7_SETS = (
    FIRST,
    FIRST | {"driving_audio"},
    BOTH,
    BOTH | {"driving_audio"},
    frozenset({"first_clip"}),
    frozenset({"first_clip", "last_frame"}),
)


@dataclass(frozen=True)
class Rules:
    """newer-models.md 0 to 4 and 6 for one model, and how its allowed values are said."""

    tiers: tuple[str, ...]
    default_tier: str
    seconds: range
    said: tuple[str, str]
    regions: tuple[str, ...]
    media: tuple[frozenset[str], ...]
    parameters: frozenset[str]
    prompt_limit: int
    audio: str = "always"
    negative_prompt: bool = False
    ratios: bool = False
    sides: tuple[int, int] = (240, 8000)
    ratio: float = 8
    image_mib: int = 20
    rate: tuple[float, int] = (5, 5)
    queue: tuple[int, int] = (500, 3)
    fps: int = 30


PLAIN = frozenset({"resolution", "duration", "seed", "watermark"})
WAN_2_7 = Rules(
    ("720P", "1080P"),
    "1080P",
    range(2, 16),
    ("720P or 1080P", "2 to 15"),
    ("beijing", "singapore"),
    WAN_2_7_SETS,
    PLAIN | {"prompt_extend"},
    5000,
    negative_prompt=True,
)
WAN_3 = Rules(
    TIERS,
    "1080P",
    range(2, 31),
    ("480P, 720P or 1080P", "2 to 30"),
    ("beijing", "singapore", "virginia", "frankfurt", "tokyo", "hongkong"),
    (FIRST, BOTH),
    PLAIN | {"prompt_extend", "ratio", "audio"},
    20_000,
    audio="choice",
    ratios=True,
    rate=(50 / 60, 5),
    queue=(200, 8),
)
HORSE_REGIONS = ("beijing", "singapore", "virginia", "frankfurt", "tokyo")
RULES = {
    "wan2.7-i2v": WAN_2_7,
    "wan2.7-i2v-2026-04-25": WAN_2_7,
    "wan3.0-video": WAN_3,
    "wan3.0-video-prime": WAN_3,
    "happyhorse-1.1-i2v": Rules(
        TIERS,
        "1080P",
        range(3, 16),
        ("480P, 720P or 1080P", "3 to 15"),
        HORSE_REGIONS,
        (FIRST,),
        PLAIN,
        5000,
        sides=(300, 8000),
        ratio=2.5,
        fps=24,
    ),
    "happyhorse-1.0-i2v": Rules(
        ("720P", "1080P"),
        "1080P",
        range(3, 16),
        ("720P or 1080P", "3 to 15"),
        HORSE_REGIONS,
        (FIRST,),
        PLAIN,
        5000,
        sides=(300, 8000),
        ratio=2.5,
        fps=24,
    ),
    "wan2.2-kf2v-flash": Rules(
        TIERS,
        "720P",
        range(5, 6),
        ("480P, 720P or 1080P", "5"),
        ("beijing", "singapore"),
        (BOTH,),
        frozenset({"resolution", "prompt_extend", "seed", "watermark"}),
        800,
        audio="never",
        negative_prompt=True,
        image_mib=10,
        rate=(2, 2),
    ),
}

# newer-models.md 7: a second at 480P, 720P and 1080P, and the region's currency and the list's day.
NOTHING = (None, None, None)
PRICES = {
    "wan2.7-i2v": {
        "beijing": ((None, 0.6, 1.0), "CNY", "2026-05-26"),
        "singapore": ((None, 0.10, 0.15), "USD", "2026-05-26"),
    },
    "wan3.0-video": {
        "beijing": ((0.3, 0.6, 1.2), "CNY", "2026-09-16"),
        "singapore": ((0.05, 0.10, 0.20), "USD", "2026-09-16"),
        "virginia": ((0.3, 0.6, 1.2), "CNY", "2026-09-16"),
        "hongkong": ((0.3, 0.6, 1.2), "CNY", "2026-09-16"),
    },
    "wan3.0-video-prime": {
        "beijing": ((0.45, 0.9, 1.8), "CNY", "2026-09-16"),
        "singapore": ((0.068, 0.14, 0.28), "USD", "2026-09-16"),
        "tokyo": ((0.45, 0.9, 1.8), "CNY", "2026-09-16"),
    },
    "happyhorse-1.1-i2v": {
        "beijing": ((0.45, 0.9, 1.2), "CNY", "2026-09-12"),
        "singapore": ((0.07, 0.14, 0.18), "USD", "2026-09-12"),
        "tokyo": (NOTHING, "CNY", ""),
    },
    "happyhorse-1.0-i2v": {
        "beijing": ((None, 0.9, 1.6), "CNY", "2026-05-26"),
        "singapore": ((None, 0.14, 0.24), "USD", "2026-05-26"),
        "frankfurt": ((None, 0.9, 1.6), "CNY", "2026-05-26"),
    },
    "wan2.2-kf2v-flash": {
        "beijing": ((0.10, 0.20, 0.48), "CNY", "2026-05-26"),
        "singapore": (NOTHING, "USD", ""),
    },
}
PRICES["wan2.7-i2v-2026-04-25"] = PRICES["wan2.7-i2v"]


def media_sets():
    """Every set of media that the nodes' inputs could make."""
    for begin in ("first_frame", "first_clip"):
        for size in range(3):
            for more in itertools.combinations(("last_frame", "driving_audio"), size):
                yield (begin, *more)


def plain(model, **changes):
    rules = RULES[model]
    asked = {"resolution": rules.tiers[0], "duration": rules.seconds[0], "prompt": "a cat", **changes}
    return VideoRequest(model=model, **asked)


def needed(model):
    return sorted(RULES[model].media[0])


def named(faults):
    return sorted(fault.partition(":")[0] for fault in faults)


def faults_of(request, region="offline", given=None, **more):
    return validate(request, region=REGIONS[region], provided=given or needed(request.model), **more)


def test_their_rows_come_after_those_of_the_other_models():
    assert list(MODELS)[8:] == list(RULES)


@pytest.mark.parametrize("model", RULES)
def test_a_row_has_the_facts_of_the_documents(model):
    row, rules = MODELS[model], RULES[model]
    assert (row.default_resolution, row.prompt_limit, row.fps) == (rules.default_tier, rules.prompt_limit, rules.fps)
    assert (row.image_limits.sides, row.image_limits.ratio, row.image_limits.bytes) == (
        rules.sides,
        rules.ratio,
        rules.image_mib * MIB,
    )
    assert ("BMP" in row.image_limits.formats) == (not model.startswith("happyhorse"))
    assert {"JPEG", "PNG", "WEBP"} <= set(row.image_limits.formats)
    assert ((row.rate_limit, row.running_limit), row.audio_mode) == (rules.rate, rules.audio)
    assert (row.queue_limit, row.timeout_hours) == rules.queue
    assert sorted(map(sorted, row.media_combinations)) == sorted(map(sorted, rules.media))
    assert row.workspace_hosts_only == model.startswith("wan3.0")
    assert (row.shot_types, row.effects) == ((), False)
    assert row.audio_seconds == ((2, 30) if model.startswith("wan2.7") else row.audio_seconds)
    assert {region: row.model_id_in(region) for region in REGION_NAMES} == {
        region: model if region in (*rules.regions, "offline") else None for region in REGION_NAMES
    }


@pytest.mark.parametrize("model", RULES)
def test_exactly_the_settings_of_the_documents_pass(model):
    rules = RULES[model]
    tier_said, seconds_said = rules.said
    loud_or_not, negatives = (True, False), ("", "blur")
    settings = itertools.product(TIERS, SECONDS, RATIOS, loud_or_not, negatives, ("single", "multi"), ["offline"])
    regions = itertools.product(TIERS, (5, 31), ("adaptive",), loud_or_not, negatives, ("single",), REGION_NAMES)
    for tier, seconds, ratio, loud, negative, shot, region in (*settings, *regions):
        request = plain(
            model,
            resolution=tier,
            duration=seconds,
            ratio=ratio,
            generate_audio=loud,
            negative_prompt=negative,
            shot_type=shot,
        )
        wrong = {
            "model": region not in (*rules.regions, "offline"),
            "resolution": tier not in rules.tiers,
            "duration": seconds not in rules.seconds,
            "ratio": ratio != "adaptive" and not rules.ratios,
            "generate_audio": not loud and rules.audio == "always",
            "negative_prompt": negative and not rules.negative_prompt,
            "shot_type": shot == "multi",
        }
        faults = faults_of(request, region)
        assert named(faults) == sorted(name for name, there in wrong.items() if there)
        if wrong["resolution"]:
            assert f"resolution: {tier} is not supported by {model}; choose {tier_said}" in faults
        if wrong["duration"]:
            assert f"duration: {seconds} is not supported by {model}; choose {seconds_said}" in faults


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("given", list(media_sets()), ids="+".join)
def test_exactly_the_legal_media_pass(model, given):
    row = MODELS[model]
    legal = RULES[model].media if model in RULES else (FIRST, *([FIRST | {"driving_audio"}] * row.audio_input))
    request = VideoRequest(model=model, resolution=row.resolutions[0], duration=row.durations[-1])
    faults = validate(request, region=REGIONS["offline"], provided=given)
    assert (not faults) == (frozenset(given) in legal), faults
    for fault in faults:
        assert fault.split(":")[0] in ("image", "last_frame", "audio", "video")
        assert model in fault


@pytest.mark.parametrize(
    ("model", "given", "fault"),
    [
        ("wan2.2-kf2v-flash", ["first_frame"], "last_frame: wan2.2-kf2v-flash needs a last frame"),
        (
            "wan2.6-i2v",
            ["first_frame", "last_frame"],
            "last_frame: wan2.6-i2v does not accept a last frame; remove it, or choose wan2.7-i2v, "
            "wan2.7-i2v-2026-04-25, "
            "wan3.0-video, wan3.0-video-prime or wan2.2-kf2v-flash",
        ),
        (
            "wan3.0-video",
            ["first_frame", "driving_audio"],
            "audio: wan3.0-video does not accept an audio file; remove it, or choose wan2.6-i2v-flash, wan2.6-i2v, "
            "wan2.6-i2v-us, wan2.5-i2v-preview, wan2.7-i2v or wan2.7-i2v-2026-04-25",
        ),
        (
            "happyhorse-1.1-i2v",
            ["first_clip"],
            "video: happyhorse-1.1-i2v does not accept a clip; remove it, or choose wan2.7-i2v or "
            "wan2.7-i2v-2026-04-25",
        ),
        (
            "wan2.7-i2v",
            ["first_clip", "driving_audio"],
            "video: wan2.7-i2v accepts image, image and audio, image and last_frame, image and last_frame and audio, "
            "video or video and last_frame",
        ),
    ],
)
def test_what_is_wrong_with_media_is_reported_with_what_is_allowed(model, given, fault):
    row = MODELS[model]
    request = VideoRequest(model=model, resolution=row.resolutions[0], duration=row.durations[0])
    assert validate(request, region=REGIONS["offline"], provided=given) == [fault]


def test_the_other_problems_say_what_is_allowed_too():
    assert faults_of(plain("wan2.7-i2v", ratio="16:9")) == [
        "ratio: 16:9 is not supported by wan2.7-i2v; choose adaptive, or the model wan3.0-video or wan3.0-video-prime"
    ]
    [fault] = faults_of(plain("wan3.0-video", ratio="2:1"))
    assert fault.startswith("ratio: '2:1' is not known; choose adaptive, 21:9, ")
    [fault] = faults_of(plain("happyhorse-1.0-i2v", negative_prompt="blur"))
    assert fault.startswith("negative_prompt: not supported by happyhorse-1.0-i2v; ")
    assert named(faults_of(plain("wan3.0-video", ratio=5, negative_prompt=None))) == ["negative_prompt", "ratio"]


@pytest.mark.parametrize(("seconds", "possible"), [(3.0, True), (4.99, True), (5.0, False), (7.5, False)])
def test_a_video_is_longer_than_its_clip(seconds, possible):
    request = plain("wan2.7-i2v", duration=5)
    faults = faults_of(request, given=["first_clip"], clip_seconds=seconds)
    assert (not faults) == possible
    assert all(fault.startswith("duration: 5 s is the length of the complete video and must") for fault in faults)


@pytest.mark.parametrize("model", RULES)
def test_the_body_has_the_parameters_that_the_model_knows_and_no_others(model):
    rules = RULES[model]
    request = plain(model, negative_prompt="blur" if rules.negative_prompt else "")
    for given in rules.media:
        kinds = [kind for kind in KINDS if kind in given]
        body = build_body(request, region=REGIONS["beijing"], media={kind: f"at {kind}" for kind in kinds})
        assert set(body["parameters"]) == rules.parameters
        texts = {"prompt", "negative_prompt"} if rules.negative_prompt else {"prompt"}
        entry = {name: value for name, value in body["input"].items() if name not in texts}
        if model == "wan2.2-kf2v-flash":
            assert entry == {"first_frame_url": "at first_frame", "last_frame_url": "at last_frame"}
        else:
            assert entry == {"media": [{"type": kind, "url": f"at {kind}"} for kind in kinds]}


def test_the_mark_of_happyhorse_is_never_left_to_its_default():
    body = build_body(plain("happyhorse-1.1-i2v"), region=REGIONS["beijing"], media={"first_frame": "x"})
    assert body["parameters"]["watermark"] is False


@pytest.mark.parametrize("model", RULES)
def test_prices_are_those_of_their_lists(model):
    for region, (tiers, currency, as_of) in PRICES[model].items():
        for tier, price in zip(TIERS, tiers, strict=True):
            if tier not in RULES[model].tiers:
                continue
            found = estimate_cost(
                plain(model, resolution=tier, duration=RULES[model].seconds[-1]), region=REGIONS[region]
            )
            if price is None:
                assert found is None
            else:
                amount = round(price * RULES[model].seconds[-1], 4)
                assert found == {"amount": amount, "currency": currency, "as_of": as_of}


def test_silence_costs_the_same_with_wan_3():
    loud, silent = (plain("wan3.0-video", generate_audio=on) for on in (True, False))
    assert estimate_cost(loud, region=REGIONS["beijing"]) == estimate_cost(silent, region=REGIONS["beijing"])


@pytest.mark.parametrize(
    ("text", "length"), [("a" * 5000, 5000), ("猫" * 2500, 5000), ("猫a" * 1600, 4800), ("，" * 10, 20), ("ねこ", 2)]
)
def test_happyhorse_counts_a_chinese_character_twice(text, length):
    assert MODELS["happyhorse-1.1-i2v"].prompt_length(text) == length
    assert MODELS["wan2.7-i2v"].prompt_length(text) == len(text)


def test_what_happyhorse_would_cut_is_reported():
    [reported] = warnings(plain("happyhorse-1.1-i2v", prompt="猫" * 2501), region=REGIONS["beijing"])
    assert (
        reported
        == "prompt: DashScope truncates it to 5000 characters; this one has 5002, with each Chinese one counted twice"
    )
    assert warnings(plain("happyhorse-1.1-i2v", prompt="猫" * 2500), region=REGIONS["beijing"]) == []


def test_the_length_of_a_driving_audio_is_that_of_wan_2_7():
    [fault] = faults_of(plain("wan2.7-i2v", audio_url="https://example.com/a.flac"))
    assert fault == "audio_url: .flac is not supported; use .wav or .mp3 of 2 to 30 s"
    assert faults_of(plain("wan2.7-i2v", audio_url=AUDIO_URL)) == []
