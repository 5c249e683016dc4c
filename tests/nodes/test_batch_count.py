"""A batch shows how many videos it asks for: it may be one by accident, as of a GIF through LoadImage."""

from __future__ import annotations

import asyncio

import pytest
from media import plain_images
from mock_faults import ErrorResponse
from wanpack.nodes.image_to_video import DashScopeWanImageToVideo
from wanpack.wan.errors import WanError

SETTINGS = {"prompt": "a cat runs", "model": "wanx2.1-i2v-turbo", "resolution": "480P", "duration": 3}
SILENT = {"model": "wan2.6-i2v-flash", "resolution": "720P", "duration": 2, "generate_audio": False}
UNLISTED = {"model": "wan2.2-i2v-flash", "resolution": "1080P", "duration": 5}


def generate(**settings):
    return asyncio.run(DashScopeWanImageToVideo().generate(**{"image": plain_images(1), **SETTINGS, **settings}))


@pytest.mark.parametrize(
    ("region", "settings", "reported"),
    [
        ("beijing", {"image": plain_images(24)}, "24 videos, about CNY 17.28"),
        ("beijing", {**SILENT, "image": plain_images(3)}, "3 videos, about CNY 0.90"),
        ("singapore", {**UNLISTED, "image": plain_images(2)}, "2 videos"),
    ],
    ids=["24", "silent", "no list price"],
)
def test_a_batch_shows_its_count_and_cost_before_anything_is_sent(serve, quick, comfy, region, settings, reported):
    server = serve(region)
    server.faults.add(on="create", fault=ErrorResponse(400, "InvalidParameter", "no"), times=100)
    shown = []
    comfy.send_progress_text = lambda text, _node: shown.append((text, _creates(server)))
    with pytest.raises(WanError):
        generate(**settings, unique_id="7")
    assert shown[0] == (reported, 0)
    assert any(text.startswith(f"{reported}; 1: ") for text, _ in shown)
    # Nothing else takes the count away before there is a video.
    assert all(text.startswith(reported) for text, _ in shown)


def test_a_batch_of_the_mock_server_shows_no_price(
    bare_environment, standalone_host, nodes, quick, comfy, own_offline_region
):
    offline = nodes.connection("offline")
    generate(image=plain_images(2), connection=offline, unique_id="7")
    texts = [text for _, text in comfy.texts]
    assert texts[0] == "2 videos"
    assert not any("CNY" in text for text in texts)
    assert any(text.startswith("1 of 2 done; ") for text in texts)


def test_one_image_shows_no_count(serve, quick, comfy):
    serve("beijing")
    generate(unique_id="7")
    assert not any("videos" in text for _, text in comfy.texts)


def _creates(server):
    return sum(call.on == "create" for call in server.received)
