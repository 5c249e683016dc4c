"""A large file over loopback, beside curl; both from the same server, in processes of their own."""

from __future__ import annotations

import shutil
import statistics
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cli.loading import ROOT
from cli.pack import load_pack

from .parts import fresh_peak, measured, peak_bytes
from .report import Line
from .timing import megabytes, milliseconds, seconds

MEGABYTES, QUICK_MEGABYTES = 300, 100
_BLOCK = 1 << 20


def lines(*, quick: bool) -> Iterator[Line]:
    """Measure."""
    size = (QUICK_MEGABYTES if quick else MEGABYTES) * 1_000_000
    curl = shutil.which("curl")
    with tempfile.TemporaryDirectory() as folder:
        video = Path(folder) / "video"
        with video.open("wb") as file:
            for at in range(0, size, _BLOCK):
                file.write(bytes([at // _BLOCK % 256]) * min(_BLOCK, size - at))
        with _Server(video) as server:
            found = [_turn(server.url, Path(folder), curl=curl) for _ in range(2 if quick else 5)]
    speed = [theirs / ours for ours, theirs, _ in found if theirs]
    own = statistics.median(ours for ours, _, _ in found)
    title = f"{size // 1_000_000} MB over loopback"
    if speed:
        label = (milliseconds(own), f"curl {milliseconds(statistics.median(theirs for _, theirs, _ in found))}")
        yield Line("download", f"{title}: speed", statistics.median(speed), "of curl's", *label, least=0.8)
    else:
        yield Line("download", f"{title}: speed", size / own / 1e6, "MB a second; no curl here", milliseconds(own))
    memory = max(extra for _, _, extra in found)
    yield Line("download", f"{title}: extra memory", memory / 1e6, "MB", megabytes(memory), most=40)


def _turn(url: str, folder: Path, *, curl: str | None) -> tuple[float, float, int]:
    """One download each way: our seconds, curl's (0 where there is none), our extra memory."""
    part = folder / "video.part"
    part.unlink(missing_ok=True)
    theirs = 0.0
    if curl:
        # By its own word, so that its start as a process does not count.
        command = [curl, "-s", "-f", "--noproxy", "*", "--write-out", "%{time_total}", "--output", str(part), url]
        label = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 - ours
        theirs = float(label.stdout)
        part.unlink()
    own, extra = measured("download", url=url, part=str(part))
    return own, theirs, extra


def download(*, url: str, part: str) -> tuple[float, int]:
    """Part: the seconds and the extra memory of one download."""
    pack = load_pack(ROOT)
    fetch, origin = pack.module("wan.net.download").download, pack.module("wan.net.hosts").origin_of(url)

    def run(path: Path) -> None:
        fetch(url, path, own=origin, on_progress=lambda *_: None, stop=threading.Event())

    # Everything is loaded when it counts: for the second file of a user, not the first.
    run(_small(url, Path(part)))
    held = fresh_peak()
    return seconds(lambda: run(Path(part))), peak_bytes() - held


def _small(url: str, part: Path) -> Path:
    """A part that lacks its last bytes only."""
    import requests

    whole = int(requests.head(url, timeout=10).headers["Content-Length"])
    most = part.with_suffix(".most")
    with most.open("wb") as file:
        file.truncate(whole - 1000)
    return most


class _Server:
    """Hands one file out with the system's own copying, so that it is not what is measured."""

    def __init__(self, video: Path) -> None:
        handler = type("Handler", (_Handler,), {"video": video})
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self._http.server_port}/video.mp4"

    def __enter__(self) -> _Server:
        threading.Thread(target=self._http.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()


class _Handler(BaseHTTPRequestHandler):
    video: Path
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        """Say how long it is."""
        self._begin(0)

    def do_GET(self) -> None:
        """Send the file, from where it is asked for."""
        start = int((self.headers.get("Range") or "bytes=0-").removeprefix("bytes=").rstrip("-"))
        self._begin(start)
        with self.video.open("rb") as file:
            self.connection.sendfile(file, start)

    def _begin(self, start: int) -> None:
        size = self.video.stat().st_size
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(size - start))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""
