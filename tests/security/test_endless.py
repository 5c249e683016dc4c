"""Servers that go on for ever, or hardly at all: every exchange has an end."""

from __future__ import annotations

import contextlib
import socket
import threading
from types import SimpleNamespace

import pytest
from wanpack.wan.api import client as client_module
from wanpack.wan.api.errors import NetworkError, UnexpectedResponse
from wanpack.wan.errors import DownloadFailed, WanError
from wanpack.wan.net.download import DownloadInterrupted, download

MEGABYTE = 1024 * 1024


@pytest.fixture
def quick(monkeypatch):
    """Silence is given up after a third of a second."""
    monkeypatch.setattr(client_module, "READ_SECONDS", 0.3)
    monkeypatch.setattr(client_module, "SUBMIT_SECONDS", 0.3)
    monkeypatch.setattr(client_module, "GRACE_SECONDS", 0.05)


def failing(call, kind=WanError):
    with pytest.raises(kind) as caught:
        call()
    assert len(str(caught.value)) < 4000
    str(caught.value).encode()
    return caught.value


def endless(head, piece, *, pause=0.0):
    def send(connection, _):
        connection.sendall(head)
        waiting = threading.Event()
        while True:
            connection.sendall(piece)
            waiting.wait(pause)

    return send


OK = b"HTTP/1.1 200 OK\r\n"
ENDLESS = {
    "an answer letter by letter": endless(b"HTTP/1.1 200 ", b"O", pause=0.1),
    "a header letter by letter": endless(OK + b"X: ", b"x", pause=0.1),
    "a header without end": endless(OK + b"X: ", b"x" * 65536),
    "headers without end": endless(OK, b"X: y\r\n" * 1000),
    "a body letter by letter": endless(OK + b"Content-Length: 1000000\r\n\r\n", b"x", pause=0.1),
    "a body without length letter by letter": endless(OK + b"Connection: close\r\n\r\n{", b" ", pause=0.1),
    "continue, continue": endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000),
    "chunks letter by letter": endless(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n", pause=0.1),
    "a chunk's size without end": endless(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"0" * 65536),
    "chunks' trailers without end": endless(OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X: y\r\n" * 1000),
    "silence": endless(OK, b"", pause=30),
    "silence in the body": endless(OK + b"Content-Length: 9\r\n\r\n{", b"", pause=30),
}


@pytest.mark.parametrize("response", ENDLESS.values(), ids=ENDLESS)
def test_a_response_that_never_ends_is_given_up(response, quick, hostile, client_of, calls, peak):
    client = client_of(hostile(response).base_url)
    assert peak(lambda: failing(lambda: calls["query"](client), (NetworkError, UnexpectedResponse))) < 30 * MEGABYTE


def test_a_create_call_that_is_given_up_counts_as_sent(quick, hostile, client_of, calls):
    server = hostile(ENDLESS["a header letter by letter"])
    assert failing(lambda: calls["create"](client_of(server.base_url)), NetworkError).sent is True


def test_a_create_call_that_is_given_up_ends_its_connection(quick, hostile, client_of, calls):
    # Its outcome is judged from then on: nothing of it may still be on its way.
    ended = threading.Event()

    def drip(connection, asked):
        with contextlib.suppress(OSError):
            ENDLESS["a header letter by letter"](connection, asked)
        ended.set()

    failing(lambda: calls["create"](client_of(hostile(drip).base_url)), NetworkError)
    assert ended.wait(30)


def test_a_body_that_is_taken_slowly_is_given_up(quick, client_of, monkeypatch):
    monkeypatch.setattr("wanpack.wan.net.http.MIN_UPLINK_RATE", 10**12)
    taken, body = [], bytes(32 * MEGABYTE)

    def take(listening):
        connection, _ = listening.accept()
        with connection, contextlib.suppress(OSError):
            while piece := connection.recv(65536):
                taken.append(len(piece))
                threading.Event().wait(0.05)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=take, args=(listening,))
        thread.start()
        client = client_of("http://127.0.0.1:{1}/api/v1".format(*listening.getsockname()))
        assert failing(lambda: client.create_task(body), NetworkError).sent is True
        thread.join()
    assert sum(taken) < len(body)


@pytest.mark.parametrize("response", ENDLESS.values(), ids=ENDLESS)
def test_a_download_that_never_gets_on_is_given_up(response, hostile, tmp_path, peak, monkeypatch):
    monkeypatch.setattr("wanpack.wan.net.download.GRACE_SECONDS", 0.05)
    server = hostile(response)

    def fetch():
        options = {"own": server.own, "stall_seconds": 0.2, "max_bytes": 30 * MEGABYTE}
        download(
            f"{server.root}/v.mp4",
            tmp_path / "part",
            on_progress=lambda *_: None,
            stop=threading.Event(),
            **options,
        )

    assert peak(lambda: failing(fetch, DownloadFailed)) < 40 * MEGABYTE


def test_a_slow_download_that_gets_on_goes_on(hostile, tmp_path, monkeypatch):
    """Its clock goes on by 10 s for each piece: 40 s for a quarter of a megabyte, of the 60 that are allowed."""
    monkeypatch.setattr("wanpack.wan.net.download.GRACE_SECONDS", 20.0)
    clock, come = [0.0], threading.Semaphore(0)
    monkeypatch.setattr("wanpack.wan.net.http.time", SimpleNamespace(monotonic=lambda: clock[0]))

    def slowly(connection, _):
        connection.sendall(OK + b"Content-Length: 1048576\r\n\r\n")
        for size in range(65536, 1048577, 65536):
            clock[0] += 10.0
            connection.sendall(bytes(65536))
            while sizes[-1] < size:
                come.acquire()

    def note(size, _total):
        sizes.append(size)
        come.release()

    sizes, server = [0], hostile(slowly)
    options = {"own": server.own, "stall_seconds": 20.0, "stop": threading.Event()}
    assert download(f"{server.root}/v.mp4", tmp_path / "part", on_progress=note, **options) == 1048576
    assert clock[0] == 160.0


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: -5\r\n",
        b"Content-Length: 99999999999999999999999\r\n",
        b"Content-Length: five\r\n",
        b"Content-Length: 5\r\nContent-Length: 6\r\n",
        b"Transfer-Encoding: gzip, chunked\r\n",
        b"Content-Range: bytes 0-" + b"9" * 5000 + b"/" + b"9" * 5000 + b"\r\n",
        b"Content-Type: \xff\xfe\r\nX-\xe4: \x00\r\n",
        b": \r\n: \r\n",
        b"Set-Cookie: " + b"x" * 60_000 + b"\r\n",
    ],
)
def test_odd_headers_end_in_a_video_or_an_error_of_ours(head, hostile, client_of, calls, tmp_path):
    server = hostile(OK + head + b"Connection: close\r\n\r\nclip")
    failing(lambda: calls["query"](client_of(server.base_url)))
    try:
        download(
            f"{server.root}/v.mp4",
            tmp_path / "part",
            on_progress=lambda *_: None,
            stop=threading.Event(),
            own=server.own,
            stall_seconds=1,
        )
    except DownloadFailed as error:
        assert str(error)
    except ValueError as error:
        pytest.fail(f"{error!r}")


def test_a_download_that_is_shut_is_not_taken_for_whole(hostile, tmp_path, monkeypatch):
    # Without a length, the end of the connection is the end of the video.
    monkeypatch.setattr("wanpack.wan.net.download.GRACE_SECONDS", 0.0)
    server = hostile(ENDLESS["a body without length letter by letter"])
    with pytest.raises(DownloadInterrupted):
        download(
            f"{server.root}/v.mp4",
            tmp_path / "part",
            on_progress=lambda *_: None,
            stop=threading.Event(),
            own=server.own,
            stall_seconds=0.3,
        )
