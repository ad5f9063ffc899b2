DROP TABLE record_checks;
DROP TABLE planned_checks;
ALTER TABLE follow_ups DROP COLUMN pending;
ALTER TABLE follow_ups DROP COLUMN confirmed;
ALTER TABLE operations DROP COLUMN holders_confirmed;
