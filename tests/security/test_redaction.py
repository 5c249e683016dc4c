"""The one filter for all that leaves: what it takes out, and what it leaves in."""

from __future__ import annotations

import base64
import html
import json
import logging
import time
from urllib.parse import quote, quote_plus

import pytest
from wanpack.nodes.errors import InvalidRequest, WanError
from wanpack.nodes.redaction import HIDDEN, excerpt, holds_key, keep_secret, redact, redact_all, without_keys
from wanpack.nodes.service.credentials import Secret, read_settings
from wanpack.nodes.service.errors import NetworkError, service_error

KEY = 'sk-"odd/one+of=many&<0123'
PICTURE = base64.b64encode(bytes(range(256)) * 4).decode()

SPELLINGS = {
    "plain": KEY,
    "upper case": KEY.upper(),
    "url": quote(KEY, safe=""),
    "url, partly": quote(KEY),
    "form": quote_plus(KEY),
    "url twice": quote(quote(KEY, safe=""), safe=""),
    "url, every letter": "".join(f"%{ord(one):02x}" for one in KEY),
    "json": json.dumps(KEY),
    "json twice": json.dumps(json.dumps(KEY)),
    "json with slashes": KEY.replace("/", "\\/"),
    "json, every letter": "".join(f"\\u{ord(one):04x}" for one in KEY),
    "html": html.escape(KEY),
    "html, by number": "".join(f"&#{ord(one)};" for one in KEY),
    "repr": repr(KEY),
    "hex": KEY.encode().hex(),
    "base64": base64.b64encode(KEY.encode()).decode(),
    "base64 of a header": base64.b64encode(f"Bearer {KEY}".encode()).decode(),
    "base64, one before": base64.b64encode(f"x{KEY}y".encode()).decode(),
    "base64, two before": base64.b64encode(f"xy{KEY}z".encode()).decode(),
    "base64 for urls": base64.urlsafe_b64encode(f"?{KEY}?".encode()).decode(),
}

NESTED = {
    "url of json": quote("".join(f"\\u{ord(one):04x}" for one in KEY), safe=""),
    "url of json, one letter": f"%5Cu{ord(KEY[0]):04x}{KEY[1:]}",
    "json of html of url": json.dumps(html.escape("".join(f"%{ord(one):02x}" for one in KEY)).replace("%", "&#37;")),
}
"""Found, but not where exactly: nothing of such a text stays."""


@pytest.fixture(autouse=True)
def _known_key():
    keep_secret(KEY)


@pytest.mark.parametrize("spelled", SPELLINGS.values(), ids=SPELLINGS)
def test_a_key_is_taken_out_in_every_spelling(spelled):
    for text in (spelled, f"it said: {spelled}, twice: {spelled}.", json.dumps({"message": spelled})):
        assert holds_key(text)
        clean = redact(text)
        assert HIDDEN in clean
        assert not holds_key(clean)
        assert clean.startswith(text[:1]) or text == spelled


@pytest.mark.parametrize("spelled", NESTED.values(), ids=NESTED)
def test_a_text_with_a_key_in_one_spelling_inside_another_is_taken_out_whole(spelled):
    for text in (spelled, f"it said: {spelled}, and {KEY}.", json.dumps({"message": spelled})):
        assert holds_key(text)
        assert redact(text) == HIDDEN


@pytest.mark.parametrize("spelled", [*SPELLINGS.values(), *NESTED.values()], ids=[*SPELLINGS, *NESTED])
def test_every_way_out_is_filtered(spelled, caplog):
    caplog.set_level(logging.DEBUG)
    logger = logging.getLogger("dashscope_wan")
    logger.info("it said %s", spelled)
    logger.info(f"it said {spelled}")
    try:
        int(spelled)
    except ValueError:
        logger.exception("it broke: %r", {"k": spelled})
    error = service_error(code=spelled, message=spelled, http_status=400, task_id=spelled, request_id=spelled)
    error.do = f"do {spelled}"
    errors = [error, WanError(spelled), NetworkError(spelled, sent=True), InvalidRequest([spelled, spelled])]
    told = [caplog.text, *map(str, errors), *map(repr, errors), *(repr(vars(one)) for one in errors)]
    told += [json.dumps(redact_all({"a": [spelled, {"b": spelled}], spelled: 1})), without_keys(spelled)]
    assert [text for text in told if holds_key(text)] == []


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("Authorization: Bearer abc.def-123", "Authorization: Bearer ***"),
        ("{'Authorization': 'Bearer abc', 'x': 1}", "{'Authorization': 'Bearer ***', 'x': 1}"),
        ('{"authorization":"Basic QWxh"}', '{"authorization":"Basic ***"}'),
        ("Proxy-Authorization: Basic dXNlcjpwdw==", "Proxy-Authorization: Basic ***"),
        ("used Bearer abcdefgh12345678 for it", "used Bearer *** for it"),
        (
            "https://a.example/v.mp4?Expires=17&OSSAccessKeyId=LTA5&Signature=a%2Fb%3D&x=1",
            "https://a.example/v.mp4?Expires=17&OSSAccessKeyId=***&Signature=***&x=1",
        ),
        ("x-oss-signature=abc&x-oss-credential=LTA/2026", "x-oss-signature=***&x-oss-credential=***"),
        (
            '{"policy": "eyJl", "signature": "a=", "oss_access_key_id": "LTA", "upload_dir": "d"}',
            '{"policy": "***", "signature": "***", "oss_access_key_id": "***", "upload_dir": "d"}',
        ),
        (
            "<Code>No</Code><OSSAccessKeyId>LTA</OSSAccessKeyId><SignatureProvided>z=</SignatureProvided>",
            "<Code>No</Code><OSSAccessKeyId>***</OSSAccessKeyId><SignatureProvided>***</SignatureProvided>",
        ),
        (f"img_url: data:image/png;base64,{PICTURE} is wrong", "img_url: data:image/png;base64,*** is wrong"),
        (f"body {PICTURE} end", "body *** end"),
    ],
)
def test_what_looks_like_a_secret_is_taken_out(text, clean):
    assert redact(text) == clean
    assert redact(clean) == clean


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a bearer of bad news carries a policy, signed",
        "Invalid according to Policy: Policy expired.",
        "prompt: " + "a" * 3000,
        "prompt: " + "一只猫在奔跑" * 300,
        "https://example.com/sound.mp3?x=1",
        "/home/somebody/ComfyUI/output/wan/" + "a_long_name/" * 40 + "i2v_00001_.mp4",
        "sk-another-key-that-nobody-told-us",
    ],
)
def test_everything_else_stays(text):
    assert redact(text) == text


def test_a_picture_in_the_users_own_graph_stays():
    graph = json.dumps({"1": {"inputs": {"mask": f"data:image/png;base64,{PICTURE}", "text": KEY}}})
    clean = without_keys(graph)
    assert PICTURE in clean
    assert json.loads(clean)["1"]["inputs"]["text"] == HIDDEN


def test_an_excerpt_does_not_end_in_most_of_a_key():
    for length in range(60, 60 + len(KEY)):
        assert KEY[:4] not in excerpt("x" * 59 + KEY, length)
    assert excerpt("a cat", 3) == "a c"


def test_what_is_too_short_for_a_key_is_not_looked_for():
    keep_secret("cat")
    keep_secret("")
    assert redact("a cat") == "a cat"


def test_all_keys_of_the_owner_are_known_once_the_settings_are_read(bare_environment, tmp_path):
    (tmp_path / "credentials.toml").write_text('api_key = "file-common-key"\napi_key_frankfurt = "file-own-key"')
    (tmp_path / "credentials.toml").chmod(0o600)
    bare_environment.setenv("DASHSCOPE_API_KEY_VIRGINIA", "environment-own-key")
    read_settings(tmp_path)
    assert redact("file-common-key file-own-key environment-own-key") == "*** *** ***"


def test_a_log_record_that_cannot_be_formatted_is_not_printed_with_its_arguments(capsys):
    handler = logging.StreamHandler()
    logger = logging.getLogger("dashscope_wan")
    logger.addHandler(handler)
    try:
        logger.warning("%d %s".strip(), KEY)
    finally:
        logger.removeHandler(handler)
    assert not holds_key(capsys.readouterr().err)


def test_the_library_below_writes_down_no_signature(caplog):
    caplog.set_level(logging.DEBUG)
    logging.getLogger("urllib3.connectionpool").debug('%s "GET %s"', "https://a", f"/v.mp4?Signature=abc&k={KEY}")
    assert caplog.messages == ['https://a "GET /v.mp4?Signature=***&k=***"']


def test_no_secret_is_in_what_the_filter_shows_of_itself():
    from wanpack.nodes import redaction

    assert not holds_key(repr(vars(redaction)) + repr(Secret(KEY)))


def test_long_texts_are_filtered_in_little_time():
    texts = [
        "authorization" + " " * 200_000,
        "policy" * 50_000,
        '"' * 300_000,
        "data:" + "a" * 300_000,
        "%\\&" * 100_000,
        "&#" + "0" * 300_000,
        f"&#x{'f' * 300_000};",
        "%25" * 100_000 + KEY,
        "\\" * 200_000 + KEY,
        f"{KEY[:-1]} " * 20_000 + KEY,
        f"{KEY[0]}{chr(92) * 20_000}" * 10 + KEY,
    ]
    start = time.perf_counter()
    assert not [text[:20] for text in texts if holds_key(redact(text))]
    assert time.perf_counter() - start < 5


def test_a_receipt_is_filtered_when_it_is_made_and_when_it_is_taken_from_the_ledger():
    from wanpack.nodes.media.video import VideoFacts
    from wanpack.nodes.service.regions import REGIONS
    from wanpack.nodes.service.request import VideoRequest
    from wanpack.nodes.service.task import Task, TaskStatus
    from wanpack.nodes.tasks.entry import Entry
    from wanpack.nodes.tasks.receipt import make_receipt, reused

    url = "https://film.example/v.mp4?Expires=1&OSSAccessKeyId=LTA&Signature=abc"
    receipt = make_receipt(
        Task("t-1", TaskStatus.SUCCEEDED, video_url=url, usage={KEY: KEY}, orig_prompt=f"a cat, {KEY}"),
        VideoFacts(64, 64, 30.0, 3.0, 90, has_audio=False, bytes=9),
        entry=Entry("f", request_id=KEY),
        request=VideoRequest(prompt=f"{url} Bearer abcdefgh data:image/png;base64,{PICTURE}"),
        region=REGIONS["beijing"],
        resumed=False,
        warnings=[KEY, url],
    )
    old = json.dumps({"video_url": url, "prompt": KEY, "usage": {"a": KEY}})
    for made in (receipt, reused(Entry("f", receipt=old, path="v.mp4")).receipt):
        told = json.dumps(made)
        assert not holds_key(told)
        assert "Signature=abc" not in told
        assert PICTURE not in told
    assert receipt["video_url"] == "https://film.example/v.mp4"
