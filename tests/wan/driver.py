"""Runs `dev.py run` in processes that can be killed, and that begin at once.

Started as a program it loads the runner and the pack once and then forks a process for each line of its input, a JSON
object: the runner's `arguments`, the process's `environment`, the `scale` of the waiting, and `log`, the beginning of
the names of the files that take what the run prints (`.out`, `.err`) and, when it has ended, how (`.end`, an exit
status or the negative number of a signal). It may have by how many seconds the process's `clock` is ahead, after how
many real seconds its `lease` ends in a ledger that machines share, and the name of its `host`. It answers with the
process's id.
"""

from __future__ import annotations

import faulthandler
import importlib
import json
import os
import platform
import signal
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
from cli import run  # noqa: E402 - found by the line above
from cli.pack import load_pack  # noqa: E402

sys.path.remove(str(ROOT))

ENDS = (signal.SIGCHLD,)


def child(batch: dict[str, Any]) -> int:
    """One run, as a process of its own would have it. Returns its exit status."""
    for number, ending in ((1, "out"), (2, "err")):
        os.dup2(os.open(f"{batch['log']}.{ending}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    faulthandler.enable()
    os.environ.clear()
    os.environ.update(batch["environment"])
    real, ahead = time.time, batch.get("clock", 0.0)
    time.time = lambda: real() + ahead
    platform.node = partial(batch.get, "host", platform.node())
    pack = load_pack(ROOT)
    # Of real time: a busy machine does not slow down what a scale shortens.
    postgres, ledger = pack.module("wan.ledger.postgres"), pack.module("wan.ledger.ledger")
    shorter = batch.get("lease", postgres.LEASE_SECONDS) / postgres.LEASE_SECONDS / batch["scale"]
    postgres.LEASE_SECONDS *= shorter
    ledger.RENEWAL_SECONDS *= shorter
    pack.module("nodes.host").configure(clock=pack.module("wan.tasks.retry").Clock(batch["scale"]))
    return run.main(batch["arguments"])


def serve() -> None:
    """Fork a run for each order that comes in."""
    import psycopg  # noqa: F401 - what a run loads on its way
    import sqlalchemy.dialects.postgresql.psycopg
    import sqlalchemy.dialects.sqlite  # noqa: F401

    pack = load_pack(ROOT)
    for name in ("wan.tasks.runner", "wan.net.download"):
        pack.module(name)
    for name in ("av", "cli.core_nodes", "filelock", "numpy.ma", "sqlite3"):
        importlib.import_module(name)
    Image.preinit()

    logs: dict[int, Path] = {}

    def reap(*_: object) -> None:
        """Write down how the runs ended that have. No further end interrupts it."""
        signal.pthread_sigmask(signal.SIG_BLOCK, ENDS)
        for pid in list(logs):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                end = logs.pop(pid)
                end.with_suffix(".new").write_text(str(os.waitstatus_to_exitcode(status)))
                end.with_suffix(".new").replace(end)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDS)

    signal.signal(signal.SIGCHLD, reap)
    print("ready", flush=True)  # noqa: T201 - the response to the test
    for line in sys.stdin:
        batch = json.loads(line)
        signal.pthread_sigmask(signal.SIG_BLOCK, ENDS)
        pid = os.fork()
        if not pid:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDS)
            status = 3
            try:
                status = child(batch)
                sys.stdout.flush()
            finally:
                os._exit(status)
        logs[pid] = Path(f"{batch['log']}.end")
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDS)
        print(pid, flush=True)  # noqa: T201 - the response to the test


if __name__ == "__main__":
    serve()
