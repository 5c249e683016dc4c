"""The vendor's own Python client against the mock server: what it says must be understood, and the other way round."""

from __future__ import annotations

import io

import av
import media
import pytest
import requests
from mock_faults import ResetAfterActing
from platforms import UNDER_WINE
from wanpack.offline.tasks import Timing

if UNDER_WINE:
    pytest.skip("Wine: it cannot load the library of cryptography", allow_module_level=True)
dashscope = pytest.importorskip("dashscope")

from dashscope import VideoSynthesis  # noqa: E402 - after the check that it is there
from dashscope.api_entities import http_request  # noqa: E402
from dashscope.common.error import UploadFileException  # noqa: E402

TURBO = "wanx2.1-i2v-turbo"
CHEAP = {"resolution": "480P", "duration": 3}


@pytest.fixture
def sdk(api, monkeypatch, hurried_client):
    """The client, pointed at the test's server; its pooled connections are closed at the end."""
    monkeypatch.setattr(dashscope, "base_http_api_url", api.server.base_url)
    monkeypatch.setattr(dashscope, "api_key", api.server.key)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    yield VideoSynthesis
    http_request.close_shared_sync_session()


@pytest.fixture
def photo(tmp_path, kit):
    path = tmp_path / "cat photo.png"
    path.write_bytes(kit.image(kind="PNG"))
    return path


@pytest.fixture
def speech(tmp_path):
    path = tmp_path / "speech.wav"
    path.write_bytes(media.wav(3))
    return path


def test_call_waits_for_the_video(sdk, api, kit):
    reply = sdk.call(model=TURBO, prompt="a cat", img_url=kit.data_uri(kit.image()), **CHEAP)
    assert (reply.status_code, reply.output.task_status) == (200, "SUCCEEDED")
    assert reply.usage.video_duration == 3
    assert requests.get(reply.output.video_url, timeout=10).content[4:8] == b"ftyp"


def test_what_the_client_sends(sdk, api, kit):
    image = kit.data_uri(kit.image())
    sdk.async_call(model=TURBO, prompt="a cat", img_url=image, negative_prompt="rain", seed=7, **CHEAP)
    sent = api.server.received[-1]
    assert sent.body == {
        "model": TURBO,
        "input": {
            "prompt": "a cat",
            "extend_prompt": True,
            "negative_prompt": "rain",
            "function": "video-synthesis",
            "img_url": image,
        },
        "parameters": {**CHEAP, "seed": 7},
    }
    assert sent.headers["x-dashscope-async"] == "enable"
    assert "x-dashscope-ossresourceresolve" not in sent.headers


def test_fetch_and_wait(sdk, api, kit):
    task = sdk.async_call(model=TURBO, prompt="a cat", img_url=kit.data_uri(kit.image()), **CHEAP)
    assert task.output.task_status == "PENDING"
    assert api.server.wait_idle()
    assert sdk.wait(task).output.task_status == "SUCCEEDED"
    assert sdk.fetch(task.output.task_id).output.orig_prompt == "a cat"


def test_a_failed_task(sdk, api, kit):
    task = sdk.async_call(model=TURBO, prompt="a cat", img_url=kit.data_uri(kit.image()), duration=9)
    reply = sdk.wait(task)
    assert (reply.status_code, reply.output.task_status) == (200, "FAILED")
    assert reply.output.code == "InvalidParameter"


def test_a_refused_call(sdk, api):
    reply = sdk.async_call(model="wan9", prompt="a cat", img_url="https://example.com/a.png")
    assert (reply.status_code, reply.code, reply.message) == (400, "InvalidParameter", "Model not exist.")
    reply = sdk.async_call(model=TURBO, prompt="a cat", img_url="https://example.com/a.png", api_key="sk-other")
    assert (reply.status_code, reply.code) == (401, "InvalidApiKey")


def test_cancel_and_list(make_server, monkeypatch, kit, sdk):
    waiting = make_server(running_limit=0)
    monkeypatch.setattr(dashscope, "base_http_api_url", waiting.server.base_url)
    more = {"api_key": waiting.server.key}
    task = sdk.async_call(model=TURBO, img_url="https://example.com/a.png", **more)
    assert sdk.cancel(task, **more).status_code == 200
    refused = sdk.cancel(task, **more)
    assert (refused.status_code, refused.code) == (400, "UnsupportedOperation")
    listed = sdk.list(status="CANCELED", model_name=TURBO, region="cn-beijing", page_size=5, **more)
    assert listed.output["total"] == 1
    assert listed.output["data"][0]["task_id"] == task.output.task_id


def test_the_clients_own_list_of_models(sdk):
    found = dashscope.Models.get("wan2.6-i2v")
    assert (found.status_code, found.output["model"]) == (200, "wan2.6-i2v")
    assert dashscope.Models.get("wan9").status_code == 404
    assert len(dashscope.Models.list(page_size=3).output["models"]) == 3


@pytest.mark.parametrize("form", ["path", "uri"])
def test_a_local_image_is_uploaded(sdk, api, photo, form):
    address = str(photo) if form == "path" else f"file://{photo}"
    task = sdk.async_call(model=TURBO, img_url=address, template="flying", prompt=None, resolution="480P")
    assert [one.on for one in api.server.received] == ["policy", "upload", "create"]
    created = api.server.received[-1]
    assert created.body["input"]["img_url"].startswith("oss://dashscope-instant/")
    assert created.body["input"]["img_url"].endswith("/cat photo.png")
    assert created.body["input"]["prompt"] is None
    assert created.headers["x-dashscope-ossresourceresolve"] == "enable"
    assert api.server.wait_idle()
    assert sdk.fetch(task).output.task_status == "SUCCEEDED"
    assert api.server.notes_of(task.output.task_id) == []


def test_a_local_audio_is_uploaded_with_the_image(sdk, api, photo, speech):
    flash = {"model": "wan2.6-i2v-flash", "resolution": "720P", "duration": 2}
    task = sdk.async_call(prompt="a cat speaks", img_url=str(photo), audio_url=str(speech), shot_type="single", **flash)
    assert sorted(one.on for one in api.server.received) == ["create", "policy", "policy", "upload", "upload"]
    assert api.server.wait_idle()
    reply = sdk.fetch(task)
    assert reply.output.task_status == "SUCCEEDED"
    assert reply.usage.audio is True
    # The client fills in the fields of the oldest family.
    assert (reply.usage.video_duration, reply.usage.video_ratio) == (0, "")
    assert api.server.notes_of(task.output.task_id) == []


@pytest.fixture
def files(tmp_path, photo, speech, kit):
    """A local file of each kind of media."""
    last = tmp_path / "last.jpg"
    last.write_bytes(kit.image())
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(kit.clip(2))
    return {"first_frame": photo, "last_frame": last, "driving_audio": speech, "first_clip": clip}


LARGE_SETS = [["first_frame", "last_frame", "driving_audio"], ["first_clip", "last_frame"]]


@pytest.mark.slow
@pytest.mark.parametrize(("model", "kinds"), [("wan2.7-i2v", LARGE_SETS[0]), ("wan2.7-i2v-2026-04-25", LARGE_SETS[1])])
def test_wan27_makes_a_video_of_its_large_sets_of_media(sdk, api, files, model, kinds):
    media = [{"type": kind, "url": str(files[kind])} for kind in kinds]
    reply = sdk.call(
        model=model,
        prompt="a cat",
        media=media,
        resolution="720P",
        duration=3,
        prompt_extend=True,
        watermark=False,
        seed=42,
    )
    assert (reply.status_code, reply.output.task_status) == (200, "SUCCEEDED"), reply
    clip_seconds = 2 if "first_clip" in kinds else 0
    assert reply.usage["duration"] == 3
    assert reply.usage["input_video_duration"] == clip_seconds
    assert reply.usage["output_video_duration"] == 3 - clip_seconds
    assert str(reply.usage["SR"]) == "720"
    created = next(one for one in api.server.received if one.on == "create")
    assert [entry["type"] for entry in created.body["input"]["media"]] == kinds
    assert all(entry["url"].startswith("oss://") for entry in created.body["input"]["media"])
    assert api.server.notes_of(reply.output.task_id) == []
    assert seconds_of(reply.output.video_url) == 3


def test_first_and_last_frame_makes_a_video(sdk, api, files):
    reply = sdk.call(
        model="wan2.2-kf2v-flash",
        prompt="a cat",
        first_frame_url=str(files["first_frame"]),
        last_frame_url=str(files["last_frame"]),
        resolution="480P",
        prompt_extend=True,
    )
    assert (reply.status_code, reply.output.task_status) == (200, "SUCCEEDED"), reply
    assert reply.output.actual_prompt.startswith("a cat, ")
    assert (reply.usage.video_duration, reply.usage["SR"]) == (5, 480)
    created = next(one for one in api.server.received if one.on == "create")
    assert created.path == "/api/v1/services/aigc/image2video/video-synthesis"
    assert api.server.notes_of(reply.output.task_id) == []
    assert seconds_of(reply.output.video_url) == 5


@pytest.mark.parametrize(
    ("model", "more"),
    [
        ("wan3.0-video", {"resolution": "480P", "ratio": "9:16", "duration": 2, "seed": -1, "audio": False}),
        ("happyhorse-1.1-i2v", {"resolution": "480P", "duration": 3}),
    ],
)
def test_the_other_models_where_a_list_of_media(sdk, kit, model, more):
    media = [{"type": "first_frame", "url": kit.data_uri(kit.image())}]
    reply = sdk.call(model=model, prompt="a cat", media=media, watermark=False, **more)
    assert (reply.status_code, reply.output.task_status) == (200, "SUCCEEDED"), reply
    assert seconds_of(reply.output.video_url) == more["duration"]


def test_the_old_form_for_a_new_model_fails_as_measured(sdk, kit):
    reply = sdk.call(model="wan2.7-i2v", prompt="a cat", img_url=kit.data_uri(kit.image()))
    assert (reply.output.code, reply.output.message) == ("InvalidParameter", "Field required: input.media")


def seconds_of(address):
    """How long the video at a URL is."""
    video = requests.get(address, timeout=10).content
    with av.open(io.BytesIO(video)) as container:
        return container.duration / av.time_base


def test_a_refused_upload_is_reported(sdk, api, photo):
    from mock_faults import HtmlPage

    api.server.faults.add(on="upload", fault=HtmlPage(status=503))
    with pytest.raises(UploadFileException, match="502 Bad Gateway"):
        sdk.async_call(model=TURBO, prompt="a cat", img_url=str(photo))


def test_the_clients_own_retry_pays_twice(sdk, api, kit):
    """The client sends a create again when the connection is lost: with the response lost, two tasks exist."""
    api.server.faults.add(on="create", fault=ResetAfterActing())
    reply = sdk.async_call(model=TURBO, prompt="a cat", img_url="https://example.com/a.png", **CHEAP)
    assert reply.status_code == 200
    assert len(api.server.tasks) == 2


def test_a_wait_that_takes_a_while(make_server, monkeypatch, kit, sdk):
    slow = make_server(timing=Timing(queued=0.3, rendering=1))
    monkeypatch.setattr(dashscope, "base_http_api_url", slow.server.base_url)
    uri = kit.data_uri(kit.image())
    reply = sdk.call(model=TURBO, prompt="a cat", img_url=uri, api_key=slow.server.key, **CHEAP)
    assert reply.output.task_status == "SUCCEEDED"
    asked = [one for one in slow.server.received if one.on == "query"]
    assert len(asked) > 1


@pytest.mark.parametrize(
    ("model", "more", "seconds"),
    [
        ("wan3.0-video", {"resolution": "480P", "ratio": "adaptive", "duration": 2, "audio": False}, 2),
        ("wan2.7-t2v-2026-06-12", {"resolution": "720P", "ratio": "3:4", "duration": 2, "negative_prompt": "text"}, 2),
        ("happyhorse-1.1-t2v", {"resolution": "480P", "ratio": "9:21", "duration": 3}, 3),
        ("wan2.6-t2v", {"size": "1088*832", "duration": 2, "shot_type": "multi", "prompt_extend": True}, 2),
        ("wan2.2-t2v-plus", {"size": "832*480"}, 5),
    ],
)
def test_text_makes_a_video(sdk, api, model, more, seconds):
    reply = sdk.call(model=model, prompt="A paper lantern drifts along a canal.", watermark=False, **more)
    assert (reply.status_code, reply.output.task_status) == (200, "SUCCEEDED"), reply
    assert seconds_of(reply.output.video_url) == seconds
    assert api.server.tasks[0].model.job == "text_to_video"
    assert api.server.notes_of(reply.output.task_id) == []


def test_text_with_a_local_audio(sdk, api, speech):
    more = {"size": "832*480", "duration": 5, "audio_url": str(speech)}
    reply = sdk.call(model="wan2.5-t2v-preview", prompt="A keeper reads a letter.", **more)
    assert reply.output.task_status == "SUCCEEDED", reply
    assert (reply.usage.video_duration, reply.usage.video_ratio) == (5, "832*480")
    assert reply.output.actual_prompt.startswith("A keeper reads a letter., ")
    assert api.server.notes_of(reply.output.task_id) == []


def test_references_by_their_urls(sdk, api, files):
    reply = sdk.call(
        model="wan2.6-r2v-flash",
        prompt="character1 sits by the window holding character2.",
        reference_urls=[str(files["first_clip"]), str(files["first_frame"])],
        size="1280*720",
        duration=2,
        audio=False,
        shot_type="multi",
    )
    assert (reply.status_code, reply.output.task_status) == (200, "SUCCEEDED"), reply
    assert (reply.usage["input_video_duration"], reply.usage["output_video_duration"]) == (2, 2)
    assert reply.usage["size"] == "1280*720"
    created = next(one for one in api.server.received if one.on == "create")
    assert [url.rpartition(".")[2] for url in created.body["input"]["reference_urls"]] == ["mp4", "png"]
    assert api.server.notes_of(reply.output.task_id) == []


REFERENCES = {
    "wan2.7-r2v-2026-06-12": ("first_frame", "reference_image", "reference_video"),
    "wan3.0-video": ("reference_image", "reference_video", "reference_audio"),
    "happyhorse-1.1-r2v": ("reference_image", "reference_image"),
}


@pytest.mark.parametrize("model", REFERENCES)
def test_references_in_a_list_of_media(sdk, api, files, kit, model):
    files["last_frame"].write_bytes(kit.image(500, 400))
    own = {"first_frame": "first_frame", "reference_image": "last_frame", "reference_video": "first_clip"}
    media = [{"type": kind, "url": str(files[own.get(kind, "driving_audio")])} for kind in REFERENCES[model]]
    if "2.7" in model:
        media[1]["reference_voice"] = str(files["driving_audio"])
    tier = "720P" if "2.7" in model else "480P"
    reply = sdk.call(model=model, prompt="Image 1 dances.", media=media, resolution=tier, duration=3)
    assert (reply.status_code, reply.output.task_status) == (200, "SUCCEEDED"), reply
    assert api.server.tasks[0].model.job == "reference_to_video"
    assert seconds_of(reply.output.video_url) == 3
    clip_seconds = 2 if "reference_video" in REFERENCES[model] else 0
    assert reply.usage["duration"] == 3 + clip_seconds
    created = next(one for one in api.server.received if one.on == "create")
    assert all(item["url"].startswith("oss://") for item in created.body["input"]["media"])
    assert ("2.7" in model) == any("reference_voice" in item for item in created.body["input"]["media"])
    assert api.server.notes_of(reply.output.task_id) == []


@pytest.mark.parametrize(
    ("model", "kind", "prompt", "more", "seconds"),
    [
        ("wan2.7-videoedit", "video", "Make it snow.", {"resolution": "720P", "audio_setting": "origin"}, 2),
        ("wan3.0-video", "reference_video", "Edit Video 1: snow.", {"resolution": "480P", "duration": -1}, 2),
        ("wan3.0-video", "reference_video", "Extend Video 1 forward.", {"resolution": "480P", "duration": 4}, 4),
    ],
)
def test_a_clip_is_edited_or_extended(sdk, api, files, model, kind, prompt, more, seconds):
    media = [{"type": kind, "url": str(files["first_clip"])}]
    reply = sdk.call(model=model, prompt=prompt, media=media, watermark=False, **more)
    assert (reply.status_code, reply.output.task_status) == (200, "SUCCEEDED"), reply
    assert seconds_of(reply.output.video_url) == seconds
    assert (reply.usage["duration"], reply.usage["input_video_duration"]) == (2 + seconds, 2)
    assert api.server.notes_of(reply.output.task_id) == []
