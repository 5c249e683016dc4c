"""Loads the pack as ComfyUI does: by its path, under a name that is no import name, so that only relative imports work.

And the two things that tests of several folders want: a bare environment, and the mock server in the place of a region.
"""

from __future__ import annotations

import gc
import importlib.util
import os
import shutil
import sys
import tempfile
import threading
import traceback
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# The commands of `dev.py` speak the language of who runs the tests.
os.environ["LC_ALL"] = "C.UTF-8"

if "wanpack" not in sys.modules:
    spec = importlib.util.spec_from_file_location(
        "wanpack", ROOT / "__init__.py", submodule_search_locations=[str(ROOT)]
    )
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["wanpack"] = module
    spec.loader.exec_module(module)


def values_held_by(error):
    """What the pack's frames hold that an error holds, its causes' too: a line for each local, with what is in it."""
    seen, rest, found = set(), [error], []
    while rest:
        one = rest.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        rest += [one.__cause__, one.__context__]
        for frame, _ in traceback.walk_tb(one.__traceback__):
            code = frame.f_code
            if any(Path(code.co_filename).is_relative_to(ROOT / name) for name in ("nodes", "wan", "offline")):
                found += [
                    f"{code.co_name}: {name} = {value!r} {getattr(value, '__dict__', '')!r}"
                    for name, value in frame.f_locals.items()
                ]
    return found


@pytest.fixture
def held_by():
    return values_held_by


@pytest.hookimpl(optionalhook=True, tryfirst=True)
def pytest_handlecrashitem(crashitem, sched):
    """Have a test run again whose process Wine has ended before the test could say how often it may."""
    from tests.support.platforms import UNDER_WINE

    if UNDER_WINE:
        sched.config.failures_db.set_test_reruns(crashitem, sched.config.option.reruns)


SAID = "said at the end"


@pytest.fixture
def say_at_end(request):
    """Prints a line, or the columns of one, after all tests have run, whichever process this one runs in."""
    return lambda *columns: request.node.user_properties.append((SAID, list(columns)))


def pytest_terminal_summary(terminalreporter):
    reports = [report for found in terminalreporter.stats.values() for report in found]
    properties = [pair for report in reports for pair in getattr(report, "user_properties", ())]
    rows = [tuple(columns) for name, columns in properties if name == SAID]
    rows = sorted(dict.fromkeys(rows), key=len)
    if rows:
        terminalreporter.section(f"{sum(len(row) > 1 for row in rows)} faults")
    for row in rows:
        widths = [max(len(other[i]) for other in rows if len(other) == len(row)) for i in range(len(row))]
        columns = [text.ljust(width) for text, width in zip(row, widths, strict=True)]
        terminalreporter.write_line("  ".join(columns).rstrip())


WEB, LONG = "tests/web/", "tests/wan/tasks/"
MAX_QUICK_CASES = 10
NOT_QUICK = (
    *("web", "workflows", "tools", "comfyui", "cli/test_run.py", "nodes/test_audio.py", "nodes/test_last_frame.py"),
    "cli/test_ledger.py",
    *("nodes/test_loading.py", "nodes/test_media_inputs.py", "nodes/test_metadata.py", "nodes/test_receipt.py"),
    *("offline/test_media.py", "offline/test_media_checks.py", "offline/test_render.py", "offline/test_sdk.py"),
    *("offline/test_sdk_aio.py", "security/test_bombs.py", "security/test_endless.py", "security/test_fuzz_widgets.py"),
    *("security/test_key_search.py", "security/test_parsing.py", "wan/api/test_transport.py"),
    *("offline/test_faults.py", "offline/test_timing.py", "wan/media/test_last_frame.py", "wan/tasks/test_faults.py"),
    *("wan/tasks/test_history.py", "wan/tasks/test_interrupt.py", "wan/tasks/test_polling.py"),
    *("wan/tasks/test_proof.py", "wan/tasks/test_reconcile.py", "wan/tasks/test_sharing.py"),
)
"""Folders and files that wait, render or start browsers for most of their time."""
MAX_CASES = 60
"""Of random values, unless --soak is given."""


def pytest_ignore_collect(collection_path, config):
    left_out = collection_path.relative_to(ROOT / "tests").as_posix() in NOT_QUICK
    return True if config.getoption("--quick") and left_out else None


def pytest_collection(session):
    # Nothing that is collected, imported or compiled is ever garbage: each look for some would go through all of it.
    gc.disable()


def pytest_collection_finish(session):
    gc.freeze()
    gc.enable()


def pytest_collection_modifyitems(config, items):
    # The longest first, so that no process is left alone with it at the end.
    items.sort(key=lambda item: (not item.nodeid.startswith(WEB), not item.nodeid.startswith(LONG)))
    if config.getoption("--quick"):
        left_out = _left_out_when_quick(items)
        config.hook.pytest_deselected(items=[item for item in items if item in left_out])
        items[:] = [item for item in items if item not in left_out]


def _left_out_when_quick(items):
    """The tests that are slow or draw kills and interrupts, and of each table of cases all but 10 evenly spread."""
    tables = {}
    for item in items:
        tables.setdefault((item.path, getattr(item, "cls", None), item.originalname), []).append(item)
    kept = {
        cases[number * len(cases) // MAX_QUICK_CASES] for cases in tables.values() for number in range(MAX_QUICK_CASES)
    }
    slow = {item for item in items if "soak" in item.fixturenames or item.get_closest_marker("slow")}
    return set(items) - kept | slow


def pytest_addoption(parser):
    parser.addoption("--soak", action="store_true", help="the long draws: 200 kills, 100 interrupts, much fuzz")
    parser.addoption("--quick", action="store_true", help="no browser, nothing slow, 10 cases of a table")


@pytest.fixture(scope="session")
def soak(request):
    """Whether the long draws are wanted."""
    return request.config.getoption("--soak")


@pytest.fixture(scope="session", autouse=True)
def rendered_once(tmp_path_factory):
    """The mock server draws each video once for all tests, whichever process they run in. Returns what renders it."""
    import small_videos
    import wanpack.offline.render as offline_render

    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "rendered"
    folder.mkdir(exist_ok=True)

    def render(scene, path, **more):
        known = folder / f"{scene.name}-{small_videos.scale()}"
        if not known.exists():
            small_videos.draw(scene, path, **more)
            made = known.with_suffix(f".{os.getpid()}-{threading.get_ident()}")
            shutil.copyfile(path, made)
            made.replace(known)
        shutil.copyfile(known, path)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(offline_render, "render", render)
        yield render


ENGINES = ("sqlite", "postgresql")
"""What keeps a ledger."""


def pytest_generate_tests(metafunc):
    """Tests with the mark `engines` run once on each, or on those that it names; a quick run needs no server."""
    marker = metafunc.definition.get_closest_marker("engines")
    if marker and "engine" in metafunc.fixturenames:
        names = [one for one in marker.args or ENGINES if one == "sqlite" or not metafunc.config.getoption("--quick")]
        metafunc.parametrize("engine", names, indirect=True)


@pytest.fixture
def engine(request):
    """What keeps the ledger of a test, one of `ENGINES`."""
    return getattr(request, "param", "sqlite")


@pytest.fixture(scope="session")
def postgres():
    """The PostgreSQL server of all processes of this test run. It is started when the first test asks for it."""
    if sys.platform == "win32":
        pytest.skip("Windows: the tests reach their PostgreSQL server by a Unix socket")
    from postgres import PostgresServer

    run = os.environ.get("PYTEST_XDIST_TESTRUNUID") or os.getpid()
    # Not in the folder of the tests' files: as root the server is another user, who could not get there.
    folder = Path(tempfile.gettempdir()) / f"dashscope-wan-postgres-{run}"
    server = PostgresServer(folder / "data")
    yield server
    server.close()


@pytest.fixture
def new_database(request):
    """Create a database of the test's own, and return its URL."""
    urls = []

    def create():
        urls.append(request.getfixturevalue("postgres").create_database())
        return urls[-1]

    yield create
    for url in urls:
        request.getfixturevalue("postgres").drop_database(url)


SERVER_KEY = "sk-test-0d7c4b19e8f25a36"
"""One for all mock servers: each key that was in use is looked for in every text of the process that used it."""


@pytest.fixture(scope="session")
def max_cases(request):
    """The most random examples that are wanted."""
    if request.config.getoption("--quick"):
        return MAX_QUICK_CASES
    return 10**6 if request.config.getoption("--soak") else MAX_CASES


_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


def empty_environment(patch):
    """Take away the settings, proxies and credentials of the machine that runs the tests."""
    for name in list(os.environ):
        if name.startswith("DASHSCOPE_") or name.lower() in _PROXIES or name == "NETRC":
            patch.delenv(name)


@contextmanager
def host_in(folder):
    """Put the pack's folders into one, as without ComfyUI."""
    from wanpack.nodes import host

    before = host.configure(
        output_folder=folder / "output",
        input_folders=(folder / "input",),
        temp_folder=folder / "temp",
        home=folder / ".wan",
    )
    try:
        yield host
    finally:
        host.configure(**vars(before))


@contextmanager
def server_as_beijing(patch):
    """Run the mock server as Beijing's URL: tasks end as soon as their video is rendered."""
    from mock_server import MockServer
    from wanpack.offline.tasks import Timing

    with MockServer(region="beijing", key=SERVER_KEY, timing=Timing(scale=0)) as server:
        patch.setenv("DASHSCOPE_REGION", "beijing")
        patch.setenv("DASHSCOPE_BASE_URL", server.base_url)
        patch.setenv("DASHSCOPE_API_KEY", server.key)
        yield server


@pytest.fixture(autouse=True)
def clock_restored():
    """Whatever clock a test lets the nodes wait by, the next one has the real one again."""
    from wanpack.nodes import host

    before = host.configure()
    yield
    host.configure(clock=before.clock)


@pytest.fixture
def patient_stop(monkeypatch):
    """Stop waits for what it can still do as long as a busy machine needs."""
    monkeypatch.setattr("wanpack.wan.tasks.interrupt.CLEANUP_TIMEOUT", 60.0)


@pytest.fixture
def bare_environment(monkeypatch):
    """No settings, proxies or credentials of the machine that runs the tests. Returns monkeypatch."""
    empty_environment(monkeypatch)
    return monkeypatch


@pytest.fixture
def standalone_host(tmp_path):
    """The pack's folders without ComfyUI, all in the test's own folder. Returns the `host` module."""
    with host_in(tmp_path) as host:
        yield host


@pytest.fixture
def live_server(bare_environment, standalone_host):
    """The mock server as Beijing's URL, which the owner's settings lead to."""
    with server_as_beijing(bare_environment) as server:
        yield server


@pytest.fixture(scope="session")
def server_key():
    return SERVER_KEY


@pytest.fixture(scope="session")
def going_live():
    """The same for a fixture of a wider scope: a context of the mock server, with its files in a folder."""

    @contextmanager
    def live(folder):
        with pytest.MonkeyPatch.context() as patch, host_in(folder):
            empty_environment(patch)
            with server_as_beijing(patch) as server:
                yield server

    return live
