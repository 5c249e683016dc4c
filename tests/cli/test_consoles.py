"""What a console's encoding cannot show is printed in another way, and never ends a command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from wanpack.wan.ledger.ledger import Ledger
from wanpack.wan.ledger.record import Record

ROOT = Path(__file__).resolve().parents[2]
TEXT = "图生视频 → 🎬 é"
ENCODINGS = ("cp1252", "gbk", "cp437", "ascii", "utf-8")


@pytest.fixture
def run(bare_environment, tmp_path):
    """Run a command with an output of some encoding; return its status and what it printed."""

    def call(*arguments, encoding, given="", program="dev.py"):
        ran = subprocess.run(  # noqa: S603 - our own program
            [sys.executable, str(ROOT / program), *arguments],
            input=given.encode(),
            capture_output=True,
            timeout=100,
            cwd=tmp_path,
            env={**os.environ, "PYTHONIOENCODING": encoding},
            check=False,
        )
        assert b"Traceback" not in ran.stderr
        return ran.returncode, ran.stdout.decode(encoding), ran.stderr.decode(encoding)

    return call


def as_shown(text, encoding):
    return text.encode(encoding, "backslashreplace").decode(encoding)


@pytest.fixture
def home(tmp_path):
    """A ledger in a folder of such a name, with a task of such a prompt."""
    folder = tmp_path / TEXT
    ledger = Ledger(folder)
    now = time.time()
    ledger.save(Record("a", state="submitted", task_id="task-a", prompt=TEXT, model="m", created_at=now, sent_at=now))
    ledger.close()
    return folder


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_list_of_tasks_is_printed(encoding, run, home):
    status, out, _ = run("tasks", "--json", "--home", str(home), encoding=encoding)
    assert status == 0
    assert as_shown(TEXT, encoding) in out
    assert "task-a" in json.loads(out.replace("\\", "\\\\"))[0].values()


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_folder_is_named(encoding, run, home):
    status, out, _ = run("ledger", "check", "--home", str(home), encoding=encoding)
    assert status == 0
    assert as_shown(TEXT, encoding) in out


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_an_error_is_printed(encoding, run):
    status, _, err = run("run", f"{TEXT}.json", encoding=encoding, program="cli/__main__.py")
    assert status == 1
    assert as_shown(f"There is no workflow file {TEXT}.json", encoding) in err


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_the_key_is_written_into_a_folder_of_such_a_name(encoding, run, tmp_path):
    status, _, err = run("key", "--home", TEXT, encoding=encoding, given="sk-0123456789\n")
    assert status == 0
    assert as_shown(TEXT, encoding) in err
    assert (tmp_path / TEXT / "credentials.toml").read_text("utf-8") == 'api_key = "sk-0123456789"\n'
