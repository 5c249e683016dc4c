"""Downloads and uploads go to public addresses only, checked where the connection is made."""

from __future__ import annotations

import ipaddress
import threading

import pytest
import requests
from wanpack.wan.errors import DownloadFailed
from wanpack.wan.net.download import DownloadInterrupted, VideoTooLarge, download
from wanpack.wan.net.hosts import BlockedHost, is_public, public_addresses, require_public_host
from wanpack.wan.net.http import untrusted_session

PUBLIC = "93.184.216.34"
NEAR = {
    "loopback": "127.0.0.1",
    "loopback, another": "127.8.9.10",
    "unspecified": "0.0.0.0",  # noqa: S104 - an address that is refused
    "private 10": "10.1.2.3",
    "private 172": "172.16.0.1",
    "private 192": "192.168.1.1",
    "carrier": "100.64.0.1",
    "cloud metadata": "169.254.169.254",
    "metadata of Alibaba Cloud": "100.100.100.200",
    "multicast": "224.0.0.251",
    "broadcast": "255.255.255.255",
    "reserved": "240.0.0.1",
    "benchmark": "198.18.0.1",
    "documentation": "203.0.113.7",
    "documentation 1": "192.0.2.7",
    "documentation 2": "198.51.100.7",
    "this network": "0.1.2.3",
    "carrier, last": "100.127.255.255",
    "protocol assignments": "192.0.0.1",
    "protocol assignments, last": "192.0.0.255",
    "anycast of PCP": "192.0.0.9",
    "discovery of NAT64": "192.0.0.170",
    "6to4 relay": "192.88.99.1",
    "benchmark, last": "198.19.255.255",
    "loopback 6": "::1",
    "unspecified 6": "::",
    "link-local 6": "fe80::1",
    "unique local 6": "fd00::1",
    "site-local 6": "fec0::1",
    "multicast 6": "ff02::1",
    "mapped": "::ffff:127.0.0.1",
    "mapped private": "::ffff:192.168.1.1",
    "compatible": "::127.0.0.1",
    "NAT64": "64:ff9b::7f00:1",
    "NAT64 of protocol assignments": "64:ff9b::c000:1",
    "NAT64 of a network": "64:ff9b:1::808:808",
    "mapped protocol assignments": "::ffff:192.0.0.1",
    "discard": "100::1",
    "dummy": "100:0:0:1::1",
    "segment routing": "5f00::1",
    "protocol assignments 6": "2001:1::1",
    "benchmark 6": "2001:2::1",
    "AMT": "2001:3::1",
    "AS112 by name": "2001:4:112::1",
    "ORCHID": "2001:10::1",
    "ORCHIDv2": "2001:20::1",
    "drone remote id": "2001:30::1",
    "protocol assignments 6, last": "2001:1ff:ffff::1",
    "documentation 6, newer": "3fff:fff::1",
    "6to4": "2002:7f00:1::",
    "Teredo": "2001:0:7f00:1::",
    "documentation 6": "2001:db8::1",
}
BENCHMARK = ("benchmark", "benchmark, last")
FAR = [
    *("1.0.0.1", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "172.15.255.255", "172.32.0.0"),
    *("192.0.1.0", "192.0.3.0", "192.88.98.255", "192.88.100.0", "198.17.255.255", "198.20.0.0", "223.255.255.255"),
    *("2001:200::", "2001:4860:4860::8888", "2400:3200::1", "2003::1", "3fff:1000::", "64:ff9b::808:808"),
]
VIDEO = b"clip" * 1000


@pytest.fixture
def fetch(tmp_path):
    """Download to a part of the test's own and return what it holds."""
    part = tmp_path / "video.part"

    def call(url, **options):
        options.setdefault("own", None)
        download(url, part, on_progress=lambda *_: None, stop=threading.Event(), **options)
        return part.read_bytes()

    call.part = part
    return call


def refused(fetch, url, **options):
    with pytest.raises(DownloadFailed) as caught:
        fetch(url, **options)
    assert not isinstance(caught.value, DownloadInterrupted)
    return str(caught.value)


def literal(address):
    return f"[{address}]" if ":" in address else address


# What counts as near


@pytest.mark.parametrize("address", NEAR.values(), ids=NEAR)
def test_an_address_that_is_near_is_refused(address, net, fetch):
    assert not is_public(address)
    for url in (f"http://{literal(address)}/v.mp4", f"https://{literal(address)}:8443/v.mp4"):
        assert "request blocked" in refused(fetch, url)
    assert net.tried == []


@pytest.mark.parametrize("address", FAR)
def test_an_address_beside_a_special_range_is_public(address):
    assert is_public(address)


@pytest.mark.parametrize("word", ["is_global", "is_private", "is_reserved"])
def test_what_a_release_of_python_holds_for_public_does_not_count(word, monkeypatch):
    for kind in (ipaddress.IPv4Address, ipaddress.IPv6Address):
        monkeypatch.setattr(kind, word, property(lambda address: pytest.fail(f"{word} was asked of {address}")))
    assert not any(map(is_public, NEAR.values()))
    assert all(map(is_public, FAR))


# But for the benchmarks' addresses: these stand for a name where a proxy captures the whole machine.
@pytest.mark.parametrize("address", [NEAR[name] for name in NEAR if name not in BENCHMARK])
def test_a_name_that_leads_near_is_refused(address, net, fetch):
    net.names["video.example"] = [address]
    assert "request blocked" in refused(fetch, "http://video.example/v.mp4")
    assert net.tried == []


@pytest.mark.parametrize(
    "host",
    [
        *("localhost", "LOCALHOST", "localhost.", "a.localhost", "router", "nas.local", "metadata.google.internal"),
        *("printer.lan", "x.home.arpa", "127.1", "0x7f.1", "2130706433", "017700000001", "127.0.0.1.", "１２７.0.0.1"),
    ],
)
def test_a_name_of_this_machine_or_its_network_is_refused(host, net, fetch):
    net.names |= {"router": [PUBLIC], "nas.local": [PUBLIC], "a.localhost": [PUBLIC], "printer.lan": [PUBLIC]}
    refused(fetch, f"http://{host}/v.mp4")
    assert net.tried == []


@pytest.mark.parametrize("address", [PUBLIC, "8.8.8.8", "2606:2800:220:1::1", "64:ff9b::808:808", "::ffff:8.8.8.8"])
def test_a_public_address_is_asked(address, net, hostile, answered, fetch):
    server = hostile(answered(VIDEO))
    net.there = server.own
    net.names["video.example"] = [address]
    assert is_public(address)
    assert fetch("http://video.example/v.mp4") == VIDEO
    assert net.tried[0] == (address, 80)


def test_of_several_addresses_only_the_public_ones_are_tried(net, hostile, answered, fetch):
    server = hostile(answered(VIDEO))
    net.there = server.own
    net.names["video.example"] = ["10.0.0.1", "fdfe:dcba:9876::1", PUBLIC]
    fetch("http://video.example/v.mp4")
    assert net.tried_but(server.own) == [(PUBLIC, 80)]


def test_a_name_behind_a_proxy_that_captures_the_machine_is_asked(net, hostile, answered, fetch):
    # Clash and its like answer 198.18.x.x for every name, the storage's own among them.
    net.there = hostile(answered(VIDEO)).own
    net.names["dashscope-result-bj.oss-cn-beijing.aliyuncs.com"] = ["198.18.0.42"]
    assert fetch("http://dashscope-result-bj.oss-cn-beijing.aliyuncs.com/v.mp4") == VIDEO


def test_a_name_is_resolved_once_and_the_checked_address_is_the_one_that_is_called(net, hostile, answered, fetch):
    # DNS rebinding: the second answer would lead to this machine.
    server = hostile(answered(VIDEO))
    net.there = server.own
    net.names["video.example"] = [[PUBLIC], ["127.0.0.1"]]
    fetch("http://video.example/v.mp4")
    assert net.asked == ["video.example"]
    assert net.tried_but(server.own) == [(PUBLIC, 80)]


def test_the_next_try_is_checked_anew(net, hostile, answered, fetch):
    server = hostile(answered(VIDEO))
    net.there = server.own
    net.names["video.example"] = [[PUBLIC], ["127.0.0.1"]]
    fetch("http://video.example/v.mp4")
    before = list(net.tried)
    refused(fetch, "http://video.example/v.mp4")
    assert net.tried == before


def test_the_name_is_still_the_one_that_the_certificate_is_asked_for(net, hostile):
    server = hostile()
    net.there = server.own
    net.names["video.example"] = [PUBLIC]
    with untrusted_session(None) as session, pytest.raises(requests.exceptions.SSLError):
        session.get("https://video.example/v.mp4", timeout=5)
    [hello] = server.got
    assert b"video.example" in hello


# Redirects


@pytest.mark.parametrize("address", ["127.0.0.1:9", "[::1]:9", "192.168.1.1", "169.254.169.254", "localhost", "router"])
def test_a_redirect_to_what_is_near_is_refused(address, net, hostile, answered, fetch):
    server = hostile(answered(b"", 302, Location=f"http://{address}/latest/meta-data"))
    refused(fetch, f"{server.root}/v.mp4", own=server.own)
    assert net.tried_but(server.own) == []


@pytest.mark.parametrize(
    "target",
    ["file:///etc/passwd", "ftp://video.example/v", "data:video/mp4;base64,AAAA", "gopher://x/", "//", "http:", "x:"],
)
def test_a_redirect_to_what_is_no_address_is_refused(target, net, hostile, answered, fetch):
    server = hostile(answered(b"", 307, Location=target))
    refused(fetch, f"{server.root}/v.mp4", own=server.own)
    assert net.tried_but(server.own) == []


def test_a_redirect_to_a_name_that_leads_near_is_refused(net, hostile, answered, fetch):
    net.names["video.example"] = ["10.0.0.1"]
    server = hostile(answered(b"", 301, Location="http://video.example/v.mp4"))
    refused(fetch, f"{server.root}/v.mp4", own=server.own)
    assert net.tried_but(server.own) == []


# The exception


def test_the_own_machine_is_one_host_and_one_port(net, hostile, answered, fetch):
    server, other = hostile(answered(VIDEO)), hostile(answered(VIDEO))
    assert fetch(f"{server.root}/v.mp4", own=server.own) == VIDEO
    for url in (f"{other.root}/v.mp4", f"http://localhost:{server.own[1]}/v.mp4", f"http://127.0.0.2:{server.own[1]}/"):
        refused(fetch, url, own=server.own)
    assert other.got == []


@pytest.mark.parametrize("proxy", ["http_proxy", "HTTPS_PROXY", "ALL_PROXY"])
def test_a_proxy_is_not_asked_for_the_own_machine(proxy, net, hostile, answered, fetch, bare_environment):
    server, between = hostile(answered(VIDEO)), hostile(answered(b"proxy"))
    bare_environment.setenv(proxy, between.root)
    assert fetch(f"{server.root}/v.mp4", own=server.own) == VIDEO
    assert between.got == []


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "[::1]", "10.0.0.1", "localhost", "router", "nas.local", "127.1", "0x7f.1"]
)
def test_a_proxy_is_not_asked_for_what_is_near(host, net, hostile, answered, fetch, bare_environment):
    between = hostile(answered(VIDEO))
    bare_environment.setenv("HTTP_PROXY", between.root)
    refused(fetch, f"http://{host}:9/v.mp4")
    assert between.got == []


def test_a_proxy_of_the_owner_may_be_on_this_machine(net, hostile, answered, fetch, bare_environment):
    between = hostile(answered(VIDEO))
    bare_environment.setenv("HTTP_PROXY", between.root)
    assert fetch("http://video.example/v.mp4") == VIDEO
    assert between.got[0].startswith(b"GET http://video.example/v.mp4 ")
    assert net.asked == []


# Sizes and forms


def test_a_video_over_the_limit_leaves_nothing_on_the_disk(hostile, fetch):
    def endless(connection, _):
        connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        while True:
            connection.sendall(bytes(65536))

    server = hostile(endless)
    with pytest.raises(VideoTooLarge):
        fetch(f"{server.root}/v.mp4", own=server.own, max_bytes=5_000_000)
    assert fetch.part.stat().st_size == 0


@pytest.mark.parametrize("length", ["2147483649", "999999999999999999"])
def test_a_video_that_says_it_is_over_two_gigabytes_is_not_begun(length, hostile, fetch):
    server = hostile(f"HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\nclip".encode())
    with pytest.raises(VideoTooLarge, match="2048 MB"):
        fetch(f"{server.root}/v.mp4", own=server.own)
    assert fetch.part.stat().st_size == 0


@pytest.mark.parametrize("packing", ["gzip", "deflate", "br", "zstd", "x-gzip", "identity, gzip", "GZIP"])
def test_a_compressed_video_is_refused(packing, hostile, answered, fetch):
    server = hostile(answered(b"\x1f\x8b" * 100, Content_Encoding=packing))
    assert "compressed" in refused(fetch, f"{server.root}/v.mp4", own=server.own)


def test_hosts_are_judged_by_the_name_alone_where_that_is_enough(net):
    require_public_host("dashscope-result-sh.oss-cn-shanghai.aliyuncs.com")
    require_public_host("8.8.8.8")
    with pytest.raises(BlockedHost):
        public_addresses("10.0.0.1", 80)
    assert net.asked == []
