-- One row per round of a scheduler's loop. Written when the round begins and again when it ends, so that a round that
-- was cut off stays visibly unfinished.
CREATE TABLE rounds (
    id                 TEXT             NOT NULL PRIMARY KEY,
    scheduler_id       INTEGER          NOT NULL REFERENCES schedulers_ecs (id) ON DELETE CASCADE,
    fleets             TEXT             NOT NULL,
    provider_node_id   INTEGER          REFERENCES nodes_ecs (id) ON DELETE SET NULL,
    nodes_listed       INTEGER          NOT NULL CHECK (nodes_listed >= 0),
    nodes_ready        INTEGER          NOT NULL CHECK (nodes_ready >= 0),
    skipped_before     INTEGER          NOT NULL CHECK (skipped_before >= 0),
    due_at             TEXT             NOT NULL,
    started_at         TEXT             NOT NULL,
    ended_at           TEXT,
    outcome            TEXT             CHECK (outcome IN ('complete', 'provide_failed', 'too_few_nodes', 'interrupted')),
    CONSTRAINT rounds_ended_with_outcome CHECK ((ended_at IS NULL) = (outcome IS NULL))
);

CREATE INDEX rounds_scheduler_id_due_at_idx ON rounds (scheduler_id, due_at);
CREATE INDEX rounds_provider_node_id_idx ON rounds (provider_node_id);

-- One row per attempt, whatever became of it; the original's tables have a row for the measured ones only.
--
-- `round_id` has no foreign key: an attempt may be replayed before its round, and is worth keeping without it.
-- `provide_id` names the last step of a publication that has several; the others share its node, CID and `created_at`.
-- `trace_id` is for the trace of the attempt. `created_at` is when the row was written: later than `ended_at` if it
-- waited in a spool.
CREATE TABLE operations (
    id                 TEXT             NOT NULL PRIMARY KEY,
    round_id           TEXT             NOT NULL,
    scheduler_id       INTEGER          NOT NULL REFERENCES schedulers_ecs (id) ON DELETE CASCADE,
    node_id            INTEGER          NOT NULL REFERENCES nodes_ecs (id) ON DELETE CASCADE,
    kind               TEXT             NOT NULL CHECK (kind IN ('provide', 'retrieve')),
    probe              INTEGER          NOT NULL CHECK (probe >= 0),
    cid                TEXT             NOT NULL,
    outcome            TEXT             NOT NULL CHECK (
        outcome IN ('ok', 'not_found', 'timeout', 'no_peers', 'dial_failed', 'protocol', 'server_unreachable',
                    'server_not_ready', 'server_error', 'cancelled', 'record_lost')
    ),
    error              TEXT,
    due_at             TEXT             NOT NULL,
    started_at         TEXT             NOT NULL,
    ended_at           TEXT             NOT NULL,
    duration_seconds   DOUBLE           NOT NULL CHECK (duration_seconds >= 0),
    routing_table_size INTEGER          NOT NULL CHECK (routing_table_size >= 0),
    holders_stored     INTEGER          CHECK (holders_stored >= 0),
    rpcs               INTEGER          CHECK (rpcs >= 0),
    rpcs_failed        INTEGER          CHECK (rpcs_failed >= 0),
    dials              INTEGER          CHECK (dials >= 0),
    dials_failed       INTEGER          CHECK (dials_failed >= 0),
    trace_id           TEXT,
    provide_id         INTEGER          REFERENCES provides_ecs (id) ON DELETE SET NULL,
    retrieval_id       INTEGER          REFERENCES retrievals_ecs (id) ON DELETE SET NULL,
    created_at         TEXT             NOT NULL,
    CONSTRAINT operations_error_unless_ok CHECK ((outcome = 'ok') = (error IS NULL))
);

CREATE INDEX operations_round_id_idx ON operations (round_id);
CREATE INDEX operations_scheduler_id_started_at_idx ON operations (scheduler_id, started_at);
CREATE INDEX operations_node_id_started_at_idx ON operations (node_id, started_at);
CREATE INDEX operations_provide_id_idx ON operations (provide_id) WHERE provide_id IS NOT NULL;
CREATE INDEX operations_retrieval_id_idx ON operations (retrieval_id) WHERE retrieval_id IS NOT NULL;
