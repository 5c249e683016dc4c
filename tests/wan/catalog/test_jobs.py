"""The rows of text, reference, edit and extension against the service's documents, written down here by hand."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from wanpack.wan.catalog.jobs import ALL_ROWS, DEFAULT_EDIT_MODEL, DEFAULT_REFERENCE_MODEL, ROWS, any_row
from wanpack.wan.catalog.models import MODELS
from wanpack.wan.catalog.regions import REGIONS
from wanpack.wan.catalog.text_models import DEFAULT_TEXT_MODEL

MIB = 1024 * 1024
TIERS = ("480P", "720P", "1080P")
REGION_NAMES = ("beijing", "singapore", "virginia", "frankfurt", "tokyo", "hongkong")

# other-jobs.md 0, in the order of the widgets.
IDS = {
    "text_to_video": (
        *("wan3.0-video", "wan3.0-video-prime", "wan2.7-t2v-2026-06-12", "wan2.7-t2v", "wan2.7-t2v-2026-04-25"),
        *("happyhorse-1.1-t2v", "happyhorse-1.0-t2v", "wan2.6-t2v", "wan2.6-t2v-us", "wan2.5-t2v-preview"),
        *("wan2.2-t2v-plus", "wanx2.1-t2v-turbo", "wanx2.1-t2v-plus"),
    ),
    "reference_to_video": (
        *("wan3.0-video", "wan3.0-video-prime", "wan2.7-r2v-2026-06-12", "wan2.7-r2v"),
        *("happyhorse-1.1-r2v", "happyhorse-1.0-r2v", "wan2.6-r2v", "wan2.6-r2v-flash"),
    ),
    "video_edit": ("wan2.7-videoedit", "wan3.0-video", "wan3.0-video-prime", "happyhorse-1.0-video-edit"),
    "video_extension": ("wan3.0-video", "wan3.0-video-prime"),
}
PAIRS = [(job, name) for job, names in IDS.items() for name in names]

# Its column "Regions".
EVERYWHERE = REGION_NAMES
HORSE_REGIONS = ("beijing", "singapore", "virginia", "frankfurt", "tokyo")
AT_HOME = ("beijing", "singapore")
GLOBAL = ("beijing", "singapore", "virginia", "frankfurt")
REGIONS_OF = {
    "wan3.0-video": EVERYWHERE,
    "wan3.0-video-prime": EVERYWHERE,
    "wan2.7-t2v": AT_HOME,
    "wan2.7-t2v-2026-04-25": AT_HOME,
    "wan2.7-t2v-2026-06-12": AT_HOME,
    "wan2.7-r2v": AT_HOME,
    "wan2.7-r2v-2026-06-12": AT_HOME,
    "wan2.7-videoedit": AT_HOME,
    "happyhorse-1.1-t2v": HORSE_REGIONS,
    "happyhorse-1.0-t2v": HORSE_REGIONS,
    "happyhorse-1.1-r2v": HORSE_REGIONS,
    "happyhorse-1.0-r2v": HORSE_REGIONS,
    "happyhorse-1.0-video-edit": HORSE_REGIONS,
    "wan2.6-t2v": GLOBAL,
    "wan2.6-t2v-us": ("virginia",),
    "wan2.6-r2v": GLOBAL,
    "wan2.6-r2v-flash": AT_HOME,
    "wan2.5-t2v-preview": AT_HOME,
    "wan2.2-t2v-plus": AT_HOME,
    "wanx2.1-t2v-turbo": AT_HOME,
    "wanx2.1-t2v-plus": AT_HOME,
}
SINGAPORE_NAMES = {"wanx2.1-t2v-turbo": "wan2.1-t2v-turbo", "wanx2.1-t2v-plus": "wan2.1-t2v-plus"}

# other-jobs.md 5: a second at 480P, 720P and 1080P, CNY and in Singapore USD. What is not in a list has no price.
NOTHING = (None, None, None)
PRICES_2_7 = {"beijing": (None, 0.6, 1.0), "singapore": (None, 0.10, 0.15)}
PRICES_2_6 = {**PRICES_2_7, "virginia": (None, 0.6, 1.0), "frankfurt": (None, 0.6, 1.0)}
PRICES_1_1 = {"beijing": (0.45, 0.9, 1.2), "singapore": (0.07, 0.14, 0.18)}
PRICES_1_0 = {
    "beijing": (None, 0.9, 1.6),
    "singapore": (None, 0.14, 0.24),
    "virginia": (None, 0.9, 1.6),
    "frankfurt": (None, 0.9, 1.6),
}
PRICES = {
    "wan3.0-video": {**dict.fromkeys(REGION_NAMES, (0.3, 0.6, 1.2)), "singapore": (0.05, 0.10, 0.20)},
    "wan3.0-video-prime": {**dict.fromkeys(REGION_NAMES, (0.45, 0.9, 1.8)), "singapore": (0.068, 0.14, 0.28)},
    "wan2.7-t2v": PRICES_2_7,
    "wan2.7-t2v-2026-04-25": PRICES_2_7,
    "wan2.7-t2v-2026-06-12": PRICES_2_7,
    "wan2.7-r2v": PRICES_2_7,
    "wan2.7-r2v-2026-06-12": PRICES_2_7,
    "wan2.7-videoedit": PRICES_2_7,
    "happyhorse-1.1-t2v": PRICES_1_1,
    "happyhorse-1.1-r2v": PRICES_1_1,
    "happyhorse-1.0-t2v": PRICES_1_0,
    "happyhorse-1.0-r2v": PRICES_1_0,
    "happyhorse-1.0-video-edit": PRICES_1_0,
    "wan2.6-t2v": PRICES_2_6,
    "wan2.6-t2v-us": {"virginia": (None, 0.733924, 1.100886)},
    "wan2.6-r2v": PRICES_2_6,
    "wan2.6-r2v-flash": {"beijing": (None, 0.3, 0.5), "singapore": (None, 0.05, 0.075)},
    "wan2.5-t2v-preview": {"beijing": (0.3, 0.6, 1.0), "singapore": (0.05, 0.10, 0.15)},
    "wan2.2-t2v-plus": {"beijing": (0.14, None, 0.70), "singapore": (0.02, None, 0.10)},
    "wanx2.1-t2v-turbo": {"beijing": (0.24, 0.24, None), "singapore": (0.036, 0.036, None)},
    "wanx2.1-t2v-plus": {"beijing": (None, 0.70, None), "singapore": (None, 0.10, None)},
}
SILENT_PRICES = {"wan2.6-r2v-flash": {"beijing": (None, 0.15, 0.25), "singapore": (None, 0.025, 0.0375)}}
LISTS = {"wan3.0": "2026-09-16", "happyhorse-1.1": "2026-09-12"}

FIVE = ("16:9", "9:16", "1:1", "4:3", "3:4")
NINE = (*FIVE, "4:5", "5:4", "9:21", "21:9")
SEVEN = ("adaptive", "16:9", "4:3", "1:1", "3:4", "9:16", "21:9")
TO_15, TO_30, TO_10, HORSE_SECONDS = range(2, 16), range(2, 31), range(2, 11), range(3, 16)


@dataclass(frozen=True)
class Facts:
    """other-jobs.md 0, 1.2, 2.2 to 2.5, 3 and 6 for one row.

    `rate` is submissions a second and tasks at once, `queue` the tasks that wait and the hours until the service gives
    one up. `media` has the least and most of each kind, `most` the maximum of all references together.
    """

    tiers: tuple[str, ...]
    seconds: tuple[int, ...]
    ratios: tuple[str, ...]
    prompt: int
    audio: str
    default: str = "1080P"
    sound: tuple[int, int] | None = None
    negative: bool = False
    extend: bool = True
    shots: bool = False
    needs_prompt: bool = True
    chinese: int = 1
    fps: int = 30
    rate: tuple[float, int] = (5, 5)
    queue: tuple[int, int] = (500, 3)
    media: tuple[tuple[str, int, int], ...] = ()
    most: int = 0
    with_clip: tuple[int, ...] = ()
    total: int = 0
    billing: str = "output"
    voice: tuple[int, int] | None = None
    settings: tuple[str, ...] = ()
    inline: bool = True
    uploads: bool = True


def facts(tiers, seconds, ratios, prompt, audio, **more):
    return Facts(tiers, tuple(seconds), ratios, prompt, audio, **more)


UPPER = ("720P", "1080P")
WAN_3 = {"rate": (50 / 60, 5), "queue": (200, 8)}
HORSE = {"extend": False, "chinese": 2, "fps": 24}
IN_AND_OUT = {"billing": "input and output"}
WAN_3_CLIP = (("reference_video", 1, 1), ("reference_image", 0, 10))
SLOW = {"negative": True, "rate": (2, 2)}
T_3 = facts(TIERS, TO_30, SEVEN, 20_000, "choice", **WAN_3)
T_2_7 = facts(UPPER, TO_15, FIVE, 5000, "always", sound=(2, 30), negative=True)
R_3 = facts(
    *(TIERS, TO_30, SEVEN, 20_000, "choice"),
    media=(("reference_image", 0, 10), ("reference_video", 0, 5), ("reference_audio", 0, 5)),
    most=20,
    total=30,
    sound=(1, 15),
    **WAN_3,
    **IN_AND_OUT,
)
R_2_7 = facts(
    *(UPPER, TO_15, FIVE, 5000, "always"),
    negative=True,
    media=(("first_frame", 0, 1), ("reference_image", 0, 5), ("reference_video", 0, 5)),
    most=5,
    with_clip=tuple(TO_10),
    billing="share of clips",
    voice=(1, 10),
)
HORSE_IMAGES = {"media": (("reference_image", 1, 9),), "most": 9, "uploads": False}
R_2_6 = {
    "negative": True,
    "extend": False,
    "shots": True,
    "media": (("reference_image", 0, 5), ("reference_video", 0, 3)),
    "most": 5,
    "billing": "share of references",
    "inline": False,
}
E_3 = facts(*(TIERS, (0, *TO_30), SEVEN, 20_000, "choice"), media=WAN_3_CLIP, most=11, total=30, **WAN_3, **IN_AND_OUT)
X_3 = facts(
    *(TIERS, TO_30, ("adaptive",), 20_000, "choice"), media=WAN_3_CLIP, most=11, total=30, **WAN_3, **IN_AND_OUT
)

FACTS = {
    ("text_to_video", "wan3.0-video"): T_3,
    ("text_to_video", "wan3.0-video-prime"): T_3,
    ("text_to_video", "wan2.7-t2v"): T_2_7,
    ("text_to_video", "wan2.7-t2v-2026-04-25"): T_2_7,
    ("text_to_video", "wan2.7-t2v-2026-06-12"): T_2_7,
    ("text_to_video", "happyhorse-1.1-t2v"): facts(TIERS, HORSE_SECONDS, NINE, 5000, "always", **HORSE),
    ("text_to_video", "happyhorse-1.0-t2v"): facts(UPPER, HORSE_SECONDS, NINE, 5000, "always", **HORSE),
    ("text_to_video", "wan2.6-t2v"): facts(
        UPPER, TO_15, FIVE, 1500, "always", sound=(3, 30), negative=True, shots=True
    ),
    ("text_to_video", "wan2.6-t2v-us"): facts(
        UPPER, (5, 10), FIVE, 1500, "always", sound=(3, 30), negative=True, shots=True
    ),
    ("text_to_video", "wan2.5-t2v-preview"): facts(TIERS, (5, 10), FIVE, 1500, "always", sound=(3, 30), negative=True),
    ("text_to_video", "wan2.2-t2v-plus"): facts(("480P", "1080P"), (5,), FIVE, 800, "never", **SLOW),
    ("text_to_video", "wanx2.1-t2v-turbo"): facts(("480P", "720P"), (5,), FIVE, 800, "never", default="720P", **SLOW),
    ("text_to_video", "wanx2.1-t2v-plus"): facts(("720P",), (5,), FIVE, 800, "never", default="720P", **SLOW),
    ("reference_to_video", "wan3.0-video"): R_3,
    ("reference_to_video", "wan3.0-video-prime"): R_3,
    ("reference_to_video", "wan2.7-r2v"): R_2_7,
    ("reference_to_video", "wan2.7-r2v-2026-06-12"): R_2_7,
    ("reference_to_video", "happyhorse-1.1-r2v"): facts(
        TIERS, HORSE_SECONDS, NINE, 5000, "always", **HORSE, **HORSE_IMAGES
    ),
    ("reference_to_video", "happyhorse-1.0-r2v"): facts(
        UPPER, HORSE_SECONDS, NINE, 5000, "always", **HORSE, **HORSE_IMAGES
    ),
    ("reference_to_video", "wan2.6-r2v"): facts(UPPER, TO_10, FIVE, 1500, "always", **R_2_6),
    ("reference_to_video", "wan2.6-r2v-flash"): facts(UPPER, TO_10, FIVE, 1500, "choice", **R_2_6),
    ("video_edit", "wan2.7-videoedit"): facts(
        *(UPPER, (0, *TO_10), ("adaptive", *FIVE), 5000, "always"),
        negative=True,
        needs_prompt=False,
        media=(("video", 1, 1), ("reference_image", 0, 4)),
        most=5,
        settings=("auto", "origin"),
        **IN_AND_OUT,
    ),
    ("video_edit", "wan3.0-video"): E_3,
    ("video_edit", "wan3.0-video-prime"): E_3,
    ("video_edit", "happyhorse-1.0-video-edit"): facts(
        *(UPPER, (0,), (), 5000, "always"),
        media=(("video", 1, 1), ("reference_image", 0, 5)),
        most=6,
        settings=("auto", "origin"),
        uploads=False,
        **HORSE,
        **IN_AND_OUT,
    ),
    ("video_extension", "wan3.0-video"): X_3,
    ("video_extension", "wan3.0-video-prime"): X_3,
}

# other-jobs.md 2.2, 2.4, 3.2 and newer-models.md 2.1: sides, ratio (0: none given), BMP.
IMAGES = {
    ("reference_to_video", "wan3.0-video"): ((240, 8000), 8, True),
    ("reference_to_video", "wan2.7-r2v"): ((240, 8000), 8, True),
    ("reference_to_video", "happyhorse-1.1-r2v"): ((400, 8000), 0, False),
    ("reference_to_video", "happyhorse-1.0-r2v"): ((400, 8000), 0, False),
    ("reference_to_video", "wan2.6-r2v"): ((240, 8000), 0, True),
    ("reference_to_video", "wan2.6-r2v-flash"): ((240, 8000), 0, True),
    ("video_edit", "wan2.7-videoedit"): ((240, 8000), 8, True),
    ("video_edit", "wan3.0-video"): ((240, 8000), 8, True),
    ("video_edit", "happyhorse-1.0-video-edit"): ((300, 8000), 2.5, False),
    ("video_extension", "wan3.0-video-prime"): ((240, 8000), 8, True),
}
# The same: seconds, sides, ratio, frames a second, all clips' seconds.
CLIPS = {
    ("reference_to_video", "wan3.0-video"): ((1, 15), (240, 4096), 8, (16, 0), 15),
    ("reference_to_video", "wan3.0-video-prime"): ((1, 15), (240, 4096), 8, (16, 0), 15),
    ("reference_to_video", "wan2.7-r2v"): ((1, 30), (240, 4096), 8, (0, 0), 0),
    ("reference_to_video", "wan2.7-r2v-2026-06-12"): ((1, 30), (240, 4096), 8, (0, 0), 0),
    ("reference_to_video", "wan2.6-r2v"): ((1, 30), (240, 4096), 8, (0, 0), 0),
    ("reference_to_video", "wan2.6-r2v-flash"): ((1, 30), (240, 4096), 8, (0, 0), 0),
    ("video_edit", "wan2.7-videoedit"): ((2, 10), (240, 4096), 8, (0, 0), 0),
    ("video_edit", "wan3.0-video"): ((1, 15), (240, 4096), 8, (16, 0), 15),
    ("video_edit", "happyhorse-1.0-video-edit"): ((3, 60), (360, 4096), 2.5, (8, 60), 0),
    ("video_extension", "wan3.0-video"): ((1, 15), (240, 4096), 8, (16, 0), 15),
    ("video_extension", "wan3.0-video-prime"): ((1, 15), (240, 4096), 8, (16, 0), 15),
}

# other-jobs.md 1.3: the pixels of each tier in the order of the five ratios; 480P has three of them.
SIZES = {
    "480P": ("832*480", "480*832", "624*624"),
    "720P": ("1280*720", "720*1280", "960*960", "1088*832", "832*1088"),
    "1080P": ("1920*1080", "1080*1920", "1440*1440", "1632*1248", "1248*1632"),
}
SIZED = {
    *("wan2.6-t2v", "wan2.6-t2v-us", "wan2.5-t2v-preview", "wan2.2-t2v-plus", "wanx2.1-t2v-turbo"),
    *("wanx2.1-t2v-plus", "wan2.6-r2v", "wan2.6-r2v-flash"),
}

# other-jobs.md 5: model, duration, clips' seconds, references, billed seconds.
LONG = 10.0
BILLED = [
    (("text_to_video", "wan2.7-t2v"), 7, (), 0, 7),
    (("text_to_video", "wan3.0-video"), 7, (), 0, 7),
    (("reference_to_video", "happyhorse-1.1-r2v"), 5, (), 9, 5),
    (("reference_to_video", "wan2.7-r2v"), 5, (), 5, 5),
    (("reference_to_video", "wan2.7-r2v"), 5, (LONG,), 1, 10),
    (("reference_to_video", "wan2.7-r2v"), 5, (LONG,), 5, 10),
    (("reference_to_video", "wan2.7-r2v"), 5, (3.0,), 1, 8),
    (("reference_to_video", "wan2.7-r2v"), 5, (LONG, LONG), 2, 10),
    (("reference_to_video", "wan2.7-r2v"), 5, (LONG, 1.5), 3, 9),
    (("reference_to_video", "wan2.7-r2v"), 5, (LONG,) * 3, 3, 9.95),
    (("reference_to_video", "wan2.7-r2v"), 5, (LONG, LONG, 1.2), 3, 9.5),
    (("reference_to_video", "wan2.7-r2v"), 5, (LONG,) * 4, 4, 10),
    (("reference_to_video", "wan2.7-r2v"), 5, (LONG,) * 5, 5, 10),
    (("reference_to_video", "wan2.7-r2v-2026-06-12"), 10, (LONG,) * 3, 3, 14.95),
    (("reference_to_video", "wan2.6-r2v"), 5, (), 5, 5),
    (("reference_to_video", "wan2.6-r2v"), 5, (LONG,), 1, 10),
    (("reference_to_video", "wan2.6-r2v"), 5, (LONG,), 2, 7.5),
    (("reference_to_video", "wan2.6-r2v"), 5, (LONG,), 3, 6.65),
    (("reference_to_video", "wan2.6-r2v-flash"), 5, (LONG,), 4, 6.25),
    (("reference_to_video", "wan2.6-r2v-flash"), 5, (LONG,), 5, 6),
    (("reference_to_video", "wan2.6-r2v-flash"), 5, (LONG, LONG, 1.0), 3, 9.3),
    (("reference_to_video", "wan2.6-r2v-flash"), 10, (LONG, LONG, LONG), 5, 13),
    (("reference_to_video", "wan3.0-video"), 5, (), 10, 5),
    (("reference_to_video", "wan3.0-video"), 5, (LONG,), 1, 15),
    (("reference_to_video", "wan3.0-video"), 5, (4.5, 5.5, 5.0), 20, 20),
    (("video_edit", "wan2.7-videoedit"), 0, (5.02,), 1, 10.04),
    (("video_edit", "wan2.7-videoedit"), 4, (10.0,), 5, 14),
    (("video_edit", "wan3.0-video"), 0, (15.0,), 1, 30),
    (("video_edit", "wan3.0-video-prime"), 5, (15.0,), 1, 20),
    (("video_edit", "happyhorse-1.0-video-edit"), 0, (6.62,), 1, 13.24),
    (("video_edit", "happyhorse-1.0-video-edit"), 0, (15.0,), 6, 30),
    (("video_edit", "happyhorse-1.0-video-edit"), 0, (60.0,), 1, 75),
    (("video_extension", "wan3.0-video"), 7, (5.0,), 1, 12),
    (("video_extension", "wan3.0-video"), 20, (10.0,), 3, 30),
]


def row_of(pair):
    job, name = pair
    return ROWS[job][name]


def test_every_job_has_its_models_in_this_order():
    assert {job: tuple(rows) for job, rows in ROWS.items()} == IDS
    assert set(FACTS) == set(PAIRS)
    assert all(row.id == name and row.job == job for job, rows in ROWS.items() for name, row in rows.items())


def test_the_default_of_each_job_is_a_cheap_one():
    assert DEFAULT_TEXT_MODEL == "wan2.5-t2v-preview"
    assert DEFAULT_REFERENCE_MODEL == "wan2.6-r2v-flash"
    assert DEFAULT_EDIT_MODEL == "wan2.7-videoedit"


@pytest.mark.parametrize("pair", PAIRS, ids=":".join)
def test_a_row_has_the_facts_of_the_documents(pair):
    row, wanted = row_of(pair), FACTS[pair]
    assert (row.resolutions, row.default_resolution, row.durations) == (wanted.tiers, wanted.default, wanted.seconds)
    # The widgets order ratios themselves.
    assert sorted(row.ratios) == sorted(wanted.ratios)
    assert (row.prompt_limit, row.prompt_required, row.chinese_weight) == (
        *(wanted.prompt, wanted.needs_prompt, wanted.chinese),
    )
    assert (row.audio_mode.value, row.fps, row.effects) == (wanted.audio, wanted.fps, False)
    assert (row.negative_prompt, row.prompt_extend) == (wanted.negative, wanted.extend)
    assert row.shot_types == (("single", "multi") if wanted.shots else ())
    assert ((row.rate_limit, row.running_limit), (row.queue_limit, row.timeout_hours)) == (wanted.rate, wanted.queue)
    assert tuple((slot.kind, slot.least, slot.most) for slot in row.slots) == wanted.media
    assert (row.most_media, row.clip_durations, row.total_seconds) == (wanted.most, wanted.with_clip, wanted.total)
    assert (row.billing.value, row.voice_seconds, row.audio_settings) == (
        *(wanted.billing, wanted.voice, wanted.settings),
    )
    assert (row.inline_images, row.uploads, row.successor) == (wanted.inline, wanted.uploads, "")
    assert row.workspace_hosts_only == pair[1].startswith("wan3.0")


@pytest.mark.parametrize("pair", PAIRS, ids=":".join)
def test_only_texts_for_a_voice_of_their_own_take_an_audio_file(pair):
    row, wanted = row_of(pair), FACTS[pair]
    is_text = pair[0] == "text_to_video"
    assert row.audio_input == (is_text and wanted.sound is not None)
    if wanted.sound:
        assert row.audio_seconds == wanted.sound
    if is_text:
        legal = [frozenset(), frozenset({"driving_audio"})] if wanted.sound else [frozenset()]
        assert [frozenset(kinds) for kinds in row.media_combinations] == legal


@pytest.mark.parametrize("pair", PAIRS, ids=":".join)
def test_a_row_is_sold_in_its_regions_by_their_names_and_prices(pair):
    row, name = row_of(pair), pair[1]
    sold = {region: row.model_id_in(region) for region in REGION_NAMES if row.model_id_in(region)}
    names = dict.fromkeys(REGIONS_OF[name], name)
    if name in SINGAPORE_NAMES:
        names["singapore"] = SINGAPORE_NAMES[name]
    assert sold == names
    day = next((day for family, day in LISTS.items() if name.startswith(family)), "2026-05-26")
    for region in REGIONS_OF[name]:
        for prices, is_loud in ((PRICES, True), (SILENT_PRICES, False)):
            wanted = prices.get(name, PRICES[name]).get(region, NOTHING)
            found = tuple(
                row.price_per_second(region=region, resolution=tier, generate_audio=is_loud) for tier in TIERS
            )
            assert found == wanted, (region, is_loud)
        if row.offers[region].price:
            assert row.offers[region].as_of == day
    assert row.model_id_in("offline") == name
    assert row.price_per_second(region="offline", resolution=row.resolutions[0], generate_audio=True) == 0


def test_no_row_has_a_price_for_a_tier_that_it_does_not_make():
    for row in ALL_ROWS:
        for offer in row.offers.values():
            assert set(offer.price) | set(offer.silent_price) <= set(row.resolutions), row.id


def test_prices_are_dollars_in_singapore_alone():
    assert {name for name, region in REGIONS.items() if region.currency == "USD"} == {"singapore"}


@pytest.mark.parametrize("pair", PAIRS, ids=":".join)
def test_sizes_are_the_pixels_of_the_documents(pair):
    row = row_of(pair)
    if pair[1] not in SIZED:
        assert row.sizes == {}
        return
    wanted = {(tier, ratio): size for tier in row.resolutions for ratio, size in zip(FIVE, SIZES[tier], strict=False)}
    assert row.sizes == wanted


def test_there_are_three_ratios_at_480p():
    row = ROWS["text_to_video"]["wan2.2-t2v-plus"]
    assert [ratio for tier, ratio in row.sizes if tier == "480P"] == ["16:9", "9:16", "1:1"]
    assert row.sizes["1080P", "4:3"] == "1632*1248"
    assert ("720P", "16:9") not in row.sizes


@pytest.mark.parametrize("pair", IMAGES, ids=":".join)
def test_images_have_their_limits(pair):
    limits = row_of(pair).image_limits
    sides, ratio, has_bmp = IMAGES[pair]
    formats = {"JPEG", "PNG", "WEBP"} | ({"BMP"} if has_bmp else set())
    assert (limits.sides, limits.ratio, limits.bytes, set(limits.formats)) == (sides, ratio, 20 * MIB, formats)


@pytest.mark.parametrize("pair", CLIPS, ids=":".join)
def test_clips_have_their_limits(pair):
    limits = row_of(pair).clip_limits
    found = (limits.seconds, limits.sides, limits.ratio, limits.fps, limits.total)
    assert found == CLIPS[pair]
    assert limits.bytes == 100 * MIB


@pytest.mark.parametrize(("pair", "seconds", "clips", "references", "billed"), BILLED)
def test_billed_seconds_are_those_of_the_documents(pair, seconds, clips, references, billed):
    found = row_of(pair).billed_seconds(seconds, clips=clips, references=references)
    assert found == pytest.approx(billed, abs=1e-9)


@pytest.mark.parametrize(
    ("name", "seconds", "video"),
    [("wan2.7-videoedit", 9.5, 9.5), ("happyhorse-1.0-video-edit", 40, 15), ("wan3.0-video", 14, 14)],
)
def test_an_edit_is_as_long_as_its_clip_or_as_its_model_can(name, seconds, video):
    assert ROWS["video_edit"][name].output_seconds(0, clip_seconds=seconds) == video


# other-jobs.md 2.1.
NAMES = {
    "wan3.0-video": (
        {"reference_image": "Image {n}", "reference_video": "Video {n}", "reference_audio": "Audio {n}"},
        {"reference_image": "图{n}", "reference_video": "视频{n}", "reference_audio": "音频{n}"},
        False,
    ),
    "happyhorse-1.1-r2v": ({"reference_image": "[Image {n}]"}, {}, False),
    "wan2.6-r2v-flash": ({"reference_image": "character{n}", "reference_video": "character{n}"}, {}, True),
}
NAMES["wan3.0-video-prime"] = NAMES["wan3.0-video"]
NAMES["happyhorse-1.0-r2v"], NAMES["wan2.6-r2v"] = NAMES["happyhorse-1.1-r2v"], NAMES["wan2.6-r2v-flash"]


@pytest.mark.parametrize("name", IDS["reference_to_video"])
def test_a_prompt_names_the_references_as_the_model_reads_them(name):
    row = ROWS["reference_to_video"][name]
    names = row.reference_names
    english, chinese, jointly = NAMES.get(name, NAMES["wan3.0-video"])
    kinds = {slot.kind for slot in row.slots}
    assert names.jointly == jointly
    assert {kind: form for kind, form in names.english.items() if kind in kinds} == {
        kind: form for kind, form in english.items() if kind in kinds
    }
    assert {kind: form for kind, form in names.chinese.items() if kind in kinds} == {
        kind: form for kind, form in chinese.items() if kind in kinds
    }


@pytest.mark.parametrize("pair", PAIRS, ids=":".join)
def test_formats_are_those_of_the_documents(pair):
    row, name = row_of(pair), pair[1]
    path = "/services/aigc/video-generation/video-synthesis"
    urls = "reference_urls" if name.startswith("wan2.6-r2v") else ""
    assert (row.request_format.path, row.request_format.urls) == (path, urls)
    audio = {"driving_audio": "audio_url"} if row.audio_input or (name in SIZED and pair[0] == "text_to_video") else {}
    assert row.request_format.fields == audio


@pytest.mark.parametrize("pair", PAIRS, ids=":".join)
def test_values_that_mean_the_clips_own_are_sent_as_each_api_has_them(pair):
    wanted = {
        ("video_edit", "wan2.7-videoedit"): {("ratio", "adaptive"): None},
        ("video_edit", "wan3.0-video"): {("duration", 0): -1},
        ("video_edit", "wan3.0-video-prime"): {("duration", 0): -1},
    }
    assert row_of(pair).api_values == wanted.get(pair, {})


def test_a_row_is_found_by_its_id_whatever_its_job():
    assert any_row("wan2.6-r2v-flash") is ROWS["reference_to_video"]["wan2.6-r2v-flash"]
    assert any_row("wan3.0-video") is MODELS["wan3.0-video"]
    assert any_row("wan2.6-i2v") is MODELS["wan2.6-i2v"]
    assert any_row("wan9") is None


def test_rows_of_one_id_have_the_same_prices_and_limits():
    for row in ALL_ROWS:
        first = any_row(row.id)
        assert {name: vars(offer) for name, offer in row.offers.items()} == {
            name: vars(offer) for name, offer in first.offers.items()
        }
        assert (row.rate_limit, row.running_limit, row.queue_limit) == (
            *(first.rate_limit, first.running_limit, first.queue_limit),
        )
