"""The calls and their responses, by plain requests."""

from __future__ import annotations

import re
import socket
import uuid

import pytest

TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}")
ZERO_ID = "00000000-0000-0000-0000-000000000000"


def raw(api, text: str) -> str:
    """Send bytes as they are and return what comes back before the connection ends."""
    with socket.create_connection(("127.0.0.1", int(api.root.rpartition(":")[2])), timeout=10) as connection:
        connection.sendall(text.encode())
        response = b""
        while piece := connection.recv(65536):
            response += piece
    return response.decode()


def test_create_responses_with_a_pending_task_and_a_request_id(api, kit):
    response = api.create(kit.body())
    assert response.status_code == 200
    assert set(response.json()) == {"output", "request_id"}
    assert response.json()["output"]["task_status"] == "PENDING"
    assert uuid.UUID(response.json()["output"]["task_id"])
    assert uuid.UUID(response.json()["request_id"])


def test_success_has_times_prompts_address_and_usage(api, kit):
    reply = api.ended(kit.body())
    output = reply["output"]
    assert output["task_status"] == "SUCCEEDED"
    assert all(TIME.fullmatch(output[name]) for name in ("submit_time", "scheduled_time", "end_time"))
    assert output["orig_prompt"] == "a cat"
    assert output["actual_prompt"].startswith("a cat, ")
    assert output["video_url"].startswith(f"{api.root}/files/{output['task_id']}.mp4?Expires=")
    assert reply["usage"] == {"video_duration": 3, "video_ratio": "standard", "video_count": 1}


def test_times_are_those_of_the_services_zone(make_server, clock, kit):
    clock.now = 0.25
    assert make_server(clock=clock).ended(kit.body())["output"]["submit_time"] == "1970-01-01 08:00:00.250"


@pytest.mark.parametrize(
    ("model", "parameters", "usage"),
    [
        (
            "wan2.6-i2v-flash",
            {"audio": False},
            {
                "duration": 2,
                "input_video_duration": 0,
                "output_video_duration": 2,
                "video_count": 1,
                "SR": 720,
                "audio": False,
            },
        ),
        (
            "wan2.6-i2v",
            {},
            {"duration": 2, "input_video_duration": 0, "output_video_duration": 2, "video_count": 1, "SR": 720},
        ),
        (
            "wan2.7-i2v",
            {},
            {"duration": 2, "input_video_duration": 0, "output_video_duration": 2, "video_count": 1, "SR": 720},
        ),
        (
            "wan3.0-video",
            {"ratio": "1:1"},
            {
                "video_count": 1,
                "duration": 2.0,
                "input_video_duration": 0.0,
                "output_video_duration": 2.0,
                "fps": 30,
                "SR": 480,
                "ratio": "1:1",
            },
        ),
        (
            "happyhorse-1.1-i2v",
            {},
            {"duration": 3, "input_video_duration": 0, "output_video_duration": 3, "video_count": 1, "SR": 480},
        ),
        ("wan2.2-kf2v-flash", {}, {"video_duration": 5, "video_count": 1, "SR": 480}),
        ("wan2.5-i2v-preview", {}, {"duration": 5, "SR": 480, "video_count": 1}),
        ("wan2.2-i2v-flash", {}, {"duration": 5, "SR": 480, "video_count": 1}),
    ],
)
def test_usage_follows_the_family(api, kit, model, parameters, usage):
    answered = api.ended(kit.body(model, parameters=parameters))["usage"]
    assert answered == usage
    assert {name: type(value) for name, value in answered.items()} == {k: type(v) for k, v in usage.items()}


@pytest.mark.parametrize(
    ("size", "ratio"),
    [((1280, 720), "16:9"), ((400, 300), "4:3"), ((300, 300), "1:1"), ((300, 500), "9:16"), ((900, 300), "21:9")],
)
def test_wan3_names_the_ratio_that_an_image_is_nearest_to(api, kit, size, ratio):
    media = {"first_frame": kit.data_uri(kit.image(*size))}
    assert api.ended(kit.body("wan3.0-video", media=media))["usage"]["ratio"] == ratio


@pytest.mark.parametrize(("seconds", "used"), [(2, (2, 2)), (2.5, (2.5, 1.5))])
def test_a_clips_seconds_are_a_part_of_what_is_billed(api, kit, seconds, used):
    clip = api.upload("a.mp4", kit.clip(seconds), model="wan2.7-i2v")
    body = kit.body("wan2.7-i2v", media={"first_clip": clip}, parameters={"duration": 4})
    usage = api.ended(body, headers={"X-DashScope-OssResourceResolve": "enable"})["usage"]
    assert (usage["duration"], usage["input_video_duration"], usage["output_video_duration"]) == (4, *used)


@pytest.mark.parametrize(
    ("model", "more"),
    [
        ("wan2.6-i2v", {}),
        ("wan2.7-i2v", {}),
        ("wan3.0-video", {}),
        ("happyhorse-1.1-i2v", {}),
        ("wan2.2-kf2v-flash", {"parameters": {"prompt_extend": False}}),
        ("wanx2.1-i2v-turbo", {"parameters": {"prompt_extend": False}}),
        ("wanx2.1-i2v-turbo", {"input": {"template": "flying", "prompt": None}}),
    ],
)
def test_no_rewritten_prompt_where_the_service_shows_none(api, kit, model, more):
    assert "actual_prompt" not in api.ended(kit.body(model, **more))["output"]


def test_first_and_last_frame_shows_the_rewritten_prompt(api, kit):
    assert api.ended(kit.body("wan2.2-kf2v-flash"))["output"]["actual_prompt"].startswith("a cat, ")


def test_a_failed_task_is_reported_with_status_200(api, kit):
    reply = api.ended(kit.body(input={"img_url": None}))
    assert reply["output"]["code"] == "InvalidParameter"
    assert reply["output"]["message"] == "Field required: input.img_url"
    assert set(reply["output"]) == {"task_id", "task_status", "code", "message"}
    assert "usage" not in reply


def test_an_unknown_id_is_unknown_and_not_an_error(api):
    assert api.query(ZERO_ID)["output"] == {"task_id": ZERO_ID, "task_status": "UNKNOWN"}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (None, "No API-key provided."),
        ("Bearer ", "No API-key provided."),
        ("Bearer sk-other", "Invalid API-key provided."),
        ("Basic abc", "Invalid API-key provided."),
    ],
)
def test_a_call_without_the_key_is_refused(api, given, message):
    headers = {"Authorization": given} if given is not None else {}
    response = api.session.get(f"{api.server.base_url}/tasks/{ZERO_ID}", headers=headers, timeout=10)
    assert response.status_code == 401
    assert (response.json()["code"], response.json()["message"]) == ("InvalidApiKey", message)
    assert response.json()["request_id"]


def test_keys_are_made_up_for_every_server(make_server):
    one, other = make_server(), make_server()
    assert one.server.key != other.server.key
    assert one.server.key.startswith("offline-")


def test_the_async_header_is_mandatory(api, kit):
    response = api.create(kit.body(), headers={"X-DashScope-Async": None})
    assert response.status_code == 403
    assert response.json()["code"] == "AccessDenied"
    assert response.json()["message"] == "current user api does not support synchronous calls."
    assert api.server.tasks == []


@pytest.mark.parametrize("model", ["wan2.6-i2v-flahs", "WAN2.6-I2V", "wan2.1-i2v-turbo", "", 7])
def test_a_wrong_model_is_refused_at_once(api, kit, model):
    response = api.create({**kit.body(), "model": model})
    assert response.status_code == 400
    assert (response.json()["code"], response.json()["message"]) == ("InvalidParameter", "Model not exist.")
    assert api.server.tasks == []


def test_singapore_has_its_own_names_and_no_effects(make_server, kit):
    api = make_server(region="singapore")
    assert api.create(kit.body("wanx2.1-i2v-turbo")).json()["message"] == "Model not exist."
    assert api.create(kit.body("wan2.6-i2v-us")).json()["message"] == "Model not exist."
    assert api.ended(kit.body("wan2.1-i2v-turbo"))["output"]["task_status"] == "SUCCEEDED"
    effect = kit.body("wan2.1-i2v-turbo", input={"template": "flying"})
    assert api.failure(effect) == ("InvalidFile.Template.Content", "Invalid template content.")
    assert api.ended(kit.body("wan2.1-i2v-plus"))["output"]["task_status"] == "SUCCEEDED"


@pytest.mark.parametrize("sent", [b"{", b"", b"[]", b'"text"', b'{"a": NaN}', b"\xff"])
def test_what_is_no_json_object_is_refused(api, sent):
    headers = {"X-DashScope-Async": "enable", "Content-Type": "application/json"}
    response = api.post("/services/aigc/video-generation/video-synthesis", data=sent, headers=headers)
    assert response.status_code == 400
    assert response.json()["code"] == "BadRequest.IllegalInput"
    assert response.json()["message"] == "The input parameter requires json format."


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"model": None}, "BadRequest.EmptyModel"),
        ({"input": None}, "BadRequest.EmptyInput"),
        ({"parameters": None}, "BadRequest.EmptyParameters"),
        ({"input": "x"}, "InvalidParameter"),
        ({"parameters": []}, "InvalidParameter"),
    ],
)
def test_missing_objects_are_refused_at_once(api, kit, change, code):
    response = api.create({**kit.body(), **change})
    assert (response.status_code, response.json()["code"]) == (400, code)
    assert set(response.json()) == {"code", "message", "request_id"}
    assert api.server.tasks == []


def test_a_call_without_parameters_gets_the_defaults(api, kit):
    """litellm and plain calls leave the object out where they wish for nothing."""
    whole = kit.body("wan2.6-i2v-flash")
    del whole["parameters"]
    task_id = api.submit(whole)
    order = api.server.tasks[0].inputs
    assert (order.resolution, order.duration, order.audio) == ("1080P", 5, True)
    assert api.server.notes_of(task_id) == []


def test_another_content_type_is_refused(api, kit):
    response = api.create(kit.body(), headers={"Content-Type": "text/plain"})
    assert response.json()["message"] == "Required body invalid, please check the request body format."


def test_a_body_over_the_limit_is_refused_with_the_measured_message(api, kit):
    response = api.create(kit.body(input={"prompt": "x" * 6_291_456}))
    assert response.status_code == 400
    assert response.json()["code"] == "BadRequest.TooLarge"
    assert response.json()["message"] == "Exceeded limit on max bytes to request body : 6291456"
    assert api.server.tasks == []
    assert api.server.received[-1].body is None


def test_a_body_of_just_the_limit_is_read(api, kit):
    empty = len(api.session.prepare_request(_prepared(api, kit.body(input={"prompt": ""}))).body)
    whole = kit.body(input={"prompt": "x" * (6_291_456 - empty)})
    assert api.submit(whole)
    assert api.server.received[-1].size == 6_291_456


def _prepared(api, body):
    import requests

    return requests.Request("POST", api.server.base_url, json=body)


def test_cancel_works_only_while_pending(make_server, clock, kit):
    api = make_server(clock=clock, running_limit=0)
    task_id = api.submit(kit.body())
    response = api.post(f"/tasks/{task_id}/cancel")
    assert response.status_code == 200
    assert set(response.json()) == {"request_id"}
    assert api.state(task_id) == "CANCELED"
    again = api.post(f"/tasks/{task_id}/cancel")
    assert again.status_code == 400
    assert again.json()["code"] == "UnsupportedOperation"
    assert again.json()["message"] == ("Failed to cancel the task, please confirm if the task is in PENDING status.")


@pytest.mark.parametrize("slash", ["", "/"])
def test_every_address_may_end_with_a_slash(make_server, kit, slash):
    api = make_server(running_limit=0)
    task_id = api.submit(kit.body(), path=f"/services/aigc/video-generation/video-synthesis{slash}")
    keyframes = kit.body("wan2.2-kf2v-flash")
    assert api.submit(keyframes, path=f"/services/aigc/image2video/video-synthesis{slash}")
    assert api.get(f"/tasks/{task_id}{slash}").json()["output"] == api.query(task_id)["output"]
    assert api.get(f"/tasks{slash}").json()["total"] == 2
    assert api.get(f"/models{slash}").json()["success"] is True
    assert api.post(f"/tasks/{task_id}/cancel{slash}").status_code == 200
    assert api.state(task_id) == "CANCELED"


def head_of(api, method, path, *more):
    """The head of a request as curl would send it, the key included."""
    lines = (f"{method} /api/v1{path} HTTP/1.1", f"Host: {api.root.removeprefix('http://')}", *more)
    return "".join(f"{line}\r\n" for line in (*lines, f"Authorization: Bearer {api.server.key}", "Connection: close"))


def test_a_cancel_without_a_body_needs_no_length(make_server, kit):
    api = make_server(running_limit=0)
    task_id = api.submit(kit.body())
    response = raw(api, head_of(api, "POST", f"/tasks/{task_id}/cancel") + "\r\n")
    assert response.startswith("HTTP/1.1 200 ")
    assert api.state(task_id) == "CANCELED"


def test_a_create_without_a_body_is_no_json(api):
    path = "/services/aigc/video-generation/video-synthesis"
    more = ("Content-Type: application/json", "X-DashScope-Async: enable")
    response = raw(api, head_of(api, "POST", path, *more) + "\r\n")
    assert response.startswith("HTTP/1.1 400 ")
    assert '"code": "BadRequest.IllegalInput"' in response


def test_head_is_get_without_the_body(api):
    response = raw(api, head_of(api, "HEAD", f"/tasks/{ZERO_ID}") + "\r\n")
    head, _, body = response.partition("\r\n\r\n")
    assert (head.splitlines()[0].split()[1], body) == ("200", "")
    shown = api.session.head(f"{api.server.base_url}/tasks/{ZERO_ID}", headers=api.key, timeout=10)
    assert int(shown.headers["Content-Length"]) == len(api.get(f"/tasks/{ZERO_ID}").content)


def test_other_paths_and_methods_do_not_exist(api):
    assert api.get("/nothing").status_code == 404
    assert api.get("/nothing").json()["request_id"]
    assert api.post("/tasks/x").status_code == 404
    assert api.session.get(f"{api.root}/", timeout=10).status_code == 404
    assert api.session.put(f"{api.root}/api/v1/tasks/x", timeout=10).status_code == 404


def test_another_host_name_is_refused(api):
    for host in ("evil.example", "127.0.0.1", "evil.example:80"):
        response = api.get(f"/tasks/{ZERO_ID}")
        assert response.status_code == 200
        refused = api.session.get(
            f"{api.server.base_url}/tasks/{ZERO_ID}", headers={**api.key, "Host": host}, timeout=10
        )
        assert refused.status_code == 403
    named = api.server.base_url.replace("127.0.0.1", "localhost")
    assert api.session.get(f"{named}/tasks/{ZERO_ID}", headers=api.key, timeout=10).status_code == 200


def test_connections_are_kept_alive(api):
    one = api.get(f"/tasks/{ZERO_ID}")
    assert one.raw.version == 11
    assert one.headers.get("Connection") is None


def test_a_request_that_is_no_http_is_refused(api):
    assert raw(api, "NONSENSE\r\n\r\n").split()[1] == "400"


def test_a_post_without_a_length_is_refused(api):
    host = api.root.removeprefix("http://")
    response = raw(api, f"POST /upload HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
    assert " 411 " in response.splitlines()[0]


def test_received_keeps_what_was_sent(api, kit):
    api.create(kit.body(), headers={"X-DashScope-WorkSpace": "ws-1"})
    received = api.server.received[-1]
    assert (received.on, received.method, received.path) == (
        "create",
        "POST",
        "/api/v1/services/aigc/video-generation/video-synthesis",
    )
    assert received.body == kit.body()
    assert received.headers["x-dashscope-workspace"] == "ws-1"
    assert received.size == int(received.headers["content-length"])


def test_a_task_keeps_its_body_without_the_image(api, kit):
    api.submit(kit.body())
    assert api.server.tasks[0].body["input"] == {"prompt": "a cat", "img_url": "data:image/jpeg;base64,"}
    api.submit(kit.body("wan2.7-i2v"))
    assert api.server.tasks[1].body["input"]["media"] == [{"type": "first_frame", "url": "data:image/jpeg;base64,"}]
