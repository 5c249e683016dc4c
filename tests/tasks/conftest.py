"""A bench for the tasks layer: the stand-in as a live region, folders of its own, and waiting that takes no time."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import wanpack.nodes.offline.render as offline_render
from wanpack.nodes.offline.faults import TaskStuck
from wanpack.nodes.offline.server import OfflineServer
from wanpack.nodes.offline.tasks import Timing
from wanpack.nodes.service.client import Client, to_json
from wanpack.nodes.service.connection import Connection, Endpoint
from wanpack.nodes.service.credentials import Secret
from wanpack.nodes.service.regions import REGIONS
from wanpack.nodes.service.request import VideoRequest
from wanpack.nodes.tasks.fetch_task import FetchOrder, fetch_video
from wanpack.nodes.tasks.order import Order
from wanpack.nodes.tasks.pauses import TEMPO
from wanpack.nodes.tasks.runner import make_videos

SCALE = 0.01
"""A second of waiting takes 10 ms."""

KEY = "sk-bench-5c1f8e0b7a3d4296"
MODEL = "wanx2.1-i2v-turbo"
SOUND_MODEL = "wan2.6-i2v-flash"


class Interrupted(BaseException):
    """What the host raises on Stop."""


@dataclass
class Watch:
    """The host's side of a node. Stop is pressed when a status text contains `stop_at`, or by `press`.

    `at` has what else is to happen, once, when a status text contains its key.
    """

    stop_at: str = ""
    at: dict[str, Callable[[], None]] = field(default_factory=dict)
    texts: list[str] = field(default_factory=list)
    pressed_at: float = 0.0
    heard_at: float = 0.0

    def report(self, fraction: float, text: str) -> None:
        assert 0 <= fraction <= 1
        self.texts.append(text)
        if self.stop_at and self.stop_at in text:
            self.press()
        for part in [part for part in self.at if part in text]:
            self.at.pop(part)()

    def press(self) -> None:
        self.pressed_at = self.pressed_at or time.monotonic()

    def check_stop(self) -> None:
        if self.pressed_at:
            self.heard_at = self.heard_at or time.monotonic()
            raise Interrupted


@dataclass
class Bench:
    """One stand-in behind Beijing's address, and the folders of one user."""

    server: OfflineServer
    folder: Path
    home: Path

    @property
    def output(self) -> Path:
        return self.folder / "output"

    def order(self, *, prompt: str = "a cat", seed: int = 1, images: int = 1, **more: Any) -> Order:
        model = more.pop("model", MODEL)
        tier, seconds = ("720P", 2) if model == SOUND_MODEL else ("480P", 3)
        request = VideoRequest(model=model, resolution=tier, duration=seconds, prompt=prompt, seed=seed)
        wait = more.pop("max_wait_minutes", 60)
        return Order(
            request,
            picture(images),
            self.output,
            more.pop("filename_prefix", "wan/film"),
            more.pop("home", self.home),
            connection=Connection(max_wait_minutes=wait),
            **more,
        )

    def run(self, order: Order | None = None, *, watch: Watch | None = None) -> Any:
        """Run to the end and return the saved videos; one that is only one by itself."""
        videos = asyncio.run(make_videos(order or self.order(), watch=watch or Watch()))
        return videos if len(videos) > 1 else videos[0]

    def fetch(self, task_id: str, *, watch: Watch | None = None) -> Any:
        order = FetchOrder(task_id, self.output, "wan/task", self.home)
        return asyncio.run(fetch_video(order, watch=watch or Watch()))

    def stranger(self, *, model: str = MODEL, stuck: str = "RUNNING") -> Any:
        """Submit a task as another machine of the account does, which never leaves that state, and return it."""
        client = Client(Endpoint(REGIONS["beijing"], self.server.base_url, Secret(self.server.key)))
        self.server.faults.add(on="create", fault=TaskStuck(stuck))
        given = {"prompt": "a dog", "img_url": "https://example.com/a.jpg"}
        client.submit(to_json({"model": model, "input": given, "parameters": {"resolution": "480P"}}))
        client.close()
        return self.server.tasks[-1]

    def live_home(self, name: str) -> Path:
        """A home whose settings lead to this bench's server, for when there are several."""
        home = self.folder / "homes" / name
        if not home.exists():
            home.mkdir(parents=True)
            settings = home / "credentials.toml"
            settings.write_text(f'base_url = "{self.server.base_url}"\napi_key = "{self.server.key}"\n')
            settings.chmod(0o600)
        return home

    def restart(self) -> None:
        """Forget what this process remembers of the ledger, as a new process would: the folder gets another name."""
        self.home = self.home.rename(self.folder / f"home-{time.monotonic_ns()}")

    def tasks(self, prompt: str = "a cat") -> list[Any]:
        """The tasks that the service has made for a prompt."""
        return [task for task in self.server.tasks if task.body["input"]["prompt"] == prompt]

    @property
    def created(self) -> int:
        """How many tasks the service has made."""
        return len(self.server.tasks)

    @property
    def calls(self) -> Counter[str | None]:
        return Counter(call.on for call in self.server.received)

    @property
    def films(self) -> list[Path]:
        return sorted(self.output.rglob("*.mp4"))

    @property
    def strays(self) -> list[Path]:
        """Everything under output/ that is no film."""
        return sorted(path for path in self.output.rglob("*") if path.is_file() and path.suffix != ".mp4")


def picture(images: int = 1) -> Any:
    """IMAGE: noise, so that the film has some bytes."""
    noise = np.random.default_rng(7).random((60, 60, 3), np.float32)
    return np.repeat(noise.repeat(4, axis=0).repeat(4, axis=1)[None], images, axis=0)


@pytest.fixture(scope="session", autouse=True)
def rendered_once(tmp_path_factory):
    """The stand-in draws each film once in all these tests."""
    folder = tmp_path_factory.mktemp("films")
    draw = offline_render.render

    def render(scene, path, **more):
        known = folder / scene.name
        if not known.exists():
            draw(scene, path, **more)
            shutil.copyfile(path, known.with_suffix(".new"))
            known.with_suffix(".new").replace(known)
        shutil.copyfile(known, path)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(offline_render, "render", render)
        yield


@pytest.fixture(autouse=True)
def no_time_to_wait():
    TEMPO.scale = SCALE
    yield
    TEMPO.scale = 1.0


@pytest.fixture
def make_bench(bare_environment, tmp_path):
    """Make a bench; the settings of OfflineServer by name. The environment leads to the last one."""
    benches = []

    def make(**settings: Any) -> Bench:
        settings.setdefault("timing", Timing(scale=0))
        settings.setdefault("enforce_rates", False)
        server = OfflineServer(region="beijing", key=KEY, **settings).start()
        bare_environment.setenv("DASHSCOPE_REGION", "beijing")
        bare_environment.setenv("DASHSCOPE_BASE_URL", server.base_url)
        bare_environment.setenv("DASHSCOPE_API_KEY", server.key)
        benches.append(Bench(server, tmp_path, tmp_path / "home"))
        return benches[-1]

    yield make
    for bench in benches:
        bench.server.stop()


@pytest.fixture
def bench(make_bench):
    return make_bench()


@pytest.fixture
def new_watch():
    return Watch


@pytest.fixture
def interrupted():
    return Interrupted


class Driver:
    """The program of `driver.py`, and the processes that it makes."""

    def __init__(self) -> None:
        # A bare environment apart from the owner's settings: OpenBLAS's threads do not like to be forked.
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
        self._program = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, str(Path(__file__).with_name("driver.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        assert self._program.stdout is not None and self._program.stdin is not None
        assert self._program.stdout.readline() == "ready\n"

    def start(self, order: dict[str, Any]) -> int:
        """Start a run and return its process."""
        assert self._program.stdout is not None and self._program.stdin is not None
        self._program.stdin.write(json.dumps(order) + "\n")
        self._program.stdin.flush()
        return int(self._program.stdout.readline())

    def run(self, order: dict[str, Any], *, kill_after: float | None = None) -> dict[str, Any] | None:
        """Run to the end and return the result; None where the run was killed before."""
        result = Path(order["result"])
        result.unlink(missing_ok=True)
        pid = self.start(order)
        until = time.monotonic() + (60 if kill_after is None else kill_after)
        while lives(pid) and time.monotonic() < until:
            time.sleep(0.003)
        if kill_after is not None and lives(pid):
            os.kill(pid, signal.SIGKILL)
        while lives(pid):
            assert time.monotonic() < until + 5, "the run does not end"
            time.sleep(0.003)
        return json.loads(result.read_text()) if result.exists() else None

    def close(self) -> None:
        assert self._program.stdout is not None and self._program.stdin is not None
        self._program.stdin.close()
        self._program.wait(10)
        self._program.stdout.close()


def lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture
def new_driver():
    """Start a driver, as often as it is called."""
    drivers: list[Driver] = []

    def make() -> Driver:
        drivers.append(Driver())
        return drivers[-1]

    yield make
    for driver in drivers:
        driver.close()
