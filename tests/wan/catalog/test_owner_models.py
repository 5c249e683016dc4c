"""The owner's `models.toml`: rows of known rules, and retired models."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from wanpack.wan.api.request import estimate_cost
from wanpack.wan.api.validation import retired_problems, validate
from wanpack.wan.catalog import jobs
from wanpack.wan.catalog.fields import VideoRequest, rows_of
from wanpack.wan.catalog.models import TABLE
from wanpack.wan.catalog.owner_models import add_models
from wanpack.wan.catalog.regions import REGIONS
from wanpack.wan.errors import InvalidRequest
from wanpack.wan.tasks.runner import PartialFailure

DOCS = Path(__file__).parents[3] / "docs"
NEW = "wan2.7-i2v-2026-12-01"
LIKE = {"id": NEW, "like": "wan2.7-i2v"}
PRICED = {**LIKE, "prices": {"beijing": {"720P": 0.7, "1080P": 1.1}}, "prices_as_of": "2026-12-01"}
BEIJING = REGIONS["beijing"]


@pytest.fixture(autouse=True)
def tables_as_before():
    kept = [(table, dict(table)) for table in (TABLE, *jobs._TABLES.values())]
    rows = list(jobs.ALL_ROWS)
    yield
    for table, before in kept:
        table.clear()
        table.update(before)
    jobs.ALL_ROWS[:] = rows


def add(*entries):
    return [str(problem) for problem in add_models({"model": list(entries)})]


@pytest.mark.parametrize("page", ["models.md", "models.zh-CN.md"])
def test_the_example_of_the_documents_is_added(page):
    text = (DOCS / page).read_text(encoding="utf-8")
    [example] = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    try:
        import tomllib
    except ImportError:  # Python 3.10
        import tomli as tomllib
    assert add_models(tomllib.loads(example)) == []
    assert rows_of("text_to_video")["wan3.1-video"].ratios == ("16:9", "9:16")
    assert TABLE[NEW].offers["beijing"].price == {"720P": 0.6}
    assert TABLE["wan2.5-i2v-preview"].successor == "wan2.6-i2v-flash"


def test_a_model_has_the_rules_of_the_one_that_it_is_like():
    assert add(PRICED) == []
    request = VideoRequest(model=NEW, resolution="720P", duration=5)
    assert validate(request, region=BEIJING) == []
    assert request.row.offers["beijing"].name == NEW
    assert request.row.media_combinations == TABLE["wan2.7-i2v"].media_combinations
    assert estimate_cost(request, region=BEIJING) == {"amount": 3.5, "currency": "CNY", "as_of": "2026-12-01"}
    wrong = validate(VideoRequest(model=NEW, resolution="480P", duration=16), region=BEIJING)
    assert [problem.partition(":")[0] for problem in wrong] == ["resolution", "duration"]


def test_a_region_that_is_not_priced_is_offered_and_its_cost_is_unknown():
    assert add(PRICED) == []
    request = VideoRequest(model=NEW, resolution="720P", duration=5)
    assert validate(request, region=REGIONS["singapore"]) == []
    assert estimate_cost(request, region=REGIONS["singapore"]) is None


def test_without_prices_it_is_offered_where_the_other_is_and_its_cost_is_unknown():
    assert add(LIKE) == []
    request = VideoRequest(model=NEW, resolution="720P", duration=5)
    assert list(request.row.offers) == ["beijing", "singapore"]
    assert estimate_cost(request, region=BEIJING) is None


def test_it_may_have_fewer_resolutions_seconds_and_ratios():
    changes = {"resolutions": ["480P"], "durations": [10, 5], "ratios": ["16:9", "adaptive"], "prompt_limit": 100}
    assert add({"id": "wan3.1-video", "like": "wan3.0-video", "job": "image_to_video", **changes}) == []
    row = TABLE["wan3.1-video"]
    assert (row.resolutions, row.default_resolution, row.durations) == (("480P",), "480P", (5, 10))
    assert (row.ratios, row.prompt_limit) == (("adaptive", "16:9"), 100)


def test_a_model_of_another_job_joins_its_table():
    assert add({"id": "wan2.8-t2v", "like": "wan2.7-t2v"}) == []
    assert "wan2.8-t2v" in rows_of("text_to_video")
    assert "wan2.8-t2v" not in TABLE


def test_a_retired_model_is_told_with_the_one_to_use():
    assert add({"id": "wan2.5-i2v-preview", "retired": "wan2.6-i2v-flash"}) == []
    request = VideoRequest(model="wan2.5-i2v-preview", resolution="480P", duration=5)
    assert retired_problems(request.row) == ["model: DashScope has retired wan2.5-i2v-preview; choose wan2.6-i2v-flash"]
    assert retired_problems(TABLE["wan2.6-i2v-flash"]) == []


def test_a_retired_model_pays_for_no_more_videos_and_its_saved_ones_are_reused(bench):
    saved = [video.path for video in bench.run(bench.batch(images=2))]
    name = bench.batch().request.model
    assert add({"id": name, "retired": "wan2.7-i2v"}) == []
    assert [video.path for video in bench.run(bench.batch(images=2))] == saved
    told = f"DashScope has retired {name}; choose wan2.7-i2v"
    with pytest.raises(InvalidRequest, match=told):
        bench.run(replace(bench.batch(), request=VideoRequest(model=name, prompt="a dog")))
    with pytest.raises(PartialFailure, match=told) as caught:
        bench.run(bench.batch(images=3))
    assert all(f"Saved: {path}" in str(caught.value) for path in saved)
    assert bench.created == 2


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ({}, "models.toml, model 1: id: write the model's id, such as wan2.7-i2v-2026-12-01"),
        ({"id": "Wan 2"}, "models.toml, model 1: id: write the model's id, such as wan2.7-i2v-2026-12-01"),
        ({"id": NEW}, f"models.toml, model {NEW}: like: choose the model whose rules it has: wan2.6-i2v-flash,"),
        ({**LIKE, "id": "wan2.6-i2v"}, "models.toml, model wan2.6-i2v: id: the table has this model already"),
        ({"id": "wan4", "like": "wan3.0-video"}, "models.toml, model wan4: job: choose image_to_video, text_to_video,"),
        ({**LIKE, "resolution": ["720P"]}, f"models.toml, model {NEW}: resolution: not known; write id, like, job,"),
        ({**LIKE, "resolutions": ["4K"]}, f'models.toml, model {NEW}: resolutions: write a list such as ["720P",'),
        ({**LIKE, "durations": [0]}, f"models.toml, model {NEW}: durations: write a list of seconds such as [5, 10],"),
        ({**LIKE, "durations": [5.5]}, f"models.toml, model {NEW}: durations: write a list of seconds such as"),
        ({**LIKE, "durations": [99]}, f"models.toml, model {NEW}: durations: write a list of seconds such as"),
        ({**LIKE, "prompt_limit": True}, f"models.toml, model {NEW}: prompt_limit: write a number of characters"),
        ({**PRICED, "prices": {"mars": {"720P": 1}}}, f"models.toml, model {NEW}: prices: write the price of a second"),
        ({**PRICED, "prices": {"beijing": {"480P": 1}}}, f"models.toml, model {NEW}: prices: write the price"),
        ({**PRICED, "prices": {"beijing": {"720P": -1}}}, f"models.toml, model {NEW}: prices: write the price"),
        (
            {**PRICED, "prices": {"beijing": {"720P": float("nan")}}},
            f"models.toml, model {NEW}: prices: write the price",
        ),
        ({**PRICED, "prices_as_of": "2026-99-99"}, f"models.toml, model {NEW}: prices: write the price"),
        ({**LIKE, "prices": PRICED["prices"]}, f"models.toml, model {NEW}: prices: write the price"),
        ({**PRICED, "prices": {"beijing": {}}}, f"models.toml, model {NEW}: prices: write the price"),
        ({**PRICED, "prices": {"beijing": {"720P": 0}}}, f"models.toml, model {NEW}: prices: write the price"),
        ({"id": "wan1", "retired": "wan2.6-i2v"}, "models.toml, model wan1: id: the table has no such model"),
        ({"id": "wan2.6-i2v", "retired": "wan1"}, "models.toml, model wan2.6-i2v: retired: write the model to use"),
        ({"id": "wan2.6-i2v", "retired": "wan2.6-i2v"}, "models.toml, model wan2.6-i2v: retired: write the model"),
    ],
)
def test_what_does_not_fit_is_told_and_changes_nothing(entry, problem):
    rows = list(jobs.ALL_ROWS)
    [found] = add(entry)
    assert found.startswith(problem)
    assert rows == jobs.ALL_ROWS


@pytest.mark.parametrize("table", [{"models": []}, {"model": {}}, {"model": [], "more": 1}])
def test_a_file_of_another_form_is_told(table):
    assert add_models(table) == ["models.toml: write each model below a line [[model]]"]


def test_one_wrong_model_leaves_the_others():
    assert len(add({"id": "x"}, PRICED)) == 1
    assert NEW in TABLE
