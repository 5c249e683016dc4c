"""The key goes to the host that the machine's owner has chosen, and to nobody else, whatever anybody answers."""

from __future__ import annotations

import traceback
from urllib.parse import quote

import pytest
import requests
from wanpack.wan.api.endpoint import Connection, choose_region, connection_problems
from wanpack.wan.api.errors import UnexpectedResponse
from wanpack.wan.api.settings import read_settings
from wanpack.wan.errors import InvalidRequest, WanError
from wanpack.wan.net.http import trusted_session, untrusted_session

ALL = ("create", "query", "cancel", "list", "policy")
PERMIT = {
    "policy": "eyJleHBpcmF0aW9uIjoi",
    "signature": "c2lnbmF0dXJl",
    "upload_dir": "dashscope-instant/x",
    "upload_host": "",
    "oss_access_key_id": "LTA1",
    "x_oss_object_acl": "private",
    "x_oss_forbid_overwrite": "true",
}


def variables(error):
    """What a traceback that shows local variables would show, but for the tests' own."""
    whole = traceback.TracebackException.from_exception(error, capture_locals=True)
    return "\n".join(str(frame.locals) for frame in whole.stack if "/tests/" not in frame.filename)


def said(error):
    """All that an error and what led to it can tell, the attributes of every one of them."""
    reported, seen, rest = "".join(traceback.format_exception(error)), set(), [error]
    while rest:
        one = rest.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        reported += repr(one) + repr(vars(one)) + repr(one.args)
        assert not hasattr(one, "request"), one
        assert not isinstance(one, requests.RequestException), one
        rest += [one.__cause__, one.__context__]
    return reported


def failing(call):
    with pytest.raises(WanError) as caught:
        call()
    return caught.value


# Redirects


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("on", ALL)
def test_no_redirect_is_followed(on, status, hostile, answered, client_of, calls, marked):
    other = hostile(answered({}))
    server = hostile(answered(b"", status, Location=f"{other.base_url}/tasks/t-1"))
    error = failing(lambda: calls[on](client_of(server.base_url)))
    assert isinstance(error, UnexpectedResponse)
    assert other.got == []
    assert marked not in said(error) + variables(error)


@pytest.mark.parametrize("on", ALL)
def test_the_body_of_a_redirect_is_not_taken_in(on, hostile, client_of, calls):
    # requests reads it whole to find out where a redirect leads that nobody follows.
    def endless(connection, _):
        connection.sendall(b"HTTP/1.1 302 Found\r\nLocation: /x\r\nConnection: close\r\n\r\n")
        while True:
            connection.sendall(bytes(65536))

    failing(lambda: calls[on](client_of(hostile(endless).base_url)))


@pytest.mark.parametrize("on", ALL)
def test_no_error_holds_what_was_sent(on, hostile, answered, client_of, calls, marked):
    responses = (b"", b"no HTTP", answered({}, 401), answered({}, 503), answered(b"<html>"), answered(b"{", 200)[:-1])
    for response in responses:
        error = failing(lambda response=response: calls[on](client_of(hostile(response).base_url)))
        assert marked not in said(error) + variables(error)
        assert "Bearer" not in said(error)
    error = failing(lambda: calls[on](client_of("http://127.0.0.1:9/api/v1")))
    assert marked not in said(error) + variables(error)


# Upload hosts


@pytest.fixture
def uploading(hostile, answered, client_of, calls):
    """Let the service name an upload host, and return the error and the server."""

    def upload(host, **permit):
        server = hostile()
        data = {**PERMIT, "upload_host": host.format(server=server.root, port=server.own[1]), **permit}
        server.response = lambda connection, came: connection.sendall(
            answered({"data": data}) if came.startswith(b"GET") else answered(b"", 302, Location=host)
        )
        return failing(lambda: calls["policy"](client_of(server.base_url))), server

    return upload


@pytest.mark.parametrize(
    "host",
    [
        *("http://127.0.0.1:9/", "https://127.0.0.1:9/", "https://[::1]/", "https://localhost/", "https://10.0.0.1/"),
        *("https://169.254.169.254/latest", "https://router/", "https://storage.example/", "http://storage.example/"),
        *(
            "file:///tmp/x",
            "ftp://storage.example/",
            "//storage.example/",
            "storage.example",
            "http://127.0.0.1:{port}1/",
        ),
        *(
            "https://user:pass@10.0.0.1/",
            "http://127.0.0.1:{port}@10.0.0.1/",
            "http://localhost:{port}/",
            "https://[::",
        ),
    ],
)
def test_an_upload_host_that_is_near_or_not_https_gets_nothing(host, net, uploading, marked):
    net.names["storage.example"] = ["192.168.1.9"]
    error, server = uploading(host)
    assert net.tried_but(server.own) == []
    assert len(server.got) == 1
    assert marked not in said(error)


def test_an_upload_to_a_public_host_carries_no_key(net, hostile, uploading, marked, has_key):
    storage = hostile(lambda connection, came: None)
    net.there = storage.own
    net.names["storage.example"] = ["93.184.216.34"]
    error, _ = uploading("https://storage.example/")
    assert ("93.184.216.34", 443) in net.tried
    assert storage.got
    assert not has_key(*storage.got)
    assert marked not in said(error)


def test_an_upload_that_is_redirected_is_not_sent_again(net, uploading, has_key):
    error, server = uploading("{server}/upload")
    get, post = server.got
    assert (get[:3], post[:4]) == (b"GET", b"POST")
    assert not has_key(post)
    assert PERMIT["signature"] not in str(error)


@pytest.mark.parametrize("field", ["policy", "signature", "upload_dir", "oss_access_key_id", "upload_host"])
def test_a_permit_with_the_key_in_it_is_not_used(field, net, uploading, marked, passed_on):
    for value in (f"https://storage.example/{marked}", *passed_on):
        error, server = uploading("{server}/upload", **{field: value})
        assert len(server.got) == 1
        assert marked not in said(error)


# Videos


def task(url):
    return {"output": {"task_status": "SUCCEEDED", "video_url": url}}


def test_a_videos_address_with_the_key_in_it_is_none(hostile, answered, client_of, passed_on):
    for spelled in passed_on:
        server = hostile(answered(task(f"https://video.example/v.mp4?k={spelled}")))
        assert client_of(server.base_url).get_task("t-1").video_url == ""


def test_a_redirect_of_a_video_that_has_the_key_in_it_is_not_followed(net, hostile, answered, client_of, marked):
    client_of("http://127.0.0.1:9/api/v1")
    net.names["video.example"] = ["93.184.216.34"]
    server = hostile(answered(b"", 302, Location=f"http://video.example/?{quote(marked)}"))
    with pytest.raises(WanError, match="contains the API key"):
        untrusted_session(server.own).send(
            requests.Request("GET", f"http://video.example/?k={marked}").prepare(), timeout=1
        )
    assert net.tried == []


# Proxies, TLS, other programs


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
def test_a_proxy_never_gets_the_key(name, hostile, answered, client_of, calls, bare_environment, marked, has_key):
    between = hostile(answered(b"", 200))
    bare_environment.setenv(name, f"http://user:word@127.0.0.1:{between.own[1]}")
    for on in ALL:
        error = failing(lambda on=on: calls[on](client_of("https://dashscope.example/api/v1")))
        assert marked not in said(error)
    assert {one.split(b" ")[0] for one in between.got} == {b"CONNECT"}
    assert not has_key(*between.got)
    assert b"authorization: bearer" not in b"".join(between.got).lower()


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_over_plain_http_no_proxy_is_asked(name, hostile, answered, client_of, calls, bare_environment):
    server, between = hostile(answered({"output": {"task_status": "RUNNING"}})), hostile(answered({}))
    bare_environment.setenv(name, between.root)
    calls["query"](client_of(server.base_url))
    assert between.got == []


def test_certificates_are_always_checked():
    assert trusted_session("https://dashscope.example").verify is True
    assert untrusted_session(None).verify is True


def test_certificates_that_are_not_there_end_in_an_error_of_ours(bare_environment, client_of, calls, tmp_path, marked):
    bare_environment.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "none.pem"))
    error = failing(lambda: calls["create"](client_of("https://dashscope.example/api/v1")))
    assert error.sent is False
    assert marked not in said(error)


def test_what_others_have_switched_on_for_debugging_prints_no_key(
    hostile, answered, client_of, calls, monkeypatch, capfd, marked
):
    monkeypatch.setattr("http.client.HTTPConnection.debuglevel", 1)
    server = hostile(answered({"output": {"task_status": "RUNNING"}}))
    calls["query"](client_of(server.base_url))
    assert marked in server.got[0].decode()
    out, err = capfd.readouterr()
    assert marked not in out + err


# What a workflow can say


@pytest.mark.parametrize(
    "choice",
    [
        *(
            Connection(region)
            for region in ("https://evil.example", "evil.example", "../beijing", "", "Offline", "mars")
        ),
        *(
            Connection("beijing", one)
            for one in ("evil.example/", "a@evil.example", "evil.example#", "x\r\nHost: evil")
        ),
        *(
            Connection("frankfurt", one)
            for one in ("", "a.b", "evil.example?", "sk-marked-5f3a9c1e7b2d4680", "SK-other")
        ),
        *(Connection(region) for region in (None, 7, ["beijing"], {"id": "beijing"})),
        *(Connection("beijing", one) for one in (None, 7, ["x"])),
    ],
    ids=repr,
)
def test_a_workflow_cannot_choose_another_host(choice, bare_environment, tmp_path, marked):
    bare_environment.setenv("DASHSCOPE_API_KEY", marked)
    settings = read_settings(tmp_path)
    region, faults = choose_region(choice, settings)
    assert faults or connection_problems(choice, settings, region=region)


@pytest.mark.parametrize("place", ["region", "workspace_id"])
@pytest.mark.parametrize("before", ["", "x" * 40])
def test_a_long_key_in_a_workflow_is_not_quoted_in_part(place, before, bare_environment, tmp_path):
    key = "sk-ws-H.E_" + "abcdefgh-1234." * 10
    bare_environment.setenv("DASHSCOPE_API_KEY", key)
    settings = read_settings(tmp_path)
    choice = Connection(**{"region": "beijing", place: before + key})
    region, faults = choose_region(choice, settings)
    reported = str(InvalidRequest(faults or connection_problems(choice, settings, region=region)))
    assert place in reported
    assert key[:10] not in reported


@pytest.mark.parametrize("given", ["beijing", 7, ["x"], {"region": "beijing"}, object()])
def test_what_is_no_connection_is_refused(given):
    with pytest.raises(InvalidRequest, match="connect a DashScope Connection"):
        Connection.of(given)


@pytest.mark.parametrize(
    "address",
    [
        *(
            "http://dashscope.example/api/v1",
            "http://10.0.0.1/api/v1",
            "ftp://127.0.0.1",
            "https://u:p@a.example/api/v1",
        ),
        *(
            "https://a.example/api/v1?x=1",
            "https://a.example/#",
            "//a.example",
            "a.example",
            "http://127.0.0.1.example/",
        ),
    ],
)
def test_the_owners_own_address_must_be_https_or_on_this_machine(address, bare_environment, tmp_path, marked):
    bare_environment.setenv("DASHSCOPE_API_KEY", marked)
    bare_environment.setenv("DASHSCOPE_BASE_URL", address)
    settings = read_settings(tmp_path)
    region, _ = choose_region(Connection("beijing"), settings)
    [fault] = connection_problems(Connection("beijing"), settings, region=region)
    assert "DASHSCOPE_BASE_URL" in fault
    assert "u:p" not in fault
