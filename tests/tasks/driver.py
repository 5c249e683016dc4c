"""Runs the image node in processes that can be killed.

Started as a program it loads the pack once and then forks a process for each line of its input, a JSON object: `home`,
`output`, `prompt`, `seed`, how many `images`, `scale` of the waiting, whether there is `sound`, whether the `graph` is
written into the films, and `result`, the file that a run writes when it has ended. It answers with the process's id.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[2]


def load_pack() -> None:
    """As ComfyUI does, with all that a run needs."""
    spec = importlib.util.spec_from_file_location(
        "wanpack", ROOT / "__init__.py", submodule_search_locations=[str(ROOT)]
    )
    assert spec is not None and spec.loader is not None
    sys.modules["wanpack"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules["wanpack"])
    for name in ("nodes.tasks.runner", "nodes.media.download"):
        importlib.import_module(f"wanpack.{name}")


def run_node(order: dict[str, Any]) -> dict[str, Any]:
    """Run the node once and return what it gave, or its error."""
    from wanpack.nodes import host
    from wanpack.nodes.errors import WanError
    from wanpack.nodes.image_to_video import DashScopeWanImageToVideo
    from wanpack.nodes.tasks.pauses import TEMPO

    TEMPO.scale = order["scale"]
    if order["graph"]:
        host.metadata = lambda *_: {"prompt": json.dumps({"1": "a graph " * 1000})}
    host.configure(output_folder=Path(order["output"]), home=Path(order["home"]))
    noise = np.random.default_rng(7).random((60, 60, 3), np.float32)
    sound = {"waveform": np.zeros((1, 1, 4 * 16000), np.float32), "sample_rate": 16000}
    try:
        made = asyncio.run(
            DashScopeWanImageToVideo().generate(
                image=np.repeat(noise.repeat(4, axis=0).repeat(4, axis=1)[None], order["images"], axis=0),
                prompt=order["prompt"],
                model="wan2.6-i2v-flash" if order["sound"] else "wanx2.1-i2v-turbo",
                resolution="720P" if order["sound"] else "480P",
                duration=2 if order["sound"] else 3,
                seed=order["seed"],
                filename_prefix=f"film-{order['prompt']}",
                audio=sound if order["sound"] else None,
            )
        )
    except WanError as error:
        return {"error": str(error)}
    paths, _, task_ids, receipts = made["result"]
    return {"paths": paths, "task_ids": task_ids, "receipts": [json.loads(receipt) for receipt in receipts]}


def child(order: dict[str, Any]) -> None:
    """One run, whose end is seen by its result."""
    result = Path(order["result"])
    part = result.with_suffix(".new")
    try:
        made = run_node(order)
    except BaseException:  # noqa: BLE001 - whatever it is, it belongs into the test's report
        made = {"error": traceback.format_exc()}
    part.write_text(json.dumps(made))
    part.replace(result)


def serve() -> None:
    """Fork a run for each order that comes in."""
    load_pack()
    # Nobody waits for the children here: their ends are seen from outside.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    print("ready", flush=True)  # noqa: T201 - the answer to the test
    for line in sys.stdin:
        order = json.loads(line)
        pid = os.fork()
        if not pid:
            try:
                child(order)
            finally:
                os._exit(0)
        print(pid, flush=True)  # noqa: T201


if __name__ == "__main__":
    serve()
