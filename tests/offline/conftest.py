"""One mock server per test, and a plain client for it."""

from __future__ import annotations

import asyncio
import io
import threading
import time
from functools import cache
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import requests
import wanpack.offline.render as offline_render
from media import data_uri, grey_frame, image_file, video, wav
from mock_server import MockServer
from wanpack.offline.tasks import Timing
from wanpack.wan.catalog.jobs import ALL_ROWS, ROWS

if TYPE_CHECKING:
    from wanpack.wan.catalog.spec import Model

CREATE = "/services/aigc/video-generation/video-synthesis"
KEYFRAMES = "/services/aigc/image2video/video-synthesis"
AT_ONCE = Timing(scale=0)
DRAW, FRAME_SIZE = offline_render.render, offline_render.frame_size


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

    def __init__(self, server: MockServer) -> None:
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

    def create(self, body: Any, *, headers: dict[str, Any] | None = None, path: str = "") -> requests.Response:
        """Send a create call, to the path that the body's model wants unless another is given."""
        headers = {"X-DashScope-Async": "enable", **(headers or {})}
        return self.post(path or path_of(body), json=body, headers=headers)

    def submit(self, body: Any, **more: Any) -> str:
        response = self.create(body, **more)
        assert response.status_code == 200, response.text
        return response.json()["output"]["task_id"]

    def query(self, task_id: str) -> dict[str, Any]:
        response = self.get(f"/tasks/{task_id}")
        assert response.status_code == 200, response.text
        return response.json()

    def state(self, task_id: str) -> str:
        return self.query(task_id)["output"]["task_status"]

    def ended(self, body: Any, **more: Any) -> dict[str, Any]:
        """Submit and return the last reply, waiting for the video where there is one."""
        task_id = self.submit(body, **more)
        assert self.server.wait_idle()
        return self.query(task_id)

    def failure(self, body: Any, **more: Any) -> tuple[str, str]:
        """Submit a body that must fail, and return the code and the message."""
        output = self.ended(body, **more)["output"]
        assert output["task_status"] == "FAILED", output
        return output["code"], output["message"]

    def upload(self, name: str, data: bytes, *, model: str) -> str:
        """Upload as dashscope.md section 4 has it, and return the oss:// URL."""
        policy = self.get("/uploads", params={"action": "getPolicy", "model": model}).json()["data"]
        form = upload_form(policy, name)
        response = self.session.post(policy["upload_host"], data=form, files={"file": data}, timeout=10)
        assert response.status_code == 200, response.text
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


REGIONAL_NAMES = {
    name: row for row in reversed(ALL_ROWS) for name in {row.id, *(one.name for one in row.offers.values())}
}
"""The first row of every model by its id in each region's API."""

ADDRESSES = {
    "reference_image": "https://example.com/a.png",
    "reference_video": "https://example.com/a.mp4",
    "video": "https://example.com/a.mp4",
}


def path_of(body: Any) -> str:
    row = REGIONAL_NAMES.get(body.get("model")) if isinstance(body, dict) else None
    return KEYFRAMES if row is not None and "kf2v" in row.id else CREATE


@cache
def image(width: int = 400, height: int = 300, *, kind: str = "JPEG", mode: str = "RGB") -> bytes:
    """An encoded image: orange left, blue right. Every model takes the usual size."""
    return image_file(width, height, kind=kind, mode=mode)


@cache
def clip(
    seconds: float = 3,
    *,
    size: tuple[int, int] = (320, 240),
    fps: int = 20,
    kind: str = "mp4",
    codec: str = "libx264",
    begin: int = 40,
) -> bytes:
    """A video file of grey frames, each a little brighter than the one before, from `begin` on."""
    frames = (grey_frame(min(235, begin + index), size=size) for index in range(round(seconds * fps)))
    return video(io.BytesIO(), frames, fps=fps, codec=codec, container=kind).getvalue()


def put(row: Model, media: dict[str, Any]) -> dict[str, Any]:
    """The fields of `input` that name media, in the form of the model's row."""
    if row.request_format.urls:
        return {row.request_format.urls: list(media.values())}
    if fields := row.request_format.fields:
        return {fields[kind]: address for kind, address in media.items()}
    return {"media": [{"type": kind.partition("#")[0], "url": address} for kind, address in media.items()]}


def least_media(row: Model) -> dict[str, str]:
    """The fewest media that a row takes."""
    if row.slots:
        return {slot.kind: ADDRESSES[slot.kind] for slot in row.slots if slot.least} or {
            "reference_image": ADDRESSES["reference_image"]
        }
    return dict.fromkeys(row.media_combinations[0], data_uri(image()))


def body(
    model: str = "wanx2.1-i2v-turbo", *, job: str = "", media: dict[str, Any] | None = None, **more: Any
) -> dict[str, Any]:
    """A body that is cheap to render, of any model, for the first of its jobs unless another is given.

    `media` are URLs by kind, several of a kind with a number after `#`; the smallest set that the model takes where
    they are not given. `input` and `parameters` replace single fields; None leaves a field out.
    """
    row = ROWS[job][model] if job else REGIONAL_NAMES[model]
    if media is None:
        media = least_media(row)
    cheapest: dict[str, Any] = {"resolution": row.resolutions[0]}
    if row.sizes:
        cheapest = {"size": row.sizes[row.resolutions[0], "16:9"]}
    if len(row.durations) > 1 and row.durations[0]:
        cheapest["duration"] = row.durations[0] if job != "video_extension" else 6
    given = {"prompt": PROMPTS.get(job, "a cat"), **(put(row, media) if media else {}), **more.get("input", {})}
    wanted = {**cheapest, **more.get("parameters", {})}
    return {
        "model": model,
        "input": {name: value for name, value in given.items() if value is not None},
        "parameters": {name: value for name, value in wanted.items() if value is not None},
    }


PROMPTS = {"video_edit": "Edit Video 1: rain", "video_extension": "Extend Video 1 forward: rain"}


def small(width: int, height: int, **tier: Any) -> tuple[int, int]:
    """A quarter of a video's width and height, in sixteens."""
    return tuple(max(48, side // 64 * 16) for side in FRAME_SIZE(width, height, **tier))


@pytest.fixture(scope="session")
def drawn():
    """The small videos that are drawn already, by their scenes' names."""
    return {}


@pytest.fixture(autouse=True)
def small_videos(request, monkeypatch, rendered_once, drawn):
    """The videos are small and each is drawn once, which is quick. Not where `full_size` is asked for."""
    if "full_size" in request.fixturenames:
        return

    def draw(scene: Any, path: Any, **more: Any) -> None:
        if scene.name not in drawn:
            DRAW(scene, path, **more)
            drawn[scene.name] = path.read_bytes()
        path.write_bytes(drawn[scene.name])

    monkeypatch.setattr(offline_render, "frame_size", small)
    # What is rendered once for all tests is of full size.
    monkeypatch.setattr(offline_render, "render", draw)


@pytest.fixture
def full_size():
    """Leave the videos as large as they are."""


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def make_server():
    """Start servers that are stopped when the test ends. Tasks end at once and rates are off, unless asked for."""
    started = []

    def make(**settings: Any) -> Api:
        server = MockServer(**{"timing": AT_ONCE, "enforce_rates": False, **settings}).start()
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
def idle(make_server, monkeypatch):
    """A server that renders nothing: its tasks wait for ever, or fail."""
    api = make_server(running_limit=0)
    monkeypatch.setattr(api.server.state.worker, "enqueue", lambda *_, **__: None)
    return api


@pytest.fixture
def undrawn(make_server, monkeypatch, tmp_path):
    """A server whose tasks succeed without a video: their scenes are in its list `scenes`."""
    api = make_server()
    api.scenes = []

    def enqueue(scene: Any, *, wanted: Any, done: Any) -> None:
        api.scenes.append(scene)
        done(tmp_path / "none.mp4")

    monkeypatch.setattr(api.server.state.worker, "enqueue", enqueue)
    return api


@pytest.fixture
def kit():
    """The functions that make bodies and files."""

    class Kit:
        body = staticmethod(body)
        least_media = staticmethod(least_media)
        PROMPTS = PROMPTS
        image = staticmethod(image)
        data_uri = staticmethod(data_uri)
        upload_form = staticmethod(upload_form)
        clip = staticmethod(clip)
        wav = staticmethod(wav)
        api = Api

    return Kit


@pytest.fixture
def stop_at_once():
    """Stop a server, which is not to wait for anybody: aiohttp itself waits a minute for a connection."""

    def stop(server: MockServer) -> None:
        stopping = threading.Thread(target=server.stop, daemon=True)
        stopping.start()
        stopping.join(30)
        assert not stopping.is_alive()

    return stop


@pytest.fixture
def hurried_client(monkeypatch):
    """The vendor's client waits for a fiftieth of its seconds from query to query."""
    base_api = pytest.importorskip("dashscope.client.base_api")
    sleep, wait = time.sleep, asyncio.sleep
    hurried = SimpleNamespace(time=time.time, sleep=lambda seconds: sleep(seconds / 50))
    monkeypatch.setattr(base_api, "time", hurried)
    monkeypatch.setattr(base_api, "asyncio", SimpleNamespace(sleep=lambda seconds: wait(seconds / 50)))


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
