"""The schema of the ledger, one migration script for each version. Each engine accepts the same statements."""

from __future__ import annotations

VERSIONS = (
    """
    CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
    CREATE TABLE requests (
        id TEXT PRIMARY KEY,
        fingerprint TEXT NOT NULL,
        account TEXT NOT NULL,
        region TEXT NOT NULL,
        model TEXT NOT NULL,
        resolution TEXT NOT NULL,
        duration INTEGER NOT NULL,
        state TEXT NOT NULL,
        owner TEXT NOT NULL,
        task_id TEXT NOT NULL,
        request_id TEXT NOT NULL,
        created_at DOUBLE PRECISION NOT NULL,
        sent_at DOUBLE PRECISION NOT NULL,
        submitted_at DOUBLE PRECISION NOT NULL,
        finished_at DOUBLE PRECISION NOT NULL,
        part TEXT NOT NULL,
        path TEXT NOT NULL,
        bytes BIGINT NOT NULL,
        error TEXT NOT NULL,
        receipt TEXT NOT NULL
    );
    CREATE INDEX requests_by_fingerprint ON requests (fingerprint);
    CREATE INDEX requests_by_task ON requests (task_id);
    CREATE INDEX requests_by_age ON requests (created_at);
    """,
    """
    ALTER TABLE requests ADD COLUMN rendered DOUBLE PRECISION NOT NULL DEFAULT 0;
    CREATE INDEX requests_by_kind ON requests (model, resolution, duration, region);
    """,
    """
    ALTER TABLE requests ADD COLUMN service_sent_at DOUBLE PRECISION NOT NULL DEFAULT 0;
    """,
    """
    ALTER TABLE requests ADD COLUMN subject TEXT NOT NULL DEFAULT '';
    """,
    """
    CREATE INDEX requests_by_account ON requests (account) WHERE substr(fingerprint, 1, 2) <> '2:';
    """,
    """
    ALTER TABLE requests ADD COLUMN host TEXT NOT NULL DEFAULT '';
    ALTER TABLE requests ADD COLUMN folder TEXT NOT NULL DEFAULT '';
    ALTER TABLE requests ADD COLUMN digest TEXT NOT NULL DEFAULT '';
    """,
    """
    ALTER TABLE requests ADD COLUMN prompt TEXT NOT NULL DEFAULT '';
    ALTER TABLE requests ADD COLUMN reserved_at DOUBLE PRECISION NOT NULL DEFAULT -1;
    ALTER TABLE requests ADD COLUMN estimate DOUBLE PRECISION NOT NULL DEFAULT 0;
    ALTER TABLE requests ADD COLUMN currency TEXT NOT NULL DEFAULT '';
    ALTER TABLE requests ADD COLUMN price_date TEXT NOT NULL DEFAULT '';
    ALTER TABLE requests ADD COLUMN billed_seconds DOUBLE PRECISION NOT NULL DEFAULT 0;
    ALTER TABLE requests ADD COLUMN billed DOUBLE PRECISION;
    CREATE INDEX requests_by_reservation ON requests (reserved_at);
    CREATE INDEX requests_without_price ON requests (created_at) WHERE reserved_at < 0;
    CREATE TABLE reservations (
        run TEXT PRIMARY KEY,
        currency TEXT NOT NULL,
        amount DOUBLE PRECISION NOT NULL,
        created_at DOUBLE PRECISION NOT NULL
    );
    """,
    """
    ALTER TABLE requests ADD COLUMN message TEXT NOT NULL DEFAULT '';
    """,
)
"""Append only."""

# Word for word the condition of the index, which is empty in a ledger without such records.
OLDER_ACCOUNTS = "SELECT DISTINCT account FROM requests WHERE substr(fingerprint, 1, 2) <> '2:'"
"""The accounts of the records whose fingerprints are in an older format."""
