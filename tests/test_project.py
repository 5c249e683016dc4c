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
NODES = ROOT / "nodes"
PACK = sorted([ROOT / "__init__.py", *NODES.rglob("*.py")])
# ComfyUI's own top-level modules.
COMFYUI = {
    *("comfy", "comfy_api", "comfy_api_nodes", "comfy_config", "comfy_execution", "comfy_extras", "execution"),
    *("app", "folder_paths", "latent_preview", "main", "node_helpers", "nodes", "protocol", "server", "utils"),
}
LAYERS = ("service", "media", "tasks", "offline")
# What every layer may use: errors, what they must not say, how HTTP is spoken, and values of any type made plain.
GROUND = {"nodes.errors", "nodes.redaction", "nodes.addresses", "nodes.wire", "nodes.values"}


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


def own_imports(folder):
    """Pairs of file and module of the pack, for the files under a folder of nodes/."""
    for path in sorted((NODES / folder).rglob("*.py")):
        for name in imports_of(path):
            if name == "nodes" or name.startswith("nodes."):
                yield name_of(path), name


def requirements():
    lines = (ROOT / "requirements.txt").read_text("utf-8").splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def test_there_is_something_to_look_at():
    assert len(PACK) > 30
    assert ("nodes/tasks/material.py", "nodes.media.first_frame") in set(own_imports("tasks"))


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
        if name.split(".")[0] == "nodes"
    ]
    assert absolute == []


@pytest.mark.parametrize(
    ("layer", "allowed"),
    [
        ("service", GROUND | {"nodes.service"}),
        ("media", GROUND | {"nodes.media"}),
        ("tasks", GROUND | {"nodes.service", "nodes.media", "nodes.tasks", "nodes.offline"}),
        ("offline", {"nodes.errors", "nodes.service", "nodes.media", "nodes.offline"}),
    ],
)
def test_a_layer_imports_only_what_lies_below_it(layer, allowed):
    unknown = {(path, name) for path, name in own_imports(layer) if ".".join(name.split(".")[:2]) not in allowed}
    assert unknown == set()


def test_the_ground_imports_no_layer():
    files = [NODES / f"{name.removeprefix('nodes.')}.py" for name in GROUND]
    names = {name for path in files for name in imports_of(path) if name.startswith("nodes.")}
    assert names <= GROUND


def test_only_the_session_reaches_for_the_mock_server():
    folders = [name for name in LAYERS if name != "offline"]
    who = {path for folder in folders for path, name in own_imports(folder) if name.startswith("nodes.offline")}
    assert who == {"nodes/tasks/session.py"}


def test_every_file_of_nodes_belongs_to_a_known_place():
    folders = {path.relative_to(NODES).parts[0] for path in NODES.rglob("*.py") if path.parent != NODES}
    assert folders == set(LAYERS)
