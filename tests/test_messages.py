"""What users read: every text in the code has its Chinese, with the same places, and nothing else is said to them."""

from __future__ import annotations

import ast
import json
import pickle
import re
from functools import cache, partial
from pathlib import Path
from string import Formatter

import pytest
from wanpack.wan import messages as module
from wanpack.wan.api.advice import service_error
from wanpack.wan.errors import InvalidRequest, WanError
from wanpack.wan.messages import (
    Message,
    clauses,
    enumeration,
    from_json,
    input_names,
    language_of,
    lines,
    localize,
    redacted,
    sentences,
    to_json,
    translations,
)
from wanpack.wan.redaction import register_secret
from wanpack.wan.text import format_choices

ROOT = Path(__file__).resolve().parent.parent
FILES = [*ROOT.glob("wan/**/*.py"), *ROOT.glob("nodes/*.py"), *ROOT.glob("cli/*.py"), ROOT / "dev.py"]
CHINESE = re.compile("[\u4e00-\u9fff]")
PATH_TO_MESSAGES = "wan/messages.py"


def name_of(node):
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


@cache
def trees():
    return {path.relative_to(ROOT).as_posix(): ast.parse(path.read_text("utf-8")) for path in FILES}


def calls(tree):
    return [node for node in ast.walk(tree) if isinstance(node, ast.Call)]


@cache
def messages():
    """Every `Message(...)` and `partial(Message, ...)` of the code: file, line, template node, names of its places."""
    found = []
    for path, tree in trees().items():
        for call in calls(tree):
            arguments = call.args
            if name_of(call.func) == "partial" and arguments and name_of(arguments[0]) == "Message":
                arguments = arguments[1:]
            elif name_of(call.func) != "Message":
                continue
            found.append((path, call.lineno, arguments, [keyword.arg for keyword in call.keywords]))
    return found


@cache
def templates():
    return {
        arguments[0].value: f"{path}:{line}"
        for path, line, arguments, _ in messages()
        if isinstance(arguments[0], ast.Constant)
    }


def places(template):
    """The places of a template, with how each is formatted: the Chinese may order them otherwise."""
    return sorted({(name, spec, conversion or "") for _, name, spec, conversion in Formatter().parse(template) if name})


def test_the_code_has_messages():
    assert len(templates()) > 300


def test_a_template_is_a_literal_with_a_value_for_each_place():
    # What reads a saved message, or redacts one, has its template from another message.
    own = [one for one in messages() if one[0] != PATH_TO_MESSAGES]
    assert [f"{path}:{line}" for path, line, arguments, _ in own if not isinstance(arguments[0], ast.Constant)] == []
    wrong = []
    for path, line, arguments, given in own:
        wanted = {name for name, _, _ in places(arguments[0].value)}
        if len(arguments) > 1 or (None not in given and wanted != set(given)):
            wrong.append(f"{path}:{line}: {sorted(wanted)}, given {given}")
    assert wrong == []


def test_every_text_has_its_chinese_and_nothing_else_has():
    chinese = translations("zh")
    assert {text: where for text, where in templates().items() if text not in chinese} == {}
    assert [text for text in chinese if text not in templates()] == []


def test_the_chinese_has_the_same_places():
    assert {text: zh for text, zh in translations("zh").items() if places(text) != places(zh)} == {}


def test_the_chinese_is_chinese():
    """Texts of places, names and marks alone stay as they are."""
    words = {text: re.sub(r"\{[^}]*\}", "", text) for text in translations("zh")}
    alike = [text for text, zh in translations("zh").items() if re.search("[a-z]{2}", words[text]) and text == zh]
    assert alike == []
    plain = {text: zh for text, zh in translations("zh").items() if re.search("[a-z]{2} [a-z]", words[text])}
    assert [text for text, zh in plain.items() if not CHINESE.search(zh)] == []
    # A comma or a full stop between Chinese characters is a Chinese one.
    assert [
        zh for zh in translations("zh").values() if re.search("[\u4e00-\u9fff][,;:?!.]( |$|[\u4e00-\u9fff])", zh)
    ] == []


def test_settings_files_and_commands_are_the_same_in_chinese():
    kept = re.compile(
        r"DASHSCOPE_[A-Z_]+|credentials\.toml|HTTPS?_PROXY|NO_PROXY|REQUESTS_CA_BUNDLE|repay_missing|https?://[\w:@./]*"
    )

    def names(text):
        return sorted({one.rstrip(".,:;\uff1b\u3002\uff0c\uff09)") for one in kept.findall(text)})

    assert {text: zh for text, zh in translations("zh").items() if names(text) != names(zh)} == {}


@cache
def errors():
    """The names of `WanError` and of all classes below it."""
    classes = [node for tree in trees().values() for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    names, more = set(), {"WanError"}
    while more != names:
        names = more
        more = names | {node.name for node in classes if {name_of(base) for base in node.bases} & names}
    return names


def said(node):
    """The literal texts that an expression may be, apart from those of a `Message`."""
    if isinstance(node, ast.Constant):
        return [node] if isinstance(node.value, str) and re.search("[a-z]{2}", node.value) else []
    if isinstance(node, ast.JoinedStr):
        return [node]
    if isinstance(node, (ast.List, ast.Tuple, ast.Set)):
        return [text for one in node.elts for text in said(one)]
    if isinstance(node, ast.IfExp):
        return said(node.body) + said(node.orelse)
    if isinstance(node, ast.BoolOp):
        return [text for one in node.values for text in said(one)]
    if isinstance(node, ast.BinOp):
        return said(node.left) + said(node.right)
    if isinstance(node, (ast.ListComp, ast.GeneratorExp)):
        return said(node.elt)
    if isinstance(node, ast.Starred):
        return said(node.value)
    if (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("join", "strip", "format")
    ):
        return [node]
    return []


def texts_for_users(tree):
    """The expressions that become texts for the user: of errors, hints, problems, warnings and status texts."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = name_of(node.func)
            if name in errors():
                yield from node.args
                yield from (keyword.value for keyword in node.keywords if keyword.arg == "hint")
            elif name in ("Cause", "_Advice"):
                yield from node.args[2 if name == "_Advice" else 0 :]
            elif name in ("report", "_report") and node.args:
                yield node.args[-1]
            elif name == "append" and name_of(node.func.value) in ("problems", "notes", "found"):
                yield from node.args
        elif isinstance(node, (ast.Assign, ast.AugAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if {name_of(target) for target in targets} & {"hint", "problems", "notes"}:
                yield node.value
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and (
            node.name.endswith(("_problems", "_problem")) or node.name.startswith("validate")
        ):
            yield from (one.value for one in ast.walk(node) if isinstance(one, ast.Return) and one.value)


def test_nothing_is_said_without_a_message():
    bare = [
        f"{path}:{text.lineno}: {ast.unparse(text)}"
        for path, tree in trees().items()
        for expression in texts_for_users(tree)
        for text in said(expression)
    ]
    assert bare == []


def test_a_message_is_its_english_text():
    message = Message("{path} cannot be read ({reason}).", path=Path("a.mp4"), reason="denied")
    assert message == "a.mp4 cannot be read (denied)."
    assert localize(message, "en") == message
    assert localize(message, "zh") == "无法读取 a.mp4（denied）。"
    assert type(localize(message, "en")) is type(localize(message, "zh")) is str
    assert localize("a plain text", "zh") == "a plain text"
    assert localize(Message("of another version {path}", path=1), "zh") == "of another version 1"


def test_a_text_is_made_when_it_is_shown():
    text = partial(
        Message,
        "submitting{price}",
        price=partial(Message, ", about {currency} {amount:.2f}", currency="CNY", amount=1),
    )
    assert localize(text, "en") == "submitting, about CNY 1.00"
    assert localize(text, "zh") == "提交中，约 CNY 1.00"


def test_lists_are_localized_with_what_is_in_them():
    assert localize(format_choices([3, 4, 5, 6]), "zh") == "3 到 6"
    assert localize(format_choices(["a", "b", "c"]), "zh") == "a、b 或 c"
    assert (
        localize(sentences(Message("Nothing was sent."), "", Message("Run again later.")), "zh")
        == "未提交任务。请稍后重新运行。"
    )
    assert localize(lines("", Message("saving"), "x"), "zh") == "保存中\nx"
    assert localize(clauses([Message("today"), Message("tomorrow")]), "zh") == "今日；明日"
    assert localize(enumeration([Message("Beijing"), Message("Tokyo")]), "zh") == "北京、东京"
    assert localize(format_choices([Message("Beijing"), Message("Tokyo")]), "zh") == "北京或东京"
    assert localize(format_choices([Message("Beijing")]), "zh") == "北京"
    assert (format_choices(["a", "b", "c"]), enumeration([]), sentences("", "")) == ("a, b or c", "", "")


@pytest.mark.parametrize("join", [lines, sentences, lambda *parts: clauses(parts), lambda *parts: enumeration(parts)])
@pytest.mark.parametrize("count", [2, 3, 7, 1000])
def test_lists_of_any_length_are_localized_and_saved(join, count):
    text = join(*(Message("today") if number % 2 else Message("tomorrow") for number in range(count)))
    assert localize(text, "zh").count("今日") == count // 2
    assert localize(text, "zh").startswith("明日")
    copies = (pickle.loads(pickle.dumps(text)), from_json(to_json(text)))  # noqa: S301 - our own
    assert [copy == text for copy in copies] == [True, True]


@pytest.mark.parametrize(
    "path", ["/视频/海边（夕阳） 第1版.mp4", "/视频/猫 和 狗/a b.mp4", "。 。", "a  b", "猫 或 狗"]
)
def test_blanks_in_a_users_text_stay(path):
    message = sentences(Message("There is no file {path}.", path=path), Message("Nothing was sent."))
    assert path in localize(message, "zh")
    for quoted in (path, f"it's\n{path}"):
        told = localize(Message("state: {state!r} is not known", state=quoted), "zh")
        assert told == f"state：没有 {quoted!r} 这个状态"


@pytest.mark.parametrize("wrong", ["{oops}", "{path:.2f}", "{path", "{0}", 7, None])
def test_a_translation_that_does_not_fit_leaves_the_english(monkeypatch, wrong):
    monkeypatch.setattr(module, "translations", lambda _language: {"There is no file {path}.": wrong})
    assert localize(Message("There is no file {path}.", path="a.mp4"), "zh") == "There is no file a.mp4."


def test_inputs_are_called_as_on_the_node():
    message = Message("{input}: must be a string, not {type}", input="negative_prompt", type="int")
    assert localize(message, "zh") == "反向提示词：必须是字符串，而不是 int"
    nodes = json.loads((ROOT / "locales/zh/nodeDefs.json").read_text("utf-8"))
    assert {name: input_names("zh")[name] for name in nodes["DashScopeWanImageToVideo"]["inputs"]} == {
        name: one["name"] for name, one in nodes["DashScopeWanImageToVideo"]["inputs"].items()
    }


def test_a_message_about_one_input_calls_it_as_on_the_node():
    names = input_names("zh")
    told = {text: text.partition(": ")[0] for text in translations("zh") if ": " in text}
    about = {text: name for text, name in told.items() if name in names}
    assert len(about) > 20
    assert [text for text, name in about.items() if not translations("zh")[text].startswith(f"{names[name]}：")] == []


def test_a_redacted_message_is_one():
    key = "sk-0123456789abcdefghij"
    message = redacted(sentences(Message("There is no file {path}.", path=f"/{key}"), Message("Nothing was sent.")))
    assert message == "There is no file /sk-***. Nothing was sent."
    assert localize(message, "zh") == "文件 /sk-*** 不存在。未提交任务。"
    register_secret("left-right-secret")
    # Where two places meet, the text alone is redacted.
    assert redacted(Message("{first} {second}", first="x", second="y")).template == "{first} {second}"
    joined = redacted(Message("{host}{port}/{database}", host="left-right-", port="secret", database=""))
    assert joined == "***/"
    assert "secret" not in localize(joined, "zh")


def test_a_message_can_be_copied_and_saved():
    message = lines(Message("{where}, {code}", where=Message("The task failed"), code="X"), Message("Run again later."))
    for copy in (pickle.loads(pickle.dumps(message)), from_json(to_json(message))):  # noqa: S301 - our own
        assert copy == message
        assert localize(copy, "zh") == "任务失败，X\n请稍后重新运行。"
    assert from_json(to_json("plain")) == "plain"


@pytest.mark.parametrize(
    "saved",
    [
        "",
        "{",
        "[]",
        '{"template": 1, "places": {}}',
        '{"template": "{a.__class__}", "places": {"a": 1}}',
        '{"places": {}}',
        '{"template": ", about {currency} {amount:.2f}", "places": {"currency": "CNY", "amount": 1' + 400 * "0" + "}}",
    ],
)
def test_what_is_saved_is_not_trusted(saved):
    assert from_json(saved) in ("", "[]")


def test_an_error_can_be_shown_in_chinese_and_stays_english():
    error = InvalidRequest([Message("seed: {seed} is not supported; choose 0 to {most}", seed="-1", most=9)])
    english = "seed: -1 is not supported; choose 0 to 9\nNothing was submitted; nothing was charged."
    assert str(error) == english
    assert error.localized("zh") == "随机数种子：不支持 -1；可选 0 到 9\n未提交任务，未产生费用。"
    error.language = "zh"
    assert (str(error), str(error.text)) == (error.localized("zh"), english)


def test_an_error_of_the_service_keeps_its_code_and_its_own_words():
    error = service_error(
        code="Arrearage", message="Your account is in arrears.", http_status=400, formed=True, request_id="r-1"
    )
    assert error.localized("zh") == (
        "百炼返回 HTTP 400，Arrearage：Your account is in arrears.\n"
        "请在控制台结清欠费，等待几分钟后重新运行。未产生费用。\n（请求 ID r-1）"
    )


def test_the_text_of_an_error_without_a_hint_is_its_message():
    assert str(WanError(Message("saving"), task_id="t-1")) == "saving\n(task t-1)"


@pytest.mark.parametrize(
    ("locale", "language"),
    [
        ("zh", "zh"),
        ("zh-TW", "zh"),
        ("zh_CN.UTF-8", "zh"),
        ("ZH", "zh"),
        ("en_GB", "en"),
        ("C.UTF-8", "en"),
        ("", "en"),
        ("ja", "en"),
    ],
)
def test_a_locale_has_a_language(locale, language):
    assert language_of(locale) == language
