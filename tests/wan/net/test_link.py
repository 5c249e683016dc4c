import pytest
import requests
from wanpack.wan.errors import DownloadFailed
from wanpack.wan.net.link import validate_url


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
    with pytest.raises(DownloadFailed, match="http or https only"):
        fetch(server.url(f"astray-{kind}"))


def credentials(server):
    return [asked.headers["Authorization"] for asked in server.asked]


def test_a_netrc_file_is_not_applied(server, fetch, tmp_path, monkeypatch):
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login somebody password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    assert requests.get(server.url("video"), timeout=60).ok
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
