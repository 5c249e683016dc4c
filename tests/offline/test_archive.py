"""Tasks that outlive the mock server, as the service's outlive the client."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import wanpack.offline.render as offline_render
from platforms import needs_symlinks
from wanpack.offline import archive
from wanpack.offline.scene import Interrupted
from wanpack.offline.server import OfflineServer
from wanpack.offline.tasks import TASK_LIFE
from wanpack.offline.usage import usage_of
from wanpack.offline.worker import RenderWorker

ROOT = Path(__file__).resolve().parents[2]
SERVER = """
import sys, threading
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from cli.pack import load_pack
server = load_pack(Path(sys.argv[1])).module("offline.server").OfflineServer(folder=Path(sys.argv[2]), key="mine")
print(server.start().base_url, flush=True)
threading.Event().wait(60)
"""


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "offline"


def stop(api):
    """Stop a server as a process ends; the fixture that made it may stop it again."""
    api.server.stop()


def test_a_finished_task_is_known_to_the_next_server(make_server, kit, folder, clock):
    first = make_server(folder=folder, clock=clock)
    task_id = first.submit(kit.body(parameters={"seed": 7}))
    assert first.server.wait_idle()
    before = first.query(task_id)
    video = first.session.get(before["output"]["video_url"], timeout=10).content
    stop(first)

    second = make_server(folder=folder, clock=clock)
    after = second.query(task_id)
    assert after["output"]["task_status"] == "SUCCEEDED"
    assert second.session.get(after["output"].pop("video_url"), timeout=10).content == video
    del before["output"]["video_url"]
    assert {**after, "request_id": ""} == {**before, "request_id": ""}


@pytest.mark.parametrize("model", ["wan2.7-i2v", "wan2.2-kf2v-flash"])
def test_a_task_that_is_not_rendered_is_rendered_by_the_next_server(make_server, kit, folder, monkeypatch, model):
    begun, draw = threading.Event(), offline_render.render

    def endless(scene, path, *, wanted):
        begun.set()
        while wanted():
            threading.Event().wait(0.01)
        raise Interrupted

    monkeypatch.setattr(offline_render, "render", endless)
    first = make_server(folder=folder)
    task_id = first.submit(kit.body(model))
    assert begun.wait(30)
    stop(first)
    scene = first.server.tasks[0].scene

    monkeypatch.setattr(offline_render, "render", draw)
    second = make_server(folder=folder)
    assert second.server.tasks[0].scene in (scene, None)
    assert second.server.wait_idle()
    assert second.state(task_id) == "SUCCEEDED"
    assert second.server.tasks[0].scene is None
    assert json.loads((folder / "tasks" / f"{task_id}.json").read_text())["scene"] is None


def test_an_uploaded_clip_is_kept_while_its_video_is_to_be_rendered(make_server, kit, folder, monkeypatch):
    draw, begun = offline_render.render, threading.Event()

    def never(scene, path, *, wanted):
        begun.set()
        raise Interrupted

    monkeypatch.setattr(offline_render, "render", never)
    first = make_server(folder=folder)
    address, unused = (first.upload(name, kit.clip(), model="wan2.7-i2v") for name in ("a.mp4", "b.mp4"))
    body = kit.body("wan2.7-i2v", media={"first_clip": address}, parameters={"duration": 5})
    task_id = first.submit(body, headers={"X-DashScope-OssResourceResolve": "enable"})
    assert begun.wait(30)
    stop(first)
    assert len(list((folder / "uploads").iterdir())) == 2

    monkeypatch.setattr(offline_render, "render", draw)
    second = make_server(folder=folder)
    assert second.server.wait_idle()
    assert second.state(task_id) == "SUCCEEDED"
    assert len(list((folder / "uploads").iterdir())) == 1, unused


JOBS = [
    ("text_to_video", "wan2.6-t2v", {}),
    ("text_to_video", "wan3.0-video", {}),
    ("reference_to_video", "wan2.7-r2v", {"reference_image": "a.png", "reference_video": "a.mp4"}),
    ("reference_to_video", "wan2.6-r2v-flash", {"reference_image": "a.png", "reference_video": "a.mp4"}),
    ("video_edit", "wan2.7-videoedit", {"video": "a.mp4"}),
    ("video_edit", "wan3.0-video", {"reference_video": "a.mp4"}),
    ("video_extension", "wan3.0-video", {"reference_video": "a.mp4"}),
]


@pytest.mark.parametrize(("job", "model", "files"), JOBS)
def test_a_task_of_any_job_is_rendered_and_told_by_the_next_server(
    make_server, kit, folder, clock, monkeypatch, job, model, files
):
    draw, begun = offline_render.render, threading.Event()

    def never(scene, path, *, wanted):
        begun.set()
        raise Interrupted

    monkeypatch.setattr(offline_render, "render", never)
    first = make_server(folder=folder, clock=clock)
    data = {"a.png": kit.image(kind="PNG"), "a.mp4": kit.clip(2.5)}
    media = {kind: first.upload(name, data[name], model=model) for kind, name in files.items()}
    body = kit.body(model, job=job, media=media)
    task_id = first.submit(body, headers={"X-DashScope-OssResourceResolve": "enable"})
    assert begun.wait(30)
    stop(first)
    [before] = first.server.tasks

    with monkeypatch.context() as patch:
        patch.setattr(RenderWorker, "enqueue", lambda *_, **__: None)
        second = make_server(folder=folder, clock=clock)
        [after] = second.server.tasks
        assert (after.model, after.scene, after.clip_seconds) == (before.model, before.scene, before.clip_seconds)
        assert after.model.job == job
        stop(second)

    monkeypatch.setattr(offline_render, "render", draw)
    third = make_server(folder=folder, clock=clock)
    assert third.server.wait_idle()
    reply = third.query(task_id)
    assert reply["output"]["task_status"] == "SUCCEEDED"
    assert reply["usage"] == usage_of(before, before.inputs)


def test_a_task_without_a_job_is_of_image_to_video(make_server, kit, folder, clock):
    first = make_server(folder=folder, clock=clock)
    task_id = first.submit(kit.body("wan3.0-video"))
    assert first.server.wait_idle()
    stop(first)
    path = folder / "tasks" / f"{task_id}.json"
    written = json.loads(path.read_text())
    assert written.pop("job") == "image_to_video"
    del written["inputs"]["size"]
    path.write_text(json.dumps(written))
    second = make_server(folder=folder, clock=clock)
    assert second.state(task_id) == "SUCCEEDED"
    assert second.server.tasks[0].model.job == "image_to_video"


def test_failed_and_cancelled_tasks_stay_so(make_server, kit, folder, clock):
    first = make_server(folder=folder, clock=clock, running_limit=0)
    failed = first.submit(kit.body(media={"first_frame": kit.data_uri(b"no image")}))
    canceled = first.submit(kit.body())
    assert first.post(f"/tasks/{canceled}/cancel").status_code == 200
    assert first.server.wait_idle()
    clock.advance(60)
    stop(first)
    second = make_server(folder=folder, clock=clock)
    assert second.server.wait_idle()
    assert [second.state(one) for one in (failed, canceled)] == ["FAILED", "CANCELED"]


def test_after_24_hours_nothing_is_left(make_server, kit, folder, clock):
    first = make_server(folder=folder, clock=clock)
    old = first.submit(kit.body())
    assert first.server.wait_idle()
    clock.advance(TASK_LIFE - 60)
    new = first.submit(kit.body())  # It shares its video with the old one.
    assert first.server.wait_idle()
    stop(first)
    clock.advance(120)
    second = make_server(folder=folder, clock=clock)
    assert [second.state(one) for one in (old, new)] == ["UNKNOWN", "SUCCEEDED"]
    assert [path.stem for path in (folder / "tasks").iterdir()] == [new]
    clock.advance(TASK_LIFE)
    assert second.state(new) == "UNKNOWN"
    assert not [*(folder / "tasks").iterdir(), *(folder / "videos").iterdir()]


def test_the_oldest_videos_go_where_there_are_too_many(make_server, kit, folder, clock, monkeypatch):
    api = make_server(folder=folder, clock=clock)

    def finish(model):
        task_id = api.submit(kit.body(model))
        assert api.server.wait_idle()
        assert api.state(task_id) == "SUCCEEDED"
        clock.advance(1)
        return task_id

    ids = [finish(model) for model in ("wanx2.1-i2v-turbo", "wan2.2-i2v-flash", "wan2.5-i2v-preview")]
    sizes = [task.video.stat().st_size for task in api.server.tasks]
    monkeypatch.setattr(archive, "MAX_VIDEO_BYTES", sum(sizes[1:]))
    ids.append(finish("wan2.5-i2v-preview"))  # It shares its video with the one before.
    assert [api.state(one) for one in ids] == ["UNKNOWN", "SUCCEEDED", "SUCCEEDED", "SUCCEEDED"]
    assert [len(list((folder / name).iterdir())) for name in ("tasks", "videos")] == [3, 2]


def test_what_cannot_be_read_is_left_out(make_server, kit, folder, caplog):
    first = make_server(folder=folder)
    task_id = first.submit(kit.body())
    assert first.server.wait_idle()
    stop(first)
    kept = json.loads((folder / "tasks" / f"{task_id}.json").read_text())
    changes = [
        {"model": "wan9"},
        {"submitted": None},
        {"scheduled": "x"},
        {"ended": [1]},
        {"submitted": kept["submitted"] + 3600},
        {"video": "../../precious.mp4"},
        {"video": "/precious.mp4"},
        {"video": f"{0:032x}.mp4"},
        {"inputs": {**kept["inputs"], "resolution": "9P"}},
        {"inputs": {**kept["inputs"], "duration": "x"}},
        {"id": "../../conf"},
        {"more": 1},
    ]
    texts = [
        "{",
        "[]",
        "\0",
        "[" * 100_000,
        *(json.dumps({**kept, "id": f"{n}", **one}) for n, one in enumerate(changes)),
    ]
    for number, text in enumerate(texts, -4):
        (folder / "tasks" / f"{number}.json").write_text(text)
    second = make_server(folder=folder)
    assert [task.id for task in second.server.tasks] == [task_id]
    assert second.state(task_id) == "SUCCEEDED"
    assert caplog.text.count("is left out") == len(texts)


@needs_symlinks
def test_only_files_of_its_own_are_deleted(make_server, kit, folder, tmp_path, clock):
    others = [tmp_path / "photos" / "a.jpg", tmp_path / "conf.json", folder / "mine.txt", folder / "other" / "b.mp4"]
    for path in others:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("precious")
    (folder / "uploads").symlink_to(tmp_path / "photos", target_is_directory=True)
    first = make_server(folder=folder, clock=clock)
    first.submit(kit.body())
    assert first.server.wait_idle()
    stop(first)
    clock.advance(TASK_LIFE + 1)
    assert make_server(folder=folder, clock=clock).server.tasks == []
    assert [path.read_text() for path in others] == ["precious"] * 4


def test_a_folder_may_move(make_server, kit, folder, tmp_path):
    first = make_server(folder=folder)
    task_id = first.submit(kit.body())
    assert first.server.wait_idle()
    stop(first)
    folder.rename(tmp_path / "moved")
    second = make_server(folder=tmp_path / "moved")
    answer = second.query(task_id)["output"]
    assert second.session.get(answer["video_url"], timeout=10).content


def test_a_task_whose_video_is_gone_is_unknown(make_server, kit, folder):
    first = make_server(folder=folder)
    task_id = first.submit(kit.body())
    assert first.server.wait_idle()
    stop(first)
    for path in (folder / "videos").iterdir():
        path.unlink()
    assert make_server(folder=folder).state(task_id) == "UNKNOWN"


def test_a_part_that_cannot_be_removed_leaves_the_renderer_alive(make_server, kit, folder):
    folder.mkdir()
    (folder / "videos").write_text("a file")
    api = make_server(folder=folder)
    assert api.ended(kit.body())["output"]["task_status"] == "FAILED"
    (folder / "videos").unlink()
    assert api.ended(kit.body(parameters={"seed": 1}))["output"]["task_status"] == "SUCCEEDED"


def test_a_second_process_keeps_to_itself(make_server, kit, folder):
    first, second = make_server(folder=folder), make_server(folder=folder)
    task_id = second.submit(kit.body())
    assert second.server.wait_idle()
    assert second.state(task_id) == "SUCCEEDED"
    assert first.state(task_id) == "UNKNOWN"
    assert not list((folder / "tasks").iterdir())


def test_a_folder_that_cannot_be_made_stops_nothing(make_server, kit, tmp_path):
    (tmp_path / "file").write_text("")
    api = make_server(folder=tmp_path / "file" / "offline")
    task_id = api.submit(kit.body())
    assert api.server.wait_idle()
    assert api.state(task_id) == "SUCCEEDED"


def test_a_killed_server_loses_no_task(make_server, kit, folder):
    """The process is killed as soon as it has answered: its video was not rendered."""
    command = [sys.executable, "-c", SERVER, str(ROOT), str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:  # noqa: S603 - our own program
        assert child.stdout is not None
        try:
            base_url = child.stdout.readline().strip()
            api = kit.api(OfflineServer(key="mine"))
            response = api.session.post(
                f"{base_url}/services/aigc/video-generation/video-synthesis",
                headers={**api.key, "X-DashScope-Async": "enable"},
                json=kit.body(),
                timeout=10,
            )
            task_id = response.json()["output"]["task_id"]
        finally:
            child.kill()
    server = make_server(folder=folder)
    assert server.server.wait_idle()
    assert server.state(task_id) == "SUCCEEDED"
