"""A database that goes away: nothing is sent without it, and what was sent before comes home."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest
from mock_faults import ErrorResponse, Fault, HtmlPage, ResetAfterActing, UnknownStatus
from mock_server import ALWAYS
from platforms import WINDOWS
from postgres import PASSWORD, PostgresServer
from wanpack.wan.api.errors import OutcomeUnknown, TaskUnknown
from wanpack.wan.errors import WanError
from wanpack.wan.ledger.errors import LedgerUnavailable

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def own_server(tmp_path_factory):
    """A server that may be stopped."""
    if WINDOWS:
        pytest.skip("Windows: pgserver has no server for it")
    import tempfile

    with tempfile.TemporaryDirectory(prefix="dashscope-wan-") as folder:
        server = PostgresServer(Path(folder) / "data")
        yield server
        server.close()


@dataclass
class Outage:
    """A server that is stopped and started, and the URL of a database in it."""

    server: PostgresServer
    url: str
    is_down: threading.Event = field(default_factory=threading.Event)

    def begin(self) -> None:
        self.server.stop()
        self.is_down.set()

    def end(self) -> None:
        assert self.is_down.wait(60)
        self.server.start()
        self.is_down.clear()

    def cut_off(self) -> None:
        """End all connections; new ones are possible."""
        self.server.end_connections(self.url)


@pytest.fixture
def outage(own_server, bench, bare_environment):
    outage = Outage(own_server, own_server.create_database())
    bare_environment.setenv("DASHSCOPE_WAN_LEDGER_URL", outage.url)
    # The next run comes minutes later.
    bare_environment.setattr("wanpack.wan.ledger.database.DOWN_SECONDS", 0.0)
    # A download is held in real time, until the server has stopped.
    bare_environment.setattr("wanpack.wan.tasks.save_video.STALL_SECONDS", 30.0 / bench.clock.scale)
    yield outage
    if outage.is_down.is_set():
        outage.end()
    own_server.drop_database(outage.url)


@dataclass(frozen=True)
class Meanwhile(Fault):
    """Something happens when the call has come, before the service acts."""

    act: Callable[[], object]
    then: Fault = field(default_factory=Fault)

    async def around(self, request, handler):
        # The service answers other calls meanwhile.
        await asyncio.to_thread(self.act)
        return await self.then.around(request, handler)


def states(outage: Outage) -> list[str]:
    found = outage.server.execute("SELECT state FROM requests ORDER BY rowid", url=outage.url)
    return [state for (state,) in found]


class TestBefore:
    def test_it_is_down_nothing_is_sent(self, bench, outage):
        outage.begin()
        with pytest.raises(LedgerUnavailable, match=r"ledger at .*test_.* cannot be reached") as caught:
            bench.run()
        assert "Nothing was sent" in str(caught.value)
        outage.end()
        bench.run()
        assert bench.created == 1

    @pytest.mark.parametrize(("call", "kind"), [("query", "plain"), ("policy", "sound")])
    def test_it_goes_when_the_request_is_claimed_nothing_is_sent(self, bench, outage, call, kind):
        bench.server.faults.add(on=call, fault=Meanwhile(outage.begin))
        with pytest.raises(LedgerUnavailable, match="Nothing was sent"):
            bench.run(bench.batch(kind=kind))
        assert bench.created == bench.calls["create"] == 0
        outage.end()
        bench.run(bench.batch(kind=kind))
        assert bench.created == 1
        assert states(outage) == ["saved"]

    def test_a_server_that_says_nothing_is_given_up(self, bench, bare_environment):
        """It takes connections and is silent: each try has 4 s, and all of them less than 15 s."""
        tries = []

        def listen():
            with contextlib.suppress(OSError):
                while True:
                    tries.append(silent.accept()[0])

        with socket.create_server(("127.0.0.1", 0)) as silent:
            threading.Thread(target=listen, daemon=True).start()
            place = f"127.0.0.1:{silent.getsockname()[1]}/db"
            bare_environment.setenv("DASHSCOPE_WAN_LEDGER_URL", f"postgresql://user@{place}")
            bare_environment.setattr("wanpack.wan.ledger.postgres.ANSWER_SECONDS", 4.0)
            with pytest.raises(LedgerUnavailable, match=f"ledger at {place} cannot be reached"):
                bench.run()
            with contextlib.suppress(OSError):  # Windows shuts down connections only.
                silent.shutdown(socket.SHUT_RDWR)
        for one in tries:
            one.close()
        assert 1 <= len(tries) <= 3
        assert bench.calls["create"] == 0


class TestAfterwards:
    @pytest.mark.parametrize("call", ["create", "query", "download"])
    def test_the_video_is_saved_and_written_down_by_the_next_run(self, bench, outage, call):
        after = 1 if call == "query" else 0
        bench.server.faults.add(on=call, fault=Meanwhile(outage.begin), after=after)
        first = bench.run()
        assert first.path.exists()
        assert len(list((bench.home / "unwritten").glob("*.json"))) == 1
        outage.end()
        # As another process, of whose memory nothing is left.
        bench.restart()
        assert bench.run().receipt["reused"] is True
        assert bench.created == 1
        assert states(outage) == ["saved"]
        assert not list((bench.home / "unwritten").iterdir())
        assert bench.strays == []

    @pytest.mark.parametrize("call", ["create", "query", "download"])
    @pytest.mark.parametrize("what", ["restart", "cut_off"])
    def test_it_is_used_again_in_the_same_run(self, bench, outage, call, what):
        restarted = threading.Event()

        def restart():
            outage.begin()
            outage.end()
            restarted.set()

        act = restart if what == "restart" else outage.cut_off
        bench.server.faults.add(on=call, fault=Meanwhile(act))
        bench.run()
        assert what == "cut_off" or restarted.wait(60)
        assert bench.created == 1
        assert bench.run().receipt["reused"] is True
        # The second run has written what the first could not.
        assert states(outage) == ["saved"]

    def test_a_response_that_is_lost_too_leads_to_the_task_later(self, bench, outage):
        bench.run(bench.batch(prompt="a horse"))
        bench.server.faults.add(on="create", fault=Meanwhile(outage.begin, ResetAfterActing()))
        with pytest.raises(OutcomeUnknown, match="cannot be reached") as caught:
            bench.run()
        assert "Nothing was sent" not in str(caught.value)
        outage.end()
        bench.restart()
        assert bench.run().receipt["resumed"] is True
        assert len(bench.tasks()) == 1
        assert states(outage) == ["saved", "saved"]

    def test_a_task_that_the_service_forgot_is_named_without_it(self, bench, outage):
        first = bench.run()
        first.path.unlink()
        bench.server.faults.add(on="query", fault=Meanwhile(outage.begin, UnknownStatus()))
        bench.server.faults.add(on="query", fault=UnknownStatus(), times=ALWAYS)
        with pytest.raises(TaskUnknown, match=first.task_id) as caught:
            bench.run()
        assert "Nothing was sent" not in str(caught.value)

    def test_a_task_is_fetched_by_its_id_without_it(self, bench, outage):
        first = bench.run()
        outage.begin()
        assert bench.fetch(first.task_id).path.exists()

    def test_a_process_that_was_killed_meanwhile_had_kept_the_record(self, bench, outage, driver, new_graph):
        bench.server.faults.add(on="create", fault=Meanwhile(outage.begin))
        bench.server.faults.add(on="query", fault=HtmlPage(), times=ALWAYS, after=1)
        graph = new_graph(bench.folder / "graphs", "a cat")
        where = {"home": bench.home, "output": bench.output, "scale": 0.005, "lease": 1.0}
        run = driver.start(graph, **where)
        unwritten = bench.home / "unwritten"
        while '"submitted"' not in "".join(path.read_text() for path in unwritten.glob("*.json")):
            time.sleep(0.01)
        run.kill()
        run.wait()
        bench.server.faults.clear()
        outage.end()
        ended = driver.start(graph, **where).wait()
        assert ended.status == 0, ended.err
        assert ended.receipts[0]["resumed"] is True
        assert bench.created == 1
        assert states(outage) == ["saved"]


class Cut:
    """Ends the connection at each statement of a run in turn: the server has acted, and its response is lost."""

    def __init__(self, patch) -> None:
        self.at = self.count = 0
        execute, commit = psycopg.Cursor.execute, psycopg.Connection.commit
        self.guard = threading.Lock()

        def executed(cursor, *given, **more):
            return self.cut(cursor.connection, lambda: execute(cursor, *given, **more))

        patch.setattr(psycopg.Cursor, "execute", executed)
        patch.setattr(psycopg.Connection, "commit", lambda one: self.cut(one, lambda: commit(one)))

    def cut(self, connection, act):
        with self.guard:
            self.count += 1
            is_cut = self.count == self.at
        result = act()
        if is_cut:
            connection.close()
            raise psycopg.OperationalError("server closed the connection unexpectedly")
        return result


@pytest.mark.engines("postgresql")
@pytest.mark.parametrize("resumed", [False, True])
def test_a_connection_that_is_lost_at_any_statement_changes_nothing(bench, monkeypatch, resumed):
    cut = Cut(monkeypatch)
    number, last = 0, 1
    bench.run(bench.batch(prompt="warm"))
    while number <= last:
        batch = bench.batch(prompt=f"cat {number}")
        if resumed:
            bench.server.faults.add(on="query", fault=ErrorResponse(401, "InvalidApiKey", "No."), after=0)
            with pytest.raises(WanError):
                bench.run(batch)
            bench.server.faults.clear()
        cut.count, cut.at = 0, number
        video = bench.run(batch)
        last, cut.at, number = cut.count if not number else last, 0, number + 1
        [task] = bench.tasks(batch.request.prompt)
        assert task.id == video.task_id
    assert last >= 10
    ledger = bench.ledger()
    assert {record.state for record in ledger.find(region="beijing")} == {"saved"}
    ledger.close()


class TestThePassword:
    @pytest.mark.parametrize("password", [PASSWORD, "pw7", ""])
    def test_is_said_nowhere(self, bench, outage, bare_environment, caplog, held_by, password):
        encoded = quote(password, safe="")
        url = outage.url.replace(quote(PASSWORD, safe=""), encoded)
        bare_environment.setenv("DASHSCOPE_WAN_LEDGER_URL", url)
        caplog.set_level(logging.DEBUG)
        bench.server.faults.add(on="create", fault=Meanwhile(outage.begin))
        video = bench.run()
        with pytest.raises(LedgerUnavailable) as caught:
            bench.run(bench.batch(prompt="a dog"))
        said = [
            caplog.text,
            str(caught.value),
            repr(caught.value.__cause__),
            str(video.receipt),
            *held_by(caught.value),
        ]
        said += [path.read_bytes().decode("latin-1") for path in bench.folder.rglob("*") if path.is_file()]
        for text in said:
            assert not password or f":{encoded}@" not in text
            assert len(password) < 8 or (password not in text and encoded not in text), text[:300]
