-- How many of those that the record was written to had taken it in, as a clean end of the stream says: by the time of the
-- return in `operations`, where most have had no time to say so, and in the end in `follow_ups`. NULL in rows of versions
-- that did not look, and of servers that do not say.
--
-- `follow_ups.pending` counts peers of which nobody knows, because the server was stopped. From now on every publication that
-- sent its record to anybody has a row there, and `stored`, `failed` and `pending` are together all the peers that it chose.
ALTER TABLE operations ADD COLUMN holders_confirmed INT CHECK (holders_confirmed >= 0);
ALTER TABLE follow_ups
    ADD COLUMN confirmed INT CHECK (confirmed >= 0),
    ADD COLUMN pending   INT CHECK (pending >= 0);

-- Looks at the true closest peers of a key, planned when a publication has ended: which of them have the record, right after
-- the last put and 1, 12 and 24 hours later (`after_seconds`). A share of the publications is looked at (--verify-records).
--
-- `provider_peer_id` is the peer id that the record names: `node_id` published, and may have been started again since. A
-- server claims what is due until `claimed_until`; if it is gone by then, another one of the same fleet and region does.
-- `ended_at` is NULL as long as nobody has looked: for good, if nobody could within a day.
CREATE TABLE planned_checks (
    id                 UUID             NOT NULL PRIMARY KEY,
    operation_id       UUID,
    node_id            INT              NOT NULL REFERENCES nodes_ecs (id) ON DELETE CASCADE,
    fleet              TEXT             NOT NULL,
    region             TEXT             NOT NULL,
    cid                TEXT             NOT NULL,
    provider_peer_id   TEXT             NOT NULL,
    published_at       TIMESTAMPTZ      NOT NULL,
    after_seconds      INT              NOT NULL CHECK (after_seconds >= 0),
    due_at             TIMESTAMPTZ      NOT NULL,
    claimed_by         INT              REFERENCES nodes_ecs (id) ON DELETE SET NULL,
    claimed_until      TIMESTAMPTZ,
    ended_at           TIMESTAMPTZ,
    created_at         TIMESTAMPTZ      NOT NULL
);

CREATE INDEX planned_checks_open_idx ON planned_checks (due_at) WHERE ended_at IS NULL;
CREATE INDEX planned_checks_node_id_idx ON planned_checks (node_id);
CREATE INDEX planned_checks_operation_id_idx ON planned_checks (operation_id) WHERE operation_id IS NOT NULL;

-- What was seen: one row for each of the closest peers (`rank` 1 is the closest) at each look, so that a question such as
-- "what share of them has the record after 12 hours?" is one GROUP BY. It repeats what it is asked for by.
--
-- `age_seconds` is how old the record really was: more than `after_seconds`, and much more if nobody could look in time.
-- `answered` is false for a peer that was among the closest and gave no answer; `has_record` says whether its answer named the
-- provider. `checked_by` is the node that asked; `node_id` the one that published.
CREATE TABLE record_checks (
    check_id           UUID             NOT NULL REFERENCES planned_checks (id) ON DELETE CASCADE,
    rank               INT              NOT NULL CHECK (rank >= 1),
    holder_peer_id     TEXT             NOT NULL,
    answered           BOOLEAN          NOT NULL,
    has_record         BOOLEAN          NOT NULL,
    operation_id       UUID,
    node_id            INT              NOT NULL REFERENCES nodes_ecs (id) ON DELETE CASCADE,
    checked_by         INT              REFERENCES nodes_ecs (id) ON DELETE SET NULL,
    cid                TEXT             NOT NULL,
    provider_peer_id   TEXT             NOT NULL,
    after_seconds      INT              NOT NULL CHECK (after_seconds >= 0),
    age_seconds        DOUBLE PRECISION NOT NULL CHECK (age_seconds >= 0),
    checked_at         TIMESTAMPTZ      NOT NULL,
    PRIMARY KEY (check_id, rank)
);

CREATE INDEX record_checks_checked_at_idx ON record_checks (checked_at);
CREATE INDEX record_checks_node_id_idx ON record_checks (node_id);
CREATE INDEX record_checks_operation_id_idx ON record_checks (operation_id) WHERE operation_id IS NOT NULL;
