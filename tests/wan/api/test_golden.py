"""The official sample calls: the nodes, given the same settings, send the same bodies to a real HTTP server."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from pathlib import Path

import pytest
import torch
from mock_faults import TaskFails
from wanpack.nodes import host
from wanpack.nodes.image_to_video import DashScopeWanImageToVideo
from wanpack.nodes.video_effect import DashScopeWanVideoEffect
from wanpack.wan.api.errors import ServiceError
from wanpack.wan.tasks.retry import Clock

SAMPLES = {path.stem: json.loads(path.read_text("utf-8")) for path in (Path(__file__).parent / "requests").iterdir()}
IMAGE = torch.linspace(0, 1, 256).expand(1, 240, 256)[..., None].expand(1, 240, 256, 3)
DATA_URI = re.compile(r"data:image/(png|jpeg);base64,([A-Za-z0-9+/]+={0,2})")

# What we send beside a sample's own fields: the service's defaults of settings that the model's row has.
MAY_BE_ADDED = {
    "wan2.6-i2v-flash": {"seed", "watermark", "duration", "shot_type", "audio"},
    "wan2.5-i2v-preview": {"seed", "watermark", "duration"},
    "wan2.2-i2v-plus": {"seed", "watermark", "duration"},
    "wanx2.1-i2v-turbo": {"seed", "watermark", "duration"},
}
SERVICE_DEFAULTS = {"seed": 0, "watermark": False, "duration": 5, "shot_type": "single", "audio": True}


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """The failure of a task is waited for a twentieth of its time."""
    host.configure(clock=Clock(0.05))


def settings_of(sample):
    """The node's settings for a sample call."""
    given, wanted = sample["input"], sample["parameters"]
    inputs = {"image": IMAGE, "model": sample["model"]}
    inputs |= {name: given[name] for name in ("prompt", "negative_prompt", "audio_url", "template") if name in given}
    inputs |= {
        name: wanted[name] for name in ("resolution", "prompt_extend", "duration", "shot_type") if name in wanted
    }
    return inputs


def sent_by(node, server, settings):
    """Run a node for real and return what was POSTed. The task fails, so that no video is waited for."""
    server.faults.add(on="create", fault=TaskFails())
    with pytest.raises(ServiceError) as failed:
        asyncio.run(node.generate(**settings))
    assert failed.value.code == "InternalError.Algo"
    [call] = [one for one in server.received if one.on == "create"]
    return call


def test_there_are_the_seven_samples():
    assert set(SAMPLES) == {
        *("audio_file", "auto_dubbing", "base64", "multi_shot", "negative_prompt", "silent", "video_effect"),
    }


@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_call_is_sent_as_it_is_documented(name, live_server):
    sample = SAMPLES[name]
    node, settings = DashScopeWanImageToVideo(), settings_of(sample)
    if "template" in settings:
        node = DashScopeWanVideoEffect()
    else:
        settings.setdefault("duration", 5)
    body = sent_by(node, live_server, settings).body

    assert body["model"] == sample["model"]
    assert {**body["input"], "img_url": ""} == {**sample["input"], "img_url": ""}
    same = {field: body["parameters"].get(field) for field in sample["parameters"]}
    assert same == sample["parameters"]
    added = {field: value for field, value in body["parameters"].items() if field not in sample["parameters"]}
    assert set(added) <= MAY_BE_ADDED[sample["model"]]
    assert added == {field: SERVICE_DEFAULTS[field] for field in added}


def test_the_image_is_sent_in_the_form_of_the_base64_sample(live_server):
    sample = SAMPLES["base64"]
    assert sample["input"]["img_url"].startswith("data:image/png;base64,")
    body = sent_by(DashScopeWanImageToVideo(), live_server, {**settings_of(sample), "duration": 5}).body
    kind, encoded = DATA_URI.fullmatch(body["input"]["img_url"]).groups()
    start = {"png": b"\x89PNG", "jpeg": b"\xff\xd8\xff"}[kind]
    assert base64.b64decode(encoded, validate=True).startswith(start)


def test_a_create_call_has_the_documented_headers(live_server):
    sample = SAMPLES["audio_file"]
    call = sent_by(DashScopeWanImageToVideo(), live_server, settings_of(sample))
    assert (call.method, call.path) == ("POST", "/api/v1/services/aigc/video-generation/video-synthesis")
    assert call.headers["content-type"] == "application/json"
    assert call.headers["x-dashscope-async"] == "enable"
    assert call.headers["authorization"] == f"Bearer {live_server.key}"
    # The audio's URL is http, so there is nothing for the service to resolve.
    assert "x-dashscope-ossresourceresolve" not in call.headers
