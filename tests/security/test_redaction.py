"""What is taken out of a text: the owner's own key everywhere, what looks like a secret in logs and errors alone."""

from __future__ import annotations

import base64
import json
import logging
from urllib.parse import quote

import pytest
from wanpack.wan.api.advice import service_error
from wanpack.wan.api.errors import NetworkError
from wanpack.wan.api.settings import read_settings
from wanpack.wan.errors import InvalidRequest, WanError
from wanpack.wan.redaction import (
    MASK,
    Secret,
    contains_secret,
    redact,
    register_secret,
    truncate_redacted,
    values_without_secrets,
    without_secrets,
)

KEY = 'sk-"odd/one+of=many&<0123'
IMAGE = base64.b64encode(bytes(range(256)) * 4).decode()
ADDRESS = "https://video.example/v.mp4?Expires=1&OSSAccessKeyId=LTA&Signature=abc"

SPELLINGS = {
    "plain": KEY,
    "upper case": KEY.upper(),
    "url": quote(KEY, safe=""),
    "url, lower case": quote(KEY, safe="").lower(),
    "url, partly": quote(KEY),
    "json": json.dumps(KEY),
    "json with slashes": json.dumps(KEY).replace("/", "\\/"),
}


@pytest.fixture(autouse=True)
def _known_key():
    register_secret(KEY)


@pytest.mark.parametrize("spelled", SPELLINGS.values(), ids=SPELLINGS)
def test_a_key_is_taken_out_and_nothing_else(spelled):
    for text in (spelled, f"it said: {spelled}, twice: {spelled}."):
        assert contains_secret(text)
        for clean in (redact(text), without_secrets(text)):
            assert not contains_secret(clean)
            assert clean.replace('"', "") == text.replace(spelled, MASK)


@pytest.mark.parametrize("spelled", SPELLINGS.values(), ids=SPELLINGS)
def test_every_way_out_is_filtered(spelled, caplog):
    caplog.set_level(logging.DEBUG)
    logger = logging.getLogger("dashscope_wan")
    logger.info("it said %s", spelled)
    logger.info(f"it said {spelled}")
    try:
        int(spelled)
    except ValueError:
        logger.exception("it broke: %s", spelled)
    error = service_error(code=spelled, message=spelled, http_status=400, task_id=spelled, request_id=spelled)
    error.hint = f"do {spelled}"
    errors = [error, WanError(spelled), NetworkError(spelled, sent=True), InvalidRequest([spelled, spelled])]
    reported = [caplog.text, *map(str, errors), *map(repr, errors), *(repr(vars(one)) for one in errors)]
    reported += [json.dumps(values_without_secrets({"a": [spelled, {"b": spelled}], spelled: 1}))]
    assert [text for text in reported if contains_secret(text)] == []


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("Authorization: Bearer abcdefgh12345678", "Authorization: Bearer ***"),
        ("{'Authorization': 'Bearer abcd.efgh-1234_5678', 'x': 1}", "{'Authorization': 'Bearer ***', 'x': 1}"),
        ("used Bearer abcdefgh12345678 for it", "used Bearer *** for it"),
        ("Incorrect API key provided: sk-0123456789-abcdef-0123456789.", "Incorrect API key provided: sk-***."),
        ("of a plan: sk-sp-0123456789abcdef", "of a plan: sk-***"),
        (
            "https://a.example/v.mp4?Expires=17&OSSAccessKeyId=LTA5&Signature=a%2Fb%3D&x=1",
            "https://a.example/v.mp4?Expires=17&OSSAccessKeyId=***&Signature=***&x=1",
        ),
        ("x-oss-signature=abc&x-oss-credential=LTA/2026", "x-oss-signature=***&x-oss-credential=***"),
        ("?security-token=CAIS&a=b", "?security-token=***&a=b"),
        (f"img_url: data:image/png;base64,{IMAGE} is wrong", "img_url: data:image/png;base64,*** is wrong"),
    ],
)
def test_what_looks_like_a_secret_is_masked_in_logs_and_errors_and_not_in_the_users_words(text, clean, caplog):
    assert redact(text) == clean
    assert redact(clean) == clean
    assert str(WanError(text)) == clean
    logging.getLogger("dashscope_wan").warning("%s", text)
    assert caplog.messages == [clean]
    assert without_secrets(text) == text
    assert values_without_secrets({text: [text]}) == {text: [text]}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a bearer of bad news carries a policy, signed",
        "The flag bearer approaching the gate",
        '{"policy": "keep", "signature": "none"}',
        "Invalid according to Policy: Policy expired.",
        "prompt: " + "a" * 3000,
        "prompt: " + "一只猫在奔跑" * 300,
        "https://example.com/sound.mp3?x=1",
        "/home/somebody/ComfyUI/output/wan/" + "a_long_name/" * 40 + "i2v_00001_.mp4",
        "the risk-averse-and-careful-person and a task-0123456789abcdef",
    ],
)
def test_everything_else_stays(text):
    assert redact(text) == text
    assert without_secrets(text) == text


def test_in_the_users_own_graph_only_the_key_is_replaced():
    nodes = {
        "mask": f"data:image/png;base64,{IMAGE}",
        "link": ADDRESS,
        "policy": "keep",
        "other": "Bearer " + "a" * 20,
    }
    clean = without_secrets(json.dumps({"1": {"inputs": {**nodes, "text": KEY}}}))
    assert json.loads(clean)["1"]["inputs"] == {**nodes, "text": MASK}


def test_of_two_keys_of_which_one_begins_as_the_other_nothing_stays():
    register_secret("sk-short-one")
    register_secret("sk-short-one-and-more")
    assert without_secrets("a sk-short-one-and-more, sk-short-one") == "a ***, ***"


def test_an_excerpt_does_not_end_in_most_of_a_key():
    for length in range(60, 60 + len(KEY)):
        assert KEY[:4] not in truncate_redacted("x" * 59 + KEY, length)
    assert truncate_redacted("a cat", 3) == "a c"


def test_what_is_too_short_for_a_key_is_not_looked_for():
    register_secret("cat")
    register_secret("")
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
    assert not contains_secret(capsys.readouterr().err)


def test_the_library_below_writes_down_no_signature(caplog):
    caplog.set_level(logging.DEBUG)
    logging.getLogger("urllib3.connectionpool").debug('%s "GET %s"', "https://a", f"/v.mp4?Signature=abc&k={KEY}")
    assert caplog.messages == ['https://a "GET /v.mp4?Signature=***&k=***"']


def test_no_secret_is_in_what_the_filter_shows_of_itself():
    from wanpack.wan import redaction

    assert not contains_secret(repr(vars(redaction)) + repr(Secret(KEY)))


def test_a_receipt_has_the_users_words_but_for_a_key_when_it_is_made_and_from_the_ledger():
    from wanpack.wan.api.task import Task, TaskStatus
    from wanpack.wan.catalog.fields import VideoRequest
    from wanpack.wan.catalog.regions import REGIONS
    from wanpack.wan.ledger.record import Record
    from wanpack.wan.media.video import VideoInfo
    from wanpack.wan.tasks.receipt import build_receipt, cached_video

    words = f"The flag bearer approaching the gate. {ADDRESS} data:image/png;base64,{IMAGE}"
    receipt = build_receipt(
        Task("t-1", TaskStatus.SUCCEEDED, video_url=ADDRESS, usage={KEY: KEY}, orig_prompt="cut", actual_prompt=words),
        VideoInfo(64, 64, float("nan"), 3.0, 90, has_audio=False, bytes=9),
        record=Record("f", request_id=KEY),
        request=VideoRequest(prompt=f"{words} {KEY}"),
        region=REGIONS["beijing"],
        resumed=False,
        warnings=[KEY],
    )
    old = json.dumps({"prompt": f"{words} {KEY}", "usage": {"a": KEY, "b": float("inf")}, "actual_prompt": words})
    for made in (receipt, cached_video(Record("f", receipt=old, path="v.mp4")).receipt):
        assert not contains_secret(json.dumps(made, allow_nan=False))
        assert (made["prompt"], made["actual_prompt"]) == (f"{words} {MASK}", words)
    assert receipt["video_url"] == "https://video.example/v.mp4"
    assert receipt["fps"] is None
