-- Legacy: the provides of a run's nodes.
CREATE TABLE provides (
    id         INT              GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    node_id    INT              NOT NULL CONSTRAINT fk_provides_node REFERENCES nodes (id),
    rt_size    INT              NOT NULL,
    duration   DOUBLE PRECISION NOT NULL,
    cid        TEXT             NOT NULL,
    error      TEXT,
    created_at TIMESTAMPTZ      NOT NULL
);

CREATE INDEX idx_provides_created_at ON provides (created_at);
