"""The offline mock server for the service: a local HTTP server that speaks DashScope's image-to-video protocol.

Graphs can be built with it at no cost and without a key, and the tests talk to it. It keeps the rules of
dashscope.md, makes real videos, and can be set to fail (`faults.py`). Nothing leaves this machine.
"""

from __future__ import annotations

import atexit
import logging
import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from ..wan.catalog.regions import API_PATH, OFFLINE, REGIONS
from .faults import Faults
from .handlers import authorize, handle
from .http import HOST, LocalServer, ServerContext
from .responses import Response
from .routes import RecordedRequest, Request, RequestLog
from .state import RateLimiter, ServerState
from .storage import Storage
from .tasks import Task, TaskStore, Timing
from .worker import RenderWorker

logger = logging.getLogger("dashscope_wan")
_ENDING_SECONDS = 2.0
_PREFIX = "wan-offline-"
_LEFT_SECONDS = 7 * 24 * 3600


class OfflineServer:
    """One mock service on 127.0.0.1, with its own key, tasks and files.

    `port` 0 takes any free one. `key` is made up where it is not given. `region` decides the names of the models, the
    effects and the uploads as its row in `regions.py` says; "offline" has everything. `clock` gives epoch seconds and
    drives task states, expiries and rates; videos are rendered in real time beside it, and a task only succeeds when
    its file is there (see `wait_idle`). `running_limit` replaces every model's own.
    """

    def __init__(  # noqa: PLR0913 - settings, all by name
        self,
        *,
        port: int = 0,
        key: str | None = None,
        timing: Timing | None = None,
        clock: Callable[[], float] = time.time,
        running_limit: int | None = None,
        region: str = OFFLINE,
        enforce_rates: bool = True,
    ) -> None:
        if region not in REGIONS:
            raise ValueError(f"No such region: {region}")
        self.key = key or f"offline-{secrets.token_urlsafe(24)}"
        self.faults = Faults()
        self._port = port
        self._clock = clock
        self._region = region
        self._rates = RateLimiter(clock, enforced=enforce_rates)
        self._task_store = TaskStore(timing or Timing(), clock=clock, running_limit=running_limit)
        self._request_log = RequestLog()
        self._stopping = threading.Event()
        self._http: LocalServer | None = None
        self._state: ServerState | None = None
        self._folder: Path | None = None

    def start(self) -> OfflineServer:
        """Begin to listen. Returns the server itself; it can be started once only."""
        if self._http is not None or self._stopping.is_set():
            raise RuntimeError("This offline server was started before.")
        context = ServerContext(
            self._authorize,
            self._handle,
            clock=self._clock,
            faults=self.faults,
            request_log=self._request_log,
            stopping=self._stopping,
        )
        http = LocalServer(self._port, context)
        remove_stale_dirs(Path(tempfile.gettempdir()))
        self._folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
        self._state = ServerState(
            base_url=f"http://{HOST}:{http.server_port}",
            key=self.key,
            region=self._region,
            clock=self._clock,
            rates=self._rates,
            tasks=self._task_store,
            storage=Storage(self._folder / "uploads", clock=self._clock),
            worker=RenderWorker(self._folder / "videos"),
        )
        self._state.worker.start()
        self._http = http
        threading.Thread(target=http.serve_forever, name="offline-http", daemon=True).start()
        logger.info("The mock server listens on %s", self._state.base_url)
        return self

    def stop(self) -> None:
        """End every connection and thread, and delete the files. Calling it again does nothing."""
        self._stopping.set()
        http, self._http = self._http, None
        if http is None or self._state is None or self._folder is None:
            return
        http.end(_ENDING_SECONDS)
        self._state.worker.stop()
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
        return self._running().base_url + API_PATH

    @property
    def received(self) -> list[RecordedRequest]:
        """The latest requests, oldest first, refused ones included: at most 500 and 64 MiB."""
        return self._request_log.all()

    @property
    def tasks(self) -> list[Task]:
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
        return self._running().worker.settle(timeout)

    def _running(self) -> ServerState:
        if self._state is None:
            raise RuntimeError("This offline server was not started.")
        return self._state

    def _authorize(self, call: Request) -> Response | None:
        return authorize(self._running(), call)

    def _handle(self, call: Request) -> Response:
        return handle(self._running(), call)


def remove_stale_dirs(temporary: Path) -> None:
    """Delete what killed processes left behind a week ago: nothing in there is valid any more."""
    for folder in temporary.glob(f"{_PREFIX}*"):
        # Whatever cannot be read or deleted is somebody else's.
        with suppress(OSError):
            newest = max(path.stat().st_mtime for path in (folder, *folder.iterdir()))
            if newest < time.time() - _LEFT_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)


_shared_lock = threading.Lock()
_shared: list[OfflineServer] = []


def shared_server() -> OfflineServer:
    """Return the process's own mock server, the one behind the region "offline". It is started by the first call."""
    with _shared_lock:
        if not _shared:
            server = OfflineServer().start()
            atexit.register(server.stop)
            _shared.append(server)
        return _shared[0]
