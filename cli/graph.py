"""Runs graphs in API format the way ComfyUI does, without ComfyUI: V1 nodes only, no cache, no expansion."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from typing import Any, Literal, TypeAlias

from .calls import NodeResult, call, merge, stop
from .errors import NodeFailedError
from .plan import Step, parents_of, plan
from .schema import Link, NodeClass, Prompt, hidden_inputs

NodeState: TypeAlias = Literal["started", "finished", "failed"]
OnNode: TypeAlias = Callable[[str, NodeState], None]


@dataclass(frozen=True)
class Results:
    """What a graph gave, by node id; every node stands after the nodes it takes from.

    `outputs[node_id][index]` is the list of an output's values, one per call of the node.
    """

    outputs: Mapping[str, tuple[list[Any], ...]]
    ui: Mapping[str, Mapping[str, list[Any]]]


async def run_graph(
    prompt: Prompt,
    *,
    classes: Mapping[str, NodeClass],
    on_node: OnNode | None = None,
    extra_pnginfo: Mapping[str, Any] | None = None,
) -> Results:
    """Run the output nodes and all they need, each once.

    Async nodes that do not wait for each other overlap. When one fails, or the caller is cancelled, those still running
    are cancelled and waited for. `on_node(node_id, state)` is called as nodes start, finish and fail.

    Raises:
        InvalidGraphError: the graph has problems; nothing ran.
        NodeFailedError: a node raised; its error is the cause.
    """
    steps = await plan(prompt, classes=classes)
    hidden = {"PROMPT": prompt, "EXTRA_PNGINFO": extra_pnginfo}
    done = await _Run(steps, hidden=hidden, on_node=on_node).all()
    return Results(
        outputs={step.node_id: done[step.node_id].outputs for step in steps},
        ui={step.node_id: done[step.node_id].ui for step in steps if done[step.node_id].ui},
    )


class _Run:
    """One run of a planned graph."""

    def __init__(self, steps: Sequence[Step], *, hidden: Mapping[str, Any], on_node: OnNode | None) -> None:
        self._steps = {step.node_id: step for step in steps}
        self._hidden = hidden
        self._tell = on_node or (lambda _node_id, _state: None)
        self._done: dict[str, NodeResult] = {}

    async def all(self) -> Mapping[str, NodeResult]:
        """Run every step as soon as its parents are done."""
        order = TopologicalSorter(parents_of(self._steps.values()))
        order.prepare()
        running: dict[asyncio.Task[NodeResult], str] = {}
        try:
            while order.is_active():
                for node_id in sorted(order.get_ready(), key=self._is_sync):
                    running[asyncio.create_task(self._run(self._steps[node_id]))] = node_id
                finished, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                for task in finished:
                    self._done[running[task]] = task.result()
                    order.done(running.pop(task))
        except BaseException as error:
            await stop(running, reported=error)
            raise
        return self._done

    def _is_sync(self, node_id: str) -> bool:
        """Sorts coroutines first: they get under way before a sync node holds the loop."""
        node_class = self._steps[node_id].node_class
        return not inspect.iscoroutinefunction(getattr(node_class, node_class.FUNCTION))

    async def _run(self, step: Step) -> NodeResult:
        self._tell(step.node_id, "started")
        try:
            node = step.node_class()
            takes_lists = getattr(node, "INPUT_IS_LIST", False)
            returned = await call(getattr(node, node.FUNCTION), inputs=self._inputs(step), takes_lists=takes_lists)
            result = merge(returned, step.node_class)
        except Exception as error:
            self._tell(step.node_id, "failed")
            raise NodeFailedError(step.node_id, step.class_type, cause=error) from error
        self._tell(step.node_id, "finished")
        return result

    def _inputs(self, step: Step) -> dict[str, list[Any]]:
        """Every input as a list: a parent's values, or one constant."""
        values = {
            name: self._done[value.node_id].outputs[value.output] if isinstance(value, Link) else [value]
            for name, value in step.inputs.items()
        }
        hidden = hidden_inputs(step.node_class, values={**self._hidden, "UNIQUE_ID": step.node_id})
        return values | {name: [value] for name, value in hidden.items()}
