"""Where a video goes: inside the output folder, under a name that nobody else has."""

from __future__ import annotations

import ctypes
import re
import sys
import threading
import time
from types import SimpleNamespace

import pytest
from platforms import needs_symlinks, not_on_windows
from wanpack.wan.errors import InvalidRequest
from wanpack.wan.tasks import output as saving
from wanpack.wan.tasks.batch import validate_batch
from wanpack.wan.tasks.output import (
    RECORD_ID_CHARS,
    OutputTarget,
    discard,
    folder_problems,
    max_path_length,
    remove_placeholder,
    resolve_output,
    without_prefix,
)


def inside(prefix, output):
    """The place of a good prefix, relative to the output folder."""
    place, faults = resolve_output(prefix, output_folder=output)
    assert faults == []
    return (place.folder.relative_to(output.resolve()) / place.stem).as_posix()


@pytest.fixture
def long_path(monkeypatch):
    """Have the system take paths of so many characters and no longer ones, as Windows does."""
    return lambda characters: monkeypatch.setattr(saving, "max_path_length", lambda: characters)


@pytest.mark.parametrize(
    ("found", "plain"),
    [
        (r"\\?\C:\output\wan", r"C:\output\wan"),
        (r"\\?\UNC\host\share\wan", r"\\host\share\wan"),
        (r"C:\output", r"C:\output"),
        (r"\\host\share", r"\\host\share"),
    ],
)
def test_a_folder_that_is_made_meanwhile_has_the_same_path(found, plain):
    assert without_prefix(found) == plain


class TestPrefix:
    @pytest.mark.parametrize(
        ("prefix", "place"),
        [
            ("video", "video"),
            ("wan/i2v", "wan/i2v"),
            ("wan\\i2v", "wan/i2v"),
            ("a/b/c/d", "a/b/c/d"),
            ("", "video"),
            ("wan/", "wan/video"),
            ("wan//i2v", "wan/i2v"),
            ("./i2v", "i2v"),
            (" wan / i2v ", "wan/i2v"),
            ("wan./i2v.", "wan/i2v"),
            ("wan. ./i2v. .", "wan/i2v"),
            (".../i2v", "i2v"),
            (".. ./i2v", "i2v"),
            ("~/i2v", "~/i2v"),
            ("$HOME/`id`", "$HOME/`id`"),
            ("万相/图生视频", "万相/图生视频"),
            ("🎬 é", "🎬 é"),
            ("console", "console"),
            ("com10/lpt", "com10/lpt"),
            ("%width%/%unknown%/100%", "%width%/%unknown%/100%"),
            pytest.param("x" * 150, "x" * 150, marks=not_on_windows("the tests' own folder makes this path too long")),
        ],
    )
    def test_good_ones_lead_into_the_output_folder(self, prefix, place, tmp_path):
        assert inside(prefix, tmp_path) == place

    @pytest.mark.parametrize(
        ("prefix", "word"),
        [
            ("..", "must not leave"),
            ("../video", "must not leave"),
            ("a/../../video", "must not leave"),
            ("a\\..\\video", "must not leave"),
            (" .. /video", "must not leave"),
            ("/etc/video", "absolute path"),
            ("\\video", "absolute path"),
            ("\\\\server\\share\\video", "absolute path"),
            ("//server/share/video", "absolute path"),
            ("C:\\video", "absolute path"),
            ("c:video", "absolute path"),
            ("video:stream", "it contains control characters"),
            ("a\0b", "it contains control characters"),
            ("a\nb", "it contains control characters"),
            ("a\x7fb", "it contains control characters"),
            ("what?", "it contains control characters"),
            ("a|b", "it contains control characters"),
            ("half \ud83d", "it contains control characters"),
            ("con", "Windows"),
            ("wan/NUL", "Windows"),
            ("aux.mp4/video", "Windows"),
            ("com1", "Windows"),
            ("lpt9. ", "Windows"),
            ("COM²", "Windows"),
            ("conin$", "Windows"),
            ("x" * 151, "too long"),
            ("图" * 51, "too long"),
            ("ab/" * 100 + "c", "too long"),
            ("x" * 300, "too long"),
        ],
    )
    def test_bad_ones_are_reported_before_anything_is_paid(self, prefix, word, tmp_path):
        place, faults = resolve_output(prefix, output_folder=tmp_path)
        assert len(faults) == 1
        assert faults[0].startswith("filename_prefix: ")
        assert word in faults[0]
        assert place.folder == tmp_path.resolve()

    @pytest.mark.parametrize(("prefix", "more"), [("f", 0), ("wan/video", 0), ("\u4e07\u76f8", 0), ("\U0001f3ac", 1)])
    def test_a_path_that_windows_does_not_take_is_reported_before_anything_is_paid(
        self, prefix, more, tmp_path, long_path
    ):
        longest = resolve_output(prefix, output_folder=tmp_path)[0].partial_path("0123456789abcdef")
        characters = len(f"{longest}.tagging") + more
        long_path(characters)
        assert resolve_output(prefix, output_folder=tmp_path)[1] == []
        long_path(characters - 1)
        [fault] = resolve_output(prefix, output_folder=tmp_path)[1]
        assert f"has {characters} characters" in fault
        assert "make it 1 shorter" in fault

    def test_it_ends_the_order_before_any_folder_is_made(self, bench, long_path):
        long_path(259)
        assert validate_batch(bench.batch(filename_prefix="video")) is not None
        with pytest.raises(InvalidRequest, match="Windows allows 259"):
            validate_batch(bench.batch(filename_prefix="/".join(["x" * 100] * 3)[:290]))
        assert bench.created == 0

    def test_the_longest_path_has_the_length_of_a_real_part(self, bench, new_watch):
        seen = []
        bench.run(watch=new_watch(at={"saving": lambda: seen.extend(bench.strays)}))
        place, _ = resolve_output("wan/video", output_folder=bench.output)
        assert [len(part.name) for part in seen] == [len(place.partial_path("0" * RECORD_ID_CHARS).name)]

    @pytest.mark.parametrize(("ntdll", "most"), [({"enabled": 1}, None), ({"enabled": 0}, 259), ({}, 259)])
    def test_on_windows_it_is_what_the_process_is_allowed(self, ntdll, most, monkeypatch):
        functions = {"RtlAreLongPathsEnabled": lambda: ntdll["enabled"]} if ntdll else {}
        windows = SimpleNamespace(ntdll=SimpleNamespace(**functions))
        monkeypatch.setattr(sys, "platform", "win32")
        monkeypatch.setattr(ctypes, "windll", windows, raising=False)
        assert max_path_length() == most

    @pytest.mark.skipif(sys.platform == "win32", reason="there it depends on the system's settings")
    def test_elsewhere_a_path_may_be_long(self):
        assert max_path_length() is None

    def test_times_are_filled_in(self, tmp_path):
        found = inside("%year%-%month%-%day%/%hour%%minute%%second%", tmp_path)
        assert re.fullmatch(r"\d{4}-\d\d-\d\d/\d{6}", found)
        assert found.startswith(time.strftime("%Y"))

    @needs_symlinks
    def test_a_link_out_of_the_output_folder_is_not_followed(self, tmp_path):
        output, elsewhere = tmp_path / "output", tmp_path / "elsewhere"
        output.mkdir()
        elsewhere.mkdir()
        (output / "link").symlink_to(elsewhere)
        (output / "inner").symlink_to(output)
        assert "through a symlink" in resolve_output("link/video", output_folder=output)[1][0]
        assert "through a symlink" in resolve_output("inner/link/video", output_folder=output)[1][0]
        assert resolve_output("inner/video", output_folder=output)[1] == []

    @needs_symlinks
    def test_the_output_folder_itself_may_be_a_link(self, tmp_path):
        (tmp_path / "real").mkdir()
        (tmp_path / "output").symlink_to(tmp_path / "real")
        place, faults = resolve_output("wan/video", output_folder=tmp_path / "output")
        assert (place.folder, faults) == (tmp_path.resolve() / "real" / "wan", [])

    def test_a_folder_that_cannot_be_made_is_reported_before_anything_is_paid(self, bench):
        bench.output.mkdir()
        (bench.output / "wan").write_text("a file")
        assert "cannot be created" in folder_problems(OutputTarget(bench.output / "wan", "video"))[0]
        with pytest.raises(InvalidRequest, match="cannot be created"):
            validate_batch(bench.batch())
        with pytest.raises(InvalidRequest, match="cannot be created"):
            bench.run()
        assert bench.created == 0

    def test_no_folder_is_made_for_an_order_with_faults(self, bench):
        with pytest.raises(InvalidRequest):
            validate_batch(bench.batch(seed=-1))
        assert not bench.output.exists()


def part_in(folder, name="part"):
    part = folder / name
    part.write_bytes(name.encode())
    return part


class TestNames:
    def take(self, folder, **more):
        return OutputTarget(folder, "video").commit(part_in(folder), on_name=more.get("on_name", lambda video: None))

    def test_they_count_up(self, tmp_path):
        assert [self.take(tmp_path).name for _ in range(3)] == [f"video_{n:05}_.mp4" for n in (1, 2, 3)]

    def test_they_go_on_after_the_highest_that_any_node_has_used(self, tmp_path):
        (tmp_path / "video_00041_.png").write_text("")
        (tmp_path / "video_x_.mp4").write_text("")
        assert self.take(tmp_path).name == "video_00042_.mp4"

    def test_the_part_has_no_number(self, tmp_path):
        place = OutputTarget(tmp_path, "video")
        part_in(tmp_path, place.partial_path("0" * 16).name)
        assert self.take(tmp_path).name == "video_00001_.mp4"

    def test_the_name_is_reported_before_it_is_taken(self, tmp_path):
        reported = []
        video = self.take(tmp_path, on_name=lambda video: reported.append((video, video.exists())))
        assert reported == [(video, False)]

    def test_a_name_that_somebody_takes_meanwhile_is_left_to_them(self, tmp_path):
        def somebody_else(video):
            if video.name == "video_00001_.mp4":
                video.write_text("theirs")

        assert self.take(tmp_path, on_name=somebody_else).name == "video_00002_.mp4"
        assert (tmp_path / "video_00001_.mp4").read_text() == "theirs"

    def test_many_writers_get_different_names_and_their_own_videos(self, tmp_path):
        place = OutputTarget(tmp_path, "video")
        taken = {}

        def write(number):
            part = part_in(tmp_path, f"part-{number}")
            taken[number] = place.commit(part, on_name=lambda video: None)

        threads = [threading.Thread(target=write, args=(number,)) for number in range(24)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(set(taken.values())) == 24
        assert all(video.read_text() == f"part-{number}" for number, video in taken.items())

    def test_where_the_video_cannot_be_moved_the_name_is_given_back(self, tmp_path):
        with pytest.raises(FileNotFoundError):
            OutputTarget(tmp_path, "video").commit(tmp_path / "missing", on_name=lambda video: None)
        assert list(tmp_path.iterdir()) == []

    def test_only_an_empty_file_counts_as_left_over(self, tmp_path):
        empty, video = tmp_path / "empty.mp4", part_in(tmp_path, "video.mp4")
        empty.touch()
        for path in (empty, video, tmp_path / "missing", tmp_path):
            remove_placeholder(path)
        assert list(tmp_path.iterdir()) == [video]

    def test_what_cannot_be_removed_is_reported_and_lived_with(self, tmp_path, caplog):
        discard(tmp_path)
        assert "cannot be removed" in caplog.text


def test_the_folder_that_was_checked_is_the_one_that_is_used(bench, monkeypatch):
    """A minute may pass between the check and the saving, and another one in a batch."""
    minutes = iter(range(100))
    monkeypatch.setattr(saving, "time", SimpleNamespace(strftime=lambda _: str(next(minutes))))
    videos = bench.run(bench.batch(filename_prefix="%minute%/video", images=2))
    assert [video.path.parent for video in videos] == [bench.output / "0"] * 2
    assert [folder.name for folder in bench.output.iterdir()] == ["0"]
