"""Progress on the terminal: lines rewritten in place where it can do that, plain lines elsewhere."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable, Mapping
from typing import Protocol, TextIO

_QUIET_SECONDS = 2.0
"""Without rewriting, a node's text is printed at most this often."""


class Terminal(Protocol):
    """Where a run shows how far it is. Its methods may be called from any thread."""

    def progress(self, node_id: str, fraction: float, text: str) -> None:
        """A node is this far, 0..1."""

    def settle(self, node_id: str) -> None:
        """A node will report no more."""

    def say(self, text: str) -> None:
        """Print lines of their own."""


def terminal_for(stream: TextIO, *, titles: Mapping[str, str]) -> Terminal:
    """The kind of terminal that a stream is. `titles` names each node."""
    # Windows' older consoles print the codes that move the cursor instead of obeying them.
    if stream.isatty() and os.name != "nt" and os.environ.get("TERM") not in (None, "", "dumb"):
        return LiveTerminal(stream, titles=titles)
    return PlainTerminal(stream, titles=titles)


def _line(title: str, *, fraction: float, text: str) -> str:
    return f"{title}: {round(min(max(fraction, 0.0), 1.0) * 100):3d}%  {' '.join(text.split())}".rstrip()


class PlainTerminal:
    """One line whenever a node's text changes, though not more often than every two seconds."""

    def __init__(
        self, stream: TextIO, *, titles: Mapping[str, str], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._stream = stream
        self._titles = titles
        self._clock = clock
        self._printed: dict[str, tuple[str, float]] = {}
        self._held: dict[str, str] = {}
        self._lock = threading.Lock()

    def progress(self, node_id: str, fraction: float, text: str) -> None:
        """Print the text where it is new; keep it for later where the last line is too recent."""
        with self._lock:
            before, since = self._printed.get(node_id, ("", -_QUIET_SECONDS))
            if text == before:
                self._held.pop(node_id, None)
                return
            self._held[node_id] = _line(self._titles.get(node_id, node_id), fraction=fraction, text=text)
            if self._clock() - since >= _QUIET_SECONDS:
                self._printed[node_id] = (text, self._clock())
                self._write(self._held.pop(node_id))

    def settle(self, node_id: str) -> None:
        """Print the last text if it was kept."""
        with self._lock:
            if node_id in self._held:
                self._write(self._held.pop(node_id))

    def say(self, text: str) -> None:
        """Print it."""
        with self._lock:
            self._write(text)

    def _write(self, text: str) -> None:
        print(text, file=self._stream, flush=True)


class LiveTerminal:
    """One line per node that reports progress, at the bottom, rewritten in place."""

    def __init__(self, stream: TextIO, *, titles: Mapping[str, str]) -> None:
        self._stream = stream
        self._titles = titles
        self._lines: dict[str, str] = {}
        self._drawn = 0
        self._lock = threading.Lock()

    def progress(self, node_id: str, fraction: float, text: str) -> None:
        """Rewrite the node's line."""
        line = _line(self._titles.get(node_id, node_id), fraction=fraction, text=text)
        with self._lock:
            if self._lines.get(node_id) != line:
                self._lines[node_id] = line
                self._draw()

    def settle(self, node_id: str) -> None:
        """Leave the line behind: it moves up, above those still rewritten."""
        with self._lock:
            line = self._lines.pop(node_id, None)
            if line is not None:
                self._draw(above=line)

    def say(self, text: str) -> None:
        """Print it above the rewritten lines."""
        with self._lock:
            self._draw(above=text)

    def _draw(self, above: str = "") -> None:
        up = f"\x1b[{self._drawn}A" if self._drawn else ""
        columns, height = shutil.get_terminal_size()
        # A line that wraps, or has left the screen at the top, would make the next move up miss.
        lines = [line[: columns - 1] for line in list(self._lines.values())[-max(height - 2, 1) :]]
        rows = [above, *lines] if above else lines
        self._stream.write(up + "\r\x1b[J" + "".join(f"{row}\n" for row in rows))
        self._stream.flush()
        self._drawn = len(lines)
