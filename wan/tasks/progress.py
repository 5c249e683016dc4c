"""Progress reports to the host."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

from ..errors import DownloadFailed
from ..messages import Message, Text, lines

Progress = Callable[[float, Text], None]
"""Reports a video's progress, 0 to 1, and its current step."""


class RunMonitor(Protocol):
    """The host's interface to a running node."""

    def report(self, fraction: float, text: Text) -> None:
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

    def __init__(self, watch: RunMonitor, *, count: int, price: Text = "") -> None:
        self._watch = watch
        self._whole = partial(Message, "{count} videos{price}", count=count, price=price)
        self._fractions = [0.0] * count
        self._texts: list[Text] = [""] * count
        self.items = [ItemProgress(self, index=index) for index in range(count)]
        self._watch.report(0.0, self._whole if count > 1 else partial(Message, "preparing"))

    def report(self, index: int, fraction: float, *, text: Text) -> None:
        """Update one video's progress and report the total."""
        self._fractions[index] = fraction
        self._texts[index] = text
        count = len(self._texts)
        if count > 1:
            done = sum(fraction >= 1.0 for fraction in self._fractions)
            whole = partial(Message, "{done} of {count} done", done=done, count=count) if done else self._whole
            text = partial(Message, "{whole}; {number}: {status}", whole=whole, number=index + 1, status=text)
        self._watch.report(sum(self._fractions) / count, text)

    def show_end(self, paid: Text) -> None:
        """Show what all videos together cost, if it is more than one. `paid` is the text's note on that."""
        if paid and len(self._texts) > 1:
            count = len(self._texts)
            self._watch.report(1.0, partial(Message, "{count} videos saved{paid}", count=count, paid=paid))

    def show_links(self, failures: Sequence[BaseException | None]) -> None:
        """Show the URLs of paid videos that could not be downloaded, instead of the text.

        A node's text is sent to the user's page only; unlike errors it is neither logged nor saved.
        """
        links = [
            Message("Task {task}: {link}", task=error.task_id, link=link)
            for error in failures
            if isinstance(error, DownloadFailed) and (link := error.link())
        ]
        if links:
            text = lines(Message("Open in a browser to save the video (available for 24 hours):"), *links)
            self._watch.report(sum(self._fractions) / len(self._fractions), text)


class ItemProgress:
    """The progress of one video of a batch."""

    def __init__(self, batch: BatchProgress, *, index: int) -> None:
        self._batch = batch
        self._index = index

    def __call__(self, fraction: float, text: Text) -> None:
        """Report this video's progress, 0 to 1, and its current step."""
        self._batch.report(self._index, fraction, text=text)
