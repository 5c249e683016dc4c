"""A video whose file another program has open, a player or a virus scanner, is saved all the same or is not lost."""

from __future__ import annotations

import contextlib

import pytest
from holding import Held, held
from wanpack.wan import files
from wanpack.wan.errors import DownloadFailed
from wanpack.wan.media.video import read_metadata


@pytest.fixture
def holders(monkeypatch):
    """Hold the partial download open until so many tries have failed. The waiting takes no time."""
    holding = []

    def start(bench, *, tries):
        def wait(_seconds):
            failed.append(1)
            if len(failed) == tries:
                holding[-1].let_go()

        failed = []
        monkeypatch.setattr(files, "sleep", wait)
        [part] = bench.strays
        holding.append(Held(part))
        return part

    yield start
    for one in holding:
        one.let_go()


@pytest.mark.parametrize("metadata", [{}, {"prompt": "{}"}], ids=["as it is", "with its graph"])
def test_a_part_that_is_read_for_a_moment_becomes_the_video(bench, new_watch, holders, metadata):
    watch = new_watch(at={"saving": lambda: holders(bench, tries=2)})
    video = bench.run(bench.batch(metadata=metadata), watch=watch)
    assert read_metadata(video.path).items() >= metadata.items()
    assert (bench.created, bench.strays, bench.videos) == (1, [], [video.path])


def test_a_part_that_stays_open_is_the_next_runs_video(bench, new_watch, holders):
    parts = []
    watch = new_watch(at={"saving": lambda: parts.append(holders(bench, tries=None))})
    with pytest.raises(DownloadFailed) as caught:
        bench.run(watch=watch)
    assert f"Close the program that has {parts[0]} open" in caught.value.hint
    assert "already paid for" in caught.value.hint
    assert "run the same graph again" in caught.value.hint
    assert caught.value.task_id == bench.server.tasks[0].id
    assert (bench.videos, bench.strays) == ([], parts)
    parts.clear()


@pytest.mark.parametrize("tries", [0, 2], ids=["let go", "read for a moment"])
def test_what_was_left_open_is_saved_by_the_next_run_without_another_payment_or_download(bench, new_watch, tries):
    held_parts = []
    watch = new_watch(at={"saving": lambda: held_parts.append(Held(*bench.strays))})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "sleep", lambda _: None)
        with pytest.raises(DownloadFailed):
            bench.run(watch=watch)
    held_parts[0].let_go()
    with held(*bench.strays, alone=True, tries=tries) if tries else contextlib.nullcontext():
        video = bench.run()
    assert (bench.created, bench.calls["download"]) == (1, 1)
    assert (bench.strays, bench.videos) == ([], [video.path])


@pytest.fixture
def half(bench):
    """The half of a video that an earlier run has left."""
    return bench.leave_part(sent=1000)


def test_a_part_that_nobody_else_may_open_goes_on_when_it_is_let_go(bench, half):
    with held(half, alone=True, tries=2):
        video = bench.run()
    assert (bench.created, bench.strays, bench.videos) == (1, [], [video.path])


def test_a_part_that_nobody_else_may_open_for_long_is_an_error_that_leads_to_the_video(bench, half):
    with held(half, alone=True), pytest.raises(DownloadFailed) as caught:
        bench.run()
    assert f"Close the program that has {half} open" in caught.value.hint
    assert "already paid for" in caught.value.hint
    assert bench.run().path.exists()
    assert bench.created == 1


def test_a_saved_video_that_a_player_has_open_is_no_hindrance(bench):
    with held(bench.run().path):
        again = bench.run()
        another = bench.run(bench.batch(seed=2))
    assert (again.path.name, another.path.name) == ("video_00001_.mp4", "video_00002_.mp4")
    assert bench.created == 2
