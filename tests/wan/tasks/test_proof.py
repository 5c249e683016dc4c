"""What proves that a task is a request's own, or that there is none; and that what is known is never thrown away."""

from __future__ import annotations

import contextlib
import errno
import sqlite3
import threading
import time
from dataclasses import replace
from email.utils import formatdate
from pathlib import Path

import pytest
from mock_faults import ErrorResponse, HtmlPage, JsonBody, ListEmpty, ListLag, Throttling, UnknownStatus
from mock_faults import ResetAfterActing as LostResponse
from mock_faults import ResetBeforeActing as NeverCame
from mock_server import ALWAYS
from PIL import Image
from wanpack.wan.api import client
from wanpack.wan.api.advice import service_error
from wanpack.wan.api.client import Client
from wanpack.wan.api.errors import OutcomeUnknown
from wanpack.wan.api.request import earlier_fingerprints
from wanpack.wan.errors import DownloadFailed, WanError
from wanpack.wan.ledger.errors import LedgerUnavailable
from wanpack.wan.ledger.ledger import Ledger
from wanpack.wan.ledger.record import Record
from wanpack.wan.tasks import attachments, reconcile, submit
from wanpack.wan.tasks.batch import validate_batch
from wanpack.wan.tasks.context import RunContext
from wanpack.wan.tasks.output import OutputTarget

pytestmark = pytest.mark.engines


@pytest.fixture
def used(bench):
    """A bench whose user has made a video before: the list can prove something."""
    return bench.make_used()


def records(bench, **values):
    ledger = bench.ledger()
    found = ledger.find(**values)
    ledger.close()
    return found


def save(bench, record):
    ledger = bench.ledger()
    ledger.save(record)
    ledger.close()


def lose(bench, fault=None):
    bench.server.faults.add(on="create", fault=fault or LostResponse())


def lost_for_now(bench, batch=None, fault=None):
    """A request whose response is lost while the list cannot be read."""
    lose(bench, fault)
    bench.server.faults.add(on="list", fault=HtmlPage(), times=ALWAYS)
    with pytest.raises(OutcomeUnknown):
        bench.run(batch)
    bench.server.faults.clear()


def task_of(bench, batch=None):
    """The task that a run ends with, "" where it cannot tell."""
    try:
        return bench.run(batch).task_id
    except OutcomeUnknown:
        return ""


class TestAbsence:
    def test_a_list_that_was_read_early_proves_nothing_late(self, used, monkeypatch):
        """The first look meets an outage of some minutes after it has read the list."""
        used.foreign_task().frozen_in = None
        lose(used)
        used.server.faults.add(on="list", fault=ListLag(45), times=ALWAYS)
        query, waited = RunContext.get_task, []

        async def slow(context, task_id, **more):
            if not waited:
                waited.append(task_id)
                await used.clock.sleep(210)
            return await query(context, task_id, **more)

        monkeypatch.setattr(RunContext, "get_task", slow)
        used.run()
        assert len(used.tasks()) == 1

    @pytest.mark.parametrize("seconds", [-600, 600])
    def test_a_gateway_that_tells_its_own_time_proves_nothing(self, bench, seconds):
        bench.server.date = lambda _: formatdate(time.time() + seconds, usegmt=True)
        bench.run(bench.batch(prompt="a horse"))
        lose(bench)
        task_of(bench)
        assert len(bench.tasks()) == 1

    @pytest.mark.parametrize("status", [200, 500, 503])
    def test_words_of_throttling_prove_nothing_where_it_is_no_429(self, used, monkeypatch, status):
        acting_then(monkeypatch, "Throttling.RateQuota", status)
        used.run()
        assert len(used.tasks()) == 1

    def test_a_server_error_with_a_list_that_lacks_what_must_be_there_is_not_sent_again(self, used, monkeypatch):
        acting_then(monkeypatch, "InternalError", 500, times=100)
        used.server.faults.add(on="list", fault=ListEmpty(), times=ALWAYS)
        with pytest.raises(OutcomeUnknown):
            used.run()
        assert len(used.tasks()) == 1

    def test_a_second_server_error_in_a_row_takes_a_proof(self, bench, monkeypatch):
        """Of a first request no list can prove anything."""
        bench.server.faults.add(on="create", fault=ErrorResponse(500, "InternalError"), times=ALWAYS)
        with pytest.raises(OutcomeUnknown):
            bench.run()
        assert bench.calls["create"] == 2

    def test_what_was_not_proven_is_not_called_uncharged(self, bench):
        """Moderation that comes as a server's error, of a first request: no list can prove anything."""
        fault = ErrorResponse(500, "InternalError.Algo.DataInspectionFailed", "No.")
        bench.server.faults.add(on="create", fault=fault)
        with pytest.raises(WanError, match="lists no task") as caught:
            bench.run()
        assert "charged" not in str(caught.value)
        assert bench.calls["create"] == 1

    def test_an_own_video_that_begins_black_is_not_let_go(self, used, monkeypatch):
        monkeypatch.setattr(reconcile, "first_image", lambda _: Image.new("RGB", (300, 300)))
        lose(used)
        assert task_of(used) == ""
        assert len(used.tasks()) == 1


class TestAnothers:
    @pytest.mark.slow
    def test_an_own_request_of_the_same_image_keeps_its_task(self, used):
        """Both were lost: the one of 3 s was created, the one of 4 s never came."""
        other = used.batch()
        other = replace(other, request=replace(other.request, duration=4))
        lost_for_now(used)
        lost_for_now(used, other, NeverCame())
        [task] = used.tasks()
        assert task_of(used, other) != task.id

    def test_a_video_of_another_length_is_not_taken(self, used):
        theirs = used.run(used.batch(home=used.folder / "theirs"))
        lose(used, NeverCame())
        batch = used.batch()
        assert task_of(used, replace(batch, request=replace(batch.request, duration=4))) != theirs.task_id

    def test_a_request_without_a_prompt_takes_no_task_that_tells_one(self, used):
        theirs = used.run(used.batch(prompt="a dog", home=used.folder / "theirs"))
        lose(used, NeverCame())
        assert task_of(used, used.batch(prompt="")) != theirs.task_id

    @pytest.mark.slow
    def test_what_a_killed_run_had_downloaded_of_it_is_not_taken(self, used):
        theirs = used.run(used.batch(prompt="a dog"))
        lost_for_now(used, fault=NeverCame())
        [record] = records(used, state="uncertain")
        part = validate_batch(used.batch()).output.partial_path(record.id)
        part.write_bytes(theirs.path.read_bytes())
        save(used, replace(record, part=str(part), bytes=part.stat().st_size))
        before = used.calls["download"]
        used.run()
        assert used.calls["download"] > before


class TestWhatIsKnown:
    def test_a_task_without_a_request_id_is_the_requests_own(self, used, monkeypatch):
        submit = Client.create_task
        monkeypatch.setattr(Client, "create_task", lambda *a, **named: replace(submit(*a, **named), request_id=""))
        used.server.faults.add(on="query", fault=ErrorResponse(401, "InvalidApiKey", "No."), times=ALWAYS, after=1)
        with pytest.raises(WanError):
            used.run()
        used.server.faults.clear()
        used.server.faults.add(on="list", fault=ListEmpty(), times=ALWAYS)
        assert used.run().task_id == used.tasks()[0].id

    def test_a_task_that_was_proven_once_stays_the_requests_own(self, used):
        def full(*_, **__):
            raise OSError(errno.ENOSPC, "No space left on device")

        lose(used)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(OutputTarget, "commit", full)
            with pytest.raises(DownloadFailed):
                used.run()
        [record] = [one for one in records(used, region="beijing") if one.is_adopted]
        Path(record.part).unlink()
        used.server.faults.add(on="download", fault=HtmlPage(), times=ALWAYS)
        with pytest.raises(WanError):
            used.run()
        used.server.faults.clear()
        used.server.faults.add(on="list", fault=ListEmpty(), times=ALWAYS)
        assert used.run().task_id == record.task_id

    def test_a_saved_video_of_an_earlier_version_is_found_behind_a_refused_key(self, bench):
        bodies = []
        with pytest.MonkeyPatch.context() as patch:
            made = submit.fingerprint
            patch.setattr(
                submit, "fingerprint", lambda body, *, region: bodies.append(body) or made(body, region=region)
            )
            first = bench.run()
        [record] = records(bench, task_id=first.task_id)

        def old(account):
            return next(earlier_fingerprints(bodies[0], region="beijing", account=account, duration=3))

        ledger = bench.ledger()
        ledger.execute("DELETE FROM requests")
        ledger.close()
        refused = Record(old("wrong"), "wrong", "beijing", record.model, state="failed", id="1")
        save(bench, refused)
        save(bench, replace(record, fingerprint=old("right"), account="right"))
        assert bench.run().receipt["reused"] is True
        assert bench.created == 1

    def test_an_expired_request_keeps_its_task(self, used):
        first = used.run()
        [record] = records(used, task_id=first.task_id)
        first.path.unlink()
        save(used, replace(record, state="expired", request_id="", path="", bytes=0, subject=""))
        used.server.faults.add(on="query", fault=UnknownStatus(), times=ALWAYS)
        with pytest.raises(WanError, match=first.task_id):
            used.run()
        assert records(used, id=record.id)[0].task_id == first.task_id

    def test_a_video_that_is_put_back_counts_although_fetching_it_again_broke_off(self, bench):
        first = bench.run()
        moved = first.path.rename(bench.folder / "moved.mp4")
        bench.server.faults.add(on="download", fault=HtmlPage(), times=ALWAYS)
        with pytest.raises(WanError):
            bench.run()
        bench.server.faults.clear()
        bench.server.faults.add(on="query", fault=UnknownStatus(), times=ALWAYS)
        moved.rename(first.path)
        assert bench.run().receipt["reused"] is True


class TestTheLedger:
    @pytest.mark.parametrize("method", ["unknown_tasks", "adopt"])
    def test_that_fails_after_a_lost_response_leaves_the_outcome_unknown(self, used, monkeypatch, method):
        lose(used)

        def broken(ledger, *_, **__):
            raise LedgerUnavailable("The ledger is locked.", hint="Nothing was sent.")

        with monkeypatch.context() as patch:
            patch.setattr(Ledger, method, broken)
            with pytest.raises(OutcomeUnknown) as caught:
                used.run()
        assert "Nothing was sent" not in str(caught.value)
        assert used.run().receipt["resumed"] is True
        assert len(used.tasks()) == 1

    @pytest.mark.engines("sqlite")
    def test_that_lost_its_memory_tells_the_next_run_that_pays(self, bench):
        """Fetch Task meets the damage first, and needs no ledger."""
        first = bench.run()
        bench.run(bench.batch(prompt="a dog"))
        path = bench.home / "ledger.sqlite3"
        whole = path.read_bytes()
        path.write_bytes(whole[:4096] + b"\xff" * (len(whole) - 4096))
        bench.restart()
        bench.fetch(first.task_id)
        with pytest.raises(LedgerUnavailable, match="damaged and is kept as"):
            bench.run(bench.batch(prompt="a cow"))
        assert bench.created == 2
        bench.run(bench.batch(prompt="a cow"))
        assert bench.created == 3

    @pytest.mark.engines("sqlite")
    def test_that_lost_its_memory_stops_the_whole_batch(self, bench):
        bench.run()
        (bench.home / "ledger.sqlite3").write_bytes(b"garbage" * 1000)
        bench.restart()
        with pytest.raises(LedgerUnavailable, match="damaged and is kept as"):
            bench.run(bench.batch(images=3))
        assert bench.created == 1
        assert len(bench.run(bench.batch(images=3))) == 3

    @pytest.mark.engines("sqlite")
    def test_that_lost_its_memory_tells_so_after_a_run_that_was_stopped(
        self, bench, new_watch, interrupted, monkeypatch
    ):
        """Stop is pressed while an image is encoded: the thread goes on and meets the damage, and nobody reads that."""
        bench.run()
        (bench.home / "ledger.sqlite3").write_bytes(b"garbage" * 1000)
        bench.restart()
        watch, met = new_watch(), threading.Event()
        encode, claim = attachments.encode_frame, Ledger.claim

        def encode_until_stopped(*args, **named):
            watch.press()
            while not watch.heard_at:
                time.sleep(0.01)
            return encode(*args, **named)

        def claim_alone(*args, **named):
            try:
                return claim(*args, **named)
            finally:
                met.set()

        with monkeypatch.context() as patch:
            patch.setattr(attachments, "encode_frame", encode_until_stopped)
            patch.setattr(Ledger, "claim", claim_alone)
            with pytest.raises(interrupted):
                bench.run(watch=watch)
            assert met.wait(60)
        with pytest.raises(LedgerUnavailable, match="damaged and is kept as"):
            bench.run()
        assert bench.created == 1

    @pytest.mark.engines("sqlite")
    def test_that_is_locked_is_waited_for_once_by_a_batch(self, bench, new_watch):
        bench.run()
        other = sqlite3.connect(bench.home / "ledger.sqlite3", isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        watch = new_watch()
        with pytest.raises(LedgerUnavailable, match="locked"):
            bench.run(bench.batch(images=8), watch=watch)
        other.close()
        # Before anything is encoded, or said of the batch.
        assert watch.texts == []
        assert bench.created == 1

    @pytest.mark.engines("sqlite")
    def test_that_is_full_does_not_make_fetch_speak_of_another_key(self, bench):
        bench.run()
        with contextlib.closing(sqlite3.connect(bench.home / "ledger.sqlite3")) as database:
            database.execute(
                "CREATE TRIGGER full BEFORE INSERT ON requests BEGIN SELECT RAISE(ABORT, 'the disk is full'); END"
            )
        with pytest.raises(WanError, match="DashScope does not know the task"):
            bench.fetch("aaaaaaaa-0000-0000-0000-000000000001")

    def test_of_a_request_that_was_not_sent_says_so(self, bench, monkeypatch):
        save_now, failing = Ledger.save_before_sending, [1]

        def locked(ledger, record):
            if failing:
                failing.pop()
                raise LedgerUnavailable("The ledger is locked.", hint="Nothing was sent.")
            save_now(ledger, record)

        monkeypatch.setattr(Ledger, "save_before_sending", locked)
        with pytest.raises(LedgerUnavailable):
            bench.run()
        assert records(bench, region="beijing")[0].sent_at == 0.0
        assert bench.run().receipt["resumed"] is False


def test_a_request_that_was_refused_once_is_not_called_unsent(bench, monkeypatch):
    """The service's time is asked for again before the second try, and that fails."""
    monkeypatch.setattr(client, "FRESH_SECONDS", 0.0)
    bench.server.faults.add(on="create", fault=Throttling(retry_after=100))
    bench.server.faults.add(on="query", fault=HtmlPage(502), times=ALWAYS, after=1)
    with pytest.raises(WanError) as caught:
        bench.run()
    assert "Nothing was sent" not in str(caught.value)


def test_a_refused_key_names_no_task(bench, bare_environment):
    bare_environment.setenv("DASHSCOPE_API_KEY", "sk-wrong-1234567890")
    with pytest.raises(WanError) as caught:
        bench.run()
    assert "(task" not in str(caught.value)


def test_a_task_of_another_region_is_reported_without_a_word_of_payment(bench, bare_environment):
    first = bench.run()
    first.path.unlink()
    bare_environment.setenv("DASHSCOPE_REGION", "singapore")
    with pytest.raises(WanError) as caught:
        bench.fetch(first.task_id)
    assert "nothing was paid" not in str(caught.value)


def test_a_list_without_its_number_of_pages_is_read_on(used):
    """A full page is not the last one."""
    row = {"task_id": "other", "status": "SUCCEEDED", "model_name": "another-model"}
    used.server.faults.add(on="list", fault=JsonBody({"data": [row] * 50}), times=1)
    lose(used)
    assert used.run().receipt["resumed"] is True


def acting_then(patch, code, status, *, times=1):
    """The service creates the task, and then answers with an error of its own form."""
    submit, done = Client.create_task, []

    def act(*given, **named):
        response = submit(*given, **named)
        if len(done) < times:
            done.append(response)
            raise service_error(code=code, message="No.", http_status=status, formed=True, request_id="r")
        return response

    patch.setattr(Client, "create_task", act)


def test_what_cannot_be_encoded_was_not_sent(bench, monkeypatch):
    """It ends before the record says that a request left: the next run has nothing to look for."""
    with monkeypatch.context() as patch:
        patch.setattr("wanpack.wan.api.request.CreateBody.encode", lambda *_: (_ for _ in ()).throw(MemoryError))
        with pytest.raises(MemoryError):
            bench.run()
    [record] = records(bench, task_id="")
    assert (record.sent_at, record.is_outcome_unknown) == (0.0, False)
    bench.run()
    assert bench.created == 1
    assert bench.calls["list"] == 0
