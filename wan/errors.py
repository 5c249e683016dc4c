"""Errors shared by all layers. The errors of the service are in `api/errors.py`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .messages import ENGLISH, Message, enumeration, lines, localize, redacted


class WanError(Exception):
    """Base of every error that the pack raises on purpose.

    `message` says what happened, `hint` what to do next; both are of type `Message`. `task_id` and `request_id` are
    empty if there is none. Every text attribute is redacted when it is set, because errors are printed, logged, saved
    and sent on. `str` returns all of that in the `language`, which is English unless the host sets it. ComfyUI shows an
    error's type with its module, which for a pack is a path: these errors show the pack's name instead.
    """

    __module__ = "dashscope_wan"
    language = ENGLISH

    def __init_subclass__(cls) -> None:
        cls.__module__ = WanError.__module__

    def __init__(self, message: str, *, hint: str = "", task_id: str = "", request_id: str = "") -> None:
        super().__init__(redacted(message))
        self.message = message
        self.hint = hint
        self.task_id = task_id
        self.request_id = request_id

    def __setattr__(self, name: str, value: object) -> None:
        super().__setattr__(name, redacted(value) if isinstance(value, str) else value)

    def __str__(self) -> str:
        return self.localized(self.language)

    @property
    def text(self) -> str:
        """The message, the hint and the ids, as a `Message`."""
        task = Message("task {task}", task=self.task_id) if self.task_id else ""
        request = Message("request id {request}", request=self.request_id) if self.request_id else ""
        ids = Message("({ids})", ids=enumeration(filter(None, (task, request)))) if task or request else ""
        return lines(self.message, self.hint, ids)

    def localized(self, language: str) -> str:
        """Return the message, the hint and the ids in a language."""
        return localize(self.text, language)


class InvalidRequest(WanError):
    """The request is invalid. Raised before submission, with all problems at once.

    A node shows the first lines of its error first, so these are the problems; the `note` comes last.
    """

    note: str = Message("Nothing was submitted; nothing was charged.")

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(map(redacted, problems))
        listed = (Message("- {problem}", problem=problem) for problem in self.problems)
        super().__init__(lines(*(listed if len(self.problems) > 1 else self.problems), self.note))


class UnusableVideo(InvalidRequest):
    """A node that sends nothing cannot use its video input."""

    note = ""


class UnusableTask(InvalidRequest):
    """A task cannot be fetched with these inputs. It may be paid for."""

    note = ""


class MediaError(WanError):
    """An image, audio or video cannot be used, or a written file is invalid."""


class DownloadFailed(WanError):
    """A finished video could not be downloaded. The task is paid for and its video can be fetched again.

    `link` returns the video's signed URL, "" if there is none. It is for the user only and not part of the error's
    text, which is logged, saved and sent on.
    """

    def __init__(self, message: str, *, hint: str = "", task_id: str = "", link: str = "") -> None:
        super().__init__(message, hint=hint, task_id=task_id)
        self.link: Callable[[], str] = lambda: link
