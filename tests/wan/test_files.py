"""Files that another program has open are waited for, as Windows neither replaces nor removes them meanwhile."""

from __future__ import annotations

import errno

import pytest
from holding import held
from wanpack.wan import files
from wanpack.wan.files import RETRY_DELAYS, how_to_free, when_free


@pytest.mark.parametrize("change", ["replace", "replace over it", "rename", "unlink"])
def test_a_file_that_is_let_go_is_changed_after_all(change, tmp_path):
    here, there = tmp_path / "here", tmp_path / "there"
    here.write_text("new")
    if change == "replace over it":
        there.write_text("old")
    work = {"rename": lambda: here.rename(there), "unlink": here.unlink}.get(change, lambda: here.replace(there))
    with held(there if change == "replace over it" else here, tries=3):
        when_free(work)
    assert not here.exists()
    assert not there.exists() if change == "unlink" else there.read_text() == "new"


def test_one_that_nobody_else_may_read_is_read_after_all(tmp_path):
    path = tmp_path / "file"
    path.write_text("text")
    with held(path, alone=True, tries=2), when_free(lambda: path.open("ab")) as file:
        file.write(b" and more")
    assert path.read_text() == "text and more"


def test_one_that_stays_open_is_named_with_what_to_do(tmp_path):
    path = tmp_path / "video.mp4"
    path.write_text("a video")
    with held(path), pytest.raises(PermissionError) as caught:
        when_free(path.unlink)
    assert path.read_text() == "a video"
    with held(path):
        assert how_to_free(caught.value, path).startswith(f"Close the program that has {path} open")


@pytest.fixture
def failing(monkeypatch):
    """Work that always fails, what it was called with, and how long it was waited for."""

    def make(error, *, locks):
        called, waited = [], []
        monkeypatch.setattr(files, "LOCKS_OPEN_FILES", locks)
        monkeypatch.setattr(files, "sleep", waited.append)

        def work():
            called.append(1)
            raise error

        return work, called, waited

    return make


def test_it_is_tried_for_some_seconds_and_no_longer(failing):
    work, called, waited = failing(PermissionError(errno.EACCES, "in use"), locks=True)
    with pytest.raises(PermissionError):
        when_free(work)
    assert len(called) == len(RETRY_DELAYS) + 1
    assert 3 <= sum(waited) <= 10


@pytest.mark.parametrize(
    ("error", "locks"),
    [
        (PermissionError(errno.EACCES, "not yours"), False),
        (FileNotFoundError(errno.ENOENT, "gone"), True),
        (OSError(errno.ENOSPC, "full"), True),
    ],
    ids=["elsewhere", "gone", "full"],
)
def test_another_error_is_raised_at_once(error, locks, failing, tmp_path):
    work, called, waited = failing(error, locks=locks)
    with pytest.raises(type(error)):
        when_free(work)
    assert (len(called), waited) == (1, [])
    assert how_to_free(error, tmp_path) == ""
