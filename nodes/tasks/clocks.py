"""When a create call left, by the service's clock: this machine's own may be wrong, and may be set at any moment."""

from __future__ import annotations

import time
from dataclasses import dataclass

from .entry import Entry

DRIFT_SECONDS = 60.0
"""How far two measurements of the same span of time may be apart where no clock was set between them."""

MARGIN_SECONDS = 120.0
"""How far from its time a task may have been created to count as a call's own."""

ARRIVAL_SECONDS = 180.0
"""How long after its call began a task may have been created: the call's own time limit, and some more."""


@dataclass(frozen=True)
class Span:
    """The time in which the task of a call was created, in epoch seconds.

    `ahead` is by how many seconds the clock that this is measured by, the service's, is ahead of this machine's. `sure`
    tells that it was not another time, whatever happened to this machine's clock.
    """

    sent_at: float
    ahead: float
    sure: bool

    def holds(self, created: float) -> bool:
        """Tell whether a task may be the call's; one of unknown time, 0, may be."""
        earliest, latest = self.sent_at - MARGIN_SECONDS, self.sent_at + ARRIVAL_SECONDS + MARGIN_SECONDS
        return not created or earliest <= created <= latest

    def may_hold(self, other: Entry) -> bool:
        """Tell whether another request's call may have left in this time, by either clock."""
        times = (other.service_sent_at or other.sent_at + self.ahead, other.sent_at)
        return any(self.holds(at) for at in times)


def span_of(entry: Entry, *, ahead: float | None, left: float | None, ahead_before: float | None) -> Span:
    """Return when the task of an entry's call was created.

    Args:
        entry: has been sent.
        ahead: by how many seconds the service's clock is ahead of this machine's now, None where it does not say.
        left: when the call left by `time.monotonic`, None where that was another run.
        ahead_before: `ahead` when the request before this one was sent, None where that is not known.
    """
    if entry.service_sent_at:
        return Span(entry.service_sent_at, entry.service_sent_at - entry.sent_at, sure=True)
    if ahead is None:
        return Span(entry.sent_at, 0.0, sure=False)
    passed = time.time() - entry.sent_at
    # A machine that slept, or whose clock was set, has two opinions about the time since then.
    steady = left is not None and abs(passed - (time.monotonic() - left)) <= DRIFT_SECONDS
    unchanged = ahead_before is not None and abs(ahead - ahead_before) <= DRIFT_SECONDS
    if passed >= -DRIFT_SECONDS and (steady or unchanged):
        return Span(entry.sent_at + ahead, ahead, sure=True)
    return Span(entry.sent_at, 0.0, sure=False)
