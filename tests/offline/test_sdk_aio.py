"""The vendor's own asynchronous Python client against the mock server.

It is not the same code as the synchronous one.
"""

from __future__ import annotations

import asyncio

import pytest
import requests
from platforms import UNDER_WINE

if UNDER_WINE:
    pytest.skip("Wine: it cannot load the library of cryptography", allow_module_level=True)
dashscope = pytest.importorskip("dashscope")

from dashscope.aigc.video_synthesis import AioVideoSynthesis  # noqa: E402 - after the check that it is there
from dashscope.api_entities.aio_session import close_shared_aio_session  # noqa: E402

TURBO = "wanx2.1-i2v-turbo"
ADDRESS = "https://example.com/a.png"
CHEAP = {"model": TURBO, "prompt": "a cat", "resolution": "480P", "duration": 3}


@pytest.fixture
def aio(api, monkeypatch, hurried_client):
    """Run a coroutine function with the client, which is pointed at a server: the test's own, or another."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")

    def run(steps, server=None):
        server = server or api.server
        monkeypatch.setattr(dashscope, "base_http_api_url", server.base_url)
        monkeypatch.setattr(dashscope, "api_key", server.key)

        async def whole():
            try:
                return await steps(AioVideoSynthesis)
            finally:
                await close_shared_aio_session()

        return asyncio.run(whole())

    return run


def test_call_waits_for_the_video(aio, kit):
    image = kit.data_uri(kit.image())
    reply = aio(lambda client: client.call(img_url=image, **CHEAP))
    assert (reply.status_code, reply.output.task_status) == (200, "SUCCEEDED"), reply
    assert reply.usage.video_duration == 3
    assert requests.get(reply.output.video_url, timeout=10).content[4:8] == b"ftyp"


def test_what_the_client_sends(aio, api):
    aio(lambda client: client.async_call(img_url=ADDRESS, **CHEAP))
    sent = api.server.received[-1]
    assert sent.path.rstrip("/") == "/api/v1/services/aigc/video-generation/video-synthesis"
    assert sent.headers["content-type"] == "application/json; charset=utf-8"
    assert sent.headers["x-dashscope-async"] == "enable"
    assert sent.body["input"]["img_url"] == ADDRESS
    assert sent.body["parameters"] == {"resolution": "480P", "duration": 3}


def test_async_call_fetch_and_wait(aio, kit):
    async def steps(client):
        task = await client.async_call(img_url=kit.data_uri(kit.image()), **CHEAP)
        waited = await client.wait(task)
        fetched = await client.fetch(task.output.task_id)
        return task, waited, fetched

    task, waited, fetched = aio(steps)
    assert (task.status_code, task.output.task_status) == (200, "PENDING")
    assert waited.output.task_status == "SUCCEEDED", waited
    assert fetched.output.video_url == waited.output.video_url
    assert fetched.output.orig_prompt == "a cat"


def test_cancel_and_list(aio, make_server):
    waiting = make_server(running_limit=0)

    async def steps(client):
        task = await client.async_call(img_url=ADDRESS, **CHEAP)
        cancelled = await client.cancel(task)
        again = await client.cancel(task.output.task_id)
        listed = await client.list(status="CANCELED", model_name=TURBO, region="cn-beijing", page_size=5)
        return task, cancelled, again, listed

    task, cancelled, again, listed = aio(steps, waiting.server)
    assert cancelled.status_code == 200, cancelled
    assert (again.status_code, again.code) == (400, "UnsupportedOperation")
    assert listed.output["total"] == 1
    assert listed.output["data"][0]["task_id"] == task.output.task_id


def test_a_failed_task_and_a_refused_call(aio):
    async def steps(client):
        failed = await client.call(img_url=ADDRESS, **{**CHEAP, "duration": 9})
        refused = await client.async_call(model="wan9", prompt="a cat", img_url=ADDRESS)
        return failed, refused

    failed, refused = aio(steps)
    assert (failed.status_code, failed.output.task_status) == (200, "FAILED")
    assert (failed.output.code, failed.output.message) == ("InvalidParameter", "Duration should be between 3 and 5")
    assert (refused.status_code, refused.code, refused.message) == (400, "InvalidParameter", "Model not exist.")


def test_what_a_model_does_not_know_is_no_failure(aio, api, kit):
    """The client takes every parameter for every model."""
    image = kit.data_uri(kit.image())
    more = {"shot_type": "multi", "ratio": "16:9", "enable_thinking": True, "audio": True}
    reply = aio(lambda client: client.call(img_url=image, **CHEAP, **more))
    assert reply.output.task_status == "SUCCEEDED", reply
    noted = {note.split(" ")[0] for note in api.server.notes_of(reply.output.task_id)}
    assert noted == {f"parameters.{name}" for name in more}


def test_text_makes_a_video(aio, api):
    reply = aio(lambda client: client.call(model="wan2.6-t2v", prompt="A lantern.", size="960*960", duration=2))
    assert (reply.status_code, reply.output.task_status) == (200, "SUCCEEDED"), reply
    assert (reply.usage["SR"], reply.usage["size"]) == (720, "960*960")
    assert api.server.notes_of(reply.output.task_id) == []


def test_references_make_a_video(aio, api, kit, tmp_path):
    files = {"a.png": kit.image(kind="PNG"), "b.mp4": kit.clip(2), "c.wav": kit.wav(3)}
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    media = [
        {"type": "reference_image", "url": str(tmp_path / "a.png"), "reference_voice": str(tmp_path / "c.wav")},
        {"type": "reference_video", "url": str(tmp_path / "b.mp4")},
    ]
    more = {"media": media, "resolution": "720P", "ratio": "16:9", "duration": 2}
    reply = aio(lambda client: client.call(model="wan2.7-r2v", prompt="Image 1 follows Video 1.", **more))
    assert (reply.status_code, reply.output.task_status) == (200, "SUCCEEDED"), reply
    assert (reply.usage["duration"], reply.usage["input_video_duration"], reply.usage["ratio"]) == (4, 2, "16:9")
    assert api.server.notes_of(reply.output.task_id) == []
