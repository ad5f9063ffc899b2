DROP TABLE follow_ups;
DROP INDEX operations_traced_idx;
DROP TABLE traces;
ALTER TABLE operations DROP COLUMN holders_failed;
ALTER TABLE operations DROP COLUMN holders_pending;
ALTER TABLE operations DROP COLUMN network_size;
ALTER TABLE operations DROP COLUMN fallback;
ALTER TABLE operations DROP COLUMN from_own_records;
