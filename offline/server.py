"""The offline mock server for the service: a local HTTP server that speaks DashScope's image-to-video protocol.

Graphs can be built with it at no cost and without a key, and the tests talk to it. It keeps the rules of
dashscope.md and makes real videos. Nothing leaves this machine.
"""

from __future__ import annotations

import asyncio
import atexit
import logging
import secrets
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from aiohttp import web

from ..wan.catalog.regions import API_PATH, OFFLINE, REGIONS
from .archive import TaskArchive
from .create import order_video
from .routes import make_app
from .state import RateEnforcer, RecordedRequest, RequestLog, ServerState
from .storage import Storage
from .task import MockTask
from .tasks import TaskStore, Timing
from .worker import RenderWorker

if TYPE_CHECKING:
    from aiohttp.typedefs import Middleware

logger = logging.getLogger("dashscope_wan")
HOST = "127.0.0.1"
_ENDING_SECONDS = 0.1
_THREADS = 8
_PREFIX = "wan-offline-"
_LEFT_SECONDS = 7 * 24 * 3600

# aiohttp logs the bytes that it cannot parse, and a key may be among them.
_SILENT = logging.Logger("offline-http", logging.CRITICAL + 1)


class OfflineServer:
    """One mock service on 127.0.0.1, with its own key, tasks and files.

    `port` 0 takes any free one. `key` is made up where it is not given. `region` decides the names of the models, the
    effects and the uploads as its row in `regions.py` says; "offline" has everything. Tasks and videos are kept in
    `folder` for 24 hours, for the next server, if no other process has that folder. `clock` gives epoch seconds and
    drives task states, expiries, rates and the Date header; videos are rendered in real time beside it, and a task only
    succeeds when its file is there (see `wait_idle`). `running_limit` replaces every model's own.

    A subclass can bring a task store of its own, and middlewares of aiohttp, which see every call that may be made:
    before its body is read (by `routes.record`), and its response.
    """

    task_store = TaskStore
    middlewares: Sequence[Middleware] = ()

    def __init__(  # noqa: PLR0913 - settings, all by name
        self,
        *,
        port: int = 0,
        key: str | None = None,
        folder: Path | None = None,
        timing: Timing | None = None,
        clock: Callable[[], float] = time.time,
        running_limit: int | None = None,
        region: str = OFFLINE,
        enforce_rates: bool = True,
    ) -> None:
        if region not in REGIONS:
            raise ValueError(f"No such region: {region}")
        self.key = key or f"offline-{secrets.token_urlsafe(24)}"
        self._port = port
        self._archive = TaskArchive(folder) if folder else None
        self._clock = clock
        self._region = region
        self._rates = RateEnforcer(clock, enforced=enforce_rates)
        self._task_store = self.task_store(timing or Timing(), clock=clock, running_limit=running_limit)
        self._request_log = RequestLog()
        self._stopping = asyncio.Event()
        self._thread: threading.Thread | None = None
        self._state: ServerState | None = None

    def start(self) -> OfflineServer:
        """Begin to listen. Returns the server itself; it can be started once only.

        Raises OSError where the port is taken.
        """
        if self._state is not None:
            raise RuntimeError("This offline server was started before.")
        listening = socket.create_server((HOST, self._port))
        remove_stale_dirs(Path(tempfile.gettempdir()))
        if self._archive and self._archive.open():
            self._folder = self._archive.folder
        else:
            self._archive = None
            self._folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
        self._state = ServerState(
            base_url=f"http://{HOST}:{listening.getsockname()[1]}",
            key=self.key,
            region=self._region,
            clock=self._clock,
            rates=self._rates,
            request_log=self._request_log,
            tasks=self._task_store,
            storage=Storage(self._folder / "uploads", clock=self._clock),
            worker=RenderWorker(self._folder / "videos"),
        )
        self._state.worker.start()
        self._resume(self._state)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, args=(listening,), name="offline-http", daemon=True)
        self._thread.start()
        logger.info("The mock server listens on %s", self._state.base_url)
        return self

    def stop(self) -> None:
        """End every connection and thread, and delete the files that are not kept. Calling it again does nothing."""
        thread, self._thread = self._thread, None
        if thread is None or self._state is None:
            return
        self._loop.call_soon_threadsafe(self._stopping.set)
        thread.join()
        self._state.worker.stop()
        if self._archive:
            self._archive.close()
        else:
            shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> OfflineServer:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def base_url(self) -> str:
        """The API's base, `http://127.0.0.1:PORT/api/v1`. Raises RuntimeError before the start."""
        return self.state.base_url + API_PATH

    @property
    def received(self) -> list[RecordedRequest]:
        """The latest requests, oldest first, refused ones included: at most 500 and 64 MiB."""
        return self._request_log.all()

    @property
    def tasks(self) -> list[MockTask]:
        """Every task of the last 24 h in its present state, oldest first."""
        return self._task_store.all()

    def notes_of(self, task_id: str) -> list[str]:
        """Say what was done differently from the service for a task, such as a tone in place of an audio file."""
        task = self._task_store.get(task_id)
        return list(task.notes) if task else []

    def wait_idle(self, timeout: float = 60.0) -> bool:
        """Wait in real time until every video that was ordered is rendered. Return whether that is so.

        With a clock that is moved by hand: create, settle, move the clock, query.
        """
        return self.state.worker.settle(timeout)

    @property
    def state(self) -> ServerState:
        """What the handlers share. Raises RuntimeError before the start."""
        if self._state is None:
            raise RuntimeError("This offline server was not started.")
        return self._state

    def _resume(self, state: ServerState) -> None:
        """Go on with the kept tasks."""
        if self._archive:
            for task in self._task_store.restore(self._archive):
                if task.scene:
                    order_video(state, task, task.scene)

    def _serve(self, listening: socket.socket) -> None:
        """Answer calls until the server is stopped. Runs in a thread of its own."""
        with ThreadPoolExecutor(_THREADS, thread_name_prefix="offline-call") as pool:
            self._loop.set_default_executor(pool)
            self._loop.run_until_complete(self._answer(listening))
        self._loop.close()

    async def _answer(self, listening: socket.socket) -> None:
        app = make_app(self.state, middlewares=self.middlewares)
        runner = web.AppRunner(
            app, access_log=None, logger=_SILENT, auto_decompress=False, shutdown_timeout=_ENDING_SECONDS
        )
        await runner.setup()
        await web.SockSite(runner, listening).start()
        await self._stopping.wait()
        server = runner.server
        await runner.cleanup()
        # What was accepted at the last moment is connected in the loop's next round, and let go in the one after it.
        await asyncio.sleep(0)
        if server is not None:
            await server.shutdown(_ENDING_SECONDS)
        await asyncio.sleep(0)


def remove_stale_dirs(temporary: Path) -> None:
    """Delete what killed processes left behind a week ago: nothing in there is valid any more."""
    for folder in temporary.glob(f"{_PREFIX}*"):
        # Whatever cannot be read or deleted is somebody else's.
        with suppress(OSError):
            newest = max(path.stat().st_mtime for path in (folder, *folder.iterdir()))
            if newest < time.time() - _LEFT_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)


_shared_lock = threading.Lock()
shared_servers: list[OfflineServer] = []
"""The process's own mock server, once it is started."""


def shared_server(folder: Path | None = None) -> OfflineServer:
    """Return the process's own mock server, the one behind the region "offline".

    It is started by the first call, and keeps its tasks in that call's `folder`.
    """
    with _shared_lock:
        if not shared_servers:
            server = OfflineServer(folder=folder).start()
            atexit.register(server.stop)
            shared_servers.append(server)
        return shared_servers[0]
