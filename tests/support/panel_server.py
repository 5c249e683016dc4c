"""The task panel's routes on a server of their own, as ComfyUI's is for them, and tasks to show."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import media
import requests
from aiohttp import web
from wanpack.nodes import host
from wanpack.nodes.routes import routes
from wanpack.nodes.task_panel import TaskPanel, send_task
from wanpack.wan.api.settings import read_settings
from wanpack.wan.ledger.ledger import Ledger
from wanpack.wan.ledger.record import Record


class PanelServer:
    """A server with the panel's routes, in a thread. `sent` are the messages to the pages, in order.

    Inside the block it is ComfyUI's server to the pack: what a run sends to the pages comes here.
    """

    def __init__(self, patch: Any) -> None:
        self.sent: list[tuple[str, dict[str, Any]]] = []
        self.listeners: list[Callable[[str, dict[str, Any]], None]] = []
        self.url = ""
        self.routes = web.RouteTableDef()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        server = ModuleType("server")
        server.PromptServer = SimpleNamespace(instance=self)  # type: ignore[attr-defined]
        patch.setitem(__import__("sys").modules, "server", server)

    def __enter__(self) -> PanelServer:
        self._thread.start()
        self.run(self._start())
        host.tell_changes(send_task)
        return self

    def __exit__(self, *_: object) -> None:
        host.tell_changes(None)
        self.run(self.panel.wait_for_fetches())
        self.run(self._runner.cleanup())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def send_sync(self, name: str, data: dict[str, Any]) -> None:
        """Send a message to the pages, as ComfyUI's server does."""
        self.sent.append((name, data))
        for listener in self.listeners:
            listener(name, data)

    def send_progress_text(self, text: str, node_id: str) -> None:
        """Do nothing: no page shows a node."""

    def run(self, work: Any) -> Any:
        """Wait for a coroutine in the server's loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    def get(self, path: str, **headers: str) -> requests.Response:
        """Return the response to a GET."""
        return requests.get(f"{self.url}/dashscope_wan/{path}", headers=_names(headers), timeout=60)

    def post(self, path: str, record_id: object, **headers: str) -> requests.Response:
        """Return the response to a POST with an id."""
        return requests.post(
            f"{self.url}/dashscope_wan/{path}", json={"id": record_id}, headers=_names(headers), timeout=60
        )

    def wait_for_fetches(self) -> None:
        """Wait until no video is being brought home."""
        self.run(self.panel.wait_for_fetches())

    async def _start(self) -> None:
        self.panel = TaskPanel()
        app = web.Application()
        app.add_routes(routes(self.panel))
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"


def _names(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


def create_task(server: Any, *, model: str = "wanx2.1-i2v-turbo") -> str:
    """Create a task on the mock server beside the nodes, and return its id."""
    body = {
        "model": model,
        "input": {"prompt": "a cat", "img_url": media.data_uri(media.image_file(256, 240), "image/png")},
        "parameters": {"resolution": "480P", "duration": 3},
    }
    headers = {"Authorization": f"Bearer {server.key}", "X-DashScope-Async": "enable"}
    url = f"{server.base_url}/services/aigc/video-generation/video-synthesis"
    return str(requests.post(url, json=body, headers=headers, timeout=60).json()["output"]["task_id"])


def add_records(*records: dict[str, Any]) -> list[Record]:
    """Write records into the ledger of the host's home, each given by what is not usual, and return them."""
    now = time.time()
    usual = {"account": "a", "region": "beijing", "model": "wanx2.1-i2v-turbo", "resolution": "480P", "duration": 3}
    usual |= {"created_at": now, "submitted_at": now, "state": "submitted"}
    made = [Record(**{"fingerprint": f"2:{n}", **usual, **values}) for n, values in enumerate(records)]
    ledger = Ledger(read_settings(host.data_dir()).home)
    try:
        ledger.save(*made)
    finally:
        ledger.close()
    return made
