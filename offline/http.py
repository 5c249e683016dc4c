"""The HTTP side of the mock server: connections, headers, limits, and the faults that happen on the wire.

It listens on this machine only and wants its own Host header, so that no web page can reach it by another name.
"""

from __future__ import annotations

import json
import logging
import os
import select
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any

from .faults import (
    CannedResponse,
    Fault,
    Faults,
    ResetAfterActing,
    ResetBeforeActing,
    ResetBeforeBody,
    Slow,
    Stalled,
    Truncated,
)
from .responses import Response, error_response, oss_error_response
from .routes import RecordedRequest, Request, RequestLog, parse_request

logger = logging.getLogger("dashscope_wan")
HOST = "127.0.0.1"
_PIECE = 64 * 1024
_DRAIN_SECONDS = 5.0
_LENGTH_DIGITS = 18
_LINGER = "hh" if os.name == "nt" else "ii"


@dataclass(frozen=True)
class ServerContext:
    """What the HTTP side works with.

    `authorize` returns the refusal of a call that may not even send its body; `handle` answers a call; `stopping` ends
    every wait.
    """

    authorize: Callable[[Request], Response | None]
    handle: Callable[[Request], Response]
    clock: Callable[[], float]
    faults: Faults
    request_log: RequestLog
    stopping: threading.Event


class LocalServer(ThreadingHTTPServer):
    """A server on 127.0.0.1 that can end its open connections. Threads are daemons."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 32

    def __init__(self, port: int, context: ServerContext) -> None:
        self.context = context
        self._open: set[socket.socket] = set()
        self._changed = threading.Condition()
        super().__init__((HOST, port), _Handler)

    def server_bind(self) -> None:
        """Bind without asking a name server for our own name, as HTTPServer would."""
        TCPServer.server_bind(self)
        self.server_name = HOST
        self.server_port = self.server_address[1]

    @property
    def hosts(self) -> tuple[str, str]:
        """The Host headers that are answered."""
        return f"{HOST}:{self.server_port}", f"localhost:{self.server_port}"

    def process_request(self, request: Any, client_address: Any) -> None:
        """Remember the connection and give it a thread."""
        with self._changed:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Close the connection and forget it."""
        super().shutdown_request(request)
        with self._changed:
            self._open.discard(request)
            self._changed.notify_all()

    def end(self, timeout: float) -> None:
        """Stop listening, wake every thread that waits for a caller, and wait for them, at most `timeout` seconds."""
        ender = threading.Thread(target=self.shutdown)
        ender.start()
        while ender.is_alive():
            # The loop only looks twice a second whether it is to end, unless somebody calls.
            socket.create_connection((HOST, self.server_port), timeout=timeout).close()
            ender.join(0.01)
        self.server_close()
        with self._changed:
            for connection in self._open:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    logger.debug("A connection was closed already")
            self._changed.wait_for(lambda: not self._open, timeout)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - the base class's signature
        """Log what ended a connection's thread instead of printing it."""
        logger.debug("A connection of the mock server ended", exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server_version = "offline"
    sys_version = ""
    timeout = 60
    # Head and body are written apart: without this the second waits for the first one's acknowledgement, 40 ms.
    disable_nagle_algorithm = True
    server: LocalServer

    def do_GET(self) -> None:
        """Serve a request, whatever its method."""
        try:
            self._serve()
        except OSError:  # The caller has gone or is too slow.
            logger.debug("The caller has gone", exc_info=True)
            self.close_connection = True

    do_HEAD = do_POST = do_GET  # noqa: N815 - the base class's names

    def _serve(self) -> None:
        context = self.server.context
        try:
            call = parse_request(self.command, self.path, headers=self.headers.items())
        except ValueError:  # The target is no URL.
            call = None
        refused = self._refused_by_head(call)
        if call is None or refused is not None:
            self._note(call, body=None)
            self._refuse_unread(refused or error_response(404, code="NotFound", message="Not found!"))
            return
        fault = context.faults.take(call.on)
        if isinstance(fault, ResetBeforeBody):
            self._note(call, body=None)
            self._reset()
            return
        call = replace(call, body=self._read_body(), fault=fault)
        self._note(call, body=call.body)
        response = self._response(call)
        if response is None:
            self._reset()
        else:
            self._send(response, fault=fault)

    def _refused_by_head(self, call: Request | None) -> Response | None:
        """Return the refusal of a request whose headers are reason enough, before its body is read."""
        # A page in a browser may call this machine too; it then says where it comes from, and the pack never does.
        if self.headers.get("Host") not in self.server.hosts or "Origin" in self.headers:
            return error_response(403, code="AccessDenied", message="Access denied.")
        if call is None:
            return None
        # Without a length there is no body (RFC 9112, section 6.3): `curl -X POST .../cancel` has neither.
        length = self.headers.get("Content-Length", "0")
        if not length.isascii() or not length.isdigit() or "Transfer-Encoding" in self.headers:
            return error_response(
                411, code="MissingContentLength", message="You must provide the Content-Length HTTP header."
            )
        if len(length) <= _LENGTH_DIGITS and int(length) <= call.limit:
            return self.server.context.authorize(call)
        if call.on == "upload":
            message = "Your proposed upload exceeds the maximum allowed size."
            return oss_error_response(400, code="EntityTooLarge", message=message)
        message = f"Exceeded limit on max bytes to request body : {call.limit}"
        return error_response(400, code="BadRequest.TooLarge", message=message)

    def _read_body(self) -> bytes:
        """Return the whole body. Raises OSError where the caller leaves before it has come."""
        length = self._length()
        body = self.rfile.read(length)
        if len(body) < length:
            raise ConnectionError("The caller left in the middle of the body.")
        return body

    def _length(self) -> int:
        text = self.headers.get("Content-Length", "0")
        return int(text) if text.isascii() and text.isdigit() and len(text) <= _LENGTH_DIGITS else 0

    def _note(self, call: Request | None, *, body: bytes | None) -> None:
        received = RecordedRequest(
            on=call.on if call else None,
            method=self.command,
            path=call.path if call else self.path.partition("?")[0],
            query=call.query if call else {},
            headers={name.lower(): value for name, value in self.headers.items()},
            body=_parsed(body),
            size=self._length(),
            at=self.server.context.clock(),
        )
        self.server.context.request_log.add(received)

    def _response(self, call: Request) -> Response | None:
        """Return the response, or None where the connection is to be reset instead."""
        context, fault = self.server.context, call.fault
        if isinstance(fault, CannedResponse):
            return fault.response()
        if isinstance(fault, ResetBeforeActing):
            return None
        try:
            response = context.handle(call)
        except Exception:
            logger.exception("The mock server failed in a %s call", call.on)
            return error_response(500, code="InternalError", message="Internal server error!")
        if isinstance(fault, Slow):
            context.stopping.wait(fault.seconds)
        return None if isinstance(fault, ResetAfterActing) else response

    def _send(self, response: Response, *, fault: Fault | None = None) -> None:
        self.send_response(response.status)
        for name, value in response.headers.items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        if response.status != 204:
            self.send_header("Content-Type", response.content_type)
            self.send_header("Content-Length", str(response.body.length))
        self.end_headers()
        if self.command == "HEAD":
            return
        cut = fault.sent if isinstance(fault, Truncated | Stalled) else None
        self._send_body(response, cut=cut)
        if cut is not None:
            self.close_connection = True
        if isinstance(fault, Stalled):
            self._wait_for_end()

    def _send_body(self, response: Response, *, cut: int | None) -> None:
        left = response.body.length if cut is None else min(cut, response.body.length)
        for piece in response.body.pieces():
            self.wfile.write(piece[:left])
            left -= len(piece)
            if left <= 0:
                break

    def _wait_for_end(self) -> None:
        """Wait until the caller leaves or the server stops."""
        while not self.server.context.stopping.is_set():
            readable, _, _ = select.select([self.connection], [], [], 0.05)
            if readable and not self.connection.recv(_PIECE):
                return

    def _refuse_unread(self, response: Response) -> None:
        """Answer without reading the body.

        What the caller still sends is thrown away for a while: closing at once would reset the connection, and the
        caller might lose the response.
        """
        self.close_connection = True
        self._send(response)
        self.connection.shutdown(socket.SHUT_WR)
        self.connection.settimeout(_DRAIN_SECONDS)
        ends = time.monotonic() + _DRAIN_SECONDS
        while time.monotonic() < ends and self.rfile.read1(_PIECE):
            pass

    def _reset(self) -> None:
        """Break the connection with RST: closing with a linger time of 0 does that."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack(_LINGER, 1, 0))
        self.rfile.close()
        self.connection.close()

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Refuse what cannot even be parsed, in the API's form."""
        self.close_connection = True
        self._send(error_response(int(code), code="InvalidParameter", message=message or explain or "Bad request."))

    def date_time_string(self, timestamp: float | None = None) -> str:
        """Write the Date header by the mock server's own clock."""
        return super().date_time_string(self.server.context.clock() if timestamp is None else timestamp)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's signature
        """Log for debugging only, and not the query: it holds signatures."""
        logger.debug("%s", (format % args).partition("?")[0])


def _parsed(body: bytes | None) -> Any:
    if not body or not body.startswith((b"{", b"[")):
        return None
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None
