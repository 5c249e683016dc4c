"""The command `offline`, with a little pack in the place of ours."""

import signal
import subprocess
import sys
from pathlib import Path

import children
import pytest
from platforms import not_on_windows

from cli.offline import main

ROOT = Path(__file__).resolve().parents[2]

SERVER = """
import pathlib

class OfflineServer:
    def __init__(self, *, port):
        self.port = port
        self.key = "sk-made-up"

    def start(self):
        if self.port == 1:
            raise OSError(98, "Address already in use")
        self.base_url = f"http://127.0.0.1:{self.port}/api/v1"

    def stop(self):
        pathlib.Path(__file__).with_name("stopped").touch()
"""

STARTER = """
import pathlib, sys
sys.path.insert(0, sys.argv[1])
from cli.offline import main
sys.exit(main(sys.argv[3:], root=pathlib.Path(sys.argv[2])))
"""


@pytest.fixture
def root(tmp_path):
    (tmp_path / "offline").mkdir(parents=True)
    for folder in (tmp_path, tmp_path / "offline"):
        (folder / "__init__.py").write_text("NODE_CLASS_MAPPINGS = {}\n")
    (tmp_path / "offline" / "server.py").write_text(SERVER)
    return tmp_path


def terminate(child):
    child.send_signal(signal.SIGTERM)


@pytest.mark.parametrize(
    "end", [children.interrupt, pytest.param(terminate, marks=not_on_windows("a signal ends a process at once"))]
)
def test_it_prints_how_to_reach_it_and_serves_until_it_is_ended(root, end):
    command = [sys.executable, "-c", STARTER, str(ROOT), str(root), "--port", "4711"]
    with children.start(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        printed = [child.stdout.readline() for _ in range(3)]
        assert child.poll() is None
        end(child)
        _, err = child.communicate(timeout=60)
    assert "http://127.0.0.1:4711/api/v1" in printed[0]
    assert "sk-made-up" in printed[0]
    assert printed[1].endswith(" DASHSCOPE_BASE_URL=http://127.0.0.1:4711/api/v1\n")
    assert printed[2].endswith(" DASHSCOPE_API_KEY=sk-made-up\n")
    assert (child.returncode, err) == (0, "Stopped.\n")
    assert (root / "offline" / "stopped").exists()


def test_a_port_that_is_taken_is_reported(root, capsys):
    assert main(["--port", "1"], root=root) == 1
    assert "cannot start on port 1: " in capsys.readouterr().err
