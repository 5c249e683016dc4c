"""One stand-in per test, and a plain client for it."""

from __future__ import annotations

import base64
import io
import time
from typing import Any

import pytest
import requests
from PIL import Image
from wanpack.nodes.offline.server import OfflineServer
from wanpack.nodes.offline.tasks import Timing

CREATE = "/services/aigc/video-generation/video-synthesis"
AT_ONCE = Timing(scale=0)


class Clock:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


class Api:
    """Plain requests to one server."""

    def __init__(self, server: OfflineServer) -> None:
        self.server = server
        self.session = requests.Session()
        self.session.trust_env = False
        self.key = {"Authorization": f"Bearer {server.key}"}

    @property
    def root(self) -> str:
        return self.server.base_url.removesuffix("/api/v1")

    def get(self, path: str, **more: Any) -> requests.Response:
        return self.session.get(self.server.base_url + path, headers=self.key, timeout=10, **more)

    def post(self, path: str, *, headers: dict[str, Any] | None = None, **more: Any) -> requests.Response:
        merged = {**self.key, **(headers or {})}
        return self.session.post(self.server.base_url + path, headers=merged, timeout=10, **more)

    def create(self, body: Any, *, headers: dict[str, Any] | None = None) -> requests.Response:
        return self.post(CREATE, json=body, headers={"X-DashScope-Async": "enable", **(headers or {})})

    def submit(self, body: Any, **more: Any) -> str:
        answer = self.create(body, **more)
        assert answer.status_code == 200, answer.text
        return answer.json()["output"]["task_id"]

    def query(self, task_id: str) -> dict[str, Any]:
        answer = self.get(f"/tasks/{task_id}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    def state(self, task_id: str) -> str:
        return self.query(task_id)["output"]["task_status"]

    def ended(self, body: Any, **more: Any) -> dict[str, Any]:
        """Submit and return the last reply, waiting for the video where there is one."""
        task_id = self.submit(body, **more)
        assert self.server.settle()
        return self.query(task_id)

    def failure(self, body: Any, **more: Any) -> tuple[str, str]:
        """Submit a body that must fail, and return the code and the message."""
        output = self.ended(body, **more)["output"]
        assert output["task_status"] == "FAILED", output
        return output["code"], output["message"]

    def upload(self, name: str, data: bytes, *, model: str) -> str:
        """Upload as dashscope.md section 4 has it, and return the oss:// address."""
        policy = self.get("/uploads", params={"action": "getPolicy", "model": model}).json()["data"]
        form = upload_form(policy, name)
        answer = self.session.post(policy["upload_host"], data=form, files={"file": data}, timeout=10)
        assert answer.status_code == 200, answer.text
        return f"oss://{form['key']}"


def upload_form(policy: dict[str, Any], name: str) -> dict[str, str]:
    return {
        "OSSAccessKeyId": policy["oss_access_key_id"],
        "Signature": policy["signature"],
        "policy": policy["policy"],
        "x-oss-object-acl": policy["x_oss_object_acl"],
        "x-oss-forbid-overwrite": policy["x_oss_forbid_overwrite"],
        "key": f"{policy['upload_dir']}/{name}",
        "success_action_status": "200",
    }


def picture(width: int = 320, height: int = 240, *, kind: str = "JPEG", mode: str = "RGB") -> bytes:
    """An encoded picture: orange left, blue right."""
    drawn = Image.new("RGB", (width, height), (220, 120, 30))
    drawn.paste((30, 60, 200), (width // 2, 0, width, height))
    out = io.BytesIO()
    drawn.convert(mode).save(out, kind)
    return out.getvalue()


def data_uri(data: bytes, mime: str = "image/jpeg") -> str:
    return f"data:{mime};base64,{base64.b64encode(data).decode()}"


def body(model: str = "wanx2.1-i2v-turbo", **more: Any) -> dict[str, Any]:
    """A body that is cheap to render. `input` and `parameters` replace single fields; None leaves a field out."""
    given = {"prompt": "a cat", "img_url": data_uri(picture()), **more.get("input", {})}
    wanted = {**_CHEAPEST.get(model, {"resolution": "480P"}), **more.get("parameters", {})}
    return {
        "model": model,
        "input": {name: value for name, value in given.items() if value is not None},
        "parameters": {name: value for name, value in wanted.items() if value is not None},
    }


_CHEAPEST = {
    "wanx2.1-i2v-turbo": {"resolution": "480P", "duration": 3},
    "wan2.1-i2v-turbo": {"resolution": "480P", "duration": 3},
    "wanx2.1-i2v-plus": {"resolution": "720P"},
    "wan2.6-i2v-flash": {"resolution": "720P", "duration": 2},
    "wan2.6-i2v": {"resolution": "720P", "duration": 2},
    "wan2.6-i2v-us": {"resolution": "720P"},
}


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def make_server():
    """Start servers that are stopped when the test ends. Tasks end at once and rates are off, unless asked for."""
    started = []

    def make(**settings: Any) -> Api:
        server = OfflineServer(**{"timing": AT_ONCE, "enforce_rates": False, **settings}).start()
        api = Api(server)
        started.append(api)
        return api

    yield make
    for api in started:
        api.session.close()
        api.server.stop()


@pytest.fixture
def api(make_server):
    return make_server()


@pytest.fixture
def kit():
    """The functions that make bodies and files."""

    class Kit:
        body = staticmethod(body)
        picture = staticmethod(picture)
        data_uri = staticmethod(data_uri)
        upload_form = staticmethod(upload_form)
        api = Api

    return Kit


@pytest.fixture
def until():
    """Wait until a condition holds, at most ten seconds."""

    def wait(condition: Any) -> bool:
        ends = time.monotonic() + 10
        while time.monotonic() < ends:
            if condition():
                return True
            time.sleep(0.01)
        return False

    return wait
