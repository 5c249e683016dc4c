"""`dev.py ledger`: what is in a ledger, moved between SQLite and PostgreSQL, and without old records."""

from __future__ import annotations

import platform
import re
import sqlite3
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import children
import pytest
from platforms import needs_symlinks
from postgres import PASSWORD
from sqlalchemy import make_url
from wanpack.wan.api.settings import read_settings
from wanpack.wan.ledger import schema
from wanpack.wan.ledger.ledger import UPSERT, Ledger
from wanpack.wan.ledger.postgres import PostgresStore
from wanpack.wan.ledger.record import NO_PRICE, Claim, Record, State
from wanpack.wan.redaction import Secret

from cli.ledger import main, masked
from cli.ledger_copy import PROGRESS

ROOT = Path(__file__).resolve().parents[2]
DAY = 86400.0
IDENTITY = Secret("https://example.com\0sk-of-the-account")


@pytest.fixture
def url(new_database):
    """A new database."""
    return new_database()


@pytest.fixture
def home(tmp_path, bare_environment):
    """The pack's folder, in which the default ledger is."""
    bare_environment.setenv("DASHSCOPE_WAN_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def ledger(home, capsys):
    """Run the command. Return its status, output and errors."""

    def call(*arguments):
        status = main(list(map(str, arguments)), root=ROOT)
        out, err = capsys.readouterr()
        assert not any(text in out + err for text in ("pass-word", PASSWORD, quote(PASSWORD, safe="")))
        return status, out, err

    return call


@pytest.fixture
def open_ledger(tmp_path):
    """Open a ledger by its URL or folder, as a run does."""
    opened = []

    def open_one(name):
        text = str(name)
        where = {"url": Secret(text)} if "://" in text else {}
        one = Ledger(tmp_path / "home of runs" if where else Path(text), identity=IDENTITY, **where)
        one.open()
        opened.append(one)
        return one

    yield open_one
    for one in opened:
        one.close()


def record(name: str, **more) -> Record:
    values = {"account": "account", "region": "beijing", "model": "wan", "created_at": 1000.5, "id": f"id of {name}"}
    return Record(**{"fingerprint": f"2:{name}", **values, **more})


def all_rows(one: Ledger) -> list[Record]:
    """All records of a ledger in their order."""
    names = [row.id for row in _select(one, "SELECT id FROM requests ORDER BY rowid")]
    return [one.find(id=name)[0] for name in names]


def _select(one: Ledger, statement: str):
    from sqlalchemy import text

    return one._database.transaction(lambda connection: connection.execute(text(statement)).all())


STORY = [
    record("unsent"),
    record("sent", state="submitted", task_id="t1", sent_at=2.0, submitted_at=3.25, receipt='{"prompt": "猫 🐈"}'),
    record("saved", state="saved", task_id="t2", path="/gone.mp4", bytes=2**40, finished_at=9.0, host="desk"),
    record("unknown", state="uncertain", sent_at=4.0),
    record("failed", state="failed", error='it\'s "no"\n', rendered=33.333333333333336),
]


@pytest.fixture(params=["SQLite", "PostgreSQL"])
def place(request, tmp_path):
    """A ledger of each engine: a URL or a folder."""
    return request.getfixturevalue("url") if request.param == "PostgreSQL" else tmp_path / "a ledger"


class TestCheck:
    def test_it_tells_what_is_in_the_ledger(self, ledger, open_ledger, place, home):
        one = open_ledger(place)
        one.save(*STORY, record("other", state="saved"))
        one.claim(Record("2:running"))
        (home / "unwritten").mkdir(parents=True)
        (home / "unwritten" / "x.json").write_text("{}")
        status, out, err = ledger("check", place)
        assert (status, err) == (0, "")
        assert "can be used" in out
        assert f"schema version {len(schema.VERSIONS)}\n" in out
        assert "records: 7 (2 saved, 2 submitting, 1 failed, 1 submitted, 1 uncertain)" in out
        is_server = "://" in str(place)
        assert ("engine: PostgreSQL " if is_server else "engine: SQLite ") in out
        assert f"runs with tasks: 1{f' on {platform.node()}' if is_server else ''}\n" in out
        assert f"records that the next run writes: 1 in {home / 'unwritten'}" in out

    def test_the_ledger_in_use_is_checked_by_default(self, ledger, open_ledger, home, url, bare_environment):
        open_ledger(home).save(STORY[0])
        assert "engine: SQLite" in ledger("check")[1]
        bare_environment.setenv("DASHSCOPE_WAN_LEDGER_URL", url)
        assert "no ledger yet" in ledger("check")[1]
        bare_environment.delenv("DASHSCOPE_WAN_LEDGER_URL")
        (home / "credentials.toml").write_text(f'ledger_url = "{url}"\n')
        (home / "credentials.toml").chmod(0o600)
        assert "no ledger yet" in ledger("check")[1]
        assert "no ledger yet" in ledger("check", "--home", home / "other")[1]

    def test_it_makes_nothing(self, ledger, home, place, tmp_path):
        assert ledger("check", place)[0] == 0
        assert ledger("check", place)[1].count("no ledger yet") == 1
        assert list(tmp_path.iterdir()) == []

    def test_a_server_that_is_down_is_an_error_that_says_what_to_do(self, ledger, home):
        status, out, err = ledger("check", "postgresql://wan:pass-word@127.0.0.1:1/fleet")
        assert status == 1
        assert err.startswith("Error: The ledger at 127.0.0.1:1/fleet cannot be reached")
        assert "Start the database" in err
        assert "records that the next run writes: 0" in out

    def test_a_later_version_is_not_touched(self, ledger, open_ledger, home):
        open_ledger(home).close()
        with sqlite3.connect(home / "ledger.sqlite3") as database:
            database.execute("PRAGMA user_version = 99")
        database.close()
        status, _, err = ledger("check")
        assert status == 1
        assert "newer version of the pack" in err
        assert "Update the pack" in err

    @pytest.mark.parametrize("command", ["check", "copy", "prune"])
    def test_another_programs_file_is_not_touched(self, ledger, open_ledger, tmp_path, command):
        open_ledger(tmp_path / "own").save(STORY[0])
        other = tmp_path / "other.db"
        with sqlite3.connect(other) as database:
            database.execute("CREATE TABLE x (a)")
        database.close()
        before = {"check": (), "copy": (tmp_path / "own",), "prune": ("--older-than", "9")}[command]
        status, _, err = ledger(command, *before, other)
        assert status == 1
        assert f"{other} is no ledger" in err
        with sqlite3.connect(other) as database:
            assert database.execute("SELECT name FROM sqlite_master").fetchall() == [("x",)]
        database.close()


class TestCopy:
    @pytest.mark.parametrize("other", ["to PostgreSQL", "to SQLite", "from SQLite to SQLite"])
    def test_every_value_and_the_order_are_copied(self, ledger, open_ledger, url, tmp_path, other):
        here, there = tmp_path / "here", tmp_path / "there" / "copy.sqlite3"
        source, target = {"to PostgreSQL": (here, url), "to SQLite": (url, here)}.get(other, (here, there))
        before = open_ledger(source)
        before.save(*STORY)
        assert ledger("copy", source, target)[:2] == (
            0,
            f"Copied from {masked(str(source))} to {masked(str(target))}: 5 records; 0 were there already.\n",
        )
        if target == there:
            there.rename(there.with_name("ledger.sqlite3"))
            target = there.parent
        after = open_ledger(target)
        assert all_rows(after) == STORY
        assert after.account == before.account

    def test_the_second_time_nothing_is_copied(self, ledger, open_ledger, url, home):
        open_ledger(home).save(*STORY)
        ledger("copy", home, url)
        assert "0 records; 5 were there already" in ledger("copy", home, url)[1]
        assert "0 records; 5 were there already" in ledger("copy", url, home)[1]

    def test_accounts_are_the_same_in_a_ledger_that_a_run_has_only_opened(self, ledger, open_ledger, url, home):
        before = open_ledger(home)
        before.save(*STORY)
        open_ledger(url).close()
        ledger("copy", home, url)
        assert open_ledger(url).account == before.account

    def test_a_ledger_with_records_keeps_its_accounts_and_says_so(self, ledger, open_ledger, url, home):
        """The fingerprint of an earlier version is made of its account's id, which therefore stays."""
        before, after = open_ledger(home), open_ledger(url)
        before.save(record("old", fingerprint="old of key", account="key", task_id="t", state="submitted"))
        after.save(record("own"))
        own = after.account
        status, out, _ = ledger("copy", home, url)
        assert (status, "different ids of accounts" in out) == (0, True)
        again = open_ledger(url)
        assert again.account == own
        found, role = again.claim(Record("2:wanted"), earlier=lambda account: [f"old of {account}"])
        assert (found.task_id, role) == ("t", Claim.RESUME)

    @pytest.mark.parametrize(
        ("old", "new", "is_copied"),
        [
            (record("a", state="submitted", task_id="t"), record("a", state="saved", task_id="t", path="/v"), True),
            (record("a", state="saved", task_id="t", path="/v"), record("a", state="submitted", task_id="t"), False),
            (record("a", state="saved", path="/v"), record("a", state="expired", path="/v"), False),
            (record("a", sent_at=1.0), record("a", sent_at=2.0), True),
            (record("a", sent_at=2.0), record("a", sent_at=1.0), False),
            (record("a", state="submitted", task_id="t"), record("a", state="saved", task_id="u"), False),
            (record("a", state="saved", path="/v"), record("a", state="saved", path="/w"), False),
        ],
    )
    def test_a_newer_record_is_not_overwritten(self, ledger, open_ledger, home, url, old, new, is_copied):
        target = open_ledger(url)
        target.save(old)
        open_ledger(home).save(new, record("b"))
        status, out, _ = ledger("copy", home, url)
        assert status == (0 if is_copied else 1)
        assert (f"{old.id}: {new.state}, task {new.task_id or 'unknown'}; there: {old.state}" in out) is not is_copied
        kept = target.find(id=old.id)[0]
        wanted = new if is_copied else old
        assert replace(kept, host="") == wanted
        assert len(all_rows(target)) == 2

    def test_all_states_have_an_order(self):
        assert set(PROGRESS) == {state.value for state in State}

    @pytest.mark.parametrize("other", ["to PostgreSQL", "to SQLite"])
    def test_nothing_is_copied_while_runs_have_tasks(self, ledger, open_ledger, home, url, other):
        source, target = (home, url) if other == "to PostgreSQL" else (url, home)
        run = open_ledger(source)
        run.claim(Record("2:running"))
        status, _, err = ledger("copy", source, target)
        assert status == 1
        assert "1 run has tasks under way" in err
        assert "Stop ComfyUI" in err
        run.close()
        assert ledger("copy", source, target)[0] == 0

    def test_a_ledger_of_the_first_version_is_read_as_it_is(self, ledger, open_ledger, home, url):
        home.mkdir()
        texts = "id fingerprint account region model resolution owner task_id request_id part path error receipt"
        numbers = "duration created_at sent_at submitted_at finished_at bytes"
        row = {name: name for name in texts.split()} | dict.fromkeys(numbers.split(), 7) | {"state": "submitted"}
        with sqlite3.connect(home / "ledger.sqlite3") as database:
            database.executescript(schema.VERSIONS[0] + "PRAGMA user_version = 1")
            statement = f"INSERT INTO requests ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})"  # noqa: S608 - ours
            database.execute(statement, tuple(row.values()))
        database.close()
        assert ledger("copy", home, url)[0] == 0
        seen = {**row, "host": platform.node(), "reserved_at": NO_PRICE}
        assert all_rows(open_ledger(url)) == [Record(**seen)]
        with sqlite3.connect(home / "ledger.sqlite3") as database:
            assert database.execute("PRAGMA user_version").fetchone() == (1,)
        database.close()

    @pytest.mark.parametrize("host", ["", "old-container"])
    def test_a_video_of_this_machine_is_found_in_the_shared_ledger(
        self, ledger, open_ledger, home, url, tmp_path, host
    ):
        video = tmp_path / "output" / "v.mp4"
        video.parent.mkdir()
        video.write_bytes(b"video")
        open_ledger(home).save(record("a", state="saved", path=str(video), bytes=5, host=host))
        ledger("copy", home, url)
        draft = Record("2:a", folder=str(video.parent))
        assert open_ledger(url).claim(draft)[1] is Claim.REUSE

    def test_back_in_a_file_the_video_of_this_machine_comes_before_that_of_another(
        self, ledger, open_ledger, home, url, tmp_path
    ):
        video = tmp_path / "v.mp4"
        video.write_bytes(b"video")
        own = record("a", state="saved", task_id="t", path=str(video), bytes=5, host=platform.node())
        open_ledger(url).save(own, replace(own, id="another", path="/there.mp4", host="another"))
        ledger("copy", url, home)
        found, role = open_ledger(home).claim(Record("2:a"))
        assert (found.id, role) == (own.id, Claim.REUSE)

    def test_lost_records_are_told(self, ledger, open_ledger, home, url):
        open_ledger(home).save(STORY[0])
        _select_into(home, "INSERT INTO facts VALUES ('lost', '/kept/damaged')")
        assert "/kept/damaged" in ledger("copy", home, url)[1]

    def test_a_damaged_ledger_is_an_error(self, ledger, home, url):
        home.mkdir()
        (home / "ledger.sqlite3").write_bytes(b"no database at all" * 100)
        status, _, err = ledger("copy", home, url)
        assert status == 1
        assert "It is damaged. Run any graph" in err

    def test_without_a_ledger_there_is_nothing_to_copy(self, ledger, home, url):
        assert ledger("copy", home, url)[::2] == (
            1,
            f"Error: There is no ledger in {home / 'ledger.sqlite3'}.\nGive its folder, its file or its URL.\n",
        )
        assert ledger("copy", url, home)[0] == 1
        assert not home.exists()

    @pytest.mark.slow
    def test_a_copy_that_was_killed_goes_on(self, ledger, open_ledger, home, url):
        story = [record(str(number), receipt="x" * 1000) for number in range(10_000)]
        open_ledger(home).save(*story[:1])
        _insert(home, story[1:])
        command = [sys.executable, str(ROOT / "dev.py"), "ledger", "copy", str(home), url]
        target = open_ledger(url)
        with children.start(command, stdout=subprocess.DEVNULL) as child:
            while not _select(target, "SELECT id FROM requests LIMIT 1") and child.poll() is None:
                time.sleep(0.01)
            child.kill()
        assert ledger("copy", home, url)[0] == 0
        assert [row.id for row in _select(target, "SELECT id FROM requests ORDER BY rowid")] == [
            row.id for row in story
        ]


def _select_into(home, statement):
    with sqlite3.connect(home / "ledger.sqlite3") as database:
        database.execute(statement)
    database.close()


def _insert(home, records):
    """Write new records in one transaction."""
    with sqlite3.connect(home / "ledger.sqlite3") as database:
        database.executemany(UPSERT, [vars(one) for one in records])
    database.close()


class TestPrune:
    def test_only_old_records_without_further_use_go(self, ledger, open_ledger, place, tmp_path):
        (tmp_path / "v.mp4").write_bytes(b"video")
        old, young = time.time() - 11 * DAY, time.time() - 9 * DAY
        gone = [record(state, state=state, created_at=old) for state in ("saved", "failed", "canceled", "expired")]
        stay = [
            *(record(state, state=state, created_at=old) for state in set(PROGRESS) - {row.state for row in gone}),
            *(record(f"young {row.state}", state=row.state, created_at=young) for row in gone),
            record("late", state="saved", created_at=old, finished_at=young),
            record("seen", state="saved", created_at=old, path=str(tmp_path / "v.mp4"), bytes=5),
        ]
        one = open_ledger(place)
        one.save(*gone, record("lost", state="saved", created_at=old, path="/gone.mp4", bytes=5), *stay)
        status, out, err = ledger("prune", "--older-than", "10", place)
        assert (status, err) == (0, "")
        assert "5 records older than 10 days" in out
        assert "1 record of that age" in out
        assert [row.id for row in all_rows(one)] == [row.id for row in stay]

    def test_what_was_paid_this_month_stays(self, ledger, open_ledger, place):
        old, older = time.time() - 29 * DAY, time.time() - 32 * DAY
        one = open_ledger(place)
        one.save(
            record("paid", state="saved", created_at=old, reserved_at=old, currency="CNY", estimate=1.5),
            record("by its receipt", state="saved", created_at=old, reserved_at=NO_PRICE),
            record("failed", state="failed", created_at=old, reserved_at=old, currency="CNY", estimate=1.5),
            record("long ago", state="saved", created_at=older, reserved_at=older, currency="CNY", estimate=1.5),
        )
        status, out, _ = ledger("prune", "--older-than", "10", place)
        assert status == 0
        assert "2 records of that age stay for 31 days, as they count in what was spent." in out
        assert [row.fingerprint.removeprefix("2:") for row in all_rows(one)] == ["paid", "by its receipt"]

    def test_what_other_machines_have_saved_stays(self, ledger, open_ledger, url):
        saved = record("a", state="saved", path="/there.mp4", bytes=5)
        one = open_ledger(url)
        one.save(replace(saved, host="another"), replace(saved, id="own", host=platform.node()))
        assert ledger("prune", "--older-than", "2", url)[0] == 0
        assert [row.host for row in all_rows(one)] == ["another"]

    @pytest.mark.parametrize("days", ["1", "0", "-3", "x", "1.5"])
    def test_records_of_the_last_day_prove_whose_tasks_are(self, ledger, days, capsys):
        with pytest.raises(SystemExit) as ended:
            ledger("prune", "--older-than", days)
        assert ended.value.code == 2
        assert "--older-than" in capsys.readouterr().err


class TestCommandLine:
    @pytest.mark.parametrize(
        "arguments",
        [
            ["postgresql://u:pass-word@h/db"],
            ["check", "x", "postgresql://u:pass-word@h/db"],
            ["copy", "x", "y", "postgresql://u:pass-w@ord@h/db", "postgresql://h/db?password=pass-word"],
        ],
    )
    def test_a_url_that_is_not_understood_is_shown_without_its_password(self, arguments, capsys):
        with pytest.raises(SystemExit) as ended:
            main(arguments, root=ROOT)
        assert ended.value.code == 2
        shown = capsys.readouterr().err
        assert "pass-w" not in shown
        assert "***" in shown

    def test_what_is_no_url_of_a_ledger_is_refused(self, ledger):
        status, _, err = ledger("check", "mysql://u:pass-word@h/db")
        assert status == 1
        assert "begins with postgresql://" in err

    @needs_symlinks
    def test_it_runs_with_the_python_that_starts_it(self, open_ledger, home, tmp_path, bare_environment):
        open_ledger(home).save(*STORY)
        link = tmp_path / "ComfyUI" / "custom_nodes" / "wan"
        link.parent.mkdir(parents=True)
        link.symlink_to(ROOT)

        def run(*arguments):
            command = [sys.executable, str(link / "dev.py"), "ledger", *map(str, arguments)]
            ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)  # noqa: S603 - ours
            return ran.stdout

        assert "5 records" in run("copy", home, tmp_path / "ComfyUI" / "user" / "__dashscope_wan")
        bare_environment.delenv("DASHSCOPE_WAN_HOME")
        assert "records: 5" in run("check")


class TestDocuments:
    """What the pages and the example for Docker tell the reader to write."""

    @pytest.fixture
    def compose(self):
        yaml = pytest.importorskip("yaml")
        text = (ROOT / "docs" / "docker-compose.yml").read_text("utf-8")
        return yaml.safe_load(re.sub(r"\$\{LEDGER_PASSWORD:\?\}", "pw4711", text))

    def test_the_workers_of_the_example_use_its_database(self, compose):
        server = compose["services"]["database"]["environment"]
        workers = {name: one for name, one in compose["services"].items() if name != "database"}
        for name, worker in workers.items():
            url = make_url(worker["environment"]["DASHSCOPE_WAN_LEDGER_URL"])
            assert (url.drivername, url.host, url.port) == ("postgresql", "database", None)
            assert url.username == server["POSTGRES_USER"]
            assert url.password == server["POSTGRES_PASSWORD"] == "pw4711"
            assert url.database == server["POSTGRES_DB"]
            assert worker["hostname"] == name
            assert worker["depends_on"]["database"]["condition"] == "service_healthy"
        assert len(workers) == 2

    def test_the_workers_of_the_example_share_nothing_else(self, compose):
        used = [one.split(":")[0] for service in compose["services"].values() for one in service["volumes"]]
        assert sorted(used) == sorted(compose["volumes"])
        assert len(used) == len(set(used)) == 5

    def test_the_settings_of_the_example_are_those_that_the_pack_reads(self, compose, bare_environment, tmp_path):
        for name, value in compose["services"]["worker-1"]["environment"].items():
            bare_environment.setenv(name, value)
        settings = read_settings(tmp_path)
        assert PostgresStore(settings.ledger_url).place == "database/wan"
        assert settings.key("beijing")

    @pytest.mark.parametrize(
        "name", ["docs/several-machines.md", "docs/several-machines.zh-CN.md", "docs/docker-compose.yml"]
    )
    def test_the_driver_is_that_of_pyproject(self, name):
        said = re.findall(r'pip install "(psycopg[^"]+)"', (ROOT / name).read_text("utf-8"))
        project = (ROOT / "pyproject.toml").read_text("utf-8")
        assert said == re.findall(r'fleet = \[\s+"([^"]+)"', project)

    @pytest.mark.parametrize("name", ["docs/several-machines.md", "docs/several-machines.zh-CN.md"])
    def test_the_commands_of_the_pages_are_understood(self, name, ledger, open_ledger, url, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        open_ledger(tmp_path / "ComfyUI" / "user" / "__dashscope_wan").save(*STORY)
        found = re.findall(r"python dev\.py ledger ([^`\n]+)", (ROOT / name).read_text("utf-8"))
        commands = [re.sub(r"postgresql://\S+", url, one).replace("DAYS", "30").split() for one in found]
        assert [one[0] for one in commands] == ["check", "copy", "prune"]
        for command in commands:
            assert ledger(*command, *([url] if command[0] == "prune" else []))[::2] == (0, "")
