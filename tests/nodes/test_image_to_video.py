"""The main node from images to saved videos, over HTTP, with the mock server in the service's place."""

from __future__ import annotations

import asyncio
import json
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import av
import pytest
import torch
from media import audio, plain_images, tone
from mock_faults import TaskFails, TaskStuck
from skipping import SkippingClock
from small_videos import nothing_is_drawn
from wanpack.nodes import host
from wanpack.nodes.connection import DashScopeWanConnection
from wanpack.nodes.image_to_video import DashScopeWanImageToVideo
from wanpack.wan.api.errors import ServiceError
from wanpack.wan.errors import InvalidRequest, WanError
from wanpack.wan.media.video import read_metadata

SETTINGS = {"prompt": "a cat runs", "model": "wanx2.1-i2v-turbo", "resolution": "480P", "duration": 3}
WITH_AUDIO = {"prompt": "a cat sings", "model": "wan2.6-i2v-flash", "resolution": "720P", "duration": 2}
SEED_MAX = 2147483647


def generate(**settings):
    return asyncio.run(DashScopeWanImageToVideo().generate(**{"image": plain_images(), **SETTINGS, **settings}))


def creates(server):
    return [call for call in server.received if call.on == "create"]


def facts(path):
    """What a decoder finds in a video."""
    with av.open(str(path)) as container:
        video = container.streams.video[0]
        frames = list(container.decode(video))
        return SimpleNamespace(
            codec=video.codec_context.name,
            rate=video.average_rate,
            frames=len(frames),
            grey=frames[0].to_ndarray(format="gray").mean(),
            audios=len(container.streams.audio),
        )


def test_images_that_are_counted_in_another_way_are_reported_before_paying(serve, refused):
    server = serve("beijing")
    model = {"model": "wan2.7-i2v", "resolution": "720P", "duration": 5}
    faults = refused(server, generate, image=plain_images(2) * 255, last_frame=plain_images(1) * 2 - 1, **model)
    assert [fault.partition(" has ")[0] for fault in faults] == ["image: image 1, 2 of 2", "last_frame: it"]


# A batch


@pytest.fixture(scope="module")
def batch(going_live, tmp_path_factory):
    """What is left of a batch of three that begins just below the largest seed. Videos are dear: one run for all."""
    folder = tmp_path_factory.mktemp("batch")
    with going_live(folder) as server:
        host.configure(clock=SkippingClock(ready=nothing_is_drawn))
        shown = generate(image=plain_images(3), seed=SEED_MAX - 1, filename_prefix="wan/cats")
        paths, videos, task_ids, receipts = shown["result"]
        return SimpleNamespace(
            folder=folder,
            key=server.key,
            tasks={task.id: task for task in server.tasks},
            sent=creates(server),
            ui=shown["ui"],
            paths=[Path(path) for path in paths],
            videos=videos,
            task_ids=task_ids,
            receipts=[json.loads(receipt) for receipt in receipts],
        )


def test_a_batch_makes_one_task_for_each_image(batch):
    assert len(batch.sent) == len(batch.tasks) == 3
    assert len({call.body["input"]["img_url"] for call in batch.sent}) == 3
    assert set(batch.task_ids) == set(batch.tasks)


def test_the_seeds_of_a_batch_count_up_and_around_in_the_order_of_the_images(batch):
    seeds = [SEED_MAX - 1, SEED_MAX, 0]
    assert [batch.tasks[task_id].body["parameters"]["seed"] for task_id in batch.task_ids] == seeds
    assert [receipt["seed"] for receipt in batch.receipts] == seeds
    # The images get lighter, and so do the videos.
    greys = [facts(path).grey for path in batch.paths]
    assert greys == sorted(greys)
    assert greys[-1] - greys[0] > 50


def test_the_outputs_of_an_image_belong_together(batch):
    assert [receipt["task_id"] for receipt in batch.receipts] == batch.task_ids
    assert [video.get_stream_source() for video in batch.videos] == [str(path) for path in batch.paths]
    assert [receipt["bytes"] for receipt in batch.receipts] == [path.stat().st_size for path in batch.paths]


def test_the_videos_are_saved_under_the_prefix_and_nothing_else_beside(batch):
    names = sorted(path.name for path in (batch.folder / "output" / "wan").iterdir())
    assert names == ["cats_00001_.mp4", "cats_00002_.mp4", "cats_00003_.mp4"]
    assert sorted(path.name for path in batch.paths) == names
    assert all(path.is_absolute() for path in batch.paths)


def test_a_video_is_h264_at_30_images_a_second_and_as_long_as_asked(batch):
    for path in batch.paths:
        found = facts(path)
        assert (found.codec, found.rate, found.audios) == ("h264", Fraction(30), 0)
        assert abs(found.frames - 3 * 30) <= 1


def test_the_videos_are_shown_on_the_node(batch):
    assert batch.ui == {
        "images": [{"filename": path.name, "subfolder": "wan", "type": "output"} for path in batch.paths],
        "animated": (True,),
    }


def test_a_receipt_says_what_was_asked_made_and_charged(batch):
    receipt = batch.receipts[0]
    asked = {name: receipt[name] for name in ("model", "region", "resolution", "duration", "prompt")}
    assert asked == {**SETTINGS, "region": "beijing"}
    assert receipt["estimated_cost"] == {"amount": 0.72, "currency": "CNY", "as_of": "2026-05-26"}
    assert receipt["usage"] == {"video_duration": 3, "video_ratio": "standard", "video_count": 1}
    assert (receipt["fps"], receipt["has_audio"]) == (30.0, False)
    assert (receipt["resumed"], receipt["reused"]) == (False, False)
    reported = (
        "request_id",
        "actual_prompt",
        "width",
        "height",
        "video_url",
        "submit_time",
        "scheduled_time",
        "end_time",
    )
    assert all(receipt[name] for name in reported)


def test_neither_the_key_nor_the_image_is_in_a_receipt_or_a_file(batch):
    assert batch.key not in json.dumps(batch.receipts)
    assert "base64" not in json.dumps(batch.receipts)
    files = [path for path in batch.folder.rglob("*") if path.is_file()]
    assert any(path.name == "ledger.sqlite3" for path in files)
    assert not [path for path in files if batch.key.encode() in path.read_bytes()]


def test_the_same_graph_again_returns_the_saved_video_and_sends_nothing(live_server, quick):
    first = generate()
    before = len(live_server.received)
    again = generate()
    assert len(live_server.received) == before
    assert (again["result"][0], again["result"][2]) == (first["result"][0], first["result"][2])
    receipt = json.loads(again["result"][3][0])
    assert (receipt["reused"], receipt["resumed"]) == (True, False)
    assert again["ui"] == first["ui"]


# What is found before anything is sent


def test_all_problems_are_reported_at_once_and_nothing_is_sent(live_server, bare_environment):
    bare_environment.delenv("DASHSCOPE_API_KEY")
    with pytest.raises(InvalidRequest) as caught:
        generate(
            image=plain_images(side=100),
            model="wan2.2-i2v-plus",
            resolution="720P",
            duration=7,
            shot_type="multi",
            seed=-1,
            audio_url="https://example.com/a.mp3",
            filename_prefix="../outside",
        )
    names = [fault.partition(":")[0] for fault in caught.value.problems]
    assert sorted(names) == [
        next(name for name in names if name.startswith("No API key is configured for Beijing")),
        "audio_url",
        "duration",
        "filename_prefix",
        "image",
        "resolution",
        "seed",
        "shot_type",
    ]
    assert str(caught.value).endswith("\nNothing was submitted; nothing was charged.")
    assert live_server.received == []


@pytest.mark.parametrize(
    "image", [None, "cat.png", torch.zeros(240, 240, 3), torch.zeros(0, 240, 240, 3), torch.tensor(1.0)]
)
def test_what_is_no_image_is_reported_and_nothing_is_sent(live_server, image):
    with pytest.raises(InvalidRequest) as caught:
        generate(image=image)
    assert [fault.partition(":")[0] for fault in caught.value.problems] == ["image"]
    assert live_server.received == []


def test_an_audio_that_is_too_short_is_reported_and_not_uploaded(live_server):
    with pytest.raises(InvalidRequest, match=r"audio: 1\.0 s is too short; DashScope accepts 3 to 30 s"):
        generate(**WITH_AUDIO, audio=audio(tone(seconds=1.0)))
    assert live_server.received == []


def test_an_audio_cannot_be_uploaded_where_there_is_no_storage(live_server):
    [connection] = DashScopeWanConnection().connect("virginia")
    with pytest.raises(InvalidRequest, match="audio: Virginia has no temporary storage"):
        generate(model="wan2.6-i2v", resolution="720P", audio=audio(), connection=connection)
    assert live_server.received == []


def test_a_key_with_a_line_break_is_reported_and_not_quoted(live_server, bare_environment):
    bare_environment.setenv("DASHSCOPE_API_KEY", "sk-first-half\nsecond-half")
    with pytest.raises(InvalidRequest) as caught:
        generate()
    assert "the API key for Beijing contains a space, a line break" in str(caught.value)
    assert "half" not in str(caught.value)
    assert live_server.received == []


# Audio


def test_an_audio_of_the_graph_is_uploaded_and_sent_by_its_address(live_server, quick):
    [path] = generate(**WITH_AUDIO, audio=audio())["result"][0]
    assert [call.on for call in live_server.received][:3] == ["policy", "upload", "create"]
    assert live_server.received[0].query["model"] == "wan2.6-i2v-flash"
    [create] = creates(live_server)
    address = create.body["input"]["audio_url"]
    assert address.startswith("oss://")
    assert address.endswith(".wav")
    assert create.headers["x-dashscope-ossresourceresolve"] == "enable"
    # The mock server has found the file and taken it for an audio file.
    [task] = live_server.tasks
    assert (task.state, task.notes) == ("SUCCEEDED", [])
    assert facts(path).audios == 1


def test_one_upload_serves_the_whole_batch(live_server, quick):
    live_server.faults.add(on="create", fault=TaskFails(), times=2)
    with pytest.raises(WanError, match="2 of 2 videos failed"):
        generate(**WITH_AUDIO, image=plain_images(2), audio=audio())
    assert [call.on for call in live_server.received].count("upload") == 1
    assert len({call.body["input"]["audio_url"] for call in creates(live_server)}) == 1


def test_an_audio_that_a_silent_video_does_not_use_is_not_uploaded(live_server, quick):
    live_server.faults.add(on="create", fault=TaskFails())
    with pytest.raises(ServiceError):
        generate(**WITH_AUDIO, audio=audio(), generate_audio=False)
    [create] = creates(live_server)
    assert create.body["parameters"]["audio"] is False
    assert "audio_url" not in create.body["input"]
    assert "upload" not in [call.on for call in live_server.received]


# Offline


def test_the_offline_region_works_without_a_key(bare_environment, standalone_host, tmp_path, own_offline_region, quick):
    [connection] = DashScopeWanConnection().connect("offline")
    [path], _, _, [receipt] = generate(connection=connection)["result"]
    assert facts(path).frames == 90
    assert Path(path).parent == tmp_path / "output" / "wan"
    reported = json.loads(receipt)
    assert (reported["region"], reported["estimated_cost"]["amount"]) == ("offline", 0.0)


# In ComfyUI


def test_in_comfyui_the_video_is_saved_in_its_folder_with_its_graph(live_server, comfy, quick):
    graph = {"7": {"class_type": "DashScopeWanImageToVideo", "inputs": SETTINGS}}
    shown = generate(unique_id="7", graph=graph, extra_pnginfo={"workflow": {"nodes": []}})
    [path], [video], _, [receipt] = shown["result"]
    assert Path(path).parent == comfy.folder / "output" / "wan"
    assert type(video).__name__ == "VideoFromFile"
    assert (comfy.folder / "user" / "__dashscope_wan" / "ledger.sqlite3").is_file()
    carried = read_metadata(path)
    assert json.loads(carried["prompt"]) == graph
    assert json.loads(carried["workflow"]) == {"nodes": []}
    assert json.loads(receipt)["bytes"] == Path(path).stat().st_size
    texts = [text for _, text in comfy.texts]
    assert texts[0] == "preparing"
    assert texts[-1] == f"saved {Path(path).name}, paid CNY 0.72"
    assert "submitting, about CNY 0.72" in texts
    assert {node for node, _ in [*comfy.texts, *comfy.bars]} == {"7"}
    fractions = [fraction for _, fraction in comfy.bars]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0


@pytest.mark.parametrize("kind", [Exception, BaseException])
def test_stop_says_that_the_task_goes_on(live_server, make_comfy, kind):
    comfy = make_comfy(kind)
    comfy.stop_at = "rendering"
    live_server.faults.add(on="create", fault=TaskStuck("RUNNING"))
    with pytest.raises(comfy.interruption):
        generate()
    [task] = live_server.tasks
    running = f"stopped; task {task.id} is still running at DashScope and is charged if it succeeds"
    assert f"{running}: run the same graph again to get its video" in [text for _, text in comfy.texts]
    assert task.state == "RUNNING"


@pytest.mark.usefixtures("patient_stop")
def test_stop_cancels_a_task_that_is_still_queued(live_server, comfy):
    comfy.stop_at = "queued"
    live_server.faults.add(on="create", fault=TaskStuck("PENDING"))
    with pytest.raises(comfy.interruption):
        generate()
    [task] = live_server.tasks
    assert task.state == "CANCELED"
    assert comfy.texts[-1][1] == f"stopped; task {task.id} was still queued and is cancelled; nothing is charged"
