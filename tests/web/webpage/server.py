"""A server that answers what ComfyUI's page asks for: as much as it needs to come up, and nothing runs."""

from __future__ import annotations

import base64
import hashlib
import json
import mimetypes
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import parse_qs, unquote, urlsplit

import media
import requests

from .definitions import object_info

_ROOT = Path(__file__).resolve().parents[3]
_WEB = _ROOT / "nodes" / "web"
_EXTENSION = "/extensions/dashscope-wan/"
_PANEL = "/dashscope_wan/"
_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

_SETTINGS = {
    "Comfy.TutorialCompleted": True,
    "Comfy.Workflow.WorkflowTabsPosition": "Sidebar",
    "Comfy.Workflow.ShowMissingModelsWarning": False,
    "Comfy.Workflow.ShowMissingNodesWarning": False,  # of the page's own first graph
    "Comfy.Notification.ShowVersionUpdates": False,
    "Comfy.VersionCompatibility.DisableWarnings": True,
}


class PageServer:
    """Serves one frontend, the pack's extension and ComfyUI's API on a free port, for one page after the other.

    `settings` are the page's own settings, which may be changed. `running` are the ids of the runs in the queue,
    `history` is what became of others, by their ids. `files` are images of the input folder by their
    paths; any other is a plain one. `asked` lists the paths that were not there. `panel`, where it is set, is the URL
    of the task panel's routes. `language` is what the page has told.
    """

    def __init__(self, static: Path) -> None:
        self._static = static
        self.begin()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def begin(self, *, extension: bool = True, **settings: Any) -> None:
        """Be as new for the next page. Without `extension` it gets the nodes only."""
        self.settings: dict[str, Any] = {**_SETTINGS, **settings}
        self.asked: list[str] = []
        self.files: dict[str, bytes] = {}
        self.running: list[str] = []
        self.history: dict[str, Any] = {}
        self.panel = ""
        self.language = ""
        self._sockets: list[BinaryIO] = []
        self._scripts = sorted(_WEB.rglob("*.js")) if extension else []
        self._definitions = json.dumps(object_info()).encode()

    def __enter__(self) -> PageServer:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def response(self, path: str, query: dict[str, list[str]]) -> tuple[bytes, str] | None:
        """Return the body and its type for a GET, or None where there is nothing."""
        plain = path.removeprefix("/api")
        if plain == "/object_info":
            return self._definitions, "application/json"
        if plain == "/view":
            name = "/".join(filter(None, (query.get(part, [""])[0] for part in ("subfolder", "filename"))))
            return self.files.get(name) or media.image_file(64, 64, colours=("teal",)), mimetypes.guess_type(name)[
                0
            ] or "image/png"
        if plain == "/user.css":
            return b"", "text/css"
        known = self._json(plain, query)
        if known is not None:
            return json.dumps(known).encode(), "application/json"
        return self._file(path)

    def send(self, name: str, data: dict[str, Any]) -> None:
        """Send a message to the pages, as ComfyUI's websocket does."""
        frame = _frame(json.dumps({"type": name, "data": data}).encode())
        for socket in list(self._sockets):
            try:
                socket.write(frame)
            except (OSError, ValueError):
                self._sockets.remove(socket)

    def _json(self, path: str, query: dict[str, list[str]]) -> Any:
        lists = "/embeddings", "/models", "/experiment/models", "/userdata", "/v2/userdata", "/templates/index.json"
        objects = "/features", "/workflow_templates", "/global_subgraphs", "/node_replacements", "/history"
        if path in lists:
            return []
        if path in objects:
            return {}
        if path == "/queue":
            return {"queue_running": [[number, run] for number, run in enumerate(self.running)], "queue_pending": []}
        if path.startswith("/history/"):
            return {run: told for run, told in self.history.items() if run == path.removeprefix("/history/")}
        if path == "/i18n":
            return {folder.name: _translation(folder) for folder in (_ROOT / "locales").iterdir()}
        if path == "/settings":
            return self.settings
        if path == "/extensions":
            return [_EXTENSION + file.relative_to(_WEB).as_posix() for file in self._scripts]
        return _FIXED.get(path)

    def _file(self, path: str) -> tuple[bytes, str] | None:
        folder, name = self._static, unquote(path).lstrip("/") or "index.html"
        if path.startswith(_EXTENSION):
            folder, name = _WEB, unquote(path).removeprefix(_EXTENSION)
        file = (folder / name).resolve()
        if not file.is_file() or not file.is_relative_to(folder.resolve()):
            return None
        return file.read_bytes(), mimetypes.guess_type(name)[0] or "application/octet-stream"

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        page = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                url = urlsplit(self.path)
                if url.path == "/ws":
                    return self._websocket()
                if _PANEL in url.path:
                    self._forward()
                    return None
                found = page.response(url.path, parse_qs(url.query))
                if found is None:
                    page.asked.append(url.path)
                    return self._send(404, b"{}", "application/json")
                return self._send(200, *found)

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                path = urlsplit(self.path).path.removeprefix("/api")
                if path.startswith(_PANEL):
                    if path == f"{_PANEL}language":
                        page.language = json.loads(body)["language"]
                    self._forward(body)
                    return
                if path == "/settings":
                    page.settings.update(json.loads(body))
                elif path.startswith("/settings/"):
                    page.settings[unquote(path.removeprefix("/settings/"))] = json.loads(body)
                self._send(200, b"{}", "application/json")

            do_PUT = do_DELETE = do_POST  # noqa: N815 - the base class's names

            def _send(self, status: int, body: bytes, kind: str) -> None:
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                if self.path.startswith("/assets/"):
                    # Their names change with what is in them: the next page has them, and their compiled code, already.
                    self.send_header("Cache-Control", "max-age=86400, immutable")
                self.end_headers()
                self.wfile.write(body)

            def _forward(self, body: bytes | None = None) -> None:
                """Ask the task panel's routes, as the page has asked."""
                if not page.panel:
                    self._send(404, b"{}", "application/json")
                    return
                path = self.path.removeprefix("/api")
                names = ("Content-Type", "Sec-Fetch-Site", "If-None-Match")
                headers = {name: self.headers[name] for name in names if self.headers[name]}
                method = "POST" if body is not None else "GET"
                try:
                    found = requests.request(method, page.panel + path, data=body, headers=headers, timeout=60)
                except requests.ConnectionError:
                    self.close_connection = True
                else:
                    self._send(found.status_code, found.content, found.headers.get("Content-Type", ""))

            def _websocket(self) -> None:
                digest = hashlib.sha1(self.headers["Sec-WebSocket-Key"].encode() + _MAGIC).digest()  # noqa: S324 - RFC 6455
                self.send_response(101)
                self.send_header("Upgrade", "websocket")
                self.send_header("Connection", "Upgrade")
                self.send_header("Sec-WebSocket-Accept", base64.b64encode(digest).decode())
                self.end_headers()
                status = {"type": "status", "data": {"status": {"exec_info": {"queue_remaining": 0}}, "sid": "test"}}
                self.wfile.write(_frame(json.dumps(status).encode()))
                page._sockets.append(self.wfile)
                self.close_connection = True
                while self.rfile.read(1):
                    """Until the page goes; what it says is of no interest."""

            def log_message(self, *_: object) -> None:
                """Nothing."""

        return Handler


def _translation(folder: Path) -> dict[str, Any]:
    """Return a language's texts as ComfyUI's `custom_node_manager.py` puts them together."""
    main = json.loads((folder / "main.json").read_text(encoding="utf-8"))
    return {**main, "nodeDefs": json.loads((folder / "nodeDefs.json").read_text(encoding="utf-8"))}


def _frame(text: bytes) -> bytes:
    """Return a text as a frame of a websocket."""
    size = len(text)
    head = bytes([size]) if size < 126 else b"\x7e" + size.to_bytes(2, "big")
    return b"\x81" + (head if size < 1 << 16 else b"\x7f" + size.to_bytes(8, "big")) + text


_FIXED: dict[str, Any] = {
    "/users": {"storage": "server", "migrated": True},
    "/prompt": {"exec_info": {"queue_remaining": 0}},
    "/internal/logs": "",  # for the dialog of an error
    "/jobs": {"jobs": [], "pagination": {"offset": 0, "limit": 0, "total": 0, "has_more": False}},
    "/system_stats": {
        "system": {
            "os": "posix",
            "comfyui_version": "0.0.0",
            "python_version": "3.11",
            "pytorch_version": "2",
            "embedded_python": False,
            "argv": [],
            "ram_total": 1,
            "ram_free": 1,
        },
        "devices": [],
    },
}
