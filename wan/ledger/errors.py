"""The errors of the ledger. Each means that nothing may be sent."""

from __future__ import annotations

from ..errors import WanError


class LedgerUnavailable(WanError):
    """The ledger cannot be read or written: a full disk, a lock, a damaged file, a server that is down."""


class RecordsLost(LedgerUnavailable):
    """Records of a damaged ledger were lost: their requests would be charged again without notice."""

    @classmethod
    def at(cls, away: str) -> RecordsLost:
        """Return the error for a damaged ledger that was renamed."""
        return cls(
            f"The ledger was damaged and is kept as {away}. Some of its records could not be read.",
            hint="Nothing was sent. Run again to continue with a new ledger. Requests whose records were lost are then "
            "submitted and charged again: for a video of the last 24 hours use Wan Fetch Task with its task id "
            "instead.",
        )
