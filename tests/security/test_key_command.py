"""`python dev.py key`: the key goes from the keyboard into a file that only its owner can read, and nowhere else."""

from __future__ import annotations

import importlib
import importlib.util
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import children
import pytest
from holding import Held, held
from platforms import needs_symlinks, not_on_windows
from wanpack.wan.api import settings
from wanpack.wan.api.settings import FILE_NAME, read_settings
from wanpack.wan.catalog.regions import OFFLINE, REGIONS

ROOT = Path(__file__).resolve().parents[2]
KEY = 'sk-"typed"\\0123456789'


@pytest.fixture(scope="module")
def command():
    folder = ROOT / "cli"
    spec = importlib.util.spec_from_file_location(
        "wan_commands", folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    sys.modules["wan_commands"] = importlib.util.module_from_spec(spec)
    return importlib.import_module("wan_commands.key")


@pytest.fixture
def run(bare_environment, tmp_path):
    """Run the command with a key on its standard input; returns status, output and errors."""

    def call(*arguments, key=KEY, dev=ROOT / "dev.py", **environment):
        for name, value in environment.items():
            bare_environment.setenv(name, str(value))
        ran = subprocess.run(  # noqa: S603 - our own program
            [sys.executable, str(dev), "key", *arguments],
            input=key + "\n",
            capture_output=True,
            encoding="utf-8",
            timeout=60,
            cwd=tmp_path,
            env={**os.environ, "PYTHONIOENCODING": "utf-8"},
            check=False,
        )
        assert KEY not in ran.stdout + ran.stderr
        return ran.returncode, ran.stdout, ran.stderr

    return call


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_the_key_is_written_for_its_owner_alone_and_read_by_the_pack(run, tmp_path, caplog):
    status, out, err = run("--home", "here")
    file = tmp_path / "here" / FILE_NAME
    assert (status, out) == (0, "")
    assert str(file) in err
    if os.name == "posix":
        assert (mode(file), mode(file.parent)) == (0o600, 0o700)
    assert read_settings(file.parent).key("singapore").reveal() == KEY
    assert caplog.messages == []


def test_a_regions_key_stands_beside_the_common_one_and_the_other_lines_stay(run, tmp_path):
    file = tmp_path / FILE_NAME
    file.write_text(
        '# mine\nregion = "singapore"\napi_key_singapore = "old"\napi_key = "common"\n\n[table]\napi_key = "x"\n'
    )
    file.chmod(0o644)
    assert run("--region", "singapore", "--home", str(tmp_path))[0] == 0
    settings = read_settings(tmp_path)
    assert settings.key("singapore").reveal() == KEY
    assert settings.key("beijing").reveal() == "common"
    assert settings.get("region") == "singapore"
    assert file.read_text().startswith("# mine\n")
    assert file.read_text().endswith('[table]\napi_key = "x"\n')
    assert "old" not in file.read_text()
    if os.name == "posix":
        assert mode(file) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [FILE_NAME]


@pytest.mark.parametrize("quoted", ['"{}"', "'{}'", "\u201c{}\u201d", ' "{}" '])
def test_quotes_around_the_typed_key_are_not_written(quoted, run, tmp_path):
    assert run("--home", "here", key=quoted.format("sk-typed-in-quotes"))[0] == 0
    assert (tmp_path / "here" / FILE_NAME).read_text() == 'api_key = "sk-typed-in-quotes"\n'


def test_the_command_and_the_pack_take_the_same_quotes_off(command):
    assert command._QUOTES == settings._QUOTES


@pytest.mark.parametrize("key", ["", '""', "   ", "two words", "k\tey", "schlüssel", "钥匙"])
def test_what_is_no_key_is_not_written(key, run, tmp_path):
    status, _, err = run("--home", "here", key=key)
    assert status == 1
    assert "That is no key" in err
    assert not (tmp_path / "here" / FILE_NAME).exists()


def test_a_folder_that_cannot_be_written_is_reported(run, tmp_path):
    (tmp_path / "file").write_text("x")
    status, _, err = run("--home", "file")
    assert status == 1
    assert "Traceback" not in err


def test_a_file_that_is_no_text_is_reported_without_its_bytes(command, tmp_path):
    (tmp_path / FILE_NAME).write_bytes(b"\xff\xfe secret bytes")
    with pytest.raises(command.KeyFileError) as caught:
        command.write_key(tmp_path / FILE_NAME, "api_key", key=KEY)
    assert caught.value.__context__ is None
    assert "secret" not in str(caught.value)


@needs_symlinks
def test_the_folder_is_the_one_that_the_pack_reads(command, tmp_path, monkeypatch):
    comfyui = tmp_path / "ComfyUI"
    pack = comfyui / "custom_nodes" / "wan"
    real = tmp_path / "elsewhere"
    real.mkdir()
    pack.parent.mkdir(parents=True)
    pack.symlink_to(real)
    find = command.home_folder
    assert find(None, root=pack, environment={}) == comfyui / "user" / "__dashscope_wan"
    moved = {"DASHSCOPE_WAN_HOME": str(tmp_path / "moved")}
    assert find(None, root=pack, environment=moved) == tmp_path / "moved"
    assert find(tmp_path / "given", root=pack, environment=moved) == tmp_path / "given"
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path))
    assert find(None, root=real, environment={}) == tmp_path / ".config" / "dashscope-wan"


@pytest.mark.parametrize("arguments", [(), ("--region", "singapore")])
def test_the_environment_that_goes_before_the_file_is_reported(arguments, run):
    # The environment's common key also goes before the file's key of a region.
    reported = run("--home", "here", *arguments, DASHSCOPE_API_KEY="sk-environment")[2]
    assert "The environment has DASHSCOPE_API_KEY too, and that goes before the file." in reported


@pytest.mark.parametrize("arguments", [(KEY,), (f"--key={KEY}",), ("--region", "beijing", KEY)])
def test_a_key_that_is_given_as_an_argument_is_neither_taken_nor_shown(arguments, run, tmp_path):
    status, _, err = run("--home", "here", *arguments)
    assert status == 2
    assert "shell's history" in err
    assert not (tmp_path / "here").exists()


def test_bytes_that_are_no_text_are_no_key(tmp_path):
    ran = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, str(ROOT / "dev.py"), "key", "--home", str(tmp_path / "here")],
        input=b"sk-\xff\xfe\n",
        capture_output=True,
        timeout=60,
        env={**os.environ, "PYTHONIOENCODING": "utf-8:strict"},
        check=False,
    )
    assert (ran.returncode, b"Traceback" in ran.stderr, b"That is no key" in ran.stderr) == (1, False, True)


@pytest.mark.skipif(os.name != "posix", reason="a process without standard input is made as POSIX does it")
def test_without_any_input_there_is_no_key(tmp_path):
    command = f'"{sys.executable}" "{ROOT / "dev.py"}" key --home "{tmp_path / "here"}" <&-'
    ran = subprocess.run(["/bin/sh", "-c", command], capture_output=True, timeout=60, check=False)  # noqa: S603 - our own program
    assert (ran.returncode, b"Traceback" in ran.stderr, b"That is no key" in ran.stderr) == (1, False, True)


@not_on_windows("~name is a folder beside the user's own, whether there is such a user or not")
def test_the_home_of_nobody_is_reported(run):
    status, _, err = run("--home", "~nobody-of-that-name/x")
    assert status == 1
    assert err == "Error: There is no such user's folder: ~nobody-of-that-name/x\n"


def test_a_line_in_the_file_ends_where_a_line_of_toml_ends(command, tmp_path):
    file = tmp_path / FILE_NAME
    file.write_bytes('# not \u2028 a \x85 line\r\nregion = "virginia"\r\n'.encode())
    command.write_key(file, "api_key", key=KEY)
    settings = read_settings(tmp_path)
    assert (settings.get("region"), settings.key("beijing").reveal()) == ("virginia", KEY)


def test_the_regions_are_those_of_the_table(command):
    assert set(command.REGIONS) == set(REGIONS) - {OFFLINE}
    assert command.FILE_NAME == FILE_NAME


def typed(tmp_path, do):
    """Run the command at a terminal; `do` is called with the terminal and the program when it asks."""
    pty = pytest.importorskip("pty")
    main, side = pty.openpty()
    arguments = [sys.executable, str(ROOT / "dev.py"), "key", "--home", str(tmp_path / "here")]
    with children.start(arguments, stdin=side, stdout=side, stderr=side, start_new_session=True) as program:
        os.close(side)
        shown = b""
        while b"not shown" not in shown:
            shown += os.read(main, 4096)
        do(main, program)
        try:
            while piece := os.read(main, 4096):
                shown += piece
        except OSError:  # The other end of a terminal has gone.
            shown += b""
    os.close(main)
    return program.returncode, shown


def test_a_key_that_is_typed_is_not_shown(tmp_path):
    status, shown = typed(tmp_path, lambda terminal, _: os.write(terminal, b"  " + KEY.encode() + b" \n"))
    assert status == 0
    assert KEY.encode() not in shown
    assert read_settings(tmp_path / "here").key("beijing").reveal() == KEY


def test_ctrl_c_ends_it_with_a_word(tmp_path):
    status, shown = typed(tmp_path, lambda _, program: program.send_signal(signal.SIGINT))
    assert status == 130
    assert b"Interrupted. Nothing was written." in shown
    assert b"Traceback" not in shown
    assert not (tmp_path / "here").exists()


def test_a_file_that_is_being_read_is_replaced_after_all(command, tmp_path, monkeypatch):
    """On Windows a file cannot be replaced as long as the pack, or an editor, has it open."""
    file = tmp_path / FILE_NAME
    command.write_key(file, "api_key", key="sk-old")
    reading = Held(file)
    monkeypatch.setattr(command.time, "sleep", lambda _: reading.let_go())
    command.write_key(file, "api_key", key=KEY)
    assert read_settings(tmp_path).key("beijing").reveal() == KEY
    assert list(tmp_path.iterdir()) == [file]


def test_a_file_that_stays_open_is_reported_and_kept(command, tmp_path, monkeypatch):
    file = tmp_path / FILE_NAME
    command.write_key(file, "api_key", key="sk-old")
    monkeypatch.setattr(command, "REPLACE_SECONDS", 0)
    with held(file), pytest.raises(command.KeyFileError, match="cannot be written"):
        command.write_key(file, "api_key", key=KEY)
    assert read_settings(tmp_path).key("beijing").reveal() == "sk-old"
    assert list(tmp_path.iterdir()) == [file]


def test_a_folder_may_be_relative_to_the_current_one_of_a_drive(command, monkeypatch, tmp_path):
    drive = tmp_path.drive
    monkeypatch.chdir(tmp_path)
    assert command.home_folder(Path(f"{drive}wan"), root=ROOT, environment={}) == tmp_path / "wan"
