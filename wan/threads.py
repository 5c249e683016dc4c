"""Blocking calls in threads."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


async def run_in_thread(call: Callable[..., T], *args: Any, **named: Any) -> T:
    """Run a blocking call in a new thread and return its result.

    Unlike with `asyncio.to_thread`, nothing waits for the thread if the coroutine is cancelled: Stop takes effect at
    once, even while a socket is silent. The call then runs to its end and its result is dropped.
    """
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[T] = loop.create_future()

    def settle(value: T | None, error: BaseException | None) -> None:
        if outcome.done():
            return
        if error is None:
            outcome.set_result(value)  # type: ignore[arg-type]
        else:
            outcome.set_exception(error)

    def run() -> None:
        value, error = None, None
        try:
            value = call(*args, **named)
        except BaseException as caught:  # noqa: BLE001 - passed on to the awaiting coroutine
            error = caught
        try:
            loop.call_soon_threadsafe(settle, value, error)
        except RuntimeError:  # the loop is closed: nothing awaits the result
            return

    threading.Thread(target=run, name=f"wan-{getattr(call, '__name__', 'call')}", daemon=True).start()
    return await outcome
