"""An untrusted workflow, run by the nodes themselves: it reads, writes and calls nothing that it should not."""

from __future__ import annotations

import asyncio
import contextlib
from urllib.parse import urlsplit

import pytest
import torch
from media import plain_images
from mock_faults import ErrorResponse, JsonBody
from wanpack.nodes import host
from wanpack.nodes.connection import DashScopeWanConnection
from wanpack.nodes.fetch_task import DashScopeWanFetchTask
from wanpack.nodes.image_to_video import DashScopeWanImageToVideo
from wanpack.nodes.video_effect import DashScopeWanVideoEffect
from wanpack.wan.errors import DownloadFailed, WanError
from wanpack.wan.tasks.retry import Clock

FINE = {"prompt": "a cat", "model": "wanx2.1-i2v-turbo", "resolution": "480P", "duration": 3, "shot_type": "single"}
EFFECT = {"template": "flying", "model": "wanx2.1-i2v-turbo", "resolution": "480P", "duration": 3}


@pytest.fixture
def server(live_server, net, monkeypatch):
    """The service, which refuses every request that comes as far as that."""
    host.configure(clock=Clock(0.001))
    live_server.faults.add(on="create", fault=ErrorResponse(400, "InvalidParameter", "no"), times=10**6)
    return live_server


@pytest.fixture
def own(server):
    address = urlsplit(server.base_url)
    return (address.hostname, address.port)


def named(values):
    """A short name of a case."""
    return "-".join(values) if isinstance(values, dict) else "value"


def run(node, **inputs):
    with contextlib.suppress(WanError):
        called = getattr(node(), node.FUNCTION)(**inputs)
        asyncio.run(called) if asyncio.iscoroutine(called) else called


@pytest.mark.parametrize(
    "values",
    [
        *({"filename_prefix": one} for one in ("../../x", "/tmp/x", "C:\\x", "\\\\evil.example\\x", "a\0b", "x" * 300)),  # noqa: S108 - is refused
        *(
            {"audio_url": one}
            for one in ("http://169.254.169.254/a.mp3", "file:///etc/passwd", "http://127.0.0.1:9/a.wav")
        ),
        *({"audio_url": one} for one in ("oss://a/../../b.wav", "javascript:x", "http://[::1", "x" * 100_000)),
        *(
            {"prompt": one}
            for one in ("\ud800", "x" * 1_000_000, "\0", '"}, "model": "x', "${jndi:ldap://evil.example/}")
        ),
        *({"model": one} for one in ("../x", "wan2.6-i2v-flash\r\nX: y", "", None, ["wan2.6-i2v-flash"], {"a": 1})),
        *({"seed": one} for one in (-1, 2**31, 10**5000, 1.5, float("nan"), "7", None, True)),
        *({"duration": one} for one in (0, -5, 10**9, 3.0, "3", float("inf"), None, [3])),
        *(
            {name: one}
            for name in ("prompt_extend", "generate_audio", "watermark")
            for one in ("false", 2, None, [], {})
        ),
        *({"resolution": one} for one in ("8K", "", None, 480, ["480P"])),
        *({"image": one} for one in (None, 7, "x", [], torch.zeros(0), torch.zeros(1, 2, 3), torch.zeros(1, 9, 9, 2))),
        *({"image": torch.full((1, 240, 240, 3), one)} for one in (float("nan"), float("inf"), 1e38, -1e38)),
        *(
            {"audio": one}
            for one in (7, {}, {"waveform": 1, "sample_rate": 2}, {"waveform": None, "sample_rate": None})
        ),
        *({"connection": one} for one in ("https://evil.example", {"base_url": "https://evil.example"}, 7, [])),
        *({"graph": one} for one in ({"a": float("nan")}, "x", ["\ud800"], 7)),
        *({"extra_pnginfo": one} for one in ([], "x", 7, {"workflow": {"\ud800": 1}}, {"../x": "y", "a=b\n": "c"})),
        *({"unique_id": one} for one in (None, ["1"], "../1", 7)),
    ],
    ids=named,
)
def test_odd_values_end_in_an_error_of_ours_and_call_nobody_else(values, server, own, net, tmp_path):
    before = sorted(path for path in tmp_path.rglob("*") if path.is_file())
    run(DashScopeWanImageToVideo, **{"image": plain_images(), **FINE, **values})
    if not set(values) & {"audio_url", "generate_audio", "audio", "shot_type", "prompt", "prompt_extend"}:
        run(DashScopeWanVideoEffect, **{"image": plain_images(), **EFFECT, **values})
    assert net.tried_but(own) == []
    made = [path for path in tmp_path.rglob("*") if path.is_file() and path not in before]
    assert all(path.is_relative_to(tmp_path / "output") or path.is_relative_to(tmp_path / ".wan") for path in made)


@pytest.mark.parametrize(
    "choice",
    [
        *(
            {"region": one}
            for one in ("https://evil.example", "evil.example", None, 7, [], {"a": 1}, "\ud800", "x" * 10**6)
        ),
        *(
            {"region": "beijing", "workspace_id": one}
            for one in ("evil.example/", "a@b", None, 7, [], "\r\nX: y", "sk-abc")
        ),
        *(
            {"region": "beijing", "max_wait_minutes": one}
            for one in (10**400, 1441, 0, -1, None, "60", 1.5, float("nan"), [], True)
        ),
    ],
    ids=named,
)
def test_an_odd_connection_leads_nowhere(choice, server, own, net):
    connection = DashScopeWanConnection().connect(**choice)[0]
    with pytest.raises(WanError):
        asyncio.run(DashScopeWanImageToVideo().generate(image=plain_images(), connection=connection, **FINE))
    with pytest.raises(WanError):
        asyncio.run(DashScopeWanFetchTask().fetch(task_id="t-1", connection=connection))
    assert net.tried_but(own) == []
    assert server.received == []


@pytest.mark.parametrize(
    "task_id",
    [
        *(
            "",
            "..",
            "../x",
            "a/b",
            "a?b",
            "a#b",
            "x\r\nX: y",
            "\ud800",
            "x" * 10_000,
            "http://evil.example/",
            "%2e%2e",
            "a b",
        ),
        *(None, 7, [], {"a": 1}, b"x", True),
    ],
    ids=named,
)
def test_what_is_no_task_is_not_asked_for(task_id, server):
    with pytest.raises(WanError):
        asyncio.run(DashScopeWanFetchTask().fetch(task_id=task_id))
    assert server.received == []


@pytest.mark.parametrize(
    "url",
    [
        *(
            "http://127.0.0.1:9/v.mp4",
            "http://localhost/v.mp4",
            "http://[::1]/v.mp4",
            "http://0.0.0.0/",
            "http://10.0.0.1/",
        ),
        *(
            "http://192.168.1.1/reboot",
            "http://169.254.169.254/latest/meta-data",
            "http://100.100.100.200/",
            "http://router/",
        ),
        *(
            "https://nas.local/v.mp4",
            "http://2130706433/",
            "http://0x7f.1/",
            "http://[::ffff:127.0.0.1]/",
            "http://video.example/",
        ),
        *(
            "file:///etc/passwd",
            "ftp://video.example/v.mp4",
            "data:video/mp4;base64,AAAA",
            "oss://bucket/v.mp4",
            "//x",
            "v.mp4",
        ),
        *(
            "http://127.0.0.1:{port}@10.0.0.1/",
            "http://10.0.0.1#@127.0.0.1:{port}/",
            "http://127.0.0.1:{port}0/",
            "http://[::",
        ),
    ],
)
def test_a_hostile_service_sends_nobody_anywhere(url, server, own, net, tmp_path):
    net.names["video.example"] = ["10.0.0.1"]
    address = url.format(port=own[1]) if "{port}" in url else url
    body = {"output": {"task_status": "SUCCEEDED", "video_url": address}, "request_id": "r"}
    server.faults.add(on="query", fault=JsonBody(body), times=10**6)
    with pytest.raises(DownloadFailed) as caught:
        asyncio.run(DashScopeWanFetchTask().fetch(task_id="t-1"))
    assert "run the same graph again" in str(caught.value)
    assert net.tried_but(own) == []
    assert {call.on for call in server.received} == {"query"}
    assert list((tmp_path / "output").rglob("*.mp4*")) == []
