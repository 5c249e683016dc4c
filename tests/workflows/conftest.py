"""The shipped workflows, and each of them run offline by the command `run`, as its user runs it."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
import logging
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from small_videos import QUARTER, small_videos

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "workflows"
FILES = {path.stem.partition("_")[2]: path.stem for path in sorted(FOLDER.glob("*.json"))}
"""The names of the workflows' files, which begin with their place in the list of templates, by the names without it."""
NAMES = tuple(FILES)
NOTES = ("Note", "MarkdownNote")
SCALES = {"chain_clips": 2, "continue_video": 2, "edit_video": 2, "long_film": 2}
"""What the width and height of a workflow's videos are divided by. What goes on from a video is of an allowed size."""


def _load_cli():
    # By path and not through sys.path: `nodes` must not become a top-level module by the way.
    folder = ROOT / "cli"
    spec = importlib.util.spec_from_file_location(
        "cli", folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    module = importlib.util.module_from_spec(spec)
    sys.modules["cli"] = module
    spec.loader.exec_module(module)


if "cli" not in sys.modules:
    _load_cli()


@dataclass(frozen=True)
class Flow:
    """One workflow in its two formats."""

    name: str
    ui: dict[str, Any]
    api: dict[str, Any]

    @property
    def notes(self) -> list[str]:
        """The texts of its notes."""
        return [node["widgets_values"][0] for node in self.ui["nodes"] if node["type"] in NOTES]

    @property
    def nodes(self) -> list[dict[str, Any]]:
        """The nodes of the UI format that run."""
        return [node for node in self.ui["nodes"] if node["type"] not in NOTES]


@dataclass(frozen=True)
class Ran:
    """What a run printed, and what came to the mock server meanwhile. `videos` are in the order they were printed.

    Their width and height are those of the service's videos divided by `scale`.
    """

    status: int
    out: str
    err: str
    folder: Path
    scale: int
    creates: list[Any]
    tasks: list[Any]

    @property
    def videos(self) -> list[Path]:
        return [Path(line) for line in self.out.splitlines()]


def read(name):
    return Flow(
        name,
        ui=json.loads((FOLDER / f"{FILES[name]}.json").read_text("utf-8")),
        api=json.loads((FOLDER / "api" / f"{FILES[name]}.json").read_text("utf-8")),
    )


@pytest.fixture(params=NAMES)
def flow(request):
    """Every workflow in turn."""
    return read(request.param)


@pytest.fixture
def read_flow():
    return read


@pytest.fixture(scope="session")
def runner(tmp_path_factory):
    """The command `run` with a mock server whose tasks end as soon as their videos are there."""
    from cli.pack import load_pack

    pack = load_pack(ROOT)
    offline = pack.module("offline.server")
    timing = pack.module("offline.tasks").Timing(scale=0)
    # Its rates would be counted in real seconds, ours are not.
    mock_server = offline.OfflineServer(timing=timing, enforce_rates=False)
    with mock_server as server, pytest.MonkeyPatch.context() as patch:
        # The mock server of the region "offline", but for its tempo.
        patch.setattr(offline, "shared_servers", [server])
        host = pack.module("nodes.host")
        before = host.configure(clock=pack.module("wan.tasks.retry").Clock(0.1))
        yield Runner(server, tmp_path_factory.mktemp("runs"), pack.module("offline.render"))
        host.configure(**vars(before))


class Runner:
    """Runs each workflow once, in a folder of its own, and remembers what came of it."""

    def __init__(self, server: Any, folder: Path, renderer: ModuleType) -> None:
        self._server = server
        self._folder = folder
        self._renderer = renderer
        self._ran: dict[str, Ran] = {}

    def __call__(self, name: str) -> Ran:
        if name not in self._ran:
            self._ran[name] = self._run(FOLDER / "api" / f"{FILES[name]}.json", SCALES.get(name, QUARTER))
        return self._ran[name]

    def graph(self, graph: dict[str, Any], path: Path) -> Ran:
        """Run a graph that is not shipped and goes on from a video, from a file beside which its media are."""
        path.write_text(json.dumps(graph), "utf-8")
        return self._run(path, SCALES["continue_video"])

    def _run(self, path: Path, scale: int) -> Ran:
        from cli.run import main

        folder, since = self._folder / path.stem, time.time()
        out, err = io.StringIO(), io.StringIO()
        with (
            small_videos(scale, self._renderer),
            _restored(),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            status = main([str(path), "--out", str(folder)])
        return Ran(
            status,
            out.getvalue(),
            err.getvalue(),
            folder,
            scale,
            creates=[call for call in self._server.received if call.on == "create" and call.at >= since],
            tasks=[task for task in self._server.tasks if task.submitted >= since],
        )


@contextlib.contextmanager
def _restored():
    """A command may leave the environment and the log as it likes: its process ends. Here it does not."""
    logger = logging.getLogger("dashscope_wan")
    kept = logger.handlers, logger.level, logger.propagate
    with pytest.MonkeyPatch.context() as patch:
        for variable in ("DASHSCOPE_REGION", "DASHSCOPE_WAN_HOME", "DASHSCOPE_BASE_URL", "DASHSCOPE_API_KEY"):
            patch.setenv(variable, "")
        try:
            yield
        finally:
            logger.handlers, logger.level, logger.propagate = kept


@pytest.fixture(params=NAMES)
def name(request):
    """The name of every workflow in turn."""
    return request.param


@pytest.fixture
def ran(name, runner):
    """What every workflow in turn came to."""
    return runner(name)
