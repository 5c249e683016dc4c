"""The list of tasks: rows, filters, pages."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from mock_faults import TaskStuck

ZONE = timezone(timedelta(hours=8))


def second(clock, offset=0.0):
    return datetime.fromtimestamp(clock.now + offset, ZONE).strftime("%Y%m%d%H%M%S")


@pytest.fixture
def listed(make_server, clock, kit):
    """A server with an old failed task, a newer finished one and the newest, which waits."""
    api = make_server(clock=clock)
    api.ids = []
    api.ids.append(api.submit(kit.body(input={"img_url": None})))
    clock.advance(100)
    api.ids.append(api.submit(kit.body()))
    assert api.server.wait_idle()
    clock.advance(100)
    api.server.faults.add(on="create", fault=TaskStuck("PENDING"))
    api.ids.append(api.submit(kit.body("wan2.2-i2v-plus")))
    return api


def ids(api, **query):
    response = api.get("/tasks/", params=query)
    assert response.status_code == 200, response.text
    return [row["task_id"] for row in response.json()["data"]]


def test_rows_are_newest_first_and_have_the_documented_fields(listed, clock):
    reply = listed.get("/tasks/").json()
    assert [row["task_id"] for row in reply["data"]] == listed.ids[::-1]
    assert {name: reply[name] for name in ("total", "total_page", "page_no", "page_size")} == {
        "total": 3,
        "total_page": 1,
        "page_no": 1,
        "page_size": 10,
    }
    assert reply["request_id"]
    done = reply["data"][1]
    assert set(done) == {
        "task_id",
        "status",
        "model_name",
        "region",
        "request_id",
        "api_key_id",
        "caller_parent_id",
        "caller_uid",
        "gmt_create",
        "start_time",
        "end_time",
        "user_api_unique_key",
    }
    assert done["gmt_create"] == int((clock.now - 100) * 1000)
    assert done["region"] == "cn-beijing"
    assert done["user_api_unique_key"] == "apikey:v1:aigc:image2video:video-synthesis:wanx2.1-i2v-turbo"
    assert "end_time" not in reply["data"][0]


def test_a_row_has_the_request_id_of_the_submission(api, kit):
    submitted = api.create(kit.body()).json()["request_id"]
    assert api.get("/tasks/").json()["data"][0]["request_id"] == submitted


def test_the_slash_at_the_end_may_be_missing(listed):
    assert len(listed.get("/tasks").json()["data"]) == 3


def test_filters(listed, clock):
    old, done, waiting = listed.ids
    assert ids(listed, status="FAILED") == [old]
    assert ids(listed, status="PENDING") == [waiting]
    assert ids(listed, model_name="wan2.2-i2v-plus") == [waiting]
    assert ids(listed, task_id=done) == [done]
    assert ids(listed, region="cn-beijing", status="SUCCEEDED") == [done]
    assert ids(listed, region="ap-southeast-1") == []
    assert ids(listed, api_key_id="somebody") == []


def test_the_window_of_time(listed, clock):
    old, done, waiting = listed.ids
    assert ids(listed, start_time=second(clock, -100)) == [waiting, done]
    assert ids(listed, end_time=second(clock, -100)) == [done, old]
    assert ids(listed, start_time=second(clock, -150), end_time=second(clock, -50)) == [done]


def test_pages(listed):
    assert ids(listed, page_size=2) == listed.ids[:0:-1]
    assert ids(listed, page_size=2, page_no=2) == listed.ids[:1]
    assert ids(listed, page_size=2, page_no=3) == []
    assert listed.get("/tasks/", params={"page_size": 2}).json()["total_page"] == 2


@pytest.mark.parametrize(
    "query",
    [
        {"page_no": "0"},
        {"page_size": "x"},
        {"status": "DONE"},
        {"start_time": "2026-01-01"},
        {"start_time": "20260101000000", "end_time": "20260103000000"},
    ],
)
def test_a_malformed_filter_is_refused(api, query):
    response = api.get("/tasks/", params=query)
    assert (response.status_code, response.json()["code"]) == (400, "InvalidParameter")
