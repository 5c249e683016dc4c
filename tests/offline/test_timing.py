"""States on the clock: queue, running limit, rates, expiry."""

from __future__ import annotations

import threading

import pytest
import wanpack.offline.render as offline_render
from wanpack.offline.tasks import Timing
from wanpack.wan.catalog.models import MODELS


def test_a_task_waits_runs_and_ends_by_the_clock(make_server, clock, kit):
    api = make_server(clock=clock, timing=Timing(queued=2, rendering=10))
    task_id = api.submit(kit.body())  # 3 s of 480P: 10 * 3 / 5 / 2 = 3 s
    assert api.server.wait_idle()
    assert api.state(task_id) == "PENDING"
    clock.advance(2)
    assert api.state(task_id) == "RUNNING"
    clock.advance(2.9)
    assert api.state(task_id) == "RUNNING"
    clock.advance(0.2)
    output = api.query(task_id)["output"]
    assert output["task_status"] == "SUCCEEDED"
    assert [output[name][-6:] for name in ("submit_time", "scheduled_time", "end_time")] == [
        "00.000",
        "02.000",
        "05.000",
    ]


def test_longer_and_larger_videos_take_longer():
    timing = Timing(queued=1, rendering=4, scale=2)
    assert timing.queue_seconds() == 2
    assert timing.run_seconds("720P", 5) == 8
    assert timing.run_seconds("1080P", 10) == 32


def test_success_waits_for_the_file(make_server, clock, kit, monkeypatch):
    render, wanted = offline_render.render, threading.Event()
    monkeypatch.setattr(offline_render, "render", lambda *given, **more: wanted.wait(30) and render(*given, **more))
    api = make_server(clock=clock)
    task_id = api.submit(kit.body("wan2.2-i2v-flash", parameters={"resolution": "720P"}))
    clock.advance(1000)
    assert api.state(task_id) == "RUNNING"
    wanted.set()
    assert api.server.wait_idle()
    assert api.state(task_id) == "SUCCEEDED"


def test_what_exceeds_the_running_limit_waits_in_order(make_server, clock, kit):
    api = make_server(clock=clock, timing=Timing(queued=0, rendering=20))  # 6 s for these
    ids = [api.submit(kit.body(parameters={"seed": seed})) for seed in range(5)]
    assert api.server.wait_idle()
    assert [api.state(one) for one in ids] == ["RUNNING"] * 2 + ["PENDING"] * 3
    clock.advance(6)
    assert [api.state(one) for one in ids] == ["SUCCEEDED"] * 2 + ["RUNNING"] * 2 + ["PENDING"]
    clock.advance(100)
    assert api.query(ids[4])["output"]["scheduled_time"][-6:] == "12.000"


def test_every_model_has_its_own_limit(make_server, clock, kit):
    api = make_server(clock=clock, timing=Timing(queued=0), running_limit=1)
    first = [api.submit(kit.body()) for _ in range(2)]
    other = api.submit(kit.body("wan2.2-i2v-flash"))
    assert [api.state(one) for one in [*first, other]] == ["RUNNING", "PENDING", "RUNNING"]


def test_a_cancelled_task_leaves_its_place(make_server, clock, kit):
    api = make_server(clock=clock, timing=Timing(queued=0, rendering=20), running_limit=1)
    ids = [api.submit(kit.body()) for _ in range(3)]
    assert api.post(f"/tasks/{ids[1]}/cancel").status_code == 200
    assert api.server.wait_idle()
    clock.advance(6)
    assert [api.state(one) for one in ids] == ["SUCCEEDED", "CANCELED", "RUNNING"]


def test_a_task_is_unknown_after_24_hours(make_server, clock, kit):
    api = make_server(clock=clock)
    task_id = api.ended(kit.body())["output"]["task_id"]
    clock.advance(24 * 3600 - 1)
    assert api.state(task_id) == "SUCCEEDED"
    clock.advance(1)
    assert api.state(task_id) == "UNKNOWN"
    assert api.server.tasks == []


@pytest.mark.parametrize("path", ["/tasks/some-id", "/tasks/"])
def test_more_than_twenty_queries_a_second_are_throttled(make_server, clock, path):
    api = make_server(clock=clock, enforce_rates=True)
    assert [api.get(path).status_code for _ in range(20)] == [200] * 20
    refused = api.get(path)
    assert refused.status_code == 429
    assert refused.json()["code"] == "Throttling.RateQuota"
    assert refused.json()["message"] == "Requests rate limit exceeded, please try again later."
    assert "Retry-After" not in refused.headers
    clock.advance(1)
    assert api.get(path).status_code == 200


def test_the_submit_rate_is_the_models(make_server, clock, kit):
    api = make_server(clock=clock, enforce_rates=True, running_limit=0)
    broken = {"img_url": None}
    assert [api.create(kit.body(input=broken)).status_code for _ in range(3)] == [200, 200, 429]
    flash = kit.body("wan2.6-i2v-flash", input=broken)
    assert [api.create(flash).status_code for _ in range(6)] == [200] * 5 + [429]


@pytest.mark.parametrize("model", MODELS)
def test_what_is_less_than_one_a_second_is_counted_over_a_minute(make_server, clock, kit, model):
    rate = MODELS[model].rate_limit
    window = 1 if rate >= 1 else 60
    most = round(rate * window)
    api = make_server(clock=clock, enforce_rates=True, running_limit=0)
    body = kit.body(model, media=dict.fromkeys(MODELS[model].media_combinations[0], "https://example.com/a.png"))
    assert [api.create(body).status_code for _ in range(most + 1)] == [200] * most + [429]
    clock.advance(window - 0.5)
    assert api.create(body).status_code == 429
    clock.advance(0.5)
    assert api.create(body).status_code == 200


@pytest.mark.slow
def test_a_full_queue_takes_no_more(make_server, clock, kit):
    api = make_server(clock=clock, enforce_rates=True, running_limit=0)
    body = kit.body("wan3.0-video", media={"first_frame": "https://example.com/a.png"})
    first = api.submit(body)
    for _ in range(199):
        clock.advance(1.2)
        api.submit(body)
    clock.advance(1.2)
    refused = api.create(body)
    assert (refused.status_code, refused.json()["code"]) == (429, "Throttling.Concurrency")
    assert api.submit(kit.body("wan2.6-i2v", media={"first_frame": "https://example.com/a.png"}))
    assert api.post(f"/tasks/{first}/cancel").status_code == 200
    clock.advance(1.2)
    assert api.submit(body)


@pytest.mark.parametrize(("model", "hours"), [("wan2.6-i2v-flash", 3), ("wan3.0-video", 8)])
def test_a_task_that_comes_to_nothing_is_given_up_after_hours(make_server, clock, kit, model, hours):
    api = make_server(clock=clock, running_limit=0)
    task_id = api.submit(kit.body(model, media={"first_frame": "https://example.com/a.png"}))
    clock.advance(hours * 3600 - 1)
    assert api.state(task_id) == "PENDING"
    clock.advance(2)
    output = api.query(task_id)["output"]
    assert (output["task_status"], output["code"]) == ("FAILED", "InternalError.Timeout")
