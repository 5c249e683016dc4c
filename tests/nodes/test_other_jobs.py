"""Text to video, reference to video, video edit and wan3.0's extension, as their nodes ask for them."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from types import SimpleNamespace

import media
import pytest
import torch
from wanpack.nodes.reference_to_video import REFERENCES
from wanpack.nodes.text_to_video import DashScopeWanTextToVideo
from wanpack.wan.catalog.fields import rows_of
from wanpack.wan.errors import InvalidRequest
from wanpack.wan.messages import localize

SAMPLES = Path(__file__).resolve().parents[1] / "wan" / "api" / "requests_other"
NODE_OF = {"t2v": "text_to_video", "r2v": "reference_to_video", "edit": "edit", "extend": "continue_video"}
IMAGE, CLIP, SOUND = "image", "clip", "sound"
MEDIA_OF = {
    "r2v_wan30": {"reference_1": IMAGE, "reference_2": IMAGE, "reference_3": CLIP, "reference_4": SOUND},
    "r2v_wan27_voice": {
        "reference_1": IMAGE,
        "voice_1": SOUND,
        "reference_2": CLIP,
        "voice_2": SOUND,
        "reference_3": IMAGE,
    },
    "r2v_wan26_flash": {"reference_1": CLIP, "reference_2": IMAGE},
    "r2v_happyhorse11": {"reference_1": IMAGE, "reference_2": IMAGE},
    "edit_wan27": {"video": CLIP, "image_1": IMAGE},
    "edit_happyhorse10": {"image_1": IMAGE},
    "edit_wan30": {"video": CLIP},
    "extend_wan30": {"video": CLIP},
}
# What a node may add: the service's own defaults, in rows that have the field.
DEFAULTS = {
    "seed": 0,
    "watermark": False,
    "audio": True,
    "prompt_extend": True,
    "shot_type": "single",
    "audio_setting": "auto",
    "ratio": "adaptive",
    "duration": 0,
}


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    frames = (media.plain(40 + index, size=(480, 360)) for index in range(5 * 20))
    return media.video(tmp_path_factory.mktemp("clip") / "clip.mp4", frames, fps=20, codec="mpeg4")


@pytest.fixture
def given(clip):
    """A value for a socket: an image, a clip of 5 s or a sound of 3 s."""

    def make(kind):
        if kind == IMAGE:
            return media.plain_images(side=400)
        if kind == SOUND:
            return media.audio(media.tone())
        return SimpleNamespace(get_stream_source=lambda: str(clip))

    return make


def settings_of(body):
    """The widgets of a sample, by the names of the nodes' inputs."""
    settings = {"model": body["model"], **body["input"], **body["parameters"]}
    for name in ("media", "reference_urls"):
        settings.pop(name, None)
    if "size" in settings:
        sizes = rows_of("text_to_video").get(body["model"], rows_of("reference_to_video").get(body["model"])).sizes
        settings["resolution"], settings["ratio"] = {size: key for key, size in sizes.items()}[settings.pop("size")]
    if "audio" in settings:
        settings["generate_audio"] = settings.pop("audio")
    if settings.get("duration") == -1:
        settings["duration"] = 0
    return settings


def without_urls(value):
    """A body with the places of its media, whatever leads to them."""
    if isinstance(value, dict):
        return {
            name: "a URL" if name in ("url", "reference_voice") else without_urls(inner)
            for name, inner in value.items()
        }
    if isinstance(value, list):
        return ["a URL" if isinstance(one, str) else without_urls(one) for one in value]
    return value


@pytest.mark.parametrize("name", sorted(path.stem for path in SAMPLES.glob("*.json")))
def test_each_of_the_services_samples_is_sent_by_a_node(serve, nodes, asked, given, name):
    server, body = serve("beijing"), json.loads((SAMPLES / f"{name}.json").read_text("utf-8"))
    settings = settings_of(body)
    if name == "extend_wan30":
        settings.pop("ratio")
    if name == "edit_happyhorse10":
        settings["video_url"] = body["input"]["media"][0]["url"]
    sockets = {socket: given(kind) for socket, kind in MEDIA_OF.get(name, {}).items()}
    sent = asked(server, getattr(nodes, NODE_OF[name.partition("_")[0]]), **settings, **sockets)
    wanted = without_urls(body)
    seen = without_urls(sent.body)
    assert seen["model"] == wanted["model"]
    assert seen["input"] == wanted["input"]
    assert wanted["parameters"].items() <= seen["parameters"].items()
    added = {key: value for key, value in seen["parameters"].items() if key not in wanted["parameters"]}
    assert added.items() <= DEFAULTS.items()
    uploads = json.dumps(sent.body).count("oss://")
    assert (sent.headers.get("x-dashscope-ossresourceresolve") == "enable") == bool(uploads)


def test_a_text_makes_as_many_videos_as_are_asked_for_each_with_its_seed(serve, quick, comfy):
    serve("beijing")
    settings = {"prompt": "a cat", "model": "wan2.2-t2v-plus", "resolution": "480P", "ratio": "1:1", "seed": 7}
    result = asyncio.run(DashScopeWanTextToVideo().generate(**settings, count=3))
    receipts = [json.loads(receipt) for receipt in result["result"][3]]
    assert [receipt["seed"] for receipt in receipts] == [7, 8, 9]
    assert len({receipt["task_id"] for receipt in receipts}) == 3
    assert {receipt["billed_cost"]["amount"] for receipt in receipts} == {0.7}


@pytest.mark.parametrize("count", [0, 5, 1.5, "many", None])
def test_another_number_of_videos_is_a_problem(serve, nodes, refused, count):
    [problem] = refused(serve("beijing"), nodes.text_to_video, count=count)
    assert problem.startswith("count: ")
    assert problem.endswith("choose 1 to 4")


def test_the_same_text_again_is_the_saved_video(serve, nodes, quick, comfy):
    server = serve("beijing")
    first, second = nodes.text_to_video(), nodes.text_to_video()
    assert (first.task_id, first.path) == (second.task_id, second.path)
    assert second.receipt["reused"]
    assert len([call for call in server.received if call.on == "create"]) == 1


def test_seconds_of_clips_are_billed_and_the_receipt_says_so(serve, nodes, quick, comfy, given):
    serve("beijing")
    made = nodes.reference_to_video(prompt="Video 1 waves", reference_1=given(CLIP), duration=2)
    assert made.receipt["estimated_cost"]["amount"] == 0.6 * (2 + 5)
    assert made.receipt["billed_cost"]["amount"] == pytest.approx(0.6 * 7)
    assert made.receipt["billed_cost"]["seconds"] == pytest.approx(7)


def test_an_edit_has_the_clips_length_and_both_are_billed(serve, nodes, quick, comfy, given):
    serve("beijing")
    made = nodes.edit(video=given(CLIP))
    assert made.receipt["video_seconds"] == pytest.approx(5, abs=0.1)
    assert made.receipt["estimated_cost"]["amount"] == pytest.approx(0.6 * 10)
    assert made.receipt["billed_cost"]["seconds"] == pytest.approx(10, abs=0.1)


def test_an_extension_is_as_long_as_asked(serve, nodes, quick, comfy, given):
    serve("beijing")
    settings = {"model": "wan3.0-video", "resolution": "480P", "duration": 7}
    made = nodes.continue_video(video=given(CLIP), **settings)
    assert made.receipt["video_seconds"] == pytest.approx(7, abs=0.1)
    assert made.receipt["prompt"] == "Extend Video 1 forward: the cat turns"
    assert made.receipt["estimated_cost"]["amount"] == pytest.approx(0.3 * 12)


@pytest.mark.parametrize(
    ("node", "settings", "problem"),
    [
        ("reference_to_video", {}, "reference_1: wan2.7-r2v needs at least one reference; connect an image or a clip"),
        ("reference_to_video", {"reference_1": "text"}, "reference_1: must be an IMAGE, a VIDEO or an AUDIO, not str"),
        ("reference_to_video", {"reference_3": torch.zeros(0, 300, 300, 3)}, "reference_3: the batch is empty"),
        ("edit", {"video": CLIP, "image_2": torch.zeros(0, 300, 300, 3)}, "image_2: the batch is empty"),
        ("reference_to_video", {"voice_2": SOUND}, "voice_2: reference_2 must be one image or one clip"),
        ("edit", {}, "video: use one of video, video_path and video_url"),
        ("edit", {"video": CLIP, "image_1": SOUND}, "image_1: must be an IMAGE, not dict"),
        ("text_to_video", {"prompt": " "}, "prompt: wan2.2-t2v-plus needs a prompt; write what the video shows"),
    ],
)
def test_what_lacks_or_has_another_type_is_told(serve, nodes, refused, given, node, settings, problem):
    kinds = (IMAGE, CLIP, SOUND)
    values = {
        name: given(value) if isinstance(value, str) and value in kinds else value for name, value in settings.items()
    }
    assert problem in refused(serve("beijing"), getattr(nodes, node), **values)


def test_a_batch_is_as_many_references_as_it_has_images(serve, nodes, asked):
    batch = torch.cat([media.plain_images(side=300)] * 3)
    sent = asked(serve("beijing"), nodes.reference_to_video, prompt="Image 3 waves", reference_2=batch)
    assert [item["type"] for item in sent.body["input"]["media"]] == ["reference_image"] * 3


def test_a_voice_of_a_batch_is_a_problem(serve, nodes, refused, given):
    batch = torch.cat([media.plain_images(side=300)] * 2)
    [problem] = refused(serve("beijing"), nodes.reference_to_video, reference_1=batch, voice_1=given(SOUND))
    assert problem == "voice_1: reference_1 must be one image or one clip"
    assert localize(problem, "zh") == "音色 1：参考 1 必须是一张图像或一个视频片段"


def test_a_first_frame_stands_before_the_references_and_is_one_image(serve, nodes, asked, given):
    sent = asked(serve("beijing"), nodes.reference_to_video, first_frame=given(IMAGE), reference_1=given(IMAGE))
    assert [item["type"] for item in sent.body["input"]["media"]] == ["first_frame", "reference_image"]


def test_a_first_frame_of_several_images_is_a_problem_and_no_video_each(serve, nodes, refused, given):
    batch = torch.cat([media.plain_images(side=300)] * 2)
    [problem] = refused(serve("beijing"), nodes.reference_to_video, first_frame=batch, reference_1=given(IMAGE))
    assert problem == "first_frame: a batch of 2 images; pass one image"


def test_a_first_frame_beside_references_is_called_by_its_own_name(serve, nodes, refused, given):
    small = media.plain_images(side=100)
    [problem] = refused(serve("beijing"), nodes.reference_to_video, first_frame=small, reference_1=given(IMAGE))
    assert problem.startswith("first_frame: ")


def test_what_is_wrong_is_told_by_the_name_of_its_input(serve, nodes, refused, given):
    server, image, clip = serve("beijing"), given(IMAGE), given(CLIP)
    wan_3 = {"model": "wan3.0-video", "resolution": "480P"}
    no_file = SimpleNamespace(get_stream_source=lambda: 5)
    told = [
        refused(server, nodes.reference_to_video, first_frame=media.plain_images(side=100))[1],
        *refused(server, nodes.reference_to_video, first_frame=image, reference_1=image, **wan_3),
        *refused(server, nodes.reference_to_video, reference_3=no_file),
        *refused(server, nodes.reference_to_video, **dict.fromkeys(REFERENCES[:4], clip), **wan_3),
        *refused(server, nodes.edit, video=clip, **{f"image_{number}": image for number in range(1, 6)}),
        *refused(server, nodes.continue_video, video=clip, last_frame=image, duration=8, **wan_3),
    ]
    assert told == [
        "first_frame: 116x100 is too small; each side must be at least 240 px",
        "first_frame: wan3.0-video does not accept a first frame; remove it, or choose wan2.7-r2v-2026-06-12 or "
        "wan2.7-r2v",
        "reference_3: must be a ComfyUI VIDEO, not SimpleNamespace",
        "reference_1, reference_2, reference_3, reference_4: 20.0 s of clips are too long; use at most 15 s together",
        "image_1: 5 images are too many for wan2.7-videoedit; use at most 4",
        "last_frame: wan3.0-video does not accept a last frame; remove it",
    ]


@pytest.mark.parametrize(("node", "model"), [("edit", "wan2.7-videoedit"), ("continue_video", "wan2.7-i2v")])
def test_a_file_that_is_no_clip_is_told_by_the_input_with_its_path(serve, nodes, refused, standalone_host, node, model):
    file = standalone_host.output_folder() / "no clip.mp4"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"no video at all")
    [problem] = refused(serve("beijing"), getattr(nodes, node), model=model, resolution="720P", video_path=str(file))
    assert problem.startswith("video_path: ")


def test_a_clip_that_may_not_be_uploaded_names_the_url(serve, nodes, refused, given):
    settings = {"model": "happyhorse-1.0-video-edit", "video": given(CLIP)}
    assert refused(serve("beijing"), nodes.edit, **settings) == [
        "video: DashScope documents no uploads for happyhorse-1.0-video-edit; enter the public URL of the clip in "
        "video_url instead"
    ]


def test_limits_count_the_seconds_of_clips(serve, nodes, given, bare_environment, quick):
    server = serve("beijing")
    bare_environment.setenv("DASHSCOPE_WAN_LIMIT_PER_RUN", "4 CNY")
    with pytest.raises(InvalidRequest, match=r"CNY 4\.20"):
        nodes.reference_to_video(prompt="Video 1 waves", reference_1=given(CLIP), duration=2)
    assert not [call for call in server.received if call.on == "create"]
