"""A video that names other files or URLs: none of them is opened, by no reader of the pack."""

from __future__ import annotations

import contextlib
import ctypes
import io
import os
import struct
import sys
from types import SimpleNamespace

import av
import media
import pytest
from wanpack.wan.errors import WanError
from wanpack.wan.media.last_frame import last_frame
from wanpack.wan.media.video import probe, read_metadata, write_metadata

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the kernel is asked which files are opened")
IN_OPEN = 0x20
EVENT = struct.Struct("iIII")


@pytest.fixture
def aside(tmp_path):
    """A folder with a video that nobody may open. `opened` returns the names that were, by anybody in this process."""
    folder = tmp_path / "aside"
    folder.mkdir()
    media.video(
        folder / "secret.mov",
        [media.plain(250, size=(64, 64))],
        fps=1,
        codec="mjpeg",
        pix_fmt="yuvj420p",
        container="mov",
    )
    libc = ctypes.CDLL(None, use_errno=True)
    watch = libc.inotify_init1(os.O_NONBLOCK)
    assert watch >= 0
    assert libc.inotify_add_watch(watch, os.fsencode(folder), IN_OPEN) >= 0

    def opened():
        try:
            data = os.read(watch, 65536)
        except BlockingIOError:
            return []
        names = []
        while data:
            length = EVENT.unpack_from(data)[3]
            names.append(data[EVENT.size : EVENT.size + length].rstrip(b"\0").decode())
            data = data[EVENT.size + length :]
        return [name for name in names if name]

    yield SimpleNamespace(folder=folder, video=folder / "secret.mov", opened=opened)
    os.close(watch)


def box(kind, *parts):
    content = b"".join(parts)
    return struct.pack(">I4s", len(content) + 8, kind) + content


def alias(path, *, levels=(-1, -1)):
    """What QuickTime writes about another file: its name, how many folders away it is, and its whole path."""
    name, whole = path.name.encode(), str(path).encode()
    head = bytes(8) + struct.pack(">HHHB", 150, 2, 0, 6) + b"volume".ljust(27, b"\0") + bytes(12)
    head += bytes([len(name)]) + name.ljust(63, b"\0") + bytes(16) + struct.pack(">hh", *levels) + bytes(16)
    return head + struct.pack(">hH", 2, len(whole)) + whole + bytes(len(whole) % 2) + struct.pack(">hH", -1, 0)


def referring(video, reference):
    """A video whose track lies in another file: the reference of its own data is replaced by that one."""
    data = video.read_bytes()
    at = data.index(b"dref") - 4
    length = int.from_bytes(data[at : at + 4], "big")
    dref = box(b"dref", struct.pack(">II", 0, 1), reference)
    grown = len(dref) - length
    data = data[:at] + dref + data[at + length :]
    # The boxes around it are longer now.
    for kind in (b"moov", b"trak", b"mdia", b"minf", b"dinf"):
        start = data.index(kind) - 4
        data = (
            data[:start] + struct.pack(">I", int.from_bytes(data[start : start + 4], "big") + grown) + data[start + 4 :]
        )
    return data


def location(text):
    return box(b"url ", bytes(4), text.encode(), b"\0")


def texts(file, root):
    """Lists of other videos, as names and as URLs."""
    for name, target in (("file", file), ("file address", f"file://{file}"), ("address", f"{root}/secret.mov")):
        yield f"playlist, {name}", f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{target}\n#EXT-X-ENDLIST\n".encode()
        yield f"concat, {name}", f"ffconcat version 1.0\nfile {target}\n".encode()
        yield f"dash, {name}", f'<?xml version="1.0"?><MPD><BaseURL>{target}</BaseURL></MPD>'.encode()
        yield f"asx, {name}", f'<asx version="3.0"><entry><ref href="{target}"/></entry></asx>'.encode()
        yield f"real, {name}", f".RMF{target}\n".encode()
        yield f"reference, {name}", f"[Reference]\nRef1={target}\n".encode()
        yield f"text link, {name}", f"RTSPtext{target}\n".encode()
        yield f"images, {name}", f"WEBVTT\n\n00:00.000 --> 00:01.000\n{target}\n".encode()


@pytest.fixture
def cases(aside, hostile, answered, tmp_path):
    server = hostile(answered(aside.video.read_bytes()))
    own = tmp_path / "own.mov"
    media.video(own, [media.plain(5, size=(64, 64))], fps=1, codec="mjpeg", pix_fmt="yuvj420p", container="mov")
    aside.opened()
    videos = {
        "alias": referring(own, box(b"alis", alias(aside.video))),
        "alias from here": referring(own, box(b"alis", alias(aside.video, levels=(1, 2)))),
        "url of a file": referring(own, location(f"file://{aside.video}")),
        "url of a host": referring(own, location(f"{server.root}/secret.mov")),
        "reference movie": box(b"ftyp", b"qt  ", bytes(4))
        + box(
            b"moov",
            box(
                b"rmra",
                box(b"rmda", box(b"rdrf", bytes(4), b"url ", struct.pack(">I", 99), location(str(aside.video)))),
            ),
        ),
        **dict(texts(aside.video, server.root)),
    }
    return SimpleNamespace(videos=videos, server=server)


@pytest.mark.parametrize("name", ["alias", "alias from here"])
def test_a_reader_that_is_set_to_would_follow(name, aside, cases, tmp_path):
    path = tmp_path / "referring.mov"
    path.write_bytes(cases.videos[name])
    reported = {"enable_drefs": "1", "use_absolute_path": "1"}
    with contextlib.suppress(av.error.FFmpegError), av.open(str(path), container_options=reported):
        pass
    assert aside.opened() == ["secret.mov"]


@pytest.mark.parametrize(("kind", "format_"), [("playlist", "hls"), ("concat", "concat")])
def test_a_reader_of_lists_would_follow(kind, format_, aside, cases, tmp_path):
    for name in ("file", "address"):
        (tmp_path / "list").write_bytes(cases.videos[f"{kind}, {name}"])
        reported = {"safe": "0", "protocol_whitelist": "file,http,tcp", "allowed_extensions": "ALL"}
        with (
            contextlib.suppress(av.error.FFmpegError),
            av.open(str(tmp_path / "list"), format=format_, container_options=reported),
        ):
            pass
    assert "secret.mov" in aside.opened()
    assert cases.server.got


def test_nothing_that_a_video_refers_to_is_opened(aside, cases, tmp_path):
    for name, data in cases.videos.items():
        for ending in ("mov", "mp4", "m3u8"):
            path = aside.folder.parent / f"video.{ending}"
            path.write_bytes(data)
            for read in (last_frame, probe, read_metadata, lambda path: write_metadata(path, {"a": "b"})):
                with contextlib.suppress(WanError):
                    read(path)
        with contextlib.suppress(WanError):
            last_frame(io.BytesIO(data))
        assert aside.opened() == [], name
        assert cases.server.got == [], name


def test_no_image_of_another_video_is_shown(cases, tmp_path):
    for name, data in cases.videos.items():
        path = tmp_path / "video.mov"
        path.write_bytes(data)
        try:
            frame = last_frame(path)
        except WanError:
            continue
        assert frame.max() < 0.2, name
