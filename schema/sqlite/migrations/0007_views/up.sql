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
    json_extract(n.dependencies, '$.strategy') AS strategy,
    n.peer_id AS peer_id,
    json_extract(n.dependencies, '$.version') AS server_version,
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
    request.key AS number,
    n.fleet AS fleet,
    n.region AS region,
    CASE WHEN json_valid(t.document) THEN json_extract(t.document, '$.strategy') END AS strategy,
    n.peer_id AS peer_id,
    o.node_id AS node_id,
    o.kind AS kind,
    o.outcome AS outcome,
    o.started_at AS started_at,
    CASE WHEN json_valid(t.document) THEN json_extract(t.document, '$.returned') / 1e6 END AS returned_seconds,
    t.why_kept AS why_kept,
    json_extract(request.value, '$.peer') AS dht_peer_id,
    json_extract(request.value, '$.agent') AS agent,
    json_extract(request.value, '$.kind') AS request,
    json_extract(request.value, '$.named_by') AS named_by,
    json_extract(request.value, '$.hop') AS hop,
    json_extract(request.value, '$.common_prefix') AS common_prefix,
    json_extract(request.value, '$.asked') / 1e6 AS asked_seconds,
    json_extract(request.value, '$.dialled') / 1e6 AS dialled_seconds,
    json_extract(request.value, '$.connected') / 1e6 AS connected_seconds,
    json_extract(request.value, '$.opened') / 1e6 AS opened_seconds,
    json_extract(request.value, '$.written') / 1e6 AS written_seconds,
    json_extract(request.value, '$.ended') / 1e6 AS ended_seconds,
    json_extract(request.value, '$.confirmed') / 1e6 AS confirmed_seconds,
    json_extract(request.value, '$.end') AS ending,
    json_extract(request.value, '$.error') AS error,
    json_extract(request.value, '$.unconfirmed') AS unconfirmed,
    coalesce(json_extract(request.value, '$.closer'), 0) AS closer,
    coalesce(json_extract(request.value, '$.providers'), 0) AS providers
FROM traces t
JOIN operations o ON o.id = t.id
JOIN nodes_ecs n ON n.id = o.node_id
JOIN json_each(CASE WHEN json_valid(t.document) THEN t.document ELSE '{}' END, '$.requests') AS request;

CREATE VIEW v_traces AS
SELECT
    t.id AS id,
    n.fleet AS fleet,
    n.region AS region,
    CASE WHEN json_valid(t.document) THEN json_extract(t.document, '$.strategy') END AS strategy,
    n.peer_id AS peer_id,
    o.node_id AS node_id,
    o.kind AS kind,
    o.outcome AS outcome,
    o.started_at AS started_at,
    o.duration_seconds AS duration_seconds,
    t.why_kept AS why_kept,
    CASE WHEN json_valid(t.document) THEN json_extract(t.document, '$.returned') / 1e6 END AS returned_seconds,
    CASE WHEN json_valid(t.document) THEN json_array_length(t.document, '$.requests') END AS requests,
    CASE WHEN json_valid(t.document) THEN coalesce(json_extract(t.document, '$.left_out'), 0) ELSE 0 END AS left_out,
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
    json_extract(n.dependencies, '$.strategy') AS strategy,
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
    json_extract(n.dependencies, '$.strategy') AS strategy,
    c.provider_peer_id AS peer_id,
    json_extract(n.dependencies, '$.version') AS server_version,
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
