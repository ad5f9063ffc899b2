UPDATE operations SET outcome = 'ok', error = NULL WHERE outcome = 'wrong_provider';
UPDATE operations SET outcome = 'dial_failed' WHERE outcome IN ('no_transport', 'local_limit');
ALTER TABLE operations
    DROP COLUMN found_publisher,
    DROP CONSTRAINT operations_outcome_check,
    ADD CONSTRAINT operations_outcome_check CHECK (
        outcome IN ('ok', 'not_found', 'timeout', 'no_peers', 'dial_failed', 'protocol', 'server_unreachable',
                    'server_not_ready', 'server_error', 'cancelled', 'record_lost')
    );
