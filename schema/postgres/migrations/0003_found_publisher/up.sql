-- Any peer can name any provider. `found_publisher` says whether who had published the round's content was among the
-- providers that a lookup found. It is NULL where that is not known: of a publication, of a lookup that failed, and of
-- servers that do not say whom they found.
--
-- Providers without the publisher among them are the outcome `wrong_provider`; in the original's table such a lookup is the
-- success that the original would have recorded. `no_transport` and `local_limit` are failures that were counted as
-- `dial_failed` before: peers whose transports nobody here speaks, and descriptors or ports that the host ran out of.
ALTER TABLE operations
    ADD COLUMN found_publisher BOOLEAN,
    DROP CONSTRAINT operations_outcome_check,
    ADD CONSTRAINT operations_outcome_check CHECK (
        outcome IN ('ok', 'not_found', 'wrong_provider', 'timeout', 'no_peers', 'no_transport', 'dial_failed', 'local_limit',
                    'protocol', 'server_unreachable', 'server_not_ready', 'server_error', 'cancelled', 'record_lost')
    );
