"""A ComfyUI as far as the pack sees one: its modules, under their names, with nothing behind them."""

from __future__ import annotations

import sys
import time
from types import ModuleType, SimpleNamespace

import pytest


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
