"""A list of prompts: one for each image of a batch."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from media import plain_images
from wanpack.nodes.image_to_video import DashScopeWanImageToVideo
from wanpack.offline.tasks import Timing
from wanpack.wan.api.errors import AuthenticationError
from wanpack.wan.errors import InvalidRequest
from wanpack.wan.tasks.runner import PartialFailure

SETTINGS = {"model": ["wanx2.1-i2v-turbo"], "resolution": ["480P"], "duration": [3], "seed": [5]}
THREE = ["a cat", "a dog", "a bird"]


@pytest.fixture
def server(serve, quick, comfy):
    return serve("beijing")


def generate(image, prompt, **more):
    """Call the node as ComfyUI calls one with INPUT_IS_LIST."""
    result = asyncio.run(DashScopeWanImageToVideo().generate(image=image, prompt=prompt, **{**SETTINGS, **more}))
    return [json.loads(receipt) for receipt in result["result"][3]], result["ui"]["images"]


def test_each_image_of_a_batch_has_its_prompt(server):
    receipts, shown = generate([plain_images(3)], THREE)
    assert [(one["prompt"], one["seed"]) for one in receipts] == [("a cat", 5), ("a dog", 6), ("a bird", 7)]
    assert len(shown) == 3


def test_one_prompt_is_for_all_images(server):
    receipts, _ = generate([plain_images(2)], ["a cat"])
    assert [one["prompt"] for one in receipts] == ["a cat", "a cat"]


@pytest.mark.parametrize("count", [2, 4])
def test_another_number_of_prompts_is_a_problem_and_nothing_is_sent(server, count):
    with pytest.raises(InvalidRequest) as caught:
        generate([plain_images(3)], ["a cat"] * count)
    assert list(caught.value.problems) == [
        f"prompt: a list of {count} texts for 3 images; pass one text for all images, or one per image"
    ]


def test_what_is_wrong_with_any_of_them_is_told(server):
    with pytest.raises(InvalidRequest) as caught:
        generate([plain_images(2)], ["a cat", "x" * 20_001])
    assert list(caught.value.problems) == ["prompt: 20001 characters are too many; use at most 20000"]


def test_lists_of_other_inputs_call_the_node_once_for_each_entry(server):
    receipts, shown = generate([plain_images(1), plain_images(1)], ["a cat", "a dog"], seed=[1, 2])
    assert [(one["prompt"], one["seed"]) for one in receipts] == [("a cat", 1), ("a dog", 2)]
    assert len(shown) == 2


def test_prompts_for_one_image_make_a_video_each(server):
    receipts, _ = generate([plain_images(1)], THREE)
    assert [one["prompt"] for one in receipts] == THREE


def test_stop_is_for_all_calls_though_comfyui_tells_only_one(serve, comfy):
    server = serve("beijing", timing=Timing(queued=60))
    comfy.stop_at = "queued"
    with pytest.raises(comfy.interruption):
        generate([plain_images(1)], ["a cat", "a dog", "a bird"], unique_id=["7"])
    assert {task.state for task in server.tasks} <= {"CANCELED"}


def test_the_owners_limit_for_a_run_is_for_all_calls(server, bare_environment):
    bare_environment.setenv("DASHSCOPE_WAN_LIMIT_PER_RUN", "1.5 CNY")
    with pytest.raises(PartialFailure, match=r"CNY 1\.44 of 1\.50 are spent by it already"):
        generate([plain_images(1)], THREE)
    assert len(server.tasks) == 2
    # Those are saved; what is left is within the limit.
    receipts, _ = generate([plain_images(1)], THREE)
    assert sum(one["reused"] for one in receipts) == 2


def test_the_owners_limit_for_a_run_is_for_the_batches_of_all_calls(server, bare_environment):
    bare_environment.setenv("DASHSCOPE_WAN_LIMIT_PER_RUN", "2 CNY")
    with pytest.raises(PartialFailure, match=r"CNY 1\.44 of 2\.00 are spent by it already"):
        generate([plain_images(2), plain_images(2)], ["a cat", "a dog"])
    assert len(server.tasks) == 2
    # What is saved costs nothing, and the other half is within the limit.
    receipts, _ = generate([plain_images(2), plain_images(2)], ["a cat", "a dog"])
    assert sum(one["reused"] for one in receipts) == 2


def test_of_several_calls_one_failure_leaves_the_others_to_their_end(server, comfy):
    with pytest.raises(PartialFailure) as caught:
        generate([plain_images(1)], ["a cat", "a dog"], duration=[3, 99])
    receipts, _ = generate([plain_images(1)], ["a cat"], duration=[3])
    assert receipts[0]["reused"]
    head, failed, saved, hint = str(caught.value).splitlines()
    assert head == "1 of 2 entries of the list failed."
    assert failed == "- entry 2: duration: 99 is not supported by wanx2.1-i2v-turbo; choose 3, 4 or 5"
    assert Path(saved.removeprefix("Saved: ")).is_file()
    assert hint == "Run the same graph again: saved videos are not charged again."


def test_an_entry_with_several_problems_is_one_line(server):
    with pytest.raises(PartialFailure) as caught:
        generate([plain_images(1)], ["a cat", "a dog"], duration=[3, 99], seed=[5, -1])
    line = str(caught.value).splitlines()[1]
    assert line.startswith("- entry 2: seed: -1 is not supported; choose 0 to ")
    assert line.endswith("; duration: 99 is not supported by wanx2.1-i2v-turbo; choose 3, 4 or 5")


def test_what_fails_for_all_entries_alike_is_told_once(server, bare_environment):
    bare_environment.setenv("DASHSCOPE_API_KEY", "sk-not-the-servers-key")
    with pytest.raises(AuthenticationError) as caught:
        generate([plain_images(1)], THREE)
    assert "entries" not in str(caught.value)


def test_several_calls_that_all_fail_before_paying_say_so_once(server):
    with pytest.raises(InvalidRequest) as caught:
        generate([plain_images(1)], THREE, duration=[6, 99, 6])
    assert [problem.partition(" is")[0] for problem in caught.value.problems] == ["duration: 6", "duration: 99"]
    assert str(caught.value).endswith("Nothing was submitted; nothing was charged.")
    assert server.tasks == []
