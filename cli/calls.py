"""Calling one node: lists in, lists out, and coroutines side by side."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .errors import StandaloneError, described
from .messages import Message
from .schema import NodeClass

log = logging.getLogger("dashscope_wan.standalone")


@dataclass(frozen=True)
class NodeResult:
    """What a node gave. `outputs` has one list per output, with an entry per call; `ui` is what it shows on itself."""

    outputs: tuple[list[Any], ...] = ()
    ui: Mapping[str, list[Any]] = field(default_factory=dict)


async def call(function: Callable[..., Any], *, inputs: Mapping[str, list[Any]], takes_lists: bool) -> list[Any]:
    """What the function returns, for every item of the input lists.

    The longest list gives the number of calls and shorter ones repeat their last item; a function that takes lists is
    called once. Coroutine functions overlap; other functions are called in turn, on the event loop.
    """
    calls = [dict(inputs)] if takes_lists else _items(inputs)
    if inspect.iscoroutinefunction(function):
        return await _overlapping([function(**arguments) for arguments in calls])
    # Coroutines that became ready together with this get under way before it holds the loop.
    await asyncio.sleep(0)
    return [function(**arguments) for arguments in calls]


def _items(inputs: Mapping[str, list[Any]]) -> list[dict[str, Any]]:
    empty = [name for name, items in inputs.items() if not items]
    if empty:
        raise StandaloneError(
            Message("the input {name!r} is an empty list, so there is nothing to run for", name=empty[0])
        )
    count = max((len(items) for items in inputs.values()), default=1)
    return [{name: items[min(index, len(items) - 1)] for name, items in inputs.items()} for index in range(count)]


async def _overlapping(coroutines: Sequence[Coroutine[Any, Any, Any]]) -> list[Any]:
    tasks = [asyncio.ensure_future(coroutine) for coroutine in coroutines]
    try:
        return list(await asyncio.gather(*tasks))
    except BaseException as error:
        await stop(tasks, reported=error)
        raise


async def stop(tasks: Collection[asyncio.Future[Any]], *, reported: BaseException | None = None) -> None:
    """Cancel tasks and wait until they have cleaned up. Their own failures, but for the one reported, are logged."""
    for task in tasks:
        task.cancel()
    for outcome in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(outcome, Exception) and outcome is not reported:
            log.warning("While stopping: %s", described(outcome))


def merge(returned: Sequence[Any], node_class: NodeClass) -> NodeResult:
    """One result from what the calls of a node returned: tuples, or dicts with "ui" and "result"."""
    values = [_outputs(value, node_class) for value in returned]
    shown = [value["ui"] for value in returned if isinstance(value, dict) and value.get("ui")]
    is_list = getattr(node_class, "OUTPUT_IS_LIST", [False] * len(node_class.RETURN_TYPES))
    columns: list[list[Any]] = []
    for index, many in enumerate(is_list):
        column = [value[index] for value in values]
        columns.append([item for items in column for item in items] if many else column)
    return NodeResult(
        outputs=tuple(columns),
        ui={key: [item for ui in shown for item in ui[key]] for key in (shown[0] if shown else {})},
    )


def _outputs(value: Any, node_class: NodeClass) -> Sequence[Any]:
    if isinstance(value, dict):
        if "expand" in value:
            raise StandaloneError(Message("nodes that expand into other nodes only run in ComfyUI"))
        value = value.get("result", ())
    wanted = len(node_class.RETURN_TYPES)
    if not isinstance(value, (tuple, list)) or len(value) < wanted:
        found = (
            Message("{count} outputs", count=len(value)) if isinstance(value, (tuple, list)) else type(value).__name__
        )
        raise StandaloneError(
            Message("it returned {found} where its class declares {count} outputs", found=found, count=wanted)
        )
    return value
