"""The real pages of the frontends, each open once for all tests of this folder, one after the other."""

import functools
import importlib.util
import os
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent

if "webpage" not in sys.modules:
    # By path: with pytest's importlib mode this folder is not on sys.path.
    spec = importlib.util.spec_from_file_location(
        "webpage", HERE / "webpage" / "__init__.py", submodule_search_locations=[str(HERE / "webpage")]
    )
    module = importlib.util.module_from_spec(spec)
    sys.modules["webpage"] = module
    spec.loader.exec_module(module)

from webpage import frontends  # noqa: E402 - found by the lines above


def missing(reason):
    """Skip where a developer's machine lacks something; fail in CI, which has to bring it."""
    if os.environ.get("CI", "").lower() in ("1", "true"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


# As long as playwright runs, asyncio.run cannot: what is open here ends with the tests of this folder.
@pytest.fixture(scope="package")
def browser():
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        missing("playwright is not installed (pip install playwright)")
    from webpage.page import chromium, launch

    if not chromium():
        missing("there is no Chromium on this machine (apt-get install chromium-headless-shell, or chromium)")
    with sync_playwright() as playwright:
        running = launch(playwright)
        yield running
        running.close()


@pytest.fixture(scope="package")
def site(browser):
    """The server of a frontend and the tab of the browser, which its pages use one after the other."""
    from webpage.page import new_tab
    from webpage.server import PageServer

    @functools.cache
    def site_of(version):
        try:
            static = frontends.static_folder(version)
        except frontends.NotInstalled as error:
            missing(f"the frontend cannot be downloaded: {error}")
        return servers.enter_context(PageServer(static)), new_tab(browser)

    with ExitStack() as servers:
        yield site_of


@pytest.fixture(scope="package", params=frontends.ALL, ids="-".join)
def shared_page(request, site):
    """A page of a version, in a renderer and language, on a machine whose owner has set a region."""
    from webpage.page import ComfyPage

    version, renderer, *more = request.param
    server, tab = site(version)
    with pytest.MonkeyPatch.context() as owner:
        owner.setenv("DASHSCOPE_REGION", "nowhere" if "nowhere" in more else "beijing")
        server.begin(
            extension="bare" not in more,
            **{"Comfy.VueNodes.Enabled": renderer == "nodes2", "Comfy.Locale": "zh" if "zh" in more else "en"},
        )
    page = ComfyPage(tab, server, version=version, renderer=renderer)
    assert page.errors == []
    yield page
    assert page.errors == []
    page.close()


@pytest.fixture
def page(shared_page):
    """An empty graph in each page in turn. What the page complains about fails the test."""
    shared_page.clear()
    yield shared_page
    complaints = [*shared_page.errors]
    shared_page.errors.clear()
    assert complaints == []
