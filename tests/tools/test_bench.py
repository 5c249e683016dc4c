"""The bench: what it counts, and what it says. How fast anything is is not asserted here."""

from __future__ import annotations

import asyncio
import json
import math
import time

import numpy as np
import pytest
from platforms import not_on_windows

from tools.bench import main as bench
from tools.bench.clock import Clock, run
from tools.bench.parallel import Heartbeat
from tools.bench.parts import measured
from tools.bench.report import Line, summary, table, write_json
from tools.bench.waiting import Lengths, draws, sdk_looks

pytestmark = not_on_windows("the bench reads memory and open files from /proc")


def test_a_target_that_is_missed_is_reported_and_a_limit_is_explained():
    lines = [
        Line("frame", "fast", 40, "x", least=30),
        Line("frame", "slow", 20, "x", least=30),
        Line("frame", "noise", 20, "x", least=30, limit="noise cannot be packed"),
        Line("soak", "only reported", 7),
    ]
    text = table(lines).splitlines()
    assert [row.split()[-1] for row in text[2:6]] == ["ok", "MISSED", "limit", "7"]
    assert text[6:] == ["limit: noise cannot be packed"]
    assert [line.reached for line in lines] == [True, False, False, None]
    assert summary(lines) == "1 of 3 targets reached, 1 at a limit, 1 missed: frame: slow"
    assert summary(lines[:1]) == "1 of 1 targets reached, 0 at a limit, none missed"


@pytest.mark.parametrize(("figure", "status"), [(2.0, 0), (1.0, 1)])
def test_the_table_is_printed_and_written_as_json(monkeypatch, tmp_path, capsys, figure, status):
    monkeypatch.setattr(
        bench, "BENCHES", {"one": lambda *, quick: [Line("waiting", "how much", figure, least=2, ours=str(quick))]}
    )
    monkeypatch.setattr(bench, "bare_environment", lambda: None)
    assert bench.main(["--quick", "--json", str(tmp_path / "b.json")]) == status
    assert "how much" in capsys.readouterr().out
    written = json.loads((tmp_path / "b.json").read_text())
    assert written["lines"][0]["figure"] == figure
    assert written["lines"][0]["ours"] == "True"
    assert written["machine"]["cores"] >= 1


def test_what_is_kept_exactly_is_no_number_in_the_json(tmp_path):
    write_json([Line("frame", "kept", math.inf, "dB", least=46)], tmp_path / "b.json")
    (line,) = json.loads((tmp_path / "b.json").read_text(), parse_constant=pytest.fail)["lines"]
    assert (line["figure"], line["verdict"]) == (None, "ok")


@pytest.mark.parametrize(
    "name", ["first_frame", "waiting", "parallel", "downloading", "last_frame", "starting", "soak"]
)
def test_everything_that_is_promised_to_be_fast_has_its_bench(name):
    assert name in bench.BENCHES


def test_the_sdk_is_counted_as_it_was_measured():
    assert [sdk_looks(seconds)[0] for seconds in (12.1, 51)] == [8, 16]
    assert sdk_looks(12.6)[1] == pytest.approx(3.4)


def test_the_draws_are_always_the_same_and_within_the_bounds():
    assert draws(50) == draws(50)
    assert all(20 <= seconds <= 300 for draw in draws(200) for _, seconds in draw.tasks)


def test_each_task_of_the_mock_server_keeps_its_own_length():
    lengths = Lengths(iter([5.0, 7.0]))
    asked = ["a", "b", "a", "b"]
    assert [lengths.run_seconds("480P", 3, task_id=one) for one in asked] == [5.0, 7.0, 5.0, 7.0]


def test_time_jumps_while_everybody_waits_and_stands_while_somebody_works():
    clock, work = Clock(), iter([True] * 5)
    seen = []

    async def wait():
        await asyncio.sleep(100)
        seen.append(clock.passed)

    run(wait(), clock, busy=lambda: next(work, False))
    assert seen == [100.0]
    assert next(work, None) is None


def test_a_loop_that_is_held_up_is_seen():
    heart = Heartbeat()

    async def held_up():
        beating = asyncio.ensure_future(heart.beat())
        await asyncio.sleep(0.02)
        time.sleep(0.1)  # noqa: ASYNC251 - what is looked for
        await asyncio.sleep(0.02)
        beating.cancel()

    asyncio.run(held_up())
    assert max(heart.gaps) >= 0.09


@pytest.mark.slow
def test_tasks_of_the_mock_server_come_back_soon_with_few_queries():
    """The whole way, over HTTP, by a clock that jumps: 6 tasks of one kind, the first of them unknown."""
    late, queries = measured("waiting", number=0, count=6)
    assert len(late) == 6
    assert np.median(late) <= 1.0
    assert queries <= 3 * sum(sdk_looks(seconds)[0] for _, seconds in draws(6)[0].tasks)


@pytest.mark.slow
def test_very_many_tasks_at_once_never_ask_more_often_than_the_service_allows():
    most, late = measured("crowd", count=30)
    assert 10 < most <= 20
    assert late <= 3
    assert math.isfinite(late)
