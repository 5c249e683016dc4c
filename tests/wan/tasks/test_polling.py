"""Waiting for a task: what counts against the limit, what is believed, and what comes of a task that is over."""

from __future__ import annotations

import errno
import re
import shutil
import threading
import time
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from mock_faults import (
    ErrorResponse,
    HtmlPage,
    ResetBeforeBody,
    TaskFails,
    TaskStuck,
    UnknownStatus,
)
from platforms import WINDOWS
from wanpack.offline.tasks import Timing
from wanpack.wan.api.errors import ServiceError, TaskCanceled, TaskUnknown, WaitExceeded
from wanpack.wan.errors import WanError
from wanpack.wan.ledger.ledger import Ledger
from wanpack.wan.ledger.record import State
from wanpack.wan.tasks import save_video

ALWAYS = 1000
DAY = 86400.0
USUALLY = "usually 1 to 5 min"


def only_entry(bench):
    ledger = Ledger(bench.home)
    try:
        return ledger.by_task(bench.server.tasks[0].id)
    finally:
        ledger.close()


def test_time_in_the_queue_does_not_count(make_bench):
    """A minute is the limit; the task is queued for two, and rendered for no time."""
    bench = make_bench(timing=Timing(queued=120, rendering=0))
    bench.run()  # Its video is the next one's too, so that no rendering counts.
    assert bench.run(bench.batch(seed=2, max_wait_minutes=1)).path.exists()


def test_time_of_rendering_counts(make_bench):
    bench = make_bench(timing=Timing(queued=0, rendering=600))
    with pytest.raises(WaitExceeded, match="for 1 minutes, the limit") as caught:
        bench.run(bench.batch(max_wait_minutes=1))
    assert bench.server.tasks[0].id in str(caught.value)
    assert only_entry(bench).state == State.SUBMITTED.value


def test_the_status_names_the_task_while_it_waits(bench, new_watch):
    watch = new_watch()
    bench.run(watch=watch)
    task = bench.server.tasks[0].id
    for word in ("queued", "downloading"):
        assert any(word in text and task in text for text in watch.texts), watch.texts


def test_the_time_left_is_told_from_the_tasks_before(make_bench, new_watch):
    """The queue is no part of it. The first task of its kind is expected to take the documented time."""
    bench = make_bench(timing=Timing(queued=30, rendering=60))
    first, second = new_watch(), new_watch()
    bench.run(watch=first)
    bench.run(bench.batch(seed=2), watch=second)
    rendering = r"rendering (\d+) s, (.*); task"
    notes = [dict(re.findall(rendering, "\n".join(watch.texts))) for watch in (first, second)]
    assert set(notes[0].values()) == {USUALLY}
    assert all(note.startswith("about ") and note.endswith(" left") for note in notes[1].values())
    assert min(map(int, notes[1])) < 3


def test_the_price_is_reported_when_it_is_submitted(bench, new_watch):
    watch = new_watch()
    bench.run(watch=watch)
    assert any(re.fullmatch(r"submitting, about CNY 0\.72", text) for text in watch.texts)


def test_throttling_is_reported(bench, new_watch):
    bench.server.faults.add(on="create", fault=HtmlPage(429, "Slow down"), times=2)
    watch = new_watch()
    bench.run(watch=watch)
    assert any("rate limited by DashScope; retrying in" in text for text in watch.texts)


def test_a_task_over_a_day_old_is_not_paid_anew(make_bench, monkeypatch):
    clock = [time.time()]
    bench = make_bench(clock=lambda: clock[0])
    bench.server.faults.add(on="download", fault=HtmlPage(400), times=1)
    with pytest.raises(WanError, match="HTTP 400"):
        bench.run()
    first = bench.server.tasks[0].id
    clock[0] += 1.1 * DAY
    now = clock[0]
    monkeypatch.setattr(time, "time", lambda: now)
    with pytest.raises(TaskUnknown, match="has expired") as caught:
        bench.run()
    assert first in str(caught.value)
    assert "change the seed" in str(caught.value).lower()
    assert bench.calls["create"] == 1
    assert bench.strays == []


@pytest.mark.parametrize(("days", "expired"), [(0.5, False), (1.1, True)])
@pytest.mark.parametrize("own_clock", [-3 * DAY, 3 * DAY])
def test_by_the_services_clock_a_task_has_expired_or_not(days, expired, own_clock, make_bench, monkeypatch):
    """This machine's own says something else."""
    clock = [time.time()]
    bench = make_bench(clock=lambda: clock[0])
    bench.server.faults.add(on="download", fault=HtmlPage(400))
    with pytest.raises(WanError, match="HTTP 400"):
        bench.run()
    clock[0] += days * DAY
    now = time.time() + own_clock
    monkeypatch.setattr(time, "time", lambda: now)
    bench.server.faults.add(on="query", fault=UnknownStatus())
    if expired:
        with pytest.raises(TaskUnknown, match="has expired"):
            bench.run()
    else:
        assert bench.run().path.exists()
    assert bench.calls["create"] == 1


def test_a_video_that_the_user_deleted_is_fetched_again_within_a_day(make_bench, monkeypatch, new_watch):
    clock = [time.time()]
    bench = make_bench(clock=lambda: clock[0])
    first = bench.run()
    first.path.unlink()
    clock[0] += 0.5 * DAY
    now = clock[0]
    monkeypatch.setattr(time, "time", lambda: now)
    video = bench.run()
    assert video.task_id == first.task_id
    assert video.receipt["resumed"] is True
    assert bench.videos == [video.path]
    watch = new_watch()
    assert bench.run(watch=watch).path == video.path
    assert "change the seed for a new video" in watch.texts[-1]
    assert bench.calls["create"] == 1


@pytest.mark.usefixtures("large_videos")
def test_a_part_of_a_video_that_is_gone_is_removed(make_bench, monkeypatch):
    clock = [time.time()]
    bench = make_bench(clock=lambda: clock[0])
    part = bench.leave_part(sent=290_000)
    clock[0] += 1.1 * DAY
    now = clock[0]
    monkeypatch.setattr(time, "time", lambda: now)
    with pytest.raises(TaskUnknown):
        bench.run()
    assert not part.exists()


def test_a_young_task_that_stays_unknown_is_not_paid_anew_and_not_given_up(bench):
    bench.server.faults.add(on="query", fault=UnknownStatus(), times=ALWAYS)
    for _ in range(2):
        with pytest.raises(TaskUnknown, match="change the seed"):
            bench.run()
    assert bench.created == 1
    assert only_entry(bench).state == State.SUBMITTED.value


def test_a_cancelled_task_is_asked_for_anew_by_the_next_run(make_bench):
    """The run that was killed had asked the service to cancel, and could not write it down."""
    bench = make_bench()
    bench.server.faults.add(on="create", fault=TaskStuck("PENDING"))
    bench.server.faults.add(on="query", fault=HtmlPage(404), after=1)
    with pytest.raises(ServiceError):
        bench.run()
    bench.server.state.tasks.cancel(bench.server.tasks[0].id)
    assert bench.run().path.exists()
    assert [task.state for task in bench.server.tasks] == ["CANCELED", "SUCCEEDED"]


@pytest.mark.usefixtures("large_videos")
def test_a_part_moves_with_the_prefix(bench):
    bench.leave_part(sent=290_000)
    video = bench.run(bench.batch(filename_prefix="elsewhere/video"))
    assert video.path.parent.name == "elsewhere"
    assert [call.headers.get("range") is None for call in bench.server.received if call.on == "download"][-1] is False
    assert bench.strays == []


def ranges(bench):
    """What part of the video each download asked for."""
    return [call.headers.get("range") for call in bench.server.received if call.on == "download"]


@pytest.fixture
def another_disk(tmp_path):
    """A folder on another disk than the tests' own."""
    memory = Path("/dev/shm")  # noqa: S108 - a folder of the test's own in it
    if WINDOWS or not memory.is_dir() or memory.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no other disk")
    with TemporaryDirectory(dir=memory) as folder:
        yield Path(folder)


@pytest.mark.usefixtures("large_videos")
def test_a_part_moves_to_another_disk(bench, another_disk):
    held = bench.leave_part(sent=290_000).stat().st_size
    video = bench.run(replace(bench.batch(), output_folder=another_disk))
    assert video.path.is_relative_to(another_disk)
    assert ranges(bench)[-1] == f"bytes={held}-"
    assert bench.created == 1
    assert bench.strays == []
    assert [path for path in another_disk.rglob("*") if path.is_file()] == [video.path]


@pytest.mark.usefixtures("large_videos")
def test_a_part_that_cannot_be_moved_is_dropped_and_the_download_begins_anew(bench, monkeypatch):
    bench.leave_part(sent=290_000)
    move = Path.replace

    def refuse(path, target):
        if path.suffix == ".part" and Path(target).suffix == ".part":
            raise PermissionError(errno.EACCES, "it is open in another program")
        return move(path, target)

    monkeypatch.setattr(Path, "replace", refuse)
    video = bench.run(bench.batch(filename_prefix="elsewhere/video"))
    assert video.path.parent.name == "elsewhere"
    assert ranges(bench)[-1] is None
    assert bench.created == 1
    assert bench.strays == []


@pytest.mark.usefixtures("large_videos")
def test_a_part_that_breaks_off_on_its_way_to_another_disk_is_dropped(bench, another_disk, monkeypatch):
    bench.leave_part(sent=290_000)

    def break_off(source, copy):
        copy.write(source.read(1000))
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(shutil, "copyfileobj", break_off)
    video = bench.run(replace(bench.batch(), output_folder=another_disk))
    assert ranges(bench)[-1] is None
    assert bench.strays == []
    assert [path for path in another_disk.rglob("*") if path.is_file()] == [video.path]


def test_an_account_that_is_refused_ends_the_whole_batch(bench):
    bench.server.faults.add(on="create", fault=ErrorResponse(403, "AccessDenied.Unpurchased", "No."), times=ALWAYS)
    with pytest.raises(ServiceError, match="HTTP 403"):
        bench.run(bench.batch(images=6))
    assert bench.calls["create"] <= 2


def test_one_failure_of_a_batch_does_not_hide_the_others(bench):
    bench.server.faults.add(on="create", fault=TaskFails("DataInspectionFailed", "No."), after=1)
    with pytest.raises(WanError, match="1 of 3 videos failed") as caught:
        bench.run(bench.batch(images=3))
    saved = re.findall(r"^Saved: (.+)$", str(caught.value), re.MULTILINE)
    assert sorted(saved) == sorted(map(str, bench.videos))
    assert len(saved) == 2
    (failed,) = re.findall(r"^- video (\d): The task failed", str(caught.value), re.MULTILINE)
    videos = bench.run(bench.batch(images=3))
    assert [str(number) for number, video in enumerate(videos, 1) if not video.receipt["reused"]] == [failed]


def test_a_mistake_of_our_own_does_not_hide_a_paid_task(bench, monkeypatch, caplog):
    def broken(path):
        raise TypeError("a library has changed")

    with monkeypatch.context() as patch:
        patch.setattr(save_video, "probe", broken)
        with pytest.raises(TypeError):
            bench.run()
    assert f"Task {bench.server.tasks[0].id} exists at DashScope" in caplog.text
    assert bench.run().path.exists()
    assert bench.created == 1
    assert bench.strays == []


class TestFetchTask:
    """What Wan Fetch Task shares with the other nodes."""

    def test_it_brings_home_what_a_run_left(self, bench):
        bench.server.faults.add(on="query", fault=HtmlPage(404), after=1)
        with pytest.raises(ServiceError):
            bench.run()
        fetched = bench.fetch(bench.server.tasks[0].id)
        again = bench.run()
        assert again.path == fetched.path
        assert again.receipt["reused"]
        assert bench.created == 1

    def test_it_waits_with_a_run_that_has_the_task(self, make_bench):
        bench = make_bench(timing=Timing(queued=0, rendering=0.5))
        videos = []
        run = threading.Thread(target=lambda: videos.append(bench.run()))
        run.start()
        # Until the run has written it down, the task is as good as anybody's.
        while not bench.server.tasks or not only_entry(bench):
            time.sleep(0.01)
        fetched = bench.fetch(bench.server.tasks[0].id)
        run.join()
        assert fetched.path == videos[0].path
        assert len(bench.videos) == 1

    def test_of_a_request_with_two_tasks_it_fetches_the_one_that_is_meant(self, bench):
        bench.server.faults.add(on="create", fault=TaskFails())
        with pytest.raises(ServiceError):
            bench.run()
        video = bench.run()
        failed, made = bench.server.tasks
        with pytest.raises(ServiceError, match="The task failed"):
            bench.fetch(failed.id)
        assert bench.fetch(made.id).path == video.path

    def test_a_wrong_word_of_the_service_does_not_make_the_next_run_pay(self, bench):
        bench.server.faults.add(on="query", fault=HtmlPage(404), after=1)
        with pytest.raises(ServiceError):
            bench.run()
        bench.server.faults.add(on="query", fault=UnknownStatus(), times=ALWAYS)
        with pytest.raises(TaskUnknown):
            bench.fetch(bench.server.tasks[0].id)
        bench.server.faults.clear()
        assert bench.run().path.exists()
        assert bench.created == 1

    def test_the_wrong_region_does_not_make_the_next_run_pay(self, make_bench, bare_environment):
        bench = make_bench()
        bench.server.faults.add(on="query", fault=HtmlPage(404), after=1)
        with pytest.raises(ServiceError):
            bench.run()
        bare_environment.setenv("DASHSCOPE_REGION", "singapore")
        with pytest.raises(WanError):
            bench.fetch(bench.server.tasks[0].id)
        bare_environment.setenv("DASHSCOPE_REGION", "beijing")
        assert bench.run().path.exists()
        assert bench.created == 1

    def test_an_id_that_nobody_knows_is_reported_at_once(self, bench):
        with pytest.raises(TaskUnknown, match="older than 24 hours"):
            bench.fetch("00000000-0000-0000-0000-000000000000")
        assert bench.calls["query"] == 1

    def test_a_cancelled_task_is_reported(self, bench):
        bench.server.faults.add(on="create", fault=TaskStuck("PENDING"))
        bench.server.faults.add(on="query", fault=ResetBeforeBody(), times=ALWAYS, after=1)
        with pytest.raises(WanError):
            bench.run()
        bench.server.faults.clear()
        bench.server.state.tasks.cancel(bench.server.tasks[0].id)
        with pytest.raises(TaskCanceled, match="nothing was charged"):
            bench.fetch(bench.server.tasks[0].id)
