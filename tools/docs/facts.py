"""The pack's tables, and the values that the Chinese texts take from them."""

from __future__ import annotations

from types import ModuleType
from typing import Any, NamedTuple


class Tables(NamedTuple):
    """The pack's modules with its tables."""

    media: ModuleType
    fields: ModuleType
    models: ModuleType
    effects: ModuleType
    regions: ModuleType
    spec: ModuleType
    text: ModuleType


def choices(values: Any) -> str:
    """Return a list of allowed values in Chinese: "5", "3、4 或 5", "2 至 15"."""
    words = [str(value) for value in values]
    numbers = [value for value in values if isinstance(value, int)]
    if len(numbers) == len(words) > 3 and numbers == list(range(numbers[0], numbers[-1] + 1)):
        return f"{words[0]} 至 {words[-1]}"
    if len(words) < 2:
        return "".join(words)
    return f"{'、'.join(words[:-1])} 或 {words[-1]}"


def rows_of(node: Any, tables: Tables) -> list[Any]:
    """Return the rows of a node's models, in its order; an empty list if the node has no model input."""
    offered = node.INPUT_TYPES().get("required", {}).get("model", ([], {}))[0]
    tables_of_jobs = [tables.fields.rows_of(job) for job in getattr(node, "JOBS", ())]
    return [next(rows[name] for rows in tables_of_jobs if name in rows) for name in offered]


def chinese_facts(tables: Tables) -> dict[str, str]:
    """Return the values for the braces of `chinese.NODES`."""
    models, regions = tables.models, tables.regions.REGIONS.values()
    return {
        "negative_limit": str(models.NEGATIVE_PROMPT_LIMIT),
        "workspace_regions": "、".join(row.title_zh for row in regions if row.needs_workspace),
    }
