"""Every fault in every phase ends in the video, or in an error that leads to it; and no request is paid twice.

Each case runs the same request twice against the mock server: once with the fault, and once more after it.
"""

from __future__ import annotations

import errno
import re
import socket
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from mock_faults import (
    ErrorResponse,
    Fault,
    FixedStatus,
    HtmlPage,
    HugeBody,
    JsonBody,
    NoRange,
    Redirect,
    ResetAfterActing,
    ResetBeforeActing,
    ResetBeforeBody,
    Slow,
    Stalled,
    TaskFails,
    TaskStuck,
    Throttling,
    Truncated,
    UnknownStatus,
)
from wanpack.offline.failures import TaskFailure
from wanpack.offline.tasks import Timing
from wanpack.wan.api import client
from wanpack.wan.api.endpoint import Endpoint
from wanpack.wan.catalog.regions import REGIONS
from wanpack.wan.errors import WanError
from wanpack.wan.ledger.ledger import Ledger
from wanpack.wan.media.video import probe
from wanpack.wan.net import download
from wanpack.wan.redaction import Secret

ALWAYS = 1000
VIDEO = "video"
ANY = "video, or an error that leads to it"


@dataclass(frozen=True)
class Case:
    """One fault, and what comes of it.

    `faults` are (call, fault), (call, fault, times) or (call, fault, times, calls before it). `first` and `second` are
    what the two runs end in: VIDEO, words of the error, or ANY. `fetched` tells that the error's own ids lead to the
    video. `created` counts the tasks for the request, failed and cancelled ones too; None where that does not matter.
    `before`, `during` and `between` are called with the bench and
    monkeypatch; `during` when the first run's status text has the words `when`.
    """

    name: str
    faults: tuple[tuple[Any, ...], ...] = ()
    first: str = VIDEO
    second: str = VIDEO
    fetched: bool = False
    created: int | None = 1
    batch: dict[str, Any] = field(default_factory=dict)
    server: dict[str, Any] = field(default_factory=dict)
    before: Callable[[Any, Any], None] | None = None
    during: Callable[[Any, Any], None] | None = None
    when: str = "task "
    between: Callable[[Any, Any], None] | None = None


def refused(code: str, message: str = "No.", *, status: int = 400) -> Fault:
    return ErrorResponse(status, code, message)


# What a case does to the world around the pack.


def impatient(bench, patch):
    """The client waits 0.3 s for a response, in place of half a minute or two."""
    patch.setattr(client, "SUBMIT_SECONDS", 0.3)
    patch.setattr(client, "READ_SECONDS", 0.3)


def nothing_listens(bench, patch):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        patch.setenv("DASHSCOPE_BASE_URL", f"http://127.0.0.1:{taken.getsockname()[1]}/api/v1")


def listens_again(bench, patch):
    patch.setenv("DASHSCOPE_BASE_URL", bench.server.base_url)


def disk_full(bench, patch):
    def append(file, piece):
        raise OSError(errno.ENOSPC, "No space left on device")

    patch.setattr(download, "append_chunk", append)


def room_again(bench, patch):
    patch.undo()


def service(bench) -> client.Client:
    return client.Client(Endpoint(REGIONS["beijing"], bench.server.base_url, Secret(bench.server.key)))


def cancel_in_console(bench, patch):
    caller = service(bench)
    assert caller.cancel_task(bench.server.tasks[-1].id)
    caller.close()


def elsewhere(bench, patch):
    """Another machine of the account makes a video with the same model."""
    bench.run(bench.batch(prompt="a dog", home=bench.folder / "another machine"))


def foreign_task(*, hours: float = 0.0, model: str = "wanx2.1-i2v-turbo") -> Callable[[Any, Any], None]:
    """Another machine's task with the same model, made some hours ago, which is still rendered: it tells no prompt."""

    def make(bench, patch):
        bench.foreign_task(model=model).submitted -= hours * HOUR

    return make


def fails(bench, patch):
    """The task ends without a video, which costs nothing."""
    for task in bench.tasks():
        task.state, task.failure = "FAILED", TaskFailure("InternalError.Algo", "inference internal error.")


def unknown_at_first(bench, patch):
    bench.server.faults.add(on="query", fault=UnknownStatus(), times=3)


def finished(bench, patch):
    """What another machine has rendered is done."""
    for task in bench.tasks("a dog"):
        task.frozen_in = None


def timeless(bench, patch):
    """Whatever is between here and the service takes the Date headers away."""
    bench.server.date = lambda _: ""


def used(bench, patch):
    """The user has made another video before."""
    bench.make_used()


def nothing(bench, patch):
    """Leave the world as it is."""


def begun(bench, patch):
    """There is a ledger already."""
    ledger = Ledger(bench.home)
    ledger.by_task("none")
    ledger.close()


def locked(bench, patch, *, exclusive=False):
    begun(bench, patch)
    other = sqlite3.connect(bench.home / "ledger.sqlite3", isolation_level=None)
    if exclusive:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
    other.execute("BEGIN EXCLUSIVE")
    bench.locker = other


def shut(bench, patch):
    locked(bench, patch, exclusive=True)


def unlocked(bench, patch):
    bench.locker.close()


def garbage(bench, patch):
    bench.home.mkdir(exist_ok=True)
    (bench.home / "ledger.sqlite3").write_bytes(b"not a ledger " * 1000)


def half_gone(bench, patch):
    """The middle of the file is overwritten, as by a bad disk."""
    begun(bench, patch)
    path = bench.home / "ledger.sqlite3"
    whole = path.read_bytes()
    path.write_bytes(whole[:4096] + b"\xff" * (len(whole) - 4096))


def restarted(bench, patch):
    bench.restart()


def newer(bench, patch):
    bench.home.mkdir()
    with sqlite3.connect(bench.home / "ledger.sqlite3") as database:
        database.execute("PRAGMA user_version = 99")
    database.close()


def in_the_way(bench, patch):
    (bench.home / "ledger.sqlite3").mkdir(parents=True)


def no_home(bench, patch):
    """The ledger's folder can be made, its folder of running owners cannot."""
    bench.home.mkdir()
    (bench.home / "running").write_text("")


class FullCursor(sqlite3.Cursor):
    def execute(self, statement, *values):
        if statement.startswith("INSERT"):
            raise sqlite3.OperationalError("database or No space left")
        return super().execute(statement, *values)


class FullDatabase(sqlite3.Connection):
    """A database on a full disk."""

    def cursor(self):
        return super().cursor(FullCursor)


def ledger_full(bench, patch):
    begun(bench, patch)
    connect = sqlite3.connect
    patch.setattr(sqlite3, "connect", lambda *given, **more: connect(*given, **more, factory=FullDatabase))


def read_only(bench, patch):
    """Nobody may write the ledger, not even the owner of the machine."""
    connect = sqlite3.connect

    def reading(address, **more):
        if "mode=rwc" in address:
            raise sqlite3.OperationalError("unable to open database file")
        return connect(address, **more)

    patch.setattr(sqlite3, "connect", reading)


def clock(offset: float) -> Callable[[Any, Any], None]:
    real = time.time

    def change(bench, patch):
        patch.setattr(time, "time", lambda: real() + offset)

    return change


def both(*changes: Callable[[Any, Any], None]) -> Callable[[Any, Any], None]:
    def change(bench, patch):
        for one in changes:
            one(bench, patch)

    return change


HOUR, DAY = 3600.0, 86400.0
LOST = ("create", ResetAfterActing())
NEVER = ("create", ResetBeforeActing())
KEY_REFUSED = ("query", ErrorResponse(401, "InvalidApiKey", "Invalid API-key provided."), ALWAYS, 1)
"""The first query of a run asks for the time, before anything is sent."""
AGAIN = "run the same graph again"
GARBAGE = HtmlPage(200, "Welcome to the hotel's network")

CREATE = (
    Case("create: throttled", (("create", Throttling()),)),
    Case("create: throttled, Retry-After", (("create", Throttling(retry_after=2)),)),
    Case("create: throttled six times", (("create", Throttling(), 6),)),
    Case("create: throttled for good", (("create", Throttling(), ALWAYS),), first="Throttling.RateQuota"),
    Case("create: throttled, burst", (("create", Throttling(code="limit_burst_rate")),)),
    Case("create: 429 for debt", (("create", refused("PrepaidBillOverdue", status=429)),), first="settle the bill"),
    Case(
        "create: 429 for no free quota", (("create", Throttling(code="AllocationQuota.FreeTierOnly")),), first="quota"
    ),
    Case("create: 503 over capacity", (("create", refused("ServiceUnavailable", status=503)),)),
    Case("create: 500 in good form", (("create", ErrorResponse()),)),
    Case("create: 500 for good", (("create", ErrorResponse(), ALWAYS),), first="nothing was created"),
    Case("create: 500, timed out inside", (("create", refused("RequestTimeOut", status=500)),)),
    Case(
        "create: 500 of moderation",
        (("create", refused("InternalError.Algo.DataInspectionFailed", status=500)),),
        first="rejected again",
    ),
    Case("create: 502 page", (("create", HtmlPage()),)),
    Case("create: 504 page", (("create", HtmlPage(504, "504 Gateway Time-out")),)),
    Case("create: 200 page of a hotel", (("create", GARBAGE),)),
    Case("create: page of a hotel for good", (("create", GARBAGE, ALWAYS),), first="nothing was created"),
    Case("create: empty object", (("create", JsonBody({})),)),
    Case("create: a list", (("create", JsonBody([1, 2])),)),
    Case("create: no id in the answer", (("create", JsonBody({"output": {"task_status": "PENDING"}})),)),
    Case("create: id that is no text", (("create", JsonBody({"output": {"task_id": 7}})),)),
    Case("create: endless answer", (("create", HugeBody(9 * 1024 * 1024)),)),
    Case("create: redirect", (("create", Redirect("https://example.com/")),)),
    Case("create: reset before the body", (("create", ResetBeforeBody()),)),
    Case("create: reset before acting", (("create", ResetBeforeActing()),)),
    Case("create: reset after acting", (LOST,)),
    Case("create: reset twice, nothing made", (("create", ResetBeforeActing(), 2),)),
    Case("create: reset for good", (("create", ResetBeforeActing(), ALWAYS),), first="nothing was created"),
    Case("create: lost after one that never came", (("create", ResetBeforeActing()), LOST)),
    Case("create: slow", (("create", Slow(0.3)),)),
    Case("create: no answer in time", (("create", Slow(0.6)),), before=impatient),
    Case("create: answer cut short", (("create", Truncated(10)),)),
    Case("create: answer stalls", (("create", Stalled(10)),), before=impatient),
    Case("create: 401", (("create", refused("InvalidApiKey", status=401)),), first="Check the key"),
    Case("create: 403", (("create", refused("AccessDenied.Unpurchased", status=403)),), first="Activate"),
    *(
        Case(f"create: {status} page", (("create", HtmlPage(status, "No")),))
        for status in (401, 403, 408, 409, 425, 499)
    ),
    Case("create: debt", (("create", refused("Arrearage")),), first="Settle the bill"),
    Case("create: moderation", (("create", refused("DataInspectionFailed")),), first="would be rejected again"),
    Case("create: bad parameter", (("create", refused("InvalidParameter")),), first="InvalidParameter"),
    Case("create: too large", (("create", refused("BadRequest.TooLarge")),), first="too large"),
    Case("create: refusal with 200", (("create", refused("InvalidApiKey", status=200)),)),
    Case("create: fault with 200", (("create", refused("InternalError", status=200)),)),
    Case("create: nothing listens", first="cannot be reached", before=nothing_listens, between=listens_again),
)

LIST = (
    Case("lost, list: 500 twice", (LOST, ("list", ErrorResponse(), 2))),
    Case("lost, list: reset three times", (LOST, ("list", ResetBeforeActing(), 3))),
    Case("lost, list: page", (LOST, ("list", HtmlPage()))),
    Case("lost, list: throttled", (LOST, ("list", Throttling(retry_after=1), 3))),
    Case("lost, list: no list in it", (LOST, ("list", JsonBody({"data": None})))),
    Case("lost, list: rows without sense", (LOST, ("list", JsonBody({"data": [None, {}, 3], "total_page": 1})))),
    Case("lost, list: late", (LOST, ("list", JsonBody({"data": [], "total_page": 1}), 3))),
    Case("lost, list: refused", (LOST, ("list", refused("AccessDenied", status=403), ALWAYS)), first=AGAIN),
    Case("lost, list: key refused", (LOST, ("list", refused("InvalidApiKey", status=401), ALWAYS)), first=AGAIN),
    Case("lost, list: out of reach for good", (LOST, ("list", ResetBeforeBody(), ALWAYS)), first=AGAIN),
    Case(
        "lost, list: out of reach, then a restart",
        (LOST, ("list", HtmlPage(), ALWAYS)),
        first=AGAIN,
        between=restarted,
    ),
    Case("lost, then its task failed", (LOST,), created=2, during=fails, when="looking"),
    Case("lost beside another's video", (LOST,), before=elsewhere),
    Case("lost beside another's task", (LOST,), before=foreign_task()),
    Case("lost beside another's task of yesterday", (LOST,), before=foreign_task(hours=20)),
    Case("lost beside another's task, no clock", (LOST,), before=both(timeless, foreign_task(hours=20))),
    Case("never came, another's video", (NEVER,), before=elsewhere),
    Case("never came, another's task", (NEVER,), before=foreign_task(), during=finished, when="waiting for the video"),
    Case("never came, another's task of yesterday", (NEVER,), before=foreign_task(hours=20)),
    Case("never came, another model's task", (NEVER,), before=foreign_task(model="wanx2.1-i2v-plus")),
    Case(
        "never came, another's task of yesterday, no clock",
        (NEVER,),
        first="change the seed",
        second="change the seed",
        created=0,
        before=both(timeless, foreign_task(hours=20)),
    ),
    Case(
        "never came, another's video, no clock",
        (NEVER,),
        first="clock was unknown",
        second="change the seed",
        created=0,
        before=both(timeless, elsewhere),
    ),
    Case(
        "never came, another's task of yesterday, first of all and a restart",
        (NEVER, ("list", HtmlPage(), ALWAYS)),
        first=AGAIN,
        before=foreign_task(hours=20),
        between=restarted,
    ),
    Case(
        "never came, another's task of yesterday, a restart",
        (NEVER, ("list", HtmlPage(), ALWAYS)),
        first=AGAIN,
        before=both(used, foreign_task(hours=20)),
        between=restarted,
    ),
)

QUERY = (
    Case("query: throttled", (("query", Throttling(), 3),)),
    Case("query: throttled, Retry-After", (("query", Throttling(retry_after=3)),)),
    Case("query: 500", (("query", ErrorResponse(), 3),)),
    Case("query: 503", (("query", refused("ModelUnavailable", status=503), 3),)),
    Case("query: 502 page", (("query", HtmlPage(), 3),)),
    Case("query: page of a hotel", (("query", GARBAGE, 3),)),
    Case("query: empty object", (("query", JsonBody({})),)),
    Case("query: unknown state", (("query", JsonBody({"output": {"task_status": "DREAMING"}})),)),
    Case(
        "query: success without a video",
        (("query", JsonBody({"output": {"task_status": "SUCCEEDED"}})),),
        first="succeeded without a video",
    ),
    Case(
        "query: a state of tomorrow for good", (("query", FixedStatus("ARCHIVING"), ALWAYS),), first="state ARCHIVING"
    ),
    Case("query: a state of tomorrow for a while", (("query", FixedStatus("ARCHIVING"), 5),)),
    Case(
        "query: fails without a reason",
        (("create", TaskFails(code="", message="")),),
        first="without a reason",
        created=2,
    ),
    Case(
        "query: fails with its code outside",
        (("create", TaskFails("DataInspectionFailed", outside=True)),),
        first="rejected again",
        created=2,
    ),
    Case("query: fault with 200", (("query", refused("InternalError", status=200)),)),
    Case("query: refusal with 200", (("query", refused("InvalidApiKey", status=200)),), first=AGAIN),
    Case("query: endless answer", (("query", HugeBody(9 * 1024 * 1024)),)),
    Case("query: redirect", (("query", Redirect("https://example.com/")),)),
    Case("query: reset before the body", (("query", ResetBeforeBody()),)),
    Case("query: reset after acting", (("query", ResetAfterActing()),)),
    Case("query: network gone for minutes", (("query", ResetBeforeBody(), 12),)),
    Case("query: network gone for good", (("query", ResetBeforeBody(), ALWAYS),), first=AGAIN),
    Case(
        "query: gone for good, then a restart",
        (("query", HtmlPage(), ALWAYS),),
        first=AGAIN,
        between=restarted,
    ),
    Case("query: slow", (("query", Slow(0.3)),)),
    Case("query: cut short", (("query", Truncated(20)),)),
    Case("query: unknown at first", (("query", UnknownStatus(), 3),)),
    Case("query: unknown for long", (("query", UnknownStatus(), ALWAYS),), first="run the same graph again later"),
    Case("query: unknown, then a restart", (("query", UnknownStatus(), ALWAYS),), first="again", between=restarted),
    Case("query: 401", (KEY_REFUSED,), first=AGAIN),
    Case("query: 403", (("query", refused("AccessDenied", status=403), ALWAYS),), first=AGAIN),
    Case("query: 404", (("query", HtmlPage(404, "Not Found")),), first=AGAIN),
    Case("task fails", (("create", TaskFails()),), first="Run again", created=2),
    Case("task fails, moderation", (("create", TaskFails("DataInspectionFailed")),), first="rejected again", created=2),
    Case("task fails, then a restart", (("create", TaskFails()),), first="Run", created=2, between=restarted),
    Case(
        "task renders for longer than the limit",
        first=AGAIN,
        batch={"max_wait_minutes": 1},
        server={"timing": Timing(queued=0, rendering=300)},
    ),
    Case(
        "task cancelled in the console",
        (("create", TaskStuck("PENDING")),),
        first="Run the graph again",
        created=2,
        during=cancel_in_console,
    ),
)


def after_the_first(case: Case) -> Case:
    """Leave the first query of a run alone, which asks for the time before anything is sent."""
    faults = tuple(
        (on, fault, *(more or (1,)), 1) if on == "query" and len(more) < 2 else (on, fault, *more)
        for on, fault, *more in case.faults
    )
    return replace(case, faults=faults)


QUERY = tuple(map(after_the_first, QUERY))
NOTHING = "Nothing was sent"
BEFORE = (
    Case("time: 401", (("query", ErrorResponse(401, "InvalidApiKey"), ALWAYS),), first=NOTHING),
    Case("time: 403", (("query", refused("AccessDenied", status=403), 1),)),
    Case("time: 500", (("query", ErrorResponse(), 1),)),
    Case("time: throttled", (("query", Throttling(), 3),)),
    Case("time: page of a hotel", (("query", GARBAGE, 3),)),
    Case("time: page of a hotel for good", (("query", GARBAGE, ALWAYS),), first=NOTHING),
    Case("time: reset", (("query", ResetBeforeActing(), 2),)),
    Case("time: network gone", (("query", ResetBeforeBody(), ALWAYS),), first=NOTHING),
)
"""What can happen to the question for the service's time: nothing has been sent then."""

DOWNLOAD = (
    Case("download: link expired", (("download", refused("AccessDenied", status=403)),)),
    Case("download: link not found", (("download", refused("NoSuchKey", status=404), 2),)),
    Case("download: refused for good", (("download", refused("AccessDenied", status=403), ALWAYS),), first=AGAIN),
    Case("download: 500", (("download", ErrorResponse()),)),
    Case("download: 503 page", (("download", HtmlPage(503), 3),)),
    Case("download: broken off", (("download", Truncated(1000)),)),
    Case("download: broken off five times", (("download", Truncated(10_000), 5),)),
    Case("download: broken off, no Range", (("download", Truncated(1000)), ("download", NoRange()))),
    Case("download: no Range", (("download", NoRange()),)),
    Case("download: silent", (("download", Stalled(2000)),)),
    Case("download: silent for good", (("download", Stalled(0), ALWAYS),), first=AGAIN),
    Case("download: a byte at a time", (("download", Truncated(1), ALWAYS),), first=AGAIN),
    Case("download: slow", (("download", Slow(0.2)),)),
    Case("download: reset before", (("download", ResetBeforeActing()),)),
    Case("download: reset after", (("download", ResetAfterActing(), 2),)),
    Case("download: page of a hotel", (("download", GARBAGE),)),
    Case("download: page of a hotel for good", (("download", GARBAGE, ALWAYS),), first=AGAIN),
    Case("download: redirected to this machine", (("download", Redirect("https://127.0.0.1:9/")),), first=AGAIN),
    Case("download: 400", (("download", refused("Bad")),), first=AGAIN),
    Case("download: disk full", first="Free some space", before=disk_full, between=room_again),
    Case(
        "download: broken off for good, then a restart",
        (("download", Truncated(20_000)), ("download", ResetBeforeActing(), ALWAYS)),
        first=AGAIN,
        between=restarted,
    ),
)

AUDIO_ORDER = {"kind": "sound"}
UPLOAD = tuple(
    Case(f"sound, {name}", faults, first=first, batch=AUDIO_ORDER)
    for name, faults, first in (
        ("policy: 500", (("policy", ErrorResponse(), 2),), VIDEO),
        ("policy: page", (("policy", HtmlPage()),), VIDEO),
        ("policy: throttled", (("policy", Throttling()),), VIDEO),
        ("policy: no permit in it", (("policy", JsonBody({"data": {}})),), VIDEO),
        ("policy: 401", (("policy", refused("InvalidApiKey", status=401)),), "Check the key"),
        ("upload: reset", (("upload", ResetAfterActing()),), VIDEO),
        ("upload: 502 page", (("upload", HtmlPage()),), VIDEO),
        ("upload: out of reach", (("upload", ResetBeforeBody(), ALWAYS),), "Check the network"),
        ("lost after the upload", (LOST,), VIDEO),
    )
)

SET_ASIDE, ROOM = "damaged and is kept as", "Free some space"
LEDGER = (
    Case("ledger: locked", first=NOTHING, before=locked, between=unlocked),
    Case("ledger: locked all the time", first=NOTHING, second=NOTHING, created=0, before=locked),
    Case("ledger: locked for the second run", (KEY_REFUSED,), first=AGAIN, second=NOTHING, between=locked),
    Case("ledger: locked for readers too", first=NOTHING, second=NOTHING, created=0, before=shut),
    Case("ledger: locked while waiting", during=locked, between=unlocked),
    Case("ledger: garbage", first=SET_ASIDE, before=garbage),
    Case("ledger: garbage in between", (KEY_REFUSED,), first=AGAIN, second=SET_ASIDE, fetched=True, between=garbage),
    Case("ledger: garbage in between, saved video", second=SET_ASIDE, between=garbage),
    Case("ledger: garbage while waiting", (("query", ErrorResponse(), 3, 1),), second=ANY, during=garbage),
    Case("ledger: half gone", (KEY_REFUSED,), first=AGAIN, second=SET_ASIDE, between=half_gone),
    Case("ledger: newer version", first="Update", second="Update", created=0, before=newer),
    Case("ledger: a folder in its place", first=NOTHING, second=NOTHING, created=0, before=in_the_way),
    Case("ledger: no file locks", first="can be locked", second=NOTHING, created=0, before=no_home),
    Case("ledger: disk full", first=ROOM, second=ROOM, created=0, before=ledger_full),
    Case("ledger: disk full in between", (KEY_REFUSED,), first=AGAIN, second=ROOM, between=ledger_full),
    Case("ledger: disk full, then room", first=ROOM, before=ledger_full, between=room_again),
    Case("ledger: read-only", first=NOTHING, second=NOTHING, created=0, before=read_only),
    Case("ledger: read-only in between", (KEY_REFUSED,), first=AGAIN, second=NOTHING, between=read_only),
    Case("clock: a day back in between", (KEY_REFUSED,), first=AGAIN, between=both(restarted, clock(-DAY))),
    Case("clock: a day back in between, saved video", between=both(restarted, clock(-DAY))),
    Case("clock: two days ahead in between", (KEY_REFUSED,), first=AGAIN, between=both(restarted, clock(2 * DAY))),
    Case(
        "clock: two days ahead in between, unknown at first",
        (KEY_REFUSED,),
        first=AGAIN,
        between=both(restarted, clock(2 * DAY), unknown_at_first),
    ),
    Case("clock: a day back, lost", (LOST,), before=clock(-DAY)),
    Case("clock: two days ahead, lost", (LOST,), before=clock(2 * DAY)),
    Case("clock: a day back, never came", (NEVER,), before=both(foreign_task(hours=20), clock(-DAY))),
    Case("clock: lost, a day back while looking", (LOST,), during=clock(-DAY), when="looking"),
    Case("clock: lost, two days ahead while looking", (LOST,), during=clock(2 * DAY), when="looking"),
    Case(
        "clock: wrong and set right while looking",
        (LOST,),
        before=clock(-DAY / 2),
        during=clock(0),
        when="looking",
    ),
    Case(
        "clock: wrong, lost, then right",
        (LOST, ("list", HtmlPage(), ALWAYS)),
        first=AGAIN,
        before=both(used, clock(-DAY / 2)),
        between=both(restarted, clock(0)),
    ),
    Case(
        "clock: lost, then a day back",
        (LOST, ("list", HtmlPage(), ALWAYS)),
        first=AGAIN,
        between=both(restarted, clock(-DAY)),
    ),
    Case(
        "clock: lost, then two days ahead",
        (LOST, ("list", HtmlPage(), ALWAYS)),
        first=AGAIN,
        between=both(restarted, clock(2 * DAY)),
    ),
)

ANYWHERE = (
    Throttling(),
    Throttling(retry_after=1),
    ErrorResponse(),
    refused("ServiceUnavailable", status=503),
    HtmlPage(),
    GARBAGE,
    JsonBody({}),
    JsonBody([1, 2]),
    HugeBody(2 * 1024 * 1024),
    Redirect("https://127.0.0.1:9/"),
    ResetBeforeBody(),
    ResetBeforeActing(),
    ResetAfterActing(),
    Slow(0.1),
    Truncated(5),
    Stalled(5),
)
PHASES: dict[str, dict[str, Any]] = {
    "policy": {"batch": AUDIO_ORDER},
    "upload": {"batch": AUDIO_ORDER},
    "create": {},
    "list": {},
    "query": {},
    "download": {},
}
NAMED = {
    (on, type(fault), getattr(fault, "status", 0))
    for case in CREATE + QUERY + DOWNLOAD
    for on, fault, *_ in case.faults
}
EACH = tuple(
    Case(
        f"{on}: {' '.join(f'{part}'[:30] for part in (type(fault).__name__, *vars(fault).values()))}",
        ((LOST,) if on == "list" else ()) + ((on, fault),),
        # An upload and a download may meet what another try does not help against, and of an upload that only seems to
        # be there comes a task that fails.
        first=ANY if on in ("policy", "upload", "download") else VIDEO,
        created=None if on == "upload" else 1,
        before=impatient,
        **more,
    )
    for on, more in PHASES.items()
    for fault in ANYWHERE
    if (on, type(fault), getattr(fault, "status", 0)) not in NAMED
)
"""Each phase with each fault that can happen to any call, where no case above has it."""

FAMILIES = ("wan2.7", "wan3.0", "happyhorse", "kf2v", "continue", "text", "reference", "edit")
UPLOADING = ("wan2.7", "continue", "reference", "edit")
EACH_FAMILY = tuple(
    Case(f"{kind}, {name}", faults, first=first, created=created, batch={"kind": kind})
    for kinds, name, faults, first, created in (
        # What tells an own task from another's differs from family to family; where something is uploaded, the permit
        # tells the time.
        (FAMILIES, "create: lost", (LOST,), VIDEO, 1),
        (FAMILIES, "create: never came", (NEVER,), VIDEO, 1),
        (UPLOADING, "query: 401", ((*KEY_REFUSED[:3], 0),), AGAIN, 1),
        (("wan3.0", "kf2v", "text"), "query: 401", (KEY_REFUSED,), AGAIN, 1),
        # The rest does not differ: each with a family.
        (("happyhorse",), "create: 502 page", (("create", HtmlPage()),), VIDEO, 1),
        (("kf2v",), "create: wrong model", (("create", refused("InvalidParameter", "Model not exist.")),), "exist", 1),
        (("wan3.0",), "query: network gone for minutes", (("query", ResetBeforeBody(), 12, 1),), VIDEO, 1),
        (UPLOADING, "task fails", (("create", TaskFails()),), "Run again", 2),
        (("continue",), "download: broken off", (("download", Truncated(1000)),), VIDEO, 1),
        (("wan2.7",), "download: silent for good", (("download", Stalled(0), ALWAYS),), AGAIN, 1),
        (UPLOADING, "policy: 500", (("policy", ErrorResponse()),), VIDEO, 1),
        (UPLOADING, "upload: reset", (("upload", ResetBeforeBody()),), VIDEO, 1),
    )
    for kind in kinds
)

FIRST = (
    Case("first of all, lost", (LOST,)),
    Case(
        "first of all, never came",
        (NEVER,),
        first="is not submitted again until that is certain",
        second="24 hours",
        created=0,
    ),
    Case("first of all, 500", (("create", ErrorResponse()),)),
)
"""The first request of an account: the list can show nothing else of it."""


def seen(case: Case) -> Case:
    """Return a case of a user who has made another video before: the list shows it, and so can prove something."""
    return replace(case, before=both(used, case.before or nothing))


CASES = (
    tuple(
        seen(case) if any(on in ("create", "list") for on, *_ in case.faults) else case
        for case in CREATE + LIST + BEFORE + QUERY + DOWNLOAD + UPLOAD + LEDGER + EACH + EACH_FAMILY
    )
    + FIRST
)


def run_once(bench, batch, watch) -> tuple[str, Any]:
    """Return what one run ended in: VIDEO and the video, or the error's words and the error."""
    try:
        video = bench.run(batch, watch=watch)
    except WanError as error:
        return str(error), error
    # What has the length of its clip has 2 s.
    assert round(probe(video.path).duration, 2) == (batch.request.duration or 2)
    return VIDEO, video


def judge(outcome: tuple[str, Any], expected: str, known: list[str]) -> None:
    said, result = outcome
    assert expected == ANY or ((expected.lower() in said.lower()) if expected != VIDEO else said == VIDEO), said
    if said != VIDEO:
        assert result.hint, f"says nothing about what to do: {said}"
        assert not known or any(task_id in said for task_id in known), f"names no task: {said}"


LOST_NAMES = {case.name for case in (*LIST, *FIRST)}
"""A create request without a response: what the ledger has of it decides what is looked for."""

ON_EACH_ENGINE = [
    *(pytest.param("sqlite", case, id=case.name) for case in CASES),
    *(
        pytest.param("postgresql", case, id=f"{case.name}, PostgreSQL", marks=pytest.mark.slow)
        for case in CASES
        if case.name in LOST_NAMES
    ),
]


@pytest.mark.parametrize(("engine", "case"), ON_EACH_ENGINE, indirect=["engine"])
def test_ends_in_the_video_or_leads_to_it(case, make_bench, new_watch, monkeypatch, say_at_end, caplog):
    bench = make_bench(**case.server)
    world = pytest.MonkeyPatch()
    try:
        if case.before:
            case.before(bench, world)
        for on, fault, *more in case.faults:
            bench.server.faults.add(on=on, fault=fault, **dict(zip(("times", "after"), more, strict=False)))
        watch = new_watch()
        if case.during:
            watch.at = {case.when: lambda: case.during(bench, world)}
        first = run_once(bench, bench.batch(**case.batch), watch)
        tasks = [task.id for task in bench.tasks()]
        lost = any(fault is LOST for fault in case.faults) and case.first == AGAIN
        judge(first, case.first, [] if lost else tasks)
        bench.server.faults.clear()
        if case.between:
            case.between(bench, world)
        second = run_once(bench, bench.batch(**case.batch), new_watch())
        judge(second, case.second, [])
        if case.fetched:
            named = [task.id for task in bench.tasks() if task.id in first[0]]
            assert bench.fetch(named[0]).path.exists()
    finally:
        world.undo()
        if hasattr(bench, "locker"):
            bench.locker.close()
    made = bench.tasks()
    charged = [task for task in made if task.state not in ("FAILED", "CANCELED")]
    short = [VIDEO if said == VIDEO else re.sub(r"\s+", " ", said.split("\n")[0])[:60] for said, _ in (first, second)]
    say_at_end(case.name, f"{len(made)} created, {len(charged)} paid", *short)
    assert len(charged) <= 1, "paid twice"
    assert case.created in (None, len(made))
    if case.second == VIDEO:
        assert bench.strays == []
    assert bench.server.key not in caplog.text


def test_there_are_at_least_sixty():
    assert len({case.name for case in CASES}) == len(CASES) >= 60
