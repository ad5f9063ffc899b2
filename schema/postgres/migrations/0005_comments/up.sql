-- What each table and column of our own means, for clients that show comments. docs/schema.md has the same texts; a test compares
-- them. The tables of the original stay as they are.
COMMENT ON TABLE rounds IS
    'One row for each round of a scheduler loop. It is written when the round begins, and again when '
    'it ends: a round that was cut off has no end.';
COMMENT ON COLUMN rounds.id IS
    'Identifies the round. A UUID of version 7, which sorts by time.';
COMMENT ON COLUMN rounds.scheduler_id IS
    'The loop of rounds that it belongs to.';
COMMENT ON COLUMN rounds.fleets IS
    'The fleets of the loop, joined by a plus sign.';
COMMENT ON COLUMN rounds.provider_node_id IS
    'The node that published. NULL if none could be chosen.';
COMMENT ON COLUMN rounds.nodes_listed IS
    'How many nodes the database listed as alive.';
COMMENT ON COLUMN rounds.nodes_ready IS
    'How many of these nodes said that they can measure.';
COMMENT ON COLUMN rounds.skipped_before IS
    'How many rounds were left out directly before this one, because an earlier one took too long.';
COMMENT ON COLUMN rounds.due_at IS
    'When the round should have started.';
COMMENT ON COLUMN rounds.started_at IS
    'When it started.';
COMMENT ON COLUMN rounds.ended_at IS
    'When it ended. NULL while it runs, and if it was cut off and no later process has ended it.';
COMMENT ON COLUMN rounds.outcome IS
    'How it ended: complete, provide_failed (there was nothing to look up), too_few_nodes (fewer than '
    'two were ready) or interrupted. NULL as long as ended_at is.';

COMMENT ON TABLE operations IS
    'One row for each attempt to publish or to look up, whatever its outcome. The tables of the '
    'original have rows only for attempts that a server measured.';
COMMENT ON COLUMN operations.id IS
    'Identifies the attempt. A UUID of version 7, which sorts by time.';
COMMENT ON COLUMN operations.round_id IS
    'The round that it belongs to. There is no foreign key, because an attempt may be written before '
    'its round.';
COMMENT ON COLUMN operations.scheduler_id IS
    'The loop of rounds that asked for it.';
COMMENT ON COLUMN operations.node_id IS
    'The node that was asked.';
COMMENT ON COLUMN operations.kind IS
    'provide (publish) or retrieve (look up).';
COMMENT ON COLUMN operations.probe IS
    'Which look of this node at the same key it is, from 0: the first finds no connections, later '
    'ones may.';
COMMENT ON COLUMN operations.cid IS
    'The CID that was published or looked up.';
COMMENT ON COLUMN operations.outcome IS
    'How it ended: ok, or the class of the failure. docs/methods.md explains each class.';
COMMENT ON COLUMN operations.error IS
    'Why it failed, in words. NULL exactly if outcome is ok.';
COMMENT ON COLUMN operations.due_at IS
    'When it should have started, on the clock of the scheduler.';
COMMENT ON COLUMN operations.started_at IS
    'When it started, on the clock of the scheduler.';
COMMENT ON COLUMN operations.ended_at IS
    'When the scheduler had the answer, or gave up.';
COMMENT ON COLUMN operations.duration_seconds IS
    'How long it took, in seconds, on the monotonic clock of the server. If no server measured it, '
    'how long the scheduler waited.';
COMMENT ON COLUMN operations.routing_table_size IS
    'How many peers the routing table of the server had when the attempt began; with fullrt, how many '
    'peers the crawl met. 0 if no server measured it.';
COMMENT ON COLUMN operations.holders_stored IS
    'How many peers the record had been written to when the publication returned. NULL for lookups, '
    'and if the server does not say.';
COMMENT ON COLUMN operations.rpcs IS
    'How many requests were sent to peers. NULL if the server does not say.';
COMMENT ON COLUMN operations.rpcs_failed IS
    'How many of these requests ended without a proper answer. NULL if the server does not say.';
COMMENT ON COLUMN operations.dials IS
    'How many connections were dialled for them. NULL if the server does not say.';
COMMENT ON COLUMN operations.dials_failed IS
    'How many of these connections could not be established. NULL if the server does not say.';
COMMENT ON COLUMN operations.trace_id IS
    'The trace of the attempt: traces.id. NULL if none was kept.';
COMMENT ON COLUMN operations.provide_id IS
    'Its row in provides_ecs, the last one if the publication has several steps. NULL for lookups, '
    'and if no server measured it.';
COMMENT ON COLUMN operations.retrieval_id IS
    'Its row in retrievals_ecs. NULL for publications, and if no server measured it.';
COMMENT ON COLUMN operations.created_at IS
    'When the row was written: later than ended_at if it waited for the database.';
COMMENT ON COLUMN operations.holders_failed IS
    'How many peers the record could not be written to. NULL for lookups, and if the server does not '
    'say.';
COMMENT ON COLUMN operations.holders_pending IS
    'How many peers the record was still being written to when the publication returned; follow_ups '
    'has what became of them. NULL for lookups, and if the server does not say.';
COMMENT ON COLUMN operations.network_size IS
    'How many peers the server believed the network to have, estimated from its lookups or counted by '
    'a crawl. NULL if it does not know.';
COMMENT ON COLUMN operations.fallback IS
    'Why the server used the classic strategy instead of its own. NULL if it did not.';
COMMENT ON COLUMN operations.from_own_records IS
    'Whether the server answered a lookup from its own records, so that no DHT was measured.';
COMMENT ON COLUMN operations.found_publisher IS
    'Whether the node that had published was among the providers found. NULL for publications, for '
    'lookups that found none, and if the server does not say whom it found.';
COMMENT ON COLUMN operations.holders_confirmed IS
    'How many peers had confirmed by the return, with a clean end of the stream, that they took the '
    'record in. Most confirm later: see follow_ups. NULL for lookups, and if the server does not say.';

COMMENT ON TABLE traces IS
    'What an operation did, request by request. Traces are kept of failures, of the slowest '
    'operations, and of a sample of the others.';
COMMENT ON COLUMN traces.id IS
    'The operation: operations.id.';
COMMENT ON COLUMN traces.why_kept IS
    'Why the trace was kept: failed, slow or sampled.';
COMMENT ON COLUMN traces.document IS
    'The trace. Times in it are microseconds since the start of the operation. parsec trace shows it.';
COMMENT ON COLUMN traces.created_at IS
    'When the row was written.';

COMMENT ON TABLE follow_ups IS
    'How a publication ended: written by the server when its last put has ended and the peers have '
    'confirmed it, or have had the time to. stored, failed and pending together are all peers that '
    'were chosen.';
COMMENT ON COLUMN follow_ups.id IS
    'Identifies the row. A UUID of version 7, which sorts by time.';
COMMENT ON COLUMN follow_ups.operation_id IS
    'The attempt: operations.id, without a foreign key, because the server may be faster than the '
    'scheduler. NULL if the publication was asked for without an attempt id.';
COMMENT ON COLUMN follow_ups.node_id IS
    'The node that published.';
COMMENT ON COLUMN follow_ups.cid IS
    'The CID that was published.';
COMMENT ON COLUMN follow_ups.stored IS
    'How many peers the record was written to, those before the return included.';
COMMENT ON COLUMN follow_ups.failed IS
    'How many peers it could not be written to.';
COMMENT ON COLUMN follow_ups.duration_seconds IS
    'Seconds from the start of the publication to the end of its last put.';
COMMENT ON COLUMN follow_ups.ended_at IS
    'When the last put ended.';
COMMENT ON COLUMN follow_ups.created_at IS
    'When the row was written.';
COMMENT ON COLUMN follow_ups.confirmed IS
    'How many peers confirmed, with a clean end of the stream, that they took the record in. NULL in '
    'rows of older versions.';
COMMENT ON COLUMN follow_ups.pending IS
    'How many peers it was still being written to when the server was stopped. NULL in rows of older '
    'versions.';

COMMENT ON TABLE planned_checks IS
    'Checks to be made: which of the peers closest to a key have the record, right after the last put '
    'and 1, 12 and 24 hours later. A share of the publications is checked (--verify-records).';
COMMENT ON COLUMN planned_checks.id IS
    'Identifies the check. A UUID of version 7, which sorts by time.';
COMMENT ON COLUMN planned_checks.operation_id IS
    'The attempt that published: operations.id. NULL if the publication was asked for without an '
    'attempt id.';
COMMENT ON COLUMN planned_checks.node_id IS
    'The node that published.';
COMMENT ON COLUMN planned_checks.fleet IS
    'The fleet of that node: another server of it may take the check over.';
COMMENT ON COLUMN planned_checks.region IS
    'The region of that node: only servers there may take the check over.';
COMMENT ON COLUMN planned_checks.cid IS
    'The CID that was published.';
COMMENT ON COLUMN planned_checks.provider_peer_id IS
    'The peer id that the record names. The node may have a new one since.';
COMMENT ON COLUMN planned_checks.published_at IS
    'When the last put had ended.';
COMMENT ON COLUMN planned_checks.after_seconds IS
    'The planned age of the record, in seconds: 0, 3600, 43200 or 86400.';
COMMENT ON COLUMN planned_checks.due_at IS
    'When the check is due: published_at plus after_seconds.';
COMMENT ON COLUMN planned_checks.claimed_by IS
    'The node that makes the check. NULL if none does.';
COMMENT ON COLUMN planned_checks.claimed_until IS
    'Until when that node alone may make it. NULL if none does.';
COMMENT ON COLUMN planned_checks.ended_at IS
    'When the check was made. NULL until then, and for good if none was made within a day.';
COMMENT ON COLUMN planned_checks.created_at IS
    'When the row was written.';

COMMENT ON TABLE record_checks IS
    'What the checks saw: one row for each of the closest peers at each check. Columns are repeated '
    'from planned_checks, so that most questions need no join.';
COMMENT ON COLUMN record_checks.check_id IS
    'The check: planned_checks.id.';
COMMENT ON COLUMN record_checks.rank IS
    'The place of the peer among the closest to the key. 1 is the closest.';
COMMENT ON COLUMN record_checks.holder_peer_id IS
    'The peer that was asked.';
COMMENT ON COLUMN record_checks.answered IS
    'Whether the peer gave a proper answer.';
COMMENT ON COLUMN record_checks.has_record IS
    'Whether its answer named the provider.';
COMMENT ON COLUMN record_checks.operation_id IS
    'The attempt that published: operations.id. NULL if the publication was asked for without an '
    'attempt id.';
COMMENT ON COLUMN record_checks.node_id IS
    'The node that published.';
COMMENT ON COLUMN record_checks.checked_by IS
    'The node that asked.';
COMMENT ON COLUMN record_checks.cid IS
    'The CID that was published.';
COMMENT ON COLUMN record_checks.provider_peer_id IS
    'The peer id that the record names.';
COMMENT ON COLUMN record_checks.after_seconds IS
    'The planned age of the record, in seconds: 0, 3600, 43200 or 86400.';
COMMENT ON COLUMN record_checks.age_seconds IS
    'The age of the record at the check, in seconds: at least after_seconds, and much more if no '
    'server could check in time.';
COMMENT ON COLUMN record_checks.checked_at IS
    'When the last peer had been asked.';
