"""The pack is loaded as ComfyUI loads it: by its path, under that path as its name. In processes of their own."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from platforms import needs_symlinks

ROOT = Path(__file__).resolve().parents[2]
MOST_ASYNCIOS = 4.5

# As in ComfyUI's load_custom_node.
LOADER = """
import importlib.util, json, sys

def load(folder):
    name = folder.replace(".", "_x_")
    spec = importlib.util.spec_from_file_location(name, folder + "/__init__.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
"""
# Reaches what a node imports only when it runs, and ends with the first check.
RUN = """
import asyncio

def refusal(pack):
    node = pack.NODE_CLASS_MAPPINGS["DashScopeWanImageToVideo"]()
    settings = {"prompt": "", "model": "none", "resolution": "480P", "duration": 5}
    try:
        asyncio.run(node.generate(image=None, **settings))
    except Exception as error:
        return str(error)
"""


def run(script, *arguments, flags=("-B",)):
    """Run a script in a fresh Python and return what it prints as JSON. Warnings are errors there."""
    command = [sys.executable, "-I", "-W", "error", *flags, "-c", LOADER + script, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)  # noqa: S603 - our own
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return json.loads(done.stdout)


def copy_to(folder):
    for name in ("nodes", "wan", "offline"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "__init__.py", folder)
    return folder


def link_to(folder):
    folder.symlink_to(ROOT, target_is_directory=True)
    return folder


@pytest.mark.parametrize("place", [copy_to, pytest.param(link_to, marks=needs_symlinks)])
def test_the_folder_may_have_any_name(place, tmp_path):
    folder = place(tmp_path / "my pack-1")
    script = RUN + "pack = load(sys.argv[1])\nprint(json.dumps([list(pack.NODE_CLASS_MAPPINGS), refusal(pack)]))"
    ids, refusal = run(script, folder)
    assert "DashScopeWanImageToVideo" in ids
    assert refusal.startswith("- model: 'none' is not known")


def test_two_copies_live_side_by_side(tmp_path):
    script = """
one, two = load(sys.argv[1]), load(sys.argv[2])
classes = [pack.NODE_CLASS_MAPPINGS["DashScopeWanImageToVideo"] for pack in (one, two)]
print(json.dumps([list(one.NODE_CLASS_MAPPINGS) == list(two.NODE_CLASS_MAPPINGS), classes[0] is classes[1]]))
"""
    assert run(script, ROOT, copy_to(tmp_path / "other")) == [True, False]


def test_comfyuis_own_modules_of_the_same_names_are_left_alone():
    script = (
        RUN
        + """
import types
theirs = {name: types.ModuleType(name) for name in ("nodes", "server", "errors", "tests", "host")}
sys.modules.update(theirs)
pack = load(sys.argv[1])
refused = refusal(pack)
same = all(sys.modules[name] is module and list(vars(module)) == list(vars(types.ModuleType("x")))
           for name, module in theirs.items())
print(json.dumps([same, refused]))
"""
    )
    same, refusal = run(script, ROOT)
    assert same
    assert "model: 'none' is not known" in refusal


OBSERVED = """
import contextlib, io, os, threading
import requests, numpy, PIL.Image  # ComfyUI has these before
before, seen, asked, looking = set(sys.modules), [], [], True

def look(event, arguments):
    if not looking:
        return
    if event == "open":
        path, mode, flags = arguments
        written = any(letter in (mode or "") for letter in "wax+")
        if written or (flags or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            seen.append(f"open {path}")
    elif event.startswith(("socket.", "subprocess.", "urllib.", "http.", "sqlite3.", "os.system", "shutil.")):
        seen.append(event)
    elif event in ("os.mkdir", "os.remove", "os.rename", "os.chmod", "os.putenv", "os.exec", "os.posix_spawn"):
        seen.append(event)

class Environ(dict):
    def __getitem__(self, name): asked.append(name); return super().__getitem__(name)
    def get(self, name, default=None): asked.append(name); return super().get(name, default)

os.environ = Environ(os.environ)
sys.addaudithook(look)
with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
    load(sys.argv[1])
looking = False
print(json.dumps({
    "events": seen,
    "printed": out.getvalue() + err.getvalue(),
    "threads": threading.active_count(),
    "settings": [name for name in asked if name.startswith("DASHSCOPE")],
    "modules": sorted(set(sys.modules) - before),
}))
"""


@pytest.fixture(scope="module")
def observed():
    """What loading the pack does in a process where ComfyUI's own packages are there. `modules` are the new ones."""
    found = run(OBSERVED, ROOT)
    assert any(name.endswith("nodes.image_to_video") for name in found["modules"])
    return found


def test_loading_writes_nothing_and_opens_no_connection(observed):
    assert observed["events"] == []


def test_loading_prints_nothing(observed):
    assert observed["printed"] == ""


def test_loading_starts_no_thread(observed):
    assert observed["threads"] == 1


def test_loading_reads_no_setting(observed):
    # Settings are the owner's to change while ComfyUI runs.
    assert observed["settings"] == []


@pytest.mark.parametrize("heavy", ["av", "torch", "sqlite3", "filelock", "http.server"])
def test_loading_brings_nothing_heavy(heavy, observed):
    assert heavy not in observed["modules"]


def test_loading_does_not_bring_the_mock_server(observed):
    assert not [name for name in observed["modules"] if ".offline" in name]


def test_no_module_of_the_pack_takes_the_name_of_comfyuis_own(observed):
    assert "nodes" not in observed["modules"]


def test_loading_takes_little_beside_a_package_of_pythons_own():
    """Counted in lines of Python that run, against loading asyncio, about 30 modules, in the same process."""
    script = """
import asyncio, numpy, requests, PIL.Image

def asyncio_again():
    kept = {name: sys.modules.pop(name) for name in list(sys.modules) if name.partition(".")[0] == "asyncio"}
    importlib.import_module("asyncio")
    sys.modules.update(kept)

def lines(work):
    before, count = set(sys.modules), 0

    def trace(frame, event, argument):
        nonlocal count
        count += 1
        return trace

    sys.settrace(trace)
    work()
    sys.settrace(None)
    for name in set(sys.modules) - before:
        del sys.modules[name]
    return count

load_pack = lambda: load(sys.argv[1])
lines(load_pack)  # What other packages do only once in a process is not the pack's.
print(json.dumps([lines(load_pack), lines(asyncio_again)]))
"""
    ours, asyncios = run(script, ROOT, flags=())
    assert ours < MOST_ASYNCIOS * asyncios, (ours, asyncios)
