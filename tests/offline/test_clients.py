"""Clients that nobody here wrote, against the mock server: each gets its task and its video.

The requests of litellm 1.110.2 (Python) and of @ai-sdk/alibaba 1.0.61 under ai 6.0.326 (Node 20) are here as recorded
on the wire. The sample calls are those of the service's documentation, by curl, host and key replaced.
"""

from __future__ import annotations

import http.client
import json
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

SYNTHESIS = "/api/v1/services/aigc/video-generation/video-synthesis"
SAMPLES = {
    path.stem: json.loads(path.read_text("utf-8"))
    for path in (Path(__file__).parents[1] / "wan" / "api" / "requests").glob("*.json")
}
CURL = shutil.which("curl")

LITELLM = {
    "Accept": "*/*",
    "Accept-Encoding": "gzip, deflate",
    "Connection": "keep-alive",
    "User-Agent": "litellm/1.110.2",
    "Content-Type": "application/json",
    "X-DashScope-Async": "enable",
}
AI_SDK = {
    "connection": "keep-alive",
    "content-type": "application/json",
    "user-agent": "ai/6.0.326 ai-sdk/provider-utils/4.0.56 runtime/node.js/v20.20.2",
    "x-dashscope-async": "enable",
    "accept": "*/*",
    "accept-language": "*",
    "sec-fetch-mode": "cors",
    "accept-encoding": "gzip, deflate",
}
ADDRESS, CLIP, SOUND = (f"https://example.com/{name}" for name in ("a.png", "a.mp4", "v.mp3"))
URI = "data:"
"""Stands for an image as a data URI."""


def flash(**parameters: Any) -> dict[str, Any]:
    return {
        "model": "wan2.6-i2v-flash",
        "input": {"prompt": "a cat", "img_url": ADDRESS},
        "parameters": parameters,
    }


def listed(model: str, **parameters: Any) -> dict[str, Any]:
    media = [{"type": "first_frame", "url": URI}]
    return {"model": model, "input": {"prompt": "a cat", "media": media}, "parameters": parameters}


def worded(model: str, given: dict[str, Any], **parameters: Any) -> dict[str, Any]:
    return {"model": model, "input": {"prompt": "a lantern", **given}, "parameters": parameters}


def older(model: str, **parameters: Any) -> dict[str, Any]:
    return {"model": model, "input": {"prompt": "a cat", "img_url": URI}, "parameters": parameters}


RECORDED = {
    "litellm wan2.6": (LITELLM, flash(resolution="720P", duration=2, audio=False, shot_type="single")),
    "litellm wan2.6, nothing wished for": (
        LITELLM,
        {"model": "wan2.6-i2v-flash", "input": {"prompt": "a cat", "img_url": ADDRESS}},
    ),
    "litellm wan2.7": (LITELLM, listed("wan2.7-i2v", resolution="720P", duration=2, seed=7)),
    "litellm wan3.0": (LITELLM, listed("wan3.0-video", resolution="480P", ratio="16:9", duration=2)),
    "litellm wan2.5 with a sound switch": (
        LITELLM,
        older("wan2.5-i2v-preview", resolution="480P", duration=5, audio=True, prompt_extend=True),
    ),
    "litellm happyhorse with fields of others": (
        LITELLM,
        listed("happyhorse-1.1-i2v", duration=3, resolution="480P", prompt_extend=True, ratio="16:9"),
    ),
    "litellm wan2.1": (LITELLM, older("wanx2.1-i2v-turbo", resolution="480P", duration=3, audio=False)),
    "ai-sdk wan2.6": (
        AI_SDK,
        flash(
            duration=2,
            seed=7,
            resolution="720P",
            prompt_extend=True,
            shot_type="single",
            watermark=False,
            audio=False,
        ),
    ),
    "ai-sdk wan2.6, nothing wished for": (AI_SDK, flash()),
    "ai-sdk wan2.6-i2v with a sound switch": (
        AI_SDK,
        older("wan2.6-i2v", duration=2, resolution="720P", audio=True),
    ),
    "ai-sdk wan2.5 with a sound switch": (AI_SDK, older("wan2.5-i2v-preview", resolution="480P", audio=True)),
    "ai-sdk wan3.0": (
        AI_SDK,
        listed(
            "wan3.0-video",
            duration=2,
            seed=1,
            resolution="480P",
            ratio="16:9",
            prompt_extend=False,
            audio=False,
        ),
    ),
    "ai-sdk wan2.6, text": (
        AI_SDK,
        worded(
            "wan2.6-t2v",
            {"negative_prompt": "text"},
            duration=2,
            seed=7,
            size="1088*832",
            prompt_extend=True,
            shot_type="multi",
        ),
    ),
    "ai-sdk wan2.5, text, nothing wished for": (AI_SDK, worded("wan2.5-t2v-preview", {})),
    "ai-sdk wan2.7, text and a sound": (
        AI_SDK,
        worded("wan2.7-t2v", {"audio_url": SOUND}, duration=2, resolution="720P", ratio="3:4"),
    ),
    "ai-sdk wan3.0, text": (AI_SDK, worded("wan3.0-video", {}, duration=2, resolution="480P", audio=False)),
    "ai-sdk happyhorse, text, with a size": (
        AI_SDK,
        worded("happyhorse-1.1-t2v", {}, duration=3, size="1280*720", watermark=False),
    ),
    "ai-sdk wan2.6, references": (
        AI_SDK,
        worded(
            "wan2.6-r2v-flash",
            {"reference_urls": [CLIP, ADDRESS]},
            duration=2,
            size="1280*720",
            shot_type="multi",
            audio=False,
        ),
    ),
    "ai-sdk wan2.7, references with a voice": (
        AI_SDK,
        worded(
            "wan2.7-r2v",
            {
                "media": [
                    {"type": "reference_image", "url": ADDRESS, "reference_voice": SOUND},
                    {"type": "reference_video", "url": CLIP},
                ]
            },
            duration=2,
            resolution="720P",
            ratio="16:9",
        ),
    ),
    "ai-sdk wan3.0, references": (
        AI_SDK,
        worded(
            "wan3.0-video",
            {"media": [{"type": "reference_image", "url": ADDRESS}, {"type": "reference_video", "url": CLIP}]},
            duration=2,
            resolution="480P",
            ratio="adaptive",
        ),
    ),
}


def with_image(body: dict[str, Any], uri: str) -> dict[str, Any]:
    return json.loads(json.dumps(body).replace(f'"{URI}"', json.dumps(uri)))


def send(api, method: str, target: str, *, headers: dict[str, str], body: bytes | None = None):
    """Send just this, without a client library's own headers, and return the status and the body."""
    connection = http.client.HTTPConnection(api.root.removeprefix("http://"), timeout=30)
    try:
        connection.putrequest(method, target, skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name, value)
        if body is not None:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


@pytest.mark.parametrize("name", RECORDED)
@pytest.mark.slow
def test_a_recorded_client_gets_its_video(api, kit, name):
    headers, body = RECORDED[name]
    headers = {**headers, "Authorization": f"Bearer {api.server.key}"}
    sent = json.dumps(with_image(body, kit.data_uri(kit.image())), separators=(",", ":")).encode()
    status, response = send(api, "POST", SYNTHESIS, headers=headers, body=sent)
    assert status == 200, response
    task_id = json.loads(response)["output"]["task_id"]
    assert api.server.wait_idle()
    # litellm asks with the very headers of the create call, that of a task included.
    status, response = send(api, "GET", f"/api/v1/tasks/{task_id}", headers=headers)
    reply = json.loads(response)
    assert (status, reply["output"]["task_status"]) == (200, "SUCCEEDED"), reply
    assert reply["usage"]["video_count"] == 1
    target = reply["output"]["video_url"].removeprefix(api.root)
    plain = {name: value for name, value in headers.items() if name.lower() not in ("authorization", "content-type")}
    status, video = send(api, "GET", target, headers=plain)
    assert (status, video[4:8]) == (200, b"ftyp")


@pytest.mark.parametrize(
    ("headers", "body", "message"),
    [
        (AI_SDK, older("wan2.7-i2v", duration=2, resolution="720P"), "Field required: input.media"),
        (AI_SDK, flash(duration=1), "Duration should be between 2 and 15"),
        (LITELLM, listed("wan2.7-i2v", duration=1, resolution="720P"), "Duration should be between 2 and 15"),
    ],
)
def test_a_recorded_client_sees_what_is_wrong(api, kit, headers, body, message):
    headers = {**headers, "Authorization": f"Bearer {api.server.key}"}
    sent = json.dumps(with_image(body, kit.data_uri(kit.image()))).encode()
    task_id = json.loads(send(api, "POST", SYNTHESIS, headers=headers, body=sent)[1])["output"]["task_id"]
    assert api.query(task_id)["output"] == {
        "task_id": task_id,
        "task_status": "FAILED",
        "code": "InvalidParameter",
        "message": message,
    }


def curl(*arguments: str) -> bytes:
    assert CURL is not None
    command = [CURL, "--silent", "--show-error", "--noproxy", "*", "--max-time", "60", *arguments]
    return subprocess.run(command, capture_output=True, check=True).stdout  # noqa: S603 - a test's own command


def create_by_curl(api, body: dict[str, Any], tmp_path: Path, *more: str) -> str:
    """Send a sample call as the documentation writes it, and return the task's id."""
    data = tmp_path / "body.json"
    data.write_text(json.dumps(body, ensure_ascii=False, indent=4), "utf-8")
    created = json.loads(
        curl(
            *("--location", f"{api.root}{SYNTHESIS}"),
            *("-H", "X-DashScope-Async: enable"),
            *("-H", f"Authorization: Bearer {api.server.key}"),
            *("-H", "Content-Type: application/json"),
            *("-d", f"@{data}"),
            *more,
        )
    )
    assert created["output"]["task_status"] == "PENDING", created
    return created["output"]["task_id"]


@pytest.mark.skipif(CURL is None, reason="there is no curl here")
@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.slow
def test_a_sample_call_by_curl_gets_its_video(api, kit, tmp_path, name):
    body = json.loads(json.dumps(SAMPLES[name]))
    if name == "base64":  # Its image is cut short where it is printed.
        body["input"]["img_url"] = kit.data_uri(kit.image(kind="PNG"), "image/png")
    task_id = create_by_curl(api, body, tmp_path)
    authorization = ("--header", f"Authorization: Bearer {api.server.key}")
    ends = time.monotonic() + 120
    while True:
        reply = json.loads(curl("-X", "GET", f"{api.server.base_url}/tasks/{task_id}", *authorization))
        if reply["output"]["task_status"] not in ("PENDING", "RUNNING"):
            break
        assert time.monotonic() < ends
        api.server.wait_idle()
    assert reply["output"]["task_status"] == "SUCCEEDED", reply
    video = tmp_path / "video.mp4"
    curl("-o", str(video), reply["output"]["video_url"])
    assert video.read_bytes()[4:8] == b"ftyp"
    head = curl("-I", reply["output"]["video_url"]).decode()
    assert f"Content-Length: {video.stat().st_size}\r\n" in head
    first = video.read_bytes()[:100]
    assert curl("-r", "0-99", reply["output"]["video_url"]) == first


@pytest.mark.skipif(CURL is None, reason="there is no curl here")
def test_cancel_and_list_by_curl(make_server, kit, tmp_path):
    api = make_server(running_limit=0)
    task_id = create_by_curl(api, kit.body(), tmp_path)
    authorization = ("--header", f"Authorization: Bearer {api.server.key}")
    cancelled = json.loads(curl("-X", "POST", f"{api.server.base_url}/tasks/{task_id}/cancel", *authorization))
    assert set(cancelled) == {"request_id"}
    assert "content-length" not in api.server.received[-1].headers
    page = json.loads(curl("-X", "GET", f"{api.server.base_url}/tasks/?status=CANCELED", *authorization))
    assert [row["task_id"] for row in page["data"]] == [task_id]


@pytest.mark.skipif(CURL is None, reason="there is no curl here")
def test_a_body_that_waits_to_be_asked_for_is_read(api, kit, tmp_path):
    """curl sends the head of a body of over a megabyte alone, and says so."""
    body = kit.body(media={"first_frame": kit.data_uri(kit.image(1000, 700, kind="BMP"), "image/bmp")})
    create_by_curl(api, body, tmp_path, "-H", "Expect: 100-continue")
    received = api.server.received[-1]
    assert (received.headers["expect"], received.body) == ("100-continue", body)
