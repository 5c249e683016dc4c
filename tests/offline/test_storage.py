"""Uploads: the policy, the form, the refusals in XML."""

from __future__ import annotations

import base64
import json
import xml.etree.ElementTree as ET

import pytest
from platforms import not_under_wine

MODEL = "wanx2.1-i2v-turbo"


def policy(api, model=MODEL):
    response = api.get("/uploads", params={"action": "getPolicy", "model": model})
    assert response.status_code == 200, response.text
    return response.json()["data"]


def send(api, form, data=b"data"):
    return api.session.post(f"{api.root}/upload", data=form, files={"file": ("a.png", data)}, timeout=10)


def code(response):
    assert response.headers["Content-Type"] == "application/xml"
    return ET.fromstring(response.content).findtext("Code")  # noqa: S314 - our own response


def test_a_policy_has_the_documented_fields(api):
    data = policy(api)
    assert data["upload_host"] == f"{api.root}/upload"
    assert data["upload_dir"].startswith("dashscope-instant/")
    assert (data["expire_in_seconds"], data["max_file_size_mb"]) == (300, 100)
    assert (data["x_oss_object_acl"], data["x_oss_forbid_overwrite"]) == ("private", "true")
    assert json.loads(base64.b64decode(data["policy"]))["conditions"]
    assert policy(api)["upload_dir"] != data["upload_dir"]


def test_a_policy_needs_the_key_the_action_and_a_model(api):
    address = f"{api.server.base_url}/uploads?action=getPolicy&model={MODEL}"
    assert api.session.get(address, timeout=10).status_code == 401
    assert api.get("/uploads", params={"model": MODEL}).status_code == 400
    response = api.get("/uploads", params={"action": "getPolicy", "model": "other"})
    assert (response.status_code, response.json()["message"]) == (400, "Model not exist.")


def test_regions_without_storage_give_no_policy(make_server):
    api = make_server(region="virginia")
    response = api.get("/uploads", params={"action": "getPolicy", "model": "wan2.6-i2v-us"})
    assert (response.status_code, response.json()["code"]) == (403, "AccessDenied")


@pytest.mark.parametrize(("asked", "status"), [("200", 200), ("201", 201), (None, 204), ("500", 204)])
def test_an_upload_needs_no_key_and_responses_as_asked(api, kit, asked, status):
    form = kit.upload_form(policy(api), "a.png")
    form["success_action_status"] = asked
    response = send(api, {name: value for name, value in form.items() if value is not None})
    assert (response.status_code, response.content) == (status, b"")
    assert "authorization" not in api.server.received[-1].headers


def test_nothing_is_overwritten(api, kit):
    form = kit.upload_form(policy(api), "a.png")
    assert send(api, form).status_code == 200
    again = send(api, form)
    assert (again.status_code, code(again)) == (409, "FileAlreadyExists")


def test_a_policy_ends_after_300_seconds(make_server, clock, kit):
    api = make_server(clock=clock)
    form = kit.upload_form(policy(api), "a.png")
    clock.advance(299)
    assert send(api, form).status_code == 200
    clock.advance(1)
    late = send(api, {**form, "key": form["key"] + "2"})
    assert (late.status_code, code(late)) == (403, "AccessDenied")
    assert "Invalid according to Policy: Policy expired." in late.text


@pytest.mark.parametrize(
    ("change", "status", "expected"),
    [
        ({"Signature": "x"}, 403, "SignatureDoesNotMatch"),
        ({"policy": "e30="}, 403, "SignatureDoesNotMatch"),
        ({"OSSAccessKeyId": "other"}, 403, "InvalidAccessKeyId"),
        ({"key": "elsewhere/a.png"}, 403, "AccessDenied"),
        ({"x-oss-forbid-overwrite": "True"}, 403, "AccessDenied"),
        ({"x-oss-object-acl": "public-read"}, 403, "AccessDenied"),
    ],
)
def test_a_form_that_the_policy_does_not_allow_is_refused(api, kit, change, status, expected):
    response = send(api, {**kit.upload_form(policy(api), "a.png"), **change})
    assert (response.status_code, code(response)) == (status, expected)


def test_a_key_without_a_name_is_refused(api, kit):
    response = send(api, kit.upload_form(policy(api), ""))
    assert (response.status_code, code(response)) == (403, "AccessDenied")


def test_the_file_must_be_the_last_field_and_the_only_one(api, kit):
    fields = [(name, (None, value)) for name, value in kit.upload_form(policy(api), "a.png").items()]
    file = ("file", ("a.png", b"data"))
    for order in ([file, *fields], fields, [*fields, file, file]):
        response = api.session.post(f"{api.root}/upload", files=order, timeout=10)
        assert (response.status_code, code(response)) == (400, "InvalidArgument")


@pytest.mark.parametrize("body", [b"", b"--x", b"--x\r\n\r\n--x--", b"--x\r\nfoo: bar\r\n\r\n1\r\n--x--"])
def test_a_body_that_is_no_form_is_refused(api, body):
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    response = api.session.post(f"{api.root}/upload", data=body, headers=headers, timeout=10)
    assert (response.status_code, code(response)) == (400, "MalformedPOSTRequest")


@not_under_wine("a client does not hear a server that answers before it has read 100 MB")
def test_a_file_over_the_limit_is_refused(api, kit):
    form = kit.upload_form(policy(api), "a.png")
    response = send(api, form, bytes(100 * 1024 * 1024 + 1))
    assert (response.status_code, code(response)) == (400, "EntityTooLarge")
    response = send(api, form, bytes(101 * 1024 * 1024))
    assert (response.status_code, code(response)) == (400, "EntityTooLarge")
    assert api.server.received[-1].body is None


def test_binary_data_arrives_unchanged(api, kit):
    image = kit.image(kind="BMP")  # holds every kind of byte, line ends among them
    address = api.upload("a.bmp", image, model=MODEL)
    body = kit.body(input={"img_url": address})
    assert api.ended(body, headers={"X-DashScope-OssResourceResolve": "enable"})["output"]["task_status"] == "SUCCEEDED"
