COMMENT ON COLUMN operations.retrieval_id IS
    'Its row in retrievals_ecs. NULL for publications, and if no server measured it.';
COMMENT ON COLUMN rounds.nodes_ready IS
    'How many of these nodes said that they can measure.';
ALTER TABLE rounds DROP COLUMN nodes_without_heartbeat;
UPDATE operations SET outcome = 'server_error' WHERE outcome = 'wrong_node';
ALTER TABLE operations
    DROP CONSTRAINT operations_outcome_check,
    ADD CONSTRAINT operations_outcome_check CHECK (
        outcome IN ('ok', 'not_found', 'wrong_provider', 'timeout', 'no_peers', 'no_transport', 'dial_failed', 'local_limit',
                    'protocol', 'server_unreachable', 'server_not_ready', 'server_error', 'cancelled', 'record_lost')
    );
