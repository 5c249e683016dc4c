"""Waiting: how long between two tries, and how long in all."""

from __future__ import annotations

import asyncio
import time

import pytest
from wanpack.wan.api.advice import service_error
from wanpack.wan.api.errors import NetworkError, UnexpectedResponse
from wanpack.wan.tasks.retry import MAX_INTERVAL, MAX_RETRY_AFTER, Clock, RetryBudget, backoff

QUICK = Clock(0.01)


def unreachable() -> NetworkError:
    return NetworkError("The host cannot be reached.", sent=False)


def refused(code: str, status: int, *, after: float | None = None):
    error = service_error(code=code, message="", http_status=status)
    error.retry_after = after
    return error


class TestBackoff:
    @pytest.mark.parametrize(("tries", "longest"), [(1, 1), (2, 2), (3, 4), (5, 16), (6, 30), (10_000, 30)])
    def test_it_doubles_up_to_a_cap_and_is_spread_by_chance(self, tries, longest):
        drawn = [backoff(tries) for _ in range(200)]
        assert all(longest / 2 <= seconds <= longest <= MAX_INTERVAL for seconds in drawn)
        assert len(set(drawn)) > 100

    @pytest.mark.parametrize(("asked", "waited"), [(0, 0), (7, 7), (120, 120), (1e9, MAX_RETRY_AFTER), (-5, 0)])
    def test_what_the_service_asks_for_is_obeyed_within_reason(self, asked, waited):
        assert backoff(1, retry_after=asked) == waited


class TestPause:
    def test_it_tells_every_second_how_many_are_left(self, jumping):
        reported = []
        jumping.run_jumping(Clock(monotonic=jumping.time).sleep_with_countdown(3.5, reported.append))
        assert jumping.time() == 3.5
        assert reported == [3.5, 2.5, 1.5, 0.5]

    def test_no_time_is_no_pause(self):
        reported = []
        asyncio.run(QUICK.sleep_with_countdown(0, reported.append))
        asyncio.run(QUICK.sleep_with_countdown(-5, reported.append))
        assert reported == []

    def test_a_second_is_a_second(self):
        began = time.monotonic()
        asyncio.run(Clock().sleep_with_countdown(0.3, lambda left: None))
        assert time.monotonic() - began >= 0.3


class TestPatience:
    @pytest.fixture
    def clock(self, jumping):
        return Clock(monotonic=jumping.time)

    @pytest.fixture
    def wait_or_raise(self, jumping):
        def wait_or_raise(retries, error):
            reported = []
            jumping.run_jumping(retries.wait_or_raise(error, reported.append))
            return reported

        return wait_or_raise

    @pytest.mark.parametrize(
        "error",
        [
            unreachable(),
            UnexpectedResponse("?", http_status=502),
            refused("Throttling", 429),
            refused("InternalError", 500),
        ],
        ids=lambda error: type(error).__name__,
    )
    def test_what_may_pass_is_waited_out_and_reported(self, error, clock, wait_or_raise):
        (first, *_) = wait_or_raise(RetryBudget(clock), error)
        assert "Retrying in" in first

    @pytest.mark.parametrize(
        ("code", "status"),
        [("InvalidApiKey", 401), ("AccessDenied", 403), ("Arrearage", 400), ("DataInspectionFailed", 400)],
    )
    def test_what_only_the_user_can_mend_is_not(self, code, status, clock, wait_or_raise):
        error = refused(code, status)
        with pytest.raises(type(error)):
            wait_or_raise(RetryBudget(clock), error)

    def test_what_lasts_too_long_is_raised(self, clock, wait_or_raise):
        retries = RetryBudget(clock, seconds=10)
        tries = 0
        with pytest.raises(NetworkError):
            while tries < 100:
                tries += 1
                wait_or_raise(retries, unreachable())
        assert 4 <= tries <= 8

    def test_a_success_begins_anew(self, clock, wait_or_raise):
        retries = RetryBudget(clock, seconds=1)
        for _ in range(10):
            wait_or_raise(retries, unreachable())
            retries.reset()

    def test_the_service_may_say_how_long(self, clock, wait_or_raise):
        began = clock.now()
        wait_or_raise(RetryBudget(clock), refused("Throttling", 429, after=20))
        assert clock.now() - began >= 20
