"""How far a run is, for the host to show."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from ..errors import DownloadFailed

Progress = Callable[[float, str], None]
"""Shows how far a video is, 0 to 1, and what is being done."""


class RunMonitor(Protocol):
    """The host's side of a node that is running."""

    def report(self, fraction: float, text: str) -> None:
        """Show how far the node is, 0 to 1, and what it is doing."""

    def raise_if_interrupted(self) -> None:
        """Raise the host's own interruption when the user has pressed Stop."""


class BatchProgress:
    """The progress of several videos as one: the mean of their fractions, and one text.

    `price` is what the text adds about the cost of all. Until the first video is done, the text says how many there
    are: a batch may be one by accident.
    """

    def __init__(self, watch: RunMonitor, *, count: int, price: str = "") -> None:
        self._watch = watch
        self._whole = f"{count} videos{price}"
        self._fractions = [0.0] * count
        self._texts = [""] * count

    def announce(self) -> None:
        """Show how many videos will be asked for, where there are several, and what they cost."""
        if len(self._texts) > 1:
            self._watch.report(0.0, self._whole)

    def report(self, index: int, fraction: float, *, text: str) -> None:
        """Note how far one video is and show the whole."""
        self._fractions[index] = fraction
        self._texts[index] = text
        count = len(self._texts)
        if count > 1:
            done = sum(fraction >= 1.0 for fraction in self._fractions)
            text = f"{f'{done} of {count} done' if done else self._whole}; {index + 1}: {text}"
        self._watch.report(sum(self._fractions) / count, text)

    def show_links(self, failures: Sequence[BaseException | None]) -> None:
        """Show the links of paid videos that could not be downloaded, in place of the text.

        What a node shows is sent to the user's page alone: it is neither logged nor saved, as errors are.
        """
        links = [
            f"Task {error.task_id}: {link}"
            for error in failures
            if isinstance(error, DownloadFailed) and (link := error.link())
        ]
        if links:
            text = "\n".join(["Open in a browser to save the video, within 24 h of its making:", *links])
            self._watch.report(sum(self._fractions) / len(self._fractions), text)


class ItemProgress:
    """One video's share in the progress."""

    def __init__(self, batch: BatchProgress, *, index: int) -> None:
        self._batch = batch
        self._index = index

    def __call__(self, fraction: float, text: str) -> None:
        """Show how far this video is, 0 to 1, and what is being done."""
        self._batch.report(self._index, fraction, text=text)
