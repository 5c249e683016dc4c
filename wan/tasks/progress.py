"""Progress reports to the host."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from ..errors import DownloadFailed

Progress = Callable[[float, str], None]
"""Reports a video's progress, 0 to 1, and its current step."""


class RunMonitor(Protocol):
    """The host's interface to a running node."""

    def report(self, fraction: float, text: str) -> None:
        """Report the node's progress, 0 to 1, and its current step."""

    def raise_if_interrupted(self) -> None:
        """Raise the host's own interruption if the user pressed Stop."""

    async def wait_for_interrupt(self) -> None:
        """Wait until the user presses Stop, then raise the host's own interruption."""


class BatchProgress:
    """The combined progress of several videos: the mean of their fractions, and one text.

    `price` is the text's note on the total cost. Until the first video is finished the text includes the number of
    videos, as a batch may be unintended. `items` are the videos' own progress.
    """

    def __init__(self, watch: RunMonitor, *, count: int, price: str = "") -> None:
        self._watch = watch
        self._whole = f"{count} videos{price}"
        self._fractions = [0.0] * count
        self._texts = [""] * count
        self.items = [ItemProgress(self, index=index) for index in range(count)]
        self._watch.report(0.0, self._whole if count > 1 else "preparing")

    def report(self, index: int, fraction: float, *, text: str) -> None:
        """Update one video's progress and report the total."""
        self._fractions[index] = fraction
        self._texts[index] = text
        count = len(self._texts)
        if count > 1:
            done = sum(fraction >= 1.0 for fraction in self._fractions)
            text = f"{f'{done} of {count} done' if done else self._whole}; {index + 1}: {text}"
        self._watch.report(sum(self._fractions) / count, text)

    def show_end(self, paid: str) -> None:
        """Show what all videos together cost, if it is more than one. `paid` is the text's note on that."""
        if paid and len(self._texts) > 1:
            self._watch.report(1.0, f"{len(self._texts)} videos saved{paid}")

    def show_links(self, failures: Sequence[BaseException | None]) -> None:
        """Show the URLs of paid videos that could not be downloaded, instead of the text.

        A node's text is sent to the user's page only; unlike errors it is neither logged nor saved.
        """
        links = [
            f"Task {error.task_id}: {link}"
            for error in failures
            if isinstance(error, DownloadFailed) and (link := error.link())
        ]
        if links:
            text = "\n".join(["Open in a browser to save the video (available for 24 hours):", *links])
            self._watch.report(sum(self._fractions) / len(self._fractions), text)


class ItemProgress:
    """The progress of one video of a batch."""

    def __init__(self, batch: BatchProgress, *, index: int) -> None:
        self._batch = batch
        self._index = index

    def __call__(self, fraction: float, text: str) -> None:
        """Report this video's progress, 0 to 1, and its current step."""
        self._batch.report(self._index, fraction, text=text)
