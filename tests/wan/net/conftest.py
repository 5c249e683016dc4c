"""A server that hands out a video in good and bad ways."""

from __future__ import annotations

import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from wanpack.wan.net.download import download

VIDEO = os.urandom(700_000)


class VideoServer(ThreadingHTTPServer):
    """Answers a path by the method of that name, and remembers what was asked. `video` are the bytes of the video."""

    video = VIDEO
    gave_up = False
    """Whether a response that was kept silent came to its end: no client hung up for a minute."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Responses)
        self.asked = []
        self.closing = threading.Event()

    def handle_error(self, request, client_address):
        """Say nothing of clients that hang up."""

    def keep_silent(self):
        self.gave_up |= not self.closing.wait(60)

    @property
    def own(self):
        """The host and port that may be asked although they are near."""
        return ("127.0.0.1", self.server_port)

    def url(self, path, *, user=""):
        return f"http://{user}127.0.0.1:{self.server_port}/{path}"


class _Responses(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.server.asked.append(self)
        name, _, number = self.path.split("?")[0].strip("/").partition("-")
        getattr(self, name)(int(number or 0))

    def begin(self, status=200, /, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()

    def video(self, _):
        """A good server: knows ranges."""
        start = int((self.headers.get("Range") or "bytes=0-").removeprefix("bytes=").rstrip("-"))
        if start >= len(VIDEO):
            self.begin(416, Content_Range=f"bytes */{len(VIDEO)}", Content_Length=5)
            self.wfile.write(b"nope!")
            return
        if not start:
            self.begin(Content_Length=len(VIDEO))
        else:
            reported = f"bytes {start}-{len(VIDEO) - 1}/{len(VIDEO)}"
            self.begin(206, Content_Length=len(VIDEO) - start, Content_Range=reported)
        self.wfile.write(VIDEO[start:])

    def rangeless(self, _):
        self.begin(Content_Length=len(VIDEO))
        self.wfile.write(VIDEO)

    def elsewhere(self, _):
        """Begins at another byte than the one asked for."""
        if self.headers.get("Range"):
            self.begin(206, Content_Length=len(VIDEO) - 5, Content_Range=f"bytes 5-{len(VIDEO) - 1}/{len(VIDEO)}")
            self.wfile.write(VIDEO[5:])
        else:
            self.rangeless(0)

    def piecemeal(self, length):
        """Sends only so much of what was asked for, and says so."""
        start = int(self.headers["Range"].removeprefix("bytes=").rstrip("-"))
        reported = f"bytes {start}-{start + length - 1}/{len(VIDEO)}"
        self.begin(206, Content_Length=length, Content_Range=reported)
        self.wfile.write(VIDEO[start : start + length])

    def long(self, _):
        self.begin(Content_Length=len(VIDEO) * 8)
        for _ in range(8):
            self.wfile.write(VIDEO)

    def lengthless(self, _):
        self.begin(Connection="close")
        self.wfile.write(VIDEO)
        self.close_connection = True

    def broken(self, length):
        self.begin(Content_Length=len(VIDEO))
        self.wfile.write(VIDEO[:length])
        self.close_connection = True

    def silent(self, length):
        self.begin(Content_Length=len(VIDEO))
        self.wfile.write(VIDEO[:length])
        self.wfile.flush()
        self.server.keep_silent()
        self.close_connection = True

    def drip(self, bits):
        """Sends a byte ten times a second, after so many at once."""
        self.begin(Content_Length=len(VIDEO))
        self.wfile.write(VIDEO[:bits])
        for at in range(bits, len(VIDEO)):
            if self.server.closing.wait(0.1):
                break
            self.wfile.write(VIDEO[at : at + 1])
        self.close_connection = True

    def mute(self, _):
        self.server.keep_silent()
        self.close_connection = True

    def status(self, number):
        self.begin(number, Content_Length=0)

    def turn(self, times):
        """Redirect so many times, then to the video."""
        self.begin(302, Location=f"/turn-{times - 1}" if times > 1 else "video", Content_Length=0)

    def astray(self, kind):
        target = ["file:///etc/passwd", "ftp://127.0.0.1/video", "data:video/mp4;base64,AAAA"][kind]
        self.begin(302, Location=target, Content_Length=0)


@pytest.fixture
def server():
    running = VideoServer()
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield running
    running.closing.set()
    running.shutdown()
    thread.join()
    running.server_close()
    for left in threading.enumerate():
        if left.name == "wan-download":
            left.join(60)


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def part(tmp_path):
    return tmp_path / "video.mp4.part"


@pytest.fixture
def fetch(part, server):
    """Download to `part` from the server, with nobody looking on where no other is named."""

    def call(url, **options):
        options.setdefault("own", server.own)
        options.setdefault("on_progress", lambda *_: None)
        options.setdefault("stop", threading.Event())
        return download(url, part, **options)

    return call
