"""The tables of models and effects against the service's own documents, written down here a second time by hand."""

from __future__ import annotations

import pytest
from wanpack.wan.catalog.effects import EFFECTS
from wanpack.wan.catalog.models import (
    AUDIO_BYTES,
    DEFAULT_DURATION,
    DEFAULT_MODEL,
    MODELS,
    NEGATIVE_PROMPT_LIMIT,
    SEED_MAX,
)
from wanpack.wan.catalog.regions import REGIONS
from wanpack.wan.catalog.spec import PRICES_AS_OF
from wanpack.wan.text import format_choices

MIB = 1024 * 1024

# dashscope.md 0.1 and 5: default resolution, prompt limit, image MB, submissions a second, tasks at once.
LIMITS = {
    "wan2.6-i2v-flash": ("1080P", 1500, 20, 5, 5),
    "wan2.6-i2v": ("1080P", 1500, 20, 5, 5),
    "wan2.6-i2v-us": ("1080P", 1500, 20, 5, 5),
    "wan2.5-i2v-preview": ("1080P", 1500, 20, 5, 5),
    "wan2.2-i2v-flash": ("720P", 800, 10, 2, 2),
    "wan2.2-i2v-plus": ("1080P", 800, 10, 2, 2),
    "wanx2.1-i2v-turbo": ("720P", 800, 10, 2, 2),
    "wanx2.1-i2v-plus": ("720P", 800, 10, 2, 2),
}

# dashscope.md 6: the id that each region's API wants.
NAMES = {
    "wan2.6-i2v-flash": {"beijing": "wan2.6-i2v-flash", "singapore": "wan2.6-i2v-flash"},
    "wan2.6-i2v": {
        "beijing": "wan2.6-i2v",
        "singapore": "wan2.6-i2v",
        "virginia": "wan2.6-i2v",
        "frankfurt": "wan2.6-i2v",
    },
    "wan2.6-i2v-us": {"virginia": "wan2.6-i2v-us"},
    "wan2.5-i2v-preview": {"beijing": "wan2.5-i2v-preview", "singapore": "wan2.5-i2v-preview"},
    "wan2.2-i2v-flash": {"beijing": "wan2.2-i2v-flash", "singapore": "wan2.2-i2v-flash"},
    "wan2.2-i2v-plus": {"beijing": "wan2.2-i2v-plus", "singapore": "wan2.2-i2v-plus"},
    "wanx2.1-i2v-turbo": {"beijing": "wanx2.1-i2v-turbo", "singapore": "wan2.1-i2v-turbo"},
    "wanx2.1-i2v-plus": {"beijing": "wanx2.1-i2v-plus", "singapore": "wan2.1-i2v-plus"},
}

# dashscope.md 7: a second at 480P, 720P and 1080P, in USD in Singapore and in CNY elsewhere.
PRICES = {
    ("wan2.6-i2v-flash", "beijing"): (None, 0.3, 0.5),
    ("wan2.6-i2v-flash", "singapore"): (None, 0.05, 0.075),
    ("wan2.6-i2v", "beijing"): (None, 0.6, 1.0),
    ("wan2.6-i2v", "singapore"): (None, 0.10, 0.15),
    ("wan2.6-i2v", "virginia"): (None, 0.6, 1.0),
    ("wan2.6-i2v", "frankfurt"): (None, 0.6, 1.0),
    ("wan2.6-i2v-us", "virginia"): (None, 0.733924, 1.100886),
    ("wan2.5-i2v-preview", "beijing"): (0.3, 0.6, 1.0),
    ("wan2.5-i2v-preview", "singapore"): (0.05, 0.10, 0.15),
    ("wan2.2-i2v-flash", "beijing"): (0.10, 0.20, 0.48),
    ("wan2.2-i2v-flash", "singapore"): (0.015, 0.036, None),
    ("wan2.2-i2v-plus", "beijing"): (0.14, None, 0.70),
    ("wan2.2-i2v-plus", "singapore"): (0.02, None, 0.10),
    ("wanx2.1-i2v-turbo", "beijing"): (0.24, 0.24, None),
    ("wanx2.1-i2v-turbo", "singapore"): (0.036, 0.036, None),
    ("wanx2.1-i2v-plus", "beijing"): (None, 0.70, None),
    ("wanx2.1-i2v-plus", "singapore"): (None, 0.10, None),
}
# The one model that has a lower price for `audio: false`.
SILENT_PRICES = {
    ("wan2.6-i2v-flash", "beijing"): (None, 0.15, 0.25),
    ("wan2.6-i2v-flash", "singapore"): (None, 0.025, 0.0375),
}

# dashscope.md 1, in its order.
TURBO_AND_PLUS = (
    *("squish", "rotation", "poke", "inflate", "dissolve", "carousel", "singleheart", "flying", "rose"),
    *("crystalrose", "hug", "frenchkiss", "coupleheart"),
)
PLUS_ONLY = (
    *("melt", "icecream", "dance1", "dance2", "dance3", "dance4", "dance5", "mermaid", "graduation", "dragon"),
    *("money", "jellyfish", "pupil"),
)
CHINESE_NAMES = (
    *("解压捏捏", "转圈圈", "戳戳乐", "气球膨胀", "分子扩散", "时光木马", "爱你哟", "魔法悬浮", "赠人玫瑰"),
    *("闪亮玫瑰", "爱的抱抱", "唇齿相依", "双倍心动", "热浪融化", "冰淇淋星球", "摇摆时刻", "头号甩舞", "星摇时刻"),
    *("指感节奏", "舞动开关", "人鱼觉醒", "学术加冕", "巨兽追袭", "财从天降", "水母之约", "瞳孔穿越"),
)


def test_the_eight_models_are_first_and_the_flash_of_2_6_is_the_default():
    assert list(MODELS)[:8] == list(LIMITS)
    assert DEFAULT_MODEL == "wan2.6-i2v-flash"


@pytest.mark.parametrize("name", LIMITS)
def test_a_model_has_the_limits_of_the_documents(name):
    row = MODELS[name]
    found = (row.default_resolution, row.prompt_limit, row.image_limits.bytes // MIB, row.rate_limit, row.running_limit)
    assert found == LIMITS[name]


def test_the_limits_that_all_models_share():
    assert (SEED_MAX, NEGATIVE_PROMPT_LIMIT, DEFAULT_DURATION) == (2147483647, 500, 5)
    assert AUDIO_BYTES == 15 * MIB


@pytest.mark.parametrize("name", LIMITS)
def test_the_limits_that_the_eight_models_share(name):
    row = MODELS[name]
    assert (row.image_limits.sides, row.image_limits.ratio, row.audio_seconds) == ((240, 8000), 0, (3, 30))
    assert (row.media_combinations[0], row.accepts("last_frame"), row.fps) == (("first_frame",), False, 30)


@pytest.mark.parametrize("name", NAMES)
def test_a_model_goes_by_the_regions_own_name_and_nowhere_else(name):
    regions = ("beijing", "singapore", "virginia", "frankfurt")
    assert {region: MODELS[name].model_id_in(region) for region in regions} == {
        region: NAMES[name].get(region) for region in regions
    }
    assert MODELS[name].model_id_in("offline") == name


@pytest.mark.parametrize("region", ["beijing", "singapore", "virginia", "frankfurt"])
@pytest.mark.parametrize("name", LIMITS)
def test_prices_are_those_of_the_list(name, region):
    nothing = (None, None, None)
    for generate_audio in (True, False):
        wanted = PRICES.get((name, region), nothing)
        if not generate_audio:
            wanted = SILENT_PRICES.get((name, region), wanted)
        found = tuple(
            MODELS[name].price_per_second(region=region, resolution=tier, generate_audio=generate_audio)
            for tier in ("480P", "720P", "1080P")
        )
        assert found == wanted


def test_prices_are_dollars_in_singapore_and_yuan_elsewhere_of_the_lists_day():
    assert {name: region.currency for name, region in REGIONS.items() if region.currency != "CNY"} == {
        "singapore": "USD"
    }
    assert PRICES_AS_OF == "2026-05-26"


@pytest.mark.parametrize("name", LIMITS)
def test_the_mock_server_costs_nothing(name):
    assert (
        MODELS[name].price_per_second(region="offline", resolution=MODELS[name].resolutions[0], generate_audio=True)
        == 0
    )


@pytest.mark.parametrize(
    ("name", "asked", "refused"),
    [
        ("wan2.6-i2v-flash", True, False),
        ("wan2.6-i2v", True, True),
        ("wan2.6-i2v-us", True, True),
        ("wan2.5-i2v-preview", True, True),
        ("wan2.2-i2v-flash", False, False),
        ("wan2.2-i2v-plus", False, False),
        ("wanx2.1-i2v-turbo", False, False),
        ("wanx2.1-i2v-plus", False, False),
    ],
)
def test_whether_a_video_has_audio(name, asked, refused):
    row = MODELS[name]
    assert (row.has_audio(generate_audio=True), row.has_audio(generate_audio=False)) == (asked, refused)


def test_turbo_has_13_effects_and_plus_26():
    pairs = [(row.id, model) for row in EFFECTS.values() for model in row.models]
    assert [name for name, model in pairs if model == "wanx2.1-i2v-turbo"] == list(TURBO_AND_PLUS)
    assert [name for name, model in pairs if model == "wanx2.1-i2v-plus"] == [*TURBO_AND_PLUS, *PLUS_ONLY]
    assert len(pairs) == 39


def test_effects_have_their_chinese_names():
    assert tuple(row.zh for row in EFFECTS.values()) == CHINESE_NAMES


def test_every_effect_has_an_english_name_of_its_own_and_says_what_the_image_should_show():
    assert len({row.en for row in EFFECTS.values()}) == 26
    assert (EFFECTS["squish"].en, EFFECTS["flying"].en) == ("Squeeze", "Magic Levitation")
    assert all(row.image for row in EFFECTS.values())


def test_effects_run_in_beijing_only():
    assert {name for name, row in REGIONS.items() if row.effects} == {"beijing", "offline"}


def test_files_can_be_uploaded_in_beijing_and_singapore_only():
    assert {name for name, row in REGIONS.items() if row.temporary_storage} == {"beijing", "singapore", "offline"}


def test_a_row_cannot_be_changed():
    row = MODELS["wan2.6-i2v"]
    with pytest.raises(TypeError):
        row.offers["beijing"].price["720P"] = 0.0
    with pytest.raises(TypeError):
        MODELS["mine"] = row


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ((5,), "5"),
        ((5, 10), "5 or 10"),
        ((3, 4, 5), "3, 4 or 5"),
        ((5, 10, 15, 20), "5, 10, 15 or 20"),
        (tuple(range(2, 16)), "2 to 15"),
        (("720P", "1080P"), "720P or 1080P"),
        ((), ""),
    ],
)
def test_allowed_values_are_said_in_words(values, said):
    assert format_choices(values) == said
