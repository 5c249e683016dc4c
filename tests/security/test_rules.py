"""The rules that are kept in the sources themselves."""

from __future__ import annotations

import logging
import re
import subprocess
from pathlib import Path

import pytest
from platforms import not_under_wine
from wanpack.wan.redaction import LOGGERS, RedactingFilter

ROOT = Path(__file__).resolve().parents[2]
PACK = [path for name in ("nodes", "wan", "offline") for path in sorted((ROOT / name).rglob("*.py"))]
BESIDE = [path for name in ("cli", "tools") for path in sorted((ROOT / name).rglob("*.py"))]
SOURCES = [ROOT / "dev.py", ROOT / "__init__.py", *PACK, *BESIDE]


def lines(paths):
    for path in paths:
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
            yield f"{path.relative_to(ROOT)}:{number}", line


def test_ruffs_security_rules_are_on():
    project = (ROOT / "pyproject.toml").read_text("utf-8")
    selected = re.search(r"select = \[(.*?)\]", project, re.DOTALL)[1]
    assert '"S"' in selected
    # Excepted whole, with a reason each.
    for rule, _, rest in re.findall(r'"(S\d+)"(,?)([^\n]*)', project):
        assert "#" in rest or re.search(rf'"{rule}".*"S\d+",\s+#', project), rule


def test_each_exception_to_them_carries_a_reason():
    every = [*SOURCES, *(ROOT / "tests").rglob("*.py")]
    bare = [
        where
        for where, line in lines(every)
        if (found := re.search(r"# noqa: ([A-Z0-9, ]+)(.*)", line))
        and re.search(r"\bS\d+", found[1])
        and not re.match(r" ?- \w+", found[2])
    ]
    assert bare == []


def test_http_is_spoken_in_one_place_only():
    # Everything that reads a body, follows a link or makes a session goes by the rules of net/http.py.
    rule = (
        r"requests\.(get|post|request|Session)\(|\.iter_content\(|(?<!medium)\.content\b|urlopen\(|"
        r"allow_redirects=True|\.json\(\)"
    )
    found = [where for where, line in lines(PACK) if re.search(rule, line)]
    assert [where for where in found if not where.startswith(("wan/net/http.py", "offline/"))] == []


def test_every_logger_has_the_filter():
    named = {name for _, line in lines([*PACK, *BESIDE]) for name in re.findall(r"getLogger\(\"([^\"]+)\"\)", line)}
    assert "dashscope_wan" in named
    assert named <= set(LOGGERS)
    for name in LOGGERS:
        assert [one for one in logging.getLogger(name).filters if isinstance(one, RedactingFilter)], name


@pytest.mark.parametrize("words", ["Report a vulnerability", "## Threat model", "## Guarantees", "## Limitations"])
def test_the_policy_says_what_it_must(words):
    text = (ROOT / "SECURITY.md").read_text("utf-8")
    assert re.search(words, text)
    assert "@" not in text
    assert len(text.splitlines()) < 70


@not_under_wine("it has no git")
def test_no_key_is_in_the_repository():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)  # noqa: S607 - our own
    names = [ROOT / name.decode() for name in listed.stdout.split(b"\0") if name]
    found = []
    for path in names:
        if path.is_file() and path.stat().st_size < 2_000_000:
            found += [
                (path.name, key) for key in re.findall(rb"\bsk-[a-f0-9]{32}\b|\bsk-ws-[\w-]{60,}", path.read_bytes())
            ]
    assert found == []
