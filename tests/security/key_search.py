"""A program that runs every node through success and many failures with a marked key, and keeps all that comes of it.

`python key_search.py FOLDER SECRETS`: all that it makes is in FOLDER, but for the keys in use, which stand in SECRETS.
It prints and logs as a ComfyUI would with every log at DEBUG, and writes down each error with all that hangs on it.
"""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import importlib.util
import json
import logging
import os
import pickle
import shutil
import sys
import tempfile
import traceback
from pathlib import Path
from urllib.parse import quote

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))
import torch  # noqa: E402 - after the path, as the modules below
from media import audio, plain_images  # noqa: E402 - found by the line above

MODEL = {"model": "wanx2.1-i2v-turbo", "resolution": "480P", "duration": 3}
ALWAYS = 1000


def load(name, path, **options):
    spec = importlib.util.spec_from_file_location(name, path, **options)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def say(text):
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


class Run:
    """One process as a ComfyUI: folders, an environment with the key, the mock server in the service's place."""

    def __init__(self, folder, secrets):
        self.folder, self.secrets = folder, secrets
        self.key = os.environ["DASHSCOPE_API_KEY"]
        self.succeeded, self.failed = [], []
        # Then frames of the node itself hold it as their input.
        self.key_is_in_the_graph = True
        self.errors = (folder / "errors.txt").open("a", encoding="utf-8", errors="backslashreplace")
        self.frames = (folder / "frames.txt").open("a", encoding="utf-8", errors="backslashreplace")
        self.history = (folder / "history.jsonl").open("a", encoding="utf-8", errors="backslashreplace")
        handler = logging.FileHandler(folder / "all.log", encoding="utf-8", errors="backslashreplace")
        logging.basicConfig(level=logging.DEBUG, handlers=[handler, logging.StreamHandler()])
        sys.path.insert(0, str(ROOT / "tests" / "support"))
        load("wanpack", ROOT / "__init__.py", submodule_search_locations=[str(ROOT)])
        fake = load("fake_comfyui", ROOT / "tests" / "nodes" / "conftest.py")
        self.comfy = fake.FakeComfy(folder / "comfy", BaseException)
        fake.fake_modules(self.comfy)
        sys.modules.update(self.comfy.modules)
        self.values_held_by = load("common", ROOT / "tests" / "conftest.py").values_held_by
        # Somebody has put the key into another node of the same graph.
        self.graph = {"9": {"class_type": "OtherNode", "inputs": {"token": self.key, "also": quote(self.key + "=")}}}

    def node(self, name, **inputs):
        """Run a node and write down what ComfyUI would keep of it."""
        from wanpack import NODE_CLASS_MAPPINGS

        made = NODE_CLASS_MAPPINGS[name]()
        if name.endswith(("Video", "Effect", "Edit", "Task")):
            graph = self.graph if self.key_is_in_the_graph else {}
            inputs |= {"unique_id": "1", "graph": graph, "extra_pnginfo": {"workflow": {"nodes": [graph]}}}
        called = getattr(made, made.FUNCTION)(**inputs)
        result = asyncio.run(called) if asyncio.iscoroutine(called) else called
        self.history.write(json.dumps({"node": name, "outputs": result}, default=repr, ensure_ascii=False) + "\n")
        self.succeeded.append(name)
        return result

    def fails(self, name, call):
        """Make a call that fails and write down all that its error has to tell."""
        say(f"== {name}")
        try:
            call()
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is searched
            self.failed.append(name)
            self._write_down(name, error)
        else:
            raise AssertionError(f"{name} did not fail")

    def _write_down(self, name, error):
        say(f"!!! Exception during processing !!! {error}")
        reported = [f"== {name}", str(error), repr(error), "".join(traceback.format_exception(error))]
        seen, rest = set(), [error]
        while rest:
            one = rest.pop()
            if one is None or id(one) in seen:
                continue
            seen.add(id(one))
            rest += [one.__cause__, one.__context__]
            reported += [repr(one.args), repr(vars(one)), *self._requests_of(one)]
            with contextlib.suppress(Exception):  # Not every error can be pickled; one that can is searched so too.
                reported.append(repr(pickle.dumps(one)))
            # What it follows from has its own turn.
            told = traceback.format_exception(type(one), one, one.__traceback__, chain=False)
            logging.getLogger("dashscope_wan").error("failed: %s\n%s", one, "".join(told))
        self.errors.write("\n".join(reported) + "\n")
        if not self.key_is_in_the_graph:
            self.frames.write("\n".join([f"== {name}", *self.values_held_by(error)]) + "\n")

    @staticmethod
    def _requests_of(error):
        request = getattr(error, "request", None)
        return [] if request is None else [repr(getattr(request, "headers", "")), repr(vars(request))]


def spoken(key):
    """The key as a server could quote it."""
    return f"no: {key}, Bearer {key}, {quote(key)}, {key.upper()}, {json.dumps(key)}"


def successes(run):
    """Every node, once at least, and what comes of running the same again."""
    made = run.node("DashScopeWanImageToVideo", image=plain_images(), prompt="a cat", shot_type="single", **MODEL)
    run.node("DashScopeWanImageToVideo", image=plain_images(), prompt="a cat", shot_type="single", **MODEL)
    path, task_id = made["result"][0][0], made["result"][2][0]
    run.node("DashScopeWanVideoEffect", image=plain_images(), template="flying", **MODEL)
    sounding = {"model": "wan2.6-i2v-flash", "resolution": "720P", "duration": 2}
    sung = run.node("DashScopeWanImageToVideo", image=plain_images(), prompt="a cat sings", audio=audio(), **sounding)
    going_on = {"model": "wan2.7-i2v", "resolution": "720P", "duration": 3, "video_path": sung["result"][0][0]}
    run.node("DashScopeWanContinueVideo", prompt="it bows", **going_on)
    run.node("DashScopeWanTextToVideo", prompt="a cat", model="wan2.2-t2v-plus", resolution="480P", ratio="1:1")
    of_a_cat = {"prompt": "Image 1 sings", "model": "wan2.7-r2v", "resolution": "720P", "duration": 2}
    run.node("DashScopeWanReferenceToVideo", reference_1=plain_images(), voice_1=audio(), **of_a_cat)
    changed = {"prompt": "snow", "model": "wan2.7-videoedit", "resolution": "720P"}
    run.node("DashScopeWanVideoEdit", video_path=sung["result"][0][0], **changed)
    run.node("DashScopeWanLastFrame", video_path=path)
    run.node("DashScopeWanJoinVideos", video_paths=[f"{path}\n{path}"])
    connection = run.node("DashScopeWanConnection", region="beijing", workspace_id="", max_wait_minutes=60)[0]
    run.node("DashScopeWanFetchTask", task_id=task_id, connection=connection)
    return task_id


def service_failures(run, server):
    """What the service, its storage and the network can do. The server quotes the key wherever it can."""
    import mock_faults as kinds

    said = spoken(run.key)
    wrong = kinds.JsonBody(
        {"output": {"task_id": run.key, "task_status": said}, "data": {said: said}, "request_id": said}
    )
    reported = {
        "400": kinds.ErrorResponse(400, f"Invalid.{run.key}", said),
        "401": kinds.ErrorResponse(401, "InvalidApiKey", said),
        "403": kinds.ErrorResponse(403, "AccessDenied", said),
        "418": kinds.ErrorResponse(418, said, said),
        "a page": kinds.HtmlPage(404, title=said),
        "odd JSON": wrong,
        "a huge body": kinds.HugeBody(),
        "a redirect": kinds.Redirect(f"http://127.0.0.1:9/?{run.key}"),
        "a reset": kinds.ResetBeforeBody(),
    }
    seeds = iter(range(100, 1000))

    def make(**more):
        settings = {
            "image": plain_images(),
            "prompt": "a cat",
            "shot_type": "single",
            "seed": next(seeds),
            **MODEL,
            **more,
        }
        run.node("DashScopeWanImageToVideo", **settings)

    sounding = {"audio": audio(), "model": "wan2.6-i2v-flash", "resolution": "720P", "duration": 2}
    plain = [
        *((on, name) for on in ("create", "query") for name in reported),
        *(("download", name) for name in ("403", "400", "a page", "a redirect")),
        *(("policy", name) for name in ("401", "odd JSON")),
        *(("upload", name) for name in ("400", "a reset")),
    ]
    clip = next((run.folder / "comfy" / "output" / "wan").glob("continue*.mp4"))
    going_on = {"model": "wan2.7-i2v", "resolution": "720P", "duration": 5, "video_path": str(clip)}
    for name in ("401", "odd JSON"):
        server.faults.clear()
        server.faults.add(on="policy", fault=reported[name], times=ALWAYS)
        run.fails(f"clip: {name}", lambda: run.node("DashScopeWanContinueVideo", prompt="it bows", **going_on))
    for on, name in plain:
        server.faults.clear()
        server.faults.add(on=on, fault=reported[name], times=ALWAYS)
        run.fails(f"{on}: {name}", lambda on=on: make(**(sounding if on in ("policy", "upload") else {})))
    reported["make"] = make
    server.faults.clear()
    return reported


def task_failures(run, server, task_id, reported):
    """What can become of a task that was created, and Stop."""
    import mock_faults as kinds

    said, make = spoken(run.key), reported["make"]
    orders = {
        "the task fails": [("create", kinds.TaskFails(f"Bad.{run.key}", said))],
        "the task is unknown": [("query", kinds.UnknownStatus(), ALWAYS)],
        "the answer is lost, and the list too": [
            ("create", kinds.ResetAfterActing()),
            ("list", reported["403"], ALWAYS),
        ],
        "throttled": [("create", kinds.Throttling(message=said), ALWAYS)],
        "the answer breaks off": [("create", kinds.Truncated(5)), ("list", reported["a reset"], ALWAYS)],
        "the video breaks off": [("download", kinds.Truncated(0), ALWAYS)],
        "one of a batch fails": [("create", reported["400"], 1, 1)],
    }
    for name, ordered in orders.items():
        server.faults.clear()
        for on, fault, *more in ordered:
            server.faults.add(on=on, fault=fault, **dict(zip(("times", "after"), more, strict=False)))
        run.fails(name, lambda name=name: make(**({"image": plain_images(3)} if "batch" in name else {})))
    server.faults.clear()
    server.faults.add(on="query", fault=reported["403"], times=ALWAYS)
    run.fails("fetch: 403", lambda: run.node("DashScopeWanFetchTask", task_id=f"x{task_id}"))
    server.faults.clear()
    run.fails("fetch: unknown", lambda: run.node("DashScopeWanFetchTask", task_id=f"y{task_id}"))
    server.faults.add(on="create", fault=kinds.TaskStuck("RUNNING"))
    run.comfy.stop_at = "rendering"
    run.fails("Stop", make)
    run.comfy.stop_at = None
    server.faults.clear()


def make_dog(run, **more):
    settings = {"image": plain_images(), "prompt": "a dog", "shot_type": "single", "seed": 7, **MODEL, **more}
    run.node("DashScopeWanImageToVideo", **settings)


def values_failures(run):
    """What can be wrong with the workflow's values, the key among them."""
    from wanpack import NODE_CLASS_MAPPINGS

    key = run.key
    for name, more in {
        "the key as the prompt": {"prompt": key},
        "the key in the prompt, quoted": {"prompt": f"a {quote(key)} cat"},
        "the key in the address of the sound": {"audio_url": f"https://a.example/a.mp3?k={key}"},
        "the key as the prefix": {"filename_prefix": f"wan/{key}"},
        "the key as the model": {"model": key},
        "no picture": {"image": key},
        "no connection": {"connection": key},
        "no connection either": {"connection": {"region": key}},
    }.items():
        run.fails(name, lambda more=more: make_dog(run, **more))
    for name, choice in {
        "the key as the workspace": {"region": "beijing", "workspace_id": key},
        "the key as the region": {"region": key},
    }.items():
        connection = NODE_CLASS_MAPPINGS["DashScopeWanConnection"]().connect(**choice)[0]
        run.fails(name, lambda connection=connection: make_dog(run, connection=connection))
    run.fails("the key as the task", lambda: run.node("DashScopeWanFetchTask", task_id=key))
    run.fails("the key as the path", lambda: run.node("DashScopeWanLastFrame", video_path=f"/tmp/{key}.mp4"))  # noqa: S108 - is refused
    going_on = {"model": "wan2.7-i2v", "resolution": "720P", "duration": 5, "video_path": f"{key}.mp4"}
    run.fails("the key as the clip", lambda: run.node("DashScopeWanContinueVideo", prompt="it bows", **going_on))


def settings_failures(run):
    """What can be wrong with the machine's settings, the key among them."""
    key, base_url = run.key, os.environ["DASHSCOPE_BASE_URL"]
    home = run.folder / "comfy" / "user" / "__dashscope_wan" / "credentials.toml"
    for name, variable, value in (
        ("an address that is none", "DASHSCOPE_BASE_URL", f"http://{key}.example"),
        ("an address with the key", "DASHSCOPE_BASE_URL", f"https://{key}@a.example/?{key}"),
        ("an address where nobody is", "DASHSCOPE_BASE_URL", "http://127.0.0.1:9/api/v1"),
        ("a name that is none", "DASHSCOPE_BASE_URL", "https://dashscope.invalid/api/v1"),
        ("a key with a blank", "DASHSCOPE_API_KEY", f"{key} {key}"),
        ("a key with a line break", "DASHSCOPE_API_KEY", f"{key}\r\nX: {key}"),
        ("another key", "DASHSCOPE_API_KEY", f"{key}-and-more"),
        ("no certificates", "REQUESTS_CA_BUNDLE", f"/nowhere/{key}.pem"),
    ):
        before = os.environ.get(variable)
        os.environ[variable] = value
        if variable == "REQUESTS_CA_BUNDLE":
            os.environ["DASHSCOPE_BASE_URL"] = "https://dashscope.invalid/api/v1"
        run.fails(name, lambda: make_dog(run))
        os.environ["DASHSCOPE_BASE_URL"] = base_url
        os.environ.pop(variable) if before is None else os.environ.__setitem__(variable, before)
    for name, content in {
        "a file that is no TOML": f"api_key = {key}\n".encode(),
        "a file with a key twice": f'api_key = "{key}"\napi_key = "{key}"\n'.encode(),
        "a file of another encoding": f'api_key = "{key}"'.encode("utf-16"),
        "a file of odd bytes": b'api_key = "' + key.encode() + b'\xff"',
    }.items():
        home.write_bytes(content)
        run.fails(name, lambda: make_dog(run))
        # Here the key may stand: it is taken away before the search.
        home.unlink()


def panel_answers(run, server, reported):
    """What the task panel's routes answer, and send to the pages, of all that has happened and of new failures."""
    import mock_faults as kinds
    import pytest
    from panel_server import PanelServer, add_records, create_task

    said = spoken(run.key)
    create = [create_task(server) for _ in range(3)]
    server.faults.add(on="create", fault=kinds.TaskStuck("PENDING"))
    add_records(*({"task_id": task} for task in [*create, create_task(server)]))
    with (
        (run.folder / "panel.jsonl").open("w", encoding="utf-8", errors="backslashreplace") as kept,
        pytest.MonkeyPatch.context() as patch,
        PanelServer(patch) as panel,
    ):

        def keep(response):
            kept.write(json.dumps([response.url, response.status_code, dict(response.headers), response.text]) + "\n")
            return response

        rows = keep(panel.get("tasks?limit=2000")).json()["tasks"]
        keep(panel.get("tasks?state=lost"))
        keep(panel.get("spend"))
        for row in [row for row in rows if row["file"]][:2]:
            assert keep(panel.get(f"poster/{row['id']}")).status_code == 200
        queued, *finished = [row for row in rows if row["can_cancel"]][:4]
        for on in ("query", "download"):
            server.faults.add(on=on, fault=reported["403"], times=ALWAYS)
            for row in finished[:2]:
                keep(panel.post("fetch", row["id"]))
            panel.wait_for_fetches()
            server.faults.clear()
        for name in ("401", "odd JSON", "a page"):
            server.faults.add(on="cancel", fault=reported[name])
            assert keep(panel.post("cancel", queued["id"])).status_code == 502
        assert keep(panel.post("cancel", queued["id"])).json()["canceled"]
        keep(panel.post("fetch", finished[2]["id"]))
        panel.wait_for_fetches()
        for path in ("fetch", "cancel"):
            assert keep(panel.post(path, said)).status_code == 404
        kept.writelines(f"{json.dumps(message)}\n" for message in panel.sent)


def main(folder, secrets):
    faulthandler.dump_traceback_later(100, exit=True)
    run = Run(folder, secrets)
    # Frames hold images, of which a corner is enough.
    torch.set_printoptions(edgeitems=1)
    from mock_server import MockServer
    from skipping import SkippingClock
    from small_videos import nothing_is_drawn, small_videos
    from wanpack.nodes import host
    from wanpack.offline.server import shared_server
    from wanpack.offline.tasks import Timing
    from wanpack.wan.tasks.retry import Clock

    mock_server = MockServer(region="beijing", key=run.key, timing=Timing(scale=0))
    # Half of the width and height is enough for the service to go on from.
    with small_videos(2), mock_server as server:
        os.environ |= {"DASHSCOPE_REGION": "beijing", "DASHSCOPE_BASE_URL": server.base_url}
        host.configure(clock=SkippingClock(ready=nothing_is_drawn))
        task_id = successes(run)
        host.configure(clock=Clock(0.0005))
        run.key_is_in_the_graph = False
        reported = service_failures(run, server)
        task_failures(run, server, task_id, reported)
        panel_answers(run, server, reported)
        run.key_is_in_the_graph = True
        values_failures(run)
        settings_failures(run)
        host.configure(clock=Clock(0.05))
        offline = run.node("DashScopeWanConnection", region="offline")[0]
        shared_server().state.tasks.timing = Timing(scale=0)
        run.node(
            "DashScopeWanImageToVideo",
            image=plain_images(),
            prompt="",
            shot_type="single",
            connection=offline,
            **MODEL,
        )
        secrets.write_text(json.dumps([run.key, shared_server().key]))
        # What lies in the temporary folder while the mock servers run.
        shutil.copytree(tempfile.gettempdir(), folder / "temp while it runs")
    run.errors.close()
    run.frames.close()
    run.history.close()
    from wanpack import NODE_CLASS_MAPPINGS

    say(json.dumps({"succeeded": run.succeeded, "failed": run.failed, "nodes": sorted(NODE_CLASS_MAPPINGS)}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
