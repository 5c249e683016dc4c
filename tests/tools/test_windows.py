"""`dev.py test --windows`: what is kept between its runs."""

from __future__ import annotations

import os

import pytest

from tools import windows
from tools.windows import FOR_WINE, SetupError, requirements, set_up

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Wine is for other systems")


@pytest.fixture
def made(monkeypatch, tmp_path):
    """A cache of the test's own, whose parts are empty files; returns which were made. The first prefix breaks off."""
    made = []

    def make(part):
        def write(*arguments):
            if part == "prefix" and not made.count("prefix"):
                made.append(part)
                raise SetupError("broken off")
            arguments[-1].mkdir(parents=True)
            made.append(part)

        return write

    monkeypatch.setattr(windows, "CACHE", tmp_path / "cache")
    for name, part in (("unpack_python", "python"), ("install_packages", "packages"), ("make_prefix", "prefix")):
        monkeypatch.setattr(windows, name, make(part))
    return made


def test_what_was_half_made_is_made_anew_and_what_is_whole_is_kept(made):
    with pytest.raises(SetupError):
        set_up("3.11")
    folder = set_up("3.11")
    assert made == ["python", "packages", "prefix"] * 2
    assert set_up("3.11") == folder
    assert len(made) == 6
    assert sorted(path.name for path in folder.iterdir()) == ["complete", "prefix", "python"]


def test_another_python_or_other_packages_have_a_folder_of_their_own(made, monkeypatch):
    with pytest.raises(SetupError):
        set_up("3.11")
    folders = [set_up("3.11"), set_up("3.12")]
    monkeypatch.setattr(windows, "requirements", lambda python: ["requests"])
    folders.append(set_up("3.11"))
    assert len(set(folders)) == 3


def test_the_packages_are_those_of_the_project_that_windows_and_the_python_can_have():
    whole, small = requirements("3.11"), requirements("3.13")
    assert any(one.startswith("torch==") for one in whole)
    assert not any(one.startswith(("torch", "playwright", "ruff")) for one in small)
    assert set(small) < set(whole)
    assert set(whole) - set(small) == {one for one in whole if one.startswith("torch")} | set(FOR_WINE)


def test_the_registry_is_copied_and_everything_else_is_linked(tmp_path):
    for name in ("system.reg", "python.dll"):
        (tmp_path / name).write_text(name)
        windows._linked(str(tmp_path / name), str(tmp_path / f"new {name}"))
        assert (tmp_path / f"new {name}").read_text() == name
    assert (tmp_path / "new python.dll").samefile(tmp_path / "python.dll")
    assert not (tmp_path / "new system.reg").samefile(tmp_path / "system.reg")
