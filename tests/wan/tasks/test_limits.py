"""The owner's spending limits: what is too much is refused before anything is sent, whoever else spends."""

from __future__ import annotations

import asyncio
import threading
import time
from dataclasses import replace

import pytest
from mock_faults import ErrorResponse, Gate, ResetBeforeActing, Slow, TaskFails, UnknownStatus
from mock_server import ALWAYS
from wanpack.offline.tasks import Timing
from wanpack.wan.api.errors import OutcomeUnknown, ServiceError
from wanpack.wan.api.limits import read_limits
from wanpack.wan.catalog.fields import VideoRequest
from wanpack.wan.errors import InvalidRequest, WanError
from wanpack.wan.ledger.record import Record
from wanpack.wan.messages import ENGLISH, localize
from wanpack.wan.tasks.runner import PartialFailure, make_videos

SOUND = {"model": "wan2.6-i2v-flash", "resolution": "720P", "duration": 5}
"""A video of CNY 1.50."""


@pytest.fixture
def limit(bare_environment):
    """Set a limit."""

    def set_limit(text, name="per_day"):
        bare_environment.setenv(f"DASHSCOPE_WAN_LIMIT_{name.upper()}", text)

    return set_limit


def order(bench, seed=1, *, images=1, **more):
    """A batch of videos of CNY 1.50 each."""
    asked = {**SOUND, "prompt": "a cat", "seed": seed, **{name: more.pop(name) for name in SOUND if name in more}}
    return replace(bench.batch(images=images, **more), request=VideoRequest(**asked))


def texts(bench, count):
    """A batch of texts of CNY 1.50 each."""
    asked = {"model": "wan2.5-t2v-preview", "job": "text_to_video", "resolution": "480P", "ratio": "16:9"}
    request = VideoRequest(**asked, duration=5, prompt="a cat")
    return replace(bench.batch(), images=None, videos=count, request=request)


def refusal(bench, batch) -> str:
    before = bench.calls["create"], bench.created
    with pytest.raises(InvalidRequest) as caught:
        bench.run(batch)
    assert (bench.calls["create"], bench.created) == before
    return str(caught.value)


class TestSettings:
    @pytest.mark.parametrize(
        ("text", "amounts"),
        [
            ("20 CNY", {"CNY": 20}),
            ("20 CNY, 3 USD", {"CNY": 20, "USD": 3}),
            (" 0.5usd ", {"USD": 0.5}),
            ("0 CNY", {"CNY": 0}),
        ],
    )
    def test_an_amount_has_its_currency(self, text, amounts):
        assert read_limits({"limit_per_day": text}) == ({"limit_per_day": amounts}, [])

    @pytest.mark.parametrize(
        ("text", "why"),
        [
            *(
                (text, "is not an amount")
                for text in ("20", "CNY", "CNY 20", "-1 CNY", "1e3 CNY", "nan CNY", "2,5 CNY")
            ),
            ("20 CNY,", "is not an amount"),
            ("5 EUR", "no price is in EUR; choose CNY or USD"),
            ("5 CNY, 6 CNY", "CNY is there twice"),
        ],
    )
    def test_a_bad_value_is_an_error_that_names_the_setting(self, bench, limit, text, why):
        limit(text, "per_month")
        said = refusal(bench, order(bench))
        assert f"limit_per_month: {why}" in said or f"limit_per_month: {text} {why}" in said
        assert "DASHSCOPE_WAN_LIMIT_PER_MONTH" in said

    def test_a_bad_value_is_told_once_with_all_other_problems(self, bench, limit):
        limit("20")
        said = refusal(bench, order(bench, -1)).splitlines()[:-1]
        assert [line.partition(":")[0] for line in said] == ["- seed", "- limit_per_day"]

    def test_saved_videos_are_free_whatever_the_value(self, bench, limit):
        saved = [video.path for video in bench.run(order(bench, images=2))]
        limit("20")
        assert [video.path for video in bench.run(order(bench, images=2))] == saved
        with pytest.raises(PartialFailure, match="limit_per_day: 20 is not an amount") as caught:
            bench.run(order(bench, images=3))
        assert all(f"Saved: {path}" in str(caught.value) for path in saved)
        assert bench.created == 2

    def test_a_number_in_the_file_is_an_error_too(self, bench):
        bench.home.mkdir()
        (bench.home / "credentials.toml").write_text("limit_per_day = 20\n")
        assert "limit_per_day: 20 is not an amount with its currency" in refusal(bench, order(bench))

    @pytest.mark.parametrize(
        ("line", "name"),
        [
            ('limit_per_days = "1 CNY"', "limit_per_days"),
            ('limit-per-day = "1 CNY"', "limit-per-day"),
            ('[limits]\nper_day = "1 CNY"', "limits"),
            ("limit = 1", "limit"),
        ],
    )
    def test_a_misspelt_limit_is_an_error_and_not_without_effect(self, bench, line, name):
        bench.home.mkdir()
        (bench.home / "credentials.toml").write_text(f"{line}\n")
        said = refusal(bench, order(bench))
        assert f"{name}: no such limit; write limit_per_run, limit_per_day or limit_per_month" in said

    def test_the_file_sets_a_limit(self, bench):
        bench.home.mkdir()
        (bench.home / "credentials.toml").write_text('limit_per_day = "1 CNY"\n')
        assert "limit_per_day" in refusal(bench, order(bench))


class TestTexts:
    """They have no images to count by."""

    def test_all_videos_of_one_are_counted(self, bench, limit):
        limit("5.99 CNY", "per_run")
        assert "run would cost CNY 6.00 for 4 new videos; at most CNY 5.99 may be spent" in refusal(
            bench, texts(bench, 4)
        )

    def test_with_other_problems_too(self, bench, limit):
        limit("5.99 CNY", "per_day")
        batch = texts(bench, 4)
        said = refusal(bench, replace(batch, request=replace(batch.request, ratio="4:3")))
        assert "ratio: 4:3 is not supported by wan2.5-t2v-preview at 480P; choose 16:9, 9:16 or 1:1" in said
        assert "run would cost CNY 6.00 for 4 new videos; CNY 0.00 of 5.99 are spent or reserved today" in said


@pytest.mark.engines
class TestOneVideo:
    def test_the_first_is_made_and_the_second_refused_before_anything_is_sent(self, bench, limit):
        limit("2 CNY")
        first = bench.run(order(bench))
        said = refusal(bench, order(bench, 2))
        assert said == (
            "This run would cost CNY 1.50; CNY 1.50 of 2.00 are spent or reserved today (limit_per_day). Make fewer, "
            "shorter or cheaper videos, wait until tomorrow, or raise limit_per_day (in credentials.toml, or "
            "DASHSCOPE_WAN_LIMIT_PER_DAY)\n"
            "Nothing was submitted; nothing was charged."
        )
        again = bench.run(order(bench))
        assert (again.path, again.receipt["reused"]) == (first.path, True)
        assert bench.created == 1
        limit("3 CNY")
        bench.run(order(bench, 2))

    def test_one_that_failed_is_given_back(self, bench, limit):
        limit("2 CNY")
        bench.server.faults.add(on="create", fault=TaskFails("InternalError.Algo", "No."))
        with pytest.raises(ServiceError):
            bench.run(order(bench))
        assert bench.run(order(bench)).path.exists()

    def test_one_that_was_rejected_is_given_back(self, bench, limit):
        limit("2 CNY")
        bench.server.faults.add(on="create", fault=ErrorResponse(400, "InvalidParameter", "No."))
        with pytest.raises(ServiceError):
            bench.run(order(bench))
        assert bench.run(order(bench, 2)).path.exists()

    def test_one_that_may_be_paid_keeps_its_price(self, bench, limit):
        limit("2 CNY")
        bench.server.faults.add(on="query", fault=UnknownStatus(), times=ALWAYS)
        with pytest.raises(WanError):
            bench.run(order(bench))
        assert "limit_per_day" in refusal(bench, order(bench, 2))

    def test_one_that_was_stopped_before_its_end_is_resumed_free(self, bench, limit, new_watch, interrupted):
        limit("1.5 CNY")
        with pytest.raises(interrupted):
            bench.run(order(bench), watch=new_watch("downloading"))
        assert bench.run(order(bench)).path.exists()
        assert bench.created == 1

    def test_one_that_was_lost_and_is_sent_again_on_another_day_is_within_its_limit(self, bench, limit):
        bench.make_used()
        bench.server.faults.add(on="create", fault=ResetBeforeActing())
        bench.server.faults.add(on="list", fault=ErrorResponse(403, "AccessDenied", "No."), times=ALWAYS)
        with pytest.raises(OutcomeUnknown):
            bench.run(order(bench))
        bench.server.faults.clear()
        ledger = bench.ledger()
        [lost] = ledger.find(state="uncertain")
        ledger.execute("UPDATE requests SET reserved_at = :at WHERE id = :id", at=time.time() - 32 * 86400, id=lost.id)
        ledger.close()
        limit("2 CNY", "per_month")
        bench.run(order(bench, 2))
        assert "CNY 1.50 of 2.00 are spent or reserved this month" in refusal(bench, order(bench))
        limit("3 CNY", "per_month")
        assert bench.run(order(bench)).receipt["billed_cost"]["amount"] == 1.5
        assert "CNY 3.00 of 3.00" in refusal(bench, order(bench, 3))

    @pytest.mark.parametrize("is_old", [False, True], ids=["with a price", "without"])
    def test_one_that_was_lost_is_counted_when_it_is_sent_again(self, bench, limit, is_old):
        bench.make_used()
        bench.server.faults.add(on="create", fault=ResetBeforeActing())
        bench.server.faults.add(on="list", fault=ErrorResponse(403, "AccessDenied", "No."), times=ALWAYS)
        with pytest.raises(OutcomeUnknown):
            bench.run(order(bench))
        bench.server.faults.clear()
        if is_old:
            ledger = bench.ledger()
            ledger.execute("UPDATE requests SET reserved_at = -1, currency = '', estimate = 0")
            ledger.close()
        limit("2 CNY")
        bench.run(order(bench))
        assert "CNY 1.50 of 2.00" in refusal(bench, order(bench, 2))

    def test_what_was_billed_replaces_the_estimate(self, bench, limit, monkeypatch):
        limit("2 CNY")
        monkeypatch.setattr("wanpack.offline.responses.usage_of", lambda *_: {"duration": 1, "SR": 720})
        bench.run(order(bench))
        assert bench.run(order(bench, 2)).path.exists()

    def test_a_limit_per_run_counts_this_run_only(self, bench, limit):
        limit("1.5 CNY", "per_run")
        for seed in (1, 2):
            bench.run(order(bench, seed))
        said = refusal(bench, order(bench, 3, duration=6))
        assert "This run would cost CNY 1.80; at most CNY 1.50 may be spent (limit_per_run)" in said

    def test_a_limit_per_month_counts_the_month(self, bench, limit):
        limit("10 CNY")
        limit("2 CNY", "per_month")
        bench.run(order(bench))
        said = refusal(bench, order(bench, 2))
        assert "CNY 1.50 of 2.00 are spent or reserved this month (limit_per_month)" in said
        assert "wait until next month" in said

    def test_a_currency_without_a_limit_is_refused(self, bench, limit):
        limit("5 USD")
        said = refusal(bench, order(bench))
        assert (
            'This run would cost CNY 1.50, and limit_per_day names no CNY: write for example limit_per_day = "5 USD, '
            in said
        )

    def test_a_model_without_a_known_price_is_refused_and_its_saved_video_is_free(self, bench, limit, monkeypatch):
        monkeypatch.setattr("wanpack.wan.catalog.spec.Model.price_per_second", lambda *_, **__: None)
        first = bench.run(order(bench))
        limit("5 CNY")
        assert bench.run(order(bench)).path == first.path
        said = refusal(bench, order(bench, 2))
        assert (
            "the price of wan2.6-i2v-flash at 720P in Beijing is unknown, so that limit_per_day cannot be kept" in said
        )
        assert "remove limit_per_day" in said

    def test_it_is_listed_with_all_other_problems(self, bench, limit):
        limit("1 CNY")
        said = refusal(bench, order(bench, -1))
        assert "seed: -1" in said
        assert "This run would cost CNY 1.50; CNY 0.00 of 1.00 are spent or reserved today" in said

    def test_what_a_killed_run_reserved_and_did_not_send_is_free_at_once(self, bench, limit):
        limit("2 CNY")
        dead = bench.ledger()
        dead.claim(Record("2:dead", region="beijing", estimate=1.5, currency="CNY", created_at=time.time()))
        assert "limit_per_day" in refusal(bench, order(bench))
        dead.close()
        assert bench.run(order(bench)).path.exists()


@pytest.mark.engines
class TestBatches:
    def test_one_is_reserved_as_a_whole(self, bench, limit):
        limit("5 CNY")
        said = refusal(bench, order(bench, images=4))
        assert "This run would cost CNY 6.00 for 4 new videos; CNY 0.00 of 5.00 are spent" in said
        assert len(bench.run(order(bench, images=3))) == 3
        assert "CNY 4.50 of 5.00" in refusal(bench, order(bench, 9))

    def test_one_that_is_saved_is_free_and_only_new_videos_count(self, bench, limit):
        bench.run(order(bench, images=3))
        limit("5 CNY")
        assert [video.receipt["reused"] for video in bench.run(order(bench, images=3))] == [True] * 3
        assert "This run would cost CNY 3.00 for 2 new videos" in refusal(bench, order(bench, images=5))
        limit("6 CNY")
        assert [video.receipt["reused"] for video in bench.run(order(bench, images=4))] == [True] * 3 + [False]

    def test_a_limit_per_run_counts_the_new_videos(self, bench, limit):
        limit("3 CNY", "per_run")
        assert "This run would cost CNY 4.50 for 3 new videos; at most CNY 3.00" in refusal(
            bench, order(bench, images=3)
        )
        bench.run(order(bench, images=2))
        assert len(bench.run(order(bench, images=4))) == 4

    def test_its_reservation_counts_for_others_while_it_runs(self, bench, limit):
        limit("6 CNY")
        others = []

        def try_another():
            with pytest.raises(InvalidRequest) as caught:
                bench.run(order(bench, 100))
            others.append(str(caught.value))

        async def both():
            watch = Told("submitting", try_another)
            return await make_videos(order(bench, images=4), monitor=watch)

        assert len(asyncio.run(both())) == 4
        assert ["CNY 6.00 of 6.00" in one for one in others] == [True]

    def test_its_reservation_of_yesterday_counts_today(self, bench, limit):
        limit("2 CNY")
        running = bench.ledger()
        yesterday = time.time() - 86400
        running.reserve(
            lambda connection, _: connection.exec_driver_sql(
                f"INSERT INTO reservations VALUES ('{running.run_id}', 'CNY', 1.5, {yesterday})"  # noqa: S608 - ours
            )
        )
        assert "CNY 1.50 of 2.00 are spent or reserved today" in refusal(bench, order(bench))
        running.close()

    def test_a_killed_runs_reservation_is_free_at_once_and_removed(self, bench, limit):
        limit("2 CNY")
        dead = bench.ledger()
        dead.reserve(
            lambda connection, _: connection.exec_driver_sql(
                f"INSERT INTO reservations VALUES ('{dead.run_id}', 'CNY', 1.5, {time.time()})"  # noqa: S608 - ours
            )
        )
        assert "CNY 1.50 of 2.00" in refusal(bench, order(bench))
        dead.close()
        assert bench.run(order(bench)).path.exists()
        ledger = bench.ledger()
        assert ledger.execute("SELECT count(*) FROM reservations")[0] == 0
        ledger.close()


@pytest.mark.engines
class TestAtOnce:
    """Four videos of CNY 0.72, of which two are within the limit."""

    @pytest.fixture(autouse=True)
    def room_for_two(self, limit):
        limit("1.50 CNY")

    def test_four_in_one_process_are_two_tasks(self, bench, new_watch):
        async def all_at_once():
            runs = [make_videos(bench.batch(seed=seed), monitor=new_watch()) for seed in range(4)]
            return await asyncio.gather(*runs, return_exceptions=True)

        refused = [one for one in asyncio.run(all_at_once()) if isinstance(one, Exception)]
        assert [type(one) for one in refused] == [InvalidRequest] * 2
        assert all("CNY 1.44 of 1.50 are spent or reserved today" in str(one) for one in refused)
        assert bench.calls["create"] == bench.created == 2

    def test_four_in_processes_of_their_own_are_two_tasks(self, make_bench, driver, new_graph):
        bench = make_bench(timing=Timing(queued=0.02, rendering=0.1))
        bench.server.faults.add(on="create", fault=Slow(0.1), times=ALWAYS)
        graphs = [new_graph(bench.folder / "graphs", name) for name in ("cats", "dogs", "cows", "pigs")]
        where = {"home": bench.home, "output": bench.output, "scale": 0.02}
        made = [run.wait() for run in [driver.start(graph, **where) for graph in graphs]]
        assert bench.calls["create"] == bench.created == 2
        assert sorted(one.status for one in made) == [0, 0, 1, 1]
        assert len(bench.videos) == 2
        assert sum("are spent or reserved today" in one.err for one in made) == 2

    def test_a_run_that_is_killed_between_its_reservation_and_its_post_gives_it_back(
        self, make_bench, driver, new_graph, limit, engine
    ):
        bench = make_bench(timing=Timing(queued=0.02, rendering=0.1))
        limit("1 CNY")
        opened = threading.Event()
        bench.server.faults.add(on="policy", fault=Gate(opened))
        graph = new_graph(bench.folder / "graphs", "cats", kind="sound")
        how = {"home": bench.home, "output": bench.output, "scale": 0.02, "lease": 1.5}
        run = driver.start(graph, **how)
        ledger = bench.ledger()
        while not ledger.find(state="submitting"):
            time.sleep(0.01)
        ledger.close()
        said = refusal(bench, bench.batch())
        assert "This run would cost CNY 0.72; CNY 0.60 of 1.00 are spent or reserved today" in said
        run.kill()
        assert run.wait().status == -9
        opened.set()
        another = new_graph(bench.folder / "graphs", "dogs")
        # A lease ends by itself: who looks then is not refused.
        looks = [driver.start(another, **how).wait()]
        while looks[-1].status and len(looks) < 30:
            assert "are spent or reserved today" in looks[-1].err
            time.sleep(0.2)
            looks.append(driver.start(another, **how).wait())
        assert looks[-1].status == 0
        assert bench.created == 1
        assert engine == "postgresql" or len(looks) == 1


class TestMachines:
    def test_four_workers_with_one_database_are_two_tasks(
        self, make_bench, driver, new_graph, new_database, bare_environment, limit
    ):
        bare_environment.setenv("DASHSCOPE_WAN_LEDGER_URL", new_database())
        limit("1.50 CNY")
        bench = make_bench(timing=Timing(queued=0.02, rendering=0.1))
        bench.server.faults.add(on="create", fault=Slow(0.1), times=ALWAYS)
        runs = []
        for name in ("desk-1", "desk-2", "desk-3", "desk-4"):
            graph = new_graph(bench.folder / f"graphs-{name}", name)
            where = {"home": bench.folder / f"home-{name}", "output": bench.folder / f"output-{name}"}
            runs.append(driver.start(graph, **where, scale=0.02, host=name))
        made = [run.wait() for run in runs]
        assert bench.calls["create"] == bench.created == 2
        assert sorted(one.status for one in made) == [0, 0, 1, 1]
        assert sum("are spent or reserved today" in one.err for one in made) == 2


class Told:
    """A monitor that does something in a thread, once, when a status text has a part."""

    def __init__(self, part, do):
        self.part, self.do = part, do

    def report(self, _fraction, text):
        if self.part in localize(text, ENGLISH) and self.do:
            do, self.do = self.do, None
            thread = threading.Thread(target=do)
            thread.start()
            thread.join()

    async def wait_for_interrupt(self):
        await asyncio.Event().wait()

    def raise_if_interrupted(self):
        pass
