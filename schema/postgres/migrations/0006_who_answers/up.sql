-- At the address of a node another one may answer: a server that was killed leaves a row behind, and the next one at the
-- address registers anew. An answer of another node than was asked is the outcome `wrong_node`, a measurement of neither.
--
-- `rounds.nodes_without_heartbeat` counts the nodes that took part although their last heartbeat was too old: when the
-- heartbeats of nearly all grow old at once, the database could not be written, or a clock jumped.
ALTER TABLE operations
    DROP CONSTRAINT operations_outcome_check,
    ADD CONSTRAINT operations_outcome_check CHECK (
        outcome IN ('ok', 'not_found', 'wrong_provider', 'timeout', 'no_peers', 'no_transport', 'dial_failed', 'local_limit',
                    'protocol', 'server_unreachable', 'server_not_ready', 'server_error', 'wrong_node', 'cancelled',
                    'record_lost')
    );

ALTER TABLE rounds ADD COLUMN nodes_without_heartbeat INT NOT NULL DEFAULT 0 CHECK (nodes_without_heartbeat >= 0);

COMMENT ON COLUMN rounds.nodes_without_heartbeat IS
    'How many nodes took part although their last heartbeat was too old, and are not among nodes_listed: nearly all '
    'grew old at once, so the database could not be written, or a clock jumped.';
COMMENT ON COLUMN rounds.nodes_ready IS
    'How many nodes said that they can measure: of those listed, and of nodes_without_heartbeat all.';
COMMENT ON COLUMN operations.retrieval_id IS
    'Its row in retrievals_ecs. NULL for publications, if no server measured it, and if from_own_records is true.';
