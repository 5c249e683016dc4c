"""Loads the pack as ComfyUI does: by its path, under a name that is no import name, so that only relative imports work.

And the two things that tests of several folders want: a bare environment, and the stand-in in the place of a region.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

if "wanpack" not in sys.modules:
    spec = importlib.util.spec_from_file_location(
        "wanpack", ROOT / "__init__.py", submodule_search_locations=[str(ROOT)]
    )
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["wanpack"] = module
    spec.loader.exec_module(module)

_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture
def bare_environment(monkeypatch):
    """No settings, proxies or credentials of the machine that runs the tests."""
    for name in list(os.environ):
        if name.startswith("DASHSCOPE_") or name.lower() in _PROXIES or name == "NETRC":
            monkeypatch.delenv(name)
    return monkeypatch


@pytest.fixture
def standalone_host(tmp_path):
    """The pack's folders without ComfyUI, all in the test's own folder. Returns the `host` module."""
    from wanpack.nodes import host

    before = host._standalone
    host.configure(
        output_folder=tmp_path / "output",
        input_folders=(tmp_path / "input",),
        temp_folder=tmp_path / "temp",
        home=tmp_path / ".wan",
    )
    yield host
    host._standalone = before


@pytest.fixture
def live_server(bare_environment, standalone_host):
    """The stand-in as Beijing's address: tasks end as soon as their video is rendered."""
    from wanpack.nodes.offline.server import OfflineServer
    from wanpack.nodes.offline.tasks import Timing

    with OfflineServer(region="beijing", timing=Timing(scale=0)) as server:
        bare_environment.setenv("DASHSCOPE_REGION", "beijing")
        bare_environment.setenv("DASHSCOPE_BASE_URL", server.base_url)
        bare_environment.setenv("DASHSCOPE_API_KEY", server.key)
        yield server
