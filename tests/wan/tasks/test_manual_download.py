"""A paid video that cannot be fetched is got by hand: its link is shown, and neither logged nor saved."""

from __future__ import annotations

import logging
import traceback
from dataclasses import dataclass

import pytest
import requests
from aiohttp import web
from mock_faults import CannedResponse, HtmlPage, HugeBody, JsonBody, Redirect
from wanpack.wan.errors import DownloadFailed, WanError

ALWAYS = 1000
SIGNATURE = "sWg%2B4711Ab%3D"
QUERY = f"?Expires=1790000000&OSSAccessKeyId=LTAI5t&Signature={SIGNATURE}"
NEAR = f"https://10.0.0.1/video.mp4{QUERY}"


@dataclass(frozen=True)
class Packed(CannedResponse):
    """A video that is sent compressed."""

    def response(self) -> web.Response:
        return web.Response(body=b"\x1f\x8b" * 100, content_type="video/mp4", headers={"Content-Encoding": "gzip"})


def done(url):
    """What the service says of a task whose video is at a URL."""
    return JsonBody({"request_id": "r", "output": {"task_id": "t", "task_status": "SUCCEEDED", "video_url": url}})


def logged_as_comfyui_does(error):
    """Log an error the way ComfyUI's execution does: its text, and its traceback."""
    logging.getLogger().error("!!! Exception during processing !!! %s", error)
    logging.getLogger().error("".join(traceback.format_exception(error)))


def holders_of(text, folder):
    """The files below a folder that hold a text."""
    return [path for path in folder.rglob("*") if path.is_file() and text.encode() in path.read_bytes()]


@pytest.mark.parametrize(
    ("on", "fault", "why"),
    [
        ("query", done(NEAR), "request blocked"),
        ("query", done(f"http://localhost/video.mp4{QUERY}"), "request blocked"),
        ("download", HtmlPage(400), "HTTP 400"),
        ("download", Packed(), "compressed"),
        ("download", HugeBody(2 * 1024**3 + 1), "2048 MB"),
        ("download", Redirect("ftp://example.com/video.mp4"), "must be http or https"),
    ],
    ids=["private address", "this machine", "refused", "packed", "too large", "no http"],
)
def test_its_link_stands_on_the_node_and_nowhere_else(bench, new_watch, caplog, on, fault, why):
    caplog.set_level(logging.DEBUG)
    bench.server.faults.add(on=on, fault=fault, times=ALWAYS)
    watch = new_watch()
    with pytest.raises(DownloadFailed, match=why) as caught:
        bench.run(watch=watch)
    head, _, link = watch.texts[-1].rpartition(f"Task {caught.value.task_id}: ")
    assert head.startswith("Open in a browser")
    assert "open the URL shown on the node" in str(caught.value)
    logged_as_comfyui_does(caught.value)
    signature = link.partition("Signature=")[2]
    assert len(signature) > 8
    assert signature not in f"{caught.value}{caplog.text}{vars(caught.value)}"
    assert holders_of(signature, bench.folder) == []
    bench.server.faults.clear()
    if on == "query":
        assert link == fault.value["output"]["video_url"]
    else:
        assert requests.get(link, timeout=60).content[4:8] == b"ftyp"


def test_the_same_holds_for_fetch_task(bench, new_watch):
    video = bench.run()
    video.path.unlink()
    bench.server.faults.add(on="query", fault=done(NEAR), times=ALWAYS)
    watch = new_watch()
    with pytest.raises(DownloadFailed, match="open the URL shown on the node"):
        bench.fetch(video.task_id, watch=watch)
    assert NEAR in watch.texts[-1]


def test_of_a_batch_every_link_is_shown_at_its_end(bench, new_watch, caplog):
    # The first query of a run asks for the time.
    bench.server.faults.add(on="query", fault=done(NEAR), after=1)
    bench.server.faults.add(on="query", fault=done(NEAR.replace("video", "other")), after=1)
    watch = new_watch()
    with pytest.raises(WanError, match="2 of 3 videos failed") as caught:
        bench.run(bench.batch(images=3), watch=watch)
    assert [NEAR in watch.texts[-1], NEAR.replace("video", "other") in watch.texts[-1]] == [True, True]
    logged_as_comfyui_does(caught.value)
    assert SIGNATURE not in f"{caught.value}{caplog.text}"
    assert holders_of(SIGNATURE, bench.folder) == []


@pytest.mark.parametrize(
    "address", ["ftp://example.com/video.mp4", "javascript:alert(1)//http://", "file:///etc/passwd"]
)
def test_what_a_browser_should_not_open_is_not_shown(bench, new_watch, address):
    bench.server.faults.add(on="query", fault=done(address), times=ALWAYS)
    watch = new_watch()
    with pytest.raises(DownloadFailed, match="must be http or https") as caught:
        bench.run(watch=watch)
    assert "open the URL" not in str(caught.value)
    assert not any(address in text for text in watch.texts)


def test_a_video_that_arrives_in_the_end_has_no_link_on_its_node(bench, new_watch):
    bench.server.faults.add(on="download", fault=HtmlPage(503), times=2)
    watch = new_watch()
    bench.run(watch=watch)
    assert not any("://" in text for text in watch.texts)
