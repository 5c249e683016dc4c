"""Fetch Task: an id downloads its video, or says why there is none."""

from __future__ import annotations

import html
import json
import time
from fractions import Fraction

import av
import media
import pytest
import requests
from mock_faults import ErrorResponse, TaskFails, TaskStuck, UnknownStatus
from wanpack.nodes import host
from wanpack.wan.api.errors import (
    ContentRejected,
    ServiceError,
    TaskCanceled,
    TaskUnknown,
    WaitExceeded,
)
from wanpack.wan.errors import DownloadFailed, UnusableTask
from wanpack.wan.tasks import retry

DAY = 24 * 3600
NEVER_SEEN = "0385dc79-5ff8-4d82-bcb6-000000000000"


class Clock:
    def __init__(self):
        self.now = 1_800_000_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def submit():
    """Create a task beside the nodes, as another machine may have done, and return its id."""

    def create(server, *, model="wanx2.1-i2v-turbo", **settings):
        image = media.data_uri(media.image_file(256, 240), "image/png")
        body = {
            "model": model,
            "input": {"prompt": "a cat", "img_url": image},
            "parameters": {"resolution": "480P", "duration": 3, **settings},
        }
        headers = {"Authorization": f"Bearer {server.key}", "X-DashScope-Async": "enable"}
        url = f"{server.base_url}/services/aigc/video-generation/video-synthesis"
        return requests.post(url, json=body, headers=headers, timeout=60).json()["output"]["task_id"]

    return create


@pytest.fixture
def cancel():
    """Cancel a task beside the nodes."""

    def call(server, task_id):
        headers = {"Authorization": f"Bearer {server.key}"}
        requests.post(f"{server.base_url}/tasks/{task_id}/cancel", headers=headers, timeout=60).raise_for_status()

    return call


def queries(server):
    return [call for call in server.received if call.on == "query"]


# Home


def test_a_finished_tasks_video_comes_home_and_plays(live_server, nodes, quick, submit, tmp_path):
    task_id = submit(live_server)
    made = nodes.fetch(f" {task_id}\n")
    assert made.path == (tmp_path / "output" / "wan" / "task_00001_.mp4").resolve()
    assert made.task_id == made.receipt["task_id"] == task_id
    with av.open(str(made.path)) as container:
        video = container.streams.video[0]
        assert (video.codec_context.name, video.average_rate) == ("h264", Fraction(30))
        assert sum(1 for _ in container.decode(video)) == 90
    assert made.video.get_stream_source() == str(made.path)


def test_fetching_asks_for_no_new_task(live_server, nodes, quick, submit):
    nodes.fetch(submit(live_server))
    assert len(live_server.tasks) == 1


def test_a_task_that_still_runs_is_waited_for(serve, nodes, quick, submit, comfy, monkeypatch):
    server = serve("beijing")
    server.faults.add(on="create", fault=TaskStuck("RUNNING"))
    task_id = submit(server)
    [task] = server.tasks
    seen = []

    def see(text, node_id):
        seen.append(text.split()[0])
        if len(queries(server)) >= 3:
            task.frozen_in = None

    monkeypatch.setattr(comfy, "send_progress_text", see)
    made = nodes.fetch(task_id)
    assert made.path.stat().st_size == made.receipt["bytes"]
    assert list(dict.fromkeys(seen)) == ["preparing", "rendering", "downloading", "saving", "saved"]
    assert len(queries(server)) > 3


def test_a_task_that_runs_too_long_is_reported_and_goes_on(serve, nodes, monkeypatch, submit):
    server = serve("beijing")
    host.configure(clock=retry.Clock(0.005))
    server.faults.add(on="create", fault=TaskStuck("RUNNING"))
    task_id = submit(server)
    with pytest.raises(WaitExceeded) as caught:
        nodes.fetch(task_id, connection=nodes.connection("beijing", max_wait_minutes=1))
    assert task_id in str(caught.value)
    assert "It still runs at DashScope." in str(caught.value)


def test_the_same_id_again_returns_the_saved_video_and_sends_nothing(live_server, nodes, quick, submit):
    first = nodes.fetch(submit(live_server))
    before = len(live_server.received)
    again = nodes.fetch(first.task_id)
    assert again.path == first.path
    assert again.receipt == {**first.receipt, "reused": True, "resumed": False}
    assert len(live_server.received) == before


def test_a_video_that_was_deleted_is_fetched_again(live_server, nodes, quick, submit):
    first = nodes.fetch(submit(live_server))
    first.path.unlink()
    assert nodes.fetch(first.task_id).path.stat().st_size == first.receipt["bytes"]


def test_a_video_that_cannot_be_downloaded_now_can_be_later(serve, nodes, monkeypatch, submit):
    server = serve("beijing")
    host.configure(clock=retry.Clock(0.001))
    task_id = submit(server)
    server.faults.add(on="download", fault=ErrorResponse(503), times=1000)
    with pytest.raises(DownloadFailed) as caught:
        nodes.fetch(task_id)
    assert "The video is already paid for and available for 24 hours" in str(caught.value)
    assert task_id in str(caught.value)
    server.faults.clear()
    assert nodes.fetch(task_id).path.is_file()


def test_its_link_is_shown_on_the_node_whole(serve, nodes, quick, comfy, submit):
    server = serve("beijing")
    task_id = submit(server)
    server.faults.add(on="download", fault=ErrorResponse(400), times=1000)
    with pytest.raises(DownloadFailed, match="open the URL shown on the node"):
        nodes.fetch(task_id)
    link = html.unescape(comfy.texts[-1][1]).rpartition(f"Task {task_id}: ")[2]
    server.faults.clear()
    assert requests.get(link, timeout=60).content[4:8] == b"ftyp"


# A task that this machine's ledger knows


@pytest.fixture
def lost(live_server, nodes, quick):
    """A video of the main node's that was deleted from the output folder."""
    made = nodes.image_to_video(seed=5)
    made.path.unlink()
    return made


def test_the_task_of_an_earlier_run_is_known_with_what_it_asked_for(live_server, nodes, lost):
    made = nodes.fetch(lost.task_id)
    same = ("task_id", "request_id", "model", "region", "resolution", "duration", "prompt", "usage", "bytes")
    assert {name: made.receipt[name] for name in same} == {name: lost.receipt[name] for name in same}


def test_after_fetching_it_the_graph_that_made_it_does_not_pay_again(live_server, nodes, lost):
    fetched = nodes.fetch(lost.task_id)
    again = nodes.image_to_video(seed=5)
    assert again.path == fetched.path
    assert len(live_server.tasks) == 1


def test_a_task_of_an_earlier_run_that_is_still_there_is_not_downloaded_again(live_server, nodes, quick):
    made = nodes.image_to_video()
    before = len(live_server.received)
    assert nodes.fetch(made.task_id).path == made.path
    assert len(live_server.received) == before


def test_one_response_that_does_not_know_a_young_task_does_not_make_it_expired(live_server, nodes, lost):
    # Else the graph that made it would pay for it a second time.
    live_server.faults.add(on="query", fault=UnknownStatus(), times=2)
    assert nodes.fetch(lost.task_id).path.is_file()
    nodes.image_to_video(seed=5)
    assert len(live_server.tasks) == 1


# No video, and why


def message_of(nodes, task_id, error=TaskUnknown):
    with pytest.raises(error) as caught:
        nodes.fetch(task_id)
    reported = str(caught.value)
    assert task_id in reported
    assert "\n" in reported, "what happened, then what to do"
    return reported


def test_an_id_that_the_service_does_not_know_is_reported_with_the_possible_reasons(live_server, nodes):
    reported = message_of(nodes, NEVER_SEEN)
    assert reported.startswith("DashScope does not know the task")
    for reason in ("24 hours", "another account", "region", "Check the id"):
        assert reason in reported
    assert len(queries(live_server)) == 1


def test_a_failed_task_is_reported_in_the_services_words_and_costs_nothing(live_server, nodes, submit):
    fault = TaskFails("DataInspectionFailed", "Output data may contain inappropriate content.")
    live_server.faults.add(on="create", fault=fault)
    reported = message_of(nodes, submit(live_server), ContentRejected)
    assert reported.startswith("The task failed, DataInspectionFailed: Output data may contain inappropriate content.")
    assert "Nothing was charged." in reported


def test_a_task_that_failed_for_its_settings_is_reported_too(live_server, nodes, submit):
    reported = message_of(nodes, submit(live_server, duration=99), ServiceError)
    assert reported.startswith("The task failed, InvalidParameter: ")


def test_a_cancelled_task_is_reported_as_cancelled(live_server, nodes, submit, cancel):
    live_server.faults.add(on="create", fault=TaskStuck("PENDING"))
    task_id = submit(live_server)
    cancel(live_server, task_id)
    reported = message_of(nodes, task_id, TaskCanceled)
    assert reported.startswith("The task was cancelled at DashScope; nothing was charged.")


def test_a_task_of_yesterday_is_reported_as_possibly_too_old(serve, nodes, submit):
    clock = Clock()
    server = serve("beijing", clock=clock)
    task_id = submit(server)
    assert server.wait_idle()
    clock.now += DAY + 60
    reported = message_of(nodes, task_id)
    assert "older than 24 hours" in reported


def test_a_task_of_yesterday_that_this_machine_made_is_reported_with_its_file(serve, nodes, quick, monkeypatch):
    clock = Clock()
    server = serve("beijing", clock=clock)
    made = nodes.image_to_video()
    made.path.unlink()
    monkeypatch.setattr("time.time", lambda now=time.time: now() + 25 * 3600)
    clock.now += 25 * 3600
    reported = message_of(nodes, made.task_id)
    assert reported.startswith(f"The video of this request was saved as {made.path}, but that file is missing")
    assert "which is charged" in reported
    assert len(server.tasks) == 0


def test_a_task_that_the_mock_server_has_forgotten_is_reported_as_such(
    bare_environment, standalone_host, nodes, refused
):
    with pytest.raises(TaskUnknown, match="it keeps tasks for 24 hours, on this machine only"):
        nodes.fetch(NEVER_SEEN, connection=nodes.connection("offline"))


def test_a_task_that_this_machine_made_in_another_region_is_reported_with_that_region(serve, nodes, quick):
    serve("singapore")
    made = nodes.image_to_video()
    made.path.unlink()
    serve("beijing")
    with pytest.raises(UnusableTask) as caught:
        nodes.fetch(made.task_id)
    assert caught.value.problems == (
        "task_id: the task belongs to region singapore; choose that region in DashScope Connection",
    )


def test_an_id_that_was_tried_in_a_wrong_region_can_still_be_fetched_in_the_right_one(
    serve, nodes, quick, submit, bare_environment
):
    singapore = serve("singapore")
    task_id = submit(singapore, model="wan2.1-i2v-turbo")
    serve("beijing")
    message_of(nodes, task_id)
    for name, value in (("REGION", "singapore"), ("BASE_URL", singapore.base_url), ("API_KEY", singapore.key)):
        bare_environment.setenv(f"DASHSCOPE_{name}", value)
    made = nodes.fetch(task_id)
    assert made.path.is_file()
    assert made.receipt["region"] == "singapore"


def test_the_four_ends_are_distinguished(live_server, nodes, submit, cancel):
    live_server.faults.add(on="create", fault=TaskFails())
    failed = message_of(nodes, submit(live_server), ServiceError)
    live_server.faults.add(on="create", fault=TaskStuck("PENDING"))
    queued = submit(live_server)
    cancel(live_server, queued)
    cancelled = message_of(nodes, queued, TaskCanceled)
    unknown = message_of(nodes, NEVER_SEEN)
    assert len({text.partition("\n")[0] for text in (failed, cancelled, unknown)}) == 3


# What is no id


@pytest.mark.parametrize(
    "task_id",
    [
        *("", "   ", "a b", "two\nlines", "a/b", "../uploads", "a\\b", "a?x=1", "a#b", "a%2Fb"),
        *("é", "任务", "-a", "{'task_id': 'a'}", '"a"', "x" * 129, "a\0b"),
    ],
)
def test_what_is_no_id_is_reported_and_nothing_is_sent(live_server, nodes, refused, task_id):
    [fault] = refused(live_server, nodes.fetch, task_id)
    assert fault.startswith("task_id: ")
    assert "letters, digits and hyphens only" in fault


def test_what_is_no_id_is_reported_with_all_that_is_wrong(live_server, nodes, refused, bare_environment):
    bare_environment.delenv("DASHSCOPE_API_KEY")
    faults = refused(live_server, nodes.fetch, "a b", filename_prefix="../outside")
    assert [fault.split(":")[0] for fault in faults] == [
        "task_id",
        "filename_prefix",
        "No API key is configured for Beijing. Run python dev.py key in the pack's folder, or set DASHSCOPE_API_KEY "
        "(or DASHSCOPE_API_KEY_BEIJING) in the environment that starts ComfyUI, or write this line into "
        f"{faults[2].split('into ')[1].split(':')[0]}",
    ]


def test_a_receipt_of_a_fetched_task_says_what_is_known_and_none_for_the_rest(live_server, nodes, quick, submit):
    receipt = nodes.fetch(submit(live_server)).receipt
    assert receipt["resumed"] is True
    assert [receipt[name] for name in ("model", "resolution", "duration", "seed", "estimated_cost")] == [None] * 5
    assert receipt["prompt"] == "a cat"
    assert json.dumps(receipt).count(live_server.key) == 0
