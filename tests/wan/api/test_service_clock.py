"""The service's time, as its responses tell it."""

from __future__ import annotations

import pytest
from wanpack.wan.api import client
from wanpack.wan.api.client import ServiceClock


@pytest.fixture
def machine(monkeypatch):
    """This machine's two clocks, which go as they are set: seconds by name."""
    times = {"time": 5000.0, "monotonic": 100.0}
    for each in list(times):
        monkeypatch.setattr(client.time, each, lambda each=each: times[each])

    def pass_by(*, time: float, monotonic: float):
        times["time"] += time
        times["monotonic"] += monotonic

    return pass_by


def test_it_is_unknown_until_a_response_tells_it(machine):
    service = ServiceClock()
    service.observe(0.0)
    assert service.now() == 0.0


def test_it_goes_on_from_the_last_response(machine):
    service = ServiceClock()
    service.observe(90_000.0)
    machine(time=20, monotonic=20)
    assert service.now() == 90_020.0
    service.observe(90_021.0)
    assert service.now() == 90_021.0


@pytest.mark.parametrize("passed", [{"time": 3600, "monotonic": 5}, {"time": -3600, "monotonic": 5}])
def test_a_machine_that_slept_or_whose_clock_was_set_asks_again(machine, passed):
    service = ServiceClock()
    service.observe(90_000.0)
    machine(**passed)
    assert service.now() == 0.0


def test_an_old_response_no_longer_counts(machine):
    service = ServiceClock()
    service.observe(90_000.0)
    machine(time=120, monotonic=120)
    assert service.now() == 0.0
