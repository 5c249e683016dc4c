"""The commands speak the language of LC_ALL, LC_MESSAGES or LANG."""

from __future__ import annotations

import re
import sys

import pytest

from cli import fetch, key, ledger, offline, run, spend, tasks
from cli.engine import table
from cli.errors import InvalidGraphError, NodeFailedError, described
from cli.messages import Message, language, shown


@pytest.fixture
def speak(monkeypatch):
    """Set the variables of the language."""

    def speak(**variables):
        for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
            monkeypatch.delenv(name, raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    return speak


@pytest.fixture
def chinese(speak, bare_environment, tmp_path):
    speak(LANG="zh_CN.UTF-8")
    return ["--home", str(tmp_path)]


@pytest.mark.parametrize(
    ("variables", "spoken"),
    [
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "en_GB.UTF-8"}, "en"),
        ({"LANG": "en_GB.UTF-8", "LC_MESSAGES": "zh_TW"}, "zh"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": ""}, "zh"),
        ({"LANG": "C"}, "en"),
    ],
)
def test_the_first_variable_that_is_set_counts(speak, variables, spoken):
    speak(**variables)
    assert language() == spoken


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has a language of its own")
def test_without_any_it_is_english(speak):
    speak()
    assert language() == "en"


def test_a_run_says_in_chinese_what_is_wrong(chinese, capsys):
    assert run.main(["nothing.json"]) == 1
    assert capsys.readouterr().err == "错误：工作流文件 nothing.json 不存在\n"


def test_an_error_of_the_engine_is_chinese_and_keeps_its_lines(chinese, capsys, tmp_path):
    assert fetch.main(["task-1", "--out", str(tmp_path), *chinese]) == 1
    said = capsys.readouterr().err
    assert "错误：没有配置北京地域的 API Key。" in said
    assert '\n      api_key = "sk-..."\n' in said


@pytest.mark.parametrize("command", [run, key, ledger, tasks, spend, fetch, offline], ids=lambda one: one.__name__)
def test_the_help_of_every_command_is_chinese(command, chinese, capsys, tmp_path):
    with pytest.raises(SystemExit):
        command.main(["--help"], root=tmp_path)
    # What argparse says by itself stays English.
    [description] = [line for line in capsys.readouterr().out.splitlines() if line.endswith("。")]
    assert re.search("[\u4e00-\u9fff]", description)


def test_what_is_told_is_chinese(chinese, capsys, tmp_path):
    assert tasks.main(chinese) == 0
    assert spend.main(chinese) == 0
    assert ledger.main(["check", *chinese]) == 0
    told = capsys.readouterr().out
    assert f"{tmp_path} 的账本中没有任务。\n今日  无\n本月  无\n" in told
    assert "首次运行时会创建。" in told


def test_an_error_inside_of_another_is_chinese_too(chinese):
    from wanpack.wan.errors import MediaError
    from wanpack.wan.messages import Message as OtherMessage

    # The pack of the nodes is loaded under another name than the one of the commands.
    cause = MediaError(OtherMessage("{name} is empty.", name="a.mp4"))
    failed = NodeFailedError("3", "LoadVideo", cause=cause)
    assert str(failed) == "Node 3 (LoadVideo) failed:\na.mp4 is empty."
    assert shown(described(failed)) == "节点 3（LoadVideo）失败：\na.mp4 是空文件。"
    graph = InvalidGraphError([Message("node {node}: has no class_type", node="1")])
    assert shown(described(graph)) == "工作流无法运行，没有运行任何节点：\n- 节点 1：没有 class_type"


def test_columns_are_aligned_with_chinese_in_them(chinese):
    rows = [(Message("today"), "1"), ("limit_per_day", "2")]
    assert table(rows) == "今日           1\nlimit_per_day  2"
