"""Videos: signed links, ranges, expiry."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
import requests


def fetch(address, **headers):
    with requests.Session() as session:
        session.trust_env = False
        return session.get(address, headers=headers, timeout=10)


def code(response):
    return ET.fromstring(response.content).findtext("Code")  # noqa: S314 - our own response


@pytest.fixture
def video(make_server, clock, kit):
    """The URL of a finished video."""
    return make_server(clock=clock).ended(kit.body())["output"]["video_url"]


def test_a_video_needs_no_key_and_has_its_length(video):
    response = fetch(video)
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "video/mp4"
    assert int(response.headers["Content-Length"]) == len(response.content) > 1000
    assert response.headers["Accept-Ranges"] == "bytes"
    assert response.content[4:8] == b"ftyp"


def test_the_head_of_a_video_is_that_of_the_file(video):
    whole = fetch(video)
    with requests.Session() as session:
        session.trust_env = False
        head = session.head(video, timeout=10)
        part = session.head(video, headers={"Range": "bytes=10-19"}, timeout=10)
        late = session.head(video.replace("Signature=", "Signature=x"), timeout=10)
    assert (head.status_code, head.content) == (200, b"")
    for name in ("Content-Length", "Content-Type", "ETag", "Last-Modified", "Accept-Ranges"):
        assert head.headers[name] == whole.headers[name]
    assert (part.status_code, part.headers["Content-Length"]) == (206, "10")
    assert late.status_code == 403


def test_parts_of_a_video(video):
    whole = fetch(video).content
    size = len(whole)
    for asked, start, end in (("0-99", 0, 99), ("100-", 100, size - 1), ("-50", size - 50, size - 1)):
        part = fetch(video, Range=f"bytes={asked}")
        assert part.status_code == 206
        assert part.headers["Content-Range"] == f"bytes {start}-{end}/{size}"
        assert part.content == whole[start : end + 1]
    assert fetch(video, Range=f"bytes=10-{size * 2}").content == whole[10:]


def test_a_part_that_the_video_does_not_have(video):
    size = len(fetch(video).content)
    response = fetch(video, Range=f"bytes={size}-")
    assert (response.status_code, code(response)) == (416, "InvalidRange")
    assert response.headers["Content-Range"] == f"bytes */{size}"


def test_a_part_of_a_file_that_changed_is_the_whole_file(video):
    tag = fetch(video).headers["ETag"]
    assert fetch(video, Range="bytes=0-9", **{"If-Range": tag}).status_code == 206
    assert fetch(video, Range="bytes=0-9", **{"If-Range": '"other"'}).status_code == 200
    assert fetch(video, Range="lines=1-2").status_code == 200


def test_a_link_ends_after_24_hours(video, clock):
    clock.advance(24 * 3600 - 1)
    assert fetch(video).status_code == 200
    clock.advance(1)
    late = fetch(video)
    assert (late.status_code, code(late)) == (403, "AccessDenied")
    assert "Request has expired." in late.text


def test_a_changed_link_is_refused(video):
    path, _, query = video.partition("?")
    signature = query.partition("&Signature=")[2]
    assert code(fetch(path)) == "AccessDenied"
    assert code(fetch(video.replace(signature, "abc"))) == "SignatureDoesNotMatch"
    later = video.replace("Expires=1", "Expires=9")
    assert (fetch(later).status_code, code(fetch(later))) == (403, "SignatureDoesNotMatch")
    other = video.replace(path.rpartition("/")[2], "00000000-0000-0000-0000-000000000000.mp4")
    assert fetch(other).status_code == 403


def test_equal_tasks_share_one_file(api, kit):
    one, other = (api.ended(kit.body(parameters={"seed": seed})) for seed in (1, 2))
    assert one["output"]["video_url"] != other["output"]["video_url"]
    first, second = api.server.tasks
    assert first.video == second.video
    assert api.ended(kit.body(parameters={"watermark": True}))["output"]["task_status"] == "SUCCEEDED"
    assert api.server.tasks[2].video != first.video
