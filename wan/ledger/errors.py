"""The errors of the ledger. Each means that nothing may be sent."""

from __future__ import annotations

from pathlib import Path

from ..errors import WanError
from ..messages import Message, sentences

NOTHING_SENT = Message("Nothing was sent.")


class LedgerUnavailable(WanError):
    """The ledger cannot be read or written: a full disk, a lock, a damaged file, a server that is down."""


class TakenOver(LedgerUnavailable):
    """The run was taken for dead, and another one has its request."""

    def __init__(self) -> None:
        super().__init__(
            Message("This machine was cut off from the ledger, and another one has taken over the request."),
            hint=Message("Nothing was sent. Run again to get its video."),
        )


class RecordsLost(LedgerUnavailable):
    """Records of a damaged ledger were lost: their requests would be charged again without notice."""

    @classmethod
    def at(cls, away: str) -> RecordsLost:
        """Return the error for a damaged ledger that was renamed."""
        return cls(
            Message("The ledger was damaged and is kept as {path}. Some of its records could not be read.", path=away),
            hint=Message(
                "Nothing was sent. Run again to continue with a new ledger. Requests whose records were lost "
                "are then submitted and charged again: for a video of the last 24 hours use Wan Fetch Task with "
                "its task id instead."
            ),
        )


class NewerVersion(OSError):
    """The ledger was created by a newer version of the pack."""


def unavailable(message: str, do: str) -> LedgerUnavailable:
    """Return the error of a ledger that cannot be used, with what to do about it."""
    return LedgerUnavailable(message, hint=sentences(NOTHING_SENT, do))


def describe_file(error: Exception, path: Path) -> tuple[str, str]:
    """Return what happened to an SQLite file, and what to do about it."""
    message = Message("The ledger {path} cannot be used ({reason}).", path=path, reason=error)
    return message, what_to_do(error, folder=path.parent)


def what_to_do(error: Exception, *, folder: Path) -> str:
    """Return what to do about an error of an SQLite file in a folder."""
    said = str(error).lower()
    if "locked" in said or "timeout" in type(error).__name__.lower():
        do = Message("Another program has it open: close that program, then run again.")
    elif "full" in said or "no space" in said:
        do = Message("Free some space in {folder}, then run again.", folder=folder)
    elif isinstance(error, NewerVersion):
        do = Message("Update the pack, then run again.")
    else:
        do = Message(
            "Make {folder} writable, or set DASHSCOPE_WAN_HOME to a folder on a local disk that is, then run again.",
            folder=folder,
        )
    return do
