"""The rows of text, reference, edit and extension against the service's documents, written down here by hand."""

from __future__ import annotations

import pytest
from job_facts import (
    FACTS,
    FIVE,
    IDS,
    LISTS,
    NOTHING,
    PAIRS,
    PRICES,
    REGION_NAMES,
    REGIONS_OF,
    SILENT_PRICES,
    SINGAPORE_NAMES,
    SIZED,
    SIZES,
    TIERS,
)
from wanpack.wan.catalog.jobs import ALL_ROWS, DEFAULT_EDIT_MODEL, DEFAULT_REFERENCE_MODEL, ROWS, any_row
from wanpack.wan.catalog.models import MODELS
from wanpack.wan.catalog.regions import REGIONS
from wanpack.wan.catalog.text_models import DEFAULT_TEXT_MODEL

MIB = 1024 * 1024

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
    assert (row.audio_mode, row.fps, row.effects) == (wanted.audio, wanted.fps, False)
    assert (row.negative_prompt, row.prompt_extend) == (wanted.negative, wanted.extend)
    assert row.shot_types == (("single", "multi") if wanted.shots else ())
    assert ((row.rate_limit, row.running_limit), (row.queue_limit, row.timeout_hours)) == (wanted.rate, wanted.queue)
    assert tuple((slot.kind, slot.least, slot.most) for slot in row.slots) == wanted.media
    assert (row.most_media, row.clip_durations, row.total_seconds) == (wanted.most, wanted.with_clip, wanted.total)
    assert (row.billing, row.voice_seconds, row.audio_settings) == (*(wanted.billing, wanted.voice, wanted.settings),)
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


# other-jobs.md 6: seconds, from what the pages say or the quickest sample to the slowest.
WAITS = {
    ("text_to_video", "wan2.7-t2v"): (60, 708),
    ("text_to_video", "wan2.6-t2v"): (60, 312),
    ("text_to_video", "wan2.5-t2v-preview"): (60, 312),
    ("text_to_video", "happyhorse-1.1-t2v"): (80, 115),
    ("text_to_video", "wan3.0-video"): (300, 900),
    ("reference_to_video", "wan2.7-r2v"): (60, 1014),
    ("reference_to_video", "wan2.6-r2v"): (60, 312),
    ("reference_to_video", "happyhorse-1.1-r2v"): (40, 115),
    ("video_edit", "wan2.7-videoedit"): (60, 640),
    ("video_edit", "happyhorse-1.0-video-edit"): (59, 115),
    ("video_extension", "wan3.0-video"): (300, 900),
}


@pytest.mark.parametrize("pair", WAITS, ids=":".join)
def test_a_task_takes_as_long_as_the_documents_samples(pair):
    assert row_of(pair).typical_wait == WAITS[pair]


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
