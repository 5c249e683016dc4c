"""What a run says and does while its ledger cannot be used, and at once when it can be used again."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time

import pytest
from wanpack.wan.ledger.database import FILE_NAME
from wanpack.wan.ledger.errors import LedgerUnavailable, RecordsLost
from wanpack.wan.ledger.ledger import Ledger
from wanpack.wan.ledger.postgres import PostgresStore
from wanpack.wan.ledger.record import Claim, Record
from wanpack.wan.redaction import Secret

IDENTITY = Secret("an account")


class Stopped(Exception):
    """A machine goes no further."""


@pytest.fixture
def ledger(tmp_path):
    one = Ledger(tmp_path, identity=IDENTITY)
    one.open()
    yield one
    one.close()


@pytest.fixture
def shared(new_database, tmp_path):
    one = Ledger(tmp_path, url=Secret(new_database()), identity=IDENTITY)
    one.open()
    yield one
    one.close()
    one._database.store.close()


def damage(home):
    path = home / FILE_NAME
    path.write_bytes(b"x" * 100 + path.read_bytes()[100:])


class TestFile:
    def test_threads_that_wait_for_a_locked_file_use_it_once_it_is_free(self, ledger, tmp_path):
        ledger.claim(Record("2:first"))
        other, failed, claims = sqlite3.connect(tmp_path / FILE_NAME), threading.Event(), []

        def claim(number):
            try:
                claims.append(ledger.claim(Record(f"2:{number}"))[1])
            except LedgerUnavailable:
                failed.set()

        threads = [threading.Thread(target=claim, args=(number,)) for number in range(12)]
        other.execute("BEGIN IMMEDIATE")
        for thread in threads:
            thread.start()
        assert failed.wait(10)
        other.rollback()
        other.close()
        until = time.monotonic() + 15
        for thread in threads:
            thread.join(until - time.monotonic())
        assert not any(thread.is_alive() for thread in threads)
        assert claims.count(Claim.NEW) >= 10

    def test_a_damaged_file_that_cannot_be_replaced_is_said(self, ledger, tmp_path, monkeypatch):
        def fail(*_):
            raise sqlite3.OperationalError("database or disk is full")

        ledger.close()
        damage(tmp_path)
        monkeypatch.setattr("wanpack.wan.ledger.recovery._is_intact", fail)
        again = Ledger(tmp_path, identity=IDENTITY)
        with pytest.raises(LedgerUnavailable, match="disk is full") as caught:
            again.open()
        assert "Free some space" in caught.value.hint
        again.close()

    @pytest.mark.parametrize("repay", [False, True])
    def test_lost_records_are_reported_to_who_repays_missing_videos_too(self, ledger, tmp_path, repay):
        ledger.claim(Record("2:first"))
        ledger.close()
        damage(tmp_path)
        again = Ledger(tmp_path, identity=IDENTITY)
        again.open()
        with pytest.raises(RecordsLost):
            again.claim(Record("2:second"), repay=repay)
        again.close()


class TestServer:
    def test_one_that_is_back_is_used_at_once(self, shared):
        with pytest.raises(LedgerUnavailable, match="division"):
            shared._database.transaction(lambda connection: connection.exec_driver_sql("SELECT 1/0"))
        record, _ = shared.claim(Record("2:first"))
        shared.save_before_sending(record)

    def test_a_machine_that_is_stopped_in_its_transaction_does_not_stop_the_others(self, shared):
        with contextlib.suppress(Stopped), shared._database.store.begin(exclusive=True) as stopped:
            assert shared.claim(Record("2:first"))[1] is Claim.NEW
            stopped.invalidate()
            raise Stopped

    def test_a_renewal_after_the_end_of_the_run_is_none(self, shared):
        shared.claim(Record("2:first"))
        shared.close()
        assert shared._renew()
        assert shared.execute("SELECT count(*) FROM runs")[0] == 0

    def test_its_schema_may_be_named_in_the_url(self, postgres, new_database, tmp_path):
        url = new_database()
        postgres.execute("CREATE SCHEMA wan", url=url)
        one = Ledger(tmp_path, url=Secret(f"{url}&options=-csearch_path%3Dwan"), identity=IDENTITY)
        one.open()
        one.close()
        one._database.store.close()
        assert postgres.execute("SELECT DISTINCT schemaname FROM pg_tables WHERE tablename = 'facts'", url=url) == [
            ("wan",)
        ]


class TestUrl:
    def test_a_password_with_an_at_sign_is_not_taken_for_a_host(self):
        with pytest.raises(LedgerUnavailable, match="is not the URL") as caught:
            PostgresStore(Secret("postgresql://wan:top@secret@server/db"))
        assert "secret" not in str(caught.value)
        assert "percent-encoded" in caught.value.hint

    @pytest.mark.parametrize(
        ("url", "place"),
        [
            ("postgresql://wan:pw@server:5433/db", "server:5433/db"),
            ("postgresql:///db?host=server", "server/db"),
            ("postgresql:///db?host=/run/postgresql", "the local socket/db"),
            ("postgres://wan@/db", "the local socket/db"),
        ],
    )
    def test_where_the_database_is(self, url, place):
        assert PostgresStore(Secret(url)).place == place
