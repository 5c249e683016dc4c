"""The ledger: the record of every request, saved to disk before the request is sent."""
