import threading
import time
from pathlib import Path

import pytest
import requests
import urllib3
from platforms import needs_symlinks
from wanpack.wan.errors import DownloadFailed
from wanpack.wan.net.download import (
    Cancelled,
    DiskFull,
    DownloadInterrupted,
    UrlExpired,
    VideoTooLarge,
    download,
)
from wanpack.wan.net.hosts import validate_url


def test_the_video_arrives_whole(server, fetch, part):
    assert fetch(server.url("video")) == len(server.video)
    assert part.read_bytes() == server.video


@pytest.mark.parametrize("have", [1, 300_000, 699_999])
def test_it_goes_on_where_the_part_ends(server, fetch, part, have):
    part.write_bytes(server.video[:have])
    assert fetch(server.url("video")) == len(server.video)
    assert part.read_bytes() == server.video
    assert [asked.headers["Range"] for asked in server.asked] == [f"bytes={have}-"]


def test_it_starts_over_where_the_server_knows_no_ranges(server, fetch, part):
    part.write_bytes(b"x" * 300_000)
    assert fetch(server.url("rangeless")) == len(server.video)
    assert part.read_bytes() == server.video


def test_it_starts_over_where_the_server_begins_elsewhere(server, fetch, part):
    part.write_bytes(b"x" * 300_000)
    assert fetch(server.url("elsewhere")) == len(server.video)
    assert part.read_bytes() == server.video


def test_a_whole_part_needs_no_more(server, fetch, part):
    part.write_bytes(server.video)
    assert fetch(server.url("video")) == len(server.video)
    assert part.read_bytes() == server.video
    assert len(server.asked) == 1


def test_a_part_that_is_longer_than_the_video_is_dropped(server, fetch, part):
    part.write_bytes(b"x" * (len(server.video) + 9))
    assert fetch(server.url("video")) == len(server.video)
    assert part.read_bytes() == server.video


def test_a_video_of_unknown_length_is_taken_to_its_end(server, fetch, part):
    totals = set()
    assert fetch(server.url("lengthless"), on_progress=lambda _, total: totals.add(total)) == len(server.video)
    assert part.read_bytes() == server.video
    assert totals == {None}


def test_progress_goes_from_what_is_there_to_the_whole(server, fetch, part):
    part.write_bytes(server.video[:100_000])
    reported = []
    fetch(server.url("video"), on_progress=lambda done, total: reported.append((done, total)))
    assert reported[0] == (100_000, len(server.video))
    assert reported[-1] == (len(server.video), len(server.video))
    assert reported == sorted(reported)


def test_progress_is_reported_in_the_calling_thread(server, fetch, part):
    threads = set()
    fetch(server.url("video"), on_progress=lambda *_: threads.add(threading.current_thread()))
    assert threads == {threading.current_thread()}


def test_what_progress_raises_ends_the_download_and_keeps_the_part(server, fetch, part):
    def interrupt(done, _):
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(server.url("video"), on_progress=interrupt)
    assert server.video.startswith(part.read_bytes())


@pytest.mark.parametrize("status", [403, 404, 410])
def test_a_refused_link_has_expired(server, fetch, part, status):
    part.write_bytes(server.video[:1000])
    with pytest.raises(UrlExpired, match=f"HTTP {status}"):
        fetch(server.url(f"status-{status}"))
    assert part.read_bytes() == server.video[:1000]


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_server_is_worth_another_try(server, fetch, part, status):
    with pytest.raises(DownloadInterrupted, match=f"HTTP {status}"):
        fetch(server.url(f"status-{status}"))


@pytest.mark.parametrize("status", [400, 401, 204])
def test_any_other_response_is_a_plain_failure(server, fetch, part, status):
    with pytest.raises(DownloadFailed, match=f"HTTP {status}") as caught:
        fetch(server.url(f"status-{status}"))
    assert type(caught.value) is DownloadFailed


def test_a_connection_that_breaks_keeps_what_came_and_goes_on(server, fetch, part):
    with pytest.raises(DownloadInterrupted):
        fetch(server.url("broken-600000"))
    assert part.read_bytes() == server.video[:600_000]
    assert fetch(server.url("video")) == len(server.video)
    assert part.read_bytes() == server.video


def test_a_server_that_sends_less_than_the_rest_is_not_done(server, fetch, part):
    part.write_bytes(server.video[:1000])
    with pytest.raises(DownloadInterrupted, match="after 301000 of 700000 bytes"):
        fetch(server.url("piecemeal-300000"))
    assert part.read_bytes() == server.video[:301_000]


def test_a_server_that_falls_silent_is_given_up(server, fetch, part):
    with pytest.raises(DownloadInterrupted):
        fetch(server.url("silent-300000"), stall_seconds=0.3)
    assert not server.gave_up
    assert part.read_bytes() == server.video[:300_000]


@pytest.mark.parametrize("at_once", [0, 300_000])
def test_a_server_that_sends_too_little_is_given_up(at_once, server, fetch, part):
    with pytest.raises(DownloadInterrupted, match="too slowly"):
        fetch(server.url(f"drip-{at_once}"), stall_seconds=0.3)
    came = part.read_bytes()
    assert len(came) > at_once
    assert server.video.startswith(came)


def test_with_an_old_urllib3_little_is_held_back(server, fetch, part, monkeypatch):
    monkeypatch.delattr(urllib3.response.HTTPResponse, "read1")
    monkeypatch.delattr(urllib3.response.BaseHTTPResponse, "read1")
    with pytest.raises(DownloadInterrupted):
        fetch(server.url("silent-300000"), stall_seconds=0.3)
    came = part.read_bytes()
    assert 300_000 - 16_384 <= len(came) <= 300_000
    assert server.video.startswith(came)
    assert fetch(server.url("video")) == len(server.video)
    assert part.read_bytes() == server.video


def test_a_server_that_cannot_be_reached_is_worth_another_try(fetch):
    with pytest.raises(DownloadInterrupted, match=r"127\.0\.0\.1"):
        fetch("http://127.0.0.1:9/video", own=("127.0.0.1", 9))


@pytest.mark.parametrize("response", ["silent-600000", "mute"])
def test_stop_takes_effect_while_the_server_is_silent(server, fetch, part, response):
    stop = threading.Event()
    threading.Timer(0.2, stop.set).start()
    with pytest.raises(Cancelled):
        fetch(server.url(response), stop=stop)
    assert not server.gave_up
    assert part.read_bytes() == server.video[: 600_000 if response == "silent-600000" else 0]


def test_stop_keeps_the_part(server, fetch, part):
    stop = threading.Event()
    with pytest.raises(Cancelled):
        fetch(server.url("long"), stop=stop, on_progress=lambda done, _: stop.set() if done else None)
    came = part.read_bytes()
    assert 0 < len(came) < len(server.video) * 8
    assert (server.video * 8).startswith(came)


def test_what_has_come_before_stop_is_written(server, fetch, part):
    for seconds in (0.3, 3, 30):
        stop, at_stop = threading.Event(), []

        def stop_late(done, _, *, stop=stop, at_stop=at_stop, seconds=seconds):
            if done and not at_stop:
                time.sleep(seconds)  # More comes meanwhile, unless the machine is busy.
                at_stop.append(done)
                stop.set()

        with pytest.raises(Cancelled):
            fetch(server.url("silent-600000"), stop=stop, on_progress=stop_late)
        came = part.read_bytes()
        assert server.video.startswith(came)
        if len(came) > at_stop[0]:
            return
        part.unlink()
    pytest.fail(f"nothing but the first {at_stop[0]} bytes is kept")


def test_nothing_is_written_after_stop(server, fetch, part):
    stop = threading.Event()
    threading.Timer(0.2, stop.set).start()
    with pytest.raises(Cancelled):
        fetch(server.url("silent-600000"), stop=stop)
    before = part.read_bytes()
    server.closing.set()
    for thread in threading.enumerate():
        if thread.name == "wan-download":
            thread.join(60)
    assert part.read_bytes() == before


def test_no_thread_is_left_after_stop(server, fetch):
    stop = threading.Event()
    with pytest.raises(Cancelled):
        fetch(server.url("long"), stop=stop, on_progress=lambda done, _: stop.set() if done else None)
    for thread in threading.enumerate():
        if thread.name == "wan-download":
            thread.join(60)
            assert not thread.is_alive()


def test_a_video_that_says_it_is_too_large_is_not_begun(server, fetch, part):
    with pytest.raises(VideoTooLarge):
        fetch(server.url("video"), max_bytes=len(server.video) - 1)
    assert part.read_bytes() == b""


def test_of_a_video_that_turns_out_too_large_nothing_is_kept(server, fetch, part):
    with pytest.raises(VideoTooLarge):
        fetch(server.url("lengthless"), max_bytes=400_000)
    assert part.stat().st_size == 0


def test_a_video_as_large_as_the_limit_is_fetched(server, fetch, part):
    assert fetch(server.url("video"), max_bytes=len(server.video)) == len(server.video)


@needs_symlinks
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_disk_is_reported(server, fetch, part):
    part.symlink_to("/dev/full")
    with pytest.raises(DiskFull, match="No space left"):
        fetch(server.url("video"))


def test_a_folder_that_is_missing_is_reported(server, part):
    nowhere = part.parent / "none" / "video.part"
    with pytest.raises(DownloadFailed, match="cannot be written"):
        download(server.url("video"), nowhere, on_progress=lambda *_: None, stop=threading.Event())


@pytest.mark.parametrize("turns", [1, 5])
def test_redirects_are_followed(server, fetch, part, turns):
    assert fetch(server.url(f"turn-{turns}")) == len(server.video)


def test_a_resumed_download_keeps_its_range_through_redirects(server, fetch, part):
    part.write_bytes(server.video[:500_000])
    fetch(server.url("turn-2"))
    assert part.read_bytes() == server.video
    assert server.asked[-1].headers["Range"] == "bytes=500000-"


def test_the_sixth_redirect_is_refused(server, fetch, part):
    with pytest.raises(DownloadFailed, match="more than 5 times"):
        fetch(server.url("turn-6"))


@pytest.mark.parametrize("kind", [0, 1, 2])
def test_a_redirect_to_what_is_not_http_is_refused(server, fetch, part, kind):
    with pytest.raises(DownloadFailed, match="must be http or https"):
        fetch(server.url(f"astray-{kind}"))


def credentials(server):
    return [asked.headers["Authorization"] for asked in server.asked]


def test_a_netrc_file_is_not_applied(server, fetch, tmp_path, monkeypatch):
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login somebody password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    assert requests.get(server.url("video"), timeout=5).ok
    fetch(server.url("turn-1"))
    assert credentials(server) == ["Basic c29tZWJvZHk6c2VjcmV0", None, None]


def test_credentials_in_the_address_are_not_sent(server, fetch):
    fetch(server.url("video", user="somebody:secret@"))
    assert credentials(server) == [None]


def test_the_video_is_asked_for_uncompressed(server, fetch):
    fetch(server.url("video"))
    assert server.asked[0].headers["Accept-Encoding"] == "identity"


def test_a_signed_address_is_sent_as_it_is(server, fetch):
    fetch(server.url("video-0?Expires=1&Signature=a%2Bb%3D&x=~_"))
    assert server.asked[0].path == "/video-0?Expires=1&Signature=a%2Bb%3D&x=~_"


@pytest.mark.parametrize("url", ["https://example.com/x.mp4?a=b", "http://example.com", "HTTPS://example.com/"])
def test_http_and_https_are_allowed(url):
    validate_url(url)


@pytest.mark.parametrize(
    "url",
    ["", "example.com/x.mp4", "/etc/passwd", "file:///etc/passwd", "ftp://example.com/x", "http:///x", "http://[::1"],
)
def test_any_other_address_is_refused(url, fetch, part):
    with pytest.raises(DownloadFailed):
        validate_url(url)
    with pytest.raises(DownloadFailed):
        fetch(url)
    assert not part.exists() or part.read_bytes() == b""
