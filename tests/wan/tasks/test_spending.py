"""What tasks cost, as the ledger and the receipts have it, and the lists that show it."""

from __future__ import annotations

import json
import platform
import time
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from mock_faults import TaskFails, UnknownStatus
from mock_server import ALWAYS
from wanpack.offline import responses
from wanpack.wan.api.errors import ServiceError
from wanpack.wan.api.settings import read_settings
from wanpack.wan.api.task import Task, TaskStatus, billed_seconds
from wanpack.wan.ledger.record import NO_PRICE, Record
from wanpack.wan.tasks.history import list_tasks, spending, task_row
from wanpack.wan.tasks.receipt import outcome

PRICE = 0.24
"""CNY a second of the bench's plain kind, which has 3 s."""


def told(home: Path) -> dict:
    settings = read_settings(home)
    return spending(home, url=settings.ledger_url, settings=settings)


def listed(home: Path, **more) -> dict:
    return list_tasks(home, url=read_settings(home).ledger_url, **more)


def record(name: str = "a", **more) -> Record:
    priced = {"estimate": 1.5, "currency": "CNY", "price_date": "2026-05-26", "reserved_at": time.time()}
    made = {"created_at": time.time(), "sent_at": time.time(), "region": "beijing", "model": "wan2.6-i2v"}
    return Record(name, **{"state": "submitted", "task_id": f"task-{name}", **made, **priced, **more})


def usage(**values) -> Task:
    return Task("t", TaskStatus.SUCCEEDED, usage=values)


class TestBilled:
    @pytest.mark.parametrize(
        ("values", "seconds"),
        [
            ({"duration": 5}, 5),
            ({"duration": "5.0"}, 5),
            ({"duration": 0, "video_duration": 3}, 3),
            ({"total_seconds": 4.5}, 4.5),
            ({"duration": 20.07, "input_video_duration": 15.07, "output_video_duration": 5.0}, 20.07),
            ({"input_video_duration": 2, "output_video_duration": 5}, 7),
            ({}, 0),
            ({"duration": -5}, 0),
            ({"duration": 1e300}, 0),
            ({"duration": True}, 0),
            ({"duration": "nan"}, 0),
        ],
    )
    def test_the_seconds_are_those_of_the_usage_in_any_form(self, values, seconds):
        assert billed_seconds(usage(**values)) == seconds

    @pytest.mark.parametrize(
        ("values", "more", "amount"),
        [
            ({"duration": 2, "SR": 720}, {}, 0.6),
            ({"duration": 2, "SR": "1080"}, {}, 1.0),
            ({"duration": 3}, {}, 0.9),
            ({"duration": 2, "SR": 720}, {"estimate": 0.3}, 0.3),
            ({"duration": 2, "SR": 1080}, {"estimate": 0.3}, 0.5),
            ({"duration": 2, "SR": 1080}, {"price_date": "2020-01-01", "estimate": 8.0}, 8.0),
            ({"duration": 2, "SR": 720}, {"region": "singapore", "estimate": 8.0}, 8.0),
            ({}, {}, None),
        ],
        ids=[
            *("as asked", "another tier", "longer", "silent", "silent in another tier", "an older list"),
            *("another currency", "no usage"),
        ],
    )
    def test_the_amount_is_by_the_list_that_the_estimate_is_from(self, values, more, amount):
        paid = record(**{"model": "wan2.6-i2v-flash", "resolution": "720P", "duration": 2, "estimate": 0.6, **more})
        assert outcome(usage(**values), paid).get("billed") == amount

    @pytest.mark.parametrize(
        ("values", "more", "amount"),
        [
            # A silent video of 5 s with 5 s of a clip, which cost as much as one of 5 s with sound.
            (
                {"duration": 10, "input_video_duration": 5, "output_video_duration": 5, "SR": 720},
                {"estimate": 1.5},
                1.5,
            ),
            ({"duration": 10, "SR": 720}, {"estimate": 1.5}, 1.5),
            ({"duration": 10, "SR": 720}, {"estimate": 3.0}, 3.0),
            ({"duration": 7.5, "SR": 720}, {"estimate": 1.125}, 1.125),
            ({"duration": 7.5, "SR": 720}, {"estimate": 2.25}, 2.25),
            ({"duration": 10, "SR": 1080}, {"estimate": 1.5}, 2.5),
            ({"duration": 5, "SR": 720}, {"estimate": 0.75}, 0.75),
            ({"duration": 5, "SR": 720}, {"estimate": 1.5}, 1.5),
            (
                {"duration": 20.0, "input_video_duration": 15, "output_video_duration": 5, "SR": 480},
                {"model": "wan3.0-video", "resolution": "480P", "price_date": "2026-09-16", "estimate": 6.0},
                6.0,
            ),
            # The list is another one now: the estimate was for as many seconds.
            (
                {"duration": 20.0, "input_video_duration": 15, "output_video_duration": 5, "SR": 480},
                {"model": "wan3.0-video", "resolution": "480P", "price_date": "2020-01-01", "estimate": 8.0},
                8.0,
            ),
            (
                {"duration": 10.04, "input_video_duration": 5.02, "output_video_duration": 5.02, "SR": 720},
                {"model": "wan2.7-videoedit", "estimate": 6.024},
                6.024,
            ),
            # A text of the older models tells no tier.
            (
                {"video_duration": 5, "video_ratio": "832*480", "video_count": 1},
                {"model": "wan2.5-t2v-preview", "resolution": "480P", "estimate": 1.5},
                1.5,
            ),
        ],
    )
    def test_the_seconds_of_clips_are_billed_at_the_price_of_the_estimate(self, values, more, amount):
        paid = record(**{"model": "wan2.6-r2v-flash", "resolution": "720P", "duration": 5, **more})
        assert outcome(usage(**values), paid).get("billed") == pytest.approx(amount, abs=1e-4)

    @pytest.mark.parametrize(
        ("values", "more", "amount"),
        [
            ({"duration": 13.24, "input_video_duration": 6.62, "output_video_duration": 6.62, "SR": 720}, {}, 11.916),
            ({"duration": 13.24, "SR": 720}, {}, 11.916),
            ({"duration": 30, "SR": 1080}, {}, 48.0),
            ({"duration": 30}, {}, 27.0),
            ({"duration": 30}, {"price_date": "2020-01-01"}, None),
            ({}, {}, None),
        ],
    )
    def test_what_could_not_be_estimated_is_billed_by_its_list(self, values, more, amount):
        edit = {"model": "happyhorse-1.0-video-edit", "resolution": "720P", "duration": 0, "estimate": 0.0}
        paid = record(**{**edit, **more})
        found = outcome(usage(**values), paid).get("billed")
        assert found == (amount and pytest.approx(amount, abs=1e-4))

    def test_a_task_without_a_price_is_billed_nothing(self):
        assert "billed" not in outcome(usage(duration=5), record(currency="", estimate=0.0, duration=5))


@pytest.mark.engines
class TestRecorded:
    def test_a_video_is_reserved_with_its_estimate_and_then_has_what_was_billed(self, bench, new_watch):
        seen = []
        bench.run(bench.batch(prompt="a cat\nin two lines", on_change=seen.append))
        first, last = seen[0], seen[-1]
        assert [one.state for one in seen if one.state != "succeeded"] == ["submitting", "submitted", "saved"]
        assert (first.estimate, first.currency, first.price_date, first.billed) == (0.72, "CNY", "2026-05-26", None)
        assert first.reserved_at == pytest.approx(time.time(), abs=60)
        assert (last.billed, last.billed_seconds, last.prompt) == (0.72, 3, "a cat")
        cost = {"amount": 0.72, "currency": "CNY", "as_of": "2026-05-26", "seconds": 3}
        assert json.loads(last.receipt)["billed_cost"] == cost
        assert told(bench.home)["today"] == {"CNY": 0.72}

    def test_who_is_told_of_changes_cannot_stop_a_run(self, bench):
        def broken(_record):
            raise ValueError

        assert bench.run(bench.batch(on_change=broken)).path.exists()

    def test_what_usage_says_replaces_the_estimate(self, bench, monkeypatch):
        reported = {"video_duration": 2, "video_ratio": "standard", "video_count": 1}
        monkeypatch.setattr(responses, "usage_of", lambda *_: reported)
        assert bench.run().receipt["billed_cost"]["amount"] == pytest.approx(2 * PRICE)
        assert told(bench.home)["today"] == {"CNY": 0.48}

    def test_a_failed_task_costs_nothing(self, bench):
        bench.server.faults.add(on="create", fault=TaskFails("InternalError.Algo", "No."))
        with pytest.raises(ServiceError):
            bench.run()
        assert told(bench.home)["today"] == {}
        [row] = listed(bench.home)["tasks"]
        assert (row["state"], row["cost"], row["can_fetch"], row["can_cancel"]) == ("failed", None, False, False)

    def test_one_whose_outcome_is_unknown_keeps_its_price(self, bench):
        bench.server.faults.add(on="query", fault=UnknownStatus(), times=ALWAYS)
        with pytest.raises(Exception, match="task"):
            bench.run()
        assert told(bench.home)["today"] == {"CNY": 0.72}


@pytest.mark.engines
class TestSums:
    @pytest.fixture
    def ledger(self, bench):
        opened = bench.ledger()
        yield opened
        opened.close()

    def test_they_are_by_day_model_and_currency(self, bench, ledger):
        yesterday = datetime.now().astimezone() - timedelta(days=1)
        ledger.save(
            record("a"),
            record("b", billed=1.25, model="wan2.7-i2v"),
            record("c", currency="USD", estimate=0.1),
            record("d", reserved_at=yesterday.timestamp()),
            record("e", reserved_at=time.time() - 40 * 86400),
            record("f", state="canceled"),
        )
        found = told(bench.home)
        assert found["today"] == {"CNY": 2.75, "USD": 0.1}
        assert len(found["days"]) == 30
        assert found["days"][-2] == {
            "day": yesterday.date().isoformat(),
            "CNY": 1.5,
        }
        assert found["days"][-1]["CNY"] == 2.75
        models = [{"model": "wan2.6-i2v", "CNY": 3.0, "USD": 0.1}, {"model": "wan2.7-i2v", "CNY": 1.25}]
        assert found["models"] == models

    def test_what_was_not_sent_counts_while_its_run_is_alive(self, bench, ledger):
        draft = record("a", state="submitting", sent_at=0.0, task_id="", reserved_at=0.0)
        ledger.claim(draft)
        assert told(bench.home)["today"] == {"CNY": 1.5}
        ledger.close()
        assert told(bench.home)["today"] == {}

    def test_rows_without_a_price_count_by_their_receipts(self, bench, ledger):
        def old(name, **receipt):
            given = {"currency": "", "estimate": 0.0, "reserved_at": NO_PRICE, "submitted_at": time.time()}
            return record(name, state="saved", receipt=json.dumps(receipt), **given)

        cost = {"amount": 2.5, "currency": "CNY", "as_of": "2026-05-26"}
        ledger.save(old("a", estimated_cost=cost, prompt="a cat\n"), old("b", estimated_cost=None), old("c"))
        assert told(bench.home)["today"] == {"CNY": 2.5}
        row = listed(bench.home)["tasks"][-1]
        assert (row["prompt"], row["cost"]) == ("a cat", {"amount": 2.5, "currency": "CNY", "billed": False})

        copy = old("a", estimated_cost=cost)
        copy.host, copy.created_at = "another", copy.created_at + 1
        ledger.save(copy)
        assert told(bench.home)["today"] == {"CNY": 2.5}

    def test_another_machines_download_counts_nothing(self):
        assert record().for_another_machine(Record("a")).currency == ""


@pytest.mark.engines
class TestLists:
    @pytest.fixture
    def many(self, bench):
        ledger = bench.ledger()
        for number in range(7):
            ledger.save(record(str(number), model="wan2.7-i2v" if number % 2 else "wan2.6-i2v"))
        ledger.save(record("7", state="failed", error="No."))
        ledger.close()
        return bench

    def test_they_are_paged_from_the_newest(self, many):
        first = listed(many.home, limit=5)
        second = listed(many.home, limit=5, before=first["next"])
        assert [row["task_id"] for row in first["tasks"]] == [f"task-{number}" for number in (7, 6, 5, 4, 3)]
        assert [row["task_id"] for row in second["tasks"]] == [f"task-{number}" for number in (2, 1, 0)]
        assert (second["next"], first["total"], second["total"]) == (0, 8, 8)

    def test_they_are_chosen_by_state_and_model(self, many):
        found = listed(many.home, states=["submitted"], models=["wan2.7-i2v"])
        assert [row["task_id"] for row in found["tasks"]] == ["task-5", "task-3", "task-1"]
        assert found["total"] == 3
        assert listed(many.home, states=["'; DROP TABLE requests"])["total"] == 0

    def test_a_saved_video_names_its_file_inside_the_output_folder(self, bench):
        video = bench.run()
        [row] = listed(bench.home, output_folder=bench.output)["tasks"]
        assert row["file"] == {"filename": video.path.name, "subfolder": "wan", "type": "output"}
        assert (row["is_here"], row["can_fetch"], row["can_cancel"]) == (True, False, False)
        assert row["cost"] == {"amount": 0.72, "currency": "CNY", "billed": True}
        assert listed(bench.home, output_folder=bench.folder / "elsewhere")["tasks"][0]["file"] is None
        video.path.unlink()
        [row] = listed(bench.home, output_folder=bench.output)["tasks"]
        assert (row["file"], row["is_here"], row["can_fetch"]) == (None, False, True)


def test_a_running_task_can_be_cancelled_and_an_old_one_not_fetched():
    assert task_row(record())["can_cancel"] is True
    assert task_row(record(submitted_at=time.time() - 90000))["can_fetch"] is False
    assert task_row(record(task_id=""))["can_fetch"] is False


def test_a_video_of_the_same_path_on_another_machine_is_not_here(tmp_path):
    path = tmp_path / "v.mp4"
    path.write_bytes(b"video")
    saved = {"state": "saved", "path": str(path), "bytes": 5}
    assert task_row(record(**saved, host="elsewhere"))["is_here"] is False
    assert task_row(record(**saved, host=platform.node()))["is_here"] is True


def test_without_a_ledger_there_is_nothing_and_none_is_made(tmp_path):
    home = tmp_path / "home"
    assert listed(home) == {"tasks": [], "next": 0, "total": 0}
    assert told(home)["today"] == {}
    assert not home.exists()
