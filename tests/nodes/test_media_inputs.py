"""Media of the nodes: what is sent of a first and a last frame, of audio and of a clip, for each family of models."""

from __future__ import annotations

import io
import threading
import time
from functools import partial
from types import SimpleNamespace

import media
import pytest
import torch
from mock_faults import ErrorResponse
from wanpack.nodes import NODES, video_input
from wanpack.wan.api.endpoint import Endpoint
from wanpack.wan.api.errors import ServiceError
from wanpack.wan.api.request import BODY_BYTES

AUDIO_URL = "https://example.com/rap.mp3"
OSS = "X-DashScope-OssResourceResolve"


@pytest.fixture
def clip(standalone_host):
    """A video of 3 s in the input folder."""
    return media.clip(standalone_host.readable_folders()[0] / "clip.mp4")


def reported(value):
    """A sent body with what is different in every run in words."""
    if isinstance(value, dict):
        return {name: reported(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [reported(inner) for inner in value]
    if isinstance(value, str) and value.startswith("data:image/"):
        return "a picture"
    if isinstance(value, str) and value.startswith("oss://"):
        return f"stored {value.rpartition('.')[2]}"
    return value


# What is sent: the requests of the service's own pages

FRAME = {"type": "first_frame", "url": "a picture"}
LAST = {"type": "last_frame", "url": "a picture"}
AUDIO = {"type": "driving_audio", "url": AUDIO_URL}
CLIP = {"type": "first_clip", "url": "stored mp4"}
TEXTS = {"prompt": "a cat runs", "negative_prompt": "blur"}
WAN_2_7 = {"resolution": "720P", "duration": 5, "prompt_extend": True, "watermark": False, "seed": 42}
WAN_3 = {
    "resolution": "480P",
    "ratio": "adaptive",
    "duration": 5,
    "audio": True,
    "seed": 42,
    "prompt_extend": True,
    "watermark": False,
}
HORSE = {"resolution": "720P", "duration": 5, "watermark": False, "seed": 7}
KF2V = {"resolution": "720P", "prompt_extend": True, "watermark": False, "seed": 1}


@pytest.mark.parametrize(
    ("inputs", "media"),
    [
        ("", [FRAME]),
        ("sound", [FRAME, AUDIO]),
        ("last", [FRAME, LAST]),
        ("last sound", [FRAME, LAST, AUDIO]),
    ],
)
def test_wan_2_7_begins_with_an_image(live_server, nodes, asked, inputs, media):
    more = {"audio_url": AUDIO_URL} if "sound" in inputs else {}
    more |= {"last_frame": nodes.image(side=300)} if "last" in inputs else {}
    settings = {**TEXTS, "model": "wan2.7-i2v", "resolution": "720P", "duration": 5, "seed": 42}
    create = asked(live_server, nodes.image_to_video, **settings, **more)
    assert reported(create.body) == {"model": "wan2.7-i2v", "input": {**TEXTS, "media": media}, "parameters": WAN_2_7}


@pytest.mark.parametrize("last", [False, True])
def test_wan_2_7_goes_on_from_a_clip(live_server, nodes, asked, clip, last):
    more = {"last_frame": nodes.image(side=300)} if last else {}
    create = asked(live_server, nodes.continue_video, **TEXTS, seed=42, video_path=clip.name, **more)
    media = [CLIP, LAST] if last else [CLIP]
    assert reported(create.body) == {"model": "wan2.7-i2v", "input": {**TEXTS, "media": media}, "parameters": WAN_2_7}
    assert create.headers[OSS.lower()] == "enable"
    # The very file, whole, under an ending that says what it is.
    [address] = [medium["url"] for medium in create.body["input"]["media"] if medium["type"] == "first_clip"]
    assert live_server.state.storage.find(address).path.read_bytes() == clip.read_bytes()


@pytest.mark.parametrize("last", [False, True])
def test_wan_3_begins_with_an_image_and_may_end_with_one(live_server, nodes, asked, last):
    more = {"last_frame": nodes.image(side=300)} if last else {}
    settings = {"prompt": "a cat runs", "model": "wan3.0-video", "resolution": "480P", "duration": 5, "seed": 42}
    create = asked(live_server, nodes.image_to_video, **settings, **more)
    media = [FRAME, LAST] if last else [FRAME]
    entry = {"prompt": "a cat runs", "media": media}
    assert reported(create.body) == {"model": "wan3.0-video", "input": entry, "parameters": WAN_3}


def test_happyhorse_is_asked_for_what_it_knows(live_server, nodes, asked):
    settings = nodes.settings_for("happyhorse-1.1-i2v") | {"resolution": "720P"}
    create = asked(live_server, nodes.image_to_video, **settings, prompt="一只猫在草地上奔跑", seed=7)
    entry = {"prompt": "一只猫在草地上奔跑", "media": [FRAME]}
    assert reported(create.body) == {"model": "happyhorse-1.1-i2v", "input": entry, "parameters": HORSE}


def test_first_and_last_frame_have_a_path_and_a_form_of_their_own(live_server, nodes, asked):
    settings = nodes.settings_for("wan2.2-kf2v-flash") | {"resolution": "720P"}
    create = asked(live_server, nodes.image_to_video, **settings, **TEXTS, seed=1)
    assert create.path.endswith("/services/aigc/image2video/video-synthesis")
    entry = {**TEXTS, "first_frame_url": "a picture", "last_frame_url": "a picture"}
    assert reported(create.body) == {"model": "wan2.2-kf2v-flash", "input": entry, "parameters": KF2V}


def test_a_shape_is_sent(live_server, nodes, asked):
    create = asked(live_server, nodes.image_to_video, **nodes.settings_for("wan3.0-video"), ratio="9:16")
    assert create.body["parameters"]["ratio"] == "9:16"


# Two images in one request


def test_of_two_large_images_one_is_uploaded_and_the_receipt_says_so(live_server, nodes, quick):
    images = {
        "image": torch.from_numpy(media.noise(1500, seed=1)),
        "last_frame": torch.from_numpy(media.noise(1300, seed=2)),
    }
    made = nodes.image_to_video(model="wan3.0-video", resolution="480P", duration=2, **images)
    [create] = [call for call in live_server.received if call.on == "create"]
    assert reported(create.body["input"]["media"]) == [{"type": "first_frame", "url": "stored jpg"}, LAST]
    assert create.headers[OSS.lower()] == "enable"
    assert create.size <= BODY_BYTES
    assert made.receipt["warnings"] == ["image: uploaded to temporary storage, as the images are large"]


def test_where_there_is_no_storage_both_images_are_made_to_fit(serve, nodes, quick):
    server = serve("virginia")
    images = {
        "image": torch.from_numpy(media.noise(1500, seed=1)),
        "last_frame": torch.from_numpy(media.noise(1300, seed=2)),
    }
    made = nodes.image_to_video(model="wan3.0-video", resolution="480P", duration=2, **images)
    [create] = [call for call in server.received if call.on == "create"]
    assert reported(create.body["input"]["media"]) == [FRAME, LAST]
    assert BODY_BYTES * 0.8 < create.size <= BODY_BYTES
    assert "image, last_frame: compressed further to fit into one request" in made.receipt["warnings"]
    assert not [call for call in server.received if call.on in ("policy", "upload")]


def test_a_small_image_beside_a_large_one_is_left_as_it_is(serve, nodes, asked):
    server = serve("virginia")
    small = nodes.image(side=400)
    alone = asked(server, nodes.image_to_video, model="wan3.0-video", resolution="480P", duration=2, image=small)
    both = {"image": torch.from_numpy(media.noise(1900, seed=1)), "last_frame": small}
    create = asked(server, nodes.image_to_video, model="wan3.0-video", resolution="480P", duration=2, **both)
    assert create.body["input"]["media"][1]["url"] == alone.body["input"]["media"][0]["url"]


def test_one_last_frame_is_for_all_and_several_are_one_each(live_server, nodes):
    from wanpack.wan.tasks.batch import Batch

    images, last = nodes.image(3), nodes.image(3, side=300)
    order = Batch(None, images, None, "", None, last_frames=last)
    assert all(torch.equal(order.images_for(i)["last_frame"], last[i]) for i in range(3))
    order = Batch(None, images, None, "", None, last_frames=last[1:2])
    assert all(torch.equal(order.images_for(i)["last_frame"], last[1]) for i in range(3))


@pytest.mark.parametrize(
    ("settings", "faults"),
    [
        (
            {"model": "wan2.7-i2v", "last_frame": torch.zeros(2, 240, 240, 3), "image": torch.zeros(3, 240, 240, 3)},
            ["last_frame: a batch of 2 images for 3 videos; pass one image for all videos, or one per video"],
        ),
        (
            {"model": "wan2.7-i2v", "last_frame": torch.zeros(1, 200, 240, 3)},
            ["last_frame: 240x200 is too small; each side must be at least 240 px"],
        ),
        (
            {"model": "wan2.7-i2v", "last_frame": "a picture"},
            ["last_frame: must be a ComfyUI IMAGE (floats from 0 to 1), not str"],
        ),
        (
            {"model": "wan2.7-i2v", "image": torch.zeros(1, 240, 2000, 3)},
            ["image: 2000x240 is too narrow; the longer side may be at most 8 times the shorter"],
        ),
        (
            {"model": "happyhorse-1.0-i2v", "duration": 2, "image": torch.zeros(1, 299, 800, 3)},
            [
                "duration: 2 is not supported by happyhorse-1.0-i2v; choose 3 to 15",
                "image: 800x299 is too small; each side must be at least 300 px",
                "image: 800x299 is too narrow; the longer side may be at most 2.5 times the shorter",
            ],
        ),
        ({"model": "wan2.2-kf2v-flash"}, ["last_frame: wan2.2-kf2v-flash needs a last frame"]),
    ],
)
def test_what_does_not_fit_is_reported_before_anything_is_sent(live_server, nodes, refused, settings, faults):
    usual = {"resolution": "720P", "duration": 5}
    assert refused(live_server, nodes.image_to_video, **{**usual, **settings}) == faults


# Going on from a clip


def test_a_clip_goes_on_and_all_its_seconds_are_paid(live_server, nodes, clip, quick):
    made = nodes.continue_video(video_path=clip.name)
    assert made.path.name.startswith("continue_")
    assert made.receipt["video_seconds"] == pytest.approx(5, abs=0.1)
    assert made.receipt["estimated_cost"] == {"amount": 3.0, "currency": "CNY", "as_of": "2026-05-26"}
    assert made.receipt["usage"]["duration"] == 5
    # Asked once more, it is returned and not paid.
    again = nodes.continue_video(video_path=str(clip))
    assert (again.path, again.receipt["reused"]) == (made.path, True)
    assert len([call for call in live_server.received if call.on == "create"]) == 1


def test_a_video_of_ours_is_a_clip_that_can_go_on(live_server, nodes, quick, videos_of_half_size):
    first = nodes.image_to_video(**nodes.settings_for("wan2.7-i2v") | {"duration": 2})
    more = nodes.continue_video(video=first.video, duration=4)
    assert more.receipt["video_seconds"] == pytest.approx(4, abs=0.1)


class Cut:
    """A VIDEO that is a part of its file, as ComfyUI's are since they can be trimmed."""

    def __init__(self, path, part):
        self.path, self.part = path, part

    def get_stream_source(self):
        return str(self.path)

    def get_active_trim_window(self):
        return 1.0, 2.5

    def save_to(self, target, **_):
        target.write(self.part.read_bytes())


def test_of_a_trimmed_video_only_the_part_is_sent(live_server, nodes, asked, clip, tmp_path):
    part = media.clip(tmp_path / "part.mp4", seconds=2.5)
    create = asked(live_server, nodes.continue_video, video=Cut(clip, part))
    [medium] = create.body["input"]["media"]
    assert live_server.state.storage.find(medium["url"]).path.read_bytes() == part.read_bytes()


def test_nodes_that_read_one_video_in_memory_at_once_do_not_disturb_each_other(clip):
    shared, inside, most = io.BytesIO(clip.read_bytes()), [], []

    class InMemory(Cut):
        def get_stream_source(self):
            return shared

        def save_to(self, target, **_):
            inside.append(target)
            most.append(len(inside))
            time.sleep(0.02)
            inside.remove(target)

    whole = SimpleNamespace(get_stream_source=lambda: shared)
    one, other = (video_input.resolve_video(whole, "") for _ in range(2))
    assert one is not other
    assert one.read() == other.read() == shared.read()
    cut = partial(video_input.resolve_video, InMemory(clip, clip), "", cut=True)
    reading = [threading.Thread(target=cut) for _ in range(2)]
    for thread in reading:
        thread.start()
    for thread in reading:
        thread.join()
    assert most == [1, 1]


def test_a_video_that_cannot_be_written_out_is_reported_before_anything_is_sent(live_server, nodes, refused, clip):
    class Broken(Cut):
        def save_to(self, target, **_):
            raise ValueError("no such stream")

    [fault] = refused(live_server, nodes.continue_video, video=Broken(clip, clip))
    assert fault == "video: it cannot be encoded as a file (ValueError: no such stream)"


@pytest.mark.parametrize(
    ("name", "more", "fault"),
    [
        ("short.mp4", {"seconds": 1.5}, "video_path: 1.50 s is too short; DashScope accepts 2 to 10 s"),
        ("long.mp4", {"seconds": 10.5}, "video_path: 10.50 s is too long; DashScope accepts 2 to 10 s"),
        ("small.mp4", {"size": (320, 200)}, "video_path: 320x200 is not supported; each side must have 240 to 4096 px"),
        (
            "narrow.mp4",
            {"size": (2000, 240)},
            "video_path: 2000x240 is too narrow; the longer side may be at most 8 times the shorter",
        ),
        ("video.mkv", {}, "video_path: video.mkv is not an MP4 or MOV video, as DashScope requires."),
    ],
)
def test_a_clip_that_the_service_would_not_take_is_reported(live_server, nodes, refused, clip, name, more, fault):
    media.clip(clip.with_name(name), **more)
    assert refused(live_server, nodes.continue_video, video_path=name, duration=12) == [fault]


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ({}, "video: use either video or video_path"),
        ({"video_path": "nowhere.mp4"}, "video_path: 'nowhere.mp4' is not a file in ComfyUI's input, output or temp"),
        ({"video_path": "/etc/passwd"}, "video_path: '/etc/passwd' is not a file in ComfyUI's input, output or temp"),
        ({"video": "a video"}, "video: must be a ComfyUI VIDEO, not str"),
        ({"video_path": "text.mp4"}, "video_path: text.mp4 is not an MP4 or MOV video"),
        ({"video_path": "half.mp4"}, "video_path: half.mp4 is truncated"),
    ],
)
def test_what_is_no_clip_is_reported_with_all_other_problems(live_server, nodes, refused, clip, given, fault):
    clip.with_name("text.mp4").write_text("no video")
    clip.with_name("half.mp4").write_bytes(clip.read_bytes()[: clip.stat().st_size // 2])
    faults = refused(live_server, nodes.continue_video, **given, duration=99)
    assert faults[0] == "duration: 99 is not supported by wan2.7-i2v; choose 2 to 15"
    assert faults[1].startswith(fault)


def test_a_video_must_be_longer_than_its_clip(live_server, nodes, refused, clip):
    [fault] = refused(live_server, nodes.continue_video, video_path=clip.name, duration=3)
    assert fault.startswith("duration: 3 s is the length of the complete video and must exceed the clip's 3.0 s")


def test_a_clip_of_over_100_mb_is_reported(live_server, nodes, refused, clip):
    with clip.open("r+b") as file:
        file.truncate(100 * 1024 * 1024 + 1)
    [fault] = refused(live_server, nodes.continue_video, video_path=clip.name)
    assert fault == "video_path: clip.mp4 is larger than 100 MB, DashScope's limit."


def test_a_model_that_does_not_go_on_is_reported_with_which_do(live_server, nodes, refused, clip):
    [fault] = refused(live_server, nodes.continue_video, video_path=clip.name, model="wan2.6-i2v")
    assert fault.endswith("remove it, or choose wan2.7-i2v or wan2.7-i2v-2026-04-25")


# Workspaces


@pytest.mark.parametrize(
    ("model", "workspace", "pointed"),
    [
        ("wan3.0-video", False, True),
        ("wan3.0-video", True, False),
        ("wan2.7-i2v", False, False),
    ],
)
def test_a_refusal_of_wan_3_at_a_shared_host_points_to_workspaces(
    live_server, nodes, monkeypatch, model, workspace, pointed
):
    monkeypatch.setattr(Endpoint, "at_workspace", workspace)
    fault = ErrorResponse(status=400, code="InvalidParameter", message="Model not exist.")
    live_server.faults.add(on="create", fault=fault)
    with pytest.raises(ServiceError) as caught:
        nodes.image_to_video(**nodes.settings_for(model))
    assert ("enter the workspace_id in DashScope Connection" in str(caught.value)) == pointed


@pytest.mark.parametrize(
    ("base_url", "is_one"),
    [
        ("https://llm-a.cn-beijing.maas.aliyuncs.com/api/v1", True),
        ("https://dashscope.aliyuncs.com/api/v1", False),
        ("http://127.0.0.1:1/api/v1", False),
    ],
)
def test_a_workspaces_own_host_is_known_by_its_name(base_url, is_one):
    from wanpack.wan.catalog.regions import REGIONS
    from wanpack.wan.redaction import Secret

    assert Endpoint(REGIONS["beijing"], base_url, Secret("sk-of-a-test")).at_workspace == is_one


@pytest.mark.parametrize("node", [node for node in NODES if hasattr(node, "IS_CHANGED")], ids=lambda node: node.NODE_ID)
def test_a_file_that_was_replaced_is_read_again(clip, node):
    """ComfyUI asks with what the graph has: None for links, a list of each input for nodes with INPUT_IS_LIST."""

    def asked(path):
        is_list = getattr(node, "INPUT_IS_LIST", False)
        return node.IS_CHANGED(**{node.PATHS: [path] if is_list else path, "model": "any", "unique_id": None})

    before = asked("clip.mp4")
    assert before == asked("clip.mp4")
    media.clip(clip, seconds=2)
    assert asked("clip.mp4") != before
    assert asked(None) == asked("") == asked("none.mp4") == asked("/etc/passwd") == []


def test_every_node_with_paths_looks_at_their_files():
    with_paths = [node for node in NODES if {"video_path", "video_paths"} & set(node.INPUT_TYPES()["optional"])]
    assert [node.PATHS in node.INPUT_TYPES()["optional"] for node in with_paths] == [True] * 4
