"""HTTP sessions: verified TLS, no automatic redirects, no decompression, a deadline for every exchange.

`trusted_session` is for the host that the machine's owner has configured, `untrusted_session` for hosts from responses.
"""

from __future__ import annotations

import http.client
import io
import math
import re
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from enum import Enum
from types import MappingProxyType
from typing import Any

import requests
import urllib3
from requests.utils import select_proxy
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from ..messages import Message
from ..redaction import contains_secret
from .hosts import BlockedHost, Origin, PublicOnlyConnection, origin_of, require_public_host

POOL_SIZE = 20
UNPACKED_BY_URLLIB3 = frozenset({"gzip", "x-gzip", "deflate", "br", "zstd"})
MIN_READ = 16 * 1024
MAX_SEND = 64 * 1024
MIN_UPLINK_RATE = 8 * 1024
"""Minimum bytes a second at which a body is sent."""


class Stage(Enum):
    """The stages of an exchange before its request is sent."""

    NOTHING = "nothing yet"
    CONNECTING = "connecting, to the proxy where there is one"
    PROXY = "asking the proxy"
    HANDSHAKE = "agreeing on TLS with the host"
    CONNECTED = "about to send"


class Deadline:
    """The most seconds that an exchange may take, however slowly the other side goes on.

    It holds inside its `with` block, for requests of the same thread: none of their reads and writes lasts longer, and
    what times out is closed. The clock starts when a connection is there, and anew when a request begins to leave (with
    time for its `sending` bytes), when all of it has left, and with `start`. Connecting has limits of its own.

    It also knows how far the exchange has come. `sent`: a byte of the request itself was handed to a socket; what is
    said to a proxy, and TLS handshakes, do not count. `stage`: what was done last before that. `proxy`: its host;
    `proxy_status`: the HTTP status with which it refused to connect.
    """

    _of_thread = threading.local()

    def __init__(self, seconds: float, *, sending: int = 0) -> None:
        self.sent, self.stage = False, Stage.NOTHING
        self.proxy, self.proxy_status = "", 0
        self._seconds = seconds
        self._sending_seconds = seconds + sending / MIN_UPLINK_RATE
        self._until = math.inf

    @classmethod
    def current(cls) -> Deadline | None:
        """Return the deadline that applies in this thread."""
        return getattr(cls._of_thread, "limit", None)

    @property
    def over(self) -> bool:
        """Whether the time is up."""
        return time.monotonic() >= self._until

    def start(self, *, sending: bool = False) -> None:
        """Start the clock, or start it anew."""
        self._until = time.monotonic() + (self._sending_seconds if sending else self._seconds)

    def limit(self, connection: Any, silence: float) -> None:
        """Let the next read or write of a socket end in time, and after `silence` seconds at the latest.

        Raises:
            TimeoutError: the time is up.
        """
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        connection.settimeout(min(left, silence))

    def __enter__(self) -> Deadline:
        self._before = self.current()
        self._of_thread.limit = self
        return self

    def __exit__(self, *_: object) -> None:
        self._of_thread.limit = self._before


class _DeadlineReader(io.RawIOBase):
    """What comes from a socket. Raises TimeoutError when the time is up."""

    def __init__(self, raw: io.RawIOBase, connection: Any, limit: Deadline) -> None:
        self._raw, self._connection, self._limit = raw, connection, limit
        self._silence = connection.gettimeout()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._limit.limit(self._connection, self._silence)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _DeadlineResponse(http.client.HTTPResponse):
    """A response that is read as long as there is time."""

    def __init__(self, sock: Any, *args: Any, **named: Any) -> None:
        super().__init__(sock, *args, **named)
        if limit := Deadline.current():
            self.fp = io.BufferedReader(_DeadlineReader(self.fp.detach(), sock, limit))


class _DeadlineConnection:
    """What all connections have in common: the limit holds and sees their stages, and nothing of them is printed."""

    # `http.client` debug output would print the key.
    debuglevel = 0
    response_class = _DeadlineResponse
    sock: Any
    host: str
    timeout: Any
    _connecting = False
    _tunnel_host: str | None
    _socks_options: Mapping[str, Any] = MappingProxyType({})

    def connect(self) -> None:
        """Connect, tracking the stage."""
        if limit := Deadline.current():
            # Read here, as urllib3 clears it when it closes a connection.
            limit.proxy = self.host if self._tunnel_host else str(self._socks_options.get("proxy_host") or "")
        self._connecting = True
        try:
            super().connect()  # type: ignore[misc]  # each connection has it
        finally:
            self._connecting = False
        self._enter(Stage.CONNECTED)

    def send(self, data: Any) -> None:
        """Mark the request as sent, then send. Data sent while connecting goes to the proxy only."""
        # http.client would connect after the note.
        if self.sock is None:
            self.connect()
        limit = None if self._connecting else Deadline.current()
        if limit is None:
            return super().send(data)  # type: ignore[misc,no-any-return]
        limit.sent = True
        limit.start(sending=True)
        for at in range(0, len(data), MAX_SEND):
            limit.limit(self.sock, self.timeout)
            super().send(data[at : at + MAX_SEND])  # type: ignore[misc]
        return None

    def getresponse(self) -> Any:
        """Start the clock, then wait for the response."""
        if limit := Deadline.current():
            limit.start()
        return super().getresponse()  # type: ignore[misc]

    def _new_conn(self) -> socket.socket:
        self._enter(Stage.CONNECTING)
        connected: socket.socket = super()._new_conn()  # type: ignore[misc]
        if limit := Deadline.current():
            # A proxy could send its response endlessly.
            limit.start()
            limit.stage = Stage.PROXY if self._tunnel_host else Stage.HANDSHAKE
        return connected

    def _tunnel(self) -> None:
        try:
            super()._tunnel()  # type: ignore[misc]
        except OSError as error:
            # http.client has no other form for this error.
            refused = re.match(r"Tunnel connection failed: (\d{3})\b", str(error))
            if refused and (limit := Deadline.current()):
                limit.proxy_status = int(refused[1])
            raise
        self._enter(Stage.HANDSHAKE)

    def _enter(self, stage: Stage) -> None:
        if limit := Deadline.current():
            limit.stage = stage


def _pool_classes(plain: type, secure: type) -> dict[str, Any]:
    """Return connection pools that the deadline tracks."""
    return {
        scheme: type("Pool", (pool,), {"ConnectionCls": type("Connection", (_DeadlineConnection, connection), {})})
        for scheme, pool, connection in (("http", HTTPConnectionPool, plain), ("https", HTTPSConnectionPool, secure))
    }


class _Adapter(requests.adapters.HTTPAdapter):
    """Uses tracked connections. The owner's proxy may be at any address."""

    _pools = _pool_classes(HTTPConnection, HTTPSConnection)

    def init_poolmanager(self, *args: Any, **named: Any) -> None:
        """Create the pools of direct connections."""
        super().init_poolmanager(*args, **named)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, proxy: Any, **named: Any) -> Any:
        """Create the pools of connections through a proxy."""
        manager = super().proxy_manager_for(proxy, **named)
        # A SOCKS proxy has connection classes of its own.
        kinds = [manager.pool_classes_by_scheme[scheme].ConnectionCls for scheme in ("http", "https")]
        if not any(issubclass(kind, _DeadlineConnection) for kind in kinds):
            manager.pool_classes_by_scheme = _pool_classes(*kinds)
        return manager


class _PublicOnlyAdapter(_Adapter):
    """Blocks addresses that are not public. `allowed_local_origin` is the only local host and port allowed."""

    def __init__(self, allowed_local_origin: Origin | None) -> None:
        self._allowed_local_origin = allowed_local_origin
        kinds = (HTTPConnection, HTTPSConnection)
        self._pools = _pool_classes(
            *(
                type("Outside", (PublicOnlyConnection, kind), {"allowed_local_origin": allowed_local_origin})
                for kind in kinds
            )
        )
        super().__init__(pool_maxsize=POOL_SIZE)

    def send(self, request: requests.PreparedRequest, *args: Any, **named: Any) -> requests.Response:
        """Send a request. Raises BlockedHost if its host is not allowed."""
        url = request.url or ""
        origin = origin_of(url)
        if contains_secret(url):
            raise BlockedHost(Message("A URL from the response contains the API key; request blocked."))
        if origin == self._allowed_local_origin:
            named["proxies"] = {}
        elif select_proxy(url, named.get("proxies")):
            # The proxy resolves the name, so only the name itself can be checked.
            require_public_host(origin[0])
        return super().send(request, *args, **named)


class _Session(requests.Session):
    """A session that ignores redirects.

    Even when it does not follow a redirect, requests reads and decompresses its whole body into memory.
    """

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Return None, so that no redirect is processed."""


def trusted_session(base_url: str) -> requests.Session:
    """Return a session for an API that the machine's owner has configured."""
    # Over plain http, which is only for this machine, a proxy would see the key.
    return _session(_Adapter(pool_maxsize=POOL_SIZE), trust_env=base_url.startswith("https://"))


def untrusted_session(allowed_local_origin: Origin | None) -> requests.Session:
    """Return a session for hosts from responses: public ones, and `allowed_local_origin`, a server on this machine."""
    return _session(_PublicOnlyAdapter(allowed_local_origin), trust_env=True)


def _session(adapter: _Adapter, *, trust_env: bool) -> requests.Session:
    session = _Session()
    session.trust_env = trust_env
    session.headers["Accept-Encoding"] = "identity"
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def is_compressed(response: requests.Response) -> bool:
    """Tell whether a response's body is compressed, which was not requested: it could be a decompression bomb."""
    encodings = response.headers.get("Content-Encoding", "").lower()
    return not UNPACKED_BY_URLLIB3.isdisjoint(part.strip() for part in encodings.split(","))


def iter_body(response: requests.Response, *, size: int) -> Iterator[bytes]:
    """Yield a body as it arrives, in chunks of at most `size` bytes, without decompression or buffering.

    Raises requests' own errors, without the request in them.
    """
    # Without `read1`, urllib3 waits for all of the requested bytes.
    read = getattr(response.raw, "read1", None)
    if read is None:
        read, size = response.raw.read, min(size, MIN_READ)
    failure: type[requests.RequestException]
    try:
        while data := read(size, decode_content=False):
            yield data
    except urllib3.exceptions.ReadTimeoutError:
        failure = requests.exceptions.ReadTimeout
    except (urllib3.exceptions.HTTPError, OSError, ValueError):
        failure = requests.exceptions.ConnectionError
    else:
        # urllib3 before 2.0 takes a broken connection for the end.
        if not response.raw.length_remaining:
            return
        failure = requests.exceptions.ConnectionError
    raise failure("the body is incomplete")
