"""Values of any type as the plain Python that they stand for."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from wanpack.wan.api.settings import unquoted
from wanpack.wan.tasks.receipt import finite
from wanpack.wan.values import truth, whole

FIVES = [
    5,
    5.0,
    np.int64(5),
    np.uint8(5),
    np.float32(5),
    np.array(5),
    np.array([5.0]),
    torch.tensor(5),
    torch.tensor([5.0]),
]
TRUTHS = [True, 1, 1.0, np.bool_(True), np.int64(1), np.array(True), torch.tensor(True), torch.tensor(1)]
NEITHER = [
    "5",
    5.5,
    None,
    float("nan"),
    float("inf"),
    np.float32(0.5),
    np.array([5, 6]),
    torch.tensor([1, 2]),
    [5],
    {},
    5j,
]


@pytest.mark.parametrize("five", FIVES, ids=repr)
def test_a_whole_number_of_any_type_is_an_int(five):
    assert whole(five) == 5
    assert type(whole(five)) is int


@pytest.mark.parametrize("given", TRUTHS, ids=repr)
def test_a_truth_of_any_type_is_a_bool(given):
    assert truth(given) is True
    assert truth(given == 2) is False


@pytest.mark.parametrize("given", [*NEITHER, True, np.bool_(True)], ids=repr)
def test_what_is_no_whole_number_stays_what_it_is(given):
    assert whole(given) is given


@pytest.mark.parametrize("given", [*NEITHER, 2, -1, "true", ""], ids=repr)
def test_what_is_no_truth_stays_what_it_is(given):
    assert truth(given) is given


def test_a_large_number_keeps_every_digit():
    assert whole(np.uint64(2**64 - 1)) == 2**64 - 1
    assert whole(torch.tensor(2**62 + 1)) == 2**62 + 1


def test_json_has_null_for_what_is_no_number():
    nan = float("nan")
    assert finite({"a": [nan, (1.5, -float("inf"))], "b": "NaN", "c": {"d": nan}}) == {
        "a": [None, [1.5, None]],
        "b": "NaN",
        "c": {"d": None},
    }


def test_quotes_inside_a_setting_stay():
    assert unquoted('"it\'s"') == "it's"
    assert unquoted(" '' ") == ""
