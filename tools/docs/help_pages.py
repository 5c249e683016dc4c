"""The nodes' help pages, `nodes/web/docs/<node id>/{en,zh}.md`, generated from the definitions and the tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from . import locales
from .chinese import IMAGES
from .facts import Tables, rows_of
from .readme import model_list

_HEADS = {"en": ("Inputs", "Outputs", "Models"), "zh": ("输入", "输出", "模型")}
_COLON = {"en": ": ", "zh": "："}
_TEMPLATES = {"en": "Templates, and what the image must show", "zh": "特效模板，及其对图像内容的要求"}
_TEMPLATE = {
    "en": "- `{id}` {name}: {content} ({models})",
    "zh": "- `{id}` {name}：{content}（{models}）",
}
_OFFERED = {
    "en": "Values and widgets that the chosen model does not support are hidden; such sockets are marked.",
    "zh": "所选模型不支持的取值和控件会隐藏，不支持的端口会标明。",
}
_ERRORS = {
    "en": """## Errors
- **Nothing was submitted; nothing was charged**: change the settings that the lines above it name
- **No API key is configured**: run `python dev.py key` or set `DASHSCOPE_API_KEY`; or choose region **offline**
- **HTTP 401, InvalidApiKey**: the key belongs to another region, or is incomplete
- **ModelNotFound, "Model not exist"**: the region does not offer the model; or the model needs a `workspace_id`
- **DataInspectionFailed**: moderation rejected the prompt or the image: change it; nothing was charged
- **The connection was lost before DashScope confirmed the request**: run the same graph again: it looks for the task
- **The video is already paid for and available for 24 hours**: run the same graph again, or use Wan Fetch Task

Running the same graph again never pays twice. For a new video, change the seed.
""",
    "zh": """## 错误处理
- **Nothing was submitted; nothing was charged**：未提交任务，未产生费用：按它上面各行的说明修改设置
- **No API key is configured**：运行 `python dev.py key` 或设置 `DASHSCOPE_API_KEY`；也可选择地域 **offline**
- **HTTP 401, InvalidApiKey**：Key 属于另一个地域，或者不完整
- **ModelNotFound, "Model not exist"**：该地域不提供此模型；或者此模型需要填写 `workspace_id`
- **DataInspectionFailed**：提示词或图像未通过内容审核：修改后重试；未计费
- **The connection was lost before DashScope confirmed the request**：再次运行同一个工作流：重新提交前会先查找任务
- **The video is already paid for and available for 24 hours**：再次运行同一个工作流，或用“万相 取回任务”按任务 ID 取回

再次运行同一个工作流不会重复付费；需要新的视频时，请更换随机种子。
""",
}


def files(nodes: dict[str, Any], tables: Tables) -> dict[Path, str]:
    """Return the help pages by their paths. `nodes` are the classes by id."""
    defs = {"en": locales.english(nodes), "zh": locales.in_chinese(nodes, tables)}
    return {
        Path("nodes/web/docs") / node_id / f"{language}.md": page(node, texts[node_id], language, tables)
        for language, texts in defs.items()
        for node_id, node in nodes.items()
    }


def page(node: Any, texts: dict[str, Any], language: str, tables: Tables) -> str:
    """Return a node's help page as Markdown. `texts` is its definition in the language, as in the locales."""
    inputs, outputs, models = _HEADS[language]
    parts = [
        f"# {texts['display_name']}\n\n{texts['description']}\n",
        f"## {inputs}\n" + "".join(_item(key, words, language) for key, words in texts["inputs"].items()),
        f"## {outputs}\n" + "".join(_item("", words, language) for words in texts["outputs"].values()),
    ]
    if rows := rows_of(node, tables):
        offered = model_list(tables, rows, language=language)
        parts.append(f"## {models}\n{_OFFERED[language]}\n\n{offered}")
    if "template" in texts["inputs"]:
        parts.append(_templates(tables, language))
    if "task_id" in node.RETURN_NAMES:
        parts.append(_ERRORS[language])
    return "\n".join(parts)


def _templates(tables: Tables, language: str) -> str:
    lines = []
    for row in tables.effects.EFFECTS.values():
        name, content = (row.zh, IMAGES[row.image]) if language == "zh" else (row.en, row.image)
        lines.append(_TEMPLATE[language].format(id=row.id, name=name, content=content, models=", ".join(row.models)))
    return f"## {_TEMPLATES[language]}\n" + "\n".join(lines) + "\n"


def _item(key: str, words: dict[str, str], language: str) -> str:
    """Return a line of a list: lists fit a panel of any width, tables do not."""
    code = "" if key in ("", words["name"]) else f" (`{key}`)"
    return f"- **{words['name']}**{code}{_COLON[language]}{words['tooltip']}\n"
