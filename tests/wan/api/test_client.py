"""The calls to the service, against a real HTTP server on this machine."""

from __future__ import annotations

import contextlib
import io
import json
import socket
import ssl
import textwrap
import threading
import time

import pytest
import requests
import urllib3
from mock_faults import (
    ErrorResponse,
    HtmlPage,
    HugeBody,
    JsonBody,
    Redirect,
    ResetAfterActing,
    ResetBeforeActing,
    ResetBeforeBody,
    TaskFails,
    Throttling,
    Truncated,
)
from mock_server import MockServer
from wanpack.offline.tasks import Timing
from wanpack.wan.api.errors import (
    AuthenticationError,
    BadRequest,
    NetworkError,
    PermissionDenied,
    RateLimited,
    ServerError,
    ServiceError,
    UnexpectedResponse,
)
from wanpack.wan.api.request import to_json
from wanpack.wan.api.task import TaskStatus
from wanpack.wan.errors import WanError

MODEL = "wan2.2-i2v-plus"
# Taken by the service, which finds only later that the image's URL is none: nothing is rendered for it.
BODY = {"model": MODEL, "input": {"prompt": "猫", "img_url": "nowhere"}, "parameters": {"resolution": "480P"}}
GOOD_BODY = {**BODY, "input": {"prompt": "猫", "img_url": "https://example.com/a.png"}}
CALLS = {
    "create": lambda client: client.create_task(to_json(BODY)),
    "query": lambda client: client.get_task("t-1"),
    "cancel": lambda client: client.cancel_task("t-1"),
    "list": lambda client: client.list_tasks(),
    "policy": lambda client: client.upload_file(b"RIFF", model_name=MODEL, suffix=".wav", mime="audio/wav"),
}


def upload(client, data=b"RIFF"):
    return client.upload_file(data, model_name=MODEL, suffix=".wav", mime="audio/wav")


def failing(call, error=Exception):
    with pytest.raises(error) as caught:
        call()
    return caught.value


# What each call says and returns


def test_a_submitted_task_has_its_ids(client, server):
    submitted = client.create_task(to_json(BODY))
    [task] = server.tasks
    assert (submitted.task_id, submitted.request_id) == (task.id, task.request_id)


def test_a_body_arrives_as_it_was_given(client, server):
    client.create_task(to_json(BODY))
    assert server.received[-1].body == BODY


def test_a_create_call_asks_for_a_task(client, server):
    client.create_task(to_json(BODY))
    headers = server.received[-1].headers
    assert headers["x-dashscope-async"] == "enable"
    assert "x-dashscope-ossresourceresolve" not in headers


def test_a_create_call_with_an_upload_asks_for_it_to_be_resolved(client, server):
    client.create_task(to_json(BODY), uses_uploads=True)
    assert server.received[-1].headers["x-dashscope-ossresourceresolve"] == "enable"


def test_a_query_returns_the_tasks_state(client):
    task_id = client.create_task(to_json(GOOD_BODY)).task_id
    task = client.get_task(task_id)
    assert (task.task_id, task.status) == (task_id, TaskStatus.PENDING)
    assert task.status.is_waiting
    assert task.submit_time
    assert task.request_id


def test_an_id_that_the_service_does_not_know_is_unknown(client):
    task = client.get_task("00000000-0000-0000-0000-000000000000")
    assert task.status is TaskStatus.UNKNOWN
    assert not task.status.is_waiting


def test_an_id_stays_one_part_of_the_path(client, server):
    client.get_task("a?status=FAILED#b")
    assert (server.received[-1].path, server.received[-1].query) == ("/api/v1/tasks/a?status=FAILED#b", {})


def test_a_failed_task_says_why(bare_environment, client_for):
    with MockServer(region="beijing", timing=Timing(scale=0)) as server:
        client = client_for(server.base_url, server.key)
        server.faults.add(on="create", fault=TaskFails("DataInspectionFailed", "Output data may be inappropriate."))
        task_id = client.create_task(to_json(GOOD_BODY)).task_id
        task = client.get_task(task_id)
    assert task.status is TaskStatus.FAILED
    error = task.failure()
    assert (error.code, error.service_message) == ("DataInspectionFailed", "Output data may be inappropriate.")
    assert (error.http_status, error.task_id, error.request_id) == (200, task_id, task.request_id)


def test_a_finished_task_has_its_video_and_usage(client, server):
    usage = {"duration": 5.0, "SR": "480", "video_count": 1}
    output = {"task_id": "t-1", "task_status": "SUCCEEDED", "video_url": "https://x/v.mp4", "orig_prompt": "猫"}
    server.faults.add(on="query", fault=JsonBody({"output": output, "usage": usage, "request_id": "r-1"}))
    task = client.get_task("t-1")
    assert (task.status, task.video_url, task.usage) == (TaskStatus.SUCCEEDED, "https://x/v.mp4", usage)
    assert (task.orig_prompt, task.actual_prompt, task.request_id) == ("猫", "", "r-1")


def test_a_task_that_is_not_named_in_the_response_is_the_one_that_was_asked_for(client, server):
    server.faults.add(on="query", fault=JsonBody({"output": {"task_status": "RUNNING"}}))
    assert client.get_task("t-1").task_id == "t-1"


def test_a_signed_address_is_not_in_a_tasks_repr(client, server):
    output = {"task_status": "SUCCEEDED", "video_url": "https://x/v.mp4?Signature=abc"}
    server.faults.add(on="query", fault=JsonBody({"output": output}))
    assert "Signature" not in repr(client.get_task("t-1"))


def test_a_queued_task_is_cancelled(client, server):
    task_id = client.create_task(to_json(GOOD_BODY)).task_id
    assert client.cancel_task(task_id) is True
    assert client.get_task(task_id).status is TaskStatus.CANCELED
    assert not client.get_task(task_id).status.is_waiting


def test_a_task_that_is_no_longer_queued_is_not_cancelled(client):
    task_id = client.create_task(to_json(GOOD_BODY)).task_id
    client.cancel_task(task_id)
    assert client.cancel_task(task_id) is False


def test_a_cancellation_that_is_refused_for_another_reason_is_an_error(client, server):
    server.faults.add(on="cancel", fault=ErrorResponse())
    assert failing(lambda: client.cancel_task("t-1"), ServerError).task_id == "t-1"


def test_the_list_has_the_accounts_tasks_newest_first(client):
    before = time.time()
    first = client.create_task(to_json(BODY))
    second = client.create_task(to_json(BODY))
    page = client.list_tasks(model_name=MODEL)
    assert [row.task_id for row in page.tasks] == [second.task_id, first.task_id]
    assert [row.request_id for row in page.tasks] == [second.request_id, first.request_id]
    assert {row.model_name for row in page.tasks} == {MODEL}
    assert all(before - 1 < row.created < time.time() + 1 for row in page.tasks)
    assert page.total_pages == 1


def test_the_list_is_asked_for_by_its_own_names(client, server):
    client.list_tasks(
        model_name=MODEL,
        start_time="20260101000000",
        end_time="20260101120000",
        status=TaskStatus.RUNNING,
        page_no=2,
        page_size=50,
    )
    assert (server.received[-1].method, server.received[-1].path) == ("GET", "/api/v1/tasks/")
    assert server.received[-1].query == {
        "model_name": MODEL,
        "start_time": "20260101000000",
        "end_time": "20260101120000",
        "status": "RUNNING",
        "page_no": "2",
        "page_size": "50",
    }


def test_pages_of_the_list_are_counted(client):
    for _ in range(2):
        client.create_task(to_json(BODY))
    one, two = client.list_tasks(page_size=1, page_no=1), client.list_tasks(page_size=1, page_no=2)
    assert (one.total_pages, two.total_pages) == (2, 2)
    assert one.tasks[0].task_id != two.tasks[0].task_id


@pytest.mark.parametrize("call", ["create", "list"])
def test_what_the_services_clock_said_is_kept(call, bare_environment, client_for):
    with MockServer(region="beijing", clock=lambda: 1_700_000_000.9) as server:
        assert CALLS[call](client_for(server.base_url, server.key)).server_time == 1_700_000_000


@pytest.mark.parametrize(
    ("date", "seconds"),
    [
        ("Tue, 14 Nov 2023 22:13:20 GMT", 1_700_000_000),
        ("Tue, 14 Nov 2023 22:13:20 -0000", 1_700_000_000),
        *[(no, 0) for no in ("", "yesterday", "Tue, 31 Feb 2023 22:13:20 GMT", "Sun, 01 Jan 1950 00:00:00 GMT")],
    ],
)
def test_a_clock_that_makes_no_sense_is_none(date, seconds, client, server):
    server.date = lambda _: date
    assert client.list_tasks().server_time == seconds


def test_rows_of_the_list_that_make_no_sense_are_left_out(client, server):
    rows = [None, 7, {}, {"task_id": "t-1", "gmt_create": "1700000000000", "model_name": MODEL}]
    server.faults.add(on="list", fault=JsonBody({"data": rows, "total_page": "1"}))
    page = client.list_tasks()
    assert [(row.task_id, row.created) for row in page.tasks] == [("t-1", 1_700_000_000.0)]
    assert page.total_pages == 1


def test_an_uploaded_file_gets_an_address_that_the_service_resolves(client, server):
    address = upload(client, b"RIFF data")
    assert address.startswith("oss://dashscope-instant/")
    assert address.endswith(".wav")
    stored = server.state.storage.find(address)
    assert (stored.path.read_bytes(), stored.model) == (b"RIFF data", MODEL)


def test_two_uploads_of_the_same_file_do_not_meet(client):
    assert upload(client) != upload(client)


def test_a_permit_may_hold_a_bool_where_the_form_wants_a_text(client, server):
    policy = server.state.storage.policy(MODEL, host=f"{server.state.base_url}/upload")
    server.faults.add(on="policy", fault=JsonBody({"data": {**policy, "x_oss_forbid_overwrite": True}}))
    assert upload(client).startswith("oss://")


def test_a_refused_upload_says_why_in_the_storages_words(client, server):
    policy = server.state.storage.policy(MODEL, host=f"{server.state.base_url}/upload")
    server.faults.add(on="policy", fault=JsonBody({"data": {**policy, "signature": "wrong"}}))
    error = failing(lambda: upload(client), ServiceError)
    assert (error.code, error.http_status) == ("SignatureDoesNotMatch", 403)
    assert error.service_message.startswith("The request signature we calculated")


def test_a_refused_upload_whose_reason_breaks_off_is_a_network_error(client, server):
    policy = server.state.storage.policy(MODEL, host=f"{server.state.base_url}/upload")
    server.faults.add(on="policy", fault=JsonBody({"data": {**policy, "signature": "wrong"}}))
    server.faults.add(on="upload", fault=Truncated(20))
    failing(lambda: upload(client), NetworkError)


# Where the key goes


def test_the_key_goes_into_one_header_of_every_call_to_the_api_and_nowhere_else(client, server):
    task_id = client.create_task(to_json(BODY)).task_id
    client.get_task(task_id)
    client.cancel_task(task_id)
    client.list_tasks()
    upload(client)
    calls = [call for call in server.received if call.on != "upload"]
    assert {call.on for call in calls} == {"create", "query", "cancel", "list", "policy"}
    for call in calls:
        assert call.headers["authorization"] == f"Bearer {server.key}"
        rest = {name: value for name, value in call.headers.items() if name != "authorization"}
        assert server.key not in json.dumps([rest, call.path, dict(call.query), call.body])


def test_the_key_does_not_go_to_the_upload_host(client, server):
    upload(client)
    [call] = [call for call in server.received if call.on == "upload"]
    assert server.key not in json.dumps(dict(call.headers))
    assert "authorization" not in call.headers


def test_an_upload_host_without_https_gets_nothing(client, server, client_for):
    with MockServer() as other:
        policy = {**server.state.storage.policy(MODEL, host=f"{other.state.base_url}/upload")}
        server.faults.add(on="policy", fault=JsonBody({"data": policy}))
        error = failing(lambda: upload(client), UnexpectedResponse)
        assert "not https" in str(error)
        assert other.received == []


def test_a_redirect_is_not_followed(client, server):
    with MockServer() as other:
        for on, call in CALLS.items():
            for status in (302, 307, 308):
                server.faults.add(on=on, fault=Redirect(f"{other.base_url}/tasks/t-1", status))
                error = failing(lambda call=call: call(client), UnexpectedResponse)
                assert error.http_status == status
                assert "redirect" in str(error)
                assert "DASHSCOPE_BASE_URL" in error.hint
        assert other.received == []


@pytest.fixture
def netrc(bare_environment, tmp_path):
    """A netrc file that has a password for every host."""
    file = tmp_path / "netrc"
    hosts = ("127.0.0.1", "dashscope.example", "storage.example")
    file.write_text("\n".join(f"machine {host} login somebody password sesame" for host in hosts), "utf-8")
    bare_environment.setenv("NETRC", str(file))


@pytest.fixture
def wire(monkeypatch):
    """Hold back what requests would send over https: returns what was to be sent, and takes the responses to give."""

    class Wire:
        def __init__(self):
            self.sent, self.responses = [], []

    wire = Wire()

    def send(adapter, request, **settings):
        wire.sent.append(request)
        response = requests.Response()
        response.status_code, response.url = 200, request.url
        body = io.BytesIO(json.dumps(wire.responses.pop(0)).encode())
        response.raw = urllib3.HTTPResponse(body, preload_content=False)
        return response

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", send)
    return wire


def test_netrc_does_not_replace_the_key(netrc, client_for, wire, server, client):
    wire.responses = [{"output": {"task_status": "RUNNING"}}] * 2
    for one in (client, client_for("https://dashscope.example/api/v1", server.key)):
        one.get_task("t-1")
        assert wire.sent[-1].headers["Authorization"] == f"Bearer {server.key}"


def test_netrc_is_not_used_for_the_upload_host(netrc, client_for, wire, server):
    policy = server.state.storage.policy(MODEL, host="https://storage.example")
    wire.responses = [{"data": policy}, {}]
    upload(client_for("https://dashscope.example/api/v1", "sk-mine"))
    assert wire.sent[-1].url == "https://storage.example/"
    assert "Authorization" not in wire.sent[-1].headers
    assert b"sk-mine" not in wire.sent[-1].body


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"])
def test_a_proxy_does_not_see_the_calls_to_this_machine(name, bare_environment, client, server):
    with MockServer() as proxy:
        bare_environment.setenv(name, proxy.state.base_url)
        client.get_task("t-1")
        client.create_task(to_json(BODY))
        upload(client)
        assert proxy.received == []
    assert {call.on for call in server.received} == {"query", "create", "policy", "upload"}


# What may go wrong on the way


def test_every_call_has_a_limit_for_connecting_and_one_for_waiting(client, monkeypatch):
    seen = []
    send = requests.adapters.HTTPAdapter.send

    def watched(adapter, request, **settings):
        seen.append((request.method, settings["timeout"]))
        return send(adapter, request, **settings)

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", watched)
    task_id = client.create_task(to_json(BODY)).task_id
    client.get_task(task_id)
    client.cancel_task(task_id)
    client.list_tasks()
    upload(client)
    assert len(seen) == 6
    for _, (connecting, waiting) in seen:
        assert 0 < connecting <= 30
        assert 0 < waiting <= 120


@pytest.mark.parametrize("on", CALLS)
def test_a_refused_connection_was_certainly_not_used(on, client_for, closed_port, bare_environment):
    client = client_for(f"http://127.0.0.1:{closed_port}/api/v1", "sk-mine")
    error = failing(lambda: CALLS[on](client), NetworkError)
    assert error.sent is False
    assert "127.0.0.1 cannot be reached" in str(error)
    assert "sk-mine" not in str(error)


def test_a_proxy_that_cannot_be_reached_was_certainly_not_passed(client_for, closed_port, bare_environment):
    bare_environment.setenv("HTTPS_PROXY", f"http://127.0.0.1:{closed_port}")
    client = client_for("https://dashscope.example/api/v1", "sk-mine")
    error = failing(lambda: CALLS["create"](client), NetworkError)
    assert error.sent is False
    assert "proxy" in str(error)


def test_a_certificate_that_is_not_accepted_ends_the_call_before_anything_is_sent(
    client_for, bare_environment, tls_server
):
    port, got = tls_server
    client = client_for(f"https://127.0.0.1:{port}/api/v1", "sk-mine")
    error = failing(lambda: CALLS["create"](client), NetworkError)
    assert error.sent is False
    assert "certificate" in str(error)
    assert got == []


@pytest.mark.parametrize("fault", [ResetBeforeActing(), ResetAfterActing(), ResetBeforeBody()])
def test_a_connection_that_breaks_after_the_request_leaves_open_whether_it_arrived(fault, client, server):
    server.faults.add(on="create", fault=fault)
    error = failing(lambda: client.create_task(to_json(BODY)), NetworkError)
    assert error.sent is True
    assert server.key not in str(error)


def test_a_response_that_breaks_off_leaves_open_whether_the_task_was_created(client, server):
    server.faults.add(on="create", fault=Truncated(10))
    assert failing(lambda: client.create_task(to_json(BODY)), NetworkError).sent is True
    assert len(server.tasks) == 1


def test_a_network_error_of_a_query_names_the_task(client, server):
    server.faults.add(on="query", fault=ResetAfterActing())
    assert failing(lambda: client.get_task("t-1"), NetworkError).task_id == "t-1"


def test_nothing_is_sent_twice_by_the_client(client, server):
    for fault in (ResetBeforeActing(), Throttling(), ErrorResponse(), HtmlPage()):
        server.faults.add(on="create", fault=fault)
        failing(lambda: client.create_task(to_json(BODY)))
    assert len(server.received) == 4


def test_a_create_call_has_a_connection_of_its_own(client, monkeypatch):
    # One that is kept may be closed by the other side at any moment, and then nobody knows what arrived.
    made = []
    connect = urllib3.connection.HTTPConnection.connect
    monkeypatch.setattr(
        urllib3.connection.HTTPConnection, "connect", lambda connection: (made.append(connection), connect(connection))
    )
    client.get_task("t-1")
    client.get_task("t-2")
    assert len(made) == 1
    client.create_task(to_json(BODY))
    assert len(made) == 2
    client.get_task("t-3")
    assert len(made) == 2


# What the service may answer


@pytest.mark.parametrize("on", CALLS)
@pytest.mark.parametrize("status", [200, 502])
def test_a_page_of_html_is_no_response(on, status, client, server):
    server.faults.add(on=on, fault=HtmlPage(status))
    error = failing(lambda: CALLS[on](client), UnexpectedResponse)
    assert error.http_status == status
    assert "DASHSCOPE_BASE_URL" in error.hint


@pytest.mark.parametrize("on", CALLS)
def test_a_huge_response_is_given_up(on, client, server):
    server.faults.add(on=on, fault=HugeBody())
    error = failing(lambda: CALLS[on](client), UnexpectedResponse)
    assert "is too large" in str(error)
    assert error.hint


@pytest.mark.parametrize(
    ("on", "response"),
    [
        *[(on, response) for on in CALLS for response in (None, [], "text", 7)],
        *[("create", response) for response in ({}, {"output": []}, {"output": {}})],
        *[("create", {"output": {"task_id": task_id}}) for task_id in ("", 7, None)],
        *[("query", response) for response in ({}, {"output": []}, {"output": {}})],
        *[
            ("cancel", response)
            for response in ({}, {"request_id": 7}, {"request_id": ""}, {"output": {"task_id": "t-1"}})
        ],
        *[("query", {"output": {"task_status": state}}) for state in ("", None, 7)],
        *[("list", response) for response in ({}, {"data": None}, {"data": {}})],
        *[("policy", response) for response in ({}, {"data": []}, {"data": {"upload_dir": "x"}})],
    ],
)
def test_a_response_of_another_shape_is_reported(on, response, client, server):
    server.faults.add(on=on, fault=JsonBody(response))
    error = failing(lambda: CALLS[on](client), UnexpectedResponse)
    assert error.http_status == 200
    if on in ("query", "cancel"):
        assert error.task_id == "t-1"


def test_a_refusal_carries_the_services_words_and_all_ids_and_advice(client, server):
    server.faults.add(on="query", fault=ErrorResponse(403, "Model.AccessDenied", "Model access denied."))
    error = failing(lambda: client.get_task("t-1"), PermissionDenied)
    assert (error.code, error.service_message, error.http_status) == ("Model.AccessDenied", "Model access denied.", 403)
    assert error.request_id
    assert str(error).splitlines() == [
        "DashScope returned HTTP 403, Model.AccessDenied: Model access denied.",
        "Use a key of the default workspace, or have an administrator grant this workspace access to the model.",
        f"(task t-1, request id {error.request_id})",
    ]


@pytest.mark.parametrize("on", CALLS)
def test_a_wrong_key_is_refused_and_not_quoted(on, server, client_for):
    error = failing(lambda: CALLS[on](client_for(server.base_url, "sk-wrong")), AuthenticationError)
    assert (error.code, error.http_status) == ("InvalidApiKey", 401)
    assert "sk-wrong" not in str(error)


def test_a_refusal_with_status_200_is_a_refusal(client, server):
    server.faults.add(on="create", fault=JsonBody({"code": "InvalidApiKey", "message": "m", "request_id": "r"}))
    failing(lambda: client.create_task(to_json(BODY)), AuthenticationError)


def test_a_query_that_is_refused_with_status_200_is_no_failed_task(client, server):
    server.faults.add(on="query", fault=ErrorResponse(200, "InvalidApiKey", "Invalid API-key provided."))
    error = failing(lambda: client.get_task("t-1"), AuthenticationError)
    assert (error.failed, error.task_id) == (False, "t-1")
    assert str(error).startswith("DashScope returned HTTP 200, InvalidApiKey")
    assert "charged" not in str(error)


def test_a_refusal_without_a_code_is_judged_by_its_status(client, server):
    server.faults.add(on="create", fault=JsonBody({"error": "no"}, 413))
    error = failing(lambda: client.create_task(to_json(BODY)), BadRequest)
    assert (error.code, error.service_message, error.http_status) == ("", "no", 413)
    assert "smaller image" in error.hint
    assert not error.certain


@pytest.mark.parametrize(
    ("response", "code", "message", "request_id"),
    [
        ({"code": "Arrearage", "message": "No.", "request_id": "r-1"}, "Arrearage", "No.", "r-1"),
        ({"error": {"code": "Arrearage", "message": "No."}, "request_id": "r-1"}, "Arrearage", "No.", "r-1"),
        ({"error": {"code": "Arrearage", "message": "No.", "request_id": "r-1"}}, "Arrearage", "No.", "r-1"),
        ({"error": {"type": "Arrearage", "message": "No."}, "request_id": "r-1"}, "Arrearage", "No.", "r-1"),
        ({"error": "No.", "request_id": "r-1"}, "", "No.", "r-1"),
        ({"message": "No."}, "", "No.", ""),
    ],
)
def test_an_error_of_any_form_keeps_its_code_words_and_id(client, server, response, code, message, request_id):
    server.faults.add(on="create", fault=JsonBody(response, 400))
    with pytest.raises(ServiceError) as caught:
        client.create_task(to_json(BODY))
    error = caught.value
    assert (error.code, error.service_message, error.request_id) == (code, message, request_id)
    assert error.certain is bool(code and request_id)


@pytest.mark.parametrize("status", [200, 302, 401, 403, 408, 409, 425, 499, 500, 502])
def test_only_the_services_own_refusal_proves_that_nothing_was_made(client, server, status):
    server.faults.add(on="create", fault=HtmlPage(status, "No"))
    with pytest.raises(WanError) as caught:
        client.create_task(to_json(BODY))
    assert not getattr(caught.value, "certain", False)
    assert not getattr(caught.value, "is_server_error", False)
    assert "charged" not in str(caught.value)


@pytest.mark.parametrize(("status", "certain", "own"), [(200, False, False), (400, True, False), (500, False, True)])
def test_what_a_response_in_the_services_form_proves(client, server, status, certain, own):
    server.faults.add(on="create", fault=ErrorResponse(status, "InternalError", "No."))
    with pytest.raises(ServiceError) as caught:
        client.create_task(to_json(BODY))
    assert (caught.value.certain, caught.value.is_server_error) == (certain, own)


def test_any_429_made_nothing(client, server):
    server.faults.add(on="create", fault=HtmlPage(429, "Slow down"))
    with pytest.raises(ServiceError) as caught:
        client.create_task(to_json(BODY))
    assert caught.value.certain
    assert not caught.value.known


def test_a_fault_of_the_service_without_a_code_is_no_response(client, server):
    # A gateway may have sent it after the service acted: whether a task was created is unknown.
    server.faults.add(on="create", fault=JsonBody({"error": "no"}, 503))
    assert failing(lambda: client.create_task(to_json(BODY)), UnexpectedResponse).http_status == 503


@pytest.mark.parametrize(("asked", "seconds"), [(7, 7.0), (None, None)])
def test_how_long_the_service_asks_to_wait_is_kept(asked, seconds, client, server):
    server.faults.add(on="create", fault=Throttling(asked))
    error = failing(lambda: client.create_task(to_json(BODY)), RateLimited)
    assert (error.retry, error.retry_after) == (True, seconds)


def test_an_endless_message_is_cut(client, server):
    server.faults.add(on="query", fault=ErrorResponse(400, "InvalidParameter", "x" * 10_000))
    assert len(str(failing(lambda: client.get_task("t-1"), ServiceError))) < 3000


# A certificate that nobody has signed, and its key, which is no secret. Made by `openssl req -x509`.
TLS_KEY = (
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg9ZIPC6UxdYUtLrG8Xt3hT+qZxJIcVjsxE2vaJGS43pKhRANCAART"
    "DWKvvQ3+M8APMJTxE8TqDmWv/XirvhC5yABsqAoHrjkRflzrrFUUsXy/cwTgb05SmJyq/d2912B9Em7l2itn"
)
TLS_CERTIFICATE = (
    "MIIBeTCCAR+gAwIBAgIUKSoDAQY8eDMCawsfO2n2N7f9qE4wCgYIKoZIzj0EAwIwETEPMA0GA1UEAwwGbm9ib2R5MCAXDTI2MTEy"
    "MjExMzc0NloYDzIxMjYxMDI5MTEzNzQ2WjARMQ8wDQYDVQQDDAZub2JvZHkwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAARTDWKv"
    "vQ3+M8APMJTxE8TqDmWv/XirvhC5yABsqAoHrjkRflzrrFUUsXy/cwTgb05SmJyq/d2912B9Em7l2itno1MwUTAdBgNVHQ4EFgQU"
    "1JWRoWOHiU4FiLZPwsjRoLVEVqswHwYDVR0jBBgwFoAU1JWRoWOHiU4FiLZPwsjRoLVEVqswDwYDVR0TAQH/BAUwAwEB/zAKBggq"
    "hkjOPQQDAgNIADBFAiA99OjLj75GqhGM1dGknA1audqXbFS2d8SnIAU0JAuengIhAKLeJjVclbzllq+gj2lsLk8myIn69MFiencG"
    "/OAJ9CHF"
)


@pytest.fixture
def tls_server(tmp_path):
    """Listen with the certificate above. Gives the port, and what was received after a handshake."""
    pem = tmp_path / "server.pem"
    parts = (("PRIVATE KEY", TLS_KEY), ("CERTIFICATE", TLS_CERTIFICATE))
    pem.write_text(
        "".join(f"-----BEGIN {name}-----\n{textwrap.fill(text, 64)}\n-----END {name}-----\n" for name, text in parts),
        "ascii",
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    got = []

    def serve():
        connection, _ = listening.accept()
        with connection, contextlib.suppress(OSError), context.wrap_socket(connection, server_side=True) as secure:
            got.append(secure.recv(1000))

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listening.getsockname()[1], got
        thread.join(10)
