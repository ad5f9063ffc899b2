-- What a publication had done when it returned, beside `holders_stored`: peers that the record could not be written to,
-- and peers that it was still being written to (`follow_ups` says what became of those).
--
-- `network_size` is how many peers the server believed the network to have; `fallback` why it worked in the classic way
-- although it is meant to do better; `from_own_records` marks a lookup that the server answered from its own records, so
-- that no DHT was measured. Servers that say none of these leave the defaults.
ALTER TABLE operations
    ADD COLUMN holders_failed   INT     CHECK (holders_failed >= 0),
    ADD COLUMN holders_pending  INT     CHECK (holders_pending >= 0),
    ADD COLUMN network_size     INT     CHECK (network_size >= 0),
    ADD COLUMN fallback         TEXT,
    ADD COLUMN from_own_records BOOLEAN NOT NULL DEFAULT FALSE;

-- Request by request, what an operation did. Kept for failures, for the slowest, and for a sample of the others:
-- `operations.trace_id` is set where there is one.
--
-- `id` is that of the operation, which is written in the same transaction, and takes its trace with it when it goes.
-- Times within `document` are microseconds from the start of the operation.
CREATE TABLE traces (
    id                 UUID             NOT NULL PRIMARY KEY REFERENCES operations (id) ON DELETE CASCADE,
    why_kept           TEXT             NOT NULL CHECK (why_kept IN ('failed', 'slow', 'sampled')),
    document           JSONB            NOT NULL,
    created_at         TIMESTAMPTZ      NOT NULL
);

CREATE INDEX traces_created_at_idx ON traces (created_at);
CREATE INDEX operations_traced_idx ON operations (started_at) WHERE trace_id IS NOT NULL;

-- What became of the puts that a publication left to the background, once the last of them has ended. Written by the
-- server, not by the scheduler.
--
-- `operation_id` has no foreign key: the server may be faster than the scheduler. It is NULL if the publication was asked
-- for without one. `stored` and `failed` count peers, those from before the return included; `duration_seconds` runs from
-- the start of the publication to the end of its last put, which was at `ended_at`. `created_at` is when the row was
-- written.
CREATE TABLE follow_ups (
    id                 UUID             NOT NULL PRIMARY KEY,
    operation_id       UUID,
    node_id            INT              NOT NULL REFERENCES nodes_ecs (id) ON DELETE CASCADE,
    cid                TEXT             NOT NULL,
    stored             INT              NOT NULL CHECK (stored >= 0),
    failed             INT              NOT NULL CHECK (failed >= 0),
    duration_seconds   DOUBLE PRECISION NOT NULL CHECK (duration_seconds >= 0),
    ended_at           TIMESTAMPTZ      NOT NULL,
    created_at         TIMESTAMPTZ      NOT NULL
);

CREATE INDEX follow_ups_operation_id_idx ON follow_ups (operation_id) WHERE operation_id IS NOT NULL;
CREATE INDEX follow_ups_node_id_ended_at_idx ON follow_ups (node_id, ended_at);
