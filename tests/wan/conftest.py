"""A bench for the tasks layer: the mock server as a live region, folders of its own, and waiting that takes no time."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zlib import crc32

import media
import numpy as np
import pytest
from mock_faults import HtmlPage, TaskStuck, Truncated
from mock_server import MockServer
from skipping import SkippingClock
from wanpack.offline.tasks import Timing
from wanpack.wan.api.client import Client
from wanpack.wan.api.endpoint import Connection, Endpoint
from wanpack.wan.api.request import to_json
from wanpack.wan.api.settings import read_settings
from wanpack.wan.catalog.fields import VideoRequest
from wanpack.wan.catalog.media import EDITED_VIDEO, REFERENCE_IMAGE
from wanpack.wan.catalog.regions import REGIONS
from wanpack.wan.catalog.spec import IMAGE_TO_VIDEO, REFERENCE_TO_VIDEO, TEXT_TO_VIDEO, VIDEO_EDIT
from wanpack.wan.errors import WanError
from wanpack.wan.ledger.ledger import Ledger
from wanpack.wan.ledger.record import Record, State
from wanpack.wan.messages import ENGLISH, Text, localize
from wanpack.wan.redaction import Secret
from wanpack.wan.tasks.batch import Batch
from wanpack.wan.tasks.fetch_task import FetchRequest, fetch_video
from wanpack.wan.tasks.media import Reference
from wanpack.wan.tasks.runner import make_videos

if TYPE_CHECKING:
    from wanpack.wan.tasks.retry import Clock

KEY = "sk-bench-5c1f8e0b7a3d4296"
ROOT = Path(__file__).resolve().parents[2]
MODEL = "wanx2.1-i2v-turbo"


@dataclass(frozen=True)
class Kind:
    """What a run can ask for: a model, its cheapest settings, and the node's inputs beside the first frame.

    A `video` is in the place of the first frame. Other jobs have no first frame, but references.
    """

    model: str
    resolution: str
    duration: int
    inputs: tuple[str, ...] = ()
    job: str = IMAGE_TO_VIDEO
    node: str = "DashScopeWanImageToVideo"
    widgets: Mapping[str, Any] = field(default_factory=dict)


KINDS = {
    "plain": Kind(MODEL, "480P", 3),
    "sound": Kind("wan2.6-i2v-flash", "720P", 2, ("audio",)),
    "wan2.7": Kind("wan2.7-i2v", "720P", 2, ("audio", "last_frame")),
    "wan3.0": Kind("wan3.0-video", "480P", 2),
    "happyhorse": Kind("happyhorse-1.1-i2v", "480P", 3),
    "kf2v": Kind("wan2.2-kf2v-flash", "480P", 5, ("last_frame",)),
    "continue": Kind("wan2.7-i2v", "720P", 3, ("video",), node="DashScopeWanContinueVideo"),
    "text": Kind("wan2.7-t2v", "720P", 2, (), TEXT_TO_VIDEO, "DashScopeWanTextToVideo", {"ratio": "16:9"}),
    "reference": Kind(
        *("wan2.7-r2v", "720P", 2, ("reference", "voice"), REFERENCE_TO_VIDEO, "DashScopeWanReferenceToVideo"),
        {"ratio": "16:9"},
    ),
    "edit": Kind("wan2.7-videoedit", "720P", 0, ("video",), VIDEO_EDIT, "DashScopeWanVideoEdit"),
}
AUDIO = {"waveform": np.zeros((1, 1, 4 * 16000), np.float32), "sample_rate": 16000}


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

    def report(self, fraction: float, text: Text) -> None:
        text = localize(text, ENGLISH)
        assert 0 <= fraction <= 1
        self.texts.append(text)
        if self.stop_at and self.stop_at in text:
            self.press()
        for part in [part for part in self.at if part in text]:
            self.at.pop(part)()

    def press(self) -> None:
        self.pressed_at = self.pressed_at or time.monotonic()

    async def wait_for_interrupt(self) -> None:
        while True:
            await asyncio.sleep(0.05)
            self.raise_if_interrupted()

    def raise_if_interrupted(self) -> None:
        if self.pressed_at:
            self.heard_at = self.heard_at or time.monotonic()
            raise Interrupted


@dataclass
class Bench:
    """One mock server behind Beijing's URL, and the folders of one user."""

    server: MockServer
    folder: Path
    home: Path
    clock: Clock
    new_ledger: Callable[[Path], None]

    @property
    def output(self) -> Path:
        return self.folder / "output"

    def batch(
        self, *, prompt: str = "a cat", seed: int = 1, images: int = 1, kind: str = "plain", **more: Any
    ) -> Batch:
        asked = KINDS[kind]
        request = VideoRequest(
            job=asked.job,
            model=asked.model,
            resolution=asked.resolution,
            duration=asked.duration,
            prompt=prompt,
            seed=seed,
            **asked.widgets,
        )
        if "audio" in asked.inputs:
            more.setdefault("audio", AUDIO)
        if "last_frame" in asked.inputs:
            more["last_frames"] = 1 - image()

        def open_clip() -> Path:
            return clip(self.folder / "clip.mp4")

        if asked.job == VIDEO_EDIT:
            more["references"] = [Reference(EDITED_VIDEO, "video", open_clip=open_clip)]
        elif "video" in asked.inputs:
            more["open_clip"] = open_clip
        if "reference" in asked.inputs:
            one = image()[0]
            more["references"] = [
                Reference(REFERENCE_IMAGE, "reference_1", image=one, voice=AUDIO, voice_name="voice_1")
            ]
        wait = more.pop("max_wait_minutes", 60)
        if "home" in more:
            self.new_ledger(more["home"])
        return Batch(
            request,
            image(images) if asked.job == IMAGE_TO_VIDEO else None,
            self.output,
            more.pop("filename_prefix", "wan/video"),
            more.pop("home", self.home),
            connection=Connection(max_wait_minutes=wait),
            clock=self.clock,
            **more,
        )

    def run(self, batch: Batch | None = None, *, watch: Watch | None = None) -> Any:
        """Run to the end and return the saved videos; one that is only one by itself."""
        videos = asyncio.run(make_videos(batch or self.batch(), monitor=watch or Watch()))
        return videos if len(videos) > 1 else videos[0]

    def leave_part(self, *, sent: int) -> Path:
        """Have a run end with the first bytes of its video, and return the partial download."""
        self.server.faults.add(on="download", fault=Truncated(sent))
        self.server.faults.add(on="download", fault=HtmlPage(400), times=1)
        with pytest.MonkeyPatch.context() as patch:
            # A busy machine has all the time that it needs for them.
            patch.setattr("wanpack.wan.tasks.save_video.STALL_SECONDS", 60.0 / self.clock.scale)
            with pytest.raises(WanError, match="HTTP 400"):
                self.run()
        [part] = self.strays
        return part

    def fetch(self, task_id: str, *, watch: Watch | None = None) -> Any:
        batch = FetchRequest(task_id, self.output, "wan/task", self.home, clock=self.clock)
        return asyncio.run(fetch_video(batch, monitor=watch or Watch()))

    def foreign_task(self, *, model: str = MODEL, stuck: str = "RUNNING") -> Any:
        """Submit a task as another machine of the account does, which never leaves that state, and return it."""
        client = Client(Endpoint(REGIONS["beijing"], self.server.base_url, Secret(self.server.key)))
        self.server.faults.add(on="create", fault=TaskStuck(stuck))
        given = {"prompt": "a dog", "img_url": "https://example.com/a.jpg"}
        client.create_task(to_json({"model": model, "input": given, "parameters": {"resolution": "480P"}}))
        client.close()
        return self.server.tasks[-1]

    def make_used(self) -> Bench:
        """Let the user have made a video before: the list and the ledger have its task, so the list can prove much."""
        task = self.foreign_task()
        task.frozen_in = None
        identity = Secret(f"{self.server.base_url}\0{self.server.key}")
        ledger = Ledger(self.home, url=read_settings(self.home).ledger_url, identity=identity)
        ledger.open()
        known = {"account": ledger.account, "region": "beijing", "model": MODEL, "task_id": task.id, "request_id": "r"}
        times = dict.fromkeys(("created_at", "sent_at", "service_sent_at", "submitted_at"), task.submitted)
        ledger.save(Record("another", state=State.SUCCEEDED.value, **known, **times))
        ledger.close()
        return self

    def live_home(self, name: str) -> Path:
        """A home whose settings lead to this bench's server, for when there are several."""
        home = self.folder / "homes" / name
        if not home.exists():
            self.new_ledger(home)
            set_up(home, base_url=self.server.base_url, api_key=self.server.key)
        return home

    def ledger(self) -> Any:
        """Open the ledger beside the runs."""
        from wanpack.wan.ledger.ledger import Ledger

        return Ledger(self.home, url=read_settings(self.home).ledger_url)

    def rotate_key(self, key: str) -> None:
        """Let the owner set another key, and the service take that one alone."""
        self.server.state.key = key
        os.environ["DASHSCOPE_API_KEY"] = key

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
    def videos(self) -> list[Path]:
        return sorted(self.output.rglob("*.mp4"))

    @property
    def strays(self) -> list[Path]:
        """Everything under output/ that is no video."""
        return sorted(path for path in self.output.rglob("*") if path.is_file() and path.suffix != ".mp4")


def image(images: int = 1) -> Any:
    """IMAGE: noise, so that the video has some bytes."""
    return np.repeat(media.noise(300, block=5), images, axis=0)


def clip(path: Path) -> Path:
    """A video of 2 s, which is made when it is not there yet."""
    if not path.exists():
        new = media.clip(path.with_suffix(".new"), seconds=2, size=(240, 240), container="mp4")
        new.replace(path)
    return path


def set_up(home: Path, **settings: str) -> None:
    """Add settings to those of a home."""
    home.mkdir(parents=True, exist_ok=True)
    path = home / "credentials.toml"
    path.touch(0o600)
    with path.open("a") as file:
        file.writelines(f'{name} = "{value}"\n' for name, value in settings.items())


@pytest.fixture
def new_ledger(engine, new_database):
    """Let a home without settings have a ledger of its own, on the engine of the test."""

    def prepare(home: Path) -> None:
        if engine == "postgresql" and not (home / "credentials.toml").exists():
            set_up(home, ledger_url=new_database())

    return prepare


@pytest.fixture
def make_bench(bare_environment, tmp_path, new_ledger):
    """Make a bench; the settings of MockServer by name. The environment leads to the last one."""
    benches = []

    def make(**settings: Any) -> Bench:
        settings.setdefault("timing", Timing(scale=0))
        waiting = settings.pop("waiting", None) or SkippingClock(ready=lambda: server.wait_idle(0))
        if isinstance(waiting, SkippingClock):
            settings.setdefault("clock", waiting.wall)
            # Time that is skipped is nobody's: a run in this process is alive as long as it works.
            bare_environment.setattr("wanpack.wan.ledger.postgres.LEASE_SECONDS", 50.0 / waiting.scale)
            bare_environment.setattr("wanpack.wan.ledger.ledger.RENEWAL_SECONDS", 15.0 / waiting.scale)
        # A database may take as long as a busy machine needs.
        bare_environment.setattr("wanpack.wan.ledger.postgres.ANSWER_SECONDS", 60.0)
        server = MockServer(region="beijing", key=KEY, **settings).start()
        bare_environment.setenv("DASHSCOPE_REGION", "beijing")
        bare_environment.setenv("DASHSCOPE_BASE_URL", server.base_url)
        bare_environment.setenv("DASHSCOPE_API_KEY", server.key)
        benches.append(Bench(server, tmp_path, tmp_path / "home", waiting, new_ledger))
        new_ledger(tmp_path / "home")
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


@dataclass(frozen=True)
class Ended:
    """How a run of `dev.py run` ended: its exit status, or the negative number of a signal, and what it printed."""

    status: int
    out: str
    err: str

    @property
    def videos(self) -> list[Path]:
        """The saved videos."""
        return [] if self.status else [Path(line) for line in self.out.splitlines()]

    @property
    def receipts(self) -> list[dict[str, Any]]:
        """What its PreviewAny nodes show."""
        return [json.loads(line.partition(": ")[2]) for line in self.err.splitlines() if ": {" in line]


@dataclass(frozen=True)
class Graph:
    """A workflow file of one of our nodes, in a folder with all it takes, which the command-line runner runs.

    `images` times the same image, for a video each. `also` are prompts of more such nodes,
    each with an image of its own.
    """

    folder: Path
    prompt: str
    seed: int = 1
    images: int = 1
    kind: str = "plain"
    also: tuple[str, ...] = ()

    def write(self) -> Path:
        """Write the file, and what it takes."""
        self.folder.mkdir(exist_ok=True)
        self._write_media()
        image: list[Any] = ["1", 0]
        nodes = {"1": ("LoadImage", {"image": "picture.png"}), "9": ("PreviewAny", {"source": ["3", 3]})}
        if self.images > 1:
            nodes["2"] = ("RepeatImageBatch", {"image": image, "amount": self.images})
            image = ["2", 0]
        kind = KINDS[self.kind]
        asked: dict[str, Any] = {"prompt": self.prompt, "seed": self.seed, "filename_prefix": f"video-{self.prompt}"}
        asked |= {"model": kind.model, "resolution": kind.resolution, "duration": kind.duration, "prompt_extend": True}
        if "audio" in kind.inputs:
            nodes["4"] = ("LoadAudio", {"audio": "sound.wav"})
            asked["audio"] = ["4", 0]
        if "last_frame" in kind.inputs:
            asked["last_frame"] = ["1", 0]
        if "voice" in kind.inputs:
            nodes["4"] = ("LoadAudio", {"audio": "sound.wav"})
            asked |= {"reference_1": image, "voice_1": ["4", 0]}
        if "video" in kind.inputs:
            asked["video_path"] = "clip.mp4"
        elif kind.job == IMAGE_TO_VIDEO:
            asked |= {"image": image, "shot_type": "single"}
        nodes["3"] = (kind.node, asked | dict(kind.widgets))
        for number, prompt in enumerate(self.also, 10):
            nodes[f"{number}0"] = ("LoadImage", {"image": self._draw(prompt)})
            nodes[f"{number}"] = (nodes["3"][0], nodes["3"][1] | {"prompt": prompt, "image": [f"{number}0", 0]})
        if self.also:
            nodes["1"] = ("LoadImage", {"image": self._draw(self.prompt)})
        path = self.folder / f"{self.prompt}.json"
        new = path.with_suffix(".new")
        new.write_text(json.dumps({key: {"class_type": kind, "inputs": given} for key, (kind, given) in nodes.items()}))
        # Another process may just read it.
        return new.replace(path)

    def _draw(self, prompt: str) -> str:
        """Draw an image that is no other prompt's, and return the file's name."""
        drawn = media.noise(300, seed=crc32(prompt.encode()), block=75)[0]
        (self.folder / f"{prompt}.png").write_bytes(media.encoded((drawn * 255).astype(np.uint8)))
        return f"{prompt}.png"

    def _write_media(self) -> None:
        if not (self.folder / "sound.wav").exists():
            (self.folder / "picture.png").write_bytes(media.encoded((image()[0] * 255).astype(np.uint8)))
            clip(self.folder / "clip.mp4")
            (self.folder / "sound.wav").write_bytes(media.wav(np.zeros(4 * 16000), rate=16000))


class Driver:
    """`dev.py run` in processes that begin at once: those that the program of `driver.py` forks."""

    def __init__(self) -> None:
        self._asking = threading.Lock()
        self._program = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, str(Path(__file__).with_name("driver.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=bare(),
        )
        assert self._program.stdout is not None
        assert self._program.stdout.readline() == "ready\n"

    def start(
        self, graph: Graph, *, home: Path, output: Path, scale: float, name: str = "", **more: float | str
    ) -> Run:
        """Start a run. `name` tells it from others of the same graph.

        Its `clock` is some seconds ahead. Its `lease` ends after as many real seconds. Its `host` has that name.
        """
        log = graph.folder / (name or graph.prompt)
        Path(f"{log}.end").unlink(missing_ok=True)
        arguments = [str(graph.write()), "--live", "--out", str(output)]
        batch = {"arguments": arguments, "scale": scale, "log": str(log), **more}
        batch["environment"] = {**bare(), "DASHSCOPE_WAN_HOME": str(home)}
        assert self._program.stdout is not None
        assert self._program.stdin is not None
        with self._asking:
            self._program.stdin.write(json.dumps(batch) + "\n")
            self._program.stdin.flush()
            return Run(int(self._program.stdout.readline()), log)

    def close(self) -> None:
        assert self._program.stdout is not None
        assert self._program.stdin is not None
        self._program.stdin.close()
        self._program.wait(10)
        self._program.stdout.close()


@dataclass(frozen=True)
class Run:
    """One run of a driver."""

    pid: int
    log: Path

    def kill(self) -> None:
        """End it at once, where it has not ended."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)

    def wait(self, seconds: float = 60.0) -> Ended | None:
        """Return how it ended, None where it is still under way after some seconds."""
        until = time.monotonic() + seconds
        end = Path(f"{self.log}.end")
        while not end.exists():
            if time.monotonic() > until:
                return None
            time.sleep(0.003)
        return ended(int(end.read_text()), self.log)


def ended(status: int, log: Path) -> Ended:
    """Return how a run ended. One that was killed at once has not even begun to print."""
    printed = (Path(f"{log}.{kind}") for kind in ("out", "err"))
    return Ended(status, *(path.read_text() if path.exists() else "" for path in printed))


def bare() -> dict[str, str]:
    """The environment for a run; the threads of number libraries do not like to be forked."""
    return {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}


@pytest.fixture(scope="session")
def driver():
    """Runs of `dev.py run` in processes that can be killed, with the environment of the test that starts them."""
    if not hasattr(os, "fork"):
        pytest.skip("the driver forks")
    started = Driver()
    yield started
    started.close()


@pytest.fixture
def new_graph():
    return Graph
