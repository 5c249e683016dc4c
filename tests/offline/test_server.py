"""Starting and stopping, the shared server, threads."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
from wanpack.offline import render
from wanpack.offline import server as module
from wanpack.offline.scene import Interrupted
from wanpack.offline.server import OfflineServer, shared_server

ROOT = Path(__file__).resolve().parents[2]
_LIGHT = """
import importlib, sys, types
pack = types.ModuleType("wanpack")
pack.__path__ = [sys.argv[1]]
sys.modules["wanpack"] = pack
importlib.import_module("wanpack.offline.server")
print([name for name in ("av", "PIL", "numpy", "torch", "requests") if name in sys.modules])
"""


def ours():
    return [thread for thread in threading.enumerate() if thread.name.startswith(("offline-", "Thread-"))]


def test_importing_the_server_brings_nothing_heavy():
    command = [sys.executable, "-c", _LIGHT, str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - our own program
    assert done.stdout.strip() == "[]"


def test_a_stopped_server_leaves_nothing_behind(kit, until, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = ours()
    with OfflineServer() as server:
        api = kit.api(server)
        api.submit(kit.body("wan2.2-i2v-flash", parameters={"resolution": "1080P"}))
        assert list(tmp_path.iterdir())
        address = server.base_url
    api.session.close()
    assert not list(tmp_path.iterdir())
    assert until(lambda: ours() == before)
    with pytest.raises(requests.ConnectionError):
        requests.get(address, timeout=2)


def test_what_a_killed_process_left_behind_is_swept_up_after_a_week(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for name, days in (("wan-offline-old", 8), ("wan-offline-new", 6), ("other-old", 8)):
        (tmp_path / name / "videos").mkdir(parents=True)
        for path in (tmp_path / name / "videos", tmp_path / name):
            os.utime(path, times=(0, time.time() - days * 24 * 3600))
    with OfflineServer():
        assert not (tmp_path / "wan-offline-old").exists()
    assert {path.name for path in tmp_path.iterdir()} == {"wan-offline-new", "other-old"}


def test_stopping_gives_up_what_is_being_rendered(kit, monkeypatch, stop_at_once):
    begun = threading.Event()

    def endless(scene, path, *, wanted):
        begun.set()
        while wanted():
            time.sleep(0.01)
        raise Interrupted

    monkeypatch.setattr(render, "render", endless)
    server = OfflineServer().start()
    api = kit.api(server)
    api.submit(kit.body())
    api.session.close()
    assert begun.wait(30)
    stop_at_once(server)
    assert [task.video for task in server.tasks] == [None]


def test_stopping_ends_idle_connections(stop_at_once):
    server = OfflineServer().start()
    address = urlsplit(server.base_url)
    with socket.create_connection((address.hostname, address.port), timeout=30) as idle:
        idle.sendall(f"GET /api/v1/tasks/x HTTP/1.1\r\nHost: {address.netloc}\r\n\r\n".encode())
        assert idle.recv(1000).startswith(b"HTTP/1.1 401")
        stop_at_once(server)
        while idle.recv(1000):
            pass


def test_a_server_starts_once_and_stops_any_number_of_times():
    server = OfflineServer()
    with pytest.raises(RuntimeError, match="not started"):
        assert server.base_url
    server.start()
    with pytest.raises(RuntimeError, match="started before"):
        server.start()
    server.stop()
    server.stop()
    with pytest.raises(RuntimeError, match="started before"):
        server.start()


def test_it_listens_on_this_machine_only(api):
    assert api.server.base_url.startswith("http://127.0.0.1:")
    assert api.server.base_url.endswith("/api/v1")


def test_key_and_region_can_be_given(make_server):
    assert make_server(key="mine").server.key == "mine"
    with pytest.raises(ValueError, match="No such region"):
        OfflineServer(region="mars")


def test_the_shared_server_is_one_for_the_process(monkeypatch, kit):
    monkeypatch.setattr(module, "shared_servers", [])
    found: list[OfflineServer] = []
    threads = [threading.Thread(target=lambda: found.append(shared_server())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    try:
        assert len(set(found)) == 1
        api = kit.api(found[0])
        assert api.get("/tasks/x").status_code == 200
        api.session.close()
    finally:
        found[0].stop()


def test_many_callers_at_once(api, kit):
    responses: list[int] = []
    body = kit.body(input={"img_url": None})

    def call():
        mine = kit.api(api.server)
        responses.extend(mine.create(body).status_code for _ in range(5))
        mine.session.close()

    threads = [threading.Thread(target=call) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert responses == [200] * 40
    assert len({task.id for task in api.server.tasks}) == 40


def test_old_requests_are_forgotten(api, kit):
    for _ in range(12):
        api.create(kit.body(input={"img_url": None, "prompt": "x" * 6_000_000}))
    assert len(api.server.received) == 11
    assert sum(one.size for one in api.server.received) <= 64 * 1024 * 1024


def test_a_video_that_cannot_be_made_fails_as_the_service_says(api, kit, monkeypatch, caplog):
    def broken(*given, **more):
        raise OSError("no codec")

    monkeypatch.setattr(render, "render", broken)
    assert api.failure(kit.body()) == ("InternalError.Algo", "inference internal error.")
    assert "could not render" in caplog.text
    monkeypatch.undo()
    assert api.ended(kit.body())["output"]["task_status"] == "SUCCEEDED"


def test_a_mistake_of_our_own_is_a_500_and_in_the_log(api, kit, monkeypatch, caplog):
    from wanpack.offline import handlers

    api.submit(kit.body(input={"img_url": None}))
    monkeypatch.setattr(handlers, "serialize_list_row", lambda *given, **more: 1 / 0)
    response = api.get("/tasks/")
    assert (response.status_code, response.json()["code"]) == (500, "InternalError")
    assert "ZeroDivisionError" in caplog.text
