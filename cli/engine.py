"""What the commands on the ledger share: the pack's engine, its settings, and errors in words.

They run with the Python that starts them, ComfyUI's for example, which has the pack's requirements.
"""

from __future__ import annotations

import argparse
import os
import sys
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from .errors import StandaloneError, described, text_of
from .key import FILE_NAME, KeyFileError, home_folder
from .loading import load_engine
from .messages import Message, say, sentences, shown

INTERRUPTED = 130
NOTHING_SENT = Message("Nothing was sent.")


def answered(work: Callable[[], int], *, root: Path, more: str = "") -> int:
    """Return the exit status of a command's `work`. What goes wrong is said in words, an interruption with `more`."""
    try:
        return work()
    except KeyboardInterrupt:
        say(sentences(Message("Interrupted."), more))
        return INTERRUPTED
    except BrokenPipeError:
        # Who reads the output has enough of it. What is left must not fail when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except ImportError as error:
        say_error(
            Message(
                "{package} is not installed for {python}.\nRun this with ComfyUI's Python, or first run: "
                '"{python}" -m pip install -r "{path}"',
                package=error.name,
                python=sys.executable,
                path=root / "requirements.txt",
            )
        )
    except (StandaloneError, KeyFileError) as error:
        say_error(text_of(error))
    except Exception as error:
        # The pack's own errors say in words what to do; their class has another name in each process.
        if type(error).__module__ != "dashscope_wan":
            raise
        # The commands send nothing.
        unsent = shown(NOTHING_SENT)
        say_error(shown(described(error)).replace(f"{unsent} ", "").replace(unsent, "").strip())
    return 1


def say_error(text: str) -> None:
    """Print an error."""
    say(Message("Error: {problem}", problem=text))


def add_home(parser: argparse.ArgumentParser) -> None:
    """Add the option for the pack's folder."""
    parser.add_argument(
        "--home",
        type=Path,
        metavar="DIR",
        help=shown(Message("the folder of {file} (default: the pack's)", file=FILE_NAME)),
    )


def opened_engine(given: Path | None, *, root: Path) -> tuple[Callable[[str], Any], Any]:
    """Return what imports a module of the pack's engine, and the settings that the nodes have."""
    modules = load_engine(root)
    os.environ["DASHSCOPE_WAN_HOME"] = str(home_folder(given, root=root, environment=os.environ))
    settings = modules("api.settings").read_settings(Path())
    return modules, settings


def output_folder(root: Path) -> Path:
    """Return the output folder of the ComfyUI whose custom_nodes the pack lies in, else the one of `dev.py run`."""
    # The folder may be a link in custom_nodes to where the pack really is.
    for folder in (root.absolute(), root.resolve()):
        if folder.parent.name == "custom_nodes":
            return folder.parent.parent / "output"
    return root / "output"


def money(amount: float, currency: str) -> str:
    """Return an amount with its currency."""
    return f"{currency} {amount:.2f}"


def table(rows: Sequence[Sequence[str]]) -> str:
    """Return rows as lines of aligned columns. What no terminal should get is shown as a question mark."""
    cells = [["".join(one if one.isprintable() else "?" for one in shown(cell)) for cell in row] for row in rows]
    widths = [max(map(_width, column)) for column in zip(*cells, strict=True)]
    padded = ([cell + " " * (most - _width(cell)) for cell, most in zip(row, widths, strict=True)] for row in cells)
    return "\n".join("  ".join(row).rstrip() for row in padded)


def _width(text: str) -> int:
    """Return the columns that a text takes: a Chinese character takes two."""
    return sum(2 if unicodedata.east_asian_width(one) in "WF" else 1 for one in text)


def amounts(row: Mapping[str, Any]) -> str:
    """Return the amounts of a row by currency; "-" if there are none."""
    found = {name: value for name, value in row.items() if isinstance(value, (int, float))}
    return ", ".join(money(value, name) for name, value in found.items()) or "-"
