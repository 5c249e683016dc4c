"""The list of models that `GET /models` shows (dashscope.md section 6)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from wanpack.wan.catalog import jobs
from wanpack.wan.catalog.jobs import ALL_ROWS
from wanpack.wan.catalog.models import MODELS

IDS = list(dict.fromkeys(row.id for row in ALL_ROWS))


def names(api, **query):
    """The names in the list, of as many as one page can have."""
    response = api.get("/models", params={"page_size": 200, **query})
    assert response.status_code == 200, response.text
    return [row["model"] for row in response.json()["output"]["models"]]


def test_the_envelope_is_the_documented_one(api):
    reply = api.get("/models").json()
    assert (reply["code"], reply["message"], reply["success"]) == (None, None, True)
    assert reply["request_id"]
    assert {name: reply["output"][name] for name in ("total", "page_no", "page_size")} == {
        "total": len(IDS),
        "page_no": 1,
        "page_size": 20,
    }


def test_offline_knows_every_model_and_lists_each_once(api):
    assert names(api) == IDS
    assert len(set(IDS)) == len(IDS) == 34
    assert {"wan2.7-t2v-2026-06-12", "wan2.6-r2v-flash", "wan2.7-videoedit", "happyhorse-1.0-video-edit"} <= set(IDS)


def test_a_region_has_its_own_names(make_server):
    singapore, beijing = make_server(region="singapore"), make_server(region="beijing")
    assert {"wan2.1-i2v-turbo", "wan2.1-i2v-plus"} <= set(names(singapore))
    assert {"wan2.1-t2v-turbo", "wan2.1-t2v-plus", "wan2.7-r2v"} <= set(names(singapore))
    assert not {"wanx2.1-i2v-turbo", "wanx2.1-i2v-plus", "wan2.6-i2v-us"} & set(names(singapore))
    assert not {"wanx2.1-t2v-turbo", "wanx2.1-t2v-plus", "wan2.6-t2v-us"} & set(names(singapore))
    assert {"wanx2.1-i2v-turbo", "wanx2.1-i2v-plus"} <= set(names(beijing))


def test_every_name_in_the_list_can_be_called(make_server, kit):
    api = make_server(region="singapore", running_limit=0)
    for name in names(api):
        api.submit(kit.body(name))
    assert not [task for task in api.server.tasks if task.failure]


def test_filters(api):
    assert names(api, model="wan2.6-i2v") == ["wan2.6-i2v"]
    assert names(api, name="wan2.6-i2v") == ["wan2.6-i2v-flash", "wan2.6-i2v", "wan2.6-i2v-us"]
    assert names(api, providers="happyhorse", name="i2v") == ["happyhorse-1.1-i2v", "happyhorse-1.0-i2v"]
    assert "happyhorse-1.1-i2v" not in names(api, providers="wan", capabilities="VG")
    assert names(api, capabilities="TTS") == []
    assert names(api, model="wan9") == []


def test_pages(api):
    assert names(api, page_size=4) == IDS[:4]
    assert names(api, page_size=4, page_no=2) == IDS[4:8]
    assert names(api, page_no=9) == []


@pytest.mark.parametrize("query", [{"page_no": "0"}, {"page_size": "x"}, {"page_size": "201"}])
def test_a_malformed_page_is_refused(api, query):
    response = api.get("/models", params=query)
    assert (response.status_code, response.json()["code"]) == (400, "InvalidParameter")


def test_a_row_says_what_the_model_does_and_costs(make_server):
    api = make_server(region="beijing")
    [row] = api.get("/models", params={"model": "wan2.6-i2v"}).json()["output"]["models"]
    assert (row["provider"], row["capabilities"]) == ("wan", ["VG"])
    assert row["inference_metadata"]["response_modality"] == ["Video"]
    assert row["inference_offline_info"] is None
    assert [(tier["range_name"], tier["prices"][0]["price"]) for tier in row["prices"]] == [
        ("720P", "0.6"),
        ("1080P", "1"),
    ]


@pytest.mark.parametrize(
    ("model", "modalities"),
    [
        ("wan2.2-t2v-plus", ["Text"]),
        ("wan2.7-t2v", ["Text", "Audio"]),
        ("wan2.6-i2v", ["Text", "Image", "Audio"]),
        ("happyhorse-1.1-r2v", ["Text", "Image"]),
        ("wan2.7-videoedit", ["Text", "Image", "Video"]),
        ("wan3.0-video", ["Text", "Image", "Video", "Audio"]),
    ],
)
def test_a_row_says_what_the_model_takes(api, model, modalities):
    [row] = api.get("/models", params={"model": model}).json()["output"]["models"]
    assert row["inference_metadata"]["request_modality"] == modalities


def test_the_list_wants_the_key(api):
    response = api.session.get(f"{api.server.base_url}/models", timeout=10)
    assert (response.status_code, response.json()["code"]) == (401, "InvalidApiKey")


def test_a_model_of_a_family_of_its_own_takes_no_more_than_a_row(api, kit, monkeypatch):
    row = replace(MODELS["wan2.7-i2v"], id="wan9-i2v", family="wan9", offers={})
    monkeypatch.setattr(jobs, "ALL_ROWS", [*ALL_ROWS, row])
    assert row.id in names(api)
    reply = api.ended({**kit.body("wan2.7-i2v"), "model": row.id})
    assert reply["usage"] == {
        "duration": 2,
        "input_video_duration": 0,
        "output_video_duration": 2,
        "video_count": 1,
        "SR": 720,
    }
