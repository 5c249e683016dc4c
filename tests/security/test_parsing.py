"""Responses of any shape end in the pack's own errors, in little time and memory."""

from __future__ import annotations

import contextlib
import functools
import gzip
import json
import math
import zlib

import pytest
from wanpack.wan.api.errors import UnexpectedResponse
from wanpack.wan.api.task import TaskStatus
from wanpack.wan.errors import WanError

ALL = ("create", "query", "cancel", "list", "policy")
MEGABYTE = 1024 * 1024

DEEP = b'{"output":' * 100_000 + b"1" + b"}" * 100_000
ODD = {
    "nothing": b"",
    "html": b"<html><body>Sign in to the hotel</body></html>",
    "half": b'{"output": {"task_id": "t',
    "nested deep": DEEP,
    "lists nested deep": b"[" * 900 + b"]" * 900,
    "invalid utf-8": b'{"output": {"task_id": "\xff\xfe", "task_status": "\xc3\x28"}}',
    "utf-16": json.dumps({"output": []}).encode("utf-16"),
    "nul": b"\0" * 1000,
    "a number": b"1" * 10_000,
    "a huge number": b'{"output": ' + b"9" * 100_000 + b"}",
    "not a number": b'{"output": NaN, "data": NaN, "total_page": NaN}',
    "infinite": b'{"output": {"task_id": 1e999}, "data": Infinity, "total_page": 1e999}',
    "half a character": b'{"output": {"task_id": "\\ud800", "task_status": "\\udfff"}, "request_id": "\\ud83d"}',
    "wrong types": b'{"output": [[]], "data": {"a": []}, "code": {}, "message": [], "request_id": {}}',
    "other wrong types": b'{"output": {"task_id": {}, "task_status": []}, "data": 7, "usage": []}',
    "a code of another type": b'{"code": {"a": 1}, "message": 5}',
    "names that are long": b'{"' + b"n" * 500_000 + b'": {}}',
    "a key a hundred times": b"{" + b'"output": {},' * 100 + b'"output": 1}',
    "a truth": b"true",
    "a text": b'"output"',
    "ends in more": b'{"output": {}} {"output": {}}',
}


def failing(call, kind=WanError):
    with pytest.raises(kind) as caught:
        call()
    assert len(str(caught.value)) < 4000
    str(caught.value).encode()
    return caught.value


@pytest.mark.parametrize("status", [200, 400, 503])
@pytest.mark.parametrize("on", ALL)
def test_odd_responses_end_in_errors_of_ours(on, status, hostile, answered, client_of, calls):
    server = hostile()
    client = client_of(server.base_url)
    for body in ODD.values():
        server.response = answered(body, status)
        # Of a cancellation only the status counts: any object but a refusal says that it is done.
        may_pass = on == "cancel" and status == 200
        with contextlib.suppress(WanError) if may_pass else pytest.raises(WanError):
            calls[on](client)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("request_id", "x" * 10_000),
        ("request_id", {"a": 1}),
        ("request_id", "two words"),
        ("usage", [1, 2]),
        ("usage", {"duration": 10**400, "x": [[[]]], "SR": "720", "audio": True, "y": None, 7: 8}),
        ("usage", {"n" * 1000: 1, "\ud800": "\udfff", "t": "t" * 10_000}),
        ("orig_prompt", "p" * 100_000),
        ("orig_prompt", "\x1b]0;title\x07 \x1b[31mred \u202e"),
        ("actual_prompt", 7),
        ("submit_time", "2026" * 1000),
        ("end_time", None),
    ],
)
def test_what_a_task_says_is_kept_within_bounds(field, value, hostile, answered, client_of):
    output = {"task_status": "SUCCEEDED", "video_url": "https://video.example/v.mp4"}
    body = {"output": output, "request_id": "r-1"}
    (body if field in ("request_id", "usage") else output)[field] = value
    task = client_of(hostile(answered(body)).base_url).get_task("t-1")
    assert task.status is TaskStatus.SUCCEEDED
    reported = json.dumps([task.request_id, dict(task.usage), task.orig_prompt, task.actual_prompt, task.submit_time])
    assert len(reported) < 21_000
    assert "\\u001b" not in reported
    assert "\\ud800" not in reported
    json.loads(reported, parse_constant=pytest.fail)


@pytest.mark.parametrize("address", [7, None, [], "x" * 10_000, "https://a.example/\x00", "https://a.example/\ud800"])
@pytest.mark.parametrize("where", [lambda one: one, lambda one: {"results": one}, lambda one: {"results": [one]}])
def test_a_videos_address_that_is_none_is_not_taken(address, where, hostile, answered, client_of):
    body = {"output": {"task_status": "SUCCEEDED", **where({"video_url": address})}}
    assert client_of(hostile(answered(body)).base_url).get_task("t-1").video_url == ""


@pytest.mark.parametrize("task_id", ["", 7, None, [], "a b", "x" * 300, "\ud800", "..", "../x", "-x", "t\nX-Y: 1"])
def test_an_id_that_is_none_leaves_open_whether_there_is_a_task(task_id, hostile, answered, client_of, calls):
    server = hostile(answered({"output": {"task_id": task_id}}))
    failing(lambda: calls["create"](client_of(server.base_url)), UnexpectedResponse)


def test_an_id_that_is_the_key_is_none(hostile, answered, client_of, calls, marked, has_key):
    server = hostile(answered({"output": {"task_id": marked}, "request_id": marked}))
    assert not has_key(str(failing(lambda: calls["create"](client_of(server.base_url)), UnexpectedResponse)))


@pytest.mark.parametrize("status", [200, 400, 401, 429, 500])
@pytest.mark.parametrize("on", ALL)
def test_a_server_that_quotes_the_key_is_not_quoted(
    on, status, hostile, answered, client_of, calls, passed_on, has_key, caplog
):
    caplog.set_level("DEBUG")
    for spelled in passed_on:
        body = {"code": f"Bad.{spelled}", "message": f"no: Bearer {spelled} {spelled}", "request_id": spelled}
        error = failing(lambda body=body: calls[on](client_of(hostile(answered(body, status)).base_url)))
        assert not has_key(str(error), repr(error), repr(vars(error)), caplog.text)


RAW = "only-in-the-raw-answer"


@pytest.mark.parametrize("status", [200, 302, 400, 401, 429, 500])
@pytest.mark.parametrize(
    "body",
    [
        {"code": "Bad", "message": "no", "more": RAW},
        {"output": {"task_id": 7, "more": RAW}, "data": {"more": RAW}, "more": RAW},
        RAW.encode(),
        b'{"half": "' + RAW.encode(),
        RAW.encode() * 100_000,
    ],
    ids=["a refusal", "odd", "no JSON", "half", "too large"],
)
@pytest.mark.parametrize("on", ALL)
def test_no_frame_that_an_error_holds_has_the_raw_response(
    on, body, status, hostile, answered, client_of, calls, held_by
):
    client = client_of(hostile(answered(body, status)).base_url)
    held = held_by(failing(lambda: calls[on](client)))
    assert held
    assert [line for line in held if RAW in line or "<Response [" in line] == []


@pytest.mark.parametrize("status", [200, 302, 403, 404, 500])
def test_no_frame_that_a_downloads_error_holds_has_the_raw_response(status, hostile, answered, held_by, tmp_path):
    from wanpack.wan.net.download import iter_chunks

    server = hostile(
        answered(RAW.encode(), status).replace(b"\r\n", f"\r\nContent-Encoding: gzip\r\nX: {RAW}\r\n".encode(), 1)
    )
    held = held_by(failing(lambda: list(iter_chunks(f"{server.root}/v.mp4", 0, own=server.own, stall_seconds=5))))
    assert held
    assert [line for line in held if RAW in line or "<Response [" in line] == []


@pytest.mark.parametrize("length", [100, 200, 500, 2000, 20_000])
def test_no_beginning_of_a_key_stands_where_a_long_text_is_cut(length, hostile, answered, client_of, marked):
    said = "x" * (length - 20) + marked
    output = {"task_status": "FAILED", **dict.fromkeys(("orig_prompt", "submit_time", "code", "message"), said)}
    task = client_of(hostile(answered({"output": output, "usage": {said: said}})).base_url).get_task("t-1")
    reported = repr(task) + repr(vars(task)) + str(task.failure())
    assert "x" * 20 in reported
    assert marked[:12] not in reported


def test_a_task_that_quotes_the_key_is_not_quoted(hostile, answered, client_of, passed_on, has_key):
    for spelled in passed_on:
        output = dict.fromkeys(("orig_prompt", "actual_prompt", "submit_time", "code", "message"), spelled)
        body = {
            "output": {**output, "task_status": "FAILED"},
            "request_id": spelled,
            "usage": {spelled: spelled, "SR": spelled},
        }
        task = client_of(hostile(answered(body)).base_url).get_task("t-1")
        assert not has_key(repr(task), repr(vars(task)), str(task.failure()))


@pytest.mark.parametrize("asked", ["9" * 1000, "-1", "nan", "1e9", "²", "Wed, 21 Oct 2026 07:28:00 GMT", ""])
def test_a_pause_that_is_no_number_is_not_kept(asked, hostile, answered, client_of, calls):
    server = hostile(answered({"code": "Throttling", "message": ""}, 429))
    head, blank, body = server.response.partition(b"\r\n\r\n")
    server.response = head + b"\r\nRetry-After: " + asked.encode() + blank + body
    assert failing(lambda: calls["create"](client_of(server.base_url))).retry_after is None


@pytest.mark.parametrize(
    "value", ["1e999", "-1e999", "NaN", "9" * 400, "1e308", '"1e999"', '"x"', "true", "[]", "{}", "null"]
)
def test_numbers_that_are_none_make_a_page_of_tasks_all_the_same(value, hostile, answered, client_of):
    body = f'{{"data": [{{"task_id": "t-1", "gmt_create": {value}}}, {value}], "total_page": {value}}}'
    page = client_of(hostile(answered(body.encode())).base_url).list_tasks()
    assert [task.task_id for task in page.tasks] == ["t-1"]
    assert math.isfinite(page.tasks[0].created)
    assert isinstance(page.total_pages, int)


# Size


@pytest.mark.parametrize("on", ALL)
def test_a_response_of_50_megabytes_is_given_up(on, hostile, client_of, calls, peak):
    def large(connection, _):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 52428800\r\n\r\n{")
        for _ in range(50):
            connection.sendall(b'"' + b"x" * (MEGABYTE - 4) + b'":1')

    client = client_of(hostile(large).base_url)
    assert peak(lambda: failing(lambda: calls[on](client), UnexpectedResponse)) < 20 * MEGABYTE


@functools.cache
def bomb(gzipped):
    return gzip.compress(bytes(50 * MEGABYTE)) if gzipped else zlib.compress(bytes(50 * MEGABYTE))


@pytest.mark.parametrize("packing", ["gzip", "deflate", "x-gzip", "br", "zstd", "gzip, gzip"])
def test_a_response_that_is_a_bomb_is_not_unpacked(packing, hostile, answered, client_of, calls, peak):
    server = hostile(answered(bomb("gzip" in packing), Content_Encoding=packing))
    used = peak(lambda: failing(lambda: calls["query"](client_of(server.base_url)), UnexpectedResponse))
    assert used < 10 * MEGABYTE
    assert b"accept-encoding: identity" in server.got[0].lower()


def test_the_memory_that_a_response_takes_is_bounded_whatever_it_holds(hostile, answered, client_of, calls, peak):
    for body in (b"[" + b"{}," * 340_000 + b"{}]", b'{"output":[' + b"[]," * 330_000 + b"[]]}"):
        server = hostile(answered(body))
        assert peak(lambda server=server: failing(lambda: calls["query"](client_of(server.base_url)))) < 60 * MEGABYTE
