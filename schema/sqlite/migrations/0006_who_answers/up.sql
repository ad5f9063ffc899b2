-- At the address of a node another one may answer: a server that was killed leaves a row behind, and the next one at the
-- address registers anew. An answer of another node than was asked is the outcome `wrong_node`, a measurement of neither.
--
-- `rounds.nodes_without_heartbeat` counts the nodes that took part although their last heartbeat was too old: when the
-- heartbeats of nearly all grow old at once, the database could not be written, or a clock jumped.
--
-- SQLite cannot change a CHECK: the table is made anew. Its traces move first: they would go with the rows that they refer to.
CREATE TABLE new_operations (
    id                 TEXT             NOT NULL PRIMARY KEY,
    round_id           TEXT             NOT NULL,
    scheduler_id       INTEGER          NOT NULL REFERENCES schedulers_ecs (id) ON DELETE CASCADE,
    node_id            INTEGER          NOT NULL REFERENCES nodes_ecs (id) ON DELETE CASCADE,
    kind               TEXT             NOT NULL CHECK (kind IN ('provide', 'retrieve')),
    probe              INTEGER          NOT NULL CHECK (probe >= 0),
    cid                TEXT             NOT NULL,
    outcome            TEXT             NOT NULL CHECK (
        outcome IN ('ok', 'not_found', 'wrong_provider', 'timeout', 'no_peers', 'no_transport', 'dial_failed', 'local_limit',
                    'protocol', 'server_unreachable', 'server_not_ready', 'server_error', 'wrong_node', 'cancelled',
                    'record_lost')
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
    holders_failed     INTEGER          CHECK (holders_failed >= 0),
    holders_pending    INTEGER          CHECK (holders_pending >= 0),
    network_size       INTEGER          CHECK (network_size >= 0),
    fallback           TEXT,
    from_own_records   BOOLEAN          NOT NULL DEFAULT FALSE,
    found_publisher    BOOLEAN,
    holders_confirmed  INTEGER          CHECK (holders_confirmed >= 0),
    CONSTRAINT operations_error_unless_ok CHECK ((outcome = 'ok') = (error IS NULL))
);

INSERT INTO new_operations (
    id, round_id, scheduler_id, node_id, kind, probe, cid, outcome, error, due_at, started_at, ended_at,
    duration_seconds, routing_table_size, holders_stored, rpcs, rpcs_failed, dials, dials_failed, trace_id,
    provide_id, retrieval_id, created_at, holders_failed, holders_pending, network_size, fallback, from_own_records,
    found_publisher, holders_confirmed
)
SELECT
    id, round_id, scheduler_id, node_id, kind, probe, cid, outcome, error, due_at, started_at, ended_at,
    duration_seconds, routing_table_size, holders_stored, rpcs, rpcs_failed, dials, dials_failed, trace_id,
    provide_id, retrieval_id, created_at, holders_failed, holders_pending, network_size, fallback, from_own_records,
    found_publisher, holders_confirmed
FROM operations;

CREATE TABLE new_traces (
    id                 TEXT             NOT NULL PRIMARY KEY REFERENCES new_operations (id) ON DELETE CASCADE,
    why_kept           TEXT             NOT NULL CHECK (why_kept IN ('failed', 'slow', 'sampled')),
    document           TEXT             NOT NULL,
    created_at         TEXT             NOT NULL
);

INSERT INTO new_traces (id, why_kept, document, created_at) SELECT id, why_kept, document, created_at FROM traces;

DROP TABLE traces;
DROP TABLE operations;
ALTER TABLE new_operations RENAME TO operations;
ALTER TABLE new_traces RENAME TO traces;

CREATE INDEX operations_round_id_idx ON operations (round_id);
CREATE INDEX operations_scheduler_id_started_at_idx ON operations (scheduler_id, started_at);
CREATE INDEX operations_node_id_started_at_idx ON operations (node_id, started_at);
CREATE INDEX operations_provide_id_idx ON operations (provide_id) WHERE provide_id IS NOT NULL;
CREATE INDEX operations_retrieval_id_idx ON operations (retrieval_id) WHERE retrieval_id IS NOT NULL;
CREATE INDEX operations_traced_idx ON operations (started_at) WHERE trace_id IS NOT NULL;
CREATE INDEX traces_created_at_idx ON traces (created_at);

ALTER TABLE rounds ADD COLUMN nodes_without_heartbeat INTEGER NOT NULL DEFAULT 0 CHECK (nodes_without_heartbeat >= 0);
