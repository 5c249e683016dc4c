"""The ledger: what it says to do about a request, and how it survives what can happen to its file."""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path, PurePosixPath, PureWindowsPath

import pytest
from mock_faults import ErrorResponse
from platforms import not_on_windows
from sqlalchemy.engine.default import DefaultDialect
from wanpack.wan.api.request import earlier_fingerprints, fingerprint, subject_fingerprint
from wanpack.wan.api.settings import read_settings
from wanpack.wan.catalog.regions import TASK_TTL
from wanpack.wan.ledger import schema
from wanpack.wan.ledger.database import connect, create_file, uri_of
from wanpack.wan.ledger.errors import LedgerUnavailable, RecordsLost
from wanpack.wan.ledger.ledger import Ledger
from wanpack.wan.ledger.record import Claim, Record, State
from wanpack.wan.ledger.recovery import quarantine
from wanpack.wan.ledger.run_lock import RunLock
from wanpack.wan.ledger.schema import OLDER_ACCOUNTS
from wanpack.wan.redaction import Secret
from wanpack.wan.tasks.reconcile import acknowledged

DAY = 86400.0


pytestmark = pytest.mark.engines


@pytest.fixture
def new_run(tmp_path, new_ledger):
    """Open the ledger as one more run."""
    runs = []

    def open_one(home=None, **more):
        home = home or tmp_path / "home"
        new_ledger(home)
        runs.append(Ledger(home, url=read_settings(home).ledger_url, **more))
        return runs[-1]

    yield open_one
    for run in runs:
        run.close()


def draft(name: str = "a", **more) -> Record:
    more.setdefault("created_at", time.time())
    return Record(fingerprint=name, account="account", region="beijing", model="wan", **more)


def video(folder: Path, size: int = 10) -> Path:
    path = folder / "video.mp4"
    path.write_bytes(b"x" * size)
    return path


def rows(run: Ledger) -> list[tuple[str, str]]:
    return [(record.fingerprint, record.state) for record in reversed(run.find(region="beijing"))]


class TestWhatToDo:
    def test_an_unknown_request_is_sent_and_written_down(self, new_run):
        run = new_run()
        record, role = run.claim(draft())
        assert role is Claim.NEW
        assert record.owner == run.run_id
        assert rows(run) == [("a", "submitting")]

    def test_a_request_that_a_living_run_has_is_followed(self, new_run):
        first, second = new_run(), new_run()
        record, _ = first.claim(draft())
        assert second.claim(draft()) == (record, Claim.WAIT)

    @pytest.mark.parametrize("state", [State.PENDING_SUBMIT, State.SUBMITTED, State.SUCCEEDED, State.OUTCOME_UNKNOWN])
    def test_a_request_whose_run_has_ended_is_resumed(self, new_run, state):
        first = new_run()
        record, _ = first.claim(draft())
        first.save(replace(record, state=state.value, task_id="t" if state is State.SUBMITTED else ""))
        first.close()
        second = new_run()
        found, role = second.claim(draft())
        assert (found.id, found.state, role) == (record.id, state.value, Claim.RESUME)
        assert found.owner == second.run_id

    @pytest.mark.parametrize("state", [State.FAILED, State.CANCELED])
    def test_a_request_that_cost_nothing_is_sent_anew(self, new_run, state):
        run = new_run()
        record, _ = run.claim(draft())
        run.save(replace(record, state=state.value))
        again, role = run.claim(draft())
        assert role is Claim.NEW
        assert again.id != record.id
        assert [name for name, _ in rows(run)] == ["a", "a"]

    @pytest.mark.parametrize(("free", "role"), [(False, Claim.RESUME), (True, Claim.NEW)])
    def test_a_request_that_has_expired_is_sent_anew_only_where_it_is_free(self, new_run, free, role):
        run = new_run()
        record, _ = run.claim(draft())
        run.save(replace(record, state=State.EXPIRED.value, task_id="t"))
        assert run.claim(draft(), free=free)[1] is role

    def test_the_video_of_an_expired_request_that_came_back_is_returned(self, new_run, tmp_path):
        run = new_run()
        record, _ = run.claim(draft())
        run.save(replace(record, state=State.EXPIRED.value, path=str(video(tmp_path)), bytes=10))
        assert run.claim(draft(folder=str(tmp_path)))[1] is Claim.REUSE

    def test_a_request_of_an_earlier_version_is_found_by_its_account(self, new_run):
        run = new_run()
        run.save(draft("2:new", task_id="other", state=State.SUBMITTED.value))
        run.save(replace(draft("old of key"), account="key", task_id="t", state=State.SUBMITTED.value))
        found, role = run.claim(draft("2:wanted"), earlier=lambda account: [f"old of {account}"])
        assert (found.task_id, role) == ("t", Claim.RESUME)

    def test_a_failure_is_shared_by_the_run_that_waited_for_it(self, new_run):
        first, second = new_run(), new_run()
        record, _ = first.claim(draft())
        followed, _ = second.claim(draft())
        first.save(replace(record, state=State.FAILED.value, error="no"))
        found, role = second.claim(draft(), following=followed.id)
        assert (found.error, role) == ("no", Claim.FAILED)

    def test_a_cancelled_task_is_no_failure_for_the_run_that_waited(self, new_run):
        first, second = new_run(), new_run()
        record, _ = first.claim(draft())
        first.save(replace(record, state=State.CANCELED.value))
        assert second.claim(draft(), following=record.id)[1] is Claim.NEW

    def test_a_saved_video_is_returned_also_while_its_run_goes_on(self, new_run, tmp_path):
        first, second = new_run(), new_run()
        record, _ = first.claim(draft())
        first.save(replace(record, state=State.SAVED.value, path=str(video(tmp_path)), bytes=10))
        assert second.claim(draft(folder=str(tmp_path)))[1] is Claim.REUSE

    @pytest.mark.parametrize("change", ["missing", "shorter"])
    def test_a_saved_video_that_is_gone_is_fetched_again_by_one_run(self, new_run, tmp_path, change):
        first, second, third = new_run(), new_run(), new_run()
        record, _ = first.claim(draft())
        path = video(tmp_path, 9 if change == "shorter" else 10)
        first.save(replace(record, state=State.SAVED.value, path=str(path), bytes=10, task_id="t", owner=""))
        if change == "missing":
            path.unlink()
        assert second.claim(draft())[1] is Claim.RESUME
        assert third.claim(draft())[1] is Claim.WAIT

    def test_a_video_that_a_killed_run_named_is_returned(self, new_run, tmp_path):
        first = new_run()
        record, _ = first.claim(draft())
        first.save(replace(record, state=State.SUCCEEDED.value, path=str(video(tmp_path)), bytes=10))
        second = new_run()
        assert second.claim(draft())[1] is Claim.WAIT
        first.close()
        assert second.claim(draft(folder=str(tmp_path)))[1] is Claim.REUSE

    def test_an_empty_file_is_no_video(self, tmp_path):
        path = video(tmp_path, 0)
        assert not draft(path=str(path), bytes=0).has_video_file

    def test_a_task_id_means_that_task_and_no_other_of_its_request(self, new_run):
        run = new_run()
        first, _ = run.claim(draft())
        run.save(replace(first, state=State.CANCELED.value, task_id="old"))
        second, _ = run.claim(draft())
        run.save(replace(second, state=State.SUBMITTED.value, task_id="new"))
        run.close()
        found, role = new_run().claim(draft("task old", task_id="old"))
        assert (found.id, role) == (first.id, Claim.RESUME)

    def test_a_task_that_is_not_known_is_taken_in(self, new_run):
        run = new_run()
        record, role = run.claim(draft("task t", task_id="t", state=State.SUBMITTED.value))
        assert role is Claim.NEW
        assert run.by_task("t") == record

    def test_many_threads_claim_a_request_once(self, new_run):
        run = new_run()
        others = [new_run() for _ in range(12)]
        roles = []
        threads = [threading.Thread(target=lambda one=one: roles.append(one.claim(draft())[1])) for one in others]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(role.value for role in roles) == ["follow"] * 11 + ["send"]
        assert run.claim(draft())[1] is Claim.WAIT


class TestAdopting:
    def record(self, run, name="a", **more) -> Record:
        return run.claim(draft(name, state=State.OUTCOME_UNKNOWN.value, sent_at=1000.0, subject="cat", **more))[0]

    def adopt(self, run, record, task_id="t", *, rival=True) -> bool:
        return run.adopt(replace(record, task_id=task_id, state="submitted"), rival=lambda _: rival)

    def test_a_task_that_is_adopted_is_the_requests_own(self, new_run):
        run = new_run()
        record = self.record(run)
        assert self.adopt(run, record)
        adopted = run.by_task("t")
        assert (adopted.id, adopted.state, adopted.is_adopted) == (record.id, "submitted", True)

    def test_a_task_whose_response_came_is_not_adopted(self, new_run):
        record = self.record(new_run())
        assert not replace(record, task_id="t", request_id="r").is_adopted
        assert not replace(record, task_id="t", sent_at=0.0).is_adopted
        assert not record.is_adopted

    def test_a_task_that_another_request_has_is_not_adopted(self, new_run):
        run = new_run()
        run.claim(draft("b", task_id="t", state=State.SUBMITTED.value))
        record = self.record(run)
        assert run.unknown_tasks(["t", "u"]) == ["u"]
        assert not self.adopt(run, record)
        assert run.by_task("t").fingerprint == "b"

    def test_a_task_that_was_only_fetched_by_its_id_may_still_be_the_one(self, new_run):
        run = new_run()
        run.claim(replace(draft("b", task_id="t", state=State.SUBMITTED.value), model=""))
        assert self.adopt(run, self.record(run))

    def test_while_a_rival_lacks_its_task_none_is_adopted(self, new_run):
        run = new_run()
        other = self.record(run, "b")
        record = self.record(run)
        assert not self.adopt(run, record)
        assert self.adopt(run, record, rival=False)
        run.save(replace(other, state=State.SUBMITTED.value, task_id="u"))
        assert self.adopt(run, self.record(run, "c"), "v")

    def test_only_tasks_whose_response_came_under_the_account_are_known_to_be_there(self, new_run):
        run = new_run()
        run.save(draft("a", task_id="t", request_id="r", service_sent_at=1000.0))
        run.save(draft("old", task_id="old", request_id="r", service_sent_at=10.0))
        run.save(draft("b", task_id="adopted", service_sent_at=1000.0))
        run.save(replace(draft("c", task_id="theirs", request_id="r", service_sent_at=1000.0), account="another"))
        assert acknowledged(run.find(account="account"), since=500.0) == {"t": 1000.0}


class TestLives:
    def test_a_run_is_alive_from_acquire_to_release(self, tmp_path):
        life = RunLock(tmp_path)
        assert not life.is_alive(life.run_id)
        life.acquire()
        assert life.is_alive(life.run_id)
        life.release()
        assert not life.is_alive(life.run_id)
        assert list(tmp_path.iterdir()) == []

    def test_no_run_is_alive_without_an_id(self, tmp_path):
        assert not RunLock(tmp_path).is_alive("")

    def test_another_process_sees_it_until_it_is_killed(self, tmp_path):
        program = (
            "import sys, time\n"
            "from filelock import FileLock\n"
            "lock = FileLock(sys.argv[1])\n"
            "lock.acquire()\n"
            "print('held', flush=True)\n"
            "time.sleep(60)\n"
        )
        command = [sys.executable, "-c", program, str(tmp_path / "other.lock")]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:  # noqa: S603 - our own program
            assert other.stdout.readline() == "held\n"
            assert RunLock(tmp_path).is_alive("other")
            other.kill()
            other.wait()
        assert not RunLock(tmp_path).is_alive("other")
        assert list(tmp_path.iterdir()) == []

    def test_without_a_lock_nothing_is_sent(self, tmp_path):
        """Other processes would take the run for dead."""
        (tmp_path / "in the way").write_text("")
        life = RunLock(tmp_path / "in the way")
        with pytest.raises(LedgerUnavailable, match="Nothing was sent"):
            life.acquire()
        assert not life.is_alive(life.run_id)
        life.release()


@pytest.mark.parametrize(
    ("path", "uri"),
    [
        (PurePosixPath("/wan/图 1/ledger.sqlite3"), "file:///wan/%E5%9B%BE%201/ledger.sqlite3?mode=ro"),
        (PureWindowsPath(r"C:\wan\ledger.sqlite3"), "file:///C:/wan/ledger.sqlite3?mode=ro"),
        (PureWindowsPath(r"\\nas\share\ledger.sqlite3"), "file:////nas/share/ledger.sqlite3?mode=ro"),
    ],
)
def test_sqlites_uri_has_no_host(path, uri):
    assert uri_of(path, "ro") == uri


@pytest.mark.engines("sqlite")
class TestFile:
    def test_it_has_a_version_and_survives_its_runs(self, new_run, tmp_path):
        run = new_run(identity=Secret("url and key"))
        run.open()
        run.close()
        again = new_run(identity=Secret("url and key"))
        again.open()
        assert again.account == run.account != ""
        database = sqlite3.connect(tmp_path / "home" / "ledger.sqlite3")
        assert database.execute("PRAGMA user_version").fetchone()[0] == len(schema.VERSIONS)
        assert database.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
        database.close()

    def test_fingerprints_in_an_older_format_are_found_without_reading_the_others(self, new_run, tmp_path):
        run = new_run()
        run.save(replace(draft("f" * 64), account="older"))
        run.save(replace(draft(fingerprint({"model": "m"}, region="beijing")), account="newer"))
        with contextlib.closing(sqlite3.connect(tmp_path / "home" / "ledger.sqlite3")) as database:
            assert database.execute(OLDER_ACCOUNTS).fetchall() == [("older",)]
            [(*_, plan)] = database.execute(f"EXPLAIN QUERY PLAN {OLDER_ACCOUNTS}")
        assert "USING INDEX requests_by_account" in plan

    def test_an_older_version_is_brought_up_with_its_rows(self, new_run, tmp_path, monkeypatch):
        versions = schema.VERSIONS
        home = tmp_path / "home"
        home.mkdir()
        database = sqlite3.connect(home / "ledger.sqlite3")
        database.executescript(versions[0])
        database.execute("PRAGMA user_version = 1")
        names = [row[1] for row in database.execute("PRAGMA table_info(requests)")]
        row = dict.fromkeys(names, "") | {"id": "1", "fingerprint": "a", "state": "submitted", "task_id": "t"}
        row |= dict.fromkeys(("duration", "created_at", "sent_at", "submitted_at", "finished_at", "bytes"), time.time())
        marks = ", ".join("?" for _ in names)
        database.execute(f"INSERT INTO requests VALUES ({marks})", [row[name] for name in names])  # noqa: S608 - our own names
        database.commit()
        database.close()
        more = "ALTER TABLE requests ADD COLUMN later TEXT NOT NULL DEFAULT ''"
        monkeypatch.setattr("wanpack.wan.ledger.database.VERSIONS", (*versions, more))
        found, role = new_run().claim(draft())
        assert (found.task_id, role) == ("t", Claim.RESUME)
        assert version(home) == len(versions) + 1

    def test_a_newer_version_is_left_alone(self, new_run, tmp_path):
        home = tmp_path / "home"
        home.mkdir()
        database = sqlite3.connect(home / "ledger.sqlite3")
        database.execute("PRAGMA user_version = 99")
        database.close()
        before = (home / "ledger.sqlite3").read_bytes()
        with pytest.raises(LedgerUnavailable, match="newer version") as caught:
            new_run().claim(draft())
        assert "Update the pack" in str(caught.value)
        assert (home / "ledger.sqlite3").read_bytes() == before

    def test_a_damaged_file_is_set_aside_and_reported_once(self, new_run, tmp_path, caplog):
        """What it knew is lost, and would be paid again without a word."""
        home = tmp_path / "home"
        home.mkdir()
        (home / "ledger.sqlite3").write_bytes(b"garbage" * 1000)
        run, second = new_run(), new_run()
        for _ in range(2):
            with pytest.raises(RecordsLost, match="Nothing was sent") as caught:
                run.claim(draft())
        (aside,) = home.glob("ledger.sqlite3.damaged-*")
        assert str(aside) in str(caught.value)
        assert aside.read_bytes().startswith(b"garbage")
        assert caplog.text.count("damaged and is kept as") == 1
        # Until a run has reported it, nobody may pay.
        with pytest.raises(RecordsLost):
            second.claim(draft())
        run.note_loss_reported()
        with pytest.raises(RecordsLost):
            run.claim(draft())
        assert second.claim(draft())[1] is Claim.NEW
        assert new_run().claim(draft("b"))[1] is Claim.NEW
        assert rows(second) == [("a", "submitting"), ("b", "submitting")]

    def test_a_second_loss_is_reported_as_well(self, new_run, tmp_path):
        """What was reported of the first one is taken over from the damaged file."""
        home = tmp_path / "home"
        home.mkdir()
        (home / "ledger.sqlite3").write_bytes(b"garbage" * 1000)
        run = new_run()
        with pytest.raises(RecordsLost):
            run.claim(draft())
        run.save(*(draft(str(number), receipt="x" * 900) for number in range(200)))
        run.note_loss_reported()
        run.close()
        whole = (home / "ledger.sqlite3").read_bytes()
        moved = home.rename(tmp_path / "moved")
        # The last half of the pages, of which the records are.
        (moved / "ledger.sqlite3").write_bytes(whole[: len(whole) // 2] + b"\xff" * (len(whole) - len(whole) // 2))
        with pytest.raises(RecordsLost):
            new_run(moved).claim(draft("new"))
        assert len(list(moved.glob("*.damaged-*[0-9]"))) == 2

    def test_what_can_be_read_of_a_damaged_file_is_taken_over(self, new_run, tmp_path, caplog):
        home = tmp_path / "home"
        run = new_run()
        for number in range(200):
            run.save(draft(str(number), task_id=f"t{number}", state=State.SUBMITTED.value, receipt="x" * 900))
        run.close()
        moved = home.rename(tmp_path / "moved")
        damage_index(moved / "ledger.sqlite3")
        again = new_run(moved)
        # Only an index was damaged: nothing of what it knew is lost, and the run goes on.
        assert [again.claim(draft(str(number)))[0].task_id for number in (199, 0)] == ["t199", "t0"]
        assert caplog.text.count("damaged and is kept as") == 1
        assert list(moved.glob("*.damaged-*"))

    def test_a_recovery_that_fails_begins_anew(self, new_run, tmp_path, monkeypatch):
        """Else the next run would begin with an empty ledger, and pay again without a word."""
        home = tmp_path / "home"
        home.mkdir()
        (home / "ledger.sqlite3").write_bytes(b"garbage" * 1000)

        def fail(*_):
            raise sqlite3.OperationalError("database or disk is full")

        with monkeypatch.context() as full:
            full.setattr("wanpack.wan.ledger.database.SqliteStore.set_version", fail)
            with pytest.raises(LedgerUnavailable, match="disk is full"):
                new_run().claim(draft())
        with pytest.raises(RecordsLost):
            new_run().claim(draft())
        assert len(list(home.glob("*.damaged-*"))) == 1
        assert not list(home.glob("*.new*"))

    def test_what_cannot_be_committed_leaves_no_transaction(self, new_run, monkeypatch):
        """Else the next transaction would commit the claim that has failed."""
        run = new_run()
        commit = DefaultDialect.do_commit

        def fail(*_):
            monkeypatch.setattr(DefaultDialect, "do_commit", commit)
            raise MemoryError

        run.claim(draft("before"))
        monkeypatch.setattr(DefaultDialect, "do_commit", fail)
        with pytest.raises(MemoryError):
            run.claim(draft("lost"))
        assert rows(run) == [("before", "submitting")]
        assert new_run().claim(draft("lost"))[1] is Claim.NEW

    def test_two_processes_that_find_it_damaged_share_the_new_one(self, tmp_path):
        path = tmp_path / "home" / "ledger.sqlite3"
        path.parent.mkdir()
        path.write_bytes(b"garbage" * 1000)
        for _ in range(2):
            quarantine(path, connect=connect, create=create_file)
        assert len(list(path.parent.glob("*.damaged-*"))) == 1

    @pytest.mark.parametrize("method", ["claim", "save"])
    def test_a_locked_file_is_reported_and_used_again_later(self, new_run, tmp_path, method):
        run = new_run()
        run.claim(draft())
        other = sqlite3.connect(tmp_path / "home" / "ledger.sqlite3", isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(LedgerUnavailable, match="locked") as caught:
            getattr(run, method)(draft("b"))
        assert "Another program has it open" in str(caught.value)
        other.close()
        getattr(run, method)(draft("b"))
        assert rows(run) == [("a", "submitting"), ("b", "submitting")]

    @not_on_windows("a folder has no such modes")
    @pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may write everything")
    def test_a_folder_that_cannot_be_written_is_reported(self, new_run, tmp_path):
        run = new_run()
        run.save(draft(task_id="t", state=State.SUBMITTED.value))
        run.close()
        home = (tmp_path / "home").rename(tmp_path / "moved")
        home.chmod(0o500)
        (home / "ledger.sqlite3").chmod(0o400)
        with pytest.raises(LedgerUnavailable, match="DASHSCOPE_WAN_HOME"):
            new_run(home).claim(draft())
        home.chmod(0o700)


class TestRecords:
    def test_a_clock_that_was_set_back_changes_nothing(self, new_run, tmp_path, monkeypatch):
        run = new_run()
        record, _ = run.claim(draft())
        run.save(replace(record, task_id="t", state=State.SUBMITTED.value, submitted_at=time.time()))
        run.close()
        now = time.time()
        monkeypatch.setattr(time, "time", lambda: now - 3 * DAY)
        found, role = new_run().claim(draft())
        assert (found.task_id, role) == ("t", Claim.RESUME)

    def test_records_stay_however_old_they_are(self, new_run, tmp_path):
        run = new_run()
        run.save(draft("old", created_at=time.time() - 400 * DAY))
        run.close()
        home = (tmp_path / "home").rename(tmp_path / "moved")
        assert [name for name, _ in rows(new_run(home))] == ["old"]

    def test_half_a_character_from_the_service_is_no_hindrance(self, new_run):
        run = new_run()
        run.save(draft(task_id="t", error="half \ud83d of\0 it"))
        run.close()
        assert "half" in new_run().by_task("t").error

    def test_never_a_key_in_any_file(self, bench, bare_environment):
        key = bench.server.key.encode()
        bench.server.faults.add(on="create", fault=ErrorResponse(401, "InvalidApiKey", f"Bad key {bench.server.key}."))
        with pytest.raises(Exception, match="InvalidApiKey"):
            bench.run()
        bench.run()
        files = [path for folder in (bench.home, bench.output) for path in folder.rglob("*") if path.is_file()]
        assert len(files) >= 2
        for path in files:
            assert key not in path.read_bytes(), path
            assert b"base64," not in path.read_bytes(), path

    def test_nothing_is_warned_of_in_good_times(self, new_run, caplog):
        run = new_run()
        run.claim(draft())
        run.close()
        assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


BODY = {"model": "wan", "input": {"prompt": "cat", "img_url": "a"}, "parameters": {"seed": 1}}


class TestFingerprints:
    def test_the_order_of_the_fields_does_not_matter(self):
        turned = {name: BODY[name] for name in reversed(BODY)}
        assert fingerprint(turned, region="beijing") == fingerprint(BODY, region="beijing")

    def test_everything_that_is_asked_and_the_region_matter(self):
        others = [
            (BODY | {"model": "wan2"}, "beijing"),
            (BODY | {"parameters": {"seed": 2}}, "beijing"),
            (BODY | {"input": {"prompt": "dog", "img_url": "a"}}, "beijing"),
            (BODY | {"input": {"prompt": "cat", "img_url": "b"}}, "beijing"),
            (BODY, "singapore"),
        ]
        assert len({fingerprint(body, region=region) for body, region in [(BODY, "beijing"), *others]}) == 6

    @pytest.mark.parametrize(
        ("change", "same"),
        [
            ({"parameters": {"seed": 2}}, True),
            ({"input": {"prompt": "dog", "img_url": "a"}}, True),
            ({"input": {"prompt": "cat", "img_url": "b"}}, False),
            ({"input": {"prompt": "cat", "media": [{"type": "first_frame", "url": "b"}]}}, False),
            ({"model": "wan2"}, False),
        ],
    )
    def test_the_model_and_the_image_are_the_subject(self, change, same):
        assert (
            subject_fingerprint(BODY | change, region="beijing") == subject_fingerprint(BODY, region="beijing")
        ) is same

    def test_it_tells_nothing_of_what_was_asked(self):
        assert len(fingerprint(BODY, region="beijing").removeprefix("2:")) == 64

    def test_those_of_earlier_versions_are_known(self):
        """As version 0.1.0 wrote them into its ledgers."""
        old = earlier_fingerprints(BODY, region="beijing", account="me", duration=5)
        assert list(old) == [
            "b95d22b4bbadd43d24d7f098a40b63b9e052a42f3f01176ba655af85ee273f47",
            "929ece7101303b0713565c8d6f9bfef4b6ec0367a148cb39eaca4fcd2ee19ffc",
        ]

    def test_the_duration_of_a_model_that_has_several_was_always_in_them(self):
        body = BODY | {"parameters": {"seed": 1, "duration": 5}}
        assert list(earlier_fingerprints(body, region="beijing", account="me", duration=5)) == [
            "929ece7101303b0713565c8d6f9bfef4b6ec0367a148cb39eaca4fcd2ee19ffc"
        ]


def test_a_task_lasts_for_a_day():
    assert TASK_TTL == DAY


def version(home: Path) -> int:
    database = sqlite3.connect(home / "ledger.sqlite3")
    found = database.execute("PRAGMA user_version").fetchone()[0]
    database.close()
    return found


def damage_index(path: Path) -> None:
    """Overwrite the page that the search for a fingerprint begins at; the rows themselves stay."""
    database = sqlite3.connect(path)
    (page,) = database.execute("SELECT rootpage FROM sqlite_master WHERE name = 'requests_by_fingerprint'").fetchone()
    (size,) = database.execute("PRAGMA page_size").fetchone()
    database.close()
    whole = bytearray(path.read_bytes())
    whole[(page - 1) * size : page * size] = b"\xff" * size
    path.write_bytes(bytes(whole))
