"""Runs that share a ledger on PostgreSQL, of which one loses its connection or its records to another."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from dataclasses import replace

import pytest
from wanpack.wan.ledger import database as ledger_database
from wanpack.wan.ledger.errors import LedgerUnavailable
from wanpack.wan.ledger.ledger import Ledger
from wanpack.wan.ledger.record import Claim, Record, State
from wanpack.wan.redaction import Secret


@pytest.fixture
def machine(new_database, tmp_path):
    """Open the shared ledger as one more machine does."""
    url, opened = Secret(new_database()), []

    def start():
        ledger_database._databases.pop(url.reveal(), None)
        opened.append(Ledger(tmp_path / f"home{len(opened)}", url=url, identity=Secret("an account")))
        opened[-1].open()
        return opened[-1]

    yield start
    for one in opened:
        one.close()
        one._database.store.close()


def draft(folder="/here"):
    return Record("2:a cat", region="beijing", model="a model", folder=folder)


def send(ledger, record, **outcome):
    """Write a record as one does that sends its request, with the outcome."""
    record.sent_at = time.time()
    ledger.save_before_sending(record)
    vars(record).update(outcome)
    if outcome:
        ledger.save(record)


@pytest.fixture
def cut_off(machine):
    """A machine whose lease ran out after it had claimed the request, and its record."""
    first = machine()
    record, claimed = first.claim(draft())
    assert claimed is Claim.NEW
    first.execute("DELETE FROM runs WHERE id = :id", id=first.run_id)
    return first, record


@contextmanager
def lost_at_commit(ledger, *, after, then=lambda: None):
    """Lose the connection at the next COMMIT, before or after it is carried out."""
    dialect, commits = ledger._database.store._engine.dialect, []
    carry_out = dialect.do_commit

    def do_commit(connection):
        commits.append(connection)
        if len(commits) > 1:
            return carry_out(connection)
        if after:
            carry_out(connection)
        driver = getattr(connection, "driver_connection", connection)
        driver.close()
        then()
        return driver.execute("SELECT 1")

    dialect.do_commit = do_commit
    yield
    dialect.do_commit = carry_out
    assert len(commits) > 1


def test_a_run_that_ends_while_it_is_looked_at_is_not_taken_over(machine, monkeypatch):
    first, second = machine(), machine()
    record, _ = first.claim(draft())
    send(first, record, task_id="t", state=State.SUCCEEDED.value)

    def end():
        record.state, record.owner = State.SAVED.value, ""
        first.save(record)
        first.close()

    ending = threading.Thread(target=end)
    is_alive = second._run_lock.is_alive

    def looked_at(run, connection):
        if ending.ident is None:
            ending.start()
            ending.join(0.5)
        return is_alive(run, connection)

    monkeypatch.setattr(second._run_lock, "is_alive", looked_at)
    assert second.claim(draft())[1] is Claim.WAIT
    ending.join()
    assert second.by_task("t").state == State.SAVED.value


class TestLostConnections:
    @pytest.mark.parametrize("after", [False, True])
    def test_another_machine_does_not_pay_for_a_saved_video(self, machine, after):
        first = machine()
        record, _ = first.claim(draft("/first"))
        send(first, record, task_id="T1", state=State.SAVED.value, owner="", path="/first/v.mp4", bytes=3)
        second = machine()
        with lost_at_commit(second, after=after):
            record, claimed = second.claim(draft("/second"))
        assert (claimed, record.task_id) == (Claim.RESUME, "T1")

    def test_a_dead_run_is_taken_over_by_one_run(self, machine, cut_off):
        second, third = machine(), machine()
        taken = []
        with lost_at_commit(second, after=False, then=lambda: taken.append(third.claim(draft())[1])):
            _, claimed = second.claim(draft())
        assert (taken, claimed) == ([Claim.RESUME], Claim.WAIT)


class TestTakenOver:
    """The request of a machine that is cut off is sent by another one."""

    @pytest.fixture
    def resent(self, machine, cut_off):
        """The machine that is cut off, the record of its request, and the machine that sent the request again."""
        first, record = cut_off
        send(first, record)
        second = machine()
        sent, claimed = second.claim(draft())
        assert claimed is Claim.RESUME
        send(second, sent, task_id="T2", state=State.SUBMITTED.value)
        return first, record, second

    @pytest.mark.parametrize("is_kept", [False, True])
    def test_the_first_one_does_not_send_it_again(self, resent, is_kept):
        first, record, second = resent
        record.sent_at = 0.0
        if is_kept:
            first.keep(record)
            assert first._renew()
        else:
            first.save(record)
        (row,) = second.find(id=record.id)
        assert (row.task_id, row.owner) == ("T2", second.run_id)
        with pytest.raises(LedgerUnavailable, match="taken over"):
            send(first, record)

    @pytest.mark.parametrize("task", ["T1", "T2"])
    def test_each_saved_video_stays_in_the_ledger(self, resent, task):
        first, record, second = resent
        (row,) = second.find(id=record.id)
        priced = {"reserved_at": time.time(), "estimate": 1.5, "currency": "CNY", "billed": 1.5}
        second.save(replace(row, state=State.SAVED.value, owner="", path="/second.mp4", **priced))
        first.keep(replace(record, state=State.SAVED.value, owner="", path="/first.mp4", task_id=task, **priced))
        assert first._renew()
        assert {(one.path, one.task_id) for one in second.find(fingerprint=row.fingerprint)} == {
            ("/second.mp4", "T2"),
            ("/first.mp4", task),
        }
        # A task is paid once.
        priced = [one.task_id for one in second.find(fingerprint=row.fingerprint, currency="CNY")]
        assert sorted(priced) == sorted({task, "T2"})

    def test_the_second_one_does_not_lose_the_first_ones_task(self, machine, cut_off):
        first, record = cut_off
        send(first, record)
        second = machine()
        looking, _ = second.claim(draft())
        first.save(replace(record, task_id="T1", state=State.SUBMITTED.value))
        looking.sent_at = 0.0
        second.save(looking)
        assert second.find(id=record.id)[0].task_id == "T1"
        with pytest.raises(LedgerUnavailable, match="taken over"):
            send(second, looking)


@pytest.mark.engines
@pytest.mark.parametrize("writes", ["save", "save_before_sending"])
def test_a_kept_record_does_not_replace_a_later_one(engine, request, tmp_path, writes):
    one = request.getfixturevalue("machine")() if engine == "postgresql" else Ledger(tmp_path / "home")
    one.open()
    record, _ = one.claim(draft())
    one.keep(record)
    record.sent_at = 1.0
    getattr(one, writes)(record)
    one.open()
    assert one.find(id=record.id)[0].sent_at == 1.0
    one.close()


@pytest.mark.parametrize("state", [State.SAVED, State.EXPIRED])
def test_a_video_on_this_machine_is_reused_though_its_folder_is_unknown(machine, tmp_path, state):
    """As a record is that was copied from the file of this machine."""
    first = machine()
    record, _ = first.claim(draft())
    path = tmp_path / "video.mp4"
    path.write_bytes(b"a video")
    send(first, record, task_id="T1", state=state.value, owner="", path=str(path), bytes=7, folder="")
    assert machine().claim(draft("/another"), repay=True)[1] is Claim.REUSE
