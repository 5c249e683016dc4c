"""The command `run`, with a little pack in the place of ours."""

import json
import logging
import subprocess
import sys
from pathlib import Path

import children
import pytest

from cli.run import main

ROOT = Path(__file__).resolve().parents[2]

HOST = """
settings = {}

def configure(**given):
    settings.update(given)

class VideoFromFile:
    def __init__(self, path):
        self.path = path

    def get_stream_source(self):
        return str(self.path)

video_from_file = VideoFromFile
"""

NODES = '''
import asyncio
import json
import logging
import os
from . import host

log = logging.getLogger("dashscope_wan")

class Wan:
    RETURN_TYPES = ("STRING", "VIDEO", "STRING")
    RETURN_NAMES = ("video_path", "video", "receipt")
    OUTPUT_IS_LIST = (True, True, True)
    OUTPUT_NODE = True
    FUNCTION = "execute"

    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {"image": ("IMAGE",), "prompt": ("STRING", {}), "model": (["m1", "m2"], {})},
            "optional": {"connection": ("CONNECTION",)},
            "hidden": {"unique_id": "UNIQUE_ID"},
        }

    async def execute(self, *, image, prompt, model, unique_id, connection="none"):
        if prompt == "fail":
            raise ValueError("the service said no")
        log.debug("about to make %s", prompt)
        host.settings["on_progress"](unique_id, 0.5, "running")
        if prompt == "wait":
            try:
                await asyncio.sleep(60)
            finally:
                log.warning("task-7 goes on at the service")
        path = host.settings["output_folder"] / f"{prompt}.mp4"
        receipt = json.dumps({
            "size": list(image.shape), "model": model, "connection": connection,
            "region": os.environ.get("DASHSCOPE_REGION"), "moved": os.environ.get("DASHSCOPE_WAN_HOME"),
            "home": str(host.settings["home"]), "inputs": [str(folder) for folder in host.settings["input_folders"]],
        })
        path.write_text(receipt)
        return ([str(path)], [host.video_from_file(path)], [receipt])

class Connection:
    RETURN_TYPES = ("CONNECTION",)
    FUNCTION = "execute"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"region": (["singapore", "offline"], {})}}

    def execute(self, *, region):
        return (region,)

class Joint(Connection):
    """Makes one clip wait for another."""

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"video": ("VIDEO",)}}

    def execute(self, *, video):
        return ("joint",)
'''

ENTRY = """
from .nodes.wan import Connection, Joint, Wan

NODE_CLASS_MAPPINGS = {"DashScopeWanImageToVideo": Wan, "DashScopeWanConnection": Connection, "Joint": Joint}
"""


def wan(prompt, **inputs):
    given = {"image": ["1", 0], "prompt": prompt, "model": "m1", **inputs}
    return {"class_type": "DashScopeWanImageToVideo", "inputs": given}


LOADER = {"class_type": "LoadImage", "inputs": {"image": "example.png"}}


@pytest.fixture(scope="session")
def root(tmp_path_factory):
    """A pack in a folder whose name is no module's name."""
    root = tmp_path_factory.mktemp("packs") / "my pack-1.0"
    (root / "nodes").mkdir(parents=True)
    (root / "workflows" / "api").mkdir(parents=True)
    (root / "__init__.py").write_text(ENTRY)
    (root / "nodes" / "__init__.py").write_text("")
    (root / "nodes" / "host.py").write_text(HOST)
    (root / "nodes" / "wan.py").write_text(NODES)
    (root / "workflows" / "api" / "01_first_frame.json").write_text(json.dumps({"1": LOADER, "2": wan("a cat")}))
    return root


@pytest.fixture(autouse=True)
def own_environment(monkeypatch):
    """`run` changes the environment and the logger of its process, which here is the tests' too."""
    monkeypatch.setenv("DASHSCOPE_REGION", "beijing")
    monkeypatch.setenv("DASHSCOPE_WAN_HOME", "/paid")
    logger = logging.getLogger("dashscope_wan")
    before = (logger.handlers, logger.level, logger.propagate)
    yield
    logger.handlers, logger.level, logger.propagate = before


@pytest.fixture
def run(root, tmp_path, capsys):
    def run(*arguments, graph=None):
        given = [str(argument) for argument in arguments]
        if graph is not None:
            flow = tmp_path / "flow.json"
            flow.write_text(json.dumps(graph))
            given.insert(0, str(flow))
        status = main([*given, "--out", str(tmp_path / "out")], root=root)
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return run


def receipt(printed):
    return json.loads(Path(printed.splitlines()[-1]).read_text())


def test_the_first_workflow_runs_offline_by_itself(run, tmp_path):
    status, out, err = run()
    assert status == 0
    assert out == f"{tmp_path / 'out' / 'a cat.mp4'}\n"
    assert err.startswith("Offline mode: ")
    assert "[2] DashScopeWanImageToVideo:  50%  running" in err
    made = receipt(out)
    assert made["size"] == [1, 512, 512, 3]
    assert made["region"] == "offline"
    assert made["moved"] is None
    assert made["home"] == str(tmp_path / "out" / ".wan")


def test_image_prompt_and_model_can_be_replaced(run):
    image = ROOT / "cli" / "pictures" / "astronaut.png"
    status, out, _ = run("--image", image, "--prompt", "a person", "--model", "m2")
    assert status == 0
    assert out.endswith("a person.mp4\n")
    assert receipt(out)["size"] == [1, 512, 512, 3]
    assert receipt(out)["model"] == "m2"


def test_live_leaves_region_and_connections_alone(run):
    connection = {"class_type": "DashScopeWanConnection", "inputs": {"region": "singapore"}}
    graph = {"1": LOADER, "2": wan("a cat", connection=["3", 0]), "3": connection}
    _, out, err = run("--live", graph=graph)
    assert "Offline" not in err
    made = receipt(out)
    assert (made["region"], made["connection"], made["home"]) == ("beijing", "singapore", str(Path("/paid")))
    _, out, _ = run(graph=graph)
    assert (receipt(out)["region"], receipt(out)["connection"]) == ("offline", "offline")


def test_images_are_looked_for_beside_the_workflow_too(run, root, tmp_path):
    _, out, _ = run(graph={"1": LOADER, "2": wan("a cat")})
    assert receipt(out)["inputs"][:2] == [str(root / "workflows"), str(tmp_path)]


def test_the_last_clip_of_a_chain_is_the_last_line(run):
    graph = {
        "1": wan("last", image=["2", 0], connection=["4", 0]),
        "2": LOADER,
        "3": wan("first", image=["2", 0]),
        "4": {"class_type": "Joint", "inputs": {"video": ["3", 1]}},
        "5": wan("beside", image=["2", 0]),
    }
    status, out, _ = run(graph=graph)
    assert status == 0
    assert [Path(line).name for line in out.splitlines()][-1] == "last.mp4"
    assert sorted(Path(line).name for line in out.splitlines()) == ["beside.mp4", "first.mp4", "last.mp4"]


def test_texts_and_images_that_nodes_show_are_named(run, tmp_path):
    graph = {
        "1": LOADER,
        "2": {"class_type": "PreviewAny", "inputs": {"source": "a text"}},
        "3": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "sub/cat"}},
        "4": {"class_type": "PreviewImage", "inputs": {"images": ["1", 0]}},
    }
    status, out, err = run(graph=graph)
    assert (status, out) == (0, "")
    assert "[2] PreviewAny: a text\n" in err
    assert f"[3] SaveImage: {tmp_path / 'out' / 'sub' / 'cat_00001_.png'}\n" in err
    assert "[4] PreviewImage: " in err


@pytest.mark.parametrize(
    ("graph", "reported"),
    [
        (
            {"1": LOADER, "2": wan("fail")},
            "Error: Node 2 (DashScopeWanImageToVideo) failed:\nValueError: the service said",
        ),
        ({"1": {"class_type": "KSampler", "inputs": {}}}, "node 1: there is no node class 'KSampler' here"),
        ({"1": LOADER, "2": wan("a cat", model="m3")}, "input 'model' is 'm3', and can be: m1, m2"),
        ({"1": {**LOADER, "inputs": {"image": "gone.png"}}, "2": wan("x")}, "there is no file 'gone.png'"),
        ({"nodes": []}, "This needs its API format"),
    ],
)
def test_what_goes_wrong_is_reported_in_words(run, graph, reported):
    status, out, err = run(graph=graph)
    assert status == 1
    assert out == ""
    assert reported in err
    assert "Traceback" not in err


def test_debug_shows_the_traceback_and_the_log(run):
    _, _, err = run("--debug", graph={"1": LOADER, "2": wan("fail")})
    assert "Traceback" in err
    _, _, err = run("--debug")
    assert "about to make a cat" in err
    _, _, err = run()
    assert "about to make" not in err


def test_a_pack_that_does_not_load_is_reported(tmp_path, capsys):
    (tmp_path / "__init__.py").write_text("import no_such_library\n")
    flow = tmp_path / "flow.json"
    flow.write_text(json.dumps({"1": LOADER}))
    assert main([str(flow), "--out", str(tmp_path / "out")], root=tmp_path) == 1
    assert "does not load:\nModuleNotFoundError: No module named 'no_such_library'" in capsys.readouterr().err


STARTER = """
import importlib.util, pathlib, sys
folder = pathlib.Path(sys.argv[1])
spec = importlib.util.spec_from_file_location(
    "cli", folder / "__init__.py", submodule_search_locations=[str(folder)])
sys.modules["cli"] = importlib.util.module_from_spec(spec)
from cli.run import main
sys.exit(main(sys.argv[3:], root=pathlib.Path(sys.argv[2])))
"""


def test_ctrl_c_lets_the_nodes_clean_up_and_ends_with_130(root, tmp_path):
    command = [sys.executable, "-c", STARTER, str(ROOT / "cli"), str(root)]
    command += ["--prompt", "wait", "--out", str(tmp_path)]
    with children.start(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        assert "Offline" in child.stderr.readline()
        assert "running" in child.stderr.readline()
        children.interrupt(child)
        out, err = child.communicate(timeout=50)  # The node would wait for 60 s.
    assert child.returncode == 130
    assert out == ""
    assert err == "task-7 goes on at the service\nInterrupted.\n"


def test_the_folder_can_be_started_by_its_path(tmp_path):
    command = [sys.executable, str(ROOT / "cli" / "__main__.py"), "run", "no such.json"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)  # noqa: S603, PLW1510 - ours
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == "Error: There is no workflow file no such.json\n"
