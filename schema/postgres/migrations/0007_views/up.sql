-- Flat tables for questions: every row names the fleet, the region, the strategy and the peer id of the server, so that most need no join.
--
-- A migration that changes a column that a view shows, or makes a table anew on SQLite, has to drop the views first and make them again.
-- What is looked up for single rows is no join: a page out of the middle of a million rows would read the other table from its beginning.
CREATE VIEW v_operations AS
SELECT
    o.id AS id,
    o.round_id AS round_id,
    o.kind AS kind,
    n.fleet AS fleet,
    n.region AS region,
    n.dependencies ->> 'strategy' AS strategy,
    n.peer_id AS peer_id,
    n.dependencies ->> 'version' AS server_version,
    o.node_id AS node_id,
    o.scheduler_id AS scheduler_id,
    o.probe AS probe,
    o.cid AS cid,
    o.outcome AS outcome,
    o.outcome IN ('ok', 'not_found', 'wrong_provider', 'timeout', 'no_peers', 'no_transport', 'dial_failed', 'protocol')
        AND NOT o.from_own_records AS is_due,
    o.error AS error,
    o.due_at AS due_at,
    o.started_at AS started_at,
    o.ended_at AS ended_at,
    o.duration_seconds AS duration_seconds,
    o.routing_table_size AS routing_table_size,
    o.network_size AS network_size,
    o.rpcs AS rpcs,
    o.rpcs_failed AS rpcs_failed,
    o.dials AS dials,
    o.dials_failed AS dials_failed,
    o.holders_stored AS holders_stored,
    o.holders_confirmed AS holders_confirmed,
    o.holders_failed AS holders_failed,
    o.holders_pending AS holders_pending,
    CASE WHEN o.kind = 'provide'
        THEN (SELECT f.stored FROM follow_ups f WHERE f.operation_id = o.id ORDER BY f.ended_at DESC LIMIT 1) END AS finally_stored,
    CASE WHEN o.kind = 'provide'
        THEN (SELECT f.confirmed FROM follow_ups f WHERE f.operation_id = o.id ORDER BY f.ended_at DESC LIMIT 1) END AS finally_confirmed,
    o.fallback AS fallback,
    o.from_own_records AS from_own_records,
    o.found_publisher AS found_publisher,
    CASE WHEN o.trace_id IS NOT NULL THEN (SELECT t.why_kept FROM traces t WHERE t.id = o.trace_id) END AS why_kept,
    o.created_at AS created_at
FROM operations o
JOIN nodes_ecs n ON n.id = o.node_id;

CREATE VIEW v_requests AS
SELECT
    t.id AS operation_id,
    request.number - 1 AS number,
    n.fleet AS fleet,
    n.region AS region,
    t.document ->> 'strategy' AS strategy,
    n.peer_id AS peer_id,
    o.node_id AS node_id,
    o.kind AS kind,
    o.outcome AS outcome,
    o.started_at AS started_at,
    (t.document ->> 'returned')::DOUBLE PRECISION / 1e6 AS returned_seconds,
    t.why_kept AS why_kept,
    request.value ->> 'peer' AS dht_peer_id,
    request.value ->> 'agent' AS agent,
    request.value ->> 'kind' AS request,
    (request.value ->> 'named_by')::BIGINT AS named_by,
    (request.value ->> 'hop')::BIGINT AS hop,
    (request.value ->> 'common_prefix')::BIGINT AS common_prefix,
    (request.value ->> 'asked')::DOUBLE PRECISION / 1e6 AS asked_seconds,
    (request.value ->> 'dialled')::DOUBLE PRECISION / 1e6 AS dialled_seconds,
    (request.value ->> 'connected')::DOUBLE PRECISION / 1e6 AS connected_seconds,
    (request.value ->> 'opened')::DOUBLE PRECISION / 1e6 AS opened_seconds,
    (request.value ->> 'written')::DOUBLE PRECISION / 1e6 AS written_seconds,
    (request.value ->> 'ended')::DOUBLE PRECISION / 1e6 AS ended_seconds,
    (request.value ->> 'confirmed')::DOUBLE PRECISION / 1e6 AS confirmed_seconds,
    request.value ->> 'end' AS ending,
    request.value ->> 'error' AS error,
    request.value ->> 'unconfirmed' AS unconfirmed,
    coalesce((request.value ->> 'closer')::BIGINT, 0) AS closer,
    coalesce((request.value ->> 'providers')::BIGINT, 0) AS providers
FROM traces t
JOIN operations o ON o.id = t.id
JOIN nodes_ecs n ON n.id = o.node_id
CROSS JOIN LATERAL jsonb_array_elements(
    CASE jsonb_typeof(t.document -> 'requests') WHEN 'array' THEN t.document -> 'requests' ELSE '[]' END
) WITH ORDINALITY AS request (value, number);

CREATE VIEW v_traces AS
SELECT
    t.id AS id,
    n.fleet AS fleet,
    n.region AS region,
    t.document ->> 'strategy' AS strategy,
    n.peer_id AS peer_id,
    o.node_id AS node_id,
    o.kind AS kind,
    o.outcome AS outcome,
    o.started_at AS started_at,
    o.duration_seconds AS duration_seconds,
    t.why_kept AS why_kept,
    (t.document ->> 'returned')::DOUBLE PRECISION / 1e6 AS returned_seconds,
    CASE jsonb_typeof(t.document -> 'requests') WHEN 'array' THEN jsonb_array_length(t.document -> 'requests') END AS requests,
    coalesce((t.document ->> 'left_out')::BIGINT, 0) AS left_out,
    t.document AS document,
    t.created_at AS created_at
FROM traces t
JOIN operations o ON o.id = t.id
JOIN nodes_ecs n ON n.id = o.node_id;

CREATE VIEW v_rounds AS
SELECT
    r.id AS id,
    r.fleets AS fleets,
    n.fleet AS fleet,
    n.region AS region,
    n.dependencies ->> 'strategy' AS strategy,
    n.peer_id AS peer_id,
    r.scheduler_id AS scheduler_id,
    r.provider_node_id AS provider_node_id,
    r.nodes_listed AS nodes_listed,
    r.nodes_ready AS nodes_ready,
    r.nodes_without_heartbeat AS nodes_without_heartbeat,
    r.skipped_before AS skipped_before,
    r.due_at AS due_at,
    r.started_at AS started_at,
    r.ended_at AS ended_at,
    r.outcome AS outcome
FROM rounds r
LEFT JOIN nodes_ecs n ON n.id = r.provider_node_id;

CREATE VIEW v_records AS
SELECT
    c.check_id AS check_id,
    c.rank AS rank,
    c.operation_id AS operation_id,
    n.fleet AS fleet,
    n.region AS region,
    n.dependencies ->> 'strategy' AS strategy,
    c.provider_peer_id AS peer_id,
    n.dependencies ->> 'version' AS server_version,
    c.node_id AS node_id,
    c.cid AS cid,
    p.published_at AS published_at,
    c.checked_at AS checked_at,
    c.after_seconds AS after_seconds,
    c.age_seconds AS age_seconds,
    c.checked_by AS checked_by,
    c.holder_peer_id AS holder_peer_id,
    c.answered AS answered,
    c.has_record AS has_record
FROM record_checks c
JOIN planned_checks p ON p.id = c.check_id
JOIN nodes_ecs n ON n.id = c.node_id;

-- The slowest operations that have a trace (`parsec trace --slowest`), without sorting all of them.
CREATE INDEX operations_traced_duration_seconds_idx ON operations (duration_seconds) WHERE trace_id IS NOT NULL;

COMMENT ON VIEW v_operations IS
    'Every attempt to publish or to look up, with the server that was asked: operations, nodes_ecs, and what became of publications afterwards.';
COMMENT ON COLUMN v_operations.id IS
    'Identifies the attempt. A UUID of version 7, which sorts by time.';
COMMENT ON COLUMN v_operations.round_id IS
    'The round that it belongs to.';
COMMENT ON COLUMN v_operations.kind IS
    'provide (publish) or retrieve (look up).';
COMMENT ON COLUMN v_operations.fleet IS
    'The fleet of the server that was asked.';
COMMENT ON COLUMN v_operations.region IS
    'The region of that server.';
COMMENT ON COLUMN v_operations.strategy IS
    'How that server publishes and finds: classic, optprov, fullrt or libp2p. NULL if it does not say. '
    'See fallback, too.';
COMMENT ON COLUMN v_operations.peer_id IS
    'The libp2p peer id of that server, which is new at each start.';
COMMENT ON COLUMN v_operations.server_version IS
    'The version of that server. NULL if it does not say.';
COMMENT ON COLUMN v_operations.node_id IS
    'Its row in nodes_ecs.';
COMMENT ON COLUMN v_operations.scheduler_id IS
    'The loop of rounds that asked for it: its row in schedulers_ecs.';
COMMENT ON COLUMN v_operations.probe IS
    'Which look of this server at the same key it is, from 0: the first finds no connections, later ones '
    'may.';
COMMENT ON COLUMN v_operations.cid IS
    'The CID that was published or looked up.';
COMMENT ON COLUMN v_operations.outcome IS
    'How it ended: ok, or the class of the failure. docs/methods.md explains each class.';
COMMENT ON COLUMN v_operations.is_due IS
    'Whether it says something about the DHT, so that parsec results counts it. Later looks (probe above '
    '0) are counted only by probe.';
COMMENT ON COLUMN v_operations.error IS
    'Why it failed, in words. NULL exactly if outcome is ok.';
COMMENT ON COLUMN v_operations.due_at IS
    'When it should have started, on the clock of the scheduler.';
COMMENT ON COLUMN v_operations.started_at IS
    'When it started, on the clock of the scheduler.';
COMMENT ON COLUMN v_operations.ended_at IS
    'When the scheduler had the answer, or gave up.';
COMMENT ON COLUMN v_operations.duration_seconds IS
    'How long it took, on the monotonic clock of the server. If no server measured it, how long the '
    'scheduler waited.';
COMMENT ON COLUMN v_operations.routing_table_size IS
    'How many peers the routing table of the server had when the attempt began; with fullrt, how many the'
    ' crawl met. 0 if no server measured it.';
COMMENT ON COLUMN v_operations.network_size IS
    'How many peers the server believed the network to have. NULL if it does not know.';
COMMENT ON COLUMN v_operations.rpcs IS
    'How many requests were sent to peers. NULL if the server does not say.';
COMMENT ON COLUMN v_operations.rpcs_failed IS
    'How many of these requests ended without a proper answer. NULL if the server does not say.';
COMMENT ON COLUMN v_operations.dials IS
    'How many connections were dialled for them. NULL if the server does not say.';
COMMENT ON COLUMN v_operations.dials_failed IS
    'How many of these connections could not be established. NULL if the server does not say.';
COMMENT ON COLUMN v_operations.holders_stored IS
    'How many peers the record had been written to when the publication returned. NULL for lookups, and '
    'if the server does not say.';
COMMENT ON COLUMN v_operations.holders_confirmed IS
    'How many peers had confirmed by the return that they took the record in. NULL for lookups, and if '
    'the server does not say.';
COMMENT ON COLUMN v_operations.holders_failed IS
    'How many peers the record could not be written to by the return. NULL for lookups, and if the server'
    ' does not say.';
COMMENT ON COLUMN v_operations.holders_pending IS
    'How many peers the record was still being written to at the return. NULL for lookups, and if the '
    'server does not say.';
COMMENT ON COLUMN v_operations.finally_stored IS
    'How many peers the record had been written to when the last put had ended. NULL without a row in '
    'follow_ups.';
COMMENT ON COLUMN v_operations.finally_confirmed IS
    'How many of them confirmed that they took the record in. NULL without a row in follow_ups.';
COMMENT ON COLUMN v_operations.fallback IS
    'Why the server used the classic strategy instead of its own. NULL if it did not.';
COMMENT ON COLUMN v_operations.from_own_records IS
    'Whether the server answered a lookup from its own records, so that no DHT was measured.';
COMMENT ON COLUMN v_operations.found_publisher IS
    'Whether the node that had published was among the providers found. NULL for publications, for '
    'lookups that found none, and if the server does not say.';
COMMENT ON COLUMN v_operations.why_kept IS
    'Why its trace was kept: failed, slow or sampled. NULL if none was kept.';
COMMENT ON COLUMN v_operations.created_at IS
    'When the row was written: later than ended_at if it waited for the database.';

COMMENT ON VIEW v_requests IS
    'Every request of every operation whose trace is kept: traces.document, unfolded.';
COMMENT ON COLUMN v_requests.operation_id IS
    'The operation that made the request: v_operations.id.';
COMMENT ON COLUMN v_requests.number IS
    'Its place among the requests of the operation, from 0, in the order in which they were made.';
COMMENT ON COLUMN v_requests.fleet IS
    'The fleet of the server that made it.';
COMMENT ON COLUMN v_requests.region IS
    'The region of that server.';
COMMENT ON COLUMN v_requests.strategy IS
    'How the operation was done: classic, optprov, fullrt or libp2p.';
COMMENT ON COLUMN v_requests.peer_id IS
    'The libp2p peer id of that server.';
COMMENT ON COLUMN v_requests.node_id IS
    'Its row in nodes_ecs.';
COMMENT ON COLUMN v_requests.kind IS
    'What the operation was: provide (publish) or retrieve (look up).';
COMMENT ON COLUMN v_requests.outcome IS
    'How the operation ended: ok, or the class of the failure.';
COMMENT ON COLUMN v_requests.started_at IS
    'When the operation started, on the clock of the scheduler.';
COMMENT ON COLUMN v_requests.returned_seconds IS
    'When the operation returned. What ends later was left to the background.';
COMMENT ON COLUMN v_requests.why_kept IS
    'Why the trace was kept: failed, slow or sampled. All failures and the slowest are kept and only a '
    'sample of the others, so sums and means over requests are of the traces, not of all operations.';
COMMENT ON COLUMN v_requests.dht_peer_id IS
    'The peer id of the DHT peer that was asked.';
COMMENT ON COLUMN v_requests.agent IS
    'The software that this peer says it runs. NULL if it has not introduced itself.';
COMMENT ON COLUMN v_requests.request IS
    'What it was asked: FIND_NODE, GET_PROVIDERS or ADD_PROVIDER.';
COMMENT ON COLUMN v_requests.named_by IS
    'The number of the request whose answer first named this peer. NULL if it was known from the start.';
COMMENT ON COLUMN v_requests.hop IS
    'How many answers led to the peer: 0 if it was known from the start.';
COMMENT ON COLUMN v_requests.common_prefix IS
    'How many leading bits the place of the peer in the keyspace shares with the key: the more, the '
    'closer.';
COMMENT ON COLUMN v_requests.asked_seconds IS
    'When the request was wanted. This and the following times are seconds since the start of the '
    'operation.';
COMMENT ON COLUMN v_requests.dialled_seconds IS
    'When a dial for it began. NULL if a connection stood.';
COMMENT ON COLUMN v_requests.connected_seconds IS
    'When a connection stood. NULL if none came about.';
COMMENT ON COLUMN v_requests.opened_seconds IS
    'When a fresh stream was negotiated. NULL if an open one was used, and if it did not get that far.';
COMMENT ON COLUMN v_requests.written_seconds IS
    'When the request was written. NULL if it did not get that far.';
COMMENT ON COLUMN v_requests.ended_seconds IS
    'When it ended, however it did. NULL if it was still under way when the trace was taken.';
COMMENT ON COLUMN v_requests.confirmed_seconds IS
    'When the peer had taken in the record that was written to it. NULL for other requests, and as long '
    'as that is not known.';
COMMENT ON COLUMN v_requests.ending IS
    'How it ended: answered, dial_failed, dial_timeout, back_off, no_transport, local_limit, timeout, '
    'protocol, cancelled or pending.';
COMMENT ON COLUMN v_requests.error IS
    'Why it failed, in words.';
COMMENT ON COLUMN v_requests.unconfirmed IS
    'Why the peer has not taken in the record, in words.';
COMMENT ON COLUMN v_requests.closer IS
    'How many peers its answer named as closer to the key.';
COMMENT ON COLUMN v_requests.providers IS
    'How many providers its answer named.';

COMMENT ON VIEW v_traces IS
    'Every trace that is kept, with the server whose operation it is of.';
COMMENT ON COLUMN v_traces.id IS
    'The operation: v_operations.id.';
COMMENT ON COLUMN v_traces.fleet IS
    'The fleet of the server that was asked.';
COMMENT ON COLUMN v_traces.region IS
    'The region of that server.';
COMMENT ON COLUMN v_traces.strategy IS
    'How the operation was done: classic, optprov, fullrt or libp2p.';
COMMENT ON COLUMN v_traces.peer_id IS
    'The libp2p peer id of that server.';
COMMENT ON COLUMN v_traces.node_id IS
    'Its row in nodes_ecs.';
COMMENT ON COLUMN v_traces.kind IS
    'provide (publish) or retrieve (look up).';
COMMENT ON COLUMN v_traces.outcome IS
    'How the operation ended: ok, or the class of the failure.';
COMMENT ON COLUMN v_traces.started_at IS
    'When the operation started, on the clock of the scheduler.';
COMMENT ON COLUMN v_traces.duration_seconds IS
    'How long it took, on the monotonic clock of the server.';
COMMENT ON COLUMN v_traces.why_kept IS
    'Why the trace was kept: failed, slow or sampled.';
COMMENT ON COLUMN v_traces.returned_seconds IS
    'When the operation returned, in seconds since its start.';
COMMENT ON COLUMN v_traces.requests IS
    'How many requests the trace holds: v_requests has a row for each.';
COMMENT ON COLUMN v_traces.left_out IS
    'How many more requests there were than a trace holds.';
COMMENT ON COLUMN v_traces.document IS
    'The trace itself, as JSON. Times in it are microseconds since the start of the operation.';
COMMENT ON COLUMN v_traces.created_at IS
    'When the row was written.';

COMMENT ON VIEW v_rounds IS
    'Every round, with the server that published.';
COMMENT ON COLUMN v_rounds.id IS
    'Identifies the round. A UUID of version 7, which sorts by time.';
COMMENT ON COLUMN v_rounds.fleets IS
    'The fleets of the loop, joined by a plus sign.';
COMMENT ON COLUMN v_rounds.fleet IS
    'The fleet of the server that published. NULL if none could be chosen.';
COMMENT ON COLUMN v_rounds.region IS
    'The region of that server. NULL if none could be chosen.';
COMMENT ON COLUMN v_rounds.strategy IS
    'How that server publishes: classic, optprov, fullrt or libp2p. NULL if it does not say, or none '
    'could be chosen.';
COMMENT ON COLUMN v_rounds.peer_id IS
    'The libp2p peer id of that server. NULL if none could be chosen.';
COMMENT ON COLUMN v_rounds.scheduler_id IS
    'The loop of rounds that it belongs to: its row in schedulers_ecs.';
COMMENT ON COLUMN v_rounds.provider_node_id IS
    'The row in nodes_ecs of the server that published. NULL if none could be chosen.';
COMMENT ON COLUMN v_rounds.nodes_listed IS
    'How many nodes the database listed as alive.';
COMMENT ON COLUMN v_rounds.nodes_ready IS
    'How many nodes said that they can measure: of those listed, and of nodes_without_heartbeat all.';
COMMENT ON COLUMN v_rounds.nodes_without_heartbeat IS
    'How many nodes took part although their last heartbeat was too old.';
COMMENT ON COLUMN v_rounds.skipped_before IS
    'How many rounds were left out directly before this one, because an earlier one took too long.';
COMMENT ON COLUMN v_rounds.due_at IS
    'When the round should have started.';
COMMENT ON COLUMN v_rounds.started_at IS
    'When it started.';
COMMENT ON COLUMN v_rounds.ended_at IS
    'When it ended. NULL while it runs, and if it was cut off and no later process has ended it.';
COMMENT ON COLUMN v_rounds.outcome IS
    'How it ended: complete, provide_failed, too_few_nodes or interrupted. NULL as long as ended_at is.';

COMMENT ON VIEW v_records IS
    'Who had a record when it was checked: record_checks, with the server that had published.';
COMMENT ON COLUMN v_records.check_id IS
    'The check: planned_checks.id. A UUID of version 7, which sorts by the time of the publication.';
COMMENT ON COLUMN v_records.rank IS
    'The place of the holder among the closest peers to the key. 1 is the closest.';
COMMENT ON COLUMN v_records.operation_id IS
    'The attempt that published: v_operations.id. NULL if the publication was asked for without an '
    'attempt id.';
COMMENT ON COLUMN v_records.fleet IS
    'The fleet of the server that published.';
COMMENT ON COLUMN v_records.region IS
    'The region of that server.';
COMMENT ON COLUMN v_records.strategy IS
    'How that server publishes: classic, optprov, fullrt or libp2p. NULL if it does not say.';
COMMENT ON COLUMN v_records.peer_id IS
    'The libp2p peer id of that server, which the record names.';
COMMENT ON COLUMN v_records.server_version IS
    'The version of that server. NULL if it does not say.';
COMMENT ON COLUMN v_records.node_id IS
    'Its row in nodes_ecs.';
COMMENT ON COLUMN v_records.cid IS
    'The CID that was published.';
COMMENT ON COLUMN v_records.published_at IS
    'When the last put of the publication had ended.';
COMMENT ON COLUMN v_records.checked_at IS
    'When the last peer had been asked.';
COMMENT ON COLUMN v_records.after_seconds IS
    'The planned age of the record: 0, 3600, 43200 or 86400.';
COMMENT ON COLUMN v_records.age_seconds IS
    'The age of the record at the check: at least after_seconds, and much more if no server could check '
    'in time.';
COMMENT ON COLUMN v_records.checked_by IS
    'The row in nodes_ecs of the server that asked.';
COMMENT ON COLUMN v_records.holder_peer_id IS
    'The peer id of the DHT peer that should have the record.';
COMMENT ON COLUMN v_records.answered IS
    'Whether this peer gave a proper answer.';
COMMENT ON COLUMN v_records.has_record IS
    'Whether its answer named the provider.';
