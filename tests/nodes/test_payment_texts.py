"""What the status says of payments: what was paid, and nothing in offline mode."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest
from media import plain_images
from mock_faults import ErrorResponse, Stalled, TaskStuck, Throttling
from wanpack.nodes.image_to_video import DashScopeWanImageToVideo
from wanpack.wan.errors import DownloadFailed
from wanpack.wan.messages import ENGLISH, localize
from wanpack.wan.tasks.receipt import SavedVideo, cost_text

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
            "stopped; whether task {} was cancelled is unknown: run the same graph again to get its video",
        ),
        (
            "rendering",
            [("create", TaskStuck("RUNNING"))],
            "stopped; task {} is still running in offline mode: run the same graph again to get its video",
        ),
        (
            "downloading",
            [("download", Stalled(1000))],
            "stopped; the video of task {} is finished: run the same graph again to save it",
        ),
    ],
    ids=["unsent", "queued", "not cancelled", "rendering", "downloading"],
)
@pytest.mark.usefixtures("patient_stop")
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


def test_the_end_says_what_was_paid(serve, quick, comfy):
    serve("beijing")
    generate()
    assert comfy.texts[-1][1] == "saved i2v_00001_.mp4, paid CNY 0.72"
    generate()
    assert comfy.texts[-1][1] == "already saved: reused free of charge; change the seed for a new video"


def test_a_batch_says_what_its_new_videos_cost(serve, quick, comfy):
    serve("beijing")
    generate()
    generate(image=plain_images(3))
    assert comfy.texts[-1][1] == "3 videos saved, paid CNY 1.44"


def test_offline_mode_says_nothing_of_payments(offline_server, nodes, quick, comfy):
    for count in (1, 1, 3):
        generate(image=plain_images(count), connection=nodes.connection("offline"))
    texts = [text for _, text in comfy.texts]
    assert "saved i2v_00001_.mp4" in texts
    assert "already saved: reused; change the seed for a new video" in texts
    assert not any(PAYMENT.search(text) for text in texts)


def test_what_offline_mode_cannot_download_is_not_called_paid(offline_server, nodes, quick):
    offline_server.faults.add(on="download", fault=ErrorResponse(500), times=100)
    with pytest.raises(DownloadFailed) as caught:
        generate(connection=nodes.connection("offline"))
    assert "The video is available for 24 hours" in str(caught.value)


def video(billed=None, estimated=None, *, reused=False, currency="CNY"):
    """A video that was billed and estimated at some amounts."""
    costs = {"billed_cost": billed, "estimated_cost": estimated}
    named = {name: {"amount": amount, "currency": currency} for name, amount in costs.items() if amount is not None}
    return SavedVideo(Path("a.mp4"), "task", {"reused": reused, **dict.fromkeys(costs), **named})


@pytest.mark.parametrize(
    ("videos", "text"),
    [
        ([], ""),
        ([video(1.5, 3.0)], ", paid CNY 1.50"),
        ([video(None, 1.5)], ", about CNY 1.50"),
        ([video()], ""),
        ([video(estimated=0.0)], ""),
        ([video(1.5, 3.0, reused=True)], ""),
        ([video(0.1, 1.5), video(0.2, 1.5), video(9, 9, reused=True)], ", paid CNY 0.30"),
        ([video(1.0, 1.5), video(None, 1.5)], ", about CNY 3.00"),
        ([video(3.67), video(0.5, currency="USD"), video(0.25, currency="USD")], ", paid CNY 3.67 + USD 0.75"),
    ],
)
def test_what_was_billed_counts_or_else_the_estimate(videos, text):
    assert localize(cost_text(videos), ENGLISH) == text
