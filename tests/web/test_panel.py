"""The task panel in ComfyUI's sidebar: what it shows of the ledger, and what its buttons do."""

import threading

import pytest
from mock_faults import TaskStuck
from panel_server import PanelServer, add_records, create_task
from webpage.pages import in_one_page, on_canvas

TOGGLE = """
  steps.app.extensionManager.command.execute("Workspace.ToggleSidebarTab.dashscope-wan-tasks");
"""
ROW = ".dsw-row[data-id='{}']"
HOSTILE = "<img src=x onerror='window.hit = 1'><b>bold</b>"


@pytest.fixture
def panel(page, going_live, tmp_path):
    """The panel's routes behind the page, over a ledger and a mock server of the test's own."""
    with going_live(tmp_path) as service, pytest.MonkeyPatch.context() as patch, PanelServer(patch) as panel:
        panel.service, panel.output = service, tmp_path / "output"
        panel.listeners.append(page.server.send)
        page.server.panel = panel.url
        before = page.page.viewport_size
        page.page.set_viewport_size({"width": 1500, "height": 640})
        yield panel
        close(page)
        page.page.set_viewport_size(before)
        page.server.panel = ""
        page.server.files.clear()


def open_panel(page):
    page.run(TOGGLE)
    page.page.wait_for_selector(".dsw-panel")
    return page.page.locator(".dsw-panel")


def close(page):
    if page.page.locator(".dsw-panel").count():
        page.run(TOGGLE)
        page.page.wait_for_selector(".dsw-panel", state="detached")


def says(page, selector, text):
    """Wait until an element shows a text."""
    page.page.locator(selector).filter(has_text=text).first.wait_for()


def texts(page, selector):
    return page.page.locator(selector).all_inner_texts()


def serve_videos(page, panel):
    for path in panel.output.rglob("*.mp4"):
        page.server.files[path.relative_to(panel.output).as_posix()] = path.read_bytes()


def spent(panel, name):
    return [f"{currency} {amount:.2f}" for currency, amount in panel.get("spend").json()[name].items()]


@on_canvas
def test_a_task_appears_while_it_is_queued_and_plays_when_it_is_saved(page, panel):
    from wanpack.nodes.fetch_task import DashScopeWanFetchTask  # noqa: F401 - imported before the thread is

    open_panel(page)
    says(page, ".dsw-message", "No tasks yet")
    panel.service.faults.add(on="create", fault=TaskStuck("PENDING"))
    made = []
    node = threading.Thread(target=lambda: made.append(run_node(prompt="a cat runs\nthrough grass")))
    node.start()
    says(page, ".dsw-state", "queued or rendering")
    says(page, ".dsw-price", "about CNY")
    [task] = panel.service.state.tasks.all()
    task.frozen_in = None
    node.join(60)
    assert made
    says(page, ".dsw-state", "saved")
    serve_videos(page, panel)
    assert texts(page, ".dsw-prompt") == ["a cat runs"]
    assert texts(page, ".dsw-count") == ["1 task"]
    page.page.wait_for_function("() => document.querySelector('.dsw-picture img')?.naturalWidth > 0")
    page.page.wait_for_function(
        "(sums) => { const shown = [...document.querySelectorAll('.dsw-sum strong')].map((one) => one.textContent);"
        " return sums.every((sum) => shown.includes(sum)) }",
        arg=spent(panel, "today") + spent(panel, "month"),
    )
    page.page.locator(".dsw-picture").click()
    page.page.wait_for_function("() => document.querySelector('.dsw-stage video')?.currentTime > 0")
    assert "wan/i2v_00001_.mp4" in texts(page, ".dsw-table dd")
    assert "output/wan" in texts(page, ".dsw-table dd")


def run_node(**settings):
    """Run the main node as a graph does."""
    import asyncio

    from media import plain_images
    from wanpack.nodes.image_to_video import DashScopeWanImageToVideo

    cheap = {"model": "wanx2.1-i2v-turbo", "resolution": "480P", "duration": 3, "image": plain_images()}
    return asyncio.run(DashScopeWanImageToVideo().generate(**cheap, **settings))


@on_canvas
def test_the_graph_of_a_video_opens(page, panel):
    from wanpack.wan.media.video import write_metadata

    [record] = add_records({"task_id": create_task(panel.service)})
    panel.post("fetch", record.id)
    panel.wait_for_fetches()
    serve_videos(page, panel)
    open_panel(page)
    page.page.locator(".dsw-main").click()
    graph = page.page.locator("[data-action=openGraph]")
    graph.click()
    says(page, ".dsw-note", "carries no workflow")
    # What is heard of the task later does not take that away.
    [row] = panel.get("tasks").json()["tasks"]
    page.server.send("dashscope_wan.fetch", {"id": record.id, "state": "saved", "text": "", "fraction": 1.0})
    page.server.send("dashscope_wan.task", {**row, "prompt": "a cat that was heard of"})
    says(page, ".dsw-prompt", "heard of")
    assert "carries no workflow" in page.page.locator(".dsw-note").inner_text()

    import json

    [path] = panel.output.rglob("*.mp4")
    page.add("DashScopeWanImageToVideo")
    write_metadata(path, {"workflow": json.dumps(page.saved())})
    serve_videos(page, panel)
    page.clear()
    assert page.saved()["nodes"] == []
    graph.click()
    page.page.wait_for_function("() => steps.root().nodes.some((node) => node.type === 'DashScopeWanImageToVideo')")
    page.run("await steps.frames()")
    page._loaded = True


@on_canvas
def test_bring_home_and_cancel(page, panel):
    finished = create_task(panel.service)
    panel.service.faults.add(on="create", fault=TaskStuck("PENDING"))
    queued = create_task(panel.service)
    home, stuck = add_records({"task_id": finished, "created_at": 1e9}, {"task_id": queued, "created_at": 1e9 + 1})
    open_panel(page)
    page.page.locator(ROW.format(home.id)).locator(".dsw-main").click()
    page.page.locator("[data-action=fetch]").click()
    says(page, f"{ROW.format(home.id)} .dsw-state", "saved")
    assert [path.name for path in panel.output.rglob("*.mp4")] == ["task_00001_.mp4"]
    assert not page.page.locator("[data-action=fetch]").is_visible()
    page.page.locator(ROW.format(stuck.id)).locator(".dsw-main").click()
    page.page.locator("[data-action=cancel]").click()
    says(page, ".dsw-note", "nothing is charged")
    says(page, f"{ROW.format(stuck.id)} .dsw-state", "cancelled")
    assert panel.get("tasks?state=canceled").json()["total"] == 1
    assert not page.page.locator("[data-action=cancel]").is_visible()


@on_canvas
def test_hostile_texts_are_texts_and_the_page_speaks_chinese(page, panel):
    values = {"prompt": HOSTILE, "model": HOSTILE, "task_id": HOSTILE, "error": HOSTILE, "resolution": HOSTILE}
    [record] = add_records({"state": "failed", "host": HOSTILE, **values})
    page.run("await steps.app.extensionManager.setting.set('Comfy.Locale', 'zh')")
    try:
        open_panel(page)
        says(page, ".dsw-heading", "万相任务")
        says(page, ".dsw-state", "失败")
        page.page.locator(".dsw-main").click()
        assert texts(page, ".dsw-prompt") == [HOSTILE]
        assert texts(page, ".dsw-error") == [HOSTILE]
        assert HOSTILE in texts(page, ".dsw-table dd")
        assert HOSTILE in texts(page, ".dsw-filters option")
        assert {"任务", "创建"} <= set(texts(page, ".dsw-table dt"))
        assert page.page.locator(".dsw-panel b, .dsw-panel img").count() == 0
        assert page.run("return window.hit ?? null") is None
        # The same by a message.
        panel.send_sync("dashscope_wan.task", {**row_of(panel, record), "prompt": f"{HOSTILE}2"})
        says(page, ".dsw-prompt", "bold</b>2")
        assert page.page.locator(".dsw-panel b, .dsw-panel img").count() == 0
        page.page.locator(".dsw-filters select").first.select_option("saved")
        says(page, ".dsw-message", "没有符合的任务")
        page.page.locator(".dsw-message button").click()
        says(page, ".dsw-count", "1 个任务")
    finally:
        close(page)
        page.run("await steps.app.extensionManager.setting.set('Comfy.Locale', 'en')")


def row_of(panel, record):
    return next(row for row in panel.get("tasks").json()["tasks"] if row["id"] == record.id)


COUNT = "() => document.querySelectorAll('.dsw-row').length"


@in_one_page
def test_of_thousands_of_tasks_only_those_in_sight_are_in_the_page(page, panel):
    records = add_records(*({"state": "failed", "task_id": f"task-{n}", "created_at": 1e9 + n} for n in range(3000)))
    open_panel(page)
    says(page, ".dsw-count", "3,000 tasks")
    assert page.page.evaluate(COUNT) < 30
    scroll = "(to) => { document.querySelector('.dsw-list').scrollTop = to }"
    page.page.evaluate(scroll, 3000 * 76)
    oldest = page.page.locator(ROW.format(records[0].id))
    oldest.wait_for()
    assert page.page.evaluate(COUNT) < 30
    # By the keyboard: the row opens, and is wholly in sight.
    oldest.locator(".dsw-main").focus()
    page.page.keyboard.press("Enter")
    assert "task-0" in texts(page, ".dsw-table dd")
    page.page.wait_for_function(
        "() => { const list = document.querySelector('.dsw-list'), open = document.querySelector('.dsw-is-open');"
        " return open.getBoundingClientRect().bottom <= list.getBoundingClientRect().bottom + 1 }"
    )
    # A new task comes above; what is in sight stays.
    top = oldest.bounding_box()["y"]
    panel.send_sync("dashscope_wan.task", {**row_of(panel, records[-1]), "id": "f" * 16, "created_at": 2e9})
    says(page, ".dsw-count", "3,001 tasks")
    assert abs(oldest.bounding_box()["y"] - top) < 2
    page.page.keyboard.press("Enter")
    page.page.wait_for_selector(".dsw-details", state="detached")


@in_one_page
def test_what_cannot_be_read_is_said_with_a_way_on(page, panel):
    add_records({"state": "failed"})
    page.server.panel = "http://127.0.0.1:9"
    open_panel(page)
    says(page, ".dsw-message", "ComfyUI does not answer")
    page.server.panel = ""
    page.page.locator(".dsw-message button").click()
    says(page, ".dsw-message", "Restart ComfyUI")
    page.server.panel = panel.url
    page.run("(steps.app.api ?? window.comfyAPI.api.api).dispatchEvent(new CustomEvent('reconnected'))")
    says(page, ".dsw-count", "1 task")
    assert not page.page.locator(".dsw-message").is_visible()
    home = panel.output.parent / ".wan"
    (home / "credentials.toml").mkdir()
    page.page.locator(".dsw-filters select").first.select_option("failed")
    says(page, ".dsw-message", "credentials.toml cannot be read")
    assert {error.partition(":")[0] for error in page.errors} == {"Failed to load resource"}
    page.errors.clear()


@in_one_page
def test_it_may_be_opened_and_closed_again(page, panel):
    add_records({"state": "failed"})
    for _ in range(3):
        open_panel(page)
        says(page, ".dsw-count", "1 task")
        close(page)
    open_panel(page)
    panel.send_sync("dashscope_wan.task", {**panel.get("tasks").json()["tasks"][0], "state": "canceled"})
    says(page, ".dsw-state", "cancelled")
    assert page.page.locator(".dsw-panel").count() == 1
