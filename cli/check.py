"""One node's inputs, checked the way ComfyUI checks them before it runs anything."""

from __future__ import annotations

import inspect
from collections.abc import Container, Mapping
from typing import Any

from .calls import call
from .errors import described
from .messages import Message, enumeration
from .schema import DeclaredInput, Link, NodeClass, as_link, declared_inputs, hidden_inputs

_CONVERSIONS = {"INT": int, "FLOAT": float, "STRING": str, "BOOLEAN": bool}
_LISTED = 20
"""A combo's values are spelled out in a problem up to this many."""


class NodeCheck:
    """Checks one node and collects its usable inputs.

    `graph` has the class of every node that can be linked to, `every_id` all ids, so that a link to a node with a
    problem of its own is no second problem.
    """

    def __init__(
        self, node_id: str, node: Mapping[str, Any], *, graph: Mapping[str, NodeClass], every_id: Container[str]
    ) -> None:
        self.inputs: dict[str, Any] = {}
        self._id = node_id
        self._node = node
        self._class = graph[node_id]
        self._graph = graph
        self._every_id = every_id
        self._problems: dict[str, str] = {}
        self._linked_types: dict[str, Any] = {}
        self._validator = getattr(self._class, "VALIDATE_INPUTS", None)
        self._own, self._own_takes_all = _arguments(self._validator)

    async def run(self) -> list[str]:
        """Every problem, each naming the node and the input."""
        for declared in declared_inputs(self._class).values():
            self._check(declared)
        self._refuse_undeclared_links()
        problems: list[str] = [
            Message("input {name!r} {problem}", name=name, problem=problem) for name, problem in self._problems.items()
        ]
        problems += await self._custom_problems()
        return [
            Message("node {node} ({type}): {problem}", node=self._id, type=self._node["class_type"], problem=problem)
            for problem in problems
        ]

    def _check(self, declared: DeclaredInput) -> None:
        given = self._node["inputs"]
        if declared.name not in given:
            if declared.required:
                self._problems[declared.name] = Message("is missing")
            return
        value = given[declared.name]
        problem = self._take_link(declared, value) if isinstance(value, list) else self._take_constant(declared, value)
        if problem:
            self._problems[declared.name] = problem

    def _take_link(self, declared: DeclaredInput, value: list[Any]) -> str:
        link = as_link(value)
        if link is None:
            return Message('must link to an output as ["node id", index], not {value}', value=repr(value))
        if link.node_id not in self._every_id:
            return Message("links to node {node}, which does not exist", node=link.node_id)
        self.inputs[declared.name] = link
        if link.node_id not in self._graph:
            return ""
        types = self._graph[link.node_id].RETURN_TYPES
        if not 0 <= link.output < len(types):
            return Message(
                "links to output {output} of node {node}, which has {count} outputs",
                output=link.output,
                node=link.node_id,
                count=len(types),
            )
        received = self._linked_types[declared.name] = types[link.output]
        if "input_types" in self._own or types_meet(received, declared.type):
            return ""
        wanted = Message("one of a list") if isinstance(declared.type, list) else declared.type
        return Message(
            "wants {wanted}, and output {output} of node {node} is {received}",
            wanted=wanted,
            output=link.output,
            node=link.node_id,
            received=received,
        )

    def _take_constant(self, declared: DeclaredInput, value: Any) -> str:
        # ComfyUI's way of writing a list that is a value and no link.
        value = value["__value__"] if isinstance(value, dict) and "__value__" in value else value
        if isinstance(declared.type, str) and declared.type in _CONVERSIONS:
            try:
                value = _CONVERSIONS[declared.type](value)
            except (TypeError, ValueError, OverflowError):
                return Message("must be {type}, not {value}", type=declared.type, value=repr(value))
        self.inputs[declared.name] = value
        if self._own_takes_all or declared.name in self._own:
            return ""
        return constant_problem(declared, value)

    def _refuse_undeclared_links(self) -> None:
        """ComfyUI drops constants that nobody declared, but hands links on to the function, which would raise."""
        known = declared_inputs(self._class)
        for name, value in self._node["inputs"].items():
            if name not in known and as_link(value):
                self._problems[name] = Message("is none that this class has")

    async def _custom_problems(self) -> list[str]:
        """What VALIDATE_INPUTS says. As in ComfyUI it sees None for a linked input."""
        if self._validator is None or any(self._takes(name) for name in self._problems):
            return []
        hidden = hidden_inputs(self._class, values={"UNIQUE_ID": self._id, "PROMPT": {}, "EXTRA_PNGINFO": None})
        seen = {name: None if isinstance(value, Link) else value for name, value in self.inputs.items()}
        arguments = {name: [value] for name, value in {**seen, **hidden}.items() if self._takes(name)}
        if "input_types" in self._own:
            arguments["input_types"] = [self._linked_types]
        takes_lists = getattr(self._class, "INPUT_IS_LIST", False)
        try:
            responses = await call(self._validator, inputs=arguments, takes_lists=takes_lists)
        except Exception as error:  # noqa: BLE001 - a problem of the check is one more problem of the graph
            return [Message("its own check failed: {problem}", problem=described(error))]
        refusals = [response for response in responses if response is not True]
        return [
            response if isinstance(response, str) else Message("its own check refused the inputs")
            for response in refusals
        ]

    def _takes(self, name: str) -> bool:
        return self._own_takes_all or name in self._own


def types_meet(received: Any, wanted: Any) -> bool:
    """Whether an output of one type fits an input of another: a name, names with commas between them, or a combo."""
    if received == wanted or "*" in (received, wanted):
        return True
    if not isinstance(received, str) or not isinstance(wanted, str):
        return False
    return bool(_names(received) & _names(wanted))


def _names(types: str) -> set[str]:
    return {name.strip() for name in types.split(",")}


def constant_problem(declared: DeclaredInput, value: Any) -> str:
    """What is wrong with a converted constant, or ""."""
    lowest, highest = declared.options.get("min"), declared.options.get("max")
    if declared.type in ("INT", "FLOAT"):
        if lowest is not None and value < lowest:
            return Message("is {value}, and the least is {lowest}", value=value, lowest=lowest)
        if highest is not None and value > highest:
            return Message("is {value}, and the most is {highest}", value=value, highest=highest)
    choices = declared.choices
    if choices is not None and value not in choices:
        allowed = enumeration(choices) if len(choices) <= _LISTED else Message("{count} values", count=len(choices))
        return Message("is {value}, and can be: {allowed}", value=repr(value), allowed=allowed)
    return ""


def _arguments(validator: Any) -> tuple[frozenset[str], bool]:
    """The names that VALIDATE_INPUTS takes over from the stock checks, and whether it takes all (`**kwargs`)."""
    if validator is None:
        return frozenset(), False
    signature = inspect.getfullargspec(validator)
    return frozenset(signature.args), signature.varkw is not None
