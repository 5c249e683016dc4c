"""`dev.py tasks`, `dev.py spend` and `dev.py fetch`: the ledger without a browser."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from platforms import needs_symlinks
from wanpack.wan.api.client import Client
from wanpack.wan.api.endpoint import Endpoint
from wanpack.wan.api.request import estimate_cost, to_json
from wanpack.wan.api.task import Task, TaskStatus
from wanpack.wan.catalog.fields import VideoRequest
from wanpack.wan.catalog.models import MODELS
from wanpack.wan.catalog.regions import REGIONS
from wanpack.wan.ledger.ledger import Ledger
from wanpack.wan.ledger.record import NO_PRICE, Claim, Record
from wanpack.wan.media.video import VideoInfo
from wanpack.wan.redaction import Secret
from wanpack.wan.tasks.limits import video_cost
from wanpack.wan.tasks.receipt import build_receipt, outcome

from cli import fetch, spend, tasks

ROOT = Path(__file__).resolve().parents[2]
INFO = VideoInfo(width=480, height=480, fps=30.0, duration=5.0, frames=150, has_audio=False, bytes=5)


@pytest.fixture
def home(tmp_path, bare_environment):
    bare_environment.setenv("DASHSCOPE_WAN_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def ledger(home):
    opened = Ledger(home)
    yield opened
    opened.close()


@pytest.fixture
def call(capsys):
    """Run a command. Return its status, output and errors."""

    def run(command, *arguments, root=ROOT):
        status = command.main(list(map(str, arguments)), root=root)
        return status, *capsys.readouterr()

    return run


def record(name: str = "a", **more) -> Record:
    now = time.time()
    made = {"created_at": now, "sent_at": now, "region": "beijing", "model": "wan2.6-i2v", "resolution": "720P"}
    priced = {"estimate": 1.5, "currency": "CNY", "price_date": "2026-05-26", "reserved_at": now, "duration": 5}
    return Record(
        name, **{"state": "submitted", "task_id": f"task-{name}", "prompt": "a cat", **made, **priced, **more}
    )


class Tasks:
    """Generates tasks of mixed outcome as runs do, and adds up their receipts by currency and by day."""

    OUTCOMES = ("saved",) * 7 + ("failed", "canceled", "rejected", "unknown", "under way", "elsewhere", "unsent", "old")

    def __init__(self, ledger: Ledger, dead: Ledger, monkeypatch) -> None:
        self.ledger, self.dead, self.monkeypatch = ledger, dead, monkeypatch
        self.chance = random.Random(15)  # noqa: S311 - chance, not secrecy
        self.day = datetime.now().astimezone().date()
        self.spent: dict[tuple[date, str], float] = {}
        self.seen: set[str] = set()

    def make(self, number: int) -> None:
        day = self.day - timedelta(days=self.chance.randrange(25))
        now = datetime.combine(day, datetime.min.time()).timestamp() + self.chance.uniform(0, 80_000)
        request, region = self._request()
        kind = self.chance.choice(self.OUTCOMES)
        self.seen.add(kind)
        cost = video_cost(request, region, estimate_cost(request, region=region))
        draft = record(str(number), region=region.id, model=request.model, resolution=request.resolution)
        offer = MODELS[request.model].offers[region.id]
        priced = {"estimate": cost.amount, "currency": cost.currency, "price_date": offer.as_of}
        draft = replace(
            draft, duration=request.duration, state="submitting", task_id="", sent_at=0.0, created_at=now, **priced
        )
        with self.monkeypatch.context() as patch:
            patch.setattr(time, "time", lambda: now)
            made, role = (self.dead if kind == "unsent" else self.ledger).claim(draft)
            assert role is Claim.NEW
        if kind == "unsent":
            return
        made.sent_at = now
        if kind == "rejected":
            self.ledger.save(replace(made, state="failed"))
            return
        if kind == "unknown":
            self.ledger.save(replace(made, state="uncertain"))
            self._add(day, cost.currency, cost.amount)
            return
        made = replace(made, state="submitted", task_id=f"task-{number}", submitted_at=now)
        self.ledger.save(made)
        if kind in ("failed", "canceled"):
            self.ledger.save(replace(made, state=kind))
        elif kind == "under way":
            self._add(day, cost.currency, cost.amount)
        else:
            self._save(made, request, region, day, kind)

    def _save(self, made: Record, request: VideoRequest, region, day: date, kind: str) -> None:
        told = Task(made.task_id, TaskStatus.SUCCEEDED, usage=self._usage(request))
        done = replace(made, state="saved", **outcome(told, made))
        how = {"request": request, "region": region, "resumed": False, "warnings": []}
        receipt = build_receipt(told, INFO, record=done, **how)
        if kind == "old":
            # As a ledger without columns for prices has it.
            receipt.pop("billed_cost")
            done = replace(done, reserved_at=NO_PRICE, estimate=0.0, currency="", billed=None, billed_seconds=0.0)
        self.ledger.save(replace(done, receipt=json.dumps(receipt)))
        paid = receipt.get("billed_cost") or receipt["estimated_cost"]
        self._add(day, paid["currency"], paid["amount"])
        if kind == "elsewhere":
            copy = done.for_another_machine(Record(done.fingerprint, host="desk-2", created_at=made.created_at))
            again = {**build_receipt(told, INFO, record=copy, **how), "resumed": True}
            assert again["billed_cost"] is None
            self.ledger.save(replace(copy, state="saved", receipt=json.dumps(again)))

    def _request(self):
        model = self.chance.choice([one for one in MODELS.values() if any(each.price for each in one.offers.values())])
        region = REGIONS[self.chance.choice([name for name, offer in model.offers.items() if offer.price])]
        resolution = self.chance.choice(list(model.offers[region.id].price))
        silent = model.audio_switch and self.chance.random() < 0.4
        duration = self.chance.choice(model.durations)
        asked = {"resolution": resolution, "duration": duration, "generate_audio": not silent}
        return VideoRequest(model=model.id, prompt="a cat", seed=1, **asked), region

    def _usage(self, request: VideoRequest) -> dict:
        seconds = self.chance.choice(
            [request.duration, request.duration, request.duration - 1, request.duration + 0.07]
        )
        tier = int(request.resolution.removesuffix("P"))
        forms = [
            {},
            {"duration": seconds, "SR": tier},
            {"duration": str(seconds), "SR": str(tier)},
            {"video_duration": seconds, "video_ratio": "standard"},
            {"duration": seconds, "SR": 1080},
        ]
        return self.chance.choice(forms)

    def _add(self, day: date, currency: str, amount: float) -> None:
        self.spent[day, currency] = self.spent.get((day, currency), 0.0) + amount


def test_what_was_spent_is_the_sum_of_the_receipts_of_500_tasks_to_the_cent(home, ledger, call, monkeypatch):
    dead = Ledger(home)
    made = Tasks(ledger, dead, monkeypatch)
    for number in range(500):
        made.make(number)
    dead.close()
    assert made.seen == set(Tasks.OUTCOMES)
    currencies = {currency for _, currency in made.spent}
    assert currencies == {"CNY", "USD"}
    status, out, _ = call(spend, "--by", "day", "--json")
    days = json.loads(out)
    assert status == 0
    found = {(date.fromisoformat(row["day"]), name): row[name] for row in days for name in row if name != "day"}
    assert found.keys() == made.spent.keys()
    for key, amount in made.spent.items():
        assert found[key] == pytest.approx(amount, abs=0.0005), key
    models = json.loads(call(spend, "--by", "model", "--json")[1])
    for currency in currencies:
        total = sum(amount for (_, one), amount in made.spent.items() if one == currency)
        assert sum(row.get(currency, 0.0) for row in days) == pytest.approx(total, abs=0.005)
        assert sum(row.get(currency, 0.0) for row in models) == pytest.approx(total, abs=0.005)


class TestSpend:
    def test_it_tells_today_and_the_month_with_the_limits(self, ledger, call, bare_environment):
        ledger.save(record("a"), record("b", currency="USD", estimate=0.25))
        assert call(spend)[1] == "today       CNY 1.50, USD 0.25\nthis month  CNY 1.50, USD 0.25\n"
        bare_environment.setenv("DASHSCOPE_WAN_LIMIT_PER_DAY", "2 CNY")
        bare_environment.setenv("DASHSCOPE_WAN_LIMIT_PER_RUN", "1.5 CNY")
        assert call(spend)[1].splitlines() == [
            "today             CNY 1.50 of 2.00, USD 0.25",
            "this month        CNY 1.50, USD 0.25",
            "limit of one run  CNY 1.50",
        ]

    def test_days_and_models_are_lines(self, ledger, call):
        ledger.save(record("a", billed=1.2), record("b", model="wan2.7-i2v"))
        *_, last = call(spend, "--by", "day")[1].splitlines()
        assert last == f"{datetime.now().astimezone().date()}  CNY 2.70"
        assert call(spend, "--by", "model")[1] == "wan2.6-i2v  CNY 1.20\nwan2.7-i2v  CNY 1.50\n"

    def test_a_bad_limit_is_an_error(self, ledger, call, bare_environment):
        bare_environment.setenv("DASHSCOPE_WAN_LIMIT_PER_DAY", "much")
        status, _, err = call(spend)
        assert status == 1
        assert err.startswith("Error: limit_per_day: much is not an amount with its currency")

    def test_without_a_ledger_nothing_is_spent_and_none_is_made(self, home, call):
        assert call(spend) == (0, "today       nothing\nthis month  nothing\n", "")
        assert call(spend, "--by", "model") == (0, "Nothing was spent in the last 30 days.\n", "")
        assert not home.exists()


class TestTasks:
    def test_the_newest_come_first_with_what_they_cost(self, ledger, call):
        ledger.save(record("a", billed=1.2, state="saved"), record("b", prompt="\x1b[2Jtwo\tcats"))
        status, out, _ = call(tasks)
        assert status == 0
        heading, first, second = [line.split() for line in out.splitlines()]
        assert heading[2:] == ["MODEL", "SIZE", "S", "PRICE", "TASK", "FILE", "OR", "PROMPT"]
        assert first[2:] == ["submitted", "wan2.6-i2v", "720P", "5", "about", "CNY", "1.50", "task-b", "?[2Jtwo?cats"]
        assert second[2:] == ["saved", "wan2.6-i2v", "720P", "5", "CNY", "1.20", "task-a", "a", "cat"]

    def test_all_of_them_are_listed_if_asked(self, ledger, call):
        ledger.save(*(record(str(number)) for number in range(501)))
        assert call(tasks)[1].splitlines()[-1] == "30 of 501 tasks; --all lists all of them."
        assert len(call(tasks, "--all")[1].splitlines()) == 502
        rows = json.loads(call(tasks, "--all", "--json")[1])
        assert [row["task_id"] for row in rows] == [f"task-{number}" for number in reversed(range(501))]

    @needs_symlinks
    def test_the_video_is_named_where_the_pack_lies_in_comfyui(self, tmp_path, bare_environment, call):
        root = tmp_path / "ComfyUI" / "custom_nodes" / "wan pack"
        root.parent.mkdir(parents=True)
        root.symlink_to(ROOT, target_is_directory=True)
        video = tmp_path / "ComfyUI" / "output" / "wan" / "v.mp4"
        video.parent.mkdir(parents=True)
        video.write_bytes(b"video")
        of_comfyui = Ledger(tmp_path / "ComfyUI" / "user" / "__dashscope_wan")
        of_comfyui.save(record("a", state="saved", path=str(video), bytes=5))
        of_comfyui.close()
        assert call(tasks, root=root)[1].splitlines()[-1].endswith("  wan/v.mp4")

    def test_an_unreadable_ledger_is_an_error_in_words(self, home, call):
        home.mkdir()
        (home / "ledger.sqlite3").mkdir()
        status, out, err = call(tasks)
        assert (status, out) == (1, "")
        assert err.startswith(f"Error: The ledger {home / 'ledger.sqlite3'} cannot be used")

    def test_without_tasks_it_says_so(self, home, call):
        assert call(tasks) == (0, f"There is no task in the ledger of {home}.\n", "")

    def test_they_run_as_commands_of_dev(self, ledger, home):
        ledger.save(record("a"))
        for command, said in (("tasks", "task-a"), ("spend", "CNY 1.50")):
            done = subprocess.run(  # noqa: S603 - our own program
                [sys.executable, str(ROOT / "dev.py"), command], capture_output=True, text=True, check=True
            )
            assert said in done.stdout


class TestFetch:
    @pytest.fixture
    def task(self, live_server):
        server = live_server
        client = Client(Endpoint(REGIONS["beijing"], server.base_url, Secret(server.key)))
        given = {"prompt": "a dog", "img_url": "https://example.com/a.jpg"}
        body = {"model": "wanx2.1-i2v-turbo", "input": given, "parameters": {"resolution": "480P", "duration": 3}}
        created = client.create_task(to_json(body))
        client.close()
        return created.task_id

    def test_the_video_of_a_task_is_saved_and_its_path_printed(self, task, tmp_path, home, call):
        status, out, err = call(fetch, task, "--out", tmp_path / "videos")
        assert (status, out) == (0, f"{tmp_path / 'videos' / 'wan' / 'task_00001_.mp4'}\n"), err
        assert Path(out.strip()).stat().st_size > 0
        assert f"{task}: 100%  saved task_00001_.mp4" in err
        assert call(fetch, task, "--out", tmp_path / "videos")[1] == out

    def test_a_task_that_is_none_is_refused_in_words(self, home, call):
        status, _, err = call(fetch, "../etc", "--out", home)
        assert status == 1
        assert "task_id: not a task id" in err

    def test_a_key_in_its_place_is_not_shown(self, home, live_server, call):
        status, out, err = call(fetch, live_server.key, "--out", home)
        assert (status, "task_id: not a task id" in err) == (1, True)
        assert live_server.key not in out + err

    def test_a_task_of_the_offline_mode_is_gone(self, ledger, call):
        ledger.save(record("a", region="offline"))
        status, _, err = call(fetch, "task-a")
        assert (status, err.partition(",")[0]) == (1, "Error: The task was made in offline mode")
