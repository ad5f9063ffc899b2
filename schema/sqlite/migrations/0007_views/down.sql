DROP INDEX operations_traced_duration_seconds_idx;
DROP VIEW v_records;
DROP VIEW v_rounds;
DROP VIEW v_traces;
DROP VIEW v_requests;
DROP VIEW v_operations;
