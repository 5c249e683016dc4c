"""What the status says of payments: nothing in offline mode, where nothing is paid."""

from __future__ import annotations

import asyncio
import re

import pytest
from media import plain_images
from mock_faults import ErrorResponse, Stalled, TaskStuck, Throttling
from wanpack.nodes.image_to_video import DashScopeWanImageToVideo

SETTINGS = {"prompt": "a cat runs", "model": "wanx2.1-i2v-turbo", "resolution": "480P", "duration": 3}
PAYMENT = re.compile(r"paid|pay|charge|cost|free|CNY", re.IGNORECASE)


def generate(**settings):
    return asyncio.run(
        DashScopeWanImageToVideo().generate(**{"image": plain_images(1), "unique_id": "7", **SETTINGS, **settings})
    )


@pytest.fixture
def offline_server(bare_environment, standalone_host, monkeypatch, server_key):
    """The mock server of the region "offline". Tasks end at once."""
    from mock_server import MockServer
    from wanpack.offline import server as offline
    from wanpack.offline.tasks import Timing

    with MockServer(region="offline", key=server_key, timing=Timing(scale=0)) as server:
        monkeypatch.setattr(offline, "shared_servers", [server])
        yield server


@pytest.mark.parametrize(
    ("stop_at", "faults", "end"),
    [
        ("rate limited", [("create", Throttling(retry_after=60))], "stopped before submission"),
        ("queued", [("create", TaskStuck("PENDING"))], "stopped; task {} was still queued and is cancelled"),
        (
            "queued",
            [("create", TaskStuck("PENDING")), ("cancel", ErrorResponse())],
            "stopped; whether task {} was cancelled is unknown",
        ),
        ("rendering", [("create", TaskStuck("RUNNING"))], "stopped; task {} is still running in offline mode"),
        (
            "downloading",
            [("download", Stalled(1000))],
            "stopped; the video of task {} is finished: run the same graph again to save it",
        ),
    ],
    ids=["unsent", "queued", "not cancelled", "rendering", "downloading"],
)
def test_stop_in_offline_mode_says_nothing_of_payments(offline_server, nodes, comfy, caplog, stop_at, faults, end):
    for on, fault in faults:
        offline_server.faults.add(on=on, fault=fault, times=100)
    comfy.stop_at = stop_at
    with pytest.raises(comfy.interruption):
        generate(connection=nodes.connection("offline"))
    texts = [text for _, text in comfy.texts]
    assert texts[-1] == end.format(*[task.id for task in offline_server.tasks])
    assert not any(PAYMENT.search(text) for text in texts)
    assert not [text for text in caplog.messages if re.search(r"Stopped.*(paid|charged)", text)]
