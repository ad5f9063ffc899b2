-- Legacy: the retrievals of a run's nodes.
CREATE TABLE retrievals (
    id         INT              GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    node_id    INT              NOT NULL CONSTRAINT fk_retrievals_node REFERENCES nodes (id),
    rt_size    INT              NOT NULL,
    duration   DOUBLE PRECISION NOT NULL,
    cid        TEXT             NOT NULL,
    error      TEXT,
    created_at TIMESTAMPTZ      NOT NULL
);

CREATE INDEX idx_retrievals_created_at ON retrievals (created_at);
