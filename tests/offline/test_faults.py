"""Every fault does what its docstring says."""

from __future__ import annotations

import time

import pytest
import requests
from mock_faults import (
    ErrorResponse,
    FixedStatus,
    HtmlPage,
    HugeBody,
    JsonBody,
    ListEmpty,
    ListLag,
    NestedErrorResponse,
    NoRange,
    OtherResult,
    Redirect,
    ResetAfterActing,
    ResetBeforeActing,
    ResetBeforeBody,
    Slow,
    Stalled,
    TaskFails,
    TaskStuck,
    Throttling,
    Truncated,
    UnknownStatus,
)
from mock_server import ALWAYS, Faults
from wanpack.offline.tasks import Timing

ZERO_ID = "00000000-0000-0000-0000-000000000000"


@pytest.fixture
def spoil(api):
    """Order a fault at the test's server."""
    return api.server.faults.add


def fetch(address, **more):
    with requests.Session() as session:
        session.trust_env = False
        return session.get(address, timeout=10, **more)


def test_throttled(api, kit, spoil):
    spoil(on="create", fault=Throttling())
    spoil(on="create", fault=Throttling(retry_after=7))
    plain, dated = api.create(kit.body()), api.create(kit.body())
    assert (plain.status_code, plain.json()["code"]) == (429, "Throttling.RateQuota")
    assert "Retry-After" not in plain.headers
    assert dated.headers["Retry-After"] == "7"
    assert api.server.tasks == []
    assert api.create(kit.body()).status_code == 200


def test_a_refusal_in_json(api, kit, spoil):
    spoil(on="create", fault=ErrorResponse())
    spoil(on="query", fault=ErrorResponse(status=403, code="Arrearage", message="Pay."))
    response = api.create(kit.body())
    assert (response.status_code, response.json()["code"]) == (500, "InternalError")
    response = api.get(f"/tasks/{ZERO_ID}")
    assert (response.status_code, response.json()["code"], response.json()["message"]) == (403, "Arrearage", "Pay.")
    assert response.json()["request_id"]


def test_a_refusal_in_the_nested_form(api, kit, spoil):
    spoil(on="create", fault=NestedErrorResponse(status=400, code="Arrearage", message="Pay."))
    response = api.create(kit.body())
    assert response.status_code == 400
    assert set(response.json()) == {"error", "request_id"}
    assert (response.json()["error"]["code"], response.json()["error"]["message"]) == ("Arrearage", "Pay.")
    assert response.json()["request_id"]
    assert api.server.tasks == []


@pytest.mark.parametrize("status", [200, 502])
def test_a_page_of_html(api, spoil, status):
    spoil(on="query", fault=HtmlPage(status=status, title="Login"))
    response = api.get(f"/tasks/{ZERO_ID}")
    assert response.status_code == status
    assert response.headers["Content-Type"] == "text/html"
    assert response.text.startswith("<html>")


@pytest.mark.parametrize("value", [{"output": {}}, [], None, "text", {"output": {"task_id": 7}}])
def test_any_json(api, kit, spoil, value):
    spoil(on="create", fault=JsonBody(value))
    response = api.create(kit.body())
    assert (response.status_code, response.json()) == (200, value)


def test_a_huge_body(api, spoil):
    spoil(on="list", fault=HugeBody(size=3_000_001))
    response = api.get("/tasks/")
    assert len(response.content) == int(response.headers["Content-Length"]) == 3_000_001
    assert len(response.json()) == 2_999_999


def test_a_redirection(api, spoil):
    spoil(on="query", fault=Redirect("http://127.0.0.1:9/elsewhere"))
    response = api.get(f"/tasks/{ZERO_ID}", allow_redirects=False)
    assert (response.status_code, response.headers["Location"]) == (302, "http://127.0.0.1:9/elsewhere")


@pytest.mark.parametrize(
    ("fault", "body_read", "created"),
    [(ResetBeforeBody(), False, 0), (ResetBeforeActing(), True, 0), (ResetAfterActing(), True, 1)],
)
def test_resets(api, kit, spoil, fault, body_read, created):
    spoil(on="create", fault=fault)
    with pytest.raises(requests.ConnectionError):
        api.create(kit.body())
    assert (api.server.received[-1].body is not None) == body_read
    assert len(api.server.tasks) == created
    assert api.create(kit.body()).status_code == 200


def test_a_reset_is_a_reset_and_no_polite_end(api, spoil):
    spoil(on="query", fault=ResetBeforeActing())
    with pytest.raises(requests.ConnectionError, match=r"ConnectionResetError|Connection aborted"):
        api.get(f"/tasks/{ZERO_ID}")


def test_a_large_body_can_be_reset_before_it_is_read(api, kit, spoil):
    spoil(on="create", fault=ResetBeforeBody())
    with pytest.raises(requests.ConnectionError):
        api.create(kit.body(input={"prompt": "x" * 6_000_000}))
    assert api.server.tasks == []


def test_a_slow_response_is_the_right_one(api, kit, spoil):
    spoil(on="create", fault=Slow(0.3))
    started = time.monotonic()
    assert api.create(kit.body()).status_code == 200
    assert time.monotonic() - started >= 0.3


def test_a_slow_response_comes_too_late_but_the_task_exists(api, kit, spoil, until):
    spoil(on="create", fault=Slow(30))
    with pytest.raises(requests.ReadTimeout):
        api.session.post(
            api.server.base_url + "/services/aigc/video-generation/video-synthesis",
            json=kit.body(),
            headers={**api.key, "X-DashScope-Async": "enable"},
            timeout=(5, 0.3),
        )
    assert until(lambda: len(api.server.tasks) == 1)


def test_a_truncated_download(api, kit, spoil):
    video = api.ended(kit.body())["output"]["video_url"]
    spoil(on="download", fault=Truncated(sent=5000))
    got = b""
    with pytest.raises(requests.exceptions.ChunkedEncodingError), fetch(video, stream=True) as response:
        assert int(response.headers["Content-Length"]) > 5000
        for piece in response.iter_content(1000):
            got += piece
    assert len(got) == 5000
    assert got == fetch(video).content[:5000]


def test_a_truncated_response_of_the_api(api, kit, spoil):
    spoil(on="create", fault=Truncated(sent=10))
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        api.create(kit.body())
    assert len(api.server.tasks) == 1


def test_a_stalled_download(api, kit, spoil):
    video = api.ended(kit.body())["output"]["video_url"]
    spoil(on="download", fault=Stalled(sent=5000))
    got = b""
    with requests.Session() as session:
        session.trust_env = False
        with session.get(video, stream=True, timeout=(5, 0.3)) as response, pytest.raises(requests.ConnectionError):
            for piece in response.iter_content(1000):
                got += piece
    assert len(got) == 5000


def test_a_stall_ends_when_the_server_stops(make_server, kit, stop_at_once):
    api = make_server()
    video = api.ended(kit.body())["output"]["video_url"]
    api.server.faults.add(on="download", fault=Stalled(sent=0))
    with fetch(video, stream=True) as response:
        stop_at_once(api.server)
        with pytest.raises(requests.exceptions.ChunkedEncodingError):
            assert response.content


def test_a_download_without_ranges(api, kit, spoil):
    video = api.ended(kit.body())["output"]["video_url"]
    spoil(on="download", fault=NoRange())
    response = fetch(video, headers={"Range": "bytes=100-"})
    assert response.status_code == 200
    assert "Accept-Ranges" not in response.headers
    assert fetch(video, headers={"Range": "bytes=100-"}).status_code == 206


def test_an_unknown_task(api, kit, spoil):
    task_id = api.ended(kit.body())["output"]["task_id"]
    spoil(on="query", fault=UnknownStatus())
    assert api.state(task_id) == "UNKNOWN"
    assert api.state(task_id) == "SUCCEEDED"


def listed(api):
    reply = api.get("/tasks/").json()
    assert reply["total"] == len(reply["data"])
    return [row["task_id"] for row in reply["data"]]


def test_a_list_that_lags(make_server, clock, kit):
    api = make_server(clock=clock)
    api.server.faults.add(on="list", fault=ListLag(45), times=ALWAYS)
    first = api.submit(kit.body())
    clock.advance(44)
    second = api.submit(kit.body())
    assert listed(api) == []
    assert api.state(first) != "UNKNOWN"
    clock.advance(1)
    assert listed(api) == [first]
    clock.advance(44)
    assert listed(api) == [second, first]


def test_a_key_that_sees_no_tasks(api, kit, spoil):
    task_id = api.submit(kit.body())
    spoil(on="list", fault=ListEmpty(), times=2)
    assert [listed(api), listed(api)] == [[], []]
    assert listed(api) == [task_id]
    assert api.state(task_id) != "UNKNOWN"


def test_a_task_that_will_fail(api, kit, spoil):
    spoil(on="create", fault=TaskFails("DataInspectionFailed", "Output data may contain inappropriate content."))
    assert api.failure(kit.body()) == ("DataInspectionFailed", "Output data may contain inappropriate content.")


def test_a_task_that_fails_without_a_reason(api, kit, spoil):
    spoil(on="create", fault=TaskFails(code="", message=""))
    reply = api.ended(kit.body())
    assert set(reply) == {"output", "request_id"}
    assert set(reply["output"]) == {"task_id", "task_status"}
    assert reply["output"]["task_status"] == "FAILED"


def test_a_task_whose_reason_stands_outside_the_output(api, kit, spoil):
    spoil(on="create", fault=TaskFails("InternalError.Timeout", "Too long.", outside=True))
    reply = api.ended(kit.body())
    assert (reply["code"], reply["message"]) == ("InternalError.Timeout", "Too long.")
    assert set(reply["output"]) == {"task_id", "task_status"}


def test_a_state_of_tomorrow(api, kit, spoil):
    task_id = api.submit(kit.body())
    spoil(on="query", fault=FixedStatus("ARCHIVING"), times=2)
    assert [api.state(task_id), api.state(task_id)] == ["ARCHIVING", "ARCHIVING"]
    assert api.server.wait_idle()
    assert api.state(task_id) == "SUCCEEDED"
    spoil(on="query", fault=FixedStatus("ARCHIVING"))
    assert api.state(ZERO_ID) == "UNKNOWN"


@pytest.mark.parametrize("form", ["results", "images", "nothing"])
def test_a_success_without_a_video_url(api, kit, spoil, form):
    output = api.ended(kit.body())["output"]
    spoil(on="query", fault=OtherResult(form))
    other = api.query(output["task_id"])
    assert other["output"]["task_status"] == "SUCCEEDED"
    assert "video_url" not in other["output"]
    assert "usage" in other
    if form == "results":
        assert fetch(other["output"]["results"]["video_url"]).content[4:8] == b"ftyp"
    else:
        assert ("results" in other["output"]) == (form == "images")
    assert api.query(output["task_id"])["output"] == output


def test_a_task_that_never_ends(api, kit, spoil):
    spoil(on="create", fault=TaskStuck("RUNNING"))
    task_id = api.submit(kit.body())
    assert api.server.wait_idle()
    assert [api.state(task_id) for _ in range(2)] == ["RUNNING", "RUNNING"]


def test_a_task_that_fails_from_a_query_on(make_server, clock, kit):
    api = make_server(clock=clock, timing=Timing(queued=0))
    task_id = api.submit(kit.body())
    api.server.faults.add(on="query", fault=TaskFails())
    assert api.state(task_id) == "RUNNING"
    assert api.server.wait_idle()
    clock.advance(100)
    assert api.query(task_id)["output"]["code"] == "InternalError.Algo"


def test_a_task_that_never_starts_can_be_cancelled(api, kit, spoil):
    spoil(on="create", fault=TaskStuck("PENDING"))
    task_id, other = api.submit(kit.body()), api.submit(kit.body())
    assert api.server.wait_idle()
    assert api.state(task_id) == "PENDING"
    assert api.state(other) == "SUCCEEDED"
    assert api.post(f"/tasks/{task_id}/cancel").status_code == 200


@pytest.mark.parametrize("on", ["policy", "upload", "cancel", "list"])
def test_every_call_can_be_spoiled(api, kit, spoil, on):
    data = api.get("/uploads", params={"action": "getPolicy", "model": "wan2.6-i2v"}).json()["data"]
    calls = {
        "policy": lambda: api.get("/uploads", params={"action": "getPolicy", "model": "wan2.6-i2v"}),
        "upload": lambda: api.session.post(
            data["upload_host"], data=kit.upload_form(data, "a.png"), files={"file": b"x"}, timeout=10
        ),
        "cancel": lambda: api.post(f"/tasks/{ZERO_ID}/cancel"),
        "list": lambda: api.get("/tasks/"),
    }
    spoil(on=on, fault=ErrorResponse(status=503, code="ServiceUnavailable", message="Later."))
    assert calls[on]().status_code == 503
    assert calls[on]().status_code != 503


def test_faults_have_times_and_an_order():
    faults = Faults()
    slow, refuses, late = Slow(1), ErrorResponse(), Throttling()
    faults.add(on="query", fault=slow)
    faults.add(on="query", fault=refuses, times=2)
    faults.add(on="query", fault=late, after=4)
    faults.add(on="list", fault=slow)
    assert faults.waiting == 5
    assert [faults.take("query") for _ in range(6)] == [slow, refuses, refuses, None, late, None]
    assert faults.take("create") is None
    faults.clear()
    assert faults.waiting == 0


def test_a_fault_that_means_nothing_is_an_error():
    with pytest.raises(ValueError, match="NoRange means nothing for a create call"):
        Faults().add(on="create", fault=NoRange())
