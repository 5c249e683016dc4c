"""How one node is called, and what its responses become."""

import asyncio

import pytest

from cli.calls import call, merge
from cli.errors import StandaloneError


class One:
    RETURN_TYPES = ("*",)


def test_a_failing_item_stops_the_other_items_of_its_node():
    cleaned = []

    async def work(value):
        if value == 2:
            raise ValueError("item two")
        try:
            await asyncio.sleep(60)
        finally:
            cleaned.append(value)

    with pytest.raises(ValueError, match="item two"):
        asyncio.run(call(work, inputs={"value": [1, 2, 3]}, takes_lists=False))
    assert cleaned == [1, 3]


def test_a_function_without_inputs_is_called_once():
    assert asyncio.run(call(lambda: "called", inputs={}, takes_lists=False)) == ["called"]


def test_what_the_calls_show_is_joined():
    result = merge([{"ui": {"text": ["a"]}, "result": (1,)}, {"ui": {"text": ["b"]}, "result": (2,)}], One)
    assert result.ui == {"text": ["a", "b"]}
    assert result.outputs == ([1, 2],)


@pytest.mark.parametrize(
    ("returned", "reported"),
    [
        (None, "it returned NoneType where its class declares 1 outputs"),
        ((), "it returned 0 outputs where its class declares 1 outputs"),
        ({"expand": {}}, "only run in ComfyUI"),
    ],
)
def test_a_return_value_that_does_not_fit_the_class_is_reported(returned, reported):
    with pytest.raises(StandaloneError, match=reported):
        merge([returned], One)
