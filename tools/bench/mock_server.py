"""The mock server as the bench uses it: as Beijing's URL, by another clock, in this process or in one of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cli.loading import ROOT
from cli.pack import load_pack

from .parts import command


def bare_environment() -> None:
    """Take the owner's settings and proxies away: the bench spends no money and asks nobody else."""
    for name in list(os.environ):
        if name.startswith("DASHSCOPE_") or name.lower().endswith("_proxy"):
            del os.environ[name]


def point_to(home: Path, base_url: str, key: str) -> Path:
    """Write settings that lead to a mock server, and return their folder."""
    home.mkdir(parents=True, exist_ok=True)
    settings = home / "credentials.toml"
    settings.write_text(f'region = "beijing"\nbase_url = "{base_url}"\napi_key = "{key}"\n', encoding="utf-8")
    settings.chmod(0o600)
    return home


@contextmanager
def apart(*, speed: float = 1.0, timing: Mapping[str, float], running_limit: int | None = None) -> Iterator[Any]:
    """A mock server in a process of its own, whose clock runs `speed` times as fast. Yields its URL and key."""
    settings = {"speed": speed, "timing": dict(timing), "running_limit": running_limit}
    with subprocess.Popen(  # noqa: S603 - ours
        command("mock-server", **settings), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        if child.stdin is None or child.stdout is None:
            raise RuntimeError("a pipe was asked for")
        try:
            yield json.loads(child.stdout.readline())
        finally:
            child.stdin.close()
            child.wait(30)


def serve(*, speed: float, timing: Mapping[str, float], running_limit: int | None) -> str:
    """Part: serve until the standard input ends."""
    pack = load_pack(ROOT)
    module, start = pack.module("offline.server"), time.time()
    with module.OfflineServer(
        region="beijing",
        timing=pack.module("offline.tasks").Timing(**timing),
        clock=lambda: start + (time.time() - start) * speed,
        running_limit=running_limit,
        enforce_rates=False,
    ) as server:
        print(json.dumps({"base_url": server.base_url, "key": server.key}), flush=True)
        sys.stdin.read()
    return "ended"
