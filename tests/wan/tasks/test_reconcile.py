"""Whose a task is, where nobody saw the response: no request is paid twice, and nobody gets another's video."""

from __future__ import annotations

from dataclasses import replace

import pytest
from mock_faults import ErrorResponse, HtmlPage, JsonBody, ListEmpty, ListLag, UnknownStatus
from mock_faults import ResetAfterActing as LostResponse
from mock_faults import ResetBeforeActing as NeverCame
from mock_server import ALWAYS
from wanpack.offline.failures import TaskFailure
from wanpack.wan.api.errors import OutcomeUnknown, TaskUnknown
from wanpack.wan.api.request import earlier_fingerprints, expected_prompt
from wanpack.wan.api.task import Task, TaskStatus, prompt_differs
from wanpack.wan.catalog.fields import VideoRequest
from wanpack.wan.tasks import submit
from wanpack.wan.tasks.reconcile import RESPONSE_LOST_SECONDS
from wanpack.wan.tasks.retry import Clock

pytestmark = pytest.mark.engines

PROMPTLESS = {"": {"prompt": ""}, "effect": {"template": "flying"}}


def telling(prompt: str) -> Task:
    return Task("t", TaskStatus.SUCCEEDED, orig_prompt=prompt)


@pytest.mark.parametrize(
    ("reported", "asked"),
    [
        ("a cat", "a cat"),
        ("", "a cat"),
        ("a cat", ""),
        ("a cat runs.", "  A cat\r\nruns!  "),
        ("一只猫在草地上奔跑", "一只猫，在草地上奔跑。"),
        ("\uff21 cat", "A cat"),
        ("word " * 160, "word " * 300),
        ("😀", "😃"),
    ],
)
def test_a_task_may_be_ours_where_it_tells_our_prompt_or_none(reported, asked):
    assert not prompt_differs(telling(reported), asked)


@pytest.mark.parametrize(
    ("reported", "asked"),
    [("a dog", "a cat"), ("a cat", "a cat runs"), ("a cat runs", "a cat"), ("word " * 300, "word " * 160)],
)
def test_a_task_with_another_prompt_is_anothers(reported, asked):
    assert prompt_differs(telling(reported), asked)


def test_an_effect_has_no_prompt():
    asked = VideoRequest(model="wanx2.1-i2v-turbo", resolution="480P", duration=3, prompt="a cat", template="flying")
    assert expected_prompt(asked) is None
    assert expected_prompt(replace(asked, template="")) == "a cat"


@pytest.fixture
def used(bench):
    """A bench whose user has made a video before: the list can prove something."""
    return bench.make_used()


def asked(bench, *, other: bool = False, home: str = "", **changes):
    """A batch of the same model, with another image where it is another's."""
    batch = bench.batch(home=bench.folder / home) if home else bench.batch()
    if other:
        batch = replace(batch, images=1 - batch.images)
    return replace(batch, request=replace(batch.request, **changes))


def lose(bench, fault=None):
    bench.server.faults.add(on="create", fault=fault or LostResponse())


class TestAnothersTask:
    """Another machine of the account, with a ledger of its own, makes a video in the same minutes."""

    @pytest.mark.parametrize("changes", [{}, *PROMPTLESS.values()], ids=["prompt", "no prompt", "effect"])
    def test_of_another_image_it_is_not_adopted_by_a_call_that_never_came(self, used, changes):
        theirs = used.run(asked(used, other=True, home="theirs", **changes))
        lose(used, NeverCame())
        own = used.run(asked(used, **changes))
        assert own.task_id != theirs.task_id
        assert used.created == 3

    @pytest.mark.parametrize("changes", [{}, *PROMPTLESS.values()], ids=["prompt", "no prompt", "effect"])
    def test_the_own_task_is_found_beside_it(self, used, changes):
        theirs = used.run(asked(used, other=True, home="theirs", **changes))
        lose(used)
        own = used.run(asked(used, **changes))
        assert own.task_id != theirs.task_id
        assert own.task_id == used.server.tasks[-1].id
        assert own.receipt["resumed"] is True
        assert used.created == 3

    def test_of_the_same_image_and_prompt_neither_is_taken(self, used):
        """Two tasks that differ in nothing but the seed."""
        theirs = used.run(asked(used, home="theirs", seed=7))
        lose(used)
        with pytest.raises(OutcomeUnknown) as caught:
            used.run()
        assert theirs.task_id in str(caught.value)
        assert used.server.tasks[-1].id in str(caught.value)
        assert used.created == 3

    def test_while_it_is_rendered_it_is_waited_for(self, used, new_watch):
        theirs = used.foreign_task()
        lose(used, NeverCame())
        watch = new_watch(at={"waiting for the video of": lambda: setattr(theirs, "frozen_in", None)})
        own = used.run(watch=watch)
        assert own.task_id != theirs.id
        assert used.created == 3

    def test_one_that_fails_while_it_is_waited_for_is_given_up(self, used, new_watch):
        theirs = used.foreign_task()

        def fail():
            theirs.state, theirs.failure = "FAILED", TaskFailure("InternalError.Algo", "inference internal error.")

        lose(used, NeverCame())
        own = used.run(watch=new_watch(at={"waiting for the video of": fail}))
        assert own.task_id != theirs.id
        assert used.created == 3

    def test_nothing_of_its_video_gets_into_the_own_one(self, used, new_watch, interrupted):
        """Stop is pressed while the foreign task's video is downloaded to be compared."""
        theirs = used.run(replace(asked(used, other=True, home="theirs"), filename_prefix="theirs/video"))
        lose(used, NeverCame())
        with pytest.raises(interrupted):
            used.run(watch=new_watch(stop_at="downloading"))
        own = used.run()
        assert own.task_id != theirs.task_id
        assert own.path.read_bytes() != theirs.path.read_bytes()
        assert used.strays == []

    @pytest.mark.slow
    def test_a_task_that_was_taken_by_an_earlier_version_is_proven_first(self, used, new_watch):
        """Earlier versions took the one task of those minutes before it could tell whose it is."""
        theirs = used.run(asked(used, other=True, home="theirs"))
        lose(used, NeverCame())
        used.server.faults.add(on="list", fault=HtmlPage(), times=ALWAYS)
        with pytest.raises(OutcomeUnknown):
            used.run()
        used.server.faults.clear()
        ledger = used.ledger()
        record = ledger.find(state="uncertain")[0]
        ledger.save(replace(record, state="submitted", task_id=theirs.task_id, subject=""))
        ledger.close()
        assert used.run().task_id != theirs.task_id

    def test_it_is_not_cancelled_by_stop(self, used, new_watch, interrupted):
        theirs = used.foreign_task(stuck="PENDING")
        lose(used, NeverCame())
        used.clock = Clock(0.01)
        watch = new_watch(stop_at="waiting for the video")
        with pytest.raises(interrupted):
            used.run(watch=watch)
        assert theirs.state == "PENDING"
        assert "whether a task was created is unknown" in watch.texts[-1]


class TestTheList:
    @pytest.mark.parametrize("seconds", [45, 165])
    def test_a_task_that_it_shows_late_is_found(self, used, seconds, new_watch):
        lose(used)
        used.server.faults.add(on="list", fault=ListLag(seconds), times=ALWAYS)
        watch = new_watch()
        assert used.run(watch=watch).receipt["resumed"] is True
        assert used.created == 2
        assert any(f"of {RESPONSE_LOST_SECONDS:.0f} s" in text for text in watch.texts)

    def test_one_that_shows_nothing_at_all_proves_nothing(self, used):
        lose(used)
        used.server.faults.add(on="list", fault=ListEmpty(), times=ALWAYS)
        for _ in range(2):
            with pytest.raises(OutcomeUnknown, match="lacks your other tasks"):
                used.run()
        used.server.faults.clear()
        assert used.run().receipt["resumed"] is True
        assert used.created == 2

    def test_the_first_request_of_an_account_stays_unknown_until_it_shows_another(self, bench):
        lose(bench, NeverCame())
        with pytest.raises(OutcomeUnknown, match="change the seed"):
            bench.run()
        with pytest.raises(OutcomeUnknown):
            bench.run()
        bench.run(bench.batch(prompt="a horse"))
        assert bench.run().receipt["resumed"] is True
        assert bench.created == 2

    @pytest.mark.slow
    def test_another_accounts_task_proves_nothing(self, used, bare_environment):
        """The request was lost under the one key, and the list is that of the other's account."""
        lose(used, NeverCame())
        used.server.faults.add(on="list", fault=HtmlPage(), times=ALWAYS)
        with pytest.raises(OutcomeUnknown):
            used.run()
        used.server.faults.clear()
        used.rotate_key("sk-another-1234567890")
        theirs = used.run(asked(used, prompt="a dog"))
        row = {"task_id": theirs.task_id, "status": "SUCCEEDED", "model_name": "wanx2.1-i2v-turbo"}
        used.server.faults.add(on="list", fault=JsonBody({"data": [row], "total_page": 1}), times=ALWAYS)
        with pytest.raises(OutcomeUnknown, match="lacks your other tasks"):
            used.run()
        assert used.created == 2

    @pytest.mark.parametrize(
        ("status", "code"), [(500, "InternalError"), (503, "ServiceUnavailable"), (504, "ModelServingError")]
    )
    def test_is_looked_at_for_half_a_minute_before_a_server_error_is_sent_again(self, used, status, code):
        used.server.faults.add(on="create", fault=ErrorResponse(status, code))
        used.run()
        sent = [call.at for call in used.server.received if call.on == "create"][-2:]
        assert sent[1] - sent[0] >= 30
        assert used.calls["list"] >= 3
        assert used.created == 2


class TestTheKey:
    def test_a_rotated_key_goes_on_with_the_task(self, bench):
        bench.server.faults.add(on="query", fault=ErrorResponse(401, "InvalidApiKey", "No."), times=ALWAYS, after=1)
        with pytest.raises(Exception, match="the same graph again"):
            bench.run()
        bench.server.faults.clear()
        bench.rotate_key("sk-rotated-1234567890")
        first = bench.run()
        assert first.receipt["resumed"] is True
        bench.rotate_key("sk-rotated-once-more-1234567890")
        assert bench.run().receipt["reused"] is True
        assert bench.created == 1

    def test_the_key_of_another_account_does_not_pay_again(self, bench):

        bench.server.faults.add(on="query", fault=ErrorResponse(401, "InvalidApiKey", "No."), times=ALWAYS, after=1)
        with pytest.raises(Exception, match="the same graph again"):
            bench.run()
        bench.server.faults.clear()
        bench.rotate_key("sk-another-1234567890")
        bench.server.faults.add(on="query", fault=UnknownStatus(), times=ALWAYS)
        with pytest.raises(TaskUnknown, match="another API key") as caught:
            bench.run()
        assert "Restore that key" in str(caught.value)
        assert bench.created == 1

    def test_a_lost_response_of_the_old_key_is_found_with_the_new_one(self, used):
        lose(used)
        used.server.faults.add(on="list", fault=ErrorResponse(401, "InvalidApiKey", "No."), times=ALWAYS)
        with pytest.raises(OutcomeUnknown):
            used.run()
        used.server.faults.clear()
        used.rotate_key("sk-rotated-1234567890")
        assert used.run().receipt["resumed"] is True
        assert used.created == 2


class TestTheClock:
    """A process whose clock is wrong by 30 hours loses a response; the next one's clock is right."""

    @pytest.mark.slow
    @pytest.mark.parametrize(("hours", "fault"), [(-30, LostResponse), (30, NeverCame)])
    def test_decides_nothing(self, used, driver, new_graph, fault, hours):
        lose(used, fault())
        used.server.faults.add(on="list", fault=HtmlPage(), times=ALWAYS)
        graph = new_graph(used.folder / "graphs", "a cat")
        where = {"home": used.home, "output": used.output, "scale": 0.002}
        first = driver.start(graph, **where, clock=hours * 3600.0).wait()
        assert first.status == 1
        assert "cannot be read" in first.err
        used.server.faults.clear()
        second = driver.start(graph, **where).wait()
        assert second.status == 0, second.err
        assert used.created == 2


class TestASavedVideo:
    def forget(self, bench):

        bench.server.faults.add(on="query", fault=UnknownStatus(), times=ALWAYS)

    def test_that_was_moved_is_fetched_again_while_the_service_has_it(self, bench):
        first = bench.run()
        first.path.rename(bench.folder / "moved.mp4")
        assert bench.run().path.exists()
        assert bench.created == 1

    def test_that_was_moved_and_forgotten_is_not_paid_again(self, bench):

        first = bench.run()
        moved = first.path.rename(bench.folder / "moved.mp4")
        self.forget(bench)
        for _ in range(2):
            with pytest.raises(TaskUnknown, match="that file is missing") as caught:
                bench.run()
            assert str(first.path) in str(caught.value)
            assert "change the seed" in str(caught.value)
        moved.rename(first.path)
        assert bench.run().receipt["reused"] is True
        assert bench.created == 1

    def test_is_known_however_old_its_record_is(self, bench):
        first = bench.run()
        ledger = bench.ledger()
        record = ledger.by_task(first.task_id)
        ledger.save(replace(record, created_at=record.created_at - 400 * 86400.0))
        ledger.close()
        bench.restart()
        assert bench.run().receipt["reused"] is True
        assert bench.created == 1

    def test_of_an_earlier_version_is_known_whatever_key_made_it(self, bench):
        """Their fingerprints had the account in them, and the duration where the model has only one."""
        bodies = []
        with pytest.MonkeyPatch.context() as patch:
            made = submit.fingerprint
            patch.setattr(
                submit, "fingerprint", lambda body, *, region: bodies.append(body) or made(body, region=region)
            )
            first = bench.run()
        ledger = bench.ledger()
        record = ledger.by_task(first.task_id)
        for old in earlier_fingerprints(bodies[0], region="beijing", account="a former key", duration=3):
            ledger.save(replace(record, fingerprint=old, account="a former key"))
            assert bench.run().receipt["reused"] is True
        ledger.close()
        assert bench.created == 1
