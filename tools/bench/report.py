"""The lines of the bench: a figure, what peers do, the target, and whether it is reached."""

from __future__ import annotations

import json
import math
import os
import platform
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_HEADS = ("about", "what", "ours", "peers", "figure", "target", "")
_PACKAGES = ("torch", "numpy", "pillow", "av", "requests", "dashscope")


@dataclass(frozen=True)
class Line:
    """One figure. `about` is what it belongs to; `ours` and `peers` say what it was worked out from.

    `least` or `most` is the target; a line without one only informs. `limit` says why a target cannot be met.
    """

    about: str
    what: str
    figure: float
    unit: str = ""
    ours: str = ""
    peers: str = ""
    least: float | None = None
    most: float | None = None
    limit: str = ""

    @property
    def reached(self) -> bool | None:
        """Whether the target is reached; None where there is none."""
        if self.least is None and self.most is None:
            return None
        return (self.least is None or self.figure >= self.least) and (self.most is None or self.figure <= self.most)

    @property
    def target(self) -> str:
        """The target in words."""
        bounds = [f">= {self.least:g}"] if self.least is not None else []
        bounds += [f"<= {self.most:g}"] if self.most is not None else []
        return ", ".join(bounds)

    @property
    def verdict(self) -> str:
        """What the table's last column says."""
        return {True: "ok", False: "limit" if self.limit else "MISSED", None: ""}[self.reached]


def machine() -> dict[str, object]:
    """Say what this ran on."""
    return {
        "date": time.strftime("%Y-%m-%d"),
        "cores": os.cpu_count(),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in _PACKAGES},
    }


def table(lines: Sequence[Line]) -> str:
    """Lay the lines out as text."""
    rows = [_HEADS, *(_row(line) for line in lines)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADS))]
    text = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    limits = dict.fromkeys(f"limit: {line.limit}" for line in lines if line.verdict == "limit")
    return "\n".join([text[0], "  ".join("-" * width for width in widths), *text[1:], *limits])


def summary(lines: Sequence[Line]) -> str:
    """Count the verdicts, and name what is missed."""
    counted = Counter(line.verdict for line in lines if line.verdict)
    total = f"{counted['ok']} of {counted.total()} targets reached, {counted['limit']} at a limit"
    missed = ", ".join(f"{line.about}: {line.what}" for line in lines if line.verdict == "MISSED")
    return f"{total}, {counted['MISSED']} missed: {missed}" if missed else f"{total}, none missed"


def write_json(lines: Sequence[Line], path: Path) -> None:
    """Write the same as JSON, which knows no infinite figure: null."""
    label = [{**asdict(line), "target": line.target, "verdict": line.verdict} for line in lines]
    for one in label:
        one["figure"] = one["figure"] if math.isfinite(one["figure"]) else None
    path.write_text(json.dumps({"machine": machine(), "lines": label}, indent=1) + "\n", encoding="utf-8")


def _row(line: Line) -> tuple[str, ...]:
    figure = f"{line.figure:.3g}" if abs(line.figure) < 1000 else f"{line.figure:.0f}"
    return (
        line.about,
        line.what,
        line.ours,
        line.peers,
        f"{figure} {line.unit}".strip(),
        line.target,
        line.verdict,
    )


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
