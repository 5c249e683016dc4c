"""Which task is a lost request's own where its video begins with no image: the prompt decides, or nothing does."""

from __future__ import annotations

import contextlib
import time
from dataclasses import replace

import pytest
from wanpack.wan.api.errors import OutcomeUnknown, ServiceError
from wanpack.wan.api.settings import read_settings
from wanpack.wan.catalog.fields import VideoRequest
from wanpack.wan.ledger.ledger import Ledger
from wanpack.wan.redaction import Secret
from wanpack.wan.tasks.attachments import Attachments
from wanpack.wan.tasks.batch import validate_batch
from wanpack.wan.tasks.submit import PreparedRequest

TEXT, EDIT = "text_to_video", "video_edit"


@pytest.fixture
def used(bench):
    return bench.make_used()


def text(bench, **changes):
    """A batch of a text for a model that the service has for images too."""
    asked = {"model": "wan3.0-video", "resolution": "480P", "duration": 2, "prompt": "a cat", "job": TEXT, **changes}
    return replace(bench.batch(), images=None, request=VideoRequest(**asked))


def lose(bench, batch, **changes):
    """Let an earlier run have sent a batch's request, and have got no response. Returns its record."""
    plan = validate_batch(batch)
    draft = PreparedRequest(plan, 0, Attachments(plan)).prepare()
    identity = Secret(f"{bench.server.base_url}\0{bench.server.key}")
    ledger = Ledger(bench.home, url=read_settings(bench.home).ledger_url, identity=identity)
    ledger.open()
    now = bench.clock.wall() if hasattr(bench.clock, "wall") else time.time()
    sent = {"sent_at": now, "service_sent_at": now, "state": "uncertain", "account": ledger.account}
    record = replace(draft, **{**sent, **changes})
    ledger.save(record)
    ledger.close()
    return record


def theirs(bench, **more):
    """A task of the same model that another machine of the account made of an image."""
    return bench.run(bench.batch(kind="wan3.0", home=bench.folder / "theirs", **more)).task_id


@pytest.mark.parametrize("prompt", ["a cat", "A  CAT.", "ａ cat"])
def test_a_task_with_its_prompt_and_length_is_its_own(used, prompt):
    batch = text(used, prompt=prompt)
    task = theirs(used)
    lose(used, batch)
    made = used.run(batch)
    assert (made.task_id, made.receipt["resumed"]) == (task, True)


def test_a_task_with_another_prompt_is_not_taken(used):
    """It is proven that no task was created, so the request is sent again."""
    task = theirs(used, prompt="a dog")
    lose(used, text(used))
    before = used.created
    # Whether the mock server makes a video of it is no matter here.
    with contextlib.suppress(ServiceError):
        assert used.run(text(used)).task_id != task
    assert used.created == before + 1
    assert used.server.tasks[-1].body["input"] == {"prompt": "a cat"}


def test_a_video_of_another_length_proves_nothing(used):
    batch = text(used, duration=4)
    task = theirs(used)
    lose(used, batch)
    with pytest.raises(OutcomeUnknown, match=task):
        used.run(batch)


OTHERS = {
    "another seed": {"seed": 7},
    "another shape": {"ratio": "16:9"},
    "another spelling": {"prompt": "A cat."},
}


@pytest.mark.parametrize("other", OTHERS)
def test_a_task_that_may_be_another_lost_texts_is_nobodys(used, other):
    task = theirs(used)
    lose(used, text(used))
    lose(used, text(used, **OTHERS[other]))
    with pytest.raises(OutcomeUnknown, match=task):
        used.run(text(used))


def test_nor_is_one_that_may_be_a_lost_requests_of_an_image(used):
    """Its prompt is the same, so that nothing but the image tells which is which."""
    task = theirs(used)
    lose(used, text(used))
    lose(used, used.batch(kind="wan3.0"))
    with pytest.raises(OutcomeUnknown, match=task):
        used.run(text(used))


def test_one_with_another_prompt_is_no_rival(used):
    task = theirs(used)
    lose(used, text(used))
    lose(used, text(used, prompt="a dog"))
    assert used.run(text(used)).task_id == task


def test_an_empty_prompt_proves_nothing(used):
    edit = {"model": "wan2.7-videoedit", "job": EDIT, "resolution": "720P", "duration": 0, "prompt": ""}
    batch = text(used, **edit, video_url="https://example.com/a.mp4")
    task = theirs(used, prompt="")
    used.server.tasks[-1].model_name = "wan2.7-videoedit"
    lose(used, batch)
    with pytest.raises(OutcomeUnknown, match=task):
        used.run(batch)
