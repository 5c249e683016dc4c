"""Writing stays in the output folder and reading in ComfyUI's own, whatever a workflow names."""

from __future__ import annotations

import asyncio
import io
import sqlite3
from pathlib import PurePosixPath, PureWindowsPath
from types import SimpleNamespace

import pytest
from platforms import needs_symlinks
from wanpack.nodes import host, video_input
from wanpack.nodes.continue_video import DashScopeWanContinueVideo
from wanpack.nodes.last_frame import DashScopeWanLastFrame
from wanpack.wan.errors import InvalidRequest, MediaError, WanError
from wanpack.wan.media.last_frame import last_frame
from wanpack.wan.tasks.output import folder_problems, resolve_output

PREFIXES = [
    *("../x", "..\\x", "wan/../../x", "wan/..", "..", "a/.. /b", "../../../../tmp/x", ". ./x", ".../x", "a/../../b"),
    *("/etc/x", "\\x", "//evil.example/share/x", "\\\\evil.example\\share\\x", "C:\\x", "c:x", "D:/x", "z:"),
    *("\\\\?\\C:\\x", "\\\\.\\pipe\\x", "~/x", "$HOME/x", "%HOME%/x", "%year%/../../x", "file:///etc/x", "a:b"),
    *(
        "\u202egpm.exe",
        "a\u2066b",
        "a\x9bb",
        "%date:yyyy-MM-dd%/x",
        "%date%",
        "nul .txt",
        "wan/con /x",
        ".." + "/.." * 90,
    ),
    *("a\0b", "\0", "a\nb", "a\x1bb", "a\x7f", "\ud800", "a*", "a?", 'a"b', "a<b", "a|b"),
    *("CON", "con.mp4", "aux", "wan/NUL", "com1", "COM9.x", "lpt1", "wan/prn/x", "CONIN$", "COM\u00b9"),
    *("x" * 300, "wan/" * 75 + "x", "猫" * 120, "", " ", ".", "./", "/", "wan/", "wan//x", "a/./b", "a. . /b"),
    *("-rf", "x;rm -rf ~", "$(id)", "`id`", "a'b", "a&b", "%year%%month%", "{a}", "stsz", "wan/i2v"),
]


@pytest.fixture
def tree(tmp_path, standalone_host):
    """Folders as ComfyUI has them, and beside them what nobody may touch."""
    for name in ("input", "output", "temp", "secret", "output2"):
        (tmp_path / name).mkdir()
    for name in ("secret/a.mp4", "output2/a.mp4", "a.mp4"):
        (tmp_path / name).write_bytes(b"secret clip")
    return tmp_path


def shown(value):
    """A test's name, the same in every process."""
    return type(value).__name__ if " object at " in repr(value) else repr(value)


@pytest.mark.parametrize("prefix", PREFIXES, ids=ascii)
def test_a_prefix_is_refused_or_stays_in_the_output_folder(prefix, tree):
    place, faults = resolve_output(prefix, output_folder=tree / "output")
    part = place.partial_path("0123456789abcdef")
    video = place.folder / f"{place.stem}_00001_.mp4"
    for path in (part, video):
        assert path.resolve().is_relative_to((tree / "output").resolve())
        assert "\0" not in str(path)
        assert len(path.name.encode()) < 255
    if not faults:
        place.folder.mkdir(parents=True, exist_ok=True)
        part.write_bytes(b"clip")
        taken = place.commit(part, on_name=lambda _: None)
        assert taken.parent.resolve().is_relative_to((tree / "output").resolve())
    assert sorted(path.name for path in tree.iterdir()) == ["a.mp4", "input", "output", "output2", "secret", "temp"]


@pytest.mark.parametrize("prefix", [None, 7, 1.5, True, ["wan"], {"a": 1}, b"wan", object()], ids=shown)
def test_a_prefix_that_is_no_text_is_refused(prefix, tree):
    [fault] = resolve_output(prefix, output_folder=tree / "output")[1]
    assert fault.startswith("filename_prefix: must be a string")


def test_a_prefix_with_the_key_in_it_is_refused(tree, marked):
    from wanpack.wan.redaction import register_secret

    register_secret(marked)
    [fault] = resolve_output(f"wan/{marked}", output_folder=tree / "output")[1]
    assert "API key" in fault


@needs_symlinks
def test_a_link_out_of_the_output_folder_is_refused(tree):
    (tree / "output" / "link").symlink_to(tree / "secret")
    (tree / "output" / "wan").mkdir()
    (tree / "output" / "wan" / "up").symlink_to("../..")
    for prefix in ("link/x", "wan/up/secret/x", "wan/up/x"):
        assert resolve_output(prefix, output_folder=tree / "output")[1]


@needs_symlinks
@pytest.mark.parametrize("prefix", ["circle/x", "circle/a/b", "there/x"])
def test_links_in_a_circle_are_refused(prefix, tree):
    (tree / "output" / "circle").symlink_to("circle")
    (tree / "output" / "there").symlink_to("back")
    (tree / "output" / "back").symlink_to("there")
    place, faults = resolve_output(prefix, output_folder=tree / "output")
    assert faults or folder_problems(place)


def test_a_date_as_other_nodes_write_it_is_reported_with_the_way_it_is_written_here(tree):
    [fault] = resolve_output("%date:yyyy-MM-dd%/x", output_folder=tree / "output")[1]
    assert fault.endswith("use %year%-%month%-%day%")


@pytest.mark.parametrize("prefix", ["\u202egpm.exe", "a\x9bb", "nul .txt", "wan/CON /x"])
def test_what_fools_a_reader_or_windows_is_refused(prefix, tree):
    assert resolve_output(prefix, output_folder=tree / "output")[1]


@needs_symlinks
def test_a_link_in_the_place_of_a_video_is_not_written_through(tree):
    place, _ = resolve_output("wan", output_folder=tree / "output")
    (place.folder / "wan_00001_.mp4").symlink_to(tree / "secret" / "new.mp4")
    (place.folder / "part").write_bytes(b"clip")
    video = place.commit(place.folder / "part", on_name=lambda _: None)
    assert video.name == "wan_00002_.mp4"
    assert not (tree / "secret" / "new.mp4").exists()


# Reading

GOING_ON = {"prompt": "it bows", "model": "wan2.7-i2v", "resolution": "720P", "duration": 5}
PATHS = [
    *(
        "../secret/a.mp4",
        "../a.mp4",
        "x/../../secret/a.mp4",
        "..\\secret\\a.mp4",
        "./../secret/a.mp4",
        "../output2/a.mp4",
    ),
    *(
        "/etc/passwd",
        "/proc/self/environ",
        "/dev/zero",
        "/dev/stdin",
        "file:///etc/passwd",
        "~/.bashrc",
        "$HOME/.netrc",
    ),
    *("http://evil.example/a.mp4", "https://evil.example/a.mp4", "concat:a.mp4|b.mp4", "subfile,,start,0,end,9,:a.mp4"),
    *(
        "pipe:0",
        "data:video/mp4;base64,AAAA",
        "\\\\evil.example\\share\\a.mp4",
        "//evil.example/share/a.mp4",
        "C:\\a.mp4",
    ),
    *("\\\\.\\PhysicalDrive0", "a\0.mp4", "\0", "x" * 300, "x" * 5000, "", ".", "/", "..", "\ud800", "CON", "NUL"),
]


@pytest.mark.parametrize("path", PATHS, ids=ascii)
def test_no_other_file_is_read(path, tree, net):
    for given in (path, str(tree / "secret" / "a.mp4"), str(tree / "output" / ".." / "secret" / "a.mp4")):
        with pytest.raises(InvalidRequest):
            video_input.readable_file(given)
    with pytest.raises(InvalidRequest):
        asyncio.run(DashScopeWanLastFrame().extract(video_path=path))
    with pytest.raises(InvalidRequest, match="video"):
        asyncio.run(DashScopeWanContinueVideo().generate(video_path=path, **GOING_ON))
    assert net.tried == []


@pytest.mark.parametrize("path", [None, 7, ["a.mp4"], {"a": 1}, b"a.mp4", True], ids=shown)
def test_a_path_that_is_no_text_is_refused(path, tree):
    with pytest.raises(InvalidRequest):
        asyncio.run(DashScopeWanLastFrame().extract(video_path=path))


@needs_symlinks
def test_a_link_out_of_the_folders_is_not_followed(tree):
    (tree / "input" / "link.mp4").symlink_to(tree / "secret" / "a.mp4")
    (tree / "input" / "folder").symlink_to(tree / "secret")
    for path in ("link.mp4", "folder/a.mp4", str(tree / "input" / "folder" / "a.mp4")):
        with pytest.raises(InvalidRequest):
            video_input.readable_file(path)


@needs_symlinks
def test_a_folder_that_is_a_link_itself_may_be_read_by_either_name(tree, monkeypatch):
    (tree / "real").mkdir()
    (tree / "real" / "b.mp4").write_bytes(b"clip")
    (tree / "linked").symlink_to(tree / "real")
    monkeypatch.setattr(host, "readable_folders", lambda: [tree / "linked"])
    for path in ("b.mp4", str(tree / "linked" / "b.mp4"), str(tree / "real" / "b.mp4")):
        assert video_input.readable_file(path) == (tree / "real" / "b.mp4").resolve()


def test_a_path_elsewhere_is_not_even_looked_at(tree, monkeypatch):
    # On Windows a look at \\host\share sends the user's credentials there.
    looked = []
    for name in ("resolve", "is_file", "exists", "stat"):
        real = getattr(type(tree), name)
        monkeypatch.setattr(
            type(tree), name, lambda path, *a, real=real, **k: (looked.append(str(path)), real(path, *a, **k))[1]
        )
    for path in ("/net/evil.example/a.mp4", "../../net/evil/a.mp4"):
        with pytest.raises(InvalidRequest):
            video_input.readable_file(path)
    assert not [path for path in looked if "evil" in path]


@pytest.mark.parametrize(
    ("path", "inside"),
    [
        (r"D:\comfy\output\a.mp4", True),
        (r"d:\COMFY\output\wan\a.mp4", True),
        (r"D:\comfy\output\..\a.mp4", False),
        (r"D:\comfy\output2\a.mp4", False),
        (r"\\evil.example\share\a.mp4", False),
        (r"\\?\D:\comfy\output\a.mp4", False),
        (r"\\.\PhysicalDrive0", False),
        (r"C:a.mp4", False),
        (r"\a.mp4", False),
    ],
)
def test_windows_paths_are_judged_as_windows_takes_them(path, inside):
    folder = PureWindowsPath(r"D:\comfy\output")
    assert video_input.is_lexically_inside(folder / path, folder) is inside


@pytest.mark.parametrize("path", ["/comfy/output", "/comfy/output/a", "/comfy/output/a/b"])
def test_paths_inside_are_inside(path):
    assert video_input.is_lexically_inside(PurePosixPath(path), PurePosixPath("/comfy/output"))


# A VIDEO of another node


@pytest.mark.parametrize(
    "video",
    ["a.mp4", 7, object(), SimpleNamespace(get_stream_source=lambda: None), SimpleNamespace(get_stream_source=list)],
)
def test_what_is_no_video_is_refused(video, tree):
    with pytest.raises(InvalidRequest, match="must be a ComfyUI VIDEO"):
        asyncio.run(DashScopeWanLastFrame().extract(video=video))
    with pytest.raises(InvalidRequest, match="must be a ComfyUI VIDEO"):
        asyncio.run(DashScopeWanContinueVideo().generate(video=video, **GOING_ON))


@pytest.mark.parametrize(
    "source",
    [
        *("http://127.0.0.1:9/a.mp4", "concat:a.mp4|b.mp4", "subfile,,start,0,end,9,:a.mp4", "pipe:0", "async:a.mp4"),
        *("data:video/mp4;base64,AAAA", "rtsp://127.0.0.1:9/", "/dev/null", "a\0b", "", "tcp://127.0.0.1:9"),
        *(
            io.BytesIO(b""),
            io.BytesIO(b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n"),
            io.BytesIO(b"ffconcat version 1.0\n"),
        ),
    ],
    ids=shown,
)
def test_a_videos_source_is_a_file_and_nothing_that_leads_further(source, tree, net):
    with pytest.raises(MediaError):
        last_frame(source)
    assert net.tried == []


@pytest.mark.parametrize("name", ["concat:a.mp4", "file:x", "http:", "subfile,,start,0,end,9,:a.mp4", "async:b"])
def test_a_file_with_a_name_that_ffmpeg_would_take_for_more_is_only_a_file(name, tree, monkeypatch):
    monkeypatch.chdir(tree)
    (tree / name).write_bytes(b"no clip")
    with pytest.raises(MediaError):
        last_frame(name)


@pytest.mark.parametrize(
    "content",
    [
        b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n/etc/passwd\n#EXT-X-ENDLIST\n",
        b"ffconcat version 1.0\nfile /etc/passwd\n",
        b'<?xml version="1.0"?><MPD><BaseURL>http://127.0.0.1:9/</BaseURL></MPD>',
        b"v=0\r\nm=video 9 RTP/AVP 96\r\nc=IN IP4 127.0.0.1\r\n",
    ],
)
def test_a_playlist_is_no_video(content, tree, net):
    (tree / "input" / "list.mp4").write_bytes(content)
    with pytest.raises(WanError):
        asyncio.run(DashScopeWanLastFrame().extract(video_path="list.mp4"))
    assert net.tried == []


# The ledger


def test_odd_texts_do_not_break_out_of_the_ledgers_statements(tmp_path):
    from wanpack.wan.ledger.ledger import Ledger
    from wanpack.wan.ledger.record import Record

    odd = "'); DROP TABLE requests; -- \ud800 \0"
    ledger = Ledger(tmp_path)
    ledger.save(Record(fingerprint=odd, task_id=odd, error=odd, receipt=odd))
    ledger.close()
    with sqlite3.connect(tmp_path / "ledger.sqlite3") as database:
        assert database.execute("SELECT count(*) FROM requests").fetchone() == (1,)
    database.close()
