"""The project's own promises about its files: dependencies, prints, and who may import whom."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("nodes", "wan", "offline")
PACK = sorted([ROOT / "__init__.py", *(path for name in FOLDERS for path in (ROOT / name).rglob("*.py"))])
# ComfyUI's own top-level modules.
COMFYUI = {
    *("comfy", "comfy_api", "comfy_api_nodes", "comfy_config", "comfy_execution", "comfy_extras", "execution"),
    *("app", "folder_paths", "latent_preview", "main", "node_helpers", "nodes", "protocol", "server", "utils"),
}
# What each room may import; `wan` alone is what lies in it beside the rooms.
LAYERS = {
    "wan": {"wan"},
    "wan.catalog": {"wan", "wan.catalog"},
    "wan.net": {"wan", "wan.net"},
    "wan.api": {"wan", "wan.catalog", "wan.net", "wan.api"},
    "wan.media": {"wan", "wan.media"},
    "wan.ledger": {"wan", "wan.ledger"},
    "wan.tasks": {"wan", "wan.catalog", "wan.net", "wan.api", "wan.media", "wan.ledger", "wan.tasks"},
    "offline": {"wan", "wan.catalog", "wan.media", "offline"},
}


def name_of(path):
    return path.relative_to(ROOT).as_posix()


def absolute_imports(node):
    """The modules that a statement imports by their whole names."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module] if isinstance(node, ast.ImportFrom) and not node.level else []


def imports_of(path):
    """Every module that a file names in an import, wherever in the file; those of the pack by their whole name."""
    package = (*path.parent.relative_to(ROOT).parts, "")
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        yield from absolute_imports(node)
        if isinstance(node, ast.ImportFrom) and node.level:
            base = [*package[: len(package) - node.level], *filter(None, [node.module])]
            named = [".".join(filter(None, [*base, alias.name])) for alias in node.names]
            # `from .x import y` names the module x, and the module x.y where there is one.
            yield from (name if _is_module(name) else ".".join(filter(None, base)) for name in named)


def _is_module(name):
    path = ROOT.joinpath(*name.split("."))
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def room_of(name):
    """The room of a module: `wan.api` of `wan.api.client`, `wan` of `wan.errors`."""
    for room in sorted(LAYERS, key=len, reverse=True):
        if room != "wan" and (name == room or name.startswith(room + ".")):
            return room
    return name.split(".")[0]


def own_imports(room):
    """Pairs of file and module of the pack, for the files of a room."""
    for path in PACK:
        if room_of(".".join(path.relative_to(ROOT).with_suffix("").parts)) == room:
            for name in imports_of(path):
                if name.split(".")[0] in FOLDERS and _is_module(name):
                    yield name_of(path), name


def requirements():
    lines = (ROOT / "requirements.txt").read_text("utf-8").splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def test_there_is_something_to_look_at():
    assert len(PACK) > 30
    for room in LAYERS:
        assert list(own_imports(room)) or room == "wan.catalog", room
    assert ("wan/tasks/attachments.py", "wan.media.image") in set(own_imports("wan.tasks"))


def test_requirements_txt_says_what_pyproject_says():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert requirements() == project["dependencies"]


def test_torch_is_comfyuis_to_bring():
    names = {re.split(r"[^A-Za-z0-9_-]", line)[0].lower() for line in requirements()}
    assert "requests" in names
    assert not names & {"torch", "torchvision", "torchaudio"}


def test_the_pack_prints_nothing():
    prints = []
    for path in PACK:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            called = isinstance(node, ast.Call) and ast.unparse(node.func) in ("print", "input", "pprint.pprint")
            if called or (isinstance(node, ast.Attribute) and ast.unparse(node) in ("sys.stdout", "sys.stderr")):
                prints.append(f"{name_of(path)}:{node.lineno}")
    assert prints == []


def test_only_the_host_imports_comfyui():
    who = {name_of(path) for path in PACK for name in imports_of(path) if name.split(".")[0] in COMFYUI - {"nodes"}}
    assert who == {"nodes/host.py"}


def test_the_pack_imports_itself_relatively():
    # By its own name it would get ComfyUI's `nodes`.
    absolute = [
        f"{name_of(path)}:{node.lineno}"
        for path in PACK
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        for name in absolute_imports(node)
        if name.split(".")[0] in FOLDERS
    ]
    assert absolute == []


@pytest.mark.parametrize("room", LAYERS)
def test_a_room_imports_only_what_lies_below_it(room):
    violations = {(path, name) for path, name in own_imports(room) if room_of(name) not in LAYERS[room]}
    assert violations == set()


def test_only_nodes_imports_nodes():
    who = {
        name_of(path)
        for path in PACK
        for name in imports_of(path)
        if name.split(".")[0] == "nodes" and _is_module(name)
    }
    assert [path for path in who if not path.startswith("nodes/")] == ["__init__.py"]


def test_only_the_host_reaches_for_the_mock():
    outside = [path for path in PACK if not name_of(path).startswith("offline/")]
    who = {name_of(path) for path in outside for name in imports_of(path) if name.split(".")[0] == "offline"}
    assert who == {"nodes/host.py"}


def test_every_folder_is_a_known_room():
    rooms = {".".join(path.parent.relative_to(ROOT).parts) for path in PACK if path.parent != ROOT}
    assert rooms == set(LAYERS) | {"nodes"}
