"""The image and the audio that a body names."""

from __future__ import annotations

import base64
import io
import socket

import pytest
from PIL import Image
from wanpack.offline.clip import check_clip
from wanpack.offline.failures import TaskRejected
from wanpack.offline.media import check_audio, check_image
from wanpack.wan.catalog.media import ClipLimits, ImageLimits
from wanpack.wan.catalog.models import MODELS

MB = 1024 * 1024
UP_TO_1_MB, UP_TO_10_MB, UP_TO_20_MB = (ImageLimits(bytes=count * MB) for count in (1, 10, 20))
LIMITS = ClipLimits((2, 10))
HORSE = "happyhorse-1.1-i2v"
OSS = {"X-DashScope-OssResourceResolve": "enable"}
BAD_URL = ("InvalidParameter", "The provided URL does not appear to be valid. Ensure it is correctly formatted.")
UNDECODABLE = ("InvalidParameter", "Failed to decode the image during the data inspection.")
WRONG_SIDE = ("InvalidParameter", "the size of input image is too small or too large.")
GONE = "Failed to find the requested media resource during the data inspection process."


def reported(check, *given, **more):
    with pytest.raises(TaskRejected) as caught:
        check(*given, **more)
    return caught.value.failure.code, caught.value.failure.message


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "WEBP"])
def test_the_four_formats_are_taken(api, kit, kind):
    uri = kit.data_uri(kit.image(kind=kind), f"image/{kind.lower()}")
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


def test_what_is_no_image_fails(api, kit):
    assert api.failure(kit.body(input={"img_url": kit.data_uri(b"no picture")})) == UNDECODABLE
    assert api.failure(kit.body(input={"img_url": kit.data_uri(kit.image()[:-200])})) == UNDECODABLE


def test_happyhorse_takes_no_bmp(api, kit):
    wrong = ("InvalidImageFormat", "The input image is in invalid format.")
    bmp = kit.image(kind="BMP")
    for address in (kit.data_uri(bmp, "image/bmp"), api.upload("a.bmp", bmp, model=HORSE)):
        assert api.failure(kit.body(HORSE, media={"first_frame": address}), headers=OSS) == wrong


@pytest.mark.parametrize(
    ("model", "size", "state"),
    [
        (HORSE, (300, 300), "SUCCEEDED"),
        (HORSE, (299, 400), "FAILED"),
        (HORSE, (750, 300), "SUCCEEDED"),
        (HORSE, (300, 751), "FAILED"),
        ("wan2.7-i2v", (240, 1920), "SUCCEEDED"),
        ("wan2.7-i2v", (240, 1921), "FAILED"),
        ("wan2.7-i2v", (1921, 240), "FAILED"),
        ("wan3.0-video", (1921, 240), "FAILED"),
        ("wanx2.1-i2v-turbo", (1921, 240), "SUCCEEDED"),
    ],
)
def test_each_model_has_its_shapes_of_images(api, kit, model, size, state):
    body = kit.body(model, media={"first_frame": kit.data_uri(kit.image(*size))})
    assert api.ended(body)["output"]["task_status"] == state


def test_an_image_that_is_too_narrow_is_reported_with_what_is_possible(kit):
    limits = MODELS[HORSE].image_limits
    assert reported(check_image, kit.image(800, 300), mime=None, limits=limits) == (
        "InvalidFile.AspectRatio",
        "Invalid file aspect ratio. The image aspect ratio must be 1:2.5 ~ 2.5:1.",
    )


@pytest.mark.parametrize("model", ["wan2.7-i2v", "wan3.0-video", "wan2.2-kf2v-flash"])
def test_the_last_frame_is_judged_as_the_first(api, kit, model):
    good = kit.data_uri(kit.image())
    for wrong, message_of in (
        (kit.data_uri(kit.image(239, 300)), WRONG_SIDE),
        (kit.data_uri(b"no picture"), UNDECODABLE),
        ("ftp://host/x.png", BAD_URL),
    ):
        assert api.failure(kit.body(model, media={"first_frame": good, "last_frame": wrong})) == message_of


@pytest.mark.parametrize(("model", "most"), [("wan2.2-kf2v-flash", 10), ("wan2.7-i2v", 20), (HORSE, 20)])
def test_an_upload_over_the_models_limit_fails(api, kit, model, most):
    address = api.upload("a.jpg", kit.image() + bytes(most * MB), model=model)
    media = dict.fromkeys(MODELS[model].media_combinations[0], address)
    assert api.failure(kit.body(model, media=media), headers=OSS) == (
        "InvalidFile.Size",
        f"Invalid file size. The image file size must be less than {most}MB.",
    )


def test_a_type_that_is_not_the_images_fails(api, kit):
    uri = kit.data_uri(kit.image(kind="PNG"), "image/jpeg")
    assert api.failure(kit.body(input={"img_url": uri}))[1] == "Invalid image format or corrupted file"


@pytest.mark.parametrize("size", [(239, 300), (300, 239), (8001, 240)])
def test_a_side_outside_the_limits_fails(api, kit, size):
    assert api.failure(kit.body(input={"img_url": kit.data_uri(kit.image(*size))})) == WRONG_SIDE


def test_sides_of_just_the_limits_are_taken(kit):
    check_image(kit.image(240, 8000), mime=None, limits=UP_TO_10_MB)


def test_an_image_of_too_many_pixels_fails():
    out = io.BytesIO()
    Image.new("1", (18_000, 10_000)).save(out, "PNG")
    assert reported(check_image, out.getvalue(), mime=None, limits=UP_TO_10_MB) == WRONG_SIDE


def test_transparency_and_other_formats_fail(kit):
    wrong = ("InvalidImageFormat", "The input image is in invalid format.")
    assert reported(check_image, kit.image(kind="PNG", mode="RGBA"), mime=None, limits=UP_TO_1_MB) == wrong
    assert reported(check_image, kit.image(kind="GIF"), mime=None, limits=UP_TO_1_MB) == wrong


def test_a_file_over_the_limit_fails(kit):
    padded = kit.image() + bytes(10 * MB)
    assert reported(check_image, padded, mime=None, limits=UP_TO_10_MB) == (
        "InvalidFile.Size",
        "Invalid file size. The image file size must be less than 10MB.",
    )
    check_image(padded, mime=None, limits=UP_TO_20_MB)


def test_an_image_of_the_internet_is_replaced_and_that_is_said(api, kit, caplog):
    reply = api.ended(kit.body(input={"img_url": "https://example.com/a.png"}))
    assert reply["output"]["task_status"] == "SUCCEEDED"
    note = "img_url could not be fetched offline: replaced by a drawn picture"
    assert api.server.notes_of(reply["output"]["task_id"]) == [note]
    assert note in caplog.text


def test_an_audio_of_the_internet_is_replaced_and_that_is_said(api, kit):
    body = kit.body("wan2.6-i2v-flash", input={"audio_url": "https://example.com/a.mp3?x=1"})
    reply = api.ended(body)
    assert reply["output"]["task_status"] == "SUCCEEDED"
    assert api.server.notes_of(reply["output"]["task_id"]) == [
        "audio_url could not be fetched offline: replaced by a tone"
    ]


@pytest.mark.parametrize(
    ("media", "notes"),
    [
        (
            {"first_frame": "https://example.com/a.png", "last_frame": "https://example.com/b.png"},
            [
                "first_frame could not be fetched offline: replaced by a drawn picture",
                "last_frame could not be fetched offline: the video does not end with it",
            ],
        ),
        (
            {"first_clip": "https://example.com/a.mp4"},
            ["first_clip could not be fetched offline: replaced by a drawn picture"],
        ),
    ],
)
def test_media_of_the_internet_are_replaced_and_that_is_said(api, kit, media, notes):
    reply = api.ended(kit.body("wan2.7-i2v", media=media))
    assert reply["output"]["task_status"] == "SUCCEEDED"
    assert api.server.notes_of(reply["output"]["task_id"]) == notes


def test_an_upload_is_used_as_the_image(api, kit):
    address = api.upload("a.png", kit.image(kind="PNG"), model="wanx2.1-i2v-turbo")
    reply = api.ended(kit.body(input={"img_url": address}), headers=OSS)
    assert reply["output"]["task_status"] == "SUCCEEDED"
    assert api.server.notes_of(reply["output"]["task_id"]) == []


def test_an_upload_needs_the_header(api, kit):
    address = api.upload("a.png", kit.image(kind="PNG"), model="wanx2.1-i2v-turbo")
    assert api.failure(kit.body(input={"img_url": address})) == BAD_URL


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("wan3.0-video", "media.url scheme must be http/https, got: 'oss'"),
        ("wan2.7-i2v", BAD_URL[1]),
        ("wan2.2-kf2v-flash", BAD_URL[1]),
    ],
)
def test_each_family_has_its_words_for_a_missing_header(api, kit, model, message):
    address = api.upload("a.png", kit.image(kind="PNG"), model=model)
    body = kit.body(model, media=dict.fromkeys(MODELS[model].media_combinations[0], address))
    assert api.failure(body) == ("InvalidParameter", message)


def test_an_upload_is_bound_to_the_model_of_its_policy(api, kit):
    address = api.upload("a.png", kit.image(kind="PNG"), model="wanx2.1-i2v-plus")
    message = "Don't have authorization to access the media resource during the data inspection process."
    assert api.failure(kit.body(input={"img_url": address}), headers=OSS)[1] == message


def test_an_upload_lasts_48_hours(make_server, clock, kit):
    api = make_server(clock=clock)
    address = api.upload("a.jpg", kit.image(), model="wanx2.1-i2v-turbo")
    clock.advance(48 * 3600 - 1)
    assert api.ended(kit.body(input={"img_url": address}), headers=OSS)["output"]["task_status"] == "SUCCEEDED"
    clock.advance(1)
    assert api.failure(kit.body(input={"img_url": address}), headers=OSS)[1] == GONE


def test_an_unknown_upload_fails(api, kit):
    assert api.failure(kit.body(input={"img_url": "oss://dashscope-instant/x/a.png"}), headers=OSS)[1] == GONE


@pytest.mark.parametrize("suffix", [".m4a", ".ogg", "", ".wav.txt"])
def test_an_audio_is_judged_by_its_extension(api, kit, suffix):
    body = kit.body("wan2.6-i2v", input={"audio_url": f"https://example.com/a{suffix}"})
    assert api.failure(body) == ("InvalidURL", "File type is not supported. Allowed types are: .wav, .mp3.")


def test_an_audio_as_a_data_uri_is_not_documented_and_fails(api, kit):
    uri = "data:audio/wav;base64," + base64.b64encode(kit.wav(3)).decode()
    assert api.failure(kit.body("wan2.6-i2v", input={"audio_url": uri}))[0] == "InvalidURL"


@pytest.mark.parametrize("shortest", [2, 3])
def test_the_limits_of_a_audio(kit, shortest):
    span = (shortest, 30)
    check_audio(kit.wav(shortest), span=span)
    check_audio(kit.wav(30), span=span)
    assert reported(check_audio, kit.wav(31), span=span) == ("InvalidURL", "The input audio is longer than 30s.")
    assert reported(check_audio, kit.wav(shortest - 0.1), span=span) == (
        "InvalidFile.Duration",
        f"Invalid file duration. The file duration must be {shortest} s ~ 30 s.",
    )
    large = kit.wav(3) + bytes(15 * MB)
    assert reported(check_audio, large, span=span) == ("InvalidURL", "File size is larger than 15MB.")
    assert reported(check_audio, b"no sound", span=span)[0] == "InvalidParameter"


@pytest.mark.parametrize(("model", "shortest"), [("wan2.7-i2v", 2), ("wan2.6-i2v", 3)])
def test_each_model_has_its_shortest_audio(api, kit, model, shortest):
    frame = kit.data_uri(kit.image())
    for seconds, state in ((shortest - 0.2, "FAILED"), (shortest, "SUCCEEDED")):
        audio = api.upload("a.wav", kit.wav(seconds), model=model)
        body = kit.body(model, media={"first_frame": frame, "driving_audio": audio})
        assert api.ended(body, headers=OSS)["output"]["task_status"] == state


def test_an_audio_that_is_switched_off_leaves_the_video_silent(api, kit):
    address = api.upload("a.wav", kit.wav(3), model="wan2.6-i2v-flash")
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


def clip_of(tmp_path, data):
    path = tmp_path / "clip"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("kind", ["mp4", "mov"])
def test_clips_of_just_the_limits_are_taken(tmp_path, kit, kind):
    for seconds in (2, 10):
        clip = check_clip(clip_of(tmp_path, kit.clip(seconds, kind=kind)), limits=LIMITS)
        assert (clip.size, clip.seconds) == ((320, 240), pytest.approx(seconds, abs=0.01))
    check_clip(clip_of(tmp_path, kit.clip(2, size=(240, 1920), fps=5)), limits=LIMITS)
    check_clip(clip_of(tmp_path, kit.clip(2, size=(4096, 512), fps=2)), limits=LIMITS)


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        ({"seconds": 1.8}, "InvalidFile.Duration"),
        ({"seconds": 10.2}, "InvalidFile.Duration"),
        ({"size": (238, 320)}, "InvalidFile.Resolution"),
        ({"size": (4098, 600), "fps": 2}, "InvalidFile.Resolution"),
        ({"size": (1924, 240), "fps": 2}, "InvalidFile.AspectRatio"),
        ({"kind": "matroska"}, "InvalidParameter"),
        ({"kind": "avi"}, "InvalidParameter"),
    ],
)
def test_a_clip_outside_the_limits_fails(tmp_path, kit, facts, code):
    assert reported(check_clip, clip_of(tmp_path, kit.clip(**facts)), limits=LIMITS)[0] == code


def test_what_is_no_clip_fails(tmp_path, kit):
    wrong = ("InvalidParameter", "The media format is not supported or incorrect for the data inspection.")
    video = kit.clip()
    for data in (b"", b"no clip", video[: len(video) // 2], kit.image(), kit.wav(3), b"#EXTM3U\nfile:///etc/passwd\n"):
        assert reported(check_clip, clip_of(tmp_path, data), limits=LIMITS) == wrong


def test_a_clip_over_100_mb_fails_before_it_is_opened(tmp_path):
    path = clip_of(tmp_path, b"")
    with path.open("r+b") as file:
        file.truncate(100 * MB + 1)
    assert reported(check_clip, path, limits=LIMITS) == (
        "InvalidFile.Size",
        "Invalid file size. The video file size must be less than 100MB.",
    )


@pytest.mark.slow
def test_a_clip_of_absurdly_many_frames_is_not_decoded(tmp_path, kit):
    assert (
        reported(check_clip, clip_of(tmp_path, kit.clip(4, fps=700, size=(240, 240))), limits=LIMITS)[0]
        == "InvalidParameter"
    )


def test_a_clip_is_as_long_as_its_frames_and_not_as_it_says(tmp_path, kit):
    video = kit.clip(3)
    at = video.index(b"mdhd") + 20
    lying = video[:at] + (int.from_bytes(video[at : at + 4], "big") * 3).to_bytes(4, "big") + video[at + 4 :]
    assert check_clip(clip_of(tmp_path, lying), limits=LIMITS).seconds == pytest.approx(3, abs=0.01)


def test_a_clip_must_be_shorter_than_the_video(api, kit):
    clip = api.upload("a.mp4", kit.clip(3), model="wan2.7-i2v")
    body = kit.body("wan2.7-i2v", media={"first_clip": clip}, parameters={"duration": 3})
    message = "The duration must be longer than the first clip of 3.00 s."
    assert api.failure(body, headers=OSS) == ("InvalidParameter", message)


def test_a_clip_as_a_data_uri_is_not_documented_and_fails(api, kit):
    uri = kit.data_uri(kit.clip(), "video/mp4")
    assert api.failure(kit.body("wan2.7-i2v", media={"first_clip": uri})) == BAD_URL


def test_a_clip_on_this_machine_is_not_opened(api, kit, tmp_path):
    path = clip_of(tmp_path, kit.clip())
    assert api.failure(kit.body("wan2.7-i2v", media={"first_clip": f"file://{path}"})) == BAD_URL
    assert api.failure(kit.body("wan2.7-i2v", media={"first_clip": str(path)})) == BAD_URL
