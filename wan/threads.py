"""Blocking calls in threads."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


async def run_in_thread(
    call: Callable[..., T], *args: Any, finally_: Callable[[], None] | None = None, **named: Any
) -> T:
    """Run a blocking call in a thread of its own and return what it returns. `finally_` is called when it has ended.

    Unlike `asyncio.to_thread`, nobody waits for the thread when the waiting coroutine is cancelled: Stop is heard at
    once, also while a socket is silent. The call runs to its end and what it returns is then dropped.
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
            try:
                value = call(*args, **named)
            finally:
                if finally_:
                    finally_()
        except BaseException as caught:  # noqa: BLE001 - passed on to the waiting thread
            error = caught
        try:
            loop.call_soon_threadsafe(settle, value, error)
        except RuntimeError:  # the loop is closed: nothing awaits the result
            return

    threading.Thread(target=run, name=f"wan-{getattr(call, '__name__', 'call')}", daemon=True).start()
    return await outcome
