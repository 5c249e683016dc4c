"""Random answers of the service: only the pack's own errors come out."""

from __future__ import annotations

import json

from fuzz import json_values, texts
from hypothesis import given
from hypothesis import strategies as st
from wanpack.wan.errors import WanError

STATES = st.one_of(
    st.sampled_from(["PENDING", "RUNNING", "SUCCEEDED", "FAILED", "CANCELED", "UNKNOWN", "x"]), json_values
)
ids = st.one_of(st.just("0385dc79-5ff8-4d82-bcb6-000000000000"), json_values)
outputs = st.fixed_dictionaries(
    {},
    optional={
        "task_id": ids,
        "task_status": STATES,
        "video_url": st.one_of(st.just("https://video.example/v.mp4"), json_values),
        **dict.fromkeys(("code", "message", "orig_prompt", "actual_prompt", "submit_time", "end_time"), json_values),
    },
)
rows = st.fixed_dictionaries({}, optional=dict.fromkeys(("task_id", "status", "model_name", "gmt_create"), json_values))
permits = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(
        (
            *("policy", "signature", "upload_dir", "oss_access_key_id", "x_oss_object_acl", "x_oss_forbid_overwrite"),
            "upload_host",
        ),
        st.one_of(st.sampled_from(["x", "https://10.0.0.1/", "http://127.0.0.1:9/", "https://[::"]), json_values),
    ),
)
bodies = st.one_of(
    json_values,
    st.fixed_dictionaries(
        {},
        optional={
            "output": st.one_of(outputs, json_values),
            "data": st.one_of(permits, st.lists(st.one_of(rows, json_values), max_size=4), json_values),
            **dict.fromkeys(("code", "message", "request_id", "usage", "total_page"), json_values),
        },
    ),
)


def response_of(body, status, headers):
    lines = [f"HTTP/1.1 {status} x".encode(), b"Content-Length: %d" % len(body), b"Connection: close", *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def judge(client, calls, on):
    """Make a call. What comes back is what it promises or an error of ours, with texts that can be shown."""
    try:
        reported = calls[on](client)
    except WanError as error:
        reported = (str(error), repr(error), getattr(error, "retry_after", None))
    reported = repr(reported)
    reported.encode()
    assert len(reported) < 100_000


def test_random_responses_of_the_services_own_form(hostile, client_of, calls, net, examples):
    server = hostile()
    client = client_of(server.base_url)

    @examples(800)
    @given(
        body=bodies, status=st.sampled_from([200, 200, 200, 400, 401, 429, 500, 302]), on=st.sampled_from(sorted(calls))
    )
    def check(body, status, on):
        server.response = response_of(json.dumps(body).encode(), status, [])
        judge(client, calls, on)

    check()
    assert net.tried_but(server.own) == []


def test_random_bytes_as_responses(hostile, client_of, calls, examples):
    server = hostile()
    client = client_of(server.base_url)
    headers = st.lists(
        st.sampled_from(
            [
                *(b"Content-Encoding: gzip", b"Transfer-Encoding: chunked", b"Content-Type: text/html; charset=x"),
                *(b"Retry-After: 99999999999999999999", b"Location: http://127.0.0.1:9/", b"X: \xff\xfe", b"\xe4: 1"),
                *(b"Content-Length: 5", b"Set-Cookie: a=\x01", b"no colon"),
            ]
        ),
        max_size=2,
    )

    @examples(400)
    @given(
        body=st.one_of(st.binary(max_size=300), texts.map(lambda text: text.encode("utf-8", "surrogatepass"))),
        status=st.sampled_from([200, 200, 204, 206, 301, 304, 404, 503, 999]),
        headers=headers,
        whole=st.booleans(),
        on=st.sampled_from(sorted(calls)),
    )
    def check(body, status, headers, whole, on):
        server.response = response_of(body, status, headers) if whole else body
        judge(client, calls, on)

    check()
