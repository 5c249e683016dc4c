"""`locales/en` and `locales/zh`, generated from the node definitions and the Chinese texts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from . import chinese
from .facts import Tables, chinese_facts


def english(nodes: dict[str, Any]) -> dict[str, Any]:
    """Return nodeDefs.json in English, from the definitions. `nodes` are the classes by id."""
    return {
        node_id: {
            "display_name": node.DISPLAY_NAME,
            "description": node.DESCRIPTION,
            "inputs": {
                name: {"name": name, "tooltip": options["tooltip"]} for name, (_, options) in inputs_of(node).items()
            },
            "outputs": {
                str(index): {"name": name, "tooltip": tooltip}
                for index, (name, tooltip) in enumerate(zip(node.RETURN_NAMES, node.OUTPUT_TOOLTIPS, strict=True))
            },
        }
        for node_id, node in nodes.items()
    }


def in_chinese(nodes: dict[str, Any], tables: Tables) -> dict[str, Any]:
    """Return nodeDefs.json in Chinese.

    Raises:
        KeyError: a node or an input has no Chinese text.
    """
    made = {}
    for node_id, node in nodes.items():
        words, facts = chinese.NODES[node_id], chinese_facts(tables)
        made[node_id] = {
            "display_name": words.name,
            "description": words.description,
            "inputs": {
                name: {"name": words.inputs[name][0], "tooltip": words.inputs[name][1].format(**facts)}
                for name in inputs_of(node)
            },
            "outputs": {
                str(index): {"name": name, "tooltip": tooltip}
                for index, (_, (name, tooltip)) in enumerate(zip(node.RETURN_NAMES, words.outputs, strict=True))
            },
        }
    return made


def inputs_of(node: Any) -> dict[str, Any]:
    """Return a node's visible inputs in order: {name: (type, options)}."""
    described = node.INPUT_TYPES()
    return {**described.get("required", {}), **described.get("optional", {})}


def files(nodes: dict[str, Any], tables: Tables) -> dict[Path, str]:
    """Return the contents of the locale files by their paths in the pack."""
    categories = {"en": {name: name for name in chinese.CATEGORIES}, "zh": chinese.CATEGORIES}
    texts = {"en": english(nodes), "zh": in_chinese(nodes, tables)}
    made = {}
    for language, defs in texts.items():
        folder = Path("locales") / language
        made[folder / "nodeDefs.json"] = _json(defs)
        made[folder / "main.json"] = _json({"nodeCategories": categories[language]})
    return made


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
