"""How a graph runs."""

import asyncio
import logging

import pytest

from cli.errors import NodeFailedError, StandaloneError
from cli.graph import run_graph


def node(function, *, inputs=None, returns=("*",), **attributes):
    """A V1 node class around a function; `inputs` is what INPUT_TYPES returns."""
    inputs = inputs or {}
    members = {
        "INPUT_TYPES": classmethod(lambda cls: inputs),
        "RETURN_TYPES": returns,
        "FUNCTION": "work",
        "work": function,
        **attributes,
    }
    return type("FakeNode", (), members)


def one(name, *, section="required"):
    return {section: {name: ("*", {})}}


def shows(**attributes):
    """An output node that shows its input."""
    return node(
        lambda self, value: {"ui": {"value": [value]}}, inputs=one("value"), returns=(), OUTPUT_NODE=True, **attributes
    )


def give(*values, **attributes):
    return node(lambda self: values, returns=("*",) * len(values), **attributes)


def graph(**nodes):
    """`a=("Class", {inputs})` as a prompt."""
    return {node_id: {"class_type": kind, "inputs": inputs} for node_id, (kind, inputs) in nodes.items()}


def run(prompt, classes, **options):
    return asyncio.run(run_graph(prompt, classes=classes, **options))


def test_a_link_takes_the_output_it_names():
    classes = {"Two": give("first", "second"), "Show": shows()}
    results = run(graph(a=("Two", {}), b=("Show", {"value": ["a", 1]})), classes)
    assert results.ui == {"b": {"value": ["second"]}}
    assert results.outputs["a"] == (["first"], ["second"])


def test_only_output_nodes_and_their_ancestors_run_each_once():
    ran = []

    def work(self, unique_id):
        ran.append(unique_id)
        return (unique_id,)

    source = node(work, inputs={"hidden": {"unique_id": "UNIQUE_ID"}})
    prompt = graph(
        shared=("Source", {}),
        unused=("Source", {}),
        b=("Show", {"value": ["shared", 0]}),
        c=("Show", {"value": ["shared", 0]}),
    )
    results = run(prompt, {"Source": source, "Show": shows()})
    assert ran == ["shared"]
    assert list(results.outputs) == ["shared", "b", "c"]


def test_results_are_in_the_order_of_the_links():
    step = node(lambda self, value: (value + 1,), inputs=one("value"))
    prompt = graph(
        last=("Show", {"value": ["second", 0]}), second=("Step", {"value": ["first", 0]}), first=("Give", {})
    )
    results = run(prompt, {"Give": give(1), "Step": step, "Show": shows()})
    assert list(results.outputs) == ["first", "second", "last"]
    assert results.ui["last"] == {"value": [2]}


def test_a_list_output_runs_the_next_node_once_per_item():
    prompt = graph(a=("Many", {}), b=("Show", {"value": ["a", 0]}))
    results = run(prompt, {"Many": give([1, 2, 3], OUTPUT_IS_LIST=(True,)), "Show": shows()})
    assert results.ui["b"] == {"value": [1, 2, 3]}


def test_lists_that_are_outputs_of_mapped_calls_are_joined():
    twice = node(lambda self, value: ([value, value], value), inputs=one("value"), returns=("*", "*"))
    twice.OUTPUT_IS_LIST = (True, False)
    prompt = graph(a=("Many", {}), b=("Twice", {"value": ["a", 0]}), c=("Show", {"value": ["b", 0]}))
    results = run(prompt, {"Many": give([1, 2], OUTPUT_IS_LIST=(True,)), "Twice": twice, "Show": shows()})
    assert results.outputs["b"] == ([1, 1, 2, 2], [1, 2])


def test_shorter_lists_repeat_their_last_item():
    pair = node(lambda self, x, y: ((x, y),), inputs={"required": {"x": ("*",), "y": ("*",)}})
    many = give([1, 2, 3], ["p", "q"], OUTPUT_IS_LIST=(True, True))
    prompt = graph(a=("Many", {}), b=("Pair", {"x": ["a", 0], "y": ["a", 1]}), c=("Show", {"value": ["b", 0]}))
    results = run(prompt, {"Many": many, "Pair": pair, "Show": shows()})
    assert results.ui["c"] == {"value": [(1, "p"), (2, "q"), (3, "q")]}


def test_a_node_that_takes_lists_gets_them_whole():
    total = node(lambda self, value, factor: (sum(value) * factor[0],), INPUT_IS_LIST=True)
    total.INPUT_TYPES = classmethod(lambda cls: {"required": {"value": ("*",), "factor": ("INT", {})}})
    prompt = graph(a=("Many", {}), b=("Total", {"value": ["a", 0], "factor": 10}), c=("Show", {"value": ["b", 0]}))
    results = run(prompt, {"Many": give([1, 2, 3], OUTPUT_IS_LIST=(True,)), "Total": total, "Show": shows()})
    assert results.ui["c"] == {"value": [60]}


def test_an_empty_list_fails_the_node_that_would_run_for_its_items():
    prompt = graph(a=("Many", {}), b=("Show", {"value": ["a", 0]}))
    with pytest.raises(NodeFailedError, match=r"Node b \(Show\) failed:\n.*'value' is an empty list"):
        run(prompt, {"Many": give([], OUTPUT_IS_LIST=(True,)), "Show": shows()})


def test_ui_and_result_can_be_returned_together():
    both = node(lambda self: {"ui": {"text": ["shown"]}, "result": ("given",)}, OUTPUT_NODE=True)
    results = run(graph(a=("Both", {})), {"Both": both})
    assert results.ui == {"a": {"text": ["shown"]}}
    assert results.outputs["a"] == (["given"],)


def test_missing_optional_inputs_are_left_to_the_function():
    inputs = {"optional": {"value": ("INT", {"default": 7})}}
    alone = node(lambda self, value="its own": (value,), inputs=inputs, OUTPUT_NODE=True)
    assert run(graph(a=("Alone", {})), {"Alone": alone}).outputs["a"] == (["its own"],)


def test_hidden_inputs_are_filled_in():
    asked = {"me": "UNIQUE_ID", "all": "PROMPT", "png": "EXTRA_PNGINFO"}
    alone = node(lambda self, **hidden: (hidden,), inputs={"hidden": asked}, OUTPUT_NODE=True)
    prompt = graph(a=("Alone", {}))
    results = run(prompt, {"Alone": alone}, extra_pnginfo={"workflow": {}})
    assert results.outputs["a"] == ([{"me": "a", "all": prompt, "png": {"workflow": {}}}],)


def meeting(size):
    """Waits until this many have come: calls made in turn would never get past it."""
    come = {}

    async def meet(who):
        come[who] = asyncio.Event()
        if len(come) == size:
            for event in come.values():
                event.set()
        await asyncio.wait_for(come[who].wait(), timeout=60)

    return meet


def test_independent_async_nodes_overlap():
    meet = meeting(2)

    async def work(self):
        await meet(self)
        return ()

    waits = node(work, returns=(), OUTPUT_NODE=True)
    run(graph(a=("Waits", {}), b=("Waits", {})), {"Waits": waits})


def test_a_sync_node_waits_until_coroutines_are_under_way():
    order, ran = [], asyncio.Event()

    async def slow(self):
        order.append("async started")
        await asyncio.wait_for(ran.wait(), timeout=60)
        order.append("async done")
        return ()

    def sync(self):
        order.append("sync")
        ran.set()
        return ()

    classes = {"Sync": node(sync, returns=(), OUTPUT_NODE=True), "Async": node(slow, returns=(), OUTPUT_NODE=True)}
    run(graph(a=("Sync", {}), b=("Async", {})), classes)
    assert order == ["async started", "sync", "async done"]


def test_async_calls_for_the_items_of_a_list_overlap():
    meet = meeting(3)

    async def work(self, value):
        await meet(value)
        return (value * 10,)

    waits = node(work, inputs=one("value"), OUTPUT_NODE=True)
    prompt = graph(a=("Many", {}), b=("Waits", {"value": ["a", 0]}))
    results = run(prompt, {"Many": give([1, 2, 3], OUTPUT_IS_LIST=(True,)), "Waits": waits})
    assert results.outputs["b"] == ([10, 20, 30],)


def cleaning(cleaned, *, name):
    async def work(self):
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            await asyncio.sleep(0.01)
            cleaned.append(name)
            raise

    return node(work, returns=(), OUTPUT_NODE=True)


def failing(error):
    async def work(self):
        await asyncio.sleep(0)
        raise error

    return node(work, returns=(), OUTPUT_NODE=True)


def test_a_failure_names_the_node_and_the_others_clean_up_first():
    cleaned = []
    classes = {"Fails": failing(StandaloneError("no video")), "Long": cleaning(cleaned, name="long")}
    with pytest.raises(NodeFailedError) as caught:
        run(graph(a=("Long", {}), b=("Fails", {})), classes)
    assert str(caught.value) == "Node b (Fails) failed:\nno video"
    assert (caught.value.node_id, caught.value.class_type) == ("b", "Fails")
    assert isinstance(caught.value.__cause__, StandaloneError)
    assert cleaned == ["long"]


def test_an_error_whose_text_says_little_is_shown_with_its_kind():
    with pytest.raises(NodeFailedError, match="KeyError: 'fps'"):
        run(graph(a=("Fails", {})), {"Fails": failing(KeyError("fps"))})


def test_a_failure_during_clean_up_is_logged_and_hides_nothing(caplog):
    async def work(self):
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            raise StandaloneError("task-7 is still being paid") from None

    classes = {"Fails": failing(ValueError("first")), "Long": node(work, returns=(), OUTPUT_NODE=True)}
    with caplog.at_level(logging.WARNING), pytest.raises(NodeFailedError, match="first"):
        run(graph(a=("Long", {}), b=("Fails", {})), classes)
    assert "task-7 is still being paid" in caplog.text
    assert "first" not in caplog.text


def test_cancelling_the_run_cancels_the_nodes_and_waits_for_them():
    cleaned = []

    async def cancelled():
        prompt = graph(a=("One", {}), b=("Two", {}))
        classes = {"One": cleaning(cleaned, name="one"), "Two": cleaning(cleaned, name="two")}
        task = asyncio.create_task(run_graph(prompt, classes=classes))
        await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return sorted(cleaned)

    assert asyncio.run(cancelled()) == ["one", "two"]


def test_nothing_starts_after_a_failure():
    ran = []

    def work(self, value):
        ran.append(value)
        return ()

    after = node(work, inputs=one("value"), returns=(), OUTPUT_NODE=True)
    prompt = graph(a=("Give", {}), b=("Fails", {}), c=("After", {"value": ["b", 0]}))
    fails = failing(ValueError("no"))
    fails.RETURN_TYPES = ("*",)
    with pytest.raises(NodeFailedError):
        run(prompt, {"Give": give(1), "Fails": fails, "After": after})
    assert ran == []


def test_states_are_reported_as_they_come():
    reported = []

    def work(self, value):
        raise ValueError("no")

    fails = node(work, inputs=one("value"), OUTPUT_NODE=True)
    prompt = graph(a=("Give", {}), b=("Fails", {"value": ["a", 0]}))
    with pytest.raises(NodeFailedError):
        run(prompt, {"Give": give(1), "Fails": fails}, on_node=lambda *event: reported.append(event))
    assert reported == [("a", "started"), ("a", "finished"), ("b", "started"), ("b", "failed")]
