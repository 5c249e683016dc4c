"""From a graph in API format to the steps that run, with everything checked that can be checked before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Any

from .check import NodeCheck
from .errors import InvalidGraphError
from .messages import Message
from .schema import Link, NodeClass, Prompt, as_link, is_output_node


@dataclass(frozen=True)
class Step:
    """One node that will run. Its inputs are constants, converted to their types, and links."""

    node_id: str
    class_type: str
    node_class: NodeClass
    inputs: Mapping[str, Any]

    @property
    def parents(self) -> frozenset[str]:
        """The nodes whose outputs it takes."""
        return frozenset(value.node_id for value in self.inputs.values() if isinstance(value, Link))


async def plan(prompt: Prompt, *, classes: Mapping[str, NodeClass]) -> list[Step]:
    """The output nodes and all they need, every node after its parents.

    Raises:
        InvalidGraphError: with every problem that could be found.
    """
    problems = [
        problem for node_id, node in prompt.items() for problem in _node_problems(node_id, node, classes=classes)
    ]
    known = {node_id: node for node_id, node in prompt.items() if not _node_problems(node_id, node, classes=classes)}
    graph = {node_id: classes[node["class_type"]] for node_id, node in known.items()}
    outputs = [node_id for node_id, node_class in graph.items() if is_output_node(node_class)]
    if not outputs and not problems:
        problems.append(Message("it has no output node, so nothing of it would run"))
    steps = {}
    for node_id in _with_ancestors(outputs, known):
        check = NodeCheck(node_id, known[node_id], graph=graph, every_id=prompt)
        problems += await check.run()
        steps[node_id] = Step(node_id, known[node_id]["class_type"], node_class=graph[node_id], inputs=check.inputs)
    problems += _cycles(steps)
    if problems:
        raise InvalidGraphError(problems)
    return [steps[node_id] for node_id in TopologicalSorter(parents_of(steps.values())).static_order()]


def parents_of(steps: Iterable[Step]) -> dict[str, list[str]]:
    """Each step's parents, in an order that does not change from run to run."""
    return {step.node_id: sorted(step.parents) for step in steps}


def _node_problems(node_id: str, node: Any, *, classes: Mapping[str, NodeClass]) -> list[str]:
    if not isinstance(node, dict) or not isinstance(node.get("class_type"), str):
        return [Message("node {node}: has no class_type", node=node_id)]
    if node["class_type"] not in classes:
        return [Message("node {node}: there is no node class {type!r} here", node=node_id, type=node["class_type"])]
    if not isinstance(node.get("inputs"), dict):
        return [Message("node {node} ({type}): has no inputs", node=node_id, type=node["class_type"])]
    return []


def _with_ancestors(outputs: Iterable[str], nodes: Prompt) -> list[str]:
    """The output nodes and what they link to, in the graph's own order."""
    found: set[str] = set()
    waiting = list(outputs)
    while waiting:
        node_id = waiting.pop()
        if node_id not in found and node_id in nodes:
            found.add(node_id)
            links = [as_link(value) for value in nodes[node_id]["inputs"].values()]
            waiting += [link.node_id for link in links if link]
    return [node_id for node_id in nodes if node_id in found]


def _cycles(steps: Mapping[str, Step]) -> list[str]:
    try:
        # A link to a node that is missing or at problem has its own message, and adds nothing to a circle.
        TopologicalSorter(parents_of(steps.values())).prepare()
    except CycleError as error:
        return [Message("nodes {nodes} wait for each other in a circle", nodes=" -> ".join(error.args[1]))]
    return []
