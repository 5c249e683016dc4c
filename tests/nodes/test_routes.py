"""The task panel's routes: the ledger's tasks, posters, spending, and work on a task without a graph."""

from __future__ import annotations

import io
import json
import sqlite3
import sys
import time
from types import SimpleNamespace

import pytest
from mock_faults import ErrorResponse, TaskStuck
from panel_server import PanelServer, add_records, create_task
from PIL import Image
from platforms import needs_symlinks
from wanpack.nodes import routes as routes_module

TASKS = "dashscope_wan.task"
FETCH = "dashscope_wan.fetch"
NOBODY = "0123456789abcdef"


@pytest.fixture
def panel(live_server, quick, monkeypatch):
    with PanelServer(monkeypatch) as server:
        yield server


def listed(panel, query=""):
    response = panel.get(f"tasks?{query}")
    assert response.status_code == 200, response.text
    return response.json()


def error_of(response):
    return response.json()["error"]["message"]


def state_of(panel, record):
    return next(row["state"] for row in listed(panel)["tasks"] if row["id"] == record.id)


# What is shown


def test_a_video_of_a_node_is_listed_with_its_poster_and_price(panel, live_server, nodes, tmp_path):
    made = nodes.image_to_video(prompt="a cat\nand more")
    page = listed(panel)
    [row] = page["tasks"]
    assert (page["total"], page["next"]) == (1, 0)
    assert (row["state"], row["task_id"], row["prompt"]) == ("saved", made.task_id, "a cat")
    assert row["file"] == {"filename": "i2v_00001_.mp4", "subfolder": "wan", "type": "output"}
    assert (row["can_fetch"], row["can_cancel"]) == (False, False)
    spent = panel.get("spend").json()
    assert spent["today"] == {row["cost"]["currency"]: pytest.approx(row["cost"]["amount"])}

    poster = panel.get(f"poster/{row['id']}")
    assert (poster.status_code, poster.headers["Content-Type"]) == (200, "image/jpeg")
    assert Image.open(io.BytesIO(poster.content)).size[0] <= 320
    assert "private" in poster.headers["Cache-Control"]
    assert panel.get(f"poster/{row['id']}", If_None_Match=poster.headers["ETag"]).status_code == 304
    assert list(tmp_path.rglob("*.jp*g")) == []

    changes = [data["state"] for name, data in panel.sent if name == TASKS and data["id"] == row["id"]]
    assert list(dict.fromkeys(changes)) == ["submitting", "submitted", "succeeded", "saved"]
    everything = json.dumps([page, spent, panel.sent])
    for secret in (live_server.key, "Signature", str(tmp_path), live_server.base_url):
        assert secret not in everything


def test_a_poster_is_made_anew_for_another_file(panel, nodes):
    made = nodes.image_to_video()
    [row] = listed(panel)["tasks"]
    first = panel.get(f"poster/{row['id']}")
    other = nodes.image_to_video(image=nodes.image(2)[1:], seed=2)
    made.path.write_bytes(other.path.read_bytes() + b"\0\0\0\x08free")
    second = panel.get(f"poster/{row['id']}")
    assert second.headers["ETag"] != first.headers["ETag"]


def test_pages_and_filters(panel):
    models = ("wan2.6-i2v", "wanx2.1-i2v-turbo")
    made = add_records(
        *({"model": models[n % 2], "state": ("saved", "failed", "canceled")[n % 3], "created_at": n} for n in range(25))
    )
    ids, before = [], 0
    for _ in range(3):
        page = listed(panel, f"limit=10&before={before}")
        ids += [row["id"] for row in page["tasks"]]
        before = page["next"]
        assert page["total"] == 25
    assert (ids, before) == ([record.id for record in reversed(made)], 0)
    assert {row["model"] for row in listed(panel, "model=wan2.6-i2v")["tasks"]} == {"wan2.6-i2v"}
    some = listed(panel, "state=failed,canceled")
    assert {row["state"] for row in some["tasks"]} == {"failed", "canceled"}
    assert some["total"] == len(some["tasks"]) == 16
    assert listed(panel, "limit=999999")["total"] == 25
    for wrong in ("before=-1", "before=x", "limit=1e3", "state=lost", "before=1%00"):
        response = panel.get(f"tasks?{wrong}")
        assert response.status_code == 400, wrong
        assert error_of(response).startswith(("before: ", "limit: ", "state: "))


HOSTILE = "<img src=x onerror='window.hit=1'>\"'&\u202e"


def test_texts_come_as_they_are_but_without_secrets_and_paths(panel, live_server, tmp_path):
    link = "https://oss.example/a.mp4?Expires=1&OSSAccessKeyId=L&Signature=a%2Bb"
    error = (
        f"{live_server.key} {link}\n{tmp_path}/output/wan is full; see C:\\Users\\ann\\x.log and /home/ann/out/y.txt"
    )
    add_records({"model": HOSTILE, "task_id": HOSTILE, "prompt": f"{HOSTILE} {live_server.key}", "error": error})
    [row] = listed(panel)["tasks"]
    assert (row["model"], row["task_id"]) == (HOSTILE, HOSTILE)
    assert row["prompt"] == f"{HOSTILE} ***"
    assert row["error"].startswith("*** https://oss.example/a.mp4?Expires=1&OSSAccessKeyId=***")
    for secret in ("a%2Bb", str(tmp_path), "ann", live_server.key):
        assert secret not in json.dumps(row)


def test_a_ledger_that_cannot_be_read_says_why_without_a_path(panel, standalone_host, tmp_path):
    home = standalone_host.data_dir()
    home.mkdir(parents=True, exist_ok=True)
    with sqlite3.connect(home / "ledger.sqlite3") as database:
        database.execute("PRAGMA user_version = 999")
    for response in (panel.get("tasks"), panel.get("spend"), panel.get(f"poster/{NOBODY}")):
        assert response.status_code == 503
        assert "ledger.sqlite3 cannot be used" in error_of(response)
        assert str(tmp_path) not in response.text


def test_a_folder_in_the_ledgers_place_is_no_crash(panel, standalone_host):
    (standalone_host.data_dir() / "credentials.toml").mkdir(parents=True)
    response = panel.get("tasks")
    assert response.status_code == 400
    assert "credentials.toml cannot be read" in error_of(response)


# Whose tasks


@pytest.mark.parametrize("record_id", [NOBODY, "..", "x" * 16, "%2e%2e%2fpasswd", "0123456789ABCDEF", "' OR 1=1--"])
def test_an_id_that_the_ledger_does_not_know_gets_nothing(panel, live_server, record_id):
    before = len(live_server.received)
    assert panel.get(f"poster/{record_id}").status_code == 404
    for path in ("fetch", "cancel"):
        assert panel.post(path, record_id).status_code == 404
    assert len(live_server.received) == before


def test_without_a_ledger_there_are_no_tasks_and_none_is_made(panel, standalone_host):
    assert listed(panel) == {"tasks": [], "next": 0, "total": 0}
    assert panel.get("spend").json()["month"] == {}
    assert panel.get(f"poster/{NOBODY}").status_code == 404
    assert not standalone_host.data_dir().exists()


def test_a_task_id_is_no_record_id(panel, live_server):
    task_id = create_task(live_server)
    assert panel.post("fetch", task_id).status_code == 404


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"id": 7}', b"\xff", b'{"id": "' + b"x" * 5000 + b'"}'])
def test_a_body_without_an_id_is_refused(panel, body):
    import requests

    for path in ("fetch", "cancel"):
        url = f"{panel.url}/dashscope_wan/{path}"
        headers = {"Content-Type": "application/json"}
        assert requests.post(url, data=body, headers=headers, timeout=60).status_code == 400
        # What a form of another page could send.
        assert (
            requests.post(url, data=b'{"id": "x"}', headers={"Content-Type": "text/plain"}, timeout=60).status_code
            == 400
        )


@needs_symlinks
def test_a_file_outside_the_output_folder_is_not_shown(panel, nodes, tmp_path):
    made = nodes.image_to_video()
    outside = tmp_path / "elsewhere.mp4"
    made.path.rename(outside)
    link = made.path.with_name("link.mp4")
    link.symlink_to(outside)
    size = outside.stat().st_size
    records = add_records(
        *({"state": "saved", "path": str(path), "bytes": size, "fingerprint": f"2:{path}"} for path in (outside, link)),
        {"state": "saved", "path": str(made.path.parent), "bytes": size, "fingerprint": "2:folder"},
        {"state": "saved", "path": "", "fingerprint": "2:none"},
    )
    for record in records:
        assert panel.get(f"poster/{record.id}").status_code == 404
    rows = {row["id"]: row for row in listed(panel)["tasks"]}
    assert [rows[record.id]["file"] for record in records] == [None] * 4


# Other origins


@pytest.mark.parametrize(
    ("headers", "is_own"),
    [
        ({}, True),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "https://proxied.example"}, True),
        ({"Sec-Fetch-Site": "none"}, True),
        ({"Sec-Fetch-Site": "cross-site"}, False),
        ({"Sec-Fetch-Site": "same-site"}, False),
        ({"Origin": "http://evil.example"}, False),
        ({"Origin": "null"}, False),
        ({"Origin": "http://127.0.0.1:1"}, False),
        ({"Origin": "http://[broken"}, False),
        ({"Origin": "http://comfy.example", "Host": "comfy.example"}, True),
        ({"Origin": "https://comfy.example", "Host": "comfy.example:443"}, True),
        ({"Origin": "http://comfy.example", "Host": "comfy.example:8188"}, False),
    ],
)
def test_a_page_of_another_origin_gets_nothing(panel, live_server, headers, is_own):
    record = add_records({"task_id": create_task(live_server)})[0]
    calls = [lambda: panel.get("tasks", **headers), lambda: panel.get("spend", **headers)]
    calls += [lambda: panel.get(f"poster/{record.id}", **headers), lambda: panel.post("cancel", NOBODY, **headers)]
    calls += [lambda: panel.post("fetch", NOBODY, **headers)]
    statuses = [call().status_code for call in calls]
    assert statuses == ([200, 200, 404, 404, 404] if is_own else [403] * 5)


def test_the_origin_that_the_owner_allows_gets_in(panel, monkeypatch, tmp_path):
    allowed = SimpleNamespace(enable_cors_header="http://mine.example", disable_metadata=False)
    monkeypatch.setattr(routes_module.host, "in_comfyui", lambda: True)
    monkeypatch.setitem(sys.modules, "folder_paths", SimpleNamespace(get_user_directory=lambda: str(tmp_path)))
    monkeypatch.setattr(routes_module.host, "data_dir", lambda: routes_module.host._standalone.home)
    monkeypatch.setattr(routes_module.host, "output_folder", lambda: routes_module.host._standalone.output_folder)
    monkeypatch.setitem(sys.modules, "comfy", SimpleNamespace())
    monkeypatch.setitem(sys.modules, "comfy.cli_args", SimpleNamespace(args=allowed))
    assert panel.get("tasks", Origin="http://mine.example", Sec_Fetch_Site="cross-site").status_code == 200
    assert panel.get("tasks", Origin="http://evil.example").status_code == 403
    allowed.enable_cors_header = "*"
    assert panel.get("tasks", Origin="http://evil.example").status_code == 200


# Bringing home


def test_a_finished_task_comes_home_once(panel, live_server, tmp_path):
    record = add_records({"task_id": create_task(live_server), "prompt": "a cat"})[0]
    assert listed(panel)["tasks"][0]["can_fetch"]
    answers = [panel.post("fetch", record.id) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [202] * 3
    panel.wait_for_fetches()
    assert [path.name for path in (tmp_path / "output").rglob("*.mp4")] == ["task_00001_.mp4"]
    [row] = listed(panel)["tasks"]
    assert (row["state"], row["file"]["filename"], row["can_fetch"]) == ("saved", "task_00001_.mp4", False)
    messages = [data for name, data in panel.sent if name == FETCH]
    assert {data["id"] for data in messages} == {record.id}
    assert messages[-1]["state"] == "saved"
    assert [data["state"] for data in messages].count("saved") == 1
    assert [data["state"] for name, data in panel.sent if name == TASKS][-1] == "saved"
    assert len([call for call in live_server.received if call.on == "download"]) == 1


def test_what_is_under_way_stands_in_the_list(panel, live_server):
    live_server.faults.add(on="create", fault=TaskStuck("PENDING"))
    record = add_records({"task_id": create_task(live_server)})[0]
    panel.post("fetch", record.id)
    end = time.monotonic() + 30
    while "queued" not in str((row := listed(panel)["tasks"][0]).get("fetch")):
        assert time.monotonic() < end, row
    assert panel.post("cancel", record.id).json()["canceled"] is True
    panel.wait_for_fetches()
    messages = [data for name, data in panel.sent if name == FETCH]
    assert messages[-1]["state"] == "failed"
    assert "cancel" in messages[-1]["text"]
    assert state_of(panel, record) == "canceled"


def test_a_missing_video_comes_back_under_its_name(panel, nodes):
    made = nodes.image_to_video(filename_prefix="cats/one")
    made.path.unlink()
    [row] = listed(panel)["tasks"]
    assert (row["file"], row["can_fetch"]) == (None, True)
    panel.post("fetch", row["id"])
    panel.wait_for_fetches()
    assert [path.name for path in made.path.parent.glob("*.mp4")] == ["one_00001_.mp4"]


def test_a_video_that_cannot_come_says_why(panel, live_server, tmp_path):
    record = add_records({"task_id": create_task(live_server)})[0]
    live_server.faults.add(on="download", fault=ErrorResponse(403, "AccessDenied", live_server.key), times=1000)
    panel.post("fetch", record.id)
    panel.wait_for_fetches()
    [failed] = [data for name, data in panel.sent if name == FETCH and data["state"] == "failed"]
    assert failed["text"]
    for secret in (live_server.key, "Signature=", "Open in a browser", str(tmp_path), live_server.base_url):
        assert secret not in json.dumps(panel.sent), secret
    # Another click tries again.
    live_server.faults.clear()
    panel.post("fetch", record.id)
    panel.wait_for_fetches()
    assert state_of(panel, record) == "saved"


def test_a_request_without_a_task_has_nothing_to_fetch(panel, live_server):
    [record] = add_records({"task_id": "", "state": "uncertain", "sent_at": 1.0})
    response = panel.post("fetch", record.id)
    assert (response.status_code, "no task at DashScope" in error_of(response)) == (404, True)


# Cancelling


def test_a_queued_task_is_cancelled(panel, live_server):
    live_server.faults.add(on="create", fault=TaskStuck("PENDING"))
    record = add_records({"task_id": create_task(live_server)})[0]
    answer = panel.post("cancel", record.id).json()
    assert (answer["canceled"], answer["task"]["state"], answer["task"]["can_cancel"]) == (True, "canceled", False)
    assert state_of(panel, record) == "canceled"
    assert panel.sent[-1][1]["state"] == "canceled"


def test_a_rendering_task_goes_on(panel, live_server):
    live_server.faults.add(on="create", fault=TaskStuck("RUNNING"))
    record = add_records({"task_id": create_task(live_server)})[0]
    assert panel.post("cancel", record.id).json()["canceled"] is False
    assert state_of(panel, record) == "submitted"


def test_a_finished_task_is_not_cancelled(panel, live_server):
    records = add_records(
        {"state": "saved", "task_id": "t", "finished_at": 1.0}, {"state": "uncertain", "sent_at": 1.0}
    )
    before = len(live_server.received)
    for record in records:
        response = panel.post("cancel", record.id)
        assert (response.status_code, "nothing to cancel" in error_of(response)) == (400, True)
    assert len(live_server.received) == before


def test_what_the_service_says_against_it_is_passed_on(panel, live_server):
    record = add_records({"task_id": create_task(live_server)})[0]
    live_server.faults.add(on="cancel", fault=ErrorResponse(403, "AccessDenied", f"no, {live_server.key}"))
    response = panel.post("cancel", record.id)
    assert response.status_code == 502
    assert error_of(response)
    assert live_server.key not in response.text


# In ComfyUI


def test_comfyui_gets_the_routes_once(comfy, monkeypatch):
    from aiohttp import web

    monkeypatch.setattr(routes_module.host, "_on_change", None)
    comfy.routes = web.RouteTableDef()
    for _ in range(2):
        routes_module.register()
    assert routes_module.host.batch_settings(None, None)["on_change"] is not None
    assert sorted((route.method, route.path) for route in comfy.routes) == [
        ("GET", "/dashscope_wan/poster/{id}"),
        ("GET", "/dashscope_wan/spend"),
        ("GET", "/dashscope_wan/tasks"),
        ("POST", "/dashscope_wan/cancel"),
        ("POST", "/dashscope_wan/fetch"),
        ("POST", "/dashscope_wan/language"),
    ]
