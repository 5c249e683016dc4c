"""The picture and the sound that a body names."""

from __future__ import annotations

import base64
import io
import math
import socket
import struct
import wave

import pytest
from PIL import Image
from wanpack.nodes.offline.checks import UnfitError
from wanpack.nodes.offline.sources import check_picture, check_sound

MB = 1024 * 1024
OSS = {"X-DashScope-OssResourceResolve": "enable"}
BAD_URL = ("InvalidParameter", "The provided URL does not appear to be valid. Ensure it is correctly formatted.")
UNDECODABLE = ("InvalidParameter", "Failed to decode the image during the data inspection.")
WRONG_SIDE = ("InvalidParameter", "the size of input image is too small or too large.")
GONE = "Failed to find the requested media resource during the data inspection process."


def wav(seconds: float, *, rate: int = 8000) -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        wave_form = (int(8000 * math.sin(i / 4)) for i in range(int(seconds * rate)))
        file.writeframes(b"".join(struct.pack("<h", value) for value in wave_form))
    return out.getvalue()


def told(check, *given, **more):
    with pytest.raises(UnfitError) as caught:
        check(*given, **more)
    return caught.value.failure.code, caught.value.failure.message


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "WEBP"])
def test_the_four_formats_are_taken(api, kit, kind):
    uri = kit.data_uri(kit.picture(kind=kind), f"image/{kind.lower()}")
    assert api.ended(kit.body(input={"img_url": uri}))["output"]["task_status"] == "SUCCEEDED"


@pytest.mark.parametrize(
    "address",
    [
        "picture.png",
        "ftp://host/x.png",
        "data:image/gif;base64,R0lGOD",
        "data:image/jpg;base64,/9j/",
        "data:image/png,abc",
        "http://[",
        "file:///etc/passwd",
        "https://",
    ],
)
def test_an_address_of_another_form_fails(api, kit, address):
    assert api.failure(kit.body(input={"img_url": address})) == BAD_URL


def test_what_is_no_base64_fails(api, kit):
    assert api.failure(kit.body(input={"img_url": "data:image/png;base64,GDU7MtCZzEbTbmRZ......"})) == UNDECODABLE


def test_what_is_no_picture_fails(api, kit):
    assert api.failure(kit.body(input={"img_url": kit.data_uri(b"no picture")})) == UNDECODABLE
    assert api.failure(kit.body(input={"img_url": kit.data_uri(kit.picture()[:-200])})) == UNDECODABLE


def test_a_type_that_is_not_the_pictures_fails(api, kit):
    uri = kit.data_uri(kit.picture(kind="PNG"), "image/jpeg")
    assert api.failure(kit.body(input={"img_url": uri}))[1] == "Invalid image format or corrupted file"


@pytest.mark.parametrize("size", [(239, 300), (300, 239), (8001, 240)])
def test_a_side_outside_the_limits_fails(api, kit, size):
    assert api.failure(kit.body(input={"img_url": kit.data_uri(kit.picture(*size))})) == WRONG_SIDE


def test_sides_of_just_the_limits_are_taken(kit):
    check_picture(kit.picture(240, 8000), mime=None, limit=10 * MB)


def test_a_picture_of_too_many_pixels_fails():
    out = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(out, "PNG")
    assert told(check_picture, out.getvalue(), mime=None, limit=10 * MB) == WRONG_SIDE


def test_transparency_and_other_formats_fail(kit):
    wrong = ("InvalidImageFormat", "The input image is in invalid format.")
    assert told(check_picture, kit.picture(kind="PNG", mode="RGBA"), mime=None, limit=MB) == wrong
    assert told(check_picture, kit.picture(kind="GIF"), mime=None, limit=MB) == wrong


def test_a_file_over_the_limit_fails(kit):
    padded = kit.picture() + bytes(10 * MB)
    assert told(check_picture, padded, mime=None, limit=10 * MB) == (
        "InvalidFile.Size",
        "Invalid file size. The image file size must be less than 10MB.",
    )
    check_picture(padded, mime=None, limit=20 * MB)


def test_a_picture_of_the_internet_is_replaced_and_that_is_said(api, kit, caplog):
    reply = api.ended(kit.body(input={"img_url": "https://example.com/a.png"}))
    assert reply["output"]["task_status"] == "SUCCEEDED"
    note = "img_url could not be fetched offline: replaced by a drawn picture"
    assert api.server.notes_of(reply["output"]["task_id"]) == [note]
    assert note in caplog.text


def test_a_sound_of_the_internet_is_replaced_and_that_is_said(api, kit):
    body = kit.body("wan2.6-i2v-flash", input={"audio_url": "https://example.com/a.mp3?x=1"})
    reply = api.ended(body)
    assert reply["output"]["task_status"] == "SUCCEEDED"
    assert api.server.notes_of(reply["output"]["task_id"]) == [
        "audio_url could not be fetched offline: replaced by a tone"
    ]


def test_an_upload_is_used_as_the_picture(api, kit):
    address = api.upload("a.png", kit.picture(kind="PNG"), model="wanx2.1-i2v-turbo")
    reply = api.ended(kit.body(input={"img_url": address}), headers=OSS)
    assert reply["output"]["task_status"] == "SUCCEEDED"
    assert api.server.notes_of(reply["output"]["task_id"]) == []


def test_an_upload_needs_the_header(api, kit):
    address = api.upload("a.png", kit.picture(kind="PNG"), model="wanx2.1-i2v-turbo")
    assert api.failure(kit.body(input={"img_url": address})) == BAD_URL


def test_an_upload_is_bound_to_the_model_of_its_policy(api, kit):
    address = api.upload("a.png", kit.picture(kind="PNG"), model="wanx2.1-i2v-plus")
    message = "Don't have authorization to access the media resource during the data inspection process."
    assert api.failure(kit.body(input={"img_url": address}), headers=OSS)[1] == message


def test_an_upload_lives_48_hours(make_server, clock, kit):
    api = make_server(clock=clock)
    address = api.upload("a.jpg", kit.picture(), model="wanx2.1-i2v-turbo")
    clock.advance(48 * 3600 - 1)
    assert api.ended(kit.body(input={"img_url": address}), headers=OSS)["output"]["task_status"] == "SUCCEEDED"
    clock.advance(1)
    assert api.failure(kit.body(input={"img_url": address}), headers=OSS)[1] == GONE


def test_an_unknown_upload_fails(api, kit):
    assert api.failure(kit.body(input={"img_url": "oss://dashscope-instant/x/a.png"}), headers=OSS)[1] == GONE


@pytest.mark.parametrize("suffix", [".m4a", ".ogg", "", ".wav.txt"])
def test_a_sound_is_judged_by_its_extension(api, kit, suffix):
    body = kit.body("wan2.6-i2v", input={"audio_url": f"https://example.com/a{suffix}"})
    assert api.failure(body) == ("InvalidURL", "File type is not supported. Allowed types are: .wav, .mp3.")


def test_a_sound_as_a_data_uri_is_not_documented_and_fails(api, kit):
    uri = "data:audio/wav;base64," + base64.b64encode(wav(3)).decode()
    assert api.failure(kit.body("wan2.6-i2v", input={"audio_url": uri}))[0] == "InvalidURL"


def test_the_limits_of_a_sound():
    check_sound(wav(3))
    check_sound(wav(30))
    assert told(check_sound, wav(31)) == ("InvalidURL", "The input audio is longer than 30s.")
    assert told(check_sound, wav(2.9))[0] == "InvalidFile.Duration"
    assert told(check_sound, wav(3) + bytes(15 * MB)) == ("InvalidURL", "File size is larger than 15MB.")
    assert told(check_sound, b"no sound")[0] == "InvalidParameter"


def test_a_sound_that_is_switched_off_leaves_the_video_silent(api, kit):
    address = api.upload("a.wav", wav(3), model="wan2.6-i2v-flash")
    body = kit.body("wan2.6-i2v-flash", input={"audio_url": address}, parameters={"audio": False})
    reply = api.ended(body, headers=OSS)
    assert reply["usage"]["audio"] is False


@pytest.fixture
def neighbour():
    """A port of this machine that somebody else listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.3)
        yield listener


def test_an_address_on_this_machine_is_not_called(api, kit, neighbour):
    root = f"http://127.0.0.1:{neighbour.getsockname()[1]}"
    body = kit.body("wan2.6-i2v-flash", input={"img_url": root + "/a.jpg", "audio_url": root + "/a.wav"})
    reply = api.ended(body)
    assert reply["output"]["task_status"] == "SUCCEEDED"
    assert len(api.server.notes_of(reply["output"]["task_id"])) == 2
    with pytest.raises(TimeoutError):
        neighbour.accept()
