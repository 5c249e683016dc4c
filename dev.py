"""`python dev.py run|key|ledger|tasks|spend|fetch|test|bench|offline|docs`: all about this pack that needs no ComfyUI.

It makes .venv by itself. Standard library only, and it must at least parse on Pythons too old for the pack, to tell
them so.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import textwrap
from io import TextIOWrapper
from pathlib import Path
from typing import TextIO

OLDEST, NEWEST = (3, 10), (3, 13)
"""The Pythons that pyproject.toml allows."""

if not OLDEST <= sys.version_info[:2] <= NEWEST:
    running = ".".join(map(str, sys.version_info[:3]))
    oldest, newest = (".".join(map(str, version)) for version in (OLDEST, NEWEST))
    sys.exit(f"dev.py needs Python {oldest} to {newest}; {sys.executable} is {running}. Try: python{newest} dev.py")

# After that check: these need no more than the standard library, but no older Python.
from cli.errors import text_of  # noqa: E402
from cli.messages import Message, say, shown  # noqa: E402

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
STAMP = VENV / "dev-stamp"
"""What is installed; written last. Holds UNFINISHED while a set-up is under way."""
UNFINISHED = "unfinished"

INTERRUPTED = 130
# pip copied the whole folder, .venv with it, to build a wheel before this version.
OLDEST_PIP = (21, 3)

# Each set of packages, and the sets that hold all of it.
COVERED_BY = {"standalone": ("standalone", "dev"), "dev": ("dev",)}

PACK = ("nodes", "wan", "offline")
PACK_LINK = ROOT / ".mypy_cache" / "pack" / "wanpack"
"""The pack is a package whose name is its folder's, which need not be one of Python's. To mypy and lint-imports it has
this name."""

COMMANDS = {
    "run [WORKFLOW.json] [--image FILE] [--prompt TEXT] [--model ID] [--live] [--out DIR] [--debug]": Message(
        "run a workflow without ComfyUI; offline and free unless --live is given"
    ),
    "key [--region R] [--home DIR]": Message(
        "ask for the API key and write it where the pack reads it; sets nothing up"
    ),
    "ledger check | copy FROM TO | prune --older-than DAYS": Message(
        "look at the ledger of paid requests, copy it between SQLite and PostgreSQL, remove old records; runs with "
        "the Python that calls it, such as ComfyUI's; sets nothing up"
    ),
    "tasks [--all] [--json]": Message("list the tasks of the ledger, the newest first"),
    "spend [--by day|model] [--json]": Message("tell what was spent or reserved today, this month and in 30 days"),
    "fetch TASK_ID [--out DIR]": Message(
        "save the video of a task; these three run as `ledger` does and take its --home"
    ),
    "test [--quick] [ARGUMENTS]": Message(
        "ruff, mypy, lint-imports and pytest with the arguments; --quick leaves out what waits, renders or starts "
        "browsers"
    ),
    "test --windows [--python 3.13] [ARGUMENTS]": Message(
        "pytest under Python for Windows, which Wine runs; 3.10 and 3.12 run what wants no PyTorch, 3.13 imports"
    ),
    "bench [--quick] [--json FILE] [--only NAME ...]": Message(
        "how fast the pack is beside what its peers do: prints a table, writes bench.json"
    ),
    "offline [--port N]": Message("run the mock server for DashScope until Ctrl-C"),
    "docs": Message("write the locales, the help pages and docs/models.md anew from the pack's own tables"),
}
"""What follows `dev.py`, and what it does."""


class SetupError(Exception):
    """The environment cannot be made. What went wrong has been printed by the tool that found it."""


def main(arguments: list[str]) -> int:
    """Do what the command line says; returns the exit status."""
    command, rest = (arguments[0], arguments[1:]) if arguments else ("--help", [])
    if command in ("-h", "--help", "help"):
        print(usage())
        return 0
    commands = {one.__name__: one for one in (run, key, ledger, tasks, spend, fetch, test, bench, offline, docs)}
    if command not in commands:
        print(f"dev.py: {shown(Message('there is no command {command!r}', command=command))}", file=sys.stderr)
        print(f"\n{usage()}", file=sys.stderr)
        return 2
    try:
        return commands[command](rest)
    except SetupError as error:
        print(f"dev.py: {shown(text_of(error))}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        say(Message("Interrupted."))
        return INTERRUPTED


def usage() -> str:
    """Return what `--help` prints, in the user's language."""
    parts = [shown(Message("usage: python dev.py COMMAND ...")), ""]
    for synopsis, text in COMMANDS.items():
        parts += [f"  {synopsis}", textwrap.fill(shown(text), 100, initial_indent=" " * 8, subsequent_indent=" " * 8)]
    parts += ["", shown(Message("The first call sets up .venv beside this file. Delete .venv to start afresh."))]
    return "\n".join(parts)


def run(arguments: list[str]) -> int:
    """Run a workflow."""
    set_up("standalone")
    return become([str(PYTHON), str(ROOT / "cli" / "__main__.py"), "run", *arguments])


def key(arguments: list[str]) -> int:
    """Write the API key."""
    return become_engine("key", arguments)


def ledger(arguments: list[str]) -> int:
    """Look after the ledger."""
    return become_engine("ledger", arguments)


def tasks(arguments: list[str]) -> int:
    """List the tasks."""
    return become_engine("tasks", arguments)


def spend(arguments: list[str]) -> int:
    """Tell what was spent."""
    return become_engine("spend", arguments)


def fetch(arguments: list[str]) -> int:
    """Save the video of a task."""
    return become_engine("fetch", arguments)


def bench(arguments: list[str]) -> int:
    """Measure how fast the pack is."""
    set_up("dev")
    return become([str(PYTHON), str(ROOT / "tools" / "__main__.py"), "bench", *arguments])


def offline(arguments: list[str]) -> int:
    """Serve the mock server."""
    set_up("standalone")
    return become([str(PYTHON), str(ROOT / "cli" / "__main__.py"), "offline", *arguments])


def docs(arguments: list[str]) -> int:
    """Write what is made from the tables."""
    set_up("standalone")
    return become([str(PYTHON), str(ROOT / "tools" / "__main__.py"), "docs", *arguments])


def test(arguments: list[str]) -> int:
    """Check style and types and run the tests; stops at the first of them that fails."""
    set_up("dev")
    if "--windows" in arguments:
        rest = [one for one in arguments if one != "--windows"]
        return become([str(PYTHON), str(ROOT / "tools" / "__main__.py"), "windows", *rest])
    steps = (
        ["ruff", "check", "."],
        ["ruff", "format", "--check", "."],
        ["mypy", *(part for name in PACK for part in ("--package", f"wanpack.{name}"))],
        ["mypy", "cli", "tools", "dev.py"],
        ["lint-imports", "--no-cache", "--no-logo"],
        # More processes than two cores: the tests wait for a part of their time.
        ["pytest", "-n", "4", "--dist", "worksteal", "--durations", "10", *arguments],
    )
    link_pack()
    for step in steps:
        print(f"== {' '.join(step)}", flush=True)
        command, environment = [str(PYTHON), "-m", *step], dict(os.environ)
        if step[0] == "lint-imports":
            # A program, not a module; it finds the pack where Python would.
            command, environment["PYTHONPATH"] = (
                [str(PYTHON.with_name(step[0]).with_suffix(PYTHON.suffix)), *step[1:]],
                str(PACK_LINK.parent),
            )
        elif step[0] == "pytest":
            # Each of its processes, and each that a test starts, would compile every module again.
            environment.pop("PYTHONDONTWRITEBYTECODE", None)
        status = call(command, cwd=ROOT, env=environment)
        if status:
            print(f"== FAILED (status {status}): {' '.join(step)}", flush=True)
            return status
    return 0


def link_pack() -> None:
    """Make the link through which mypy and lint-imports find the pack as a package."""
    if PACK_LINK.exists() and PACK_LINK.samefile(ROOT):
        return
    PACK_LINK.parent.mkdir(parents=True, exist_ok=True)
    if sys.platform == "win32":
        import _winapi

        _winapi.CreateJunction(str(ROOT), str(PACK_LINK))
    else:
        PACK_LINK.unlink(missing_ok=True)
        PACK_LINK.symlink_to(os.path.relpath(ROOT, PACK_LINK.parent), target_is_directory=True)


def set_up(extra: str) -> None:
    """Make .venv hold the packages of an extra of pyproject.toml; does nothing where it does.

    Raises:
        SetupError: it cannot.
    """
    python, pip = probe()
    before = STAMP.read_text(encoding="ascii") if STAMP.is_file() else ""
    if before in {stamp(covering, python) for covering in COVERED_BY[extra]}:
        return
    say(Message("Setting up .venv (once; torch is large)..."))
    # A set-up that was cut short can leave half a package that pip takes for whole, so that .venv is made anew. One
    # that works but has no stamp may be the developer's own: pip adds to it.
    anew = before == UNFINISHED or not pip
    if anew:
        make_venv()
        python, pip = probe()
    STAMP.write_text(UNFINISHED, encoding="ascii")
    status = install("--upgrade", "pip") if pip < OLDEST_PIP else 0
    status = status or install(f".[{extra}]")
    if status:
        if status == 1 and not anew:
            # pip refused in good order: what was installed before still is.
            STAMP.write_text(before, encoding="ascii")
        raise SetupError(Message("pip could not install what pyproject.toml asks for; what it says stands above"))
    STAMP.write_text(stamp(extra, python), encoding="ascii")


def probe() -> tuple[str, tuple[int, ...]]:
    """The versions of .venv's Python and pip: ("3.11", (23, 2)). Empty where it does not work or cannot be used."""
    ask = "import sys, pip; print('%d.%d' % sys.version_info[:2], pip.__version__)"
    if not PYTHON.exists():
        return "", ()
    try:
        asked = subprocess.run([str(PYTHON), "-c", ask], capture_output=True, text=True, check=True)  # noqa: S603 - ours
    except (OSError, subprocess.CalledProcessError):
        return "", ()
    python, pip = asked.stdout.split()
    if not OLDEST <= tuple(map(int, python.split("."))) <= NEWEST:
        return "", ()
    return python, tuple(map(int, re.findall(r"\d+", pip)[:2]))


def stamp(extra: str, python: str) -> str:
    """What stands in the stamp file when this extra is installed for this Python."""
    pyproject = (ROOT / "pyproject.toml").read_bytes()
    return hashlib.sha256(f"{extra} {python} ".encode() + pyproject).hexdigest()


def make_venv() -> None:
    """Make .venv with the Python that runs this, in the place of what stands there.

    Raises:
        SetupError: venv cannot.
    """
    if VENV.is_symlink() or VENV.is_file():
        VENV.unlink()
    shutil.rmtree(VENV, ignore_errors=True)
    VENV.mkdir(exist_ok=True)
    STAMP.write_text(UNFINISHED, encoding="ascii")
    # The Python behind a virtual environment: this may be running in the very one that was just removed.
    python = getattr(sys, "_base_executable", sys.executable)
    if call([python, "-m", "venv", str(VENV)], stdout=sys.stderr):
        raise SetupError(Message("Python could not make .venv; what it says stands above"))


def install(*arguments: str) -> int:
    """Let .venv's pip install something; returns its exit status."""
    pip = [str(PYTHON), "-m", "pip", "install", "-qq", "--disable-pip-version-check", "--no-input"]
    return call([*pip, *arguments], cwd=ROOT, stdout=sys.stderr)


def call(
    command: list[str], *, cwd: Path | None = None, stdout: TextIO | None = None, env: dict[str, str] | None = None
) -> int:
    """Run a command to its end and return its status. Ctrl-C reaches it by itself, and is raised here after its end."""
    interrupted = False
    with subprocess.Popen(command, cwd=cwd, stdout=stdout, env=env) as child:  # noqa: S603 - our own commands
        while child.returncode is None:
            try:
                child.wait()
            except KeyboardInterrupt:
                interrupted = True
    if interrupted:
        raise KeyboardInterrupt
    return child.returncode if child.returncode >= 0 else 128 - child.returncode


def become_engine(command: str, arguments: list[str]) -> int:
    """Go on as a command that runs with the Python that calls this."""
    return become([sys.executable, str(Path(__file__).absolute().parent / "cli" / "__main__.py"), command, *arguments])


def become(command: list[str]) -> int:
    """Go on as another program, which gets the signals and gives the exit status. Windows cannot, and waits for it."""
    if os.name == "nt":
        return call(command)
    sys.stdout.flush()
    sys.stderr.flush()
    return os.execv(command[0], command)  # noqa: S606 - our own commands


if __name__ == "__main__":
    # A text may have letters that the terminal's encoding lacks.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    sys.exit(main(sys.argv[1:]))
