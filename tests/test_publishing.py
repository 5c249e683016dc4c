"""What the registry shows of the pack: its image, banner and version."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def image(name):
    """The image that a URL in pyproject.toml leads to."""
    repository = PROJECT["project"]["urls"]["Repository"].removeprefix("https://github.com/")
    start = f"https://raw.githubusercontent.com/{repository}/HEAD/"
    address = PROJECT["tool"]["comfy"][name]
    assert address.startswith(start)
    with Image.open(ROOT / address.removeprefix(start)) as found:
        return found.format, found.size


def test_the_icon_is_a_square_of_400_points():
    assert image("Icon") == ("PNG", (400, 400))


def test_the_banner_is_21_to_9():
    kind, (width, height) = image("Banner")
    assert (kind, width * 9) == ("PNG", height * 21)


def test_what_is_left_out_of_the_archive_is_what_no_user_needs():
    # The patterns are git's; the help pages are in a folder called docs, too.
    git = shutil.which("git")
    if not git or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    command = [git, "ls-files", "--cached", "--ignored", "--exclude-from=.comfyignore"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()  # noqa: S603 - git
    folders = {name.split("/")[0] for name in listed}
    assert folders == {
        ".ci",
        ".comfyignore",
        ".gitattributes",
        ".github",
        ".gitignore",
        "CONTRIBUTING.md",
        "docs",
        "tests",
        "tools",
    }


def test_publishing_puts_every_placeholder_right():
    publish = (ROOT / ".github/workflows/publish.yml").read_text("utf-8")
    placeholders = set(re.findall(r"your-[\w-]+(?:/dashscope-wan)?", (ROOT / "pyproject.toml").read_text("utf-8")))
    assert placeholders - {"your-name"} == set(re.findall(r"s#(your-[^#]+)#", publish))


def test_every_address_of_the_project_leads_to_its_repository():
    urls = PROJECT["project"]["urls"]
    assert list(urls) == ["Repository", "Documentation", "Bug Tracker"]
    assert [url.removeprefix(urls["Repository"]) for url in urls.values()] == ["", "#readme", "/issues"]


def test_the_newest_entry_of_the_changelog_is_this_version():
    newest = re.search(r"^## (\S+)$", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert newest[1] == PROJECT["project"]["version"]


@pytest.mark.parametrize(
    "page",
    ["README.md", "README.zh-CN.md", "SECURITY.md", *(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))],
)
def test_what_a_page_links_to_is_there(page):
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)\)", (ROOT / page).read_text("utf-8"))
    assert links or page == "SECURITY.md"
    assert [link for link in links if not ((ROOT / page).parent / link).exists()] == []
