"""How the pack speaks HTTP: TLS verified, no redirect of its own accord, nothing unpacked, nothing without an end.

`trusted_session` is for the host that the machine's owner has chosen, `untrusted_session` for hosts that a response
names.
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

from ..redaction import contains_secret
from .hosts import BlockedHost, Origin, PublicOnlyConnection, origin_of, require_public_host

POOL_SIZE = 20
UNPACKED_BY_URLLIB3 = frozenset({"gzip", "x-gzip", "deflate", "br", "zstd"})
MIN_READ = 16 * 1024
MAX_SEND = 64 * 1024
MIN_UPLINK_RATE = 8 * 1024
"""Bytes a second at which a body may leave."""


class Stage(Enum):
    """What an exchange does until its request begins to leave."""

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
        """Return the limit that holds in this thread."""
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

    # Others in this process may have Python print every header of every connection.
    debuglevel = 0
    response_class = _DeadlineResponse
    sock: Any
    host: str
    timeout: Any
    _connecting = False
    _tunnel_host: str | None
    _socks_options: Mapping[str, Any] = MappingProxyType({})

    def connect(self) -> None:
        """Connect, and note what is done meanwhile."""
        if limit := Deadline.current():
            # Read here: urllib3 forgets it when it closes a connection.
            limit.proxy = self.host if self._tunnel_host else str(self._socks_options.get("proxy_host") or "")
        self._connecting = True
        try:
            super().connect()  # type: ignore[misc]  # each connection has it
        finally:
            self._connecting = False
        self._enter(Stage.CONNECTED)

    def send(self, data: Any) -> None:
        """Note that the request begins to leave, then send. What is sent while connecting is for a proxy alone."""
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
            # A proxy could go on for ever with its response.
            limit.start()
            limit.stage = Stage.PROXY if self._tunnel_host else Stage.HANDSHAKE
        return connected

    def _tunnel(self) -> None:
        try:
            super()._tunnel()  # type: ignore[misc]
        except OSError as error:
            # http.client says it in no other way.
            refused = re.match(r"Tunnel connection failed: (\d{3})\b", str(error))
            if refused and (limit := Deadline.current()):
                limit.proxy_status = int(refused[1])
            raise
        self._enter(Stage.HANDSHAKE)

    def _enter(self, stage: Stage) -> None:
        if limit := Deadline.current():
            limit.stage = stage


def _pool_classes(plain: type, secure: type) -> dict[str, Any]:
    """Return pools of connections that the limit sees."""
    return {
        scheme: type("Pool", (pool,), {"ConnectionCls": type("Connection", (_DeadlineConnection, connection), {})})
        for scheme, pool, connection in (("http", HTTPConnectionPool, plain), ("https", HTTPSConnectionPool, secure))
    }


class _Adapter(requests.adapters.HTTPAdapter):
    """Uses our connections. A proxy of the owner's is connected to wherever it is."""

    _pools = _pool_classes(HTTPConnection, HTTPSConnection)

    def init_poolmanager(self, *args: Any, **named: Any) -> None:
        """Make the pools of direct connections."""
        super().init_poolmanager(*args, **named)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, proxy: Any, **named: Any) -> Any:
        """Make the pools of connections through a proxy."""
        manager = super().proxy_manager_for(proxy, **named)
        # Those of a SOCKS proxy are kinds of their own.
        kinds = [manager.pool_classes_by_scheme[scheme].ConnectionCls for scheme in ("http", "https")]
        if not any(issubclass(kind, _DeadlineConnection) for kind in kinds):
            manager.pool_classes_by_scheme = _pool_classes(*kinds)
        return manager


class _PublicOnlyAdapter(_Adapter):
    """Refuses addresses that are not public. `allowed_local_origin` is the one host and port that may be near."""

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
        """Send a request. Raises BlockedHost where it must not go to its host."""
        url = request.url or ""
        origin = origin_of(url)
        if contains_secret(url):
            raise BlockedHost("An address that was answered has the API key in it; no request goes there.")
        if origin == self._allowed_local_origin:
            named["proxies"] = {}
        elif select_proxy(url, named.get("proxies")):
            # The proxy resolves the name: only what the name itself says can be checked.
            require_public_host(origin[0])
        return super().send(request, *args, **named)


class _Session(requests.Session):
    """A session that never looks where a redirect leads.

    Even when it does not follow them, requests reads the whole body of a redirect into memory, and unpacks it.
    """

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Return None: nothing is to be done about any redirect."""


def trusted_session(base_url: str) -> requests.Session:
    """Make a session for an API that the machine's owner has chosen."""
    # Over plain http, which is this machine itself, a proxy would see the key.
    return _session(_Adapter(pool_maxsize=POOL_SIZE), trust_env=base_url.startswith("https://"))


def untrusted_session(allowed_local_origin: Origin | None) -> requests.Session:
    """Make a session for hosts that a response names.

    Public ones, and `allowed_local_origin`, a server on this very machine.
    """
    return _session(_PublicOnlyAdapter(allowed_local_origin), trust_env=True)


def _session(adapter: _Adapter, *, trust_env: bool) -> requests.Session:
    session = _Session()
    session.trust_env = trust_env
    session.headers["Accept-Encoding"] = "identity"
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def is_compressed(response: requests.Response) -> bool:
    """Tell whether a response's body came compressed, though nobody asked for that: it could be anything's bomb."""
    encodings = response.headers.get("Content-Encoding", "").lower()
    return not UNPACKED_BY_URLLIB3.isdisjoint(part.strip() for part in encodings.split(","))


def iter_body(response: requests.Response, *, size: int) -> Iterator[bytes]:
    """Read a body as it comes, in pieces of at most `size` bytes, nothing unpacked and nothing held back.

    Raises requests' own errors, without the request in them.
    """
    # An older urllib3 can only wait until it has as much as it is asked for.
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
        # urllib3 before 2.0 takes what breaks off for the end.
        if not response.raw.length_remaining:
            return
        failure = requests.exceptions.ConnectionError
    raise failure("the body broke off")
