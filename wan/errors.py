"""The errors that every layer shares. What the service itself refuses is in `service/errors.py`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .redaction import redact


class WanError(Exception):
    """Base of every error that the pack raises on purpose.

    `message` says what happened, `hint` what to do next. `task_id` and `request_id` are empty where there is none.
    Every text that an error is given is redacted, whenever it is given: errors are printed, logged, saved and sent on.
    ComfyUI shows an error's type by its module, which for a pack is a path: these go by the pack's name alone.
    """

    __module__ = "dashscope_wan"

    def __init_subclass__(cls) -> None:
        cls.__module__ = WanError.__module__

    def __init__(self, message: str, *, hint: str = "", task_id: str = "", request_id: str = "") -> None:
        super().__init__(redact(message))
        self.message = message
        self.hint = hint
        self.task_id = task_id
        self.request_id = request_id

    def __setattr__(self, name: str, value: object) -> None:
        super().__setattr__(name, redact(value) if isinstance(value, str) else value)

    def __str__(self) -> str:
        lines = [self.message]
        if self.hint:
            lines.append(self.hint)
        ids = {"task": self.task_id, "request id": self.request_id}
        if known := [f"{label} {value}" for label, value in ids.items() if value]:
            lines.append(f"({', '.join(known)})")
        return "\n".join(lines)


class InvalidRequest(WanError):
    """What is asked for cannot be done. Found before anything was sent, with every problem that could be found."""

    opening = "Nothing was sent and nothing was paid:"

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(map(redact, problems))
        listed = "\n".join(f"- {problem}" for problem in self.problems)
        super().__init__(f"{self.opening}\n{listed}")


class UnusableVideo(InvalidRequest):
    """A node that sends nothing cannot take the video that it was given."""

    opening = "The video cannot be used:"


class UnusableTask(InvalidRequest):
    """A task cannot be fetched as it was asked for. It may be paid."""

    opening = "The task cannot be fetched:"


class MediaError(WanError):
    """An image, audio or video cannot be used, or a made file is not what it should be."""


class DownloadFailed(WanError):
    """A finished video could not be downloaded. The task is paid and its video can be fetched again.

    `link` returns the video's URL with its signature, "" where there is none to show. It is for the user's eyes: no
    part of the error's text, which is logged, saved and sent on.
    """

    def __init__(self, message: str, *, hint: str = "", task_id: str = "", link: str = "") -> None:
        super().__init__(message, hint=hint, task_id=task_id)
        self.link: Callable[[], str] = lambda: link
