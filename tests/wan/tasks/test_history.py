"""What the ledger remembers of how long tasks took, and what comes of it."""

from __future__ import annotations

import json
import sqlite3
import time

import pytest
from mock_faults import Slow, TaskFails
from wanpack.offline.tasks import Timing
from wanpack.wan.ledger import database as ledger_database
from wanpack.wan.ledger.ledger import Ledger
from wanpack.wan.ledger.record import Record
from wanpack.wan.ledger.schema import VERSIONS

KIND = {"region": "beijing", "model": "wan2.6-i2v", "resolution": "1080P", "duration": 5}


@pytest.fixture
def ledger(tmp_path):
    opened = Ledger(tmp_path / "home")
    yield opened
    opened.close()


def row(number: int, **more) -> Record:
    return Record(f"request {number}", **{"created_at": time.time(), "rendered": 60.0 + number, **KIND, **more})


def test_only_tasks_of_the_same_kind_tell_how_long_the_next_one_takes(ledger):
    for number, (name, other) in enumerate(
        [("region", "singapore"), ("model", "wan2.6-i2v-flash"), ("resolution", "720P"), ("duration", 10)]
    ):
        ledger.save(row(number, **{name: other}))
    assert ledger.recent_durations(row(9)) == []
    ledger.save(row(7))
    assert ledger.recent_durations(row(9)) == [67.0]


def test_the_latest_twenty_count_and_those_that_failed_do_not(ledger):
    for number in range(50):
        ledger.save(row(number, rendered=0.0 if number % 2 else float(number)))
    assert ledger.recent_durations(row(0)) == [float(number) for number in range(48, 8, -2)]


def test_a_task_that_is_only_known_by_its_id_has_no_kind(ledger):
    ledger.save(Record("fetched", task_id="t", created_at=time.time(), rendered=5.0))
    assert ledger.recent_durations(Record("other", task_id="u")) == []


def test_the_lookup_uses_an_index(ledger, tmp_path):
    ledger.save(row(1))
    database = sqlite3.connect(tmp_path / "home" / ledger_database.FILE_NAME)
    where = "model = ? AND resolution = ? AND duration = ? AND region = ?"
    asked = f"SELECT id FROM requests WHERE {where} ORDER BY rowid DESC"  # noqa: S608 - no value in it
    plan = database.execute(f"EXPLAIN QUERY PLAN {asked}", ("", "", 0, "")).fetchall()
    database.close()
    assert [step[-1] for step in plan] == [
        "SEARCH requests USING INDEX requests_by_kind (model=? AND resolution=? AND duration=? AND region=?)"
    ]


def test_a_ledger_of_the_first_version_goes_on(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    database = sqlite3.connect(home / ledger_database.FILE_NAME)
    database.executescript(VERSIONS[0])
    names = [field for field in Record.__dataclass_fields__ if f" {field} " in VERSIONS[0]]
    old = row(1, id="old", task_id="task", state="saved")
    marks = ", ".join("?" for _ in names)
    database.execute(f"INSERT INTO requests ({', '.join(names)}) VALUES ({marks})", [getattr(old, n) for n in names])  # noqa: S608 - fields
    database.execute("PRAGMA user_version = 1")
    database.commit()
    database.close()
    ledger = Ledger(home)
    assert ledger.by_task("task").fingerprint == "request 1"
    ledger.save(row(2))
    assert ledger.recent_durations(row(3)) == [62.0]
    ledger.close()


def test_what_the_service_says_a_task_took_is_kept(make_bench):
    bench = make_bench(timing=Timing(queued=0.1, rendering=1))
    video = bench.run()
    ledger = Ledger(bench.home)
    record = ledger.by_task(video.task_id)
    [task] = bench.server.tasks
    assert task.ended - task.scheduled > 0.29
    assert ledger.recent_durations(record) == [pytest.approx(task.ended - task.scheduled, abs=0.01)]
    ledger.close()
    assert json.loads(record.receipt)["end_time"]


def test_a_failed_task_tells_nothing(bench):
    bench.server.faults.add(on="create", fault=TaskFails())
    with pytest.raises(Exception, match="inference internal error"):
        bench.run()
    ledger = Ledger(bench.home)
    record = ledger.by_task(bench.server.tasks[0].id)
    assert (record.state, ledger.recent_durations(record)) == ("failed", [])
    ledger.close()


def test_the_next_task_begins_while_the_last_one_is_still_downloaded(make_bench, new_watch):
    """Two of this model's tasks run at once. Of three, the third is sent when one is over, not when it is saved."""
    bench, watch = make_bench(timing=Timing(queued=0, rendering=0.5)), new_watch()
    bench.server.faults.add(on="download", fault=Slow(1.5), times=3)
    assert len(bench.run(bench.batch(images=3), watch=watch)) == 3
    third = max(number for number, text in enumerate(watch.texts) if ": submitting" in text)
    assert third < min(number for number, text in enumerate(watch.texts) if ": saved" in text)
