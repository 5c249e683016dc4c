"""With ComfyUI in Chinese, errors, status texts and the panel are Chinese; the log and the ledger stay English."""

from __future__ import annotations

import json
import logging

import pytest
import requests
from mock_faults import ErrorResponse, TaskFails
from panel_server import PanelServer
from wanpack.nodes import host
from wanpack.wan.errors import InvalidRequest, MediaError, WanError
from wanpack.wan.messages import Message


@pytest.fixture
def chinese(standalone_host):
    """The host's language is Chinese; what nodes report."""
    texts = []
    before = host.configure(language="zh", on_progress=lambda _node, _fraction, text: texts.append(text))
    yield texts
    host.configure(language=before.language, on_progress=before.on_progress)


@pytest.fixture
def choose(comfy, monkeypatch):
    """Choose a language in ComfyUI's settings; None: none is chosen."""
    monkeypatch.setattr(host, "_chosen", {})
    folder = comfy.folder / "user" / "default"
    folder.mkdir(parents=True)

    def write(locale):
        settings = {"Comfy.Locale": locale} if locale else {}
        (folder / "comfy.settings.json").write_text(json.dumps({**settings, "Comfy.Other": locale}), encoding="utf-8")

    return write


def test_problems_are_chinese_with_the_names_of_the_widgets(nodes, live_server, chinese, caplog):
    with pytest.raises(InvalidRequest) as caught:
        nodes.image_to_video(seed=-1, resolution="4K", image=nodes.image(side=100))
    assert str(caught.value) == (
        "- 随机数种子：不支持 -1；可选 0 到 2147483647\n"
        "- 分辨率：wanx2.1-i2v-turbo 不支持 4K；可选 480P 或 720P\n"
        "- 图像：116x100 过小；每边至少 240 像素\n"
        "未提交任务，未产生费用。"
    )
    # The English is in the log.
    [line] = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert line.startswith("- seed: -1 is not supported")


def test_in_english_nothing_more_is_logged(nodes, live_server, standalone_host, caplog):
    with pytest.raises(InvalidRequest, match="seed: -1 is not supported"):
        nodes.image_to_video(seed=-1)
    assert [record for record in caplog.records if record.levelno == logging.ERROR] == []


def test_errors_of_every_node_are_chinese(nodes, live_server, quick, chinese):
    for call, text in (
        (nodes.last_frame, "视频：请连接视频，或填写视频路径"),
        (lambda: nodes.effect(template="melt"), "特效模板：wanx2.1-i2v-turbo 不支持 melt"),
        (nodes.continue_video, "视频：请连接视频，或填写视频路径"),
        (lambda: nodes.fetch("no id"), "任务 ID：不是任务 ID"),
        (lambda: nodes.image_to_video(connection="beijing"), "连接：请连接“百炼 连接”节点，而不是 str"),
    ):
        with pytest.raises(WanError) as caught:
            call()
        assert text in str(caught.value)


def test_status_texts_are_chinese(nodes, live_server, quick, chinese):
    made = nodes.image_to_video()
    shown = list(dict.fromkeys(chinese))
    assert shown[:2] == ["准备中", "提交中，约 CNY 0.72"]
    assert f"排队中；任务 {made.task_id}" in shown
    assert shown[-1] == "已保存 i2v_00001_.mp4，计费 CNY 0.72"
    assert nodes.image_to_video().task_id == made.task_id
    assert chinese[-1] == "已有保存的视频：直接使用，不计费；更换随机数种子可生成新视频"


def test_the_panel_shows_an_error_of_the_ledger_in_the_language_of_the_moment(nodes, live_server, quick, monkeypatch):
    live_server.faults.add(on="create", fault=TaskFails())
    with pytest.raises(WanError, match="inference internal error"):
        nodes.image_to_video()
    with PanelServer(monkeypatch) as panel:
        [english] = panel.get("tasks").json()["tasks"]
        before = host.configure(language="zh")
        [row] = panel.get("tasks").json()["tasks"]
        missing = panel.get("poster/0123456789abcdef").json()["error"]
        host.configure(language=before.language)
    assert english["error"].startswith("The task failed, InternalError.Algo: inference internal error.\nThis is an")
    assert row["error"] == (
        "任务失败，InternalError.Algo：inference internal error.\n这是百炼服务端的错误。请重新运行。未产生费用。"
    )
    assert missing["message"] == "账本中没有这个任务。"


def test_an_error_of_the_service_is_told_in_chinese(nodes, live_server, quick, chinese):
    live_server.faults.add(on="create", fault=ErrorResponse(400, "Arrearage", "Access denied."))
    with pytest.raises(WanError) as caught:
        nodes.image_to_video()
    first, advice, _ids = str(caught.value).splitlines()
    assert first == "百炼返回 HTTP 400，Arrearage：Access denied."
    assert advice == "请在控制台结清欠费，等待几分钟后重新运行。未产生费用。"


@pytest.mark.parametrize(
    ("locale", "page", "language"),
    [
        ("zh", "en", "zh"),
        ("zh-TW", "en", "zh"),
        ("en", "zh-CN", "en"),
        (None, "zh-CN", "zh"),
        (None, "", "en"),
        ("fr", "zh", "en"),
    ],
)
def test_the_language_is_that_of_the_settings_or_else_of_the_page(choose, locale, page, language):
    choose(locale)
    host.tell_language(page)
    assert host.language() == language


def test_a_change_of_the_settings_counts_at_once(choose):
    choose("zh")
    assert host.language() == "zh"
    choose("en-US")
    assert host.language() == "en"


def test_settings_that_cannot_be_read_are_english(comfy, monkeypatch):
    monkeypatch.setattr(host, "_chosen", {})
    path = comfy.folder / "user" / "default" / "comfy.settings.json"
    assert host.language() == "en"
    path.parent.mkdir(parents=True)
    for text in ("{", "[]", '"zh"'):
        path.write_text(text, encoding="utf-8")
        assert host.language() == "en"


def test_comfyui_gets_the_chosen_language(choose, comfy):
    choose("zh")
    host.NodeMonitor("7").report(0.5, Message("download interrupted; resuming"))
    assert comfy.texts == [("7", "下载中断；正在续传")]
    with pytest.raises(MediaError) as caught, host.LocalizedErrors():
        raise MediaError(Message("{name} is empty.", name="a.mp4"))
    assert (str(caught.value), caught.value.message) == ("a.mp4 是空文件。", "a.mp4 is empty.")


def test_the_page_tells_its_language(monkeypatch, live_server):
    monkeypatch.setattr(host, "_chosen", {})
    with PanelServer(monkeypatch) as panel:
        url = f"{panel.url}/dashscope_wan/language"
        assert requests.post(url, json={"language": "zh-CN"}, timeout=60).status_code == 200
        assert requests.post(url, json={}, timeout=60).status_code == 400
    assert host._chosen["page"] == "zh-CN"
