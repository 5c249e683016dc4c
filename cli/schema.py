"""The parts of a graph in API format: V1 node classes, what they declare, and the links between nodes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, TypeAlias

NodeClass: TypeAlias = type[Any]
"""A V1 node: INPUT_TYPES, RETURN_TYPES, FUNCTION and so on, as class attributes."""

Prompt: TypeAlias = Mapping[str, Mapping[str, Any]]
"""A graph in API format: node id -> {"class_type", "inputs"}."""


class Link(NamedTuple):
    """Another node's output, taken as an input."""

    node_id: str
    output: int


class DeclaredInput(NamedTuple):
    """One input as its class declares it. `type` is a name such as "INT", or the list of a combo's values."""

    name: str
    type: str | list[Any]
    options: Mapping[str, Any]
    required: bool

    @property
    def choices(self) -> list[Any] | None:
        """What a combo allows, in both of ComfyUI's spellings; None where this is no combo."""
        if isinstance(self.type, list):
            return self.type
        return self.options.get("options") if self.type == "COMBO" else None


def as_link(value: Any) -> Link | None:
    """The link that `["id", index]` stands for, or None where the value is something else."""
    if isinstance(value, list) and len(value) == 2 and isinstance(value[0], str) and type(value[1]) is int:
        return Link(value[0], value[1])
    return None


def declared_inputs(node_class: NodeClass) -> dict[str, DeclaredInput]:
    """The inputs that a graph can give, required ones first, each part in the class's own order."""
    kinds = node_class.INPUT_TYPES()
    return {
        name: DeclaredInput(name, spec[0], options=spec[1] if len(spec) > 1 else {}, required=section == "required")
        for section in ("required", "optional")
        for name, spec in kinds.get(section, {}).items()
    }


def hidden_inputs(node_class: NodeClass, *, values: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs that the host gives by itself, from `values`: "UNIQUE_ID", "PROMPT" and the like."""
    asked = node_class.INPUT_TYPES().get("hidden", {})
    return {name: values[kind] for name, kind in asked.items() if kind in values}


def is_output_node(node_class: NodeClass) -> bool:
    """Whether a graph runs for this node's sake."""
    return getattr(node_class, "OUTPUT_NODE", False) is True
