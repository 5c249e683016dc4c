"""A ComfyUI as far as the pack sees one: its modules, under their names, with nothing behind them.

And the nodes as a graph calls them, with the mock server as the other side.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
import torch
from media import plain_images
from skipping import SkippingClock
from small_videos import nothing_is_drawn, small_videos


class FakeComfy:
    """What a test can see of ComfyUI and do to it. `bars` and `texts` hold (node id, value) in order."""

    def __init__(self, folder, interruption):
        self.folder = folder
        self.bars, self.texts = [], []
        self.interruption = type("InterruptProcessingException", (interruption,), {})
        self.args = SimpleNamespace(disable_metadata=False)
        self.stopped = False
        self.stop_at = None
        self.stopped_since = 0.0
        self.modules = {}

    def send_progress_text(self, text, node_id):
        """Show a text on a node; whoever sits before it presses Stop when it begins with `stop_at`."""
        self.texts.append((node_id, text))
        if self.stop_at and text.startswith(self.stop_at) and not self.stopped_since:
            self.stopped, self.stopped_since = True, time.monotonic()

    def throw_if_stopped(self):
        """Clear the flag and raise, as ComfyUI does: only one of the waiting nodes sees it."""
        if self.stopped:
            self.stopped = False
            raise self.interruption

    def module(self, name, **attributes):
        module = ModuleType(name)
        vars(module).update(attributes)
        self.modules[name] = module
        parent, _, child = name.rpartition(".")
        if parent:
            setattr(self.modules[parent], child, module)


def fake_modules(comfy):
    class ProgressBar:
        def __init__(self, total, node_id=None):
            self.total, self.node_id = total, node_id

        def update_absolute(self, value, total=None):
            comfy.throw_if_stopped()
            comfy.bars.append((self.node_id, value / (total or self.total)))

    class VideoFromFile:
        def __init__(self, file):
            self.file = file

        def get_stream_source(self):
            return self.file

    comfy.module(
        "folder_paths",
        get_output_directory=lambda: str(comfy.folder / "output"),
        get_input_directory=lambda: str(comfy.folder / "input"),
        get_temp_directory=lambda: str(comfy.folder / "temp"),
        get_user_directory=lambda: str(comfy.folder / "user"),
        get_system_user_directory=lambda name: str(comfy.folder / "user" / f"__{name}"),
    )
    comfy.module("comfy")
    comfy.module("comfy.utils", ProgressBar=ProgressBar)
    comfy.module(
        "comfy.model_management",
        processing_interrupted=lambda: comfy.stopped,
        throw_exception_if_processing_interrupted=comfy.throw_if_stopped,
    )
    comfy.module("comfy.cli_args", args=comfy.args)
    comfy.module("comfy_api")
    comfy.module("comfy_api.latest", InputImpl=SimpleNamespace(VideoFromFile=VideoFromFile))
    comfy.module("server", PromptServer=SimpleNamespace(instance=comfy))


@pytest.fixture
def make_comfy(monkeypatch, tmp_path):
    """Put a ComfyUI into this process. Its interruption is an Exception before v0.20.0 and a BaseException since."""

    def make(interruption=BaseException):
        comfy = FakeComfy(tmp_path / "comfy", interruption)
        fake_modules(comfy)
        for name, module in comfy.modules.items():
            monkeypatch.setitem(sys.modules, name, module)
        return comfy

    return make


@pytest.fixture
def comfy(make_comfy):
    return make_comfy()


@pytest.fixture(scope="session", autouse=True)
def one_thread_of_torch():
    """Tensors are small here: several threads would mostly wait for one another, and for those of the other tests."""
    torch.set_num_threads(1)


@pytest.fixture(scope="module", autouse=True)
def videos_are_small():
    """The mock server's videos have a quarter of their width and height, which is quick."""
    with small_videos():
        yield


@pytest.fixture
def videos_of_half_size():
    """Videos that are large enough for the service to go on from."""
    with small_videos(2):
        yield


@pytest.fixture
def quick():
    """Waiting takes no time, but for what is drawn meanwhile."""
    from wanpack.nodes import host

    before = host.configure(clock=SkippingClock(ready=nothing_is_drawn))
    yield
    host.configure(clock=before.clock)


@pytest.fixture(scope="module", autouse=True)
def rates_do_not_count():
    """The mock server takes any number of requests: its rates are of real seconds, which `quick` skips."""
    from wanpack.offline import server as offline

    kept = offline.RateEnforcer
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(offline, "RateEnforcer", lambda clock, **_: kept(clock, enforced=False))
        yield


@pytest.fixture
def own_offline_region(monkeypatch):
    """A mock server for the region "offline" that this process has not used before. Tasks end at once."""
    from wanpack.offline import server as offline
    from wanpack.offline.tasks import Timing

    with offline.OfflineServer(timing=Timing(scale=0), enforce_rates=False) as server:
        monkeypatch.setattr(offline, "shared_servers", [server])
        yield


@pytest.fixture
def serve(bare_environment, standalone_host, server_key):
    """Start the mock server as a region's URL, which the owner's settings then lead to. Tasks end at once."""
    from mock_server import MockServer
    from wanpack.offline.tasks import Timing

    started = []

    def start(region, **settings):
        usual = {"timing": Timing(scale=0), "key": server_key}
        server = MockServer(**{"region": region, **usual, **settings}).start()
        started.append(server)
        for name, value in (("REGION", region), ("BASE_URL", server.base_url), ("API_KEY", server.key)):
            bare_environment.setenv(f"DASHSCOPE_{name}", value)
        return server

    yield start
    for server in started:
        server.stop()


class Nodes:
    """The nodes, called as ComfyUI calls them, with a small grey image and cheap settings where none are given."""

    @staticmethod
    def image(count=1, *, side=240):
        """IMAGE of plain images, each of another grey."""
        return plain_images(count, side=side)

    @classmethod
    def settings_for(cls, model):
        """Settings of the main node that the model takes, with the media that it needs."""
        from wanpack.wan.catalog.models import MODELS

        row = MODELS[model]
        settings = {"model": model, "resolution": row.resolutions[0], "duration": 5}
        settings["image"] = cls.image(side=row.image_limits.sides[0])
        needed = row.missing_media("first_frame")
        return settings | {kind: cls.image(side=260) for kind in needed}

    @staticmethod
    def connection(region, **settings):
        """What the Connection node gives."""
        from wanpack.nodes.connection import DashScopeWanConnection

        [connection] = DashScopeWanConnection().connect(region, **settings)
        return connection

    def image_to_video(self, **settings):
        """The one video of the main node: its path, video, task id and receipt."""
        from wanpack.nodes.image_to_video import DashScopeWanImageToVideo

        cheap = {"prompt": "a cat runs", "model": "wanx2.1-i2v-turbo", "resolution": "480P", "duration": 3}
        return self._one(DashScopeWanImageToVideo(), {"image": self.image(), **cheap, **settings})

    def effect(self, **settings):
        """The one video of the effect node."""
        from wanpack.nodes.video_effect import DashScopeWanVideoEffect

        cheap = {"template": "flying", "model": "wanx2.1-i2v-turbo", "resolution": "480P", "duration": 3}
        return self._one(DashScopeWanVideoEffect(), {"image": self.image(), **cheap, **settings})

    def continue_video(self, **settings):
        """The one video of the Continue node."""
        from wanpack.nodes.continue_video import DashScopeWanContinueVideo

        cheap = {"prompt": "the cat turns", "model": "wan2.7-i2v", "resolution": "720P", "duration": 5}
        return self._one(DashScopeWanContinueVideo(), {**cheap, **settings})

    def text_to_video(self, **settings):
        """The one video of the text node."""
        from wanpack.nodes.text_to_video import DashScopeWanTextToVideo

        cheap = {"prompt": "a cat runs", "model": "wan2.2-t2v-plus", "resolution": "480P"}
        return self._one(DashScopeWanTextToVideo(), {**cheap, **settings})

    def reference_to_video(self, **settings):
        """The one video of the reference node."""
        from wanpack.nodes.reference_to_video import DashScopeWanReferenceToVideo

        cheap = {"prompt": "a cat runs", "model": "wan2.7-r2v", "resolution": "720P", "duration": 2}
        return self._one(DashScopeWanReferenceToVideo(), {**cheap, **settings})

    def edit(self, **settings):
        """The one video of the edit node."""
        from wanpack.nodes.video_edit import DashScopeWanVideoEdit

        cheap = {"prompt": "make it snow", "model": "wan2.7-videoedit", "resolution": "720P"}
        return self._one(DashScopeWanVideoEdit(), {**cheap, **settings})

    def fetch(self, task_id, **settings):
        """The video of a task."""
        from wanpack.nodes.fetch_task import DashScopeWanFetchTask

        return self._one(DashScopeWanFetchTask(), {"task_id": task_id, **settings})

    def last_frame(self, **settings):
        """The IMAGE of the last frame."""
        from wanpack.nodes.last_frame import DashScopeWanLastFrame

        [image] = asyncio.run(DashScopeWanLastFrame().extract(**settings))
        return image

    @staticmethod
    def _one(node, settings):
        shown = asyncio.run(getattr(node, node.FUNCTION)(**settings))
        [path], [video], [task_id], [receipt] = shown["result"]
        return SimpleNamespace(path=Path(path), video=video, task_id=task_id, receipt=json.loads(receipt))


@pytest.fixture
def nodes():
    return Nodes()


@pytest.fixture
def asked(quick):
    """Call a node for real and return the create call that it sent. The task fails, so that nothing is rendered."""
    from mock_faults import TaskFails
    from wanpack.wan.api.errors import ServiceError

    def call(server, node, **settings):
        server.faults.add(on="create", fault=TaskFails())
        before = len(server.received)
        with pytest.raises(ServiceError, match=r"InternalError\.Algo"):
            node(**settings)
        [create] = [one for one in server.received[before:] if one.on == "create"]
        return create

    return call


@pytest.fixture
def refused():
    """Call a node that must refuse, and return its faults. Nothing may have been sent."""
    from wanpack.nodes import host
    from wanpack.wan.errors import InvalidRequest
    from wanpack.wan.tasks.retry import Clock

    def call(server, node, *arguments, **settings):
        before = len(server.received)
        # A node that sends it after all is not waited for.
        clock = host.configure(clock=Clock(0.001)).clock
        with pytest.raises(InvalidRequest) as caught:
            node(*arguments, **settings)
        host.configure(clock=clock)
        assert len(server.received) == before
        assert str(caught.value).endswith("\nNothing was submitted; nothing was charged.")
        return list(caught.value.problems)

    return call
