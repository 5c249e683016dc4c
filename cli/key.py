"""`python dev.py key`: asks for the API key without showing it, and writes it where the pack reads it.

Standard library only: it runs on a machine where nothing has been set up yet.
"""

from __future__ import annotations

import argparse
import contextlib
import getpass
import json
import os
import re
import secrets
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from .messages import Message, say, sentences, shown

FILE_NAME = "credentials.toml"
HOME_NAME = "__dashscope_wan"
INTERRUPTED = 130
REGIONS = ("beijing", "singapore", "virginia", "frankfurt", "tokyo", "hongkong")
REPLACE_TRIES, REPLACE_SECONDS = 10, 0.1
_KEY = re.compile(r"[!-~]+")
# As wan/values.py has them: the pack takes them off whatever it reads.
_QUOTES = "\"'`\u2018\u2019\u201a\u201b\u201c\u201d\u201e\u201f\xab\xbb\u2039\u203a\u300c\u300d\u300e\u300f\uff02\uff07"


class KeyFileError(Exception):
    """The key cannot be written. What the message says is all that is shown; it never holds the key."""


def main(arguments: Sequence[str], *, root: Path) -> int:
    """Ask for the key, write it, say where. Returns the exit status. `root` is the pack's folder as it was called."""
    parser = argparse.ArgumentParser(
        prog="dev.py key", description=shown(Message("Writes the API key where the pack reads it."))
    )
    parser.add_argument(
        "--region", choices=REGIONS, help=shown(Message("a key for this region alone (default: for all)"))
    )
    parser.add_argument(
        "--home",
        type=Path,
        metavar="DIR",
        help=shown(Message("the folder of {file} (default: the pack's)", file=FILE_NAME)),
    )
    options, more = parser.parse_known_args(arguments)
    if more:
        # Not quoted: it may be the key.
        parser.error(
            shown(
                Message(
                    "takes --region and --home only; the key is asked for: here it would stay in the shell's history"
                )
            )
        )
    name = f"api_key_{options.region}" if options.region else "api_key"
    try:
        path = home_folder(options.home, root=root, environment=os.environ) / FILE_NAME
        say(Message("The key goes into {path}", path=path))
        write_key(path, name, key=ask_for_key())
    except KeyFileError as error:
        say(Message("Error: {problem}", problem=error.args[0]))
        return 1
    except KeyboardInterrupt:
        say(Message("\nInterrupted. Nothing was written."))
        return INTERRUPTED
    private = Message(", which only you can read") if os.name == "posix" else ""
    say(Message("Written: {name} in {path}{private}.", name=name, path=path, private=private))
    for variable in sorted({"DASHSCOPE_API_KEY", f"DASHSCOPE_{name.upper()}"}):
        if _unquoted(os.environ.get(variable, "")):
            say(Message("The environment has {variable} too, and that goes before the file.", variable=variable))
    return 0


def home_folder(given: Path | None, *, root: Path, environment: Mapping[str, str]) -> Path:
    """Return the folder that the pack reads its credentials from.

    It is the given one, else that of DASHSCOPE_WAN_HOME, else the one of the ComfyUI whose custom_nodes the pack lies
    in, else that of paid runs without ComfyUI.

    Raises:
        KeyFileError: it is in the home of a user that there is not.
    """
    moved = _unquoted(environment.get("DASHSCOPE_WAN_HOME", ""))
    if given is not None or moved:
        # As the system understands it: "C:wan" is relative to the current folder of that drive.
        return Path(os.path.abspath(_expanded(given or Path(moved))))  # noqa: PTH100
    # The folder may be a link in custom_nodes to where the pack really is.
    for folder in (root.absolute(), root.resolve()):
        if folder.parent.name == "custom_nodes":
            return folder.parent.parent / "user" / HOME_NAME
    return _expanded(Path("~/.config/dashscope-wan"))


def _expanded(path: Path) -> Path:
    try:
        return path.expanduser()
    except RuntimeError as error:
        raise KeyFileError(Message("There is no such user's folder: {path}", path=path)) from error


def ask_for_key() -> str:
    """Return the key, typed unseen or from a pipe.

    Raises:
        KeyFileError: it is none.
    """
    prompt = shown(Message("API key (it is not shown):")) + " "
    try:
        # There may be no standard input at all.
        typed = sys.stdin is not None and sys.stdin.isatty()
        key = getpass.getpass(prompt) if typed else sys.stdin.readline() if sys.stdin else ""
    except (EOFError, UnicodeDecodeError):
        key = ""
    key = _unquoted(key)
    if not _KEY.fullmatch(key):
        raise KeyFileError(
            Message("That is no key: it is empty, or has a blank or a character that no key has. Copy it again.")
        )
    return key


def _unquoted(text: str) -> str:
    return text.strip(f"{_QUOTES} \t\r\n\v\f\xa0\u3000\ufeff")


def write_key(path: Path, name: str, *, key: str) -> None:
    """Write `name = "key"` into a TOML file that only its owner can read; its other lines stay as they are.

    Raises:
        KeyFileError: that is not possible.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = path.resolve()
        before = path.read_text("utf-8-sig") if path.exists() else ""
        _write_private(path, with_line(before, name, value=key))
    except UnicodeDecodeError:
        problem: str = Message("{path} is no text in UTF-8: mend or remove it.", path=path)
    except OSError as error:
        problem = Message("{path} cannot be written: {reason}.", path=path, reason=error.strerror)
        if os.name == "nt" and isinstance(error, PermissionError):
            problem = sentences(problem, Message("It may be read-only, or open in another program."))
    else:
        return
    # Not raised above: what was caught may hold the file's bytes, and those a key.
    raise KeyFileError(problem)


def with_line(text: str, name: str, *, value: str) -> str:
    """Return a TOML text with one more line, in the place of the one that gave the name a value."""
    # What JSON makes of printable ASCII is a TOML string too.
    line = f"{name} = {json.dumps(value)}"
    same = re.compile(rf"[ \t]*[\"']?{name}[\"']?[ \t]*=", re.IGNORECASE)
    lines = text.removesuffix("\n").split("\n") if text else []
    tables = next((at for at, old in enumerate(lines) if old.lstrip().startswith("[")), len(lines))
    head, tail = [old for old in lines[:tables] if not same.match(old)], lines[tables:]
    return "\n".join([*head, line, *tail]) + "\n"


def _replace(new: Path, path: Path) -> None:
    """Put a file in the place of another. Windows does not while that is read, which takes the pack milliseconds."""
    for _ in range(REPLACE_TRIES):
        try:
            new.replace(path)
        except PermissionError:
            time.sleep(REPLACE_SECONDS)
        else:
            return
    new.replace(path)


def _write_private(path: Path, text: str) -> None:
    """Put a file in the place of another at once; at no time can anybody else read it."""
    new = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    file = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(file, "w", encoding="utf-8", newline="\n") as out:
            out.write(text)
        _replace(new, path)
    except BaseException:
        with contextlib.suppress(OSError):
            new.unlink()
        raise
