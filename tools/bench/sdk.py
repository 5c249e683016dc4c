"""The service's own SDK, waiting for tasks of the mock server by a clock that jumps."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from cli.loading import ROOT
from cli.pack import load_pack

from .clock import Clock

_PIXEL = "data:image/png;base64,"


def looks_of_the_sdk(*, lengths: Sequence[float]) -> list[int]:
    """Part: how often the SDK asks for tasks that take so many seconds."""
    import dashscope
    from dashscope.client import base_api

    from .waiting import Lengths

    pack, clock = load_pack(ROOT), Clock()
    vars(base_api)["time"] = SimpleNamespace(sleep=clock.advance, time=clock.read)
    looks = []
    with pack.module("offline.server").OfflineServer(
        region="beijing", timing=Lengths(iter(lengths)), clock=clock.epoch, enforce_rates=False
    ) as server:
        dashscope.base_http_api_url, dashscope.api_key = server.base_url, server.key
        for number in range(len(lengths)):
            task = dashscope.VideoSynthesis.async_call(seed=number, **_call())
            server.wait_idle()
            dashscope.VideoSynthesis.wait(task)
            looks.append(sum(call.on == "query" and task.output.task_id in call.path for call in server.received))
    return looks


def _call() -> dict[str, Any]:
    """A call that the mock server takes."""
    import base64
    import io

    from PIL import Image

    file = io.BytesIO()
    Image.new("RGB", (240, 240)).save(file, "PNG")
    return {
        "model": "wanx2.1-i2v-turbo",
        "prompt": "a cat",
        "img_url": _PIXEL + base64.b64encode(file.getvalue()).decode(),
        "resolution": "480P",
        "duration": 3,
    }
