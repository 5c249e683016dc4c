"""What leaves this machine, and what is said when it does not: real sockets, proxies and certificates on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import re
import select
import socket
import ssl
import struct
import threading
from types import SimpleNamespace

import media
import pytest
import requests
from mock_faults import ErrorResponse, JsonBody, ResetAfterActing, ResetBeforeActing, ResetBeforeBody
from platforms import UNDER_WINE
from skipping import SkippingClock
from wanpack.wan.api import client as client_module
from wanpack.wan.api.errors import NetworkError, OutcomeUnknown, ServiceError
from wanpack.wan.api.request import to_json
from wanpack.wan.catalog.fields import VideoRequest
from wanpack.wan.errors import DownloadFailed, WanError
from wanpack.wan.net.download import DownloadInterrupted, iter_chunks
from wanpack.wan.net.http import trusted_session, untrusted_session
from wanpack.wan.tasks.batch import Batch
from wanpack.wan.tasks.runner import make_videos

if UNDER_WINE:
    pytest.skip("Wine: it cannot load the library of cryptography", allow_module_level=True)
import trustme

MODEL = "wan2.2-i2v-plus"
BODY = {
    "model": MODEL,
    "input": {"prompt": "猫", "img_url": "https://example.com/a.png"},
    "parameters": {"resolution": "480P"},
}
CALLS = {
    "create": lambda client: client.create_task(to_json(BODY)),
    "query": lambda client: client.get_task("t-1"),
    "cancel": lambda client: client.cancel_task("t-1"),
    "list": lambda client: client.list_tasks(),
    "policy": lambda client: client.upload_file(b"RIFF", model_name=MODEL, suffix=".wav", mime="audio/wav"),
}
KEY = "sk-transport-0123456789"
PASSWORD = "sesame0pen"


# Servers


def shut(connection):
    with contextlib.suppress(OSError):
        # The base class's: it ends an SSL socket at once.
        socket.socket.shutdown(connection, socket.SHUT_RDWR)


def serve(exits, handler):
    """Accept connections for the rest of the test, each with a thread that runs the handler. Returns the port."""
    threads, open_now = [], []

    def one(connection):
        with connection, contextlib.suppress(OSError):
            handler(connection)

    def accept():
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listening.accept()
                open_now.append(connection)
                threads.append(threading.Thread(target=one, args=(connection,), daemon=True))
                threads[-1].start()

    def end():
        shut(listening)
        listening.close()
        accepting.join(10)
        for connection in open_now:
            shut(connection)
        for thread in threads:
            thread.join(10)

    listening = socket.create_server(("127.0.0.1", 0))
    accepting = threading.Thread(target=accept, daemon=True)
    accepting.start()
    exits.callback(end)
    return listening.getsockname()[1]


def head_of(connection):
    """Read a request's head, nothing after it."""
    head = b""
    while not head.endswith(b"\r\n\r\n") and (byte := connection.recv(1)):
        head += byte
    return head


def request_of(connection):
    """Read a whole request."""
    head = head_of(connection)
    left = int((re.search(rb"(?i)content-length: (\d+)", head) or [0, 0])[1])
    body = b""
    while len(body) < left and (data := connection.recv(left - len(body))):
        body += data
    return head + body


def pump(one, other, *, change=lambda data: data):
    """Carry everything between two connections until either ends. `change` is for what goes to the other."""

    def carry(source, target, change=lambda data: data):
        with contextlib.suppress(OSError, ValueError):
            while data := source.recv(65536):
                target.sendall(change(data))
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    back = threading.Thread(target=carry, args=(other, one), daemon=True)
    back.start()
    carry(one, other, change)
    back.join(10)


def reset(connection):
    """End a connection with a reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


@pytest.fixture(scope="module")
def authority():
    """A CA of the tests' own, and one that nobody trusts."""
    return SimpleNamespace(trusted=trustme.CA(), other=trustme.CA())


def served_by(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


@pytest.fixture
def net(bare_environment, authority, tmp_path, client_for, server):
    """Everything between a client and the mock server, in parts."""
    authority.trusted.cert_pem.write_to_path(tmp_path / "ca.pem")
    for name in ("CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        bare_environment.delenv(name, raising=False)
    bare_environment.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))

    ended = threading.Event()

    def listen(handler):
        port = serve(exits, handler)
        # Before the server waits for its threads.
        exits.callback(ended.set)
        return port

    def tls(handler, certificate=None):
        """Serve TLS. Returns the port, and the list of what came after a handshake is `came`."""
        context = served_by(certificate or authority.trusted.issue_cert("localhost"))

        def secure(connection):
            # Python's ssl leaves its socket open where the other side has reset the connection already.
            connection.getpeername()
            with context.wrap_socket(connection, server_side=True) as wrapped:
                exits.callback(shut, wrapped)
                handler(wrapped)

        return listen(secure)

    mock_at = ("127.0.0.1", int(server.base_url.split(":")[2].split("/")[0]))

    def renamed(data):
        # The mock server answers to its own name only.
        return re.sub(rb"Host: (localhost|127\.0\.0\.1):\d+", b"Host: %s:%d" % (mock_at[0].encode(), mock_at[1]), data)

    def to_mock(connection):
        with socket.create_connection(mock_at) as mock:
            pump(connection, mock, change=renamed)

    def proxy(handler, *, env="HTTPS_PROXY", scheme="http", secure=False):
        """Serve as a proxy, and have everything go through it. The handler gets a connection and the head."""
        heads = []

        def asked(connection):
            heads.append(head_of(connection))
            handler(connection, heads[-1])

        port = tls(asked) if secure else listen(asked)
        bare_environment.setenv(env, f"{scheme}://user:{PASSWORD}@localhost:{port}")
        return heads

    with contextlib.ExitStack() as exits:
        yield SimpleNamespace(
            authority=authority,
            ca=tmp_path / "ca.pem",
            env=bare_environment,
            proxy=proxy,
            serve=listen,
            ended=ended,
            server=server,
            tls=tls,
            to_mock=to_mock,
            mock_at=mock_at,
            renamed=renamed,
            client=lambda port, host="localhost": client_for(f"https://{host}:{port}/api/v1", server.key),
        )


def tunnel(connection, head):
    """Be a proxy that does as it is reported."""
    host, port = re.match(rb"CONNECT ([^:]+):(\d+) ", head).groups()
    with socket.create_connection((host.decode(), int(port))) as target:
        connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        pump(connection, target)


def refusing(status, words="No"):
    def refuse(connection, head):
        connection.sendall(f"HTTP/1.1 {status} {words}\r\nContent-Length: 0\r\n\r\n".encode())

    return refuse


def failing(call, *, key=KEY):
    with pytest.raises(NetworkError) as caught:
        call()
    said = str(caught.value)
    assert PASSWORD not in said
    assert key not in said
    assert "Bearer" not in said
    assert caught.value.__cause__ is caught.value.__context__ is None
    return caught.value


def seen(error):
    return error.sent, error.permanent


# What was sent


def test_all_is_well_through_a_proxy_and_tls(net):
    heads = net.proxy(tunnel)
    port = net.tls(net.to_mock)
    client = net.client(port)
    task_id = client.create_task(to_json(BODY)).task_id
    assert client.get_task(task_id).task_id == task_id
    assert client.cancel_task(task_id) is True
    assert {head.split(b" ")[0] for head in heads} == {b"CONNECT"}
    assert net.server.key.encode() not in b"".join(heads)


@pytest.mark.parametrize("proxied", [False, True])
@pytest.mark.parametrize("end", [reset, socket.socket.close])
def test_a_connection_that_ends_after_a_task_was_made_may_have_been_sent(end, proxied, net):
    arrived = threading.Event()

    def killing(connection, head):
        # urllib3 takes a proxy's breaking off for a refusal to connect.
        host, port = re.match(rb"CONNECT ([^:]+):(\d+) ", head).groups()
        with socket.create_connection((host.decode(), int(port))) as target:
            connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            # In one thread: a connection that another one reads from does not end when it is closed.
            other = {connection: target, target: connection}
            while not (arrived.is_set() or net.ended.is_set()):
                for source in select.select(list(other), [], [], 0.05)[0]:
                    other[source].sendall(source.recv(65536))
            end(connection)

    def withholding(connection):
        with socket.create_connection(net.mock_at) as mock:
            mock.sendall(net.renamed(request_of(connection)))
            assert mock.recv(1)
            arrived.set()
            if proxied:
                connection.recv(1)

    if proxied:
        net.proxy(killing)
    error = failing(lambda: CALLS["create"](net.client(net.tls(withholding))), key=net.server.key)
    assert seen(error) == (True, False)
    assert "localhost broke" in error.message
    assert len(net.server.tasks) == 1


@pytest.mark.parametrize("proxied", [False, True])
@pytest.mark.parametrize("fault", [ResetBeforeActing(), ResetAfterActing(), ResetBeforeBody()])
@pytest.mark.parametrize("on", CALLS)
def test_every_call_that_breaks_after_it_left_may_have_been_sent(on, fault, proxied, net):
    if proxied:
        net.proxy(tunnel)
    net.server.faults.add(on=on, fault=fault)
    error = failing(lambda: CALLS[on](net.client(net.tls(net.to_mock))), key=net.server.key)
    assert seen(error) == (True, False)
    assert [call.on for call in net.server.received] == [on]


def test_a_connection_that_ends_with_the_first_bytes_of_the_request_may_have_been_sent(net):
    for proxied in (False, True):
        if proxied:
            net.proxy(tunnel)
        port = net.tls(lambda connection: connection.recv(1) and reset(connection))
        assert seen(failing(lambda port=port: CALLS["create"](net.client(port)))) == (True, False)


@pytest.mark.parametrize(
    "response",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\n\r\nhello",
        b"hello\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/9.9.9 x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n",
    ],
)
@pytest.mark.parametrize("proxied", [False, True])
def test_a_response_that_is_no_http_leaves_open_whether_the_task_was_created(response, proxied, net):
    if proxied:
        net.proxy(tunnel)
    got = []

    def answering(connection):
        got.append(request_of(connection))
        connection.sendall(response)

    error = failing(lambda: CALLS["create"](net.client(net.tls(answering))), key=net.server.key)
    assert seen(error) == (True, False)
    assert "is not valid HTTP" in error.message
    assert len(got) == 1


@pytest.mark.parametrize("proxied", [False, True])
def test_a_response_that_does_not_come_leaves_open_whether_the_task_was_created(proxied, net):
    if proxied:
        net.proxy(tunnel)
    net.env.setattr(client_module, "SUBMIT_SECONDS", 0.5)
    error = failing(lambda: CALLS["create"](net.client(net.tls(lambda connection: net.ended.wait(60)))))
    assert seen(error) == (True, False)
    assert "did not respond in time" in error.message


# Nothing twice


def test_no_session_repeats_or_redirects_by_itself():
    for session in (trusted_session("https://a.example"), untrusted_session(None)):
        for address in ("https://a.example", "http://a.example"):
            retries = session.get_adapter(address).max_retries
            assert retries.total == 0
            assert not retries.read
        assert session.get_redirect_target(requests.Response()) is None


@pytest.mark.parametrize(
    "response",
    [
        b"",
        b"HTTP/1.1 307 Again\r\nLocation: /api/v1/again\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 503 Later\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 408 Again\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
    ],
)
@pytest.mark.parametrize("proxied", [False, True])
def test_a_create_call_leaves_once(response, proxied, net):
    heads = net.proxy(tunnel) if proxied else []
    got = []

    def answering(connection):
        got.append(request_of(connection))
        connection.sendall(response)

    with pytest.raises(Exception, match=r"localhost|DashScope"):
        CALLS["create"](net.client(net.tls(answering)))
    assert len(got) == 1
    assert len(heads) == proxied


# What was not sent: the proxy


@pytest.mark.parametrize(
    ("status", "permanent", "words"),
    [
        (403, True, "(HTTP 403)"),
        (405, True, "(HTTP 405)"),
        (407, True, "requires a valid name and password"),
        (302, True, "(HTTP 302)"),
        (429, False, "(HTTP 429)"),
        (502, False, "(HTTP 502)"),
        (503, False, "(HTTP 503)"),
    ],
)
@pytest.mark.parametrize("on", CALLS)
def test_a_proxy_that_refuses_to_connect(on, status, permanent, words, net):
    heads = net.proxy(refusing(status, f"No {PASSWORD}"))
    error = failing(lambda: CALLS[on](net.client(net.tls(net.to_mock))), key=net.server.key)
    assert seen(error) == (False, permanent)
    assert "The proxy localhost" in error.message
    assert words in error.message
    assert "PROXY" in error.hint
    assert len(heads) == 1
    assert net.server.received == []


def test_a_file_that_a_proxy_does_not_let_through_was_not_sent(net):
    net.proxy(lambda connection, head: (tunnel if b"localhost" in head else refusing(403))(connection, head))
    policy = net.server.state.storage.policy(MODEL, host="https://storage.example")
    net.server.faults.add(on="policy", fault=JsonBody({"data": policy}))
    error = failing(lambda: CALLS["policy"](net.client(net.tls(net.to_mock))), key=net.server.key)
    assert seen(error) == (False, True)
    assert "storage.example (HTTP 403)" in error.message


@pytest.mark.parametrize("response", [b"", b"hello\r\n\r\n", b"HTTP/1.1 "])
def test_a_proxy_that_does_not_response_as_one(response, net):
    net.proxy(lambda connection, head: connection.sendall(response))
    error = failing(lambda: CALLS["create"](net.client(net.tls(net.to_mock))))
    assert seen(error) == (False, False)
    assert "The proxy localhost closed the connection" in error.message


def test_a_proxy_that_says_nothing(net):
    net.env.setattr(client_module, "CONNECT_SECONDS", 0.3)
    net.proxy(lambda connection, head: net.ended.wait(60))
    error = failing(lambda: CALLS["create"](net.client(net.tls(net.to_mock))))
    assert seen(error) == (False, False)
    assert "The proxy localhost did not respond in time" in error.message


def test_a_proxy_that_goes_on_for_ever(net):
    net.env.setattr(client_module, "SUBMIT_SECONDS", 0.3)

    def endless(connection, head):
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        while True:
            connection.sendall(b"x")
            net.ended.wait(0.05)

    net.proxy(endless)
    error = failing(lambda: CALLS["create"](net.client(net.tls(net.to_mock))))
    assert error.sent is False


def test_a_proxy_that_refuses_connections(net, closed_port):
    net.env.setenv("HTTPS_PROXY", f"http://user:{PASSWORD}@localhost:{closed_port}")
    error = failing(lambda: CALLS["create"](net.client(1, "dashscope.example")))
    assert seen(error) == (False, False)
    assert "The proxy localhost cannot be reached: the connection was refused" in error.message


def test_a_proxy_whose_name_is_not_known(net, unknown_names):
    net.env.setenv("HTTPS_PROXY", f"http://user:{PASSWORD}@proxy.example:3128")
    error = failing(lambda: CALLS["create"](net.client(1, "dashscope.example")))
    assert seen(error) == (False, False)
    assert "The proxy proxy.example cannot be found" in error.message
    assert "dashscope.example" not in error.message


@pytest.mark.parametrize(
    "address",
    [
        *("http://", "http://:80", "http://[", "http://localhost:none", "localhost:none", "socks9://localhost:1"),
        *(f"http://user:{PASSWORD}@localhost:99999", f"http://user:{PASSWORD}#x@localhost:1"),
        *(f"http://user:12/{PASSWORD}@localhost:1", f"http://user:12#{PASSWORD}@localhost:1"),
    ],
)
def test_a_proxys_address_that_is_malformed(address, net, unknown_names):
    net.env.setenv("HTTPS_PROXY", address)
    error = failing(lambda: CALLS["create"](net.client(1, "dashscope.example")))
    assert seen(error) == (False, True)
    assert "The URL of the proxy" in error.message
    assert "http://host:port" in error.hint


def test_an_https_proxy_lets_calls_through_and_its_certificate_is_checked(net):
    port = net.tls(net.to_mock)
    net.proxy(tunnel, scheme="https", secure=True)
    assert CALLS["create"](net.client(port)).task_id
    plain = net.serve(lambda connection: connection.recv(1000) and connection.sendall(b"HTTP/1.1 400 Bad\r\n\r\n"))
    net.env.setenv("HTTPS_PROXY", f"https://localhost:{plain}")
    error = failing(lambda: CALLS["create"](net.client(port)))
    assert error.sent is False
    assert "The secure connection to the proxy localhost" in error.message
    assert "http://" in error.hint
    other = net.tls(lambda connection: None, net.authority.other.issue_cert("localhost"))
    net.env.setenv("HTTPS_PROXY", f"https://localhost:{other}")
    error = failing(lambda: CALLS["create"](net.client(port)))
    assert seen(error) == (False, True)
    assert "the proxy localhost failed: its certificate" in error.message
    assert len(net.server.tasks) == 1


# What was not sent: SOCKS


def socks_proxy(net, reply=0, target=None):
    """Serve SOCKS 5, without a login."""

    def serving(connection):
        connection.recv(16)
        connection.sendall(b"\x05\x00")
        asked = connection.recv(300)
        if reply:
            connection.sendall(bytes((5, reply, 0, 1)) + bytes(6))
            return
        name, port = asked[5 : 5 + asked[4]], int.from_bytes(asked[-2:], "big")
        with socket.create_connection((name.decode(), port)) as other:
            connection.sendall(b"\x05\x00\x00\x01" + bytes(6))
            pump(connection, other)

    port = net.serve(serving)
    net.env.setenv("HTTPS_PROXY", f"socks5h://localhost:{port}")


def test_what_left_through_a_socks_proxy_may_have_arrived(net):
    socks_proxy(net)
    port = net.tls(net.to_mock)
    assert CALLS["create"](net.client(port)).task_id
    net.server.faults.add(on="create", fault=ResetAfterActing())
    assert seen(failing(lambda: CALLS["create"](net.client(port)), key=net.server.key)) == (True, False)
    assert len(net.server.tasks) == 2


def test_a_socks_proxy_that_refuses_or_is_not_there(net, closed_port):
    socks_proxy(net, reply=2)
    error = failing(lambda: CALLS["create"](net.client(1, "dashscope.example")))
    assert error.sent is False
    assert "The proxy localhost rejected the connection to dashscope.example" in error.message
    net.env.setenv("HTTPS_PROXY", f"socks5h://user:{PASSWORD}@localhost:{closed_port}")
    error = failing(lambda: CALLS["create"](net.client(1, "dashscope.example")))
    assert seen(error) == (False, False)
    assert "The proxy localhost cannot be reached" in error.message


def test_a_socks_proxy_without_pysocks(net):
    def missing(*args, **named):
        # What requests puts in the place of what it cannot import.
        raise requests.exceptions.InvalidSchema("Missing dependencies for SOCKS support.")

    net.env.setattr("requests.adapters.SOCKSProxyManager", missing)
    net.env.setenv("HTTPS_PROXY", f"socks5://user:{PASSWORD}@localhost:1")
    error = failing(lambda: CALLS["create"](net.client(1, "dashscope.example")))
    assert seen(error) == (False, True)
    assert "SOCKS" in error.message
    assert "pip install pysocks" in error.hint


# What was not sent: TLS


def issued(kind, authority):
    day, now = datetime.timedelta(days=1), datetime.datetime.now(datetime.timezone.utc)
    if kind == "expired":
        return authority.trusted.issue_cert("localhost", not_before=now - 3 * day, not_after=now - day)
    if kind == "early":
        return authority.trusted.issue_cert("localhost", not_before=now + day, not_after=now + 3 * day)
    if kind == "other name":
        return authority.trusted.issue_cert("other.example")
    return authority.other.issue_cert("localhost")


@pytest.mark.parametrize(
    ("kind", "words", "do"),
    [
        ("unknown issuer", "unknown issuer", "REQUESTS_CA_BUNDLE"),
        ("expired", "expired", "date and time"),
        ("early", "not valid yet", "date and time"),
        ("other name", "another host name", "DASHSCOPE_BASE_URL"),
    ],
)
@pytest.mark.parametrize("proxied", [False, True])
@pytest.mark.parametrize("on", CALLS)
def test_a_certificate_that_is_not_accepted(on, kind, words, do, proxied, net):
    if proxied:
        net.proxy(tunnel)
    port = net.tls(net.to_mock, issued(kind, net.authority))
    error = failing(lambda: CALLS[on](net.client(port)), key=net.server.key)
    assert seen(error) == (False, True)
    assert "localhost failed: its certificate" in error.message
    assert words in error.message
    assert do in error.hint
    assert net.server.received == []


def test_a_certificate_for_a_name_is_not_one_for_an_address(net):
    error = failing(lambda: CALLS["create"](net.client(net.tls(net.to_mock), "127.0.0.1")))
    assert seen(error) == (False, True)
    assert "is for another" in error.message


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
@pytest.mark.parametrize("content", [None, "", "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n"])
@pytest.mark.parametrize("proxied", [False, True])
def test_certificates_that_are_missing_or_unreadable(content, name, proxied, net, tmp_path):
    if proxied:
        net.proxy(tunnel)
    net.env.delenv("REQUESTS_CA_BUNDLE")
    net.env.setenv(name, str(tmp_path / "mine.pem"))
    if content is not None:
        (tmp_path / "mine.pem").write_text(content, "ascii")
    error = failing(lambda: CALLS["create"](net.client(net.tls(net.to_mock))))
    assert seen(error) == (False, True)
    assert f"The certificates that {name} names cannot be read" in error.message
    assert net.server.received == []


def test_the_certificates_of_python_that_are_missing(net, tmp_path):
    net.env.delenv("REQUESTS_CA_BUNDLE")
    net.env.setattr("requests.adapters.DEFAULT_CA_BUNDLE_PATH", str(tmp_path / "none.pem"))
    error = failing(lambda: CALLS["create"](net.client(net.tls(net.to_mock))))
    assert seen(error) == (False, True)
    assert "certifi" in error.hint


@pytest.mark.parametrize("response", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x15\x03\x03\x00\x02\x02\x28"])
@pytest.mark.parametrize("proxied", [False, True])
def test_a_handshake_that_fails(response, proxied, net):
    if proxied:
        net.proxy(tunnel)
    port = net.serve(lambda connection: connection.recv(1000) and connection.sendall(response))
    error = failing(lambda: CALLS["create"](net.client(port)))
    assert seen(error) == (False, False)
    assert "TLS handshake" in error.message


def test_a_handshake_that_is_reset_or_gets_no_response(net):
    net.env.setattr(client_module, "CONNECT_SECONDS", 0.3)
    for handler in (lambda connection: connection.recv(1) and reset(connection), lambda connection: net.ended.wait(60)):
        error = failing(lambda handler=handler: CALLS["create"](net.client(net.serve(handler))))
        assert seen(error) == (False, False)
        assert "TLS handshake" in error.message


# What was not sent: connecting


@pytest.fixture
def unknown_names(monkeypatch):
    """No name can be resolved but this machine's own."""
    look_up = socket.getaddrinfo

    def unknown(host, *args, **named):
        if host in ("localhost", "127.0.0.1"):
            return look_up(host, *args, **named)
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)


def test_a_name_that_is_not_known(net, unknown_names):
    error = failing(lambda: CALLS["create"](net.client(1, "dashscope.example")))
    assert seen(error) == (False, False)
    assert "dashscope.example cannot be found: its name cannot be resolved (DNS)" in error.message


def test_an_upload_host_whose_name_is_not_known(net, unknown_names):
    policy = net.server.state.storage.policy(MODEL, host="https://storage.example")
    net.server.faults.add(on="policy", fault=JsonBody({"data": policy}))
    error = failing(lambda: CALLS["policy"](net.client(net.tls(net.to_mock))), key=net.server.key)
    assert seen(error) == (False, False)
    assert "storage.example cannot be found" in error.message


def test_a_connection_that_is_refused(net, closed_port):
    error = failing(lambda: CALLS["create"](net.client(closed_port)))
    assert seen(error) == (False, False)
    assert "localhost cannot be reached: the connection was refused" in error.message


@pytest.mark.parametrize("proxied", [False, True])
def test_a_connection_that_takes_too_long(proxied, net, monkeypatch):
    def never(connection, address):
        raise TimeoutError("timed out")

    if proxied:
        net.env.setenv("HTTPS_PROXY", f"http://user:{PASSWORD}@localhost:1")
    client = net.client(1, "127.0.0.1")
    with monkeypatch.context() as patch:
        patch.setattr(socket.socket, "connect", never)
        error = failing(lambda: CALLS["create"](client))
    assert seen(error) == (False, False)
    assert (
        f"{'The proxy localhost' if proxied else '127.0.0.1'} cannot be reached: connecting took too" in error.message
    )


def test_a_request_that_cannot_be_written_down_was_not_sent(net, client_for):
    client = client_for(f"https://localhost:{net.tls(net.to_mock)}/api/v1", "sk-\nsplit-0123456789")
    error = failing(lambda: CALLS["create"](client), key="split-0123456789")
    assert seen(error) == (False, True)
    assert "The request to localhost could not be sent" in error.message


def test_a_refusal_of_the_service_comes_through_a_proxy_as_it_is(net):
    net.proxy(tunnel)
    net.server.faults.add(on="create", fault=ErrorResponse())
    with pytest.raises(ServiceError):
        CALLS["create"](net.client(net.tls(net.to_mock)))


# A run from its beginning to its end


@pytest.fixture
def run(net, tmp_path):
    """Ask for one video through whatever is between here and the mock server. Returns the error that it ends in."""
    image = media.noise(300)
    request = VideoRequest(model=MODEL, prompt="a cat", resolution="480P")
    order = Batch(request, image, tmp_path / "output", "wan/cat", tmp_path / "home", clock=SkippingClock(shortest=60.0))

    onlooker = SimpleNamespace(
        report=lambda *_: None, raise_if_interrupted=lambda: None, wait_for_interrupt=lambda: asyncio.Event().wait()
    )

    def once(port, *, host="localhost"):
        for name, value in (
            ("DASHSCOPE_REGION", "beijing"),
            ("DASHSCOPE_BASE_URL", f"https://{host}:{port}/api/v1"),
            ("DASHSCOPE_API_KEY", net.server.key),
        ):
            net.env.setenv(name, value)
        with pytest.raises(WanError) as caught:
            asyncio.run(make_videos(order, monitor=onlooker))
        return caught.value

    return once


def created(net):
    return [task for task in net.server.tasks if task.body["input"].get("prompt") == "a cat"]


def test_a_run_whose_proxy_breaks_after_the_task_was_made_pays_once(net, run):
    """Neither this run nor the next one sends it again."""

    def killing(connection):
        request = request_of(connection)
        with socket.create_connection(net.mock_at) as mock:
            mock.sendall(net.renamed(request))
            response = request_of(mock)
        if request.startswith(b"POST"):
            reset(connection)
        else:
            connection.sendall(response)

    net.proxy(tunnel)
    port = net.tls(killing)
    for _ in range(2):
        error = run(port)
        assert isinstance(error, OutcomeUnknown)
        assert created(net)[0].id in str(error)
        assert len(created(net)) == 1


def test_a_run_that_a_proxy_refuses_ends_at_once_with_the_cause(net, run):
    heads = net.proxy(refusing(403))
    error = run(net.tls(net.to_mock))
    assert isinstance(error, NetworkError)
    assert "The proxy localhost rejected the connection" in str(error)
    assert "Nothing was sent" in str(error)
    assert len(heads) == 1
    assert created(net) == []


def test_a_run_whose_certificate_is_not_accepted_ends_at_once_with_the_cause(net, run):
    error = run(net.tls(net.to_mock, net.authority.other.issue_cert("localhost")))
    assert isinstance(error, NetworkError)
    assert "REQUESTS_CA_BUNDLE" in str(error)
    assert "Nothing was sent" in str(error)
    assert net.server.received == []


# A finished video on its way


def fetching(kind, *, url="https://video.example/v.mp4?Signature=secret", own=None):
    """Try to fetch a video. Returns what the error says."""
    with pytest.raises(DownloadFailed) as caught:
        list(iter_chunks(url, 0, own=own, stall_seconds=5.0))
    assert type(caught.value) is kind, caught.value
    assert PASSWORD not in str(caught.value)
    assert "secret" not in str(caught.value)
    return str(caught.value)


def test_a_video_that_a_proxy_does_not_let_through_is_reported_with_the_proxy(net):
    net.proxy(refusing(407))
    assert "The proxy localhost" in fetching(DownloadFailed)


def test_a_video_behind_a_proxy_that_is_malformed_is_reported_as_that(net, unknown_names):
    net.env.setenv("HTTPS_PROXY", f"http://user:{PASSWORD}/b@localhost:1")
    assert "The URL of the proxy" in fetching(DownloadFailed)


def test_a_video_behind_a_socks_proxy_without_pysocks_is_reported_as_that(net):
    def missing(*args, **named):
        # What requests puts in the place of what it cannot import.
        raise requests.exceptions.InvalidSchema("Missing dependencies for SOCKS support.")

    net.env.setattr("requests.adapters.SOCKSProxyManager", missing)
    net.env.setenv("HTTPS_PROXY", f"socks5://user:{PASSWORD}@localhost:1")
    assert "SOCKS" in fetching(DownloadFailed)


def test_a_video_whose_hosts_certificate_is_not_accepted_is_reported_with_the_certificate(net):
    port = net.tls(net.to_mock, net.authority.other.issue_cert("video.example"))
    net.proxy(lambda connection, _: tunnel(connection, b"CONNECT localhost:%d " % port))
    assert "REQUESTS_CA_BUNDLE" in fetching(DownloadFailed)


def test_a_video_without_certificates_to_trust_is_reported_with_their_setting(net, tmp_path):
    net.proxy(tunnel)
    net.env.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "missing.pem"))
    assert "REQUESTS_CA_BUNDLE" in fetching(DownloadFailed)


def test_a_video_with_two_lengths_is_asked_for_again(net):
    def confused(connection):
        request_of(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcde")

    port = net.serve(confused)
    url = f"http://127.0.0.1:{port}/v.mp4?Signature=secret"
    assert "not valid HTTP" in fetching(DownloadInterrupted, url=url, own=("127.0.0.1", port))
