"""Hostile servers, a watch over every connection of the process, and names that resolve to whatever a test wants."""

from __future__ import annotations

import base64
import contextlib
import ipaddress
import json
import socket
import threading
import tracemalloc

import pytest
from small_videos import small_videos

KEY = "sk-marked-5f3a9c1e7b2d4680"
STOP_SECONDS = 600
"""A call that only ends when the hostile server does meets the time-out of its test before."""


class Hostile:
    """A server on this machine that answers a request with whatever `response` is: bytes, or what it does.

    `got` holds what came, head and body. As a function, `response` is called with the connection and what came.
    """

    def __init__(self):
        self.got = []
        self.response = b""
        self.ending = threading.Event()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def own(self):
        return ("127.0.0.1", self._listening.getsockname()[1])

    @property
    def root(self):
        return "http://127.0.0.1:{1}".format(*self.own)

    @property
    def base_url(self):
        return f"{self.root}/api/v1"

    def stop(self):
        self.ending.set()
        socket.create_connection(self.own, timeout=60).close()
        self._thread.join(60)
        self._listening.close()

    def _serve(self):
        while True:
            connection, _ = self._listening.accept()
            if self.ending.is_set():
                connection.close()
                return
            threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection):
        connection.settimeout(STOP_SECONDS)
        with connection, contextlib.suppress(OSError):
            came = _request(connection)
            self.got.append(came)
            response = self.response
            if callable(response):
                response(connection, came)
            else:
                connection.sendall(response)


def _request(connection):
    came = b""
    while b"\r\n\r\n" not in came and (piece := connection.recv(65536)):
        came += piece
        if came.startswith(b"\x16"):  # The hello of TLS, which nobody here answers.
            return came
    head, _, body = came.partition(b"\r\n\r\n")
    length = [line.split(b":")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
    while length and len(body) < int(length[0]) and (piece := connection.recv(65536)):
        body += piece
    return head + b"\r\n\r\n" + body


def http(body=b"", status=200, **headers):
    """The bytes of a response. A body that is no bytes is sent as JSON."""
    if not isinstance(body, bytes):
        body = json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body)}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


@pytest.fixture
def hostile():
    """Start hostile servers."""
    started = []

    def start(response=b""):
        server = Hostile()
        server.response = response
        started.append(server)
        return server

    yield start
    for server in started:
        server.stop()


@pytest.fixture
def answered():
    """Make the bytes of a response."""
    return http


@pytest.fixture
def client_of(bare_environment):
    """Make clients with the marked key, closed when the test ends."""
    from wanpack.wan.api.client import Client
    from wanpack.wan.api.endpoint import Endpoint
    from wanpack.wan.catalog.regions import REGIONS
    from wanpack.wan.redaction import Secret

    made = []

    def make(base_url):
        made.append(Client(Endpoint(REGIONS["beijing"], base_url, Secret(KEY))))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def calls():
    """The client's five kinds of calls."""
    model = "wan2.2-i2v-plus"
    return {
        "create": lambda client: client.create_task(b"{}"),
        "query": lambda client: client.get_task("t-1"),
        "cancel": lambda client: client.cancel_task("t-1"),
        "list": lambda client: client.list_tasks(),
        "policy": lambda client: client.upload_file(b"RIFF", model_name=model, suffix=".wav", mime="audio/wav"),
    }


class Net:
    """What this process may see of the network, and what it tried.

    `names` maps host names to the addresses that they resolve to: a list, or several lists for one response after the
    other. `asked` are the names that were resolved, `tried` the addresses that were connected to. Connections to public
    addresses end at `there`, an address of this machine.
    """

    def __init__(self):
        self.names, self.asked, self.tried = {}, [], []
        self.there = None
        self._connect = socket.socket.connect
        self._resolve = socket.getaddrinfo
        self._socketpair = socket.socketpair
        self._pairing = threading.local()

    def resolve(self, host, port, *args, **named):
        name = host.decode() if isinstance(host, bytes) else host
        if name not in self.names:
            with contextlib.suppress(ValueError):
                ipaddress.ip_address((name or "127.0.0.1").partition("%")[0])
                return self._resolve(host, port, *args, **named)
            if name in ("localhost", "127.1", "0x7f.1", "2130706433", "017700000001"):
                self.asked.append(name)
                return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]
            raise socket.gaierror(socket.EAI_NONAME, "there are no such names here")
        self.asked.append(name)
        responses = self.names[name]
        if responses and isinstance(responses[0], list):
            responses = responses.pop(0) if len(responses) > 1 else responses[0]
        return [
            (socket.AF_INET6 if ":" in one else socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port))
            for one in responses
        ]

    def socketpair(self, *args, **named):
        # Windows has none: an event loop's own connection is made of two sockets there.
        self._pairing.now = True
        try:
            return self._socketpair(*args, **named)
        finally:
            self._pairing.now = False

    def connect(self, sock, address):
        if getattr(self._pairing, "now", False) or sock.family not in (socket.AF_INET, socket.AF_INET6):
            return self._connect(sock, address)
        self.tried.append(address[:2])
        if ipaddress.ip_address(address[0]).is_loopback:
            return self._connect(sock, address)
        if self.there is None:
            raise ConnectionRefusedError("no test goes to the internet")
        host, port = self.there
        if sock.family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)  # Windows begins with 1.
        return self._connect(sock, (f"::ffff:{host}", port) if sock.family == socket.AF_INET6 else (host, port))

    def tried_but(self, *allowed):
        """Return the addresses that were connected to, but for these."""
        return [address for address in self.tried if address not in allowed]


@pytest.fixture
def net(monkeypatch, bare_environment):
    """No test goes to the internet, and each connection is written down."""
    net = Net()
    monkeypatch.setattr(socket, "getaddrinfo", net.resolve)
    monkeypatch.setattr(socket, "socketpair", net.socketpair)

    def connect(sock, address):
        return net.connect(sock, address)

    monkeypatch.setattr(socket.socket, "connect", connect, raising=False)
    return net


@pytest.fixture
def peak():
    """Measure the most memory that Python holds at once during a call."""

    def measure(call):
        tracemalloc.start()
        try:
            call()
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    return measure


@pytest.fixture
def examples(max_cases):
    """Decorate a test of random values with how many it takes in a long run."""
    from fuzz import examples

    return lambda count: examples(min(count, max_cases))


@pytest.fixture
def passed_on():
    """The key in what a server may answer: as it is, and as part of more."""
    return [KEY, KEY.upper(), f"x{KEY}y", f"Bearer:{KEY}"]


@pytest.fixture
def has_key():
    """Tell which of several texts, or bytes, hold the key, also as a header of Basic access would have it."""
    coded = [base64.b64encode(b"x" * before + KEY.encode() + b"yyy")[4:-4] for before in range(3)]
    parts = [KEY.encode(), KEY.upper().encode(), "".join(f"%{ord(one):02X}" for one in KEY).encode(), *coded]

    def find(*texts):
        coded = [text if isinstance(text, bytes) else text.encode("utf-8", "backslashreplace") for text in texts]
        return [one for one in coded if any(part in one for part in parts)]

    return find


@pytest.fixture
def marked():
    """The key that is searched for."""
    return KEY


@pytest.fixture(scope="module", autouse=True)
def videos_are_small():
    """The mock server's videos have a quarter of their width and height, which is quick."""
    with small_videos():
        yield
