"""The budget of a run: what it may spend by the owner's limits, reserved in the ledger before anything is sent.

A reservation and the sums that it depends on are one exclusive transaction, so that runs and machines at once cannot
spend the same money. A batch is reserved as a whole. What is reserved counts while its run is alive.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from ..errors import InvalidRequest
from ..ledger.ledger import IsAlive, Ledger, Reserve
from ..ledger.record import Record
from .attachments import Attachments
from .batch import ValidatedBatch
from .context import RunContext
from .limits import ROUNDING, Cost, Limits, limit_problems, spent_by_limit, video_cost
from .submit import PreparedRequest

if TYPE_CHECKING:
    from sqlalchemy import Connection

_RESERVATIONS = "SELECT run, amount FROM reservations"
_RESERVE = (
    "INSERT INTO reservations (run, currency, amount, created_at) VALUES (:run, :currency, :amount, :at) "
    "ON CONFLICT (run) DO UPDATE SET amount = excluded.amount"
)
_USE = "UPDATE reservations SET amount = amount - :amount WHERE run = :run"
_FREE = "DELETE FROM reservations WHERE run = :run"


_spent_together: ContextVar[dict[tuple[str, str], float] | None] = ContextVar("spent_together", default=None)
"""What the entries of a list have spent together, as `Budget.spent`; None outside of a list."""


@contextlib.contextmanager
def shared_budgets() -> Iterator[None]:
    """Let the tasks that are created in the block count as one run: a node's calls for the entries of a list."""
    token = _spent_together.set({})
    try:
        yield
    finally:
        _spent_together.reset(token)


@dataclass
class Budget:
    """The budget of one run. `cost` is that of each of its videos. With `problems` it is none. All methods block.

    `spent` is what counts against the limit of a run: amounts by currency and either a batch, by its run's id, or a
    single request, by its fingerprint. If it `is_shared`, the entries of a list have it in common.
    """

    ledger: Ledger
    limits: Limits
    cost: Cost
    problems: Sequence[str] = ()
    spent: dict[tuple[str, str], float] = field(default_factory=dict)
    is_shared: bool = False

    def reserve_batch(self, drafts: Iterable[tuple[Record, Iterable[str]]], *, videos: int) -> None:
        """Reserve the price of a batch: of all videos, or of those that are new where that is too much.

        `drafts` has the draft of each video's record, with the earlier fingerprints of its request. As what saved
        videos would cost is held until the run ends, other entries of a list could not use it: there, only new ones
        are counted.

        Raises:
            InvalidRequest: the new ones are too much. Nothing is reserved.
            LedgerUnavailable: the ledger cannot be used.
        """
        if not self.is_shared:
            try:
                self._reserve_videos(videos)
            except InvalidRequest:
                pass
            else:
                return
        if new := sum(self._is_new(*draft) for draft in drafts):
            self._reserve_videos(new)

    def _is_new(self, draft: Record, earlier: Iterable[str]) -> bool:
        """Tell whether a request was certainly never charged."""
        found = [one for name in (draft.fingerprint, *earlier) for one in self.ledger.find(fingerprint=name)]
        return not any((one.task_id or one.sent_at) and not one.is_unbilled for one in found)

    def _reserve_videos(self, videos: int) -> None:
        amount = self.cost.amount * videos

        def reserve(connection: Connection, is_alive: IsAlive) -> None:
            self._held(connection, is_alive)
            # Of a transaction that was committed as its connection was lost.
            self.spent.pop((self.cost.currency, self.ledger.run_id), None)
            connection.exec_driver_sql(_FREE, {"run": self.ledger.run_id})
            self._check(connection, is_alive, videos=videos)
            values = {"run": self.ledger.run_id, "currency": self.cost.currency, "amount": amount, "at": time.time()}
            connection.exec_driver_sql(_RESERVE, values)
            self.spent[self.cost.currency, self.ledger.run_id] = amount

        self.ledger.reserve(reserve)

    def reserve(self, connection: Connection, draft: Record, is_alive: IsAlive) -> Callable[[], None] | None:
        """Check that the price of one video is reserved with its batch, or may be spent. For `Ledger.claim`.

        Returns what takes it from the reservation of the batch.

        Raises:
            InvalidRequest: it is too much.
        """
        # Who waits in a queue asks again.
        self.spent.pop((self.cost.currency, draft.fingerprint), None)
        held = self._held(connection, is_alive)
        if self.problems or held + ROUNDING < self.cost.amount or not self.cost.currency:
            self._check(connection, is_alive)
            self.spent[self.cost.currency, draft.fingerprint] = self.cost.amount
            return None
        values = {"run": self.ledger.run_id, "amount": self.cost.amount}
        return partial(_use, connection, values)

    def _check(self, connection: Connection, is_alive: IsAlive, *, videos: int = 1) -> None:
        spent = spent_by_limit(connection, is_alive)
        own = sum(amount for (currency, _), amount in self.spent.items() if currency == self.cost.currency)
        spent["limit_per_run"] = {self.cost.currency: own}
        problems = self.problems or limit_problems(self.cost, spent, limits=self.limits, videos=videos)
        if problems:
            raise InvalidRequest(problems)

    def _held(self, connection: Connection, is_alive: IsAlive) -> float:
        """Return what is left of the batch's reservation. Those of dead runs are removed."""
        held = {row.run: float(row.amount) for row in connection.exec_driver_sql(_RESERVATIONS).all()}
        for run in held:
            if run != self.ledger.run_id and not is_alive(run):
                connection.exec_driver_sql(_FREE, {"run": run})
        return held.get(self.ledger.run_id, 0.0)


def _use(connection: Connection, values: Mapping[str, object]) -> None:
    connection.exec_driver_sql(_USE, values)


async def open_budget(plan: ValidatedBatch, attachments: Attachments, context: RunContext) -> Reserve:
    """Reserve the price of a batch, and return what takes that of each video from it.

    Raises:
        InvalidRequest: the owner's limits do not allow it. Nothing is reserved.
        LedgerUnavailable: the ledger cannot be used.
    """
    cost = video_cost(plan.batch.request, plan.endpoint.region, plan.cost)
    shared = _spent_together.get()
    spent = {} if shared is None else shared
    budget = Budget(context.ledger, plan.limits, cost, plan.payment_problems, spent, is_shared=shared is not None)
    # With problems each new video is refused by itself, and what was paid before comes.
    if plan.count > 1 and not plan.payment_problems:
        drafts = (_draft(plan, index, attachments, context.ledger.account) for index in range(plan.count))
        await context.to_thread(budget.reserve_batch, drafts, videos=plan.count)
    return budget.reserve


def _draft(plan: ValidatedBatch, index: int, attachments: Attachments, account: str) -> tuple[Record, Iterable[str]]:
    prepared = PreparedRequest(plan, index, attachments)
    return prepared.prepare(), prepared.earlier(account)
