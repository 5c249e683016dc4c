"""What progress looks like."""

import io
import re

import pytest

from cli.terminal import LiveTerminal, PlainTerminal, terminal_for

TITLES = {"1": "[1] Wan", "2": "[2] Effect"}


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def plain(clock):
    stream = io.StringIO()
    terminal = PlainTerminal(stream, titles=TITLES, clock=clock)
    terminal.lines = lambda: stream.getvalue().splitlines()
    return terminal


def test_a_line_is_printed_when_the_text_changes_and_not_before(plain, clock):
    for seconds, fraction, text in [(0, 0.0, "submitted"), (5, 0.1, "submitted"), (10, 0.256, "running")]:
        clock.now = seconds
        plain.progress("1", fraction, text)
    assert plain.lines() == ["[1] Wan:   0%  submitted", "[1] Wan:  26%  running"]


def test_texts_that_follow_each_other_fast_are_left_out_but_for_the_last(plain, clock):
    for tenth in range(15):
        clock.now = tenth / 10
        plain.progress("1", tenth / 15, f"text {tenth}")
    assert plain.lines() == ["[1] Wan:   0%  text 0"]
    plain.settle("1")
    plain.settle("1")
    assert plain.lines()[1:] == ["[1] Wan:  93%  text 14"]


def test_a_text_that_was_held_back_and_taken_back_is_not_printed(plain):
    for text in ("waiting", "polling", "waiting"):
        plain.progress("1", 0.5, text)
    plain.settle("1")
    assert plain.lines() == ["[1] Wan:  50%  waiting"]


def test_nodes_do_not_hold_each_other_back(plain):
    plain.progress("1", 0, "one")
    plain.progress("2", 0, "two\nlines")
    assert plain.lines() == ["[1] Wan:   0%  one", "[2] Effect:   0%  two lines"]


def screen(written):
    """What a terminal shows after these characters."""
    rows, row = [""], 0
    for part in re.findall(r"\x1b\[\d*[A-Z]|\r|\n|[^\x1b\r\n]+", written):
        if part.startswith("\x1b") and part.endswith("A"):
            row -= int(part[2:-1])
        elif part == "\x1b[J":
            del rows[row:]
            rows.append("")
        elif part == "\n":
            row += 1
            rows += [""] * (row + 1 - len(rows))
        elif part != "\r":
            rows[row] += part
    return [line for line in rows if line]


@pytest.fixture
def live(monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("LINES", "5")
    stream = io.StringIO()
    terminal = LiveTerminal(stream, titles=TITLES)
    terminal.screen = lambda: screen(stream.getvalue())
    return terminal


def test_each_node_has_one_line_that_is_rewritten(live):
    live.progress("1", 0.0, "submitted")
    live.progress("2", 0.0, "submitted")
    live.progress("1", 0.5, "running")
    assert live.screen() == ["[1] Wan:  50%  running", "[2] Effect:   0%  submitted"]


def test_other_lines_stay_above_and_finished_nodes_join_them(live):
    live.progress("1", 0.5, "running")
    live.progress("2", 0.5, "running")
    live.say("a warning")
    live.settle("2")
    live.settle("2")
    live.progress("1", 1.0, "saved")
    assert live.screen() == ["a warning", "[2] Effect:  50%  running", "[1] Wan: 100%  saved"]


def test_a_long_line_is_cut_so_that_it_takes_one_row(live):
    live.progress("1", 0.5, "x" * 100)
    live.progress("1", 0.5, "y" * 100)
    assert [len(line) for line in live.screen()] == [39]


def test_no_more_lines_are_rewritten_than_the_screen_has(live):
    for node_id in "abcdef":
        live.progress(node_id, 0.0, "running")
    live.progress("f", 1.0, "done")
    assert live.screen()[-1] == "f: 100%  done"
    assert live.screen().count("e:   0%  running") == 1


class Tty(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("stream", "term", "kind"),
    [
        (Tty(), "xterm", LiveTerminal),
        (Tty(), "dumb", PlainTerminal),
        (Tty(), "", PlainTerminal),
        (io.StringIO(), "xterm", PlainTerminal),
    ],
)
def test_lines_are_only_rewritten_where_that_works(monkeypatch, stream, term, kind):
    monkeypatch.setenv("TERM", term)
    monkeypatch.setattr("os.name", "posix")
    assert type(terminal_for(stream, titles={})) is kind
