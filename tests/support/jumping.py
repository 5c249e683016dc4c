"""An event loop whose clock jumps to whatever is waited for."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any


class JumpingLoop(asyncio.SelectorEventLoop):
    """An event loop in which waiting takes no time. `passed` are its seconds so far."""

    passed = 0.0

    def time(self) -> float:
        return self.passed

    def run_jumping(self, main: Coroutine[Any, Any, Any]) -> Any:
        """Run to the end and return what comes of it."""
        select = self._selector.select

        def jump(timeout: float | None = None) -> Any:
            self.passed += timeout or 0.0
            return select(0)

        self._selector.select = jump
        try:
            return self.run_until_complete(main)
        finally:
            self._selector.select = select
