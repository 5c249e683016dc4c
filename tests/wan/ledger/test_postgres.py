"""The ledger on PostgreSQL: its URL, the leases of its runs, and what was kept while it could not be reached."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest
from wanpack.wan.ledger.errors import LedgerUnavailable
from wanpack.wan.ledger.ledger import Ledger
from wanpack.wan.ledger.postgres import LEASE_SECONDS
from wanpack.wan.ledger.record import Claim, Record, State
from wanpack.wan.redaction import Secret


@pytest.fixture
def new_run(tmp_path, new_database):
    """Open the ledger as one more run, each on a machine with a home of its own."""
    url, runs = new_database(), []

    def open_one(home="home", **more):
        runs.append(Ledger(tmp_path / home, url=Secret(url), **more))
        return runs[-1]

    yield open_one
    for run in runs:
        run.close()


def draft(**more) -> Record:
    return Record("a", region="beijing", model="wan", created_at=1.0, **more)


class TestTheUrl:
    @pytest.mark.parametrize(
        "url",
        [
            "studio",
            "mysql://user:secret-word@host/db",
            "postgresql:/user:secret-word@host/db",
            "host=h password=secret-word",
        ],
    )
    def test_that_is_none_is_an_error_with_the_form(self, tmp_path, url, held_by):
        with pytest.raises(LedgerUnavailable, match="is not the URL of a PostgreSQL database") as caught:
            Ledger(tmp_path, url=Secret(url))
        assert "postgresql://user:password@host/database" in str(caught.value)
        assert "Nothing was sent" in str(caught.value)
        assert not [line for line in held_by(caught.value) if "secret-word" in line]

    def test_without_the_driver_it_is_an_error_with_the_line_for_pip(self, tmp_path, monkeypatch, held_by):
        monkeypatch.setitem(sys.modules, "psycopg", None)
        with pytest.raises(LedgerUnavailable, match="its driver is not installed") as caught:
            Ledger(tmp_path, url=Secret("postgresql://user:secret-word@host/db"))
        assert f'"{sys.executable}" -m pip install "psycopg[binary]' in str(caught.value)
        assert not [line for line in held_by(caught.value) if "secret-word" in line]

    def test_a_password_of_any_characters_serves_each_connection(self, new_run):
        run = new_run()
        run.open()
        run.listen().close()


class TestLeases:
    def pass_by(self, run, seconds):
        """Let some seconds pass in which no run renews its lease."""
        run.execute("UPDATE runs SET until = until - :seconds", seconds=seconds)

    def test_a_run_that_was_cut_off_for_30_s_is_alive(self, new_run):
        """It renewed its lease 15 s before, at the latest."""
        first, second = new_run(), new_run()
        first.claim(draft())
        self.pass_by(second, 45)
        assert second.claim(draft())[1] is Claim.WAIT

    def test_a_run_without_a_renewal_for_a_lease_is_dead(self, new_run):
        (age,) = new_run().execute("SELECT EXTRACT(EPOCH FROM clock_timestamp() - pg_postmaster_start_time())")
        # A lease that is shorter than the database has been up.
        scale = float(age) / LEASE_SECONDS / 2
        first, second = new_run(scale=scale), new_run(scale=scale)
        record, _ = first.claim(draft())
        self.pass_by(second, 1.02 * LEASE_SECONDS * scale)
        found, claim = second.claim(draft())
        assert (found.id, claim) == (record.id, Claim.RESUME)
        assert found.owner == second.run_id

    def test_while_the_database_was_down_no_run_could_renew(self, new_run):
        """It was started within a lease: whoever was alive before still is."""
        (age,) = new_run().execute("SELECT EXTRACT(EPOCH FROM clock_timestamp() - pg_postmaster_start_time())")
        scale = (float(age) + 60) / LEASE_SECONDS
        first, second = new_run(scale=scale), new_run(scale=scale)
        first.claim(draft())
        second.execute("UPDATE runs SET until = 0")
        assert second.claim(draft())[1] is Claim.WAIT


class TestWhatWasKept:
    def test_is_written_when_the_ledger_is_back(self, new_run):
        run = new_run()
        record, _ = run.claim(draft())
        run.keep(replace(record, state=State.SUBMITTED.value, task_id="t"))
        new_run().open()
        assert run.by_task("t").id == record.id

    def test_is_no_concern_of_another_machine(self, new_run):
        run = new_run()
        record, _ = run.claim(draft())
        run.keep(replace(record, state=State.SUBMITTED.value, task_id="t"))
        new_run("another").open()
        assert run.by_task("t") is None

    def test_takes_no_task_from_a_machine_that_has_taken_over(self, new_run):
        run, other = new_run(), new_run("another")
        record, _ = run.claim(draft())
        run.keep(replace(record, state=State.FAILED.value, error="no"))
        other.save(replace(record, state=State.SUBMITTED.value, task_id="theirs", owner=other.run_id))
        new_run().open()
        assert other.by_task("theirs").state == State.SUBMITTED.value

    def test_is_not_written_into_the_file(self, new_run, tmp_path):
        """A run offline, or one without the URL, has the same home."""
        run = new_run()
        record, _ = run.claim(draft())
        run.keep(replace(record, state=State.SUBMITTED.value, task_id="t"))
        file = Ledger(tmp_path / "home")
        file.open()
        assert file.by_task("t") is None
        file.close()
        new_run().open()
        assert run.by_task("t").id == record.id
