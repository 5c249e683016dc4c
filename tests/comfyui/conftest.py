"""A real ComfyUI, started with the pack in a folder of its own and the offline mock server.

COMFYUI_DIR         a checkout of ComfyUI; without it these tests are skipped
COMFYUI_PYTHON      the Python that has its requirements (this one, if not set)
COMFYUI_PYTHONPATH  folders to look in first, such as one with an older comfyui-frontend-package
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path
from urllib.parse import urlencode

import children
import media
import pytest
import requests

ROOT = Path(__file__).resolve().parents[2]
TEXT = 3  # the binary message that carries a node's status text
START_SECONDS, RUN_SECONDS = 180, 120


class ComfyUI:
    """One ComfyUI and its base directory; `start` after `stop` goes on with the same files."""

    def __init__(self, checkout: Path, python: str, base: Path) -> None:
        self.base = base
        self._checkout, self._python = checkout, python
        self._process: subprocess.Popen | None = None
        self._session = requests.Session()
        self._session.trust_env = False
        self.url = ""
        for folder in ("custom_nodes", "input", "output", "user", "temp", "models"):
            (base / folder).mkdir()
        (base / "custom_nodes" / "dashscope-wan").symlink_to(ROOT, target_is_directory=True)
        (base / "input" / "example.png").write_bytes(media.image_file(640, 480, colours=("teal",)))

    def start(self) -> None:
        """Start it and wait until it answers."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        command = [
            *(self._python, "main.py", "--cpu", "--listen", "127.0.0.1", "--port", str(port)),
            *("--base-directory", str(self.base), "--disable-auto-launch", "--disable-api-nodes"),
            *("--database-url", f"sqlite:///{self.base / 'user' / 'comfyui.db'}"),
        ]
        with (self.base / "comfy.log").open("ab") as log:
            self._process = children.start(
                command, cwd=self._checkout, env=_environment(), stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            assert self._process.poll() is None, f"ComfyUI ended:\n{self.log()[-3000:]}"
            try:
                return self.get("/system_stats") and None
            except requests.ConnectionError:
                time.sleep(0.2)
        pytest.fail(f"no answer from ComfyUI in {START_SECONDS} s:\n{self.log()[-3000:]}")

    def stop(self) -> None:
        """End it, politely first."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def close(self) -> None:
        """End it for good."""
        self.stop()
        self._session.close()

    def log(self) -> str:
        """Return what it printed."""
        return (self.base / "comfy.log").read_text(encoding="utf-8", errors="replace")

    def response(self, path: str, headers: dict[str, str] | None = None, **query: str) -> requests.Response:
        """Return the response to a GET."""
        url = f"{self.url}{path}?{urlencode(query)}" if query else self.url + path
        return self._session.get(url, headers=headers, timeout=60)

    def get(self, path: str) -> dict:
        """Return the JSON of a GET that succeeds."""
        response = self.response(path)
        assert response.status_code == 200, f"{path}: {response.status_code} {response.text[:300]}"
        return response.json()

    def post(self, path: str, body: dict, headers: dict[str, str] | None = None) -> requests.Response:
        """Return the response to a POST."""
        return self._session.post(self.url + path, json=body, headers=headers, timeout=60)

    def queue(self, prompt: dict, *, client: str = "") -> str:
        """Queue a graph in API format and return its prompt id."""
        response = self.post("/prompt", {"prompt": prompt, "client_id": client or uuid.uuid4().hex})
        assert response.status_code == 200, response.text[:2000]
        assert not response.json().get("node_errors")
        return response.json()["prompt_id"]

    def finished(self, prompt_id: str) -> dict:
        """Wait for a run and return what the history keeps of it."""
        end = time.monotonic() + RUN_SECONDS
        while time.monotonic() < end:
            found = self.get(f"/history/{prompt_id}")
            if prompt_id in found:
                return found[prompt_id]
            time.sleep(0.1)
        pytest.fail(f"the run has not ended in {RUN_SECONDS} s:\n{self.log()[-3000:]}")

    def run(self, prompt: dict) -> dict:
        """Run a graph that succeeds and return its outputs by node."""
        ended = self.finished(self.queue(prompt))
        assert ended["status"]["status_str"] == "success", ended["status"]["messages"]
        return ended["outputs"]

    def listen(self) -> Listener:
        """Listen to what the page hears."""
        return Listener(self.url)


class Listener:
    """A websocket as the page has one. `events` are (type, data); status texts are ("text", {"node", "text"})."""

    def __init__(self, url: str) -> None:
        import websocket

        self.client = uuid.uuid4().hex
        self.events: list[tuple[str, dict]] = []
        self._closed = websocket.WebSocketException, OSError
        self._socket = websocket.create_connection(f"{url.replace('http', 'ws')}/ws?clientId={self.client}", timeout=60)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def __enter__(self) -> Listener:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()
        self._thread.join(10)

    def texts(self, node: str) -> list[str]:
        """Return the status texts of a node so far."""
        return [data["text"] for kind, data in list(self.events) if kind == "text" and data["node"] == node]

    def wait_for_text(self, node: str, part: str) -> None:
        """Wait until a node says something."""
        end = time.monotonic() + RUN_SECONDS
        while not any(part in text for text in self.texts(node)):
            assert time.monotonic() < end, f"node {node} never said {part!r}: {self.texts(node)}"
            time.sleep(0.02)

    def states(self) -> list[dict]:
        """Return the nodes' progress as it came, each a map from node to its state."""
        return [data["nodes"] for kind, data in list(self.events) if kind == "progress_state"]

    def _read(self) -> None:
        while True:
            try:
                message = self._socket.recv()
            except self._closed:
                return
            if isinstance(message, str) and message:
                parsed = json.loads(message)
                self.events.append((parsed["type"], parsed["data"]))
            elif isinstance(message, bytes) and message[:4] == struct.pack(">I", TEXT):
                length = int.from_bytes(message[4:8], "big")
                node, text = message[8 : 8 + length], message[8 + length :]
                self.events.append(("text", {"node": node.decode(), "text": text.decode()}))


def _environment() -> dict[str, str]:
    """This environment without settings of the pack, and with the offline region."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DASHSCOPE_", "PYTHONPATH"))}
    return kept | {
        "DASHSCOPE_REGION": "offline",
        "PYTHONPATH": os.environ.get("COMFYUI_PYTHONPATH", ""),
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


@pytest.fixture(scope="session")
def comfyui(tmp_path_factory):
    """The ComfyUI that COMFYUI_DIR names, running."""
    named = os.environ.get("COMFYUI_DIR", "")
    if not named:
        pytest.skip("COMFYUI_DIR does not name a checkout of ComfyUI")
    checkout = Path(named).resolve()
    assert (checkout / "main.py").is_file(), f"COMFYUI_DIR: there is no ComfyUI in {checkout}"
    base = tmp_path_factory.mktemp("comfyui")
    running = ComfyUI(checkout, os.environ.get("COMFYUI_PYTHON") or sys.executable, base)
    try:
        running.start()
        yield running
    finally:
        running.close()
        shutil.rmtree(base, ignore_errors=True)
