"""`dev.py`, with a little program in the place of .venv's Python."""

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import children
import pytest

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the replacement for .venv's Python is a shell script")

# Answers the question for the versions, writes down everything else, and ends as the file `status-<word>` says.
PYTHON = """#!/bin/sh
here="$(dirname "$0")"
if [ "$1" = -c ]; then cat "$here/versions"; exit 0; fi
echo "$*" >> "$here/calls"
if [ "$2" = pip ] && [ -e "$here/pip-hangs" ]; then exec sleep 60; fi
for word in "$@"; do
  if [ -e "$here/status-$word" ]; then exit "$(cat "$here/status-$word")"; fi
done
exit 0
"""

LINT_IMPORTS = """#!/bin/sh
here="$(dirname "$0")"
echo "lint-imports $* ($(cd "$PYTHONPATH/wanpack" && pwd -P))" >> "$here/calls"
"""

VENV = """
import pathlib, shutil, sys
made = pathlib.Path(sys.argv[1])
shutil.copytree(pathlib.Path(__file__).with_name("bin"), made / "bin")
(made / "pyvenv.cfg").touch()
"""

PIP = "-m pip install -qq --disable-pip-version-check --no-input "


class Tree:
    """A repository in a folder with a space in its name, and its .venv."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir()
        shutil.copy(ROOT / "dev.py", folder)
        (folder / "cli").symlink_to(ROOT / "cli")
        (folder / "pyproject.toml").write_text("[project]\n")
        self.bin = folder / ".venv" / "bin"
        self.stamp = folder / ".venv" / "dev-stamp"
        self.bin.mkdir(parents=True)
        for name, text in (("python", PYTHON), ("lint-imports", LINT_IMPORTS)):
            (self.bin / name).write_text(text)
            (self.bin / name).chmod(0o755)
        self.set("versions", "3.11 23.2.1")
        # What `python -m venv` runs where PYTHONPATH leads to it: it makes another like this one.
        shutil.copytree(self.bin, folder / "library" / "bin")
        (folder / "library" / "venv.py").write_text(VENV)

    def set(self, name, text):
        (self.bin / name).write_text(text)

    def start(self, *arguments, **options):
        command = [sys.executable, str(self.folder / "dev.py"), *arguments]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return children.start(command, cwd=self.folder.parent, **pipes, **options)

    def dev(self, *arguments):
        """Run dev.py from another folder: exit status, what it printed, and what .venv's Python was asked to do."""
        (self.bin / "calls").unlink(missing_ok=True)
        with self.start(*arguments) as child:
            out, err = child.communicate(timeout=60)
        calls = self.bin / "calls"
        return child.returncode, out, err, calls.read_text().splitlines() if calls.exists() else []


MYPY = "mypy --package wanpack.nodes --package wanpack.wan --package wanpack.offline"


@pytest.fixture
def tree(tmp_path):
    return Tree(tmp_path / "my pack")


def test_the_first_run_installs_and_says_so_and_later_runs_do_not(tree):
    status, out, err, calls = tree.dev("run", "a b", "--live")
    work = f"{tree.folder / 'cli' / '__main__.py'} run a b --live"
    assert (status, out) == (0, "")
    assert err == "Setting up .venv (once; torch is large)...\n"
    assert calls == [PIP + ".[standalone]", work]
    assert tree.dev("run", "a b", "--live") == (0, "", "", [work])


def test_the_exit_status_is_that_of_the_work(tree):
    tree.set("status-odd", "7")
    assert tree.dev("run", "odd")[0] == 7


def test_the_tests_packages_contain_those_of_run_and_not_the_other_way_round(tree):
    tree.dev("run")
    assert tree.dev("test")[3][0] == PIP + ".[dev]"
    assert tree.dev("test")[3][0].startswith("-m ruff")
    assert len(tree.dev("run")[3]) == 1
    assert len(tree.dev("offline", "--port", "0")[3]) == 1


def test_the_bench_needs_the_tests_packages_and_gets_its_arguments(tree):
    status, _, _, calls = tree.dev("bench", "--quick")
    assert (status, calls) == (0, [PIP + ".[dev]", f"{tree.folder / 'tools' / '__main__.py'} bench --quick"])


def test_windows_tests_are_a_program_of_their_own_that_gets_the_other_arguments(tree):
    status, _, _, calls = tree.dev("test", "--windows", "--python", "3.13", "-k", "lost")
    program = f"{tree.folder / 'tools' / '__main__.py'} windows --python 3.13 -k lost"
    assert (status, calls) == (0, [PIP + ".[dev]", program])


@pytest.mark.parametrize("change", ["pyproject", "python"])
def test_what_changes_the_packages_installs_again(tree, change):
    tree.dev("run")
    if change == "pyproject":
        (tree.folder / "pyproject.toml").write_text("[project]\nname='x'\n")
    else:
        tree.set("versions", "3.12 24.0")
    assert tree.dev("run")[3][0] == PIP + ".[standalone]"


def test_pip_is_only_upgraded_where_it_is_too_old(tree):
    tree.set("versions", "3.10 21.2.3")
    assert tree.dev("run")[3][:2] == [PIP + "--upgrade pip", PIP + ".[standalone]"]


def test_what_pip_refuses_ends_with_1_and_is_tried_again(tree):
    tree.dev("run")
    (tree.folder / "pyproject.toml").write_text("[project]\nname='x'\n")
    tree.set("status-pip", "1")
    status, _, err, calls = tree.dev("run")
    assert status == 1
    assert "pip could not install" in err
    assert len(calls) == 1
    (tree.bin / "status-pip").unlink()
    assert tree.dev("run")[3][0] == PIP + ".[standalone]"


def test_the_steps_of_test_are_named_and_end_at_the_first_failure(tree):
    tree.set("status-mypy", "2")
    status, out, _, _ = tree.dev("test")
    assert status == 2
    assert re.findall("^== (.*)", out, re.MULTILINE) == [
        "ruff check .",
        "ruff format --check .",
        MYPY,
        f"FAILED (status 2): {MYPY}",
    ]


def test_the_import_contracts_are_checked_on_the_pack_by_its_name_in_types(tree):
    status, _, _, calls = tree.dev("test")
    assert (status, calls[-2]) == (0, f"lint-imports --no-cache --no-logo ({tree.folder.resolve()})")


def test_pytest_gets_the_arguments_and_gives_the_status(tree):
    tree.set("status-some", "5")
    status, _, _, calls = tree.dev("test", "-k", "some")
    assert status == 5
    assert calls[-1] == "-m pytest -n 4 --dist worksteal --durations 10 -k some"


def test_an_interrupted_set_up_is_remembered(tree):
    tree.set("pip-hangs", "")
    with tree.start("run", start_new_session=True) as child:
        child.stderr.readline()
        while not (tree.bin / "calls").exists():
            assert child.poll() is None
        os.killpg(child.pid, signal.SIGINT)
        _, err = child.communicate(timeout=60)
    assert (child.returncode, err) == (130, "Interrupted.\n")
    assert tree.stamp.read_text() == "unfinished"


@pytest.mark.parametrize("state", ["unfinished", "broken"])
def test_an_unfinished_or_broken_venv_is_made_anew(tree, monkeypatch, state):
    if state == "unfinished":
        tree.stamp.write_text("unfinished")
    else:
        (tree.bin / "python").unlink()
        (tree.bin / "python").symlink_to("/no/such/python")
    monkeypatch.setenv("PYTHONPATH", str(tree.folder / "library"))
    status, _, err, calls = tree.dev("run")
    assert (status, calls[0]) == (0, PIP + ".[standalone]")
    assert "Setting up .venv" in err
    assert (tree.folder / ".venv" / "pyvenv.cfg").is_file()


def test_usage_is_shown_without_any_set_up(tree):
    for arguments in ([], ["--help"]):
        status, out, err, calls = tree.dev(*arguments)
        assert (status, err, calls) == (0, "", [])
        assert out.startswith("usage: python dev.py")


def test_its_own_lines_are_in_the_language_of_the_environment(tree, monkeypatch):
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    assert tree.dev("--help")[1].startswith("用法：python dev.py 命令 ...\n")
    assert "没有命令 'build'" in tree.dev("build")[2]
    tree.set("status-install", "1")
    assert tree.dev("run")[2].splitlines() == [
        "正在创建 .venv（只需一次；torch 较大）……",
        "dev.py: pip 无法安装 pyproject.toml 要求的软件包；原因见上方 pip 的输出",
    ]


def test_what_the_terminal_cannot_show_is_no_error(tree, monkeypatch):
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    status, out, err, _ = tree.dev("--help")
    assert (status, err, out[:6]) == (0, "", r"\u7528")


def test_an_unknown_command_ends_with_2(tree):
    status, out, err, calls = tree.dev("build")
    assert (status, out, calls) == (2, "", [])
    assert "no command 'build'" in err


def test_the_pythons_it_takes_are_those_of_pyproject():
    source = (ROOT / "dev.py").read_text()
    allowed = re.search(r"OLDEST, NEWEST = \(3, (\d+)\), \(3, (\d+)\)", source).groups()
    asked = re.search(r'requires-python = ">=3\.(\d+),<3\.(\d+)"', (ROOT / "pyproject.toml").read_text()).groups()
    assert (int(allowed[0]), int(allowed[1]) + 1) == tuple(map(int, asked))
