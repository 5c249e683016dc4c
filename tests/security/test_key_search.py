"""Every node through success and many failures with a marked key: not one byte of what comes of it holds the key."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import quote

import pytest

pytestmark = pytest.mark.slow
PROGRAM = Path(__file__).with_name("key_search.py")
KEY = "sk-marked=7c1d/5f3a9c1e7b2d4680+end"


def needles(key):
    """What would be found of a key: plain, URL-encoded, hexadecimal, and base64 wherever in the bytes it begins."""
    coded = [base64.b64encode(b"x" * before + key.encode() + b"yyy")[4:-8] for before in range(3)]
    return [key.encode(), quote(key, safe="").encode(), quote(key).encode(), key.encode().hex().encode(), *coded]


def hits(data, keys):
    lower = data.lower()
    return [needle for key in keys for needle in needles(key) if needle in data or needle.lower() in lower]


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    """All that the program has left behind."""
    folder, aside = tmp_path_factory.mktemp("searched"), tmp_path_factory.mktemp("aside")
    for name in ("temp", "home", "comfy/user/__dashscope_wan", "comfy/output", "comfy/input", "comfy/temp"):
        (folder / name).mkdir(parents=True)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DASHSCOPE_")}
    for name in list(kept):
        if name.lower() in ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "netrc"):
            del kept[name]
    environment = {
        **kept,
        "DASHSCOPE_API_KEY": KEY,
        "HOME": str(folder / "home"),
        "TMPDIR": str(folder / "temp"),
    }
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, str(PROGRAM), str(folder), str(aside / "keys.json")],
        capture_output=True,
        timeout=150,
        env=environment,
        cwd=folder,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:].decode("utf-8", "replace")
    (folder / "stdout.txt").write_bytes(done.stdout)
    (folder / "stderr.txt").write_bytes(done.stderr)
    return SimpleNamespace(
        folder=folder,
        keys=json.loads((aside / "keys.json").read_text()),
        report=json.loads(done.stdout.splitlines()[-1]),
        files=[path for path in folder.rglob("*") if path.is_file()],
    )


def test_every_node_has_succeeded_and_many_calls_have_failed(searched):
    assert sorted(set(searched.report["succeeded"])) == searched.report["nodes"]
    assert len(searched.report["failed"]) >= 50


def test_there_is_something_to_search(searched):
    names = {path.name for path in searched.files}
    assert {
        "stdout.txt",
        "stderr.txt",
        "all.log",
        "errors.txt",
        "frames.txt",
        "history.jsonl",
        "panel.jsonl",
        "ledger.sqlite3",
    } <= names
    assert len([path for path in searched.files if path.suffix == ".mp4"]) >= 4
    log = (searched.folder / "all.log").read_text("utf-8")
    assert "DEBUG" in log or "Starting new HTTP connection" in log
    assert "GET /files/" in log  # the mock server's own lines, and urllib3's
    assert "***" in log
    assert (searched.folder / "errors.txt").read_text("utf-8").count("== ") >= 50
    panel = (searched.folder / "panel.jsonl").read_text("utf-8")
    for part in ("no: ***", "/dashscope_wan/poster/", "dashscope_wan.task", "dashscope_wan.fetch", '"state": "failed"'):
        assert part in panel, part
    frames = (searched.folder / "frames.txt").read_text("utf-8")
    assert frames.count("== ") >= 30
    assert "generate: prompt = 'a cat'" in frames
    assert "<Response [" not in frames
    assert any("wan-offline-" in str(path) for path in searched.files)


def test_the_search_finds_what_it_looks_for():
    assert hits(f"x{KEY}".encode(), [KEY])
    assert hits(base64.b64encode(f"Bearer {KEY}; and more".encode()), [KEY])
    assert hits(f"a={quote(KEY, safe='')}".encode(), [KEY])


def test_no_byte_of_it_holds_a_key(searched):
    assert len(searched.keys) == 2
    found = {str(path.relative_to(searched.folder)): hits(path.read_bytes(), searched.keys) for path in searched.files}
    assert {name: hit for name, hit in found.items() if hit} == {}


def test_no_file_is_named_after_a_key(searched):
    assert hits("\n".join(map(str, searched.files)).encode(), searched.keys) == []


def test_no_signature_and_no_image_is_in_a_receipt_or_the_log(searched):
    for name in ("all.log", "history.jsonl", "panel.jsonl", "errors.txt", "stdout.txt", "stderr.txt"):
        text = (searched.folder / name).read_text("utf-8")
        assert "Signature=***" in text or "Signature=" not in text, name
        assert not [part for part in text.split("Signature=")[1:] if not part.startswith("***")], name
