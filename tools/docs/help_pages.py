"""The nodes' help pages in ComfyUI, `nodes/web/docs/<node id>/{en,zh}.md`, from the definitions and the tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from . import locales
from .facts import Tables, rows_of
from .readme import model_table

_HEADS = {
    "en": ("Inputs", "input", "what it does", "Outputs", "output", "what it is", "What each model allows"),
    "zh": ("输入", "输入", "说明", "输出", "输出", "说明", "各模型支持的设置"),
}
_ERRORS = {
    "en": """## When something goes wrong
| it says | do |
|---|---|
| Nothing was sent and nothing was paid | change what is listed; every fault is named with what is allowed |
| no API key is configured | set `DASHSCOPE_API_KEY` or write `credentials.toml`; or choose region **offline** |
| HTTP 401, InvalidApiKey | the key belongs to another region, or is not whole |
| ModelNotFound, "Model not exist" | the region does not have the model; or it wants a `workspace_id`: see above |
| DataInspectionFailed | moderation refused the prompt or the image; change it; nothing was charged |
| the answer to the request was lost | run the same graph again: it looks for the task before it pays for a new one |
| the video is paid and kept for 24 h | run the same graph again, or use Wan Fetch Task with the id |

Running the same graph again never pays twice. For a new video change the seed.
""",
    "zh": """## 出错时
| 提示 | 怎么办 |
|---|---|
| Nothing was sent and nothing was paid | 没有提交、没有计费：按列出的内容修改，每一条都写明允许的值 |
| no API key is configured | 设置 `DASHSCOPE_API_KEY` 或写 `credentials.toml`；也可在“百炼 连接”里选择 **offline** |
| HTTP 401, InvalidApiKey | Key 属于另一个地域，或者不完整 |
| ModelNotFound, "Model not exist" | 该地域没有这个模型；或者需要填写 `workspace_id`，见上表 |
| DataInspectionFailed | 提示词或图像未通过内容审核；修改后重试；不收费 |
| the answer to the request was lost | 再次运行同一个工作流：它会先查找已有任务，不会重复付费 |
| the video is paid and kept for 24 h | 再次运行同一个工作流，或用“万相 取回任务”按任务 ID 取回 |

再次运行同一个工作流不会重复付费；想要新的视频，请换一个随机种子。
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
    inputs, name, what, outputs, out_name, out_what, allows = _HEADS[language]
    parts = [
        f"# {texts['display_name']}\n\n{texts['description']}\n",
        f"## {inputs}\n" + _table((name, what), [_row(key, words) for key, words in texts["inputs"].items()]),
        f"## {outputs}\n" + _table((out_name, out_what), [_row("", words) for words in texts["outputs"].values()]),
    ]
    if rows := rows_of(node, tables):
        parts.append(f"## {allows}\n{model_table(tables, rows, language=language)}")
    if "task_id" in node.RETURN_NAMES:
        parts.append(_ERRORS[language])
    return "\n".join(parts)


def _row(key: str, words: dict[str, str]) -> tuple[str, str]:
    name = words["name"] if key in ("", words["name"]) else f"{words['name']} (`{key}`)"
    return name, words["tooltip"].replace("\n", "<br>").replace("|", "\\|")


def _table(heads: tuple[str, str], rows: list[tuple[str, str]]) -> str:
    lines = [f"| {heads[0]} | {heads[1]} |", "|---|---|", *(f"| {name} | {text} |" for name, text in rows)]
    return "\n".join(lines) + "\n"
