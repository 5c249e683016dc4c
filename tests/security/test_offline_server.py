"""The mock server listens on this machine only, for those who have its key, and takes no more than it must."""

from __future__ import annotations

import json
import logging
import socket
import urllib.parse

import pytest
from wanpack.offline.failures import TaskRejected
from wanpack.offline.media import AUDIO_ONLY, check_audio
from wanpack.offline.server import OfflineServer

API = "/api/v1/services/aigc/video-generation/video-synthesis"


@pytest.fixture
def server():
    with OfflineServer() as running:
        yield running


@pytest.fixture
def say(server):
    """Send bytes and return the response's status, or 0 where there is none."""

    def send(data, *, host=None, key=None, more=""):
        port = urllib.parse.urlsplit(server.base_url).port
        text = data.format(host=host or f"127.0.0.1:{port}", key=key or server.key, more=more)
        with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
            connection.sendall(text.encode("latin-1"))
            response = b""
            while b"\r\n" not in response and (piece := connection.recv(65536)):
                response += piece
        return int(response.split(b" ")[1]) if response else 0

    return send


QUERY = "GET /api/v1/tasks/x HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {key}\r\n{more}\r\n"


def test_it_listens_on_this_machine_only(server):
    port = urllib.parse.urlsplit(server.base_url).port
    with pytest.raises(OSError, match=r"refused"):
        socket.create_connection(("127.0.0.2", port), timeout=10)


def test_each_has_a_key_of_its_own():
    keys = {OfflineServer().key for _ in range(20)}
    assert len(keys) == 20
    assert all(len(key) >= 32 for key in keys)


def test_a_call_with_the_key_and_the_host_is_answered(say):
    assert say(QUERY) == 200


@pytest.mark.parametrize("key", ["offline-", "x", "", " ", "Bearer", "offline-{key}", "\xff"])
def test_another_key_is_refused(key, say):
    assert say(QUERY.replace("{key}", key)) in (400, 401)


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:80",
        "127.0.0.1",
        "127.0.0.1:1",
        "[::1]:80",
        "localhost",
        "0.0.0.0",  # noqa: S104 - a host that is refused
        "",
        "127.0.0.1:x",
    ],
)
def test_another_host_is_refused(host, say, server):
    # A name that leads here: DNS rebinding.
    assert say(QUERY.replace("{host}", host)) == 403
    assert say("GET /files/x.mp4 HTTP/1.1\r\nHost: " + host + "\r\n\r\n") == 403
    assert say(QUERY.replace("Host: {host}\r\n", "")) in (400, 403)


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:8188", ""])
def test_a_page_in_a_browser_is_refused(origin, say):
    assert say(QUERY, more=f"Origin: {origin}\r\n") == 403


@pytest.mark.parametrize("method", ["OPTIONS", "PUT", "DELETE", "PATCH", "CONNECT", "TRACE", "X"])
def test_other_methods_are_refused(method, say):
    assert say(QUERY.replace("GET", method)) in (400, 404, 405, 501)


def test_head_is_refused_as_get_is(say):
    head = QUERY.replace("GET", "HEAD")
    assert say(head) == 200
    assert say(head.replace("{key}", "no")) == 401
    assert say(head.replace("{host}", "evil.example")) == 403
    assert say(head, more="Origin: https://evil.example\r\n") == 403


def test_a_body_is_not_read_without_the_key(say, server):
    head = f"POST {API} HTTP/1.1\r\nHost: {{host}}\r\nAuthorization: Bearer no\r\nContent-Length: 6000000\r\n\r\n"
    assert say(head) == 401
    assert [call.body for call in server.received] == [None]


@pytest.mark.parametrize("length", ["6291457", "99999999999999999999", "9" * 5000, "-1", "1e3", "", "0x10"])
def test_a_body_over_its_limit_or_of_no_length_is_refused_unread(length, say):
    head = f"POST {API} HTTP/1.1\r\nHost: {{host}}\r\nAuthorization: Bearer {{key}}\r\nContent-Length: {length}\r\n\r\n"
    assert say(head) in (400, 411)


@pytest.mark.parametrize(
    "target", ["http://[::1", "//[", "/../../etc/passwd", "/api/v1/tasks/%00", "*", "/files/..%2f.mp4"]
)
def test_an_odd_target_is_refused(target, say):
    status = say(f"GET {target} HTTP/1.1\r\nHost: {{host}}\r\nAuthorization: Bearer {{key}}\r\n\r\n")
    assert status in (0, 200, 400, 403, 404)  # 0: aiohttp 3.11 drops the connection where the target is no URL


@pytest.mark.parametrize(
    "body",
    [
        "[" * 100_000,
        '{"a":' * 100_000,
        '{"model": NaN}',
        '{"model": ' + "9" * 10_000 + "}",
        '{"model": "wan2.2-i2v-plus", "input": ' + '{"a":' * 500 + "1" + "}" * 500 + ', "parameters": {}}',
        '{"model": ["x"], "input": 1, "parameters": 2}',
        "\ufeff{}",
    ],
    ids=["lists", "objects", "nan", "number", "nested input", "types", "mark"],
)
def test_an_odd_body_is_refused_without_a_failure(body, server, caplog):
    import requests

    caplog.set_level(logging.ERROR)
    headers = {
        "Authorization": f"Bearer {server.key}",
        "Content-Type": "application/json",
        "X-DashScope-Async": "enable",
    }
    url = server.base_url.removesuffix("/api/v1") + API
    response = requests.post(url, data=body.encode(), headers=headers, timeout=60)
    assert response.status_code in (200, 400)
    assert "code" in response.json() or "output" in response.json()
    assert caplog.messages == []


def test_half_a_character_comes_back_as_none(server):
    import requests

    body = {"model": "wan2.2-i2v-plus", "input": {"prompt": "x\ud800", "img_url": "no"}, "parameters": {}}
    headers = {"Authorization": f"Bearer {server.key}", "X-DashScope-Async": "enable"}
    url = server.base_url.removesuffix("/api/v1") + API
    task_id = requests.post(url, json=body, headers=headers, timeout=60).json()["output"]["task_id"]
    response = requests.get(f"{server.base_url}/tasks/{task_id}", headers=headers, timeout=60)
    assert response.status_code == 200


@pytest.mark.parametrize(
    "data",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{root}/a.ts\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile {root}/a.wav\n",
        '<?xml version="1.0"?><MPD><Period><BaseURL>{root}/</BaseURL></Period></MPD>',
        "RIFF",
        "",
    ],
)
def test_an_audio_that_leads_further_is_none(data, hostile, answered):
    other = hostile(answered(b""))
    with pytest.raises(TaskRejected):
        check_audio(data.format(root=other.root).encode(), span=(2, 30))
    assert other.got == []
    assert AUDIO_ONLY == {"format_whitelist": "wav,mp3", "protocol_whitelist": ""}


def test_its_log_has_no_key(server, say, caplog):
    caplog.set_level(logging.DEBUG)
    say(QUERY)
    say(QUERY, key="sk-another-key-than-that")
    say("GET /files/x.mp4?Signature=abcdef&Expires=1&OSSAccessKeyId=LTA HTTP/1.1\r\nHost: {host}\r\n\r\n")
    assert server.key not in caplog.text
    assert "sk-another-key" not in caplog.text
    assert "abcdef" not in caplog.text


def test_no_address_that_a_request_names_is_called(server, net, answered, hostile):
    import requests

    other = hostile(answered(b"picture"))
    body = {
        "model": "wan2.6-i2v-flash",
        "input": {"prompt": "a", "img_url": f"{other.root}/a.png", "audio_url": f"{other.root}/a.wav"},
        "parameters": {"resolution": "720P", "duration": 2},
    }
    headers = {"Authorization": f"Bearer {server.key}", "X-DashScope-Async": "enable"}
    url = server.base_url.removesuffix("/api/v1") + API
    assert requests.post(
        url, data=json.dumps(body), headers={**headers, "Content-Type": "application/json"}, timeout=60
    ).ok
    assert other.got == []
